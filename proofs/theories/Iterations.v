(* Contractions by iteration: Bjorck steps, and coupled Newton-Schulz steps, which are the same. *)
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
End Iterations.
