(* One hidden layer: rescaled linear layers, residual layers, the general quadratic rule. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Residual.
Variable R : realFieldType.
Implicit Types I J : finType.

(* ---- Rule "residual" (convex potential, AOL, SLL): W^T W <= diag T, 0 <= t, t_i T_i <= 2:
        x |-> x - W (t . sigma(W^T x + b)) is 1-Lipschitz. t is a witness; rounding it down is always safe. *)
Theorem residual_lip I J (W : I -> J -> R) (b : {ffun J -> R}) (t T : J -> R) s :
  slope01 s -> (forall j, 0 <= t j) -> (forall j, t j * T j <= 2%:R) -> dom (gram W) T ->
  lip (fun x => x - W *v (t *d act s (adj W *v x + b))).
Proof.
move=> hs ht htT /dom_gram hW x y; rewrite mul1r.
set u := adj W *v x + b; set v := adj W *v y + b; set w := act s u - act s v.
have -> : x - W *v (t *d act s u) - (y - W *v (t *d act s v)) = (x - y) - W *v (t *d w).
  by rewrite /w scalevB mulvB !opprB addrACA [RHS]addrACA [- _ - y]addrC.
have uv : u - v = adj W *v (x - y) by rewrite /u /v opprD addrACA subrr addr0 mulvB.
rewrite (sqnB (x - y)) dot_mulv -uv.
have h1 : sqn (W *v (t *d w)) <= 2%:R * \sum_i t i * w i ^+ 2.
  apply: le_trans (hW _) _; rewrite mulr_sumr; apply: ler_sum => i _; rewrite ffunE.
  have -> : T i * (t i * w i) ^+ 2 = (t i * T i) * (t i * w i ^+ 2) by ring.
  by apply: ler_wpmul2r => //; rewrite mulr_ge0 // sqr_ge0.
have h2 : \sum_i t i * w i ^+ 2 <= dot (u - v) (t *d w).
  apply: le_trans (act_sector u v hs ht) _; rewrite -/w.
  by apply: ler_sum => i _; rewrite [(_ *d _) i]ffunE [(u - v) i * _]mulrC mulrA.
rewrite -addrA ger_addl addrC subr_le0.
by apply: le_trans h1 _; rewrite ler_pmul2l ?ltr0n.
Qed.

(* The layer of Araujo et al. as written: t = 2 / T. A zero T_j (a zero column of W) is harmless: 0^-1 = 0. *)
Corollary residual_rescaled_lip I J (W : I -> J -> R) (b : {ffun J -> R}) (T : J -> R) s :
  slope01 s -> (forall j, 0 <= T j) -> dom (gram W) T ->
  lip (fun x => x - W *v ((fun j => 2%:R / T j) *d act s (adj W *v x + b))).
Proof.
move=> hs hT hW; apply: (residual_lip _ hs _ _ hW) => j; first by rewrite divr_ge0 ?ler0n.
have [->|h] := eqVneq (T j) 0; first by rewrite mulr0 ler0n.
by rewrite divfK.
Qed.

(* ---- Rule "linear", side "in": W^T W <= diag T, s_i^2 T_i <= 1: x |-> W (s . x) + b is 1-Lipschitz. *)
Theorem linear_scaled_lip I J (W : J -> I -> R) (b : {ffun J -> R}) (s T : I -> R) :
  (forall i, s i ^+ 2 * T i <= 1) -> dom (gram W) T -> lip (fun x => W *v (s *d x) + b).
Proof.
move=> hs /dom_gram hW x y; rewrite opprD addrACA subrr addr0 -mulvB -scalevB.
apply: le_trans (hW _) _; rewrite mul1r sqnE; apply: ler_sum => i _; rewrite !ffunE exprMn mulrA.
by rewrite [T i * _]mulrC -[X in _ <= X]mul1r ler_wpmul2r ?sqr_ge0.
Qed.
(* Side "out": W W^T <= diag T, s_j^2 T_j <= 1: x |-> s . (W x) + b is 1-Lipschitz. *)
Theorem linear_scaled_out_lip I J (W : J -> I -> R) (b : {ffun J -> R}) (s T : J -> R) :
  (forall j, s j ^+ 2 * T j <= 1) -> dom (gram (adj W)) T -> lip (fun x => s *d (W *v x) + b).
Proof.
move=> hs /dom_gram hW x y; rewrite opprD addrACA subrr addr0 -scalevB -mulvB mul1r.
set d := x - y; set z := s *d (s *d (W *v d)); set a := adj W *v z.
have e : sqn (s *d (W *v d)) = dot a d.
  rewrite /a -dot_mulv /sqn /dot; apply: eq_bigr => j _; rewrite /z /scalev !ffunE; ring.
have ha : sqn a <= sqn (s *d (W *v d)).
  apply: le_trans (hW z) _; rewrite sqnE; apply: ler_sum => j _; rewrite /z [(_ *d _) j]ffunE exprMn mulrA.
  by rewrite [T j * _]mulrC -[X in _ <= X]mul1r ler_wpmul2r ?sqr_ge0.
have := dot_amgm a d; rewrite -e mulr_natl mulr2n => h.
by rewrite -(ler_add2l (sqn (s *d (W *v d)))); apply: le_trans h _; rewrite ler_add2r.
Qed.

(* ---- General one-hidden-layer rule: y = sigma(W x + b), P bounds the input, Q the output, if the block form is >= 0. *)
Theorem sigma_layer_qlip I J (W : J -> I -> R) (b : {ffun J -> R}) (P : I -> I -> R) (Q : J -> J -> R) (lam : J -> R) s :
  slope01 s -> (forall j, 0 <= lam j) ->
  (forall (d : {ffun I -> R}) (w : {ffun J -> R}),
     0 <= quad P d - 2%:R * (\sum_j lam j * (w j * (W *v d) j)) + 2%:R * (\sum_j lam j * w j ^+ 2) - quad Q w) ->
  qlip P Q (fun x => act s (W *v x + b)).
Proof.
move=> hs hl h x y.
have := act_sector (W *v x + b) (W *v y + b) hs hl; set w := act s _ - act s _.
have -> : W *v x + b - (W *v y + b) = W *v (x - y) by rewrite opprD addrACA subrr addr0 mulvB.
move=> hsec; have := h (x - y) w; set q := quad Q w; set p := quad P _.
set s1 := (\sum_j _) in hsec *; set s2 := (\sum_j _) in hsec *.
move=> h0; rewrite -subr_ge0; apply: le_trans h0 _.
by rewrite ler_add2r -addrA ger_addl addrC subr_le0 ler_pmul2l ?ltr0n.
Qed.

(* ---- Householder activation: z - 2 v relu(<v, z> + b), |v|^2 <= 1, is the residual layer with one hidden unit. *)
Corollary householder_act_lip I (v : {ffun I -> R}) (b : R) s : slope01 s -> sqn v <= 1 ->
  lip (fun z => z - [ffun i => v i * (2%:R * s (dot v z + b))]).
Proof.
move=> hs hv; pose W (i : I) (_ : 'I_1) := v i.
apply: (@eq_lips _ _ _ _ (fun z => z - W *v ((fun=> 2%:R) *d act s (adj W *v z + [ffun=> b])))).
  by move=> z; congr (z - _); apply/ffunP => i; rewrite !ffunE big_ord1 !ffunE.
apply: (@residual_lip _ _ _ _ _ (fun=> 1)) => // [j|j|]; first by rewrite ler0n.
  by rewrite mulr1.
apply/dom_gram => z; rewrite sum_const mul1r !sqnE big_ord1 /mulv.
under eq_bigr => i _ do rewrite ffunE big_ord1 exprMn.
by rewrite -mulr_suml -sqnE -[X in _ <= X]mul1r ler_wpmul2r ?sqr_ge0.
Qed.
End Residual.
