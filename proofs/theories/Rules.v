(* The closed list of rules of the prover (src/proof/rules.ts), one theorem per rule, same name with _ for -.
   Nothing is proven here that is not proven in the other files; this file says which statement each rule is.
   Missing: gram-iteration-symbol (it needs trigonometric polynomials). *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Structure Conv Image Orthogonal Sorting Head.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Rules.
Variable R : realFieldType.
Implicit Types I J K O C : finType.

(* lam = |G^m|_F^(1/m), m = 2^k; any lam at least that large. *)
Theorem gram_iteration I J (W : J -> I -> R) (k : nat) (lam : R) : 0 < lam ->
  frob (iter k (@square R I) (gram W)) <= (lam ^+ (2 ^ k)) ^+ 2 -> dom (gram W) (fun=> lam).
Proof. exact: gram_power_dom (gramC W). Qed.

(* The same for the other Gram matrix, W W^T (a residual layer's, when the rows are the shorter side). *)
Theorem gram_iteration_adj I J (W : J -> I -> R) (k : nat) (lam : R) : 0 < lam ->
  frob (iter k (@square R I) (gram W)) <= (lam ^+ (2 ^ k)) ^+ 2 -> dom (gram (adj W)) (fun=> lam).
Proof. by move=> l0 h; apply: gram_adj (ltW l0) _; exact: (gram_iteration l0 h). Qed.

(* The zero-padded convolution at one image size is a matrix. *)
Theorem gram_iteration_operator O C (g : geometry) (K : O -> C -> tap g -> R) (k : nat) (lam : R) : 0 < lam ->
  frob (iter k (@square R _) (gram (conv2d_matrix K))) <= (lam ^+ (2 ^ k)) ^+ 2 ->
  dom (gram (conv2d_matrix K)) (fun=> lam) /\ dom (gram (adj (conv2d_matrix K))) (fun=> lam).
Proof. by move=> l0 h; split; [exact: (gram_iteration l0 h) | exact: (gram_iteration_adj l0 h)]. Qed.

(* The reshaped kernel times the number of taps. *)
Theorem gram_iteration_reshaped O C (g : geometry) (K : O -> C -> tap g -> R) (k : nat) (lam : R) :
  valid_geometry g -> 0 < lam ->
  frob (iter k (@square R _) (gram (reshaped K))) <= (lam ^+ (2 ^ k)) ^+ 2 ->
  dom (gram (conv2d_matrix K)) (fun=> (ker_h g * ker_w g)%:R * lam) /\
  dom (gram (adj (conv2d_matrix K))) (fun=> (ker_h g * ker_w g)%:R * lam).
Proof.
move=> hg l0 h; have h1 := conv2d_reshaped hg (ltW l0) (gram_iteration l0 h); split=> //.
by apply: gram_adj; rewrite ?mulr_ge0 ?ler0n ?(ltW l0).
Qed.

(* The Cayley transform of any [U; V]: orthonormal columns, or rows after transposing. *)
Theorem orthogonal_cayley n m (U : 'M[R]_n) (V : 'M[R]_(m, n)) :
  let Q := cayley (U - U^T + V^T *m V) V in dom (gram Q) (fun=> 1) /\ dom (gram Q^T) (fun=> 1).
Proof.
have h := cayley_param_orthonormal U V; split; [exact: orthonormal_dom h | exact: orthonormal_tr_dom h].
Qed.

(* A convolution whose reshaped kernel is a partial isometry. *)
Theorem orthogonal_reshaped O C (g : geometry) (K : O -> C -> tap g -> R) :
  valid_geometry g -> dom (gram (reshaped K)) (fun=> 1) ->
  dom (gram (conv2d_matrix K)) (fun=> (ker_h g * ker_w g)%:R) /\
  dom (gram (adj (conv2d_matrix K))) (fun=> (ker_h g * ker_w g)%:R).
Proof.
move=> hg h; have := conv2d_reshaped hg ler01 h; rewrite mulr1 => h1; split=> //.
by apply: gram_adj; rewrite ?ler0n.
Qed.

Theorem gershgorin I J (W : J -> I -> R) (q : I -> R) : (forall i, 0 < q i) ->
  dom (gram W) (fun i => \sum_j `|gram W i j| * q j / q i).
Proof. exact: sll_dom. Qed.

(* All offsets of a zero-padded convolution, over inputs and over hidden units, at every image size. *)
Theorem gershgorin_lattice O C (g : geometry) (K : O -> C -> tap g -> R) (q : C -> R) :
  valid_geometry g -> (forall c, 0 < q c) ->
  dom (gram (conv2d_matrix K))
    (fun cp => \sum_c' (\sum_(d <- shifts g) `|kernel_gram K cp.1 c' d|) * q c' / q cp.1).
Proof.
move=> hg hq; pose T c := \sum_c' (\sum_(d <- shifts g) `|kernel_gram K c c' d|) * q c' / q c.
apply: (@conv2d_gersh _ _ _ _ _ _ T hg hq) => c; rewrite /T.
by rewrite mulr_suml; under [X in _ <= X]eq_bigr => c' _ do rewrite divfK ?gt_eqF ?hq //.
Qed.
Theorem gershgorin_lattice_adj O C (g : geometry) (K : O -> C -> tap g -> R) (q : O -> R) :
  valid_geometry g -> (forall o, 0 < q o) ->
  dom (gram (adj (conv2d_matrix K)))
    (fun oq => \sum_o' (\sum_(d <- shifts g) `|kernel_hidden_gram K oq.1 o' d|) * q o' / q oq.1).
Proof.
move=> hg hq; pose T o := \sum_o' (\sum_(d <- shifts g) `|kernel_hidden_gram K o o' d|) * q o' / q o.
apply: (@conv2d_adj_gersh _ _ _ _ _ _ T hg hq) => o; rewrite /T.
by rewrite mulr_suml; under [X in _ <= X]eq_bigr => o' _ do rewrite divfK ?gt_eqF ?hq //.
Qed.

Theorem dominance_shift I (S : I -> I -> R) (T : I -> R) (eps : R) : 0 <= eps -> dom S T -> dom S (fun i => T i + eps).
Proof. exact: dom_shift. Qed.
Theorem dominance_scale I (S : I -> I -> R) (T : I -> R) (a : R) : 1 <= a -> (forall i, 0 <= T i) ->
  dom S T -> dom S (fun i => a * T i).
Proof. exact: dom_scaled. Qed.
Theorem dominance_max I (S : I -> I -> R) (T T' : I -> R) : dom S T -> dom S T' ->
  dom S (fun i => Num.max (T i) (T' i)).
Proof. by move=> h _; exact: dom_max. Qed.
Theorem dominance_convex I (S : I -> I -> R) K (w : K -> R) (T : K -> I -> R) :
  (forall k, 0 <= w k) -> \sum_k w k = 1 -> (forall k, dom S (T k)) -> dom S (fun i => \sum_k w k * T k i).
Proof. exact: dom_convex. Qed.

(* tanh and sigmoid are defined by an exponential: Activation.v. *)
Theorem slope (al : R) : slope_in 0 1 (fun a : R => Num.max a 0) /\
  slope_in (Num.min 1 al) (Num.max 1 al) (leaky_relu al) /\ slope_in (-1) 1 (fun a : R => `|a|).
Proof. by split; [exact: relu_slope_in | split; [exact: leaky_relu_slope_in | exact: abs_slope_in]]. Qed.

(* s_i^2 T_i <= 1 in place of s = T^(-1/2): s may be rounded down. *)
Theorem linear I J (W : J -> I -> R) (b : {ffun J -> R}) (s T : I -> R) :
  (forall i, s i ^+ 2 * T i <= 1) -> dom (gram W) T -> lip (fun x => W *v (s *d x) + b).
Proof. exact: linear_scaled_lip. Qed.
Theorem linear_out I J (W : J -> I -> R) (b : {ffun J -> R}) (s T : J -> R) :
  (forall j, s j ^+ 2 * T j <= 1) -> dom (gram (adj W)) T -> lip (fun x => s *d (W *v x) + b).
Proof. exact: linear_scaled_out_lip. Qed.

(* t_j T_j <= 2 in place of t = 2 / T: t may be rounded down. W is the transpose of the stored weight. *)
Theorem residual I J (W : I -> J -> R) (b : {ffun J -> R}) (t T : J -> R) s :
  slope01 s -> (forall j, 0 <= t j) -> (forall j, t j * T j <= 2%:R) -> dom (gram W) T ->
  lip (fun x => x - W *v (t *d act s (adj W *v x + b))).
Proof. exact: residual_lip. Qed.

Theorem elementwise I (lo hi : R) (s : R -> R) : slope_in lo hi s -> lipc (Num.max `|lo| `|hi|) (@act R I s).
Proof. by move=> h; apply: act_lipc; exact: slope_in_slope. Qed.
Theorem sort_groups K n : lip (blocks (fun _ : K => @sortv R n)).
Proof. exact: groupsort_lip. Qed.
Theorem sort_pairs I (e : I -> I) (lead : pred I) : involutive e ->
  (forall i, e i != i -> lead (e i) = ~~ lead i) -> lip (@maxmin R I e lead).
Proof. exact: maxmin_lip. Qed.

Theorem translate I (c : {ffun I -> R}) : lip (fun x => x - c).
Proof. exact: center_lip. Qed.
Theorem divide I (d : I -> R) (m : R) : 0 < m -> (forall i, m <= `|d i|) -> lipc m^-1 (fun x => (fun i => (d i)^-1) *d x).
Proof.
move=> m0 h; apply: scale_lips => i; have d0 : 0 < `|d i| := lt_le_trans m0 (h i).
rewrite !exprVn -(real_normK (num_real (d i))) lef_pinv ?posrE ?exprn_gt0 //.
by rewrite ler_sqr ?nnegrE ?(ltW m0) ?(ltW d0).
Qed.
Theorem zero_pad I J (g : J -> option I) : (forall j j' i, g j = Some i -> g j' = Some i -> j = j') ->
  @lip R _ _ (gather g (fun=> 0)).
Proof. exact: gather_lip. Qed.
Theorem reindex I J (h : J -> I) : injective h -> lip (fun x : {ffun I -> R} => [ffun j => x (h j)]).
Proof. exact: reindex_lip. Qed.
Theorem block_average I J (w : I -> option J) (n : nat) (s : R) : s ^+ 2 * n%:R <= 1 ->
  (forall j, #|[pred i | w i == Some j]| <= n)%N -> lip (fun x => [ffun j => s * \sum_(i | w i == Some j) x i]).
Proof. exact: avgpool_lip. Qed.

Theorem identity I : @lip R I I id.
Proof. exact: lip_id. Qed.
Theorem compose I J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  0 <= d -> lips c f -> lips d g -> lips (d * c) (g \o f).
Proof. exact: lips_comp. Qed.
Theorem weaken I J c d (f : {ffun I -> R} -> {ffun J -> R}) : c <= d -> lips c f -> lips d f.
Proof. exact: lips_weaken. Qed.
Theorem pairwise_head I J c (f : {ffun I -> R} -> {ffun J -> R}) w w' b b' x x' : lips c f ->
  (pair_margin f w w' b b' x - pair_margin f w w' b b' x') ^+ 2 <= c * sqn (w - w') * sqn (x - x').
Proof. exact: head_pair_lips. Qed.
End Rules.
