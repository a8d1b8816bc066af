(* The layers of a network over concrete shapes, each with its Lipschitz theorem for all values of its parameters.
   A statement about an architecture is a chain of these (see ../examples). A feature map is {ffun 'I_c * ('I_h * 'I_w)}. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Structure Sorting Conv Image.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Layers.
Variable R : realFieldType.

(* zero channels appended (or, when c' < c, channels dropped); P may be unit for plain features *)
Definition pad_index (P : finType) c c' (j : 'I_c' * P) : option ('I_c * P) :=
  omap (fun k => (k, j.2)) (insub (val j.1)).
Definition pad_channels (P : finType) c c' : {ffun 'I_c * P -> R} -> {ffun 'I_c' * P -> R} :=
  gather (@pad_index P c c') (fun=> 0).
Theorem pad_channels_lip (P : finType) c c' : lip (@pad_channels P c c').
Proof.
apply: gather_lip => -[j p] [j' p'] [k r]; rewrite /pad_index /=.
case: insubP => [u _ e1|//] /= [<- <-]; case: insubP => [u' _ e2|//] /= [e3 ->].
by congr (_, _); apply: val_inj; rewrite /= -e1 -e2 e3.
Qed.

(* sum over disjoint kh x kw blocks times s, s^2 kh kw <= 1; rows and columns that fill no block are dropped *)
Section Pool.
Variables (C : finType) (h w kh kw : nat).
Definition block_index (i : C * ('I_h * 'I_w)) : option (C * ('I_(h %/ kh) * 'I_(w %/ kw))) :=
  if insub (i.2.1 %/ kh)%N is Some a then
    if insub (i.2.2 %/ kw)%N is Some b then Some (i.1, (a, b)) else None
  else None.
Definition avgpool2d (s : R) (x : {ffun C * ('I_h * 'I_w) -> R}) : {ffun C * ('I_(h %/ kh) * 'I_(w %/ kw)) -> R} :=
  [ffun j => s * \sum_(i | block_index i == Some j) x i].
Lemma block_indexP i j : block_index i = Some j ->
  [/\ i.1 = j.1, (i.2.1 %/ kh = j.2.1)%N & (i.2.2 %/ kw = j.2.2)%N].
Proof.
rewrite /block_index; case: insubP => [a _ ea|//]; case: insubP => [b _ eb|//] [<-] /=.
by split; rewrite -?ea -?eb.
Qed.
Theorem avgpool2d_lip (s : R) : (0 < kh)%N -> (0 < kw)%N -> s ^+ 2 * (kh * kw)%:R <= 1 -> lip (avgpool2d s).
Proof.
move=> kh0 kw0 hs; apply: (avgpool_lip hs) => j.
pose f (i : C * ('I_h * 'I_w)) := (Ordinal (ltn_pmod i.2.1 kh0), Ordinal (ltn_pmod i.2.2 kw0)).
rewrite -(card_in_image (f := f)) => [|i i']; last first.
  rewrite !inE => /eqP /block_indexP [e1 e2 e3] /eqP /block_indexP [e1' e2' e3'] [m1 m2].
  case: i e1 e2 e3 m1 m2 => c [a b] /= e1 e2 e3 m1 m2; case: i' e1' e2' e3' m1 m2 => c' [a' b'] /= e1' e2' e3' m1 m2.
  rewrite e1 e1'; congr (_, (_, _)); apply: val_inj.
    by rewrite /= (divn_eq a kh) (divn_eq a' kh) e2 e2' m1.
  by rewrite /= (divn_eq b kw) (divn_eq b' kw) e3 e3' m2.
by apply: leq_trans (max_card _) _; rewrite card_prod !card_ord.
Qed.
(* square blocks: s = 1 / k *)
Lemma inv_block (k : nat) : (0 < k)%N -> k%:R^-1 ^+ 2 * (k * k)%:R <= 1 :> R.
Proof. by move=> k0; rewrite natrM -expr2 -exprMn mulVf ?expr1n // pnatr_eq0 -lt0n. Qed.
End Pool.

(* `flatten`: any relabeling by a bijection, here the enumeration of the index type *)
Definition flatten (I : finType) (x : {ffun I -> R}) : {ffun 'I_#|I| -> R} := [ffun i => x (enum_val i)].
Theorem flatten_lip (I : finType) : lip (@flatten I).
Proof. exact: (reindex_lip enum_val_inj). Qed.

(* `maxmin` of channels (2i, 2i + 1), an odd last channel passing through; and of the two halves of the channel axis *)
Section MaxMin.
Variable P : finType.
Section Adjacent.
Variable c : nat.
Definition adjacent_nat (k : nat) : nat := if odd k then k.-1 else if (k.+1 < c)%N then k.+1 else k.
Lemma adjacent_lt (k : 'I_c) : (adjacent_nat k < c)%N.
Proof.
rewrite /adjacent_nat; case: ifP => _; first by apply: leq_ltn_trans (leq_pred _) (ltn_ord k).
by case: ifP.
Qed.
Definition adjacent (i : 'I_c * P) : 'I_c * P := (Ordinal (adjacent_lt i.1), i.2).
Lemma adjacentK : involutive adjacent.
Proof.
move=> [k p]; congr (_, _); apply: val_inj; rewrite /= /adjacent_nat.
have hk := ltn_ord k; case: (boolP (odd k)) => ok.
  by case: {k} (nat_of_ord k) ok hk => //= k; move=> /negbTE -> ->.
by case h: (k.+1 < c)%N; rewrite /= ?ok ?(negbTE ok) ?h.
Qed.
Theorem maxmin_adjacent_lip : lip (@maxmin R _ adjacent (fun i => ~~ odd i.1)).
Proof.
apply: maxmin_lip => [|[k p]]; first exact: adjacentK.
rewrite xpair_eqE eqxx andbT -val_eqE /= /adjacent_nat.
by case: ifP => ok; [case: {k} (nat_of_ord k) ok => //= k /negbTE -> | case: ifP => h; rewrite ?eqxx //= ok].
Qed.
End Adjacent.
Section Halves.
Variable h : nat.
Definition halves (i : 'I_(h + h) * P) : 'I_(h + h) * P :=
  (match split i.1 with inl a => rshift h a | inr b => lshift h b end, i.2).
Theorem maxmin_halves_lip : lip (@maxmin R _ halves (fun i => if split i.1 is inl _ then true else false)).
Proof.
have sl (a : 'I_h) : split (lshift h a) = inl a by rewrite -[lshift _ _]/(unsplit (inl a)) unsplitK.
have sr (a : 'I_h) : split (rshift h a) = inr a by rewrite -[rshift _ _]/(unsplit (inr a)) unsplitK.
apply: maxmin_lip => [[k p]|[k p] _]; rewrite /halves /=.
  by rewrite -{2}[k]splitK; case: (split k) => a /=; rewrite ?sl ?sr.
by case: (split k) => a; rewrite ?sl ?sr.
Qed.
End Halves.
End MaxMin.

(* `groupsort n`: ascending within contiguous groups of n channels *)
Section GroupSort.
Variables (P : finType) (g n : nat).
Lemma size_gt0 (k : 'I_(g * n)) : (0 < n)%N.
Proof. by have := leq_ltn_trans (leq0n k) (ltn_ord k); rewrite muln_gt0 => /andP []. Qed.
Lemma group_lt (k : 'I_(g * n)) : (k %/ n < g)%N.
Proof. by rewrite ltn_divLR ?(size_gt0 k). Qed.
Lemma rank_lt (k : 'I_(g * n)) : (k %% n < n)%N.
Proof. by rewrite ltn_mod (size_gt0 k). Qed.
Lemma channel_lt (a : 'I_g) (r : 'I_n) : (a * n + r < g * n)%N.
Proof. by apply: leq_trans (_ : a.+1 * n <= _)%N; rewrite ?leq_mul2r ?ltn_ord ?orbT // mulSn addnC ltn_add2r. Qed.
Definition to_group (i : 'I_(g * n) * P) : ('I_g * P) * 'I_n := (Ordinal (group_lt i.1), i.2, Ordinal (rank_lt i.1)).
Definition from_group (j : ('I_g * P) * 'I_n) : 'I_(g * n) * P := (Ordinal (channel_lt j.1.1 j.2), j.1.2).
Lemma from_groupK : cancel from_group to_group.
Proof.
move=> [[a p] r]; have n0 : (0 < n)%N by apply: leq_ltn_trans (ltn_ord r).
congr (_, _, _); apply: val_inj; rewrite /= ?modnMDl ?modn_small //.
by rewrite divnMDl // divn_small ?addn0.
Qed.
Lemma to_groupK : cancel to_group from_group.
Proof. by move=> [k p]; congr (_, _); apply: val_inj; rewrite /= -divn_eq. Qed.
Definition groupsort (x : {ffun 'I_(g * n) * P -> R}) : {ffun 'I_(g * n) * P -> R} :=
  [ffun i => blocks (fun _ => @sortv R n) [ffun j => x (from_group j)] (to_group i)].
Theorem groupsort_channels_lip : lip groupsort.
Proof.
have h := lip_comp (lip_comp (reindex_lip (R := R) (can_inj from_groupK)) (@groupsort_lip R _ n)) (reindex_lip (can_inj to_groupK)).
by apply: eq_lips h => x; apply/ffunP => i; rewrite !ffunE.
Qed.
End GroupSort.

(* `residual dense by sll` (q = 1 and eps: by aol); A is the stored weight, hidden x in *)
Definition sll_rescaling (I H : finType) (A : H -> I -> R) (q : H -> R) (h : H) : R :=
  \sum_k `|gram (adj A) h k| * q k / q h.
Definition residual_dense (I H : finType) (A : H -> I -> R) (T : H -> R) (b : {ffun H -> R}) s (x : {ffun I -> R}) :=
  x - adj A *v ((fun h => 2%:R / T h) *d act s (A *v x + b)).
Theorem residual_dense_lip (I H : finType) (A : H -> I -> R) (T : H -> R) (b : {ffun H -> R}) s :
  slope01 s -> (forall h, 0 <= T h) -> dom (gram (adj A)) T -> lip (residual_dense A T b s).
Proof. by move=> hs hT hA; exact: (residual_rescaled_lip b hs hT hA). Qed.
Theorem residual_dense_sll_lip (I H : finType) (A : H -> I -> R) (q : H -> R) (b : {ffun H -> R}) s :
  slope01 s -> (forall h, 0 < q h) -> lip (residual_dense A (sll_rescaling A q) b s).
Proof.
move=> hs hq; apply: residual_dense_lip hs _ (sll_dom (adj A) hq) => h.
by rewrite sumr_ge0 // => k _; rewrite divr_ge0 ?mulr_ge0 ?normr_ge0 ?(ltW (hq _)).
Qed.

(* `residual conv by sll` at the size of the feature map; K(o, c, tap), hidden o *)
Section ResidualConv.
Variables (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).
Definition sll_conv_rescaling (q : O -> R) (o : O) : R :=
  \sum_o' (\sum_(d <- shifts g) `|kernel_hidden_gram K o o' d|) * q o' / q o.
Definition residual_conv (T : O -> R) (b : O -> R) s (x : {ffun C * in_pos g -> R}) : {ffun C * in_pos g -> R} :=
  x - adj (conv2d_matrix K) *v ((fun oq => 2%:R / T oq.1) *d act s (conv2d K x + [ffun oq => b oq.1])).
(* any rescaling: T from the dominance rules *)
Theorem residual_conv_lip (T : O -> R) (b : O -> R) s : slope01 s -> (forall o, 0 <= T o) ->
  dom (gram (adj (conv2d_matrix K))) (fun oq => T oq.1) -> lip (residual_conv T b s).
Proof.
move=> hs hT hK.
apply: eq_lips (residual_rescaled_lip [ffun oq : O * out_pos g => b oq.1] hs (fun oq => hT oq.1) hK) => x.
by rewrite /residual_conv /conv2d convE.
Qed.
(* `conv by ...`, rescaled per input channel, s_c^2 T_c <= 1 *)
Definition linear_conv (r : C -> R) (b : O -> R) (x : {ffun C * in_pos g -> R}) : {ffun O * out_pos g -> R} :=
  conv2d K ((fun cp => r cp.1) *d x) + [ffun oq => b oq.1].
Theorem linear_conv_lip (r T : C -> R) (b : O -> R) : (forall c, r c ^+ 2 * T c <= 1) ->
  dom (gram (conv2d_matrix K)) (fun cp => T cp.1) -> lip (linear_conv r b).
Proof.
move=> hr hK.
apply: eq_lips (linear_scaled_lip [ffun oq : O * out_pos g => b oq.1] (fun cp => hr cp.1) hK) => x.
by rewrite /linear_conv /conv2d convE.
Qed.
Theorem residual_conv_sll_lip (q : O -> R) (b : O -> R) s :
  valid_geometry g -> slope01 s -> (forall o, 0 < q o) -> lip (residual_conv (sll_conv_rescaling q) b s).
Proof. by move=> hg hs hq; exact: (residual_conv2d_sll K [ffun oq => b oq.1] hg hq hs). Qed.
End ResidualConv.
End Layers.
