(* The head z_i = <w_i, f(x)> + b_i and certified radii, without roots: compare squares. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Head.
Variable R : realFieldType.
Implicit Types I J C : finType.

Definition logit J (w : {ffun J -> R}) (b : R) (z : {ffun J -> R}) : R := dot w z + b.
Definition pair_margin I J (f : {ffun I -> R} -> {ffun J -> R}) (w w' : {ffun J -> R}) (b b' : R) x : R :=
  logit w b (f x) - logit w' b' (f x).

(* ---- The difference of two logits is |w - w'| c-Lipschitz, whatever the norms of the rows. *)
Lemma head_pair_lips I J c (f : {ffun I -> R} -> {ffun J -> R}) w w' b b' x x' : lips c f ->
  (pair_margin f w w' b b' x - pair_margin f w w' b b' x') ^+ 2 <= c * sqn (w - w') * sqn (x - x').
Proof.
move=> hf; have -> : pair_margin f w w' b b' x - pair_margin f w w' b b' x' = dot (w - w') (f x - f x').
  by rewrite /pair_margin /logit dotDl !dotDr !dotNl !dotNr; ring.
apply: le_trans (cauchy_schwarz _ _) _; rewrite mulrAC mulrC.
by apply: ler_wpmul2l; [exact: sqn_ge0 | exact: hf].
Qed.

(* ---- The certified radius of a pair: m > 0, m^2 > c r^2 |w - w'|^2 (c = squared constant): no change within r. *)
Theorem head_pair_radius I J c (f : {ffun I -> R} -> {ffun J -> R}) w w' b b' (r2 : R) x x' : 0 <= c ->
  lips c f -> 0 < pair_margin f w w' b b' x ->
  c * r2 * sqn (w - w') < pair_margin f w w' b b' x ^+ 2 -> sqn (x - x') <= r2 ->
  0 < pair_margin f w w' b b' x'.
Proof.
move=> c0 hf m0 hm hx; rewrite ltNge; apply/negP => m1.
have := head_pair_lips w w' b b' x x' hf; set m := pair_margin _ _ _ _ _ x in m0 hm *.
set m' := pair_margin _ _ _ _ _ x' in m1 *; apply/negP; rewrite -ltNge.
apply: le_lt_trans (_ : c * r2 * sqn (w - w') < _).
  rewrite mulrAC; apply: ler_wpmul2r; rewrite ?sqn_ge0 //; exact: ler_wpmul2l.
apply: lt_le_trans hm _; rewrite ler_expn2r ?nnegrE ?(ltW m0) ?subr_ge0 //.
  exact: le_trans m1 (ltW m0).
by rewrite ler_addl oppr_ge0.
Qed.

(* ---- The certificate of an input: every other class keeps losing against y, strictly, in the whole ball. *)
Definition predicts I J C (f : {ffun I -> R} -> {ffun J -> R}) (w : C -> {ffun J -> R}) (b : C -> R) x (y : C) : Prop :=
  forall j, j != y -> logit (w j) (b j) (f x) < logit (w y) (b y) (f x).
Theorem head_radius I J C c (f : {ffun I -> R} -> {ffun J -> R}) (w : C -> {ffun J -> R}) (b : C -> R) (y : C) (r2 : R) x :
  0 <= c -> lips c f ->
  (forall j, j != y -> 0 < pair_margin f (w y) (w j) (b y) (b j) x /\
     c * r2 * sqn (w y - w j) < pair_margin f (w y) (w j) (b y) (b j) x ^+ 2) ->
  forall x', sqn (x - x') <= r2 -> predicts f w b x' y.
Proof.
move=> c0 hf h x' hx j jy; have [h1 h2] := h j jy.
by rewrite -subr_gt0; exact: (head_pair_radius c0 hf h1 h2 hx).
Qed.

(* ---- When only the map to the logits is known to be c-Lipschitz, the factor is 2 (root 2 unsquared). *)
Theorem vector_radius I C c (z : {ffun I -> R} -> {ffun C -> R}) (y : C) (r2 : R) x : 0 <= c -> lips c z ->
  (forall j, j != y -> 0 < z x y - z x j /\ 2%:R * c * r2 < (z x y - z x j) ^+ 2) ->
  forall x', sqn (x - x') <= r2 -> forall j, j != y -> z x' j < z x' y.
Proof.
move=> c0 hz h x' hx j jy; have [h1 h2] := h j jy.
pose e k : {ffun C -> R} := [ffun i => (i == k)%:R].
have zE k u : logit (e k) 0 (z u) = z u k.
  rewrite /logit addr0 /dot (bigD1 k) //= ffunE eqxx mul1r big1 ?addr0 // => i ik.
  by rewrite ffunE (negbTE ik) mul0r.
have mE u : pair_margin z (e y) (e j) 0 0 u = z u y - z u j by rewrite /pair_margin !zE.
have s2 : sqn (e y - e j) = 2%:R.
  rewrite sqnE (bigD1 y) //= (bigD1 j) //= big1 => [|i /andP [iy ij]].
    by rewrite !ffunE !eqxx (negbTE jy) eq_sym (negbTE jy) subr0 sub0r sqrrN expr1n addr0.
  by rewrite !ffunE (negbTE iy) (negbTE ij) subrr expr0n.
rewrite -subr_gt0 -mE; apply: (head_pair_radius c0 hz _ _ hx); rewrite mE //.
by rewrite s2 mulrC mulrA.
Qed.
End Head.
