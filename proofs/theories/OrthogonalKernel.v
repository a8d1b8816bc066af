(* Kernels of norm at most 1 on a lattice (BCOP, AOC): P + (I - P) S for a shift S, matrices, and one after another; with a stride, followed by
   a matrix on blocks of places. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Operators Iterations Lattice.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Kernels.
Variables (R : realFieldType) (L : zmodType).

(* ---- P + (I - P) S for a shift S and symmetric 0 <= P <= I: the difference of the squared norms is a square in P (I - P). *)
Section Mixing.
Variables (C : finType) (P : C -> C -> R) (a : L).
Definition mixing_off (t : bool) : L := if t then a else 0.
Definition mixing (c c' : C) (t : bool) : R := if t then (c == c')%:R - P c c' else P c c'.
Hypotheses (symmetric : forall c c', P c c' = P c' c) (nonnegative : forall v, 0 <= quad P v) (below1 : dom P (fun=> 1)).

Let adjP v : adj P *v v = P *v v.
Proof. by apply: eq_mulv => c c'; rewrite /adj symmetric. Qed.
Let rest : C -> C -> R := fun c c' => (c == c')%:R - P c c'.
Let restE v : rest *v v = v - P *v v.
Proof.
apply/ffunP => c; rewrite !ffunE; under eq_bigr => c' _ do rewrite mulrBl; rewrite sumrB; congr (_ - _).
rewrite (bigD1 c) //= eqxx mul1r big1 ?addr0 // => c' cc; by rewrite eq_sym (negbTE cc) mul0r.
Qed.
Let quad_rest v : quad rest v = sqn v - quad P v.
Proof. by rewrite !quad_dot restE dotDr dotNr. Qed.
Lemma square_below v : sqn (P *v v) <= quad P v.
Proof.
have h0 := nonnegative (v - P *v v); rewrite quad_dot mulvB !dotDr !dotDl !dotNr !dotNl opprK in h0.
have h1 := below1 (P *v v); rewrite sum_const mul1r quad_dot in h1.
have e1 : dot v (P *v (P *v v)) = sqn (P *v v) by rewrite dot_mulv adjP.
rewrite e1 -/(sqn _) -quad_dot in h0.
rewrite -subr_ge0; apply: le_trans h0 _.
rewrite -[X in _ <= X]addr0 -!addrA; do 2!apply: ler_add => //.
by rewrite addrC subr_le0.
Qed.
Lemma mixed_below u v : sqn (P *v u + rest *v v) <= quad P u + quad rest v.
Proof.
have := square_below (u - v); rewrite quad_rest restE mulvB.
have -> : P *v u + (v - P *v v) = v + (P *v u - P *v v) by rewrite addrCA.
move: (P *v u - P *v v) (mulvB P u v) => z e h; rewrite sqnD; apply: le_trans (ler_add (lexx _) h) _.
rewrite -[z]e !quad_dot mulvB !dotDr !dotDl !dotNr !dotNl [dot u (P *v v)]dot_mulv adjP (dotC (P *v u)).
by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
Qed.

Theorem mixing_bounded : bounded_on predT mixing_off mixing (fun=> 1).
Proof.
move=> P' Q pin pout ii io _; apply/dom_gram => x; rewrite sum_const mul1r.
pose column p : {ffun C -> R} := [ffun c => x (c, p)].
pose reads l : {ffun C -> R} := [ffun c => \sum_(p | pin p == l) x (c, p)].
have sum_reads (g : Q -> L) (F : {ffun C -> R} -> R) : injective g -> F 0 = 0 -> (forall v, 0 <= F v) ->
    \sum_q F (reads (g q)) <= \sum_p F (column p).
  move=> gi F0 Fp; apply: le_trans (_ : \sum_q \sum_(p | pin p == g q) F (column p) <= _).
    apply: ler_sum => q _; have [p /eqP e|none] := pickP (fun p => pin p == g q).
      rewrite -e sum_injective // le_eqVlt; apply/orP; left; apply/eqP; congr F.
      by apply/ffunP => c; rewrite !ffunE sum_injective.
    rewrite big_pred0 // -[X in _ <= X]F0 le_eqVlt; apply/orP; left; apply/eqP; congr F.
    by apply/ffunP => c; rewrite !ffunE big_pred0.
  rewrite (exchange_big_dep predT) //=; apply: ler_sum => p _; have [q /eqP e|none] := pickP (fun q => pin p == g q).
    by rewrite e; under eq_bigl => k do rewrite eq_sym; rewrite sum_injective.
  by rewrite big_pred0.
have e q : [ffun c => (conv_matrix pin pout mixing_off mixing *v x) (c, q)] = P *v reads (pout q) + rest *v reads (pout q + a).
  apply/ffunP => c; rewrite -convE !ffunE /= -big_split; apply: eq_bigr => c' _.
  by rewrite big_bool /= !ffunE addr0 addrC.
rewrite sqnE sum_pair exchange_big /=; under eq_bigr => q _.
  have -> : \sum_c (conv_matrix pin pout mixing_off mixing *v x) (c, q) ^+ 2
    = sqn (P *v reads (pout q) + rest *v reads (pout q + a)) by rewrite -e sqnE; apply: eq_bigr => c _; rewrite ffunE.
  over.
apply: le_trans (ler_sum _ (fun q _ => mixed_below _ _)) _; rewrite big_split /=.
have z0 (S : C -> C -> R) : quad S 0 = 0 by rewrite /quad big1 // => i _; rewrite big1 // => j _; rewrite !ffunE mul0r mulr0.
have rest0 v : 0 <= quad rest v by rewrite quad_rest subr_ge0; apply: le_trans (below1 v) _; rewrite sum_const mul1r.
apply: le_trans (ler_add (sum_reads _ (quad P) io (z0 _) nonnegative) (sum_reads (fun q => pout q + a) (quad rest) _ (z0 _) rest0)) _.
  by move=> q q' /addIr /io.
rewrite -big_split sqnE sum_pair exchange_big /= le_eqVlt; apply/orP; left; apply/eqP; apply: eq_bigr => p _.
by rewrite quad_rest addrCA subrr addr0 sqnE; apply: eq_bigr => c _; rewrite ffunE.
Qed.
End Mixing.

(* ---- All kernels that are made of such ones. *)
Inductive orthogonal_kernel : forall O C S : finType, (S -> L) -> (O -> C -> S -> R) -> Prop :=
| kernel_matrix (O C : finType) (M : O -> C -> R) : dom (gram M) (fun=> 1) ->
    orthogonal_kernel (fun _ : unit => 0) (fun o c _ => M o c)
| kernel_mixing (C : finType) (P : C -> C -> R) (a : L) : (forall c c', P c c' = P c' c) -> (forall v, 0 <= quad P v) ->
    dom P (fun=> 1) -> orthogonal_kernel (mixing_off a) (mixing P)
| kernel_after (O M C S2 S1 : finType) (off2 : S2 -> L) (off1 : S1 -> L) (K2 : O -> M -> S2 -> R) (K1 : M -> C -> S1 -> R) :
    orthogonal_kernel off2 K2 -> orthogonal_kernel off1 K1 -> orthogonal_kernel (after_off off2 off1) (after K2 K1)
| kernel_part (O O' C C' S : finType) (off : S -> L) (K : O -> C -> S -> R) (f : O' -> O) (g : C' -> C) :
    injective f -> injective g -> orthogonal_kernel off K -> orthogonal_kernel off (fun o c s => K (f o) (g c) s)
| kernel_same (O C S S' : finType) (off : S -> L) (off' : S' -> L) (K : O -> C -> S -> R) (K' : O -> C -> S' -> R) :
    (forall o c l, at_place off K o c l = at_place off' K' o c l) -> orthogonal_kernel off K -> orthogonal_kernel off' K'.

Lemma matrix_bounded (O C : finType) (M : O -> C -> R) (lam : R) : 0 <= lam -> dom (gram M) (fun=> lam) ->
  bounded_on predT (fun _ : unit => 0 : L) (fun o c _ => M o c) (fun=> lam).
Proof.
move=> l0 h P Q pin pout ii io _; rewrite -[lam]mul1r -[1]/(1%:R).
apply: (@conv_reshaped _ _ _ _ _ _ _ pin pout (fun _ : unit => 0) (fun o c _ => M o c) lam 1 ii l0).
  apply/dom_gram => x; move/dom_gram: h => /(_ [ffun c => x (c, tt)]); rewrite !sum_const => h.
  have e : sqn x = sqn [ffun c => x (c, tt)].
    by rewrite !sqnE sum_pair; apply: eq_bigr => c _; rewrite (big_pred1 tt) ?ffunE // => -[].
  rewrite e; apply: le_trans h; rewrite le_eqVlt; apply/orP; left; apply/eqP; congr sqn.
  apply/ffunP => o; rewrite !ffunE sum_pair; apply: eq_bigr => c _.
  by rewrite (big_pred1 tt) ?ffunE // => -[].
move=> p; apply/card_le1P => -[q []]; rewrite inE => /eqP e [q' []]; rewrite !inE.
by apply/eqP/eqP => [e'|[->]//]; congr (_, _); apply: io; apply: (addIr 0); rewrite -e -e'.
Qed.
Lemma part_bounded (here : pred L) (O O' C C' S : finType) (off : S -> L) (K : O -> C -> S -> R) (f : O' -> O) (g : C' -> C) (lam : R) :
  injective f -> injective g -> bounded_on here off K (fun=> lam) ->
  bounded_on here off (fun o c s => K (f o) (g c) s) (fun=> lam).
Proof.
move=> fi gi h P Q pin pout ii io hq; pose F (oq : O' * Q) := (f oq.1, oq.2); pose G (cp : C' * P) := (g cp.1, cp.2).
have Fi : injective F by move=> [o q] [o' q'] [] /fi -> ->.
have Gi : injective G by move=> [c p] [c' p'] [] /gi -> ->.
have := h P Q pin pout ii io hq => /(dom_columns Gi) h1.
exact: (@dom_rows _ _ _ _ (fun j i => conv_matrix pin pout off K j (G i)) F _ Fi h1).
Qed.
Theorem orthogonal_kernel_bounded (O C S : finType) (off : S -> L) (K : O -> C -> S -> R) :
  orthogonal_kernel off K -> bounded_on predT off K (fun=> 1).
Proof.
elim=> {O C S off K} [O C M h|C P a sym pos h|O M C S2 S1 off2 off1 K2 K1 _ h2 _ h1|O O' C C' S off K f g fi gi _ h|].
- exact: matrix_bounded ler01 h.
- exact: mixing_bounded.
- by have := after_bounded ler01 h2 h1; rewrite mul1r.
- exact: part_bounded.
- by move=> O C S S' off off' K K' e _; exact: bounded_same.
Qed.

(* ---- With a stride: a kernel on blocks of places that no two outputs share. *)
Theorem strided_bounded (here : pred L) (O M C S2 S1 : finType) (off2 : S2 -> L) (off1 : S1 -> L) (K2 : O -> M -> S2 -> R) (K1 : M -> C -> S1 -> R) :
  (forall l l' s s', here l -> here l' -> l + off2 s = l' + off2 s' -> s = s') ->
  dom (gram (reshaped K2)) (fun=> 1) -> orthogonal_kernel off1 K1 ->
  bounded_on here (after_off off2 off1) (after K2 K1) (fun=> 1).
Proof.
move=> disjoint h2 /orthogonal_kernel_bounded h1; have := @after_bounded _ _ _ _ _ _ _ _ _ _ _ here 1 1 ler01 _ h1.
rewrite mul1r; apply=> P Q pin pout ii io hq; have := @conv_reshaped _ _ _ _ _ _ _ pin pout off2 K2 1 1 ii ler01 h2.
rewrite mulr1 -[1%:R]/1; apply=> p; apply/card_le1P => -[q s]; rewrite inE => /eqP e [q' s']; rewrite !inE.
apply/eqP/eqP => [e'|[-> ->]//]; move: (e) e' => -> /= e'.
have es := disjoint _ _ _ _ (hq q) (hq q') e'; rewrite es in e' *; congr (_, _); exact/esym/io/(addIr _ e').
Qed.
End Kernels.

(* ---- Where P comes from: B of norm at most 1, as Bjorck's steps make it, gives 0 <= P = B B^T <= I; and I - 2 P is a matrix of norm at most 1. *)
Section Factors.
Variables (R : realFieldType) (L : zmodType) (C D : finType) (B : C -> D -> R).
Hypothesis short : dom (gram B) (fun=> 1).
Definition factor : C -> C -> R := gram (adj B).
Lemma factor_sym c c' : factor c c' = factor c' c.
Proof. exact: gramC. Qed.
Lemma factor_ge0 v : 0 <= quad factor v.
Proof. by rewrite quad_gram sqn_ge0. Qed.
Lemma factor_below1 : dom factor (fun=> 1).
Proof. exact: (@gram_adj _ _ _ 1 (adj B) ler01). Qed.
Theorem factor_mixing (a : L) : orthogonal_kernel (mixing_off a) (mixing factor).
Proof. apply: kernel_mixing; [exact: factor_sym | exact: factor_ge0 | exact: factor_below1]. Qed.
Definition reflected (c c' : C) : R := (c == c')%:R - 2%:R * factor c c'.
Theorem reflected_dom : dom (gram reflected) (fun=> 1).
Proof.
apply/dom_gram => v; rewrite sum_const mul1r.
have -> : reflected *v v = v - 2%:R *c (factor *v v).
  apply/ffunP => c; rewrite !ffunE mulr_sumr -sumrN; under eq_bigr => c' _ do rewrite mulrBl.
  rewrite big_split /= sumrN; congr (_ + _); last by rewrite -sumrN; apply: eq_bigr => c' _; rewrite mulrA.
  by rewrite (bigD1 c) //= eqxx mul1r big1 ?addr0 // => c' cc; rewrite eq_sym (negbTE cc) mul0r.
have := square_below factor_sym factor_ge0 factor_below1 v.
rewrite sqnB sqnZ dotZr -quad_dot => h; rewrite -subr_ge0.
have -> : sqn v - (sqn v - 2%:R * (2%:R * quad factor v) + 2%:R ^+ 2 * sqn (factor *v v))
  = 4%:R * (quad factor v - sqn (factor *v v)) by ring.
by rewrite mulr_ge0 ?ler0n // subr_ge0.
Qed.
End Factors.
