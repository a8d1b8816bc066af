(* Activations that compare coordinates: MaxMin on pairs, GroupSort on groups. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Structure.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Sorting.
Variable R : realFieldType.
Implicit Types I K : finType.

(* compare and exchange: replacing (a, b) by (min, max) does not increase distances *)
Lemma compare_exchange (a b a' b' : R) :
  (Num.min a b - Num.min a' b') ^+ 2 + (Num.max a b - Num.max a' b') ^+ 2 <= (a - a') ^+ 2 + (b - b') ^+ 2.
Proof.
have cross (p q r s : R) : p <= q -> r <= s -> (p - r) ^+ 2 + (q - s) ^+ 2 <= (q - r) ^+ 2 + (p - s) ^+ 2.
  move=> pq rs; rewrite -subr_ge0.
  have -> : (q - r) ^+ 2 + (p - s) ^+ 2 - ((p - r) ^+ 2 + (q - s) ^+ 2) = 2%:R * ((q - p) * (s - r)) by ring.
  by rewrite !mulr_ge0 ?subr_ge0 ?ler0n.
case: (leP a b) => ab; case: (leP a' b') => ab'.
- exact: lexx.
- by rewrite [X in _ <= X]addrC; apply: cross => //; exact: ltW.
- by apply: cross => //; exact: ltW.
- by rewrite addrC.
Qed.

(* ---- Rule "maxmin": a pairing e of coordinates (fixed points pass through), lead marks the one that gets the maximum.
        Adjacent channels, halves of the channel axis, and an odd last channel are all of this form. *)
Definition maxmin I (e : I -> I) (lead : pred I) (x : {ffun I -> R}) : {ffun I -> R} :=
  [ffun i => if lead i then Num.max (x i) (x (e i)) else Num.min (x i) (x (e i))].
Theorem maxmin_lip I (e : I -> I) (lead : pred I) : involutive e ->
  (forall i, e i != i -> lead (e i) = ~~ lead i) -> lip (maxmin e lead).
Proof.
move=> ei hl x y; rewrite mul1r !sqnE.
have two : (0 : R) < 2%:R by rewrite ltr0n.
have dbl (f : I -> R) : 2%:R * (\sum_i f i) = \sum_i (f i + f (e i)).
  by rewrite mulr_natl mulr2n big_split /= [X in _ = _ + X](reindex_inj (inv_inj ei)); congr (_ + _);
    apply: eq_bigr => i _; rewrite ei.
rewrite -(ler_pmul2l two) !dbl; apply: ler_sum => i _; rewrite !ffunE ei.
have [fi|fi] := eqVneq (e i) i.
  by rewrite fi !maxxx !minxx; case: (lead i).
rewrite hl //; case: (lead i) => /=.
  by rewrite addrC ![Num.min (_ (e i)) _]minC; exact: compare_exchange.
by rewrite ![Num.max (_ (e i)) _]maxC; exact: compare_exchange.
Qed.

(* ---- Sorting is 1-Lipschitz: insertion sort is a chain of compare-exchanges. *)
Fixpoint dist2 (s t : seq R) : R :=
  match s, t with a :: s', b :: t' => (a - b) ^+ 2 + dist2 s' t' | _, _ => 0 end.
Fixpoint insert (a : R) (s : seq R) : seq R :=
  if s is b :: s' then Num.min a b :: insert (Num.max a b) s' else [:: a].
Fixpoint isort (s : seq R) : seq R := if s is a :: s' then insert a (isort s') else [::].

Lemma size_insert a s : size (insert a s) = (size s).+1.
Proof. by elim: s a => //= b s ih a; rewrite ih. Qed.
Lemma size_isort s : size (isort s) = size s.
Proof. by elim: s => //= a s ih; rewrite size_insert ih. Qed.
Lemma dist2_insert a b s t : size s = size t -> dist2 (insert a s) (insert b t) <= (a - b) ^+ 2 + dist2 s t.
Proof.
elim: s t a b => [|x s ih] [|y t] a b //= [] st.
apply: le_trans (ler_add (lexx _) (ih _ _ _ st)) _.
by rewrite !addrA ler_add2r compare_exchange.
Qed.
Lemma dist2_isort s t : size s = size t -> dist2 (isort s) (isort t) <= dist2 s t.
Proof.
elim: s t => [|a s ih] [|b t] //= [] st.
by apply: le_trans (dist2_insert _ _ _) _; rewrite ?size_isort // ler_add2l ih.
Qed.

Lemma perm_insert a s : perm_eq (insert a s) (a :: s).
Proof.
elim: s a => //= b s ih a; case: (leP a b) => ab; first by rewrite perm_cons ih.
apply: perm_trans (_ : perm_eq (b :: a :: s) _); first by rewrite perm_cons ih.
by rewrite (perm_catCA [:: b] [:: a] s).
Qed.
Lemma path_insert c a s : c <= a -> path <=%R c s -> path <=%R c (insert a s).
Proof.
elim: s a c => [|b s ih] a c /= ca; first by rewrite ca.
case/andP => cb pb; rewrite le_minr ca cb /=.
have [ab|ba] := leP a b; last by apply: ih pb; exact: ltW.
by apply: ih => //; apply: path_le ab pb; exact: le_trans.
Qed.
Lemma sorted_insert a s : sorted <=%R s -> sorted <=%R (insert a s).
Proof.
case: s => //= b s pb; have [ab|ba] := leP a b; last by apply: path_insert pb; exact: ltW.
by apply: path_insert => //; apply: path_le ab pb; exact: le_trans.
Qed.
Lemma isortE s : isort s = sort <=%R s.
Proof.
apply: (sorted_eq le_trans le_anti).
- by elim: s => //= a s ih; exact: sorted_insert.
- by apply: sort_sorted; exact: le_total.
rewrite perm_sym perm_sort; elim: s => //= a s ih.
by rewrite perm_sym; apply: perm_trans (perm_insert _ _) _; rewrite perm_cons perm_sym.
Qed.

Lemma dist2E n (s t : seq R) : size s = n -> size t = n -> dist2 s t = \sum_(i < n) (s`_i - t`_i) ^+ 2.
Proof.
elim: n s t => [|n ih] [|a s] [|b t] //=; rewrite ?big_ord0 // => -[hs] [ht].
by rewrite big_ord_recl ih.
Qed.

(* ---- Rule "groupsort": the coordinates of a group in ascending order. *)
Definition sortv n (x : {ffun 'I_n -> R}) : {ffun 'I_n -> R} := [ffun i : 'I_n => (sort <=%R (codom x))`_i].
Theorem sort_lip n : lip (@sortv n).
Proof.
have hc (x : {ffun 'I_n -> R}) : size (codom x) = n by rewrite size_codom card_ord.
have hs (x : {ffun 'I_n -> R}) : size (sort <=%R (codom x)) = n by rewrite size_sort.
have nc (x : {ffun 'I_n -> R}) (i : 'I_n) : (codom x)`_i = x i.
  by rewrite (nth_map i) ?size_enum_ord // nth_ord_enum.
move=> x y; rewrite mul1r !sqnE; have := dist2_isort (etrans (hc x) (esym (hc y))).
rewrite !isortE (dist2E (hs x) (hs y)) (dist2E (hc x) (hc y)) => h.
under eq_bigr => i _ do rewrite !ffunE.
by apply: le_trans h _; apply: ler_sum => i _; rewrite !ffunE !nc.
Qed.
(* K groups of n coordinates; other layouts are this between two relabelings (reindex_lip). *)
Theorem groupsort_lip K n : lip (blocks (fun _ : K => @sortv n)).
Proof. by apply: blocks_lips => k; exact: sort_lip. Qed.
End Sorting.
