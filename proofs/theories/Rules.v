(* The closed list of rules of the prover (src/proof/rules.ts), one theorem per rule, same name with _ for -.
   Nothing is proven here that is not proven in the other files; this file says which statement each rule is.
   Missing rules are named in ../README.md. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Loewner Residual Sandwich Structure Pooling Conv Image Orthogonal Operators Fourier
  Iterations SkewExponential Whitening Sorting Head Folding.
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
Theorem dominance_max I (S : I -> I -> R) (T T' : I -> R) : dom S T -> dom S (fun i => Num.max (T i) (T' i)).
Proof. exact: dom_max. Qed.
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

(* On each pair k: z - 2 v relu(v^T z), |v| <= 1; and four sectors (order 2), angles as unit vectors: (co, so) half the start, (c1, s1) and (c2, s2) half
   of t1, t2 in [0, 2 pi], `wide` whether t1 + t2 > 2 pi. *)
Theorem householder_activation (K : finType) : (forall v : K -> {ffun bool -> R}, (forall k, sqn (v k) <= 1) ->
    lip (blocks (fun k z => z - [ffun i => v k i * (2%:R * Num.max (dot (v k) z) 0)]))) /\
  (forall (co so c1 s1 c2 s2 : K -> R) (wide : K -> bool),
    (forall k, [/\ co k ^+ 2 + so k ^+ 2 = 1, c1 k ^+ 2 + s1 k ^+ 2 = 1, c2 k ^+ 2 + s2 k ^+ 2 = 1, 0 <= s1 k & 0 <= s2 k]) ->
    (forall k, let sine := s1 k * c2 k + c1 k * s2 k in if wide k then sine <= 0 else 0 <= sine) ->
    lip (blocks (fun k => householder2 (co k) (so k) (c1 k) (s1 k) (c2 k) (s2 k) (wide k)))).
Proof.
split=> [v hv|co so c1 s1 c2 s2 wide h hw]; apply: blocks_lips => k; last by case: (h k) => *; apply: householder2_lip => //; exact: hw.
by apply: eq_lips (householder_act_lip 0 (@relu_slope R) (hv k)) => z; congr (_ - _); apply/ffunP => i; rewrite !ffunE addr0.
Qed.

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

(* ---- Families of orthogonal matrices and contractions. *)

(* columns f of a product of reflections; rows of the transpose *)
Theorem orthogonal_householder n r (vs : seq 'cV[R]_n) (f : 'I_r -> 'I_n) : injective f ->
  let Q := \matrix_(i, j) foldr (fun v Q => householder v *m Q) 1%:M vs i (f j) in
  dom (gram Q) (fun=> 1) /\ dom (gram Q^T) (fun=> 1).
Proof.
move=> fi; have h := orthonormal_columns fi (householder_product_orthonormal vs).
by split; [exact: orthonormal_dom h | exact: orthonormal_tr_dom h].
Qed.
(* I - 2 V (V^T V + E)^-1 V^T for E >= 0, and every block of it (rows f, columns g) *)
Theorem orthogonal_bro n k (V : 'M[R]_(n, k)) (E : 'M[R]_k) I J (f : J -> 'I_n) (g : I -> 'I_n) :
  V^T *m V + E \in unitmx -> E^T = E -> (forall v, 0 <= quad E v) -> injective f -> injective g ->
  dom (gram (fun j i => reflector V E (f j) (g i))) (fun=> 1).
Proof.
move=> u sE pE fi gi; have h := reflector_dom u sE pE.
exact: (@dom_rows _ _ _ _ (fun j i => reflector V E j (g i)) f _ fi (dom_columns gi h)).
Qed.
(* from |W| <= start <= 2, one step or more *)
Theorem contraction_bjorck I J (W : J -> I -> R) (start : R) (steps : nat) : 0 <= start -> start <= 2%:R -> (0 < steps)%N ->
  dom (gram W) (fun=> start ^+ 2) -> dom (gram (iter steps (@bjorck R I J) W)) (fun=> 1).
Proof.
move=> s0 s2; case: steps => // n _ h; apply: bjorck_iter_dom; apply: dom_mono h => _.
have -> : 4%:R = 2%:R ^+ 2 :> R by ring.
by rewrite ler_sqr ?nnegrE ?ler0n.
Qed.
Theorem contraction_cholesky m n (W : 'M[R]_(m, n)) (L : 'M[R]_m) (eps : R) : 0 <= eps -> L \in unitmx ->
  L *m L^T = W *m W^T + eps%:M -> dom (gram (invmx L *m W)) (fun=> 1).
Proof. exact: cholesky_dom. Qed.
(* W is the weight over root f, e^2 = eps / f, so that |[W, e I]| <= 1: any number of coupled Newton-Schulz steps from y = W W^T + e^2 I, z = I *)
Theorem contraction_whitening m n (W : 'M[R]_(m, n)) (e : R) (steps : nat) : dom (gram (row_mx W e%:M)) (fun=> 1) ->
  dom (gram ((newton (W *m W^T + (e ^+ 2)%:M) steps).2 *m W)) (fun=> 1).
Proof. exact: newton_whitening_shifted_dom. Qed.

(* squares of the windows on which truncated exponentials of skew operators are contractions *)
Definition exponential_window (degree : nat) : option R := match degree with
  | 3 => Some 3%:R
  | 4 => Some 8%:R
  | 7 => Some ((3%:R * 100%:R + 11%:R) / 100%:R)
  | 8 => Some ((2%:R * 100%:R + 88%:R) / 25%:R)
  | 11 => Some ((2%:R * 100%:R + 89%:R) / 100%:R)
  | 12 => Some ((5%:R * 100%:R + 71%:R) / 50%:R)
  | _ => None
  end.
Theorem contraction_skew_exponential I (A : I -> I -> R) (degree : nat) (w lam : R) :
  (forall i j, A j i = - A i j) -> exponential_window degree = Some w -> lam <= w -> dom (gram A) (fun=> lam) ->
  lip (truncated_exp A degree).
Proof.
move=> sk hw lw h0; have h : dom (gram A) (fun=> w) by apply: dom_mono h0 => _.
move: hw h; do 13?[case: degree => [|degree] //]; case=> <- h.
- exact: truncated_exp_3_lip.
- exact: truncated_exp_4_lip.
- exact: truncated_exp_7_lip.
- exact: truncated_exp_8_lip.
- exact: truncated_exp_11_lip.
- exact: truncated_exp_12_lip.
Qed.
(* the series at A / 2^s, squared s times; a part of it, by dom_rows and dom_columns *)
Theorem orthogonal_exponential I (A : I -> I -> R) (degree squarings : nat) (w lam : R) :
  (forall i j, A j i = - A i j) -> exponential_window degree = Some w -> lam <= w -> dom (gram A) (fun=> lam) ->
  lip (iter (2 ^ squarings) (truncated_exp A degree)).
Proof.
move=> sk hw lw h; have e := contraction_skew_exponential sk hw lw h.
by elim: (2 ^ squarings)%N => [|n ih]; [exact: lip_id | exact: (lip_comp ih e)].
Qed.
(* every input is read at most factor times: factor 1 where the stride is the kernel *)
Theorem reshaped_kernel O C (g : geometry) (K : O -> C -> tap g -> R) (factor : nat) (lam : R) : 0 <= lam ->
  dom (gram (reshaped K)) (fun=> lam) ->
  (forall p : in_pos g, #|[pred qs : out_pos g * tap g | (pin p == pout qs.1 + off qs.2)%R]| <= factor)%N ->
  dom (gram (conv2d_matrix K)) (fun=> factor%:R * lam) /\ dom (gram (adj (conv2d_matrix K))) (fun=> factor%:R * lam).
Proof.
move=> l0 hK hf; have h := conv_reshaped (@pin_inj g) l0 hK hf; split=> //.
by apply: gram_adj h; rewrite mulr_ge0 ?ler0n.
Qed.

(* ---- Layers. *)
Lemma norm_sum_max (a d : R) : `|a| + `|d| = Num.max `|a + d| `|a - d|.
Proof.
apply/le_anti; rewrite le_maxl ler_norm_add ler_norm_sub le_maxr !andbT /=.
have la (z : R) : z <= `|z| by exact: ler_norm.
case: (ger0P a) => ha; case: (ger0P d) => hd.
- by rewrite la.
- by rewrite la orbT.
- by rewrite addrC distrC la orbT.
- by rewrite -opprD -[X in _ <= X]normrN la.
Qed.
(* h x - c W T^-1 sigma(W^T x + b), with t T <= 1 in place of t = 1 / T, for c of either sign *)
Theorem general_residual I J (W : I -> J -> R) (b : {ffun J -> R}) (t T : J -> R) s (h c : R) :
  slope01 s -> (forall j, 0 <= t j) -> (forall j, t j * T j <= 1) -> dom (gram W) T ->
  lipc (Num.max `|h| `|h - c|) (fun x => h *c x - c *c (W *v (t *d act s (adj W *v x + b)))).
Proof.
move=> hs t0 tT hW; pose f x := x - W *v ((fun j => 2%:R * t j) *d act s (adj W *v x + b)).
have hf : lip f.
  apply: residual_lip hs _ _ hW => j; first by rewrite mulr_ge0 ?ler0n.
  by rewrite -mulrA -[X in _ <= X]mulr1 ler_pmul2l ?ltr0n.
have h1 : lipc `|h - c / 2%:R| (fun x : {ffun I -> R} => (h - c / 2%:R) *c x).
  by apply: scale_lips => i; rewrite real_normK ?num_real.
have h2 : lipc `|c / 2%:R| (fun x => (c / 2%:R) *c f x).
  have hc : lipc `|c / 2%:R| (fun x : {ffun I -> R} => (c / 2%:R) *c x).
    by apply: scale_lips => i; rewrite real_normK ?num_real.
  by have := lips_comp (sqr_ge0 _) hf hc; rewrite mulr1.
have := sum_lipc (normr_ge0 _) (normr_ge0 _) h1 h2.
have -> : `|h - c / 2%:R| + `|c / 2%:R| = Num.max `|h| `|h - c|.
  rewrite norm_sum_max; have -> : h - c / 2%:R + c / 2%:R = h by field.
  by have -> : h - c / 2%:R - c / 2%:R = h - c by field.
apply: eq_lips => x; have e : (fun j0 => 2%:R * t j0) *d act s (adj W *v x + b) = 2%:R *c (t *d act s (adj W *v x + b)).
  by apply/ffunP => i; rewrite !ffunE mulrA.
rewrite /f e mulvZ; move: (W *v _) => z; apply/ffunP => j; rewrite !ffunE; set y := x j.
by move: y (z j) => y r; field.
Qed.
Theorem sandwich I J (H : finType) (A : H -> J -> R) (B : H -> I -> R) (b : {ffun H -> R}) (d e : H -> R) s :
  slope01 s -> (forall h, 0 < d h) -> (forall h, 0 < e h) -> (forall h, d h * e h <= 2%:R) ->
  dom (fun h k => gram (adj A) h k + gram (adj B) h k) (fun=> 1) ->
  lip (fun x => adj A *v (d *d act s (e *d (B *v x) + b))).
Proof. exact: sandwich_scaled_lip. Qed.
Theorem channelwise I (lo hi : R) (s : I -> R -> R) : (forall i, slope_in lo hi (s i)) ->
  lipc (Num.max `|lo| `|hi|) (fun x : {ffun I -> R} => [ffun i => s i (x i)]).
Proof. by move=> h; apply: channelwise_lips => i; exact: slope_in_slope. Qed.
Theorem concatenated_relu I : lip (@crelu R I).
Proof. exact: crelu_lip. Qed.
Theorem rotate_halves I (s : R) : s ^+ 2 * 2%:R <= 1 -> lip (@Pooling.rotate_halves R I s).
Proof. exact: rotate_halves_lip. Qed.
(* sin, or anything between -1 and 1 *)
Theorem bounded_gain I (g : I -> R) : (forall i, `|g i| <= 1) -> lip (fun x : {ffun I -> R} => g *d x).
Proof.
move=> h; apply: scale_lips => i; rewrite -(real_normK (num_real (g i))) -[X in _ <= X](expr1n _ 2).
by rewrite ler_expn2r ?nnegrE ?ler01 ?normr_ge0.
Qed.
Theorem average_pool C (h w oh ow kh kw sh sw : nat) (s c : R) : (0 < sh)%N -> (0 < sw)%N ->
  s ^+ 2 * (kh * kw * shared kh kw sh sw)%:R <= c -> lips c (@sum_pool R C h w oh ow kh kw sh sw s).
Proof. by move=> h0 w0; exact: sum_pool_lips. Qed.
Theorem max_pool C (h w oh ow kh kw sh sw : nat) f : (0 < sh)%N -> (0 < sw)%N ->
  @is_max_pool R C h w oh ow kh kw sh sw f -> lips (shared kh kw sh sw)%:R f.
Proof. by move=> h0 w0; exact: max_pool_lips. Qed.
Theorem l2_pool C (h w oh ow kh kw sh sw : nat) f : (0 < sh)%N -> (0 < sw)%N ->
  @is_norm_pool R C h w oh ow kh kw sh sw f -> lips (shared kh kw sh sw)%:R f.
Proof. by move=> h0 w0; exact: norm_pool_lips. Qed.
Theorem copies I n (s : R) : s ^+ 2 * n%:R <= 1 -> lip (@Pooling.copies R I n s).
Proof. exact: copies_lip. Qed.
Theorem batch_center I (m : {ffun I -> R}) : lip (fun x => x - m).
Proof. exact: center_lip. Qed.
Theorem layer_center I (k : R) : 0 <= k -> k * #|I|%:R <= 2%:R -> lip (fun x : {ffun I -> R} => x - [ffun=> k * \sum_j x j]).
Proof. exact: subtract_mean_lip. Qed.

(* ---- Branches. *)
Theorem sum_branches I J K (r : seq K) (f : K -> {ffun I -> R} -> {ffun J -> R}) (a c : K -> R) :
  (forall k, 0 <= c k) -> (forall k, lipc (c k) (f k)) ->
  lipc (\sum_(k <- r) `|a k| * c k) (fun x => \sum_(k <- r) a k *c f k x).
Proof.
move=> c0 hf; elim: r => [|k r ih].
  by apply: (@eq_lips _ _ _ _ (fun=> 0)) => [x|x y]; rewrite big_nil // expr0n /= mul0r subrr /sqn /dot big1 // => i _; rewrite ffunE mul0r.
rewrite big_cons; apply: (@eq_lips _ _ _ _ (fun x => a k *c f k x + \sum_(j <- r) a j *c f j x)) => [x|]; first by rewrite big_cons.
apply: sum_lipc ih; rewrite ?mulr_ge0 ?sumr_ge0 //.
  by move=> i _; rewrite mulr_ge0.
have hs : lipc `|a k| (fun x : {ffun J -> R} => a k *c x) by apply: scale_lips => i; rewrite real_normK ?num_real.
exact: lipc_comp (hf k) hs.
Qed.
Theorem mix I J (f g : {ffun I -> R} -> {ffun J -> R}) c d w : 0 <= w <= 1 -> lips c f -> lips d g ->
  lips (Num.max c d) (fun x => (1 - w) *c f x + w *c g x).
Proof.
move=> hw hf hg; have cm : c <= Num.max c d by rewrite le_maxr lexx.
have dm : d <= Num.max c d by rewrite le_maxr lexx orbT.
exact: mix_lips hw (lips_weaken cm hf) (lips_weaken dm hg).
Qed.
Theorem concat_branches I J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R}) :
  lips c f -> lips d g -> lips (c + d) (fun x => concat (f x) (g x)).
Proof. exact: concat_lips. Qed.
Theorem split_parts I I' J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I' -> R} -> {ffun K -> R}) :
  lips c f -> lips d g ->
  lips (Num.max c d) (fun x : {ffun I + I' -> R} => concat (f [ffun i => x (inl i)]) (g [ffun i => x (inr i)])).
Proof.
move=> hf hg; have cm : c <= Num.max c d by rewrite le_maxr lexx.
have dm : d <= Num.max c d by rewrite le_maxr lexx orbT.
exact: parallel_lips (lips_weaken cm hf) (lips_weaken dm hg).
Qed.
Theorem maximum I J c d (f g : {ffun I -> R} -> {ffun J -> R}) :
  lips c f -> lips d g -> lips (c + d) (fun x => [ffun j => Num.max (f x j) (g x j)]) /\
    lips (c + d) (fun x => [ffun j => Num.min (f x j) (g x j)]).
Proof.
move=> hf hg; split; first exact: max_lips.
have neg K (h : {ffun I -> R} -> {ffun K -> R}) e : lips e h -> lips e (fun x => - h x).
  by move=> hh x y; rewrite -opprD sqnN; exact: hh.
apply: eq_lips (neg _ _ _ (max_lips (neg _ _ _ hf) (neg _ _ _ hg))) => x; apply/ffunP => j.
by rewrite !ffunE -oppr_min opprK.
Qed.
Theorem gather_multiplicity I J (g : J -> option I) p (m : nat) :
  (forall i, #|[pred j | g j == Some i]| <= m)%N -> @lips R _ _ m%:R (gather g p).
Proof. exact: gather_lips. Qed.
Theorem sub_budget I J c d (f : {ffun I -> R} -> {ffun J -> R}) : c <= d -> lips c f -> lips d f.
Proof. exact: lips_weaken. Qed.

(* ---- Convolutions by frequency; parts of operators. *)
(* Q(f) with Q(f) Q(f)^* <= 1 at every frequency of a torus, cosines and sines given; rows and columns at some places only *)
Theorem contraction_fourier (T : finZmodType) (F : finType) (co si : F -> T -> R) (N : R) (O C S P Q : finType) (off : S -> T)
  (K : O -> C -> S -> R) (pin : P -> T) (pout : Q -> T) : 0 < N ->
  (forall f a b, co f (a - b) = co f a * co f b + si f a * si f b) ->
  (forall f a b, si f (a - b) = si f a * co f b - co f a * si f b) ->
  (forall a, \sum_f co f a = if a == 0 then N else 0) -> injective pin -> injective pout ->
  (forall f, dom (gram (adj (symbol co si off K f))) (fun=> 1)) ->
  dom (gram (adj (conv_matrix pin pout off K))) (fun=> 1).
Proof.
move=> N0 hc hs ho ii io h; have h1 f : dom (gram (symbol co si off K f)) (fun=> 1) by apply: gram_adj (h f); exact: ler01.
by case: (places_dom N0 hc hs ho ii io (@ler01 R) h1).
Qed.
(* Gram iteration on the symbol sampled at the N x N frequencies of a torus that the image and the kernel fit on: exact for this size *)
Theorem gram_iteration_circulant (T : finZmodType) (F : finType) (co si : F -> T -> R) (N : R) (L : zmodType) (O C P Q S : finType)
  (pin : P -> L) (pout : Q -> L) (off : S -> L) (K : O -> C -> S -> R) (w : L -> T) (k : nat) (lam : R) : 0 < N ->
  (forall f a b, co f (a - b) = co f a * co f b + si f a * si f b) ->
  (forall f a b, si f (a - b) = si f a * co f b - co f a * si f b) ->
  (forall a, \sum_f co f a = if a == 0 then N else 0) ->
  (forall a b, w (a + b) = w a + w b) -> injective (w \o pin) -> injective (w \o pout) ->
  (forall p q s, w (pin p) = w (pout q + off s) -> pin p = pout q + off s) -> 0 < lam ->
  (forall f, frob (iter k (@square R _) (gram (symbol co si (w \o off) K f))) <= (lam ^+ (2 ^ k)) ^+ 2) ->
  dom (gram (conv_matrix pin pout off K)) (fun=> lam) /\ dom (gram (adj (conv_matrix pin pout off K))) (fun=> lam).
Proof.
move=> N0 hc hs ho wD pi po wr l0 h; apply: (circulant_dom N0 hc hs ho (ltW l0) wD pi po wr) => f.
exact: gram_iteration l0 (h f).
Qed.
(* block k of the channels goes to block k *)
Theorem grouped (G I J : finType) (W : G -> J -> I -> R) (T : G * I -> R) :
  (forall k, dom (gram (W k)) (fun i => T (k, i))) -> dom (gram (block_diagonal W)) T.
Proof. exact: block_diagonal_dom. Qed.
End Rules.

(* M = G^m, m = 2^k: T_i^m at least the sum of row i of |M|. The field is Archimedean, as the reals are. *)
Theorem power_gershgorin (R : archiFieldType) (I J : finType) (W : J -> I -> R) (k : nat) (T : I -> R) :
  (forall i, 0 <= T i) -> (forall i, \sum_j `|iter k (@square R I) (gram W) i j| <= T i ^+ (2 ^ k)) -> dom (gram W) T.
Proof.
move=> T0 h v; apply/ler_addgt0Pr => e e0.
have p : 0 < 1 + sqn v by rewrite ltr_paddr ?ltr01 ?sqn_ge0.
pose d := e / (1 + sqn v); have d0 : 0 < d by exact: divr_gt0.
have sym m : forall i j, iter m (@square R I) (gram W) i j = iter m (@square R I) (gram W) j i.
  by elim: m => [|m ih] i j; [exact: gramC | exact: square_sym].
have := @loewner_power R I k (gram W) (fun i => T i + d) (gramC W) _ _ v.
move=> /(_ _ _) hv; apply: le_trans (hv _ _) _ => [i||].
- by rewrite ltr_paddl.
- apply: (@gersh _ _ _ (fun=> 1)) => [|i|i]; [exact: sym | exact: ltr01 |].
  rewrite mulr1; under eq_bigr => j _ do rewrite mulr1; apply: le_trans (h i) _.
  by rewrite ler_expn2r ?nnegrE ?addr_ge0 ?ler_addl ?T0 ?(ltW d0).
under eq_bigr => i _ do rewrite mulrDl; rewrite big_split /= ler_add2l sum_const /d mulrAC ler_pdivr_mulr // ler_pmul2l //.
by rewrite ler_addr ler01.
Qed.
