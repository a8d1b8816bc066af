(* Vectors, operators, quadratic forms and the Lipschitz judgement.

   A vector over a finite index type I is a finite function {ffun I -> R}: features ('I_n), channels and positions
   (C * P), disjoint unions (I + J). An operator from I to J is its coefficient function J -> I -> R; a MathComp
   matrix 'M_(m,n) is one by coercion. Only squared norms occur, so R is any ordered field: no roots, no limits. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Reserved Notation "W *v x" (at level 40, left associativity).
Reserved Notation "t *d x" (at level 40, left associativity).
Reserved Notation "a *c x" (at level 40, left associativity).

Section Definitions.
Variable R : realFieldType.

(* inner product and squared Euclidean norm *)
Definition dot (I : finType) (u v : {ffun I -> R}) : R := \sum_i u i * v i.
Definition sqn (I : finType) (u : {ffun I -> R}) : R := dot u u.

(* operator times vector, diagonal times vector (a *c x: by a constant), adjoint *)
Definition mulv (I J : finType) (W : J -> I -> R) (x : {ffun I -> R}) : {ffun J -> R} :=
  [ffun j => \sum_i W j i * x i].
Definition scalev (I : finType) (t : I -> R) (x : {ffun I -> R}) : {ffun I -> R} := [ffun i => t i * x i].
Definition adj (I J : finType) (W : J -> I -> R) : I -> J -> R := fun i j => W j i.

(* quadratic forms: G = W^T W, and the order "T - S is positive semidefinite", T diagonal *)
Definition quad (I : finType) (S : I -> I -> R) (v : {ffun I -> R}) : R := \sum_i \sum_j S i j * (v i * v j).
Definition gram (I J : finType) (W : J -> I -> R) : I -> I -> R := fun i j => \sum_k W k i * W k j.
Definition psdle (I : finType) (A B : I -> I -> R) : Prop := forall v, quad A v <= quad B v.
Definition dom (I : finType) (S : I -> I -> R) (T : I -> R) : Prop :=
  forall v, quad S v <= \sum_i T i * v i ^+ 2.

(* The judgement. lips c f: the squared Lipschitz constant of f is at most c. *)
Definition lips (I J : finType) (c : R) (f : {ffun I -> R} -> {ffun J -> R}) : Prop :=
  forall x y, sqn (f x - f y) <= c * sqn (x - y).
Definition lipc (I J : finType) (c : R) (f : {ffun I -> R} -> {ffun J -> R}) : Prop := lips (c ^+ 2) f.
Definition lip (I J : finType) (f : {ffun I -> R} -> {ffun J -> R}) : Prop := lips 1 f.

(* Neuron-wise quadratic judgement: P bounds the input difference, Q the output difference. *)
Definition qlip (I J : finType) (P : I -> I -> R) (Q : J -> J -> R) (f : {ffun I -> R} -> {ffun J -> R}) : Prop :=
  forall x y, quad Q (f x - f y) <= quad P (x - y).
End Definitions.

Notation "W *v x" := (mulv W x) : ring_scope.
Notation "t *d x" := (scalev t x) : ring_scope.
Notation "a *c x" := (scalev (fun=> a) x) : ring_scope.

Section Base.
Variable R : realFieldType.
Implicit Types I J K : finType.

Lemma sum_pair I J (F : I * J -> R) : \sum_p F p = \sum_i \sum_j F (i, j).
Proof. by rewrite pair_bigA; apply: eq_bigr => -[i j] _. Qed.

Lemma dotC I (u v : {ffun I -> R}) : dot u v = dot v u.
Proof. by apply: eq_bigr => i _; rewrite mulrC. Qed.
Lemma dotDl I (u v w : {ffun I -> R}) : dot (u + v) w = dot u w + dot v w.
Proof. by rewrite -big_split; apply: eq_bigr => i _; rewrite ffunE mulrDl. Qed.
Lemma dotNl I (u w : {ffun I -> R}) : dot (- u) w = - dot u w.
Proof. by rewrite -sumrN; apply: eq_bigr => i _; rewrite ffunE mulNr. Qed.
Lemma dotZl I a (u w : {ffun I -> R}) : dot (a *c u) w = a * dot u w.
Proof. by rewrite mulr_sumr; apply: eq_bigr => i _; rewrite ffunE mulrA. Qed.
Lemma dotDr I (u v w : {ffun I -> R}) : dot w (u + v) = dot w u + dot w v.
Proof. by rewrite !(dotC w) dotDl. Qed.
Lemma dotNr I (u w : {ffun I -> R}) : dot w (- u) = - dot w u.
Proof. by rewrite !(dotC w) dotNl. Qed.
Lemma dotZr I a (u w : {ffun I -> R}) : dot w (a *c u) = a * dot w u.
Proof. by rewrite !(dotC w) dotZl. Qed.

Lemma sqnE I (u : {ffun I -> R}) : sqn u = \sum_i u i ^+ 2.
Proof. by apply: eq_bigr => i _; rewrite expr2. Qed.
Lemma sqn_ge0 I (u : {ffun I -> R}) : 0 <= sqn u.
Proof. by rewrite sqnE; apply: sumr_ge0 => i _; rewrite sqr_ge0. Qed.
Lemma sqnZ I a (u : {ffun I -> R}) : sqn (a *c u) = a ^+ 2 * sqn u.
Proof. by rewrite /sqn dotZl dotZr mulrA -expr2. Qed.
Lemma sqnN I (u : {ffun I -> R}) : sqn (- u) = sqn u.
Proof. by rewrite /sqn dotNl dotNr opprK. Qed.
Lemma sqnD I (u v : {ffun I -> R}) : sqn (u + v) = sqn u + 2%:R * dot u v + sqn v.
Proof. by rewrite /sqn dotDl !dotDr (dotC v u) mulr_natl mulr2n !addrA. Qed.
Lemma sqnB I (u v : {ffun I -> R}) : sqn (u - v) = sqn u - 2%:R * dot u v + sqn v.
Proof. by rewrite sqnD sqnN dotNr mulrN. Qed.
Lemma sqn0_eq0 I (u : {ffun I -> R}) : sqn u = 0 -> u = 0.
Proof.
rewrite sqnE => /eqP; rewrite psumr_eq0 => [/allP h|i _]; last exact: sqr_ge0.
apply/ffunP => i; rewrite ffunE; have := h i; rewrite mem_index_enum => /(_ isT).
by rewrite sqrf_eq0 => /eqP.
Qed.

(* arithmetic-geometric mean, the only inequality between inner products that is needed *)
Lemma dot_amgm I (u v : {ffun I -> R}) : 2%:R * dot u v <= sqn u + sqn v.
Proof. by have := sqn_ge0 (u - v); rewrite sqnB addrAC subr_ge0. Qed.
Lemma dot_amgm_weighted I (a : R) (u v : {ffun I -> R}) : 0 < a ->
  2%:R * dot u v <= a^-1 * sqn u + a * sqn v.
Proof.
move=> a0; rewrite -(ler_pmul2l a0).
have := sqn_ge0 (u - a *c v); rewrite sqnB dotZr sqnZ addrAC subr_ge0 mulrCA => h.
by rewrite mulrDr mulVKf ?gt_eqF // [a * (a * _)]mulrA -expr2.
Qed.
Lemma cauchy_schwarz I (u v : {ffun I -> R}) : dot u v ^+ 2 <= sqn u * sqn v.
Proof.
have [v0|v0] := eqVneq (sqn v) 0.
  have -> : v = 0 by exact: sqn0_eq0.
  suff -> : dot u 0 = 0 by rewrite expr0n /= mulr_ge0 ?sqn_ge0.
  by rewrite /dot big1 // => i _; rewrite ffunE mulr0.
have vp : 0 < sqn v by rewrite lt_neqAle eq_sym v0 sqn_ge0.
have := sqn_ge0 (u - (dot u v / sqn v) *c v).
rewrite sqnB dotZr sqnZ -(pmulr_rge0 _ vp).
have -> : sqn v * (sqn u - 2%:R * (dot u v / sqn v * dot u v) + (dot u v / sqn v) ^+ 2 * sqn v)
          = sqn u * sqn v - dot u v ^+ 2 by field.
by rewrite subr_ge0.
Qed.

(* operators are linear; the adjoint *)
Lemma mulvD I J (W : J -> I -> R) x y : W *v (x + y) = W *v x + W *v y.
Proof. by apply/ffunP => j; rewrite !ffunE -big_split; apply: eq_bigr => i _; rewrite ffunE mulrDr. Qed.
Lemma mulvN I J (W : J -> I -> R) x : W *v (- x) = - (W *v x).
Proof. by apply/ffunP => j; rewrite !ffunE -sumrN; apply: eq_bigr => i _; rewrite ffunE mulrN. Qed.
Lemma mulvB I J (W : J -> I -> R) x y : W *v (x - y) = W *v x - W *v y.
Proof. by rewrite mulvD mulvN. Qed.
Lemma mulvZ I J (W : J -> I -> R) a x : W *v (a *c x) = a *c (W *v x).
Proof. by apply/ffunP => j; rewrite !ffunE mulr_sumr; apply: eq_bigr => i _; rewrite !ffunE mulrCA. Qed.
Lemma scalevB I (t : I -> R) x y : t *d (x - y) = t *d x - t *d y.
Proof. by apply/ffunP => i; rewrite !ffunE mulrBr. Qed.
Lemma dot_mulv I J (W : J -> I -> R) u v : dot u (W *v v) = dot (adj W *v u) v.
Proof.
rewrite /dot; under eq_bigr => j _ do rewrite ffunE mulr_sumr.
rewrite exchange_big /=; apply: eq_bigr => i _; rewrite ffunE mulr_suml.
by apply: eq_bigr => j _; rewrite /adj mulrCA mulrA.
Qed.

(* quadratic forms *)
Lemma quad_dot I (S : I -> I -> R) v : quad S v = dot v (S *v v).
Proof.
by apply: eq_bigr => i _; rewrite ffunE mulr_sumr; apply: eq_bigr => j _; rewrite mulrCA.
Qed.
Lemma quad_gram I J (W : J -> I -> R) v : quad (gram W) v = sqn (W *v v).
Proof.
rewrite sqnE; under [RHS]eq_bigr => k _ do rewrite ffunE expr2 mulr_suml.
rewrite exchange_big /=; apply: eq_bigr => i _.
under [RHS]eq_bigr => k _ do rewrite mulr_sumr.
rewrite exchange_big /=; apply: eq_bigr => j _; rewrite /gram mulr_suml.
by apply: eq_bigr => k _; ring.
Qed.
Lemma quadD I (S S' : I -> I -> R) v : quad (fun i j => S i j + S' i j) v = quad S v + quad S' v.
Proof.
rewrite -big_split; apply: eq_bigr => i _; rewrite -big_split; apply: eq_bigr => j _.
by rewrite mulrDl.
Qed.
Lemma quadZ I a (S : I -> I -> R) v : quad (fun i j => a * S i j) v = a * quad S v.
Proof.
rewrite mulr_sumr; apply: eq_bigr => i _; rewrite mulr_sumr; apply: eq_bigr => j _.
by rewrite -mulrA.
Qed.
Lemma eq_quad I (S S' : I -> I -> R) v : (forall i j, S i j = S' i j) -> quad S v = quad S' v.
Proof. by move=> e; apply: eq_bigr => i _; apply: eq_bigr => j _; rewrite e. Qed.
Lemma quad0 I (v : {ffun I -> R}) : quad (fun _ _ => 0) v = 0.
Proof. by rewrite /quad big1 // => i _; rewrite big1 // => j _; rewrite mul0r. Qed.
Lemma eq_dom I (S S' : I -> I -> R) T : (forall i j, S i j = S' i j) -> dom S T -> dom S' T.
Proof. by move=> e h v; rewrite -(eq_quad v e). Qed.
Lemma dom_gram I J (W : J -> I -> R) T : dom (gram W) T <-> forall v, sqn (W *v v) <= \sum_i T i * v i ^+ 2.
Proof. by split=> h v; have := h v; rewrite quad_gram. Qed.
Lemma sum_const I (c : R) (v : {ffun I -> R}) : \sum_i c * v i ^+ 2 = c * sqn v.
Proof. by rewrite sqnE mulr_sumr. Qed.

(* ---- Rule "compose": Lipschitz constants multiply. *)
Theorem lips_comp I J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  0 <= d -> lips c f -> lips d g -> lips (d * c) (g \o f).
Proof.
by move=> d0 hf hg x y; apply: le_trans (hg _ _) _; rewrite -mulrA; apply: ler_wpmul2l.
Qed.
Theorem lipc_comp I J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  lipc c f -> lipc d g -> lipc (d * c) (g \o f).
Proof. by move=> hf hg; rewrite /lipc exprMn; apply: lips_comp; rewrite ?sqr_ge0. Qed.
Theorem lip_comp I J K (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  lip f -> lip g -> lip (g \o f).
Proof. by move=> hf hg; rewrite /lip -[1]mulr1; apply: lips_comp; rewrite ?ler01. Qed.
Theorem qlip_comp I J K P Q S (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  qlip P Q f -> qlip Q S g -> qlip P S (g \o f).
Proof. by move=> hf hg x y; apply: le_trans (hg _ _) (hf _ _). Qed.

(* ---- Rule "weaken" and rule "identity". *)
Theorem lips_weaken I J c d (f : {ffun I -> R} -> {ffun J -> R}) : c <= d -> lips c f -> lips d f.
Proof. by move=> cd hf x y; apply: le_trans (hf _ _) _; rewrite ler_wpmul2r ?sqn_ge0. Qed.
Theorem lip_id I : @lip R I I id.
Proof. by move=> x y; rewrite mul1r. Qed.
Lemma eq_lips I J c (f g : {ffun I -> R} -> {ffun J -> R}) : f =1 g -> lips c f -> lips c g.
Proof. by move=> e hf x y; rewrite -!e. Qed.

(* A network is a list of layers between equal spaces, or a chain of lip_comp; repeat is the first. *)
Theorem lip_iter I (f : nat -> {ffun I -> R} -> {ffun I -> R}) n :
  (forall k, lip (f k)) -> lip (fun x => foldr (fun k z => f k z) x (iota 0 n)).
Proof.
by move=> hf; elim: (iota 0 n) => [|k s ih]; [exact: lip_id | exact: (lip_comp ih (hf k))].
Qed.

(* ---- Rule "affine": a bias does not count; a bound on the operator is a bound on the layer. *)
Theorem affine_lips I J c (W : J -> I -> R) (b : {ffun J -> R}) :
  dom (gram W) (fun=> c) -> lips c (fun x => W *v x + b).
Proof.
move=> /dom_gram h x y; rewrite opprD addrACA subrr addr0 -mulvB.
by apply: le_trans (h _) _; rewrite sum_const.
Qed.
(* linear_lip: spectral norm rule, W^T W <= I *)
Theorem linear_lip I J (W : J -> I -> R) (b : {ffun J -> R}) :
  dom (gram W) (fun=> 1) -> lip (fun x => W *v x + b).
Proof. exact: affine_lips. Qed.

(* The converse: an operator that is c-Lipschitz has W^T W <= c I. *)
Lemma lips_dom I J c (W : J -> I -> R) : lips c (mulv W) -> dom (gram W) (fun=> c).
Proof.
move=> h; apply/dom_gram => v; rewrite sum_const; have := h v 0.
suff -> : W *v 0 = 0 by rewrite !subr0.
by apply/ffunP => j; rewrite !ffunE big1 // => i _; rewrite ffunE mulr0.
Qed.

(* W W^T <= c I gives W^T W <= c I: "wide" and "tall" are the same condition. *)
Theorem gram_adj I J c (W : J -> I -> R) : 0 <= c ->
  dom (gram (adj W)) (fun=> c) -> dom (gram W) (fun=> c).
Proof.
rewrite le_eqVlt => c0 /dom_gram h; apply/dom_gram => v; rewrite sum_const.
set y := W *v v; have := h y; rewrite sum_const; set a := adj W *v y => ha.
have e : sqn y = dot a v by rewrite /sqn {2}/y dot_mulv.
case/orP: c0 => [/eqP c0 | c0].
  suff a0 : a = 0 by rewrite e -c0 a0 mul0r /dot big1 // => i _; rewrite ffunE mul0r.
  by apply: sqn0_eq0; apply/le_anti; rewrite sqn_ge0 andbT -[0](mul0r (sqn y)) [X in X * _]c0.
have := dot_amgm_weighted a v c0; rewrite -e => h2.
have h3 : 2%:R * sqn y <= sqn y + c * sqn v.
  apply: le_trans h2 _; rewrite ler_add2r -[X in _ <= X](mulKf (x := c)) ?gt_eqF //.
  by rewrite ler_pmul2l ?invr_gt0.
by move: h3; rewrite mulr_natl mulr2n ler_add2l.
Qed.
End Base.
