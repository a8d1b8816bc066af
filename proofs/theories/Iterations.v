(* Contractions by iteration: Bjorck steps and truncated skew exponentials. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Iterations.
Variable R : realFieldType.
Implicit Types I J : finType.

(* ---- Bjorck: W <- 3/2 W - 1/2 W W^T W. |p| <= 1 on [0, 2], so W^T W <= 4 suffices, and every later step keeps 1. *)
Definition bjorck I J (W : J -> I -> R) : J -> I -> R :=
  fun j i => 3%:R / 2%:R * W j i - 2%:R^-1 * \sum_k W j k * gram W k i.
Lemma bjorckE I J (W : J -> I -> R) x :
  bjorck W *v x = (3%:R / 2%:R) *c (W *v x) - 2%:R^-1 *c (W *v (adj W *v (W *v x))).
Proof.
have e k : (adj W *v (W *v x)) k = \sum_i gram W k i * x i.
  rewrite ffunE; under eq_bigr => j _ do rewrite ffunE mulr_sumr.
  rewrite exchange_big /=; apply: eq_bigr => i _; rewrite /gram mulr_suml.
  by apply: eq_bigr => j _; rewrite /adj mulrA.
apply/ffunP => j; rewrite !ffunE /bjorck.
under eq_bigr => i _ do rewrite mulrBl; rewrite sumrB !mulr_sumr; congr (_ - _).
  by apply: eq_bigr => i _; rewrite mulrA.
under [RHS]eq_bigr => k _ do rewrite e 2!mulr_sumr.
rewrite [RHS]exchange_big /=; apply: eq_bigr => i _; rewrite -mulrA mulr_suml mulr_sumr.
by apply: eq_bigr => k _; rewrite !mulrA.
Qed.
Theorem bjorck_dom I J (W : J -> I -> R) : dom (gram W) (fun=> 4%:R) -> dom (gram (bjorck W)) (fun=> 1).
Proof.
move=> /dom_gram h; apply/dom_gram => x; rewrite sum_const mul1r bjorckE.
set u := W *v x; set g := adj W *v u; set w := W *v g.
have h1 := h (x - g); rewrite sum_const mulvB -/u -/w in h1.
have xg : dot x g = sqn u by rewrite dotC /g -dot_mulv.
have uw : dot u w = sqn g by rewrite /w dot_mulv.
have -> : sqn ((3%:R / 2%:R) *c u - 2%:R^-1 *c w) = (9%:R * sqn u - 6%:R * sqn g + sqn w) / 4%:R.
  by rewrite sqnB !sqnZ dotZl dotZr uw; field.
rewrite !sqnB xg uw in h1; rewrite -subr_ge0.
have -> : sqn x - (9%:R * sqn u - 6%:R * sqn g + sqn w) / 4%:R
  = (4%:R * (sqn x - 2%:R * sqn u + sqn g) - (sqn u - 2%:R * sqn g + sqn w)) / 4%:R by field.
by rewrite divr_ge0 ?ler0n // subr_ge0.
Qed.
Theorem bjorck_iter_dom I J (W : J -> I -> R) n : dom (gram W) (fun=> 4%:R) ->
  dom (gram (iter n.+1 (@bjorck I J) W)) (fun=> 1).
Proof.
move=> h; elim: n => [|n ih]; first exact: bjorck_dom.
by apply: bjorck_dom; apply: dom_mono ih => _; rewrite ler1n.
Qed.

(* ---- Truncated skew exponentials: contractions for degree 3 on |A|^2 <= 3 and degree 4 on |A|^2 <= 8. *)
Section SkewExponential.
Variables (I : finType) (A : I -> I -> R).
Hypothesis skew : forall i j, A j i = - A i j.

Lemma skew_dot u v : dot u (A *v v) = - dot (A *v u) v.
Proof.
rewrite dot_mulv -dotNl; congr dot; apply/ffunP => i; rewrite !ffunE -sumrN.
by apply: eq_bigr => j _; rewrite /adj skew mulNr.
Qed.
Lemma skew_dot0 u : dot u (A *v u) = 0.
Proof.
have h := skew_dot u u; rewrite (dotC (A *v u)) in h.
by apply/eqP; move/eqP: h; rewrite -addr_eq0 -mulr2n mulrn_eq0.
Qed.

Definition exp3 (x : {ffun I -> R}) : {ffun I -> R} :=
  x + A *v x + 2%:R^-1 *c (A *v (A *v x)) + 6%:R^-1 *c (A *v (A *v (A *v x))).
Definition exp4 (x : {ffun I -> R}) : {ffun I -> R} := exp3 x + 24%:R^-1 *c (A *v (A *v (A *v (A *v x)))).

Lemma sqn_exp3 x : sqn (exp3 x) = sqn x - (sqn (A *v (A *v x)) / 12%:R - sqn (A *v (A *v (A *v x))) / 36%:R).
Proof.
rewrite /exp3; set x1 := A *v x; set x2 := A *v x1; set x3 := A *v x2.
rewrite !sqnD !dotDl !dotZl !dotZr !sqnZ.
have -> : dot x x1 = 0 by exact: skew_dot0.
have -> : dot x1 x2 = 0 by exact: skew_dot0.
have -> : dot x2 x3 = 0 by exact: skew_dot0.
have -> : dot x x2 = - sqn x1 by exact: skew_dot.
have -> : dot x1 x3 = - sqn x2 by exact: skew_dot.
have -> : dot x x3 = 0 by rewrite skew_dot -/x1 skew_dot0 oppr0.
by field.
Qed.
Lemma sqn_exp4 x : sqn (exp4 x) =
  sqn x - (sqn (A *v (A *v (A *v x))) / 72%:R - sqn (A *v (A *v (A *v (A *v x)))) / 576%:R).
Proof.
rewrite /exp4 sqnD sqn_exp3 /exp3; set x1 := A *v x; set x2 := A *v x1; set x3 := A *v x2; set x4 := A *v x3.
rewrite !dotDl !dotZl !dotZr !sqnZ.
have -> : dot x x4 = sqn x2 by rewrite skew_dot -/x1 skew_dot opprK.
have -> : dot x1 x4 = 0 by rewrite skew_dot -/x2 skew_dot0 oppr0.
have -> : dot x2 x4 = - sqn x3 by exact: skew_dot.
have -> : dot x3 x4 = 0 by exact: skew_dot0.
by field.
Qed.

Lemma lin_lip (f : {ffun I -> R} -> {ffun I -> R}) : (forall x y, f x - f y = f (x - y)) ->
  (forall x, sqn (f x) <= sqn x) -> lip f.
Proof. by move=> hl h x y; rewrite hl mul1r. Qed.
Lemma exp3B x y : exp3 x - exp3 y = exp3 (x - y).
Proof.
have subDD (a b c d : {ffun I -> R}) : a + b - (c + d) = a - c + (b - d) by rewrite opprD addrACA.
by rewrite /exp3 !mulvB !scalevB !subDD.
Qed.

Theorem exp3_lip : dom (gram A) (fun=> 3%:R) -> lip exp3.
Proof.
move=> /dom_gram h; apply: lin_lip exp3B _ => x; rewrite sqn_exp3 ger_addl oppr_le0 subr_ge0.
have := h (A *v (A *v x)); rewrite sum_const => hx.
rewrite ler_pdivr_mulr ?ltr0n // mulrAC ler_pdivl_mulr ?ltr0n //.
have -> : sqn (A *v (A *v x)) * 36%:R = 12%:R * (3%:R * sqn (A *v (A *v x))) by ring.
by rewrite mulrC ler_pmul2l ?ltr0n.
Qed.
Theorem exp4_lip : dom (gram A) (fun=> 8%:R) -> lip exp4.
Proof.
move=> /dom_gram h; apply: lin_lip => x => [y|].
  by rewrite /exp4 -exp3B !mulvB !scalevB opprD addrACA.
rewrite sqn_exp4 ger_addl oppr_le0 subr_ge0.
have := h (A *v (A *v (A *v x))); rewrite sum_const => hx.
rewrite ler_pdivr_mulr ?ltr0n // mulrAC ler_pdivl_mulr ?ltr0n //.
have -> : sqn (A *v (A *v (A *v x))) * 576%:R = 72%:R * (8%:R * sqn (A *v (A *v (A *v x)))) by ring.
by rewrite mulrC ler_pmul2l ?ltr0n.
Qed.
End SkewExponential.
End Iterations.
