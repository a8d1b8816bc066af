(* Sandwich layers (Wang & Manchester, ICML 2023), in inequality form. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Sandwich.
Variable R : realFieldType.
Implicit Types I J H : finType.

(* ---- A A^T + B B^T <= I, psi > 0, 0 <= c, c^2 <= 2 (so the square root of 2 rounded down is fine):
        x |-> c A^T Psi sigma(c Psi^-1 B x + b) is 1-Lipschitz. A: hidden x out, B: hidden x in. *)
Theorem sandwich_lip I J H (A : H -> J -> R) (B : H -> I -> R) (b : {ffun H -> R}) (psi : H -> R) (c : R) s :
  slope01 s -> (forall h, 0 < psi h) -> 0 <= c -> c ^+ 2 <= 2%:R ->
  dom (fun h k => gram (adj A) h k + gram (adj B) h k) (fun=> 1) ->
  lip (fun x => c *c (adj A *v (psi *d act s (c *c ((fun h => (psi h)^-1) *d (B *v x)) + b)))).
Proof.
move=> hs hp c0 c2 hAB x y; rewrite mul1r.
set u := c *c _ + b; set v := c *c _ + b; set w := act s u - act s v.
pose z := psi *d w; pose d := x - y; pose a := adj B *v z.
have zE h : z h = psi h * w h by rewrite /z ffunE.
have -> : c *c (adj A *v (psi *d act s u)) - c *c (adj A *v (psi *d act s v)) = c *c (adj A *v z).
  by rewrite -scalevB -mulvB -scalevB.
have uv h : (u - v) h = c * ((psi h)^-1 * (B *v d) h).
  have -> : u - v = c *c ((fun h => (psi h)^-1) *d (B *v d)).
    by rewrite /u /v opprD addrACA subrr addr0 -scalevB -scalevB -mulvB.
  by rewrite [LHS]ffunE [(_ *d _) h]ffunE.
(* the sector inequality with multiplier psi^2: |z|^2 <= c <a, d> *)
have hsec : sqn z <= c * dot a d.
  have hp2 h : 0 <= psi h ^+ 2 by exact: sqr_ge0.
  have := act_sector u v hs hp2; rewrite -/w.
  have -> : \sum_h psi h ^+ 2 * w h ^+ 2 = sqn z.
    by rewrite sqnE; apply: eq_bigr => h _; rewrite zE; ring.
  have -> // : \sum_h psi h ^+ 2 * (w h * (u - v) h) = c * dot a d.
  have -> : dot a d = dot z (B *v d) by rewrite dot_mulv.
  rewrite /dot mulr_sumr; apply: eq_bigr => h _; rewrite uv zE.
  by move: ((B *v d) h) => e; field; rewrite gt_eqF.
have hAz : sqn (adj A *v z) <= sqn z - sqn a.
  by have := hAB z; rewrite quadD !quad_gram sum_const mul1r ler_subr_addr.
rewrite sqnZ.
have c20 : 0 <= c ^+ 2 by exact: sqr_ge0.
apply: le_trans (ler_wpmul2l c20 hAz) _.
apply: le_trans (ler_wpmul2l c20 (ler_sub hsec (lexx (sqn a)))) _.
rewrite -/d -subr_ge0.
have -> : sqn d - c ^+ 2 * (c * dot a d - sqn a)
   = sqn (d - (c ^+ 3 / 2%:R) *c a) + c ^+ 2 * (1 - (c ^+ 2 / 2%:R) ^+ 2) * sqn a.
  rewrite (sqnB d) dotZr sqnZ (dotC d a).
  by move: (sqn a) (sqn d) (dot a d) => ea ed ead; field.
apply: addr_ge0; first exact: sqn_ge0.
apply: mulr_ge0; last exact: sqn_ge0.
apply: mulr_ge0 => //; rewrite subr_ge0 expr_le1 //.
  by rewrite ler_pdivr_mulr ?mul1r ?ltr0n.
by rewrite divr_ge0 // ler0n.
Qed.

(* ---- The same with two diagonals d, e > 0, d_h e_h <= 2 (d = root 2 Psi, e = root 2 Psi^-1): x |-> A^T (d . sigma(e . B x + b)). *)
Theorem sandwich_scaled_lip I J H (A : H -> J -> R) (B : H -> I -> R) (b : {ffun H -> R}) (d e : H -> R) s :
  slope01 s -> (forall h, 0 < d h) -> (forall h, 0 < e h) -> (forall h, d h * e h <= 2%:R) ->
  dom (fun h k => gram (adj A) h k + gram (adj B) h k) (fun=> 1) ->
  lip (fun x => adj A *v (d *d act s (e *d (B *v x) + b))).
Proof.
move=> hs hd he hde hAB x y; rewrite mul1r.
set u := e *d _ + b; set v := e *d _ + b; set w := act s u - act s v.
pose z := d *d w; pose del := x - y; pose a := adj B *v z.
have zE h : z h = d h * w h by rewrite /z ffunE.
have -> : adj A *v (d *d act s u) - adj A *v (d *d act s v) = adj A *v z by rewrite -mulvB -scalevB.
have uv h : (u - v) h = e h * (B *v del) h.
  have -> : u - v = e *d (B *v del) by rewrite /u /v opprD addrACA subrr addr0 -scalevB -mulvB.
  by rewrite [LHS]ffunE.
(* the sector inequality with multiplier 2 d / e: |z|^2 <= 2 <a, del> *)
have hm h : 0 <= 2%:R * d h / e h by rewrite divr_ge0 ?mulr_ge0 ?ler0n ?ltW.
have hsec : sqn z <= 2%:R * dot a del.
  have := act_sector u v hs hm; rewrite -/w => h0.
  have -> : 2%:R * dot a del = \sum_h 2%:R * d h / e h * (w h * (u - v) h).
    have -> : dot a del = dot z (B *v del) by rewrite dot_mulv.
    rewrite /dot mulr_sumr; apply: eq_bigr => h _; rewrite uv zE.
    by move: ((B *v del) h) => g; field; rewrite gt_eqF.
  apply: le_trans h0; rewrite sqnE; apply: ler_sum => h _; rewrite zE exprMn ler_wpmul2r ?sqr_ge0 //.
  rewrite ler_pdivl_mulr //; have -> : d h ^+ 2 * e h = d h * (d h * e h) by ring.
  by rewrite [X in _ <= X]mulrC ler_pmul2l.
have hAz : sqn (adj A *v z) <= sqn z - sqn a.
  by have := hAB z; rewrite quadD !quad_gram sum_const mul1r ler_subr_addr.
apply: le_trans hAz _; apply: le_trans (ler_sub hsec (lexx _)) _.
have := sqn_ge0 (del - a); rewrite (sqnB del) (dotC del) -/del => h.
rewrite -subr_ge0; apply: le_trans h _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by move: (sqn a) (sqn del) (dot a del) => ea ed ead; ring.
Qed.
End Sandwich.
