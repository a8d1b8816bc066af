(* More of what the output of `lip prove --coq` is made of: norms of Frobenius and Schur, residuals with two factors, families of
   orthogonal matrices, and the layers that Architecture.v and Branching.v lack. *)
From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Structure Conv Image Orthogonal Operators Iterations SkewExponential Pooling Rules Layers Architecture Branching.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Norms.
Variable R : realFieldType.
Implicit Types I J O C : finType.

Lemma frob_ge0 I J (W : J -> I -> R) : 0 <= frob W.
Proof. by apply: sumr_ge0 => j _; apply: sumr_ge0 => i _; exact: sqr_ge0. Qed.
(* a: at least every sum of a row of |W|; b: of a column *)
Lemma schur_sums_dom I J (W : J -> I -> R) (a b : R) : 0 <= a ->
  (forall j, \sum_i `|W j i| <= a) -> (forall i, \sum_j `|W j i| <= b) -> dom (gram W) (fun=> a * b).
Proof.
move=> a0 ha hb; apply: (@schur_dom _ _ _ W (fun=> 1) (fun=> 1)) => [_|_||j|i]; rewrite ?ltr01 ?ler01 ?mulr1 //.
  by rewrite (le_trans _ (ha j)) //; apply: ler_sum => i _; rewrite mulr1.
by rewrite (le_trans _ (hb i)) //; apply: ler_sum => j _; rewrite mulr1.
Qed.
Lemma schur_sums_adj_dom I J (W : J -> I -> R) (a b : R) : 0 <= a -> 0 <= b ->
  (forall j, \sum_i `|W j i| <= a) -> (forall i, \sum_j `|W j i| <= b) -> dom (gram (adj W)) (fun=> a * b).
Proof. by move=> a0 b0 ha hb; apply: gram_adj; [exact: mulr_ge0 | exact: schur_sums_dom]. Qed.

Section Convolution.
Variables (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).
Hypothesis hg : valid_geometry g.
Lemma at_most_one (I : finType) (P : pred I) (x : R) : 0 <= x -> (forall i j, P i -> P j -> i = j) -> \sum_(i | P i) x <= x.
Proof.
move=> x0 h; rewrite sumr_const; have : (#|P| <= 1)%N.
  by apply/card_le1_eqP => i j hi hj; exact: h.
by case: #|P| => [|[|n]] //; rewrite mulr0n.
Qed.
Lemma conv_entry_le o q c p : `|conv2d_matrix K (o, q) (c, p)| <= \sum_(s | pin p == pout q + off s) `|K o c s|.
Proof. exact: ler_norm_sum. Qed.
(* a: at least every sum of |K| over an output channel; b: over an input channel, all taps *)
Lemma schur_taps_dom (a b : R) : 0 <= a -> (forall o, \sum_c \sum_s `|K o c s| <= a) -> (forall c, \sum_o \sum_s `|K o c s| <= b) ->
  dom (gram (conv2d_matrix K)) (fun=> a * b).
Proof.
move=> a0 ha hb; apply: schur_sums_dom => // [[o q]|[c p]].
  apply: le_trans (ha o); rewrite sum_pair; apply: ler_sum => c _.
  apply: le_trans (ler_sum _ (fun p _ => conv_entry_le o q c p)) _.
  rewrite (exchange_big_dep xpredT) //=; apply: ler_sum => s _; apply: at_most_one => [|p p' /eqP h /eqP h']; first exact: normr_ge0.
  by apply: (@pin_inj g); rewrite h h'.
apply: le_trans (hb c); rewrite sum_pair; apply: ler_sum => o _.
apply: le_trans (ler_sum _ (fun q _ => conv_entry_le o q c p)) _.
rewrite (exchange_big_dep xpredT) //=; apply: ler_sum => s _; apply: at_most_one => [|q q' /eqP h /eqP h']; first exact: normr_ge0.
by apply: (pout_inj hg); apply: (addIr (off s)); rewrite -h -h'.
Qed.
Lemma schur_taps_adj_dom (a b : R) : 0 <= a -> 0 <= b -> (forall o, \sum_c \sum_s `|K o c s| <= a) ->
  (forall c, \sum_o \sum_s `|K o c s| <= b) -> dom (gram (adj (conv2d_matrix K))) (fun=> a * b).
Proof. by move=> a0 b0 ha hb; apply: gram_adj; [exact: mulr_ge0 | exact: schur_taps_dom]. Qed.
End Convolution.
End Norms.

(* ---- h x - c W T^-1 sigma(W^T x + b); A is the stored weight, hidden x in *)
Section GeneralResidual.
Variable R : realFieldType.
Definition residual_general (h c : R) (I H : finType) (A : H -> I -> R) (T : H -> R) (b : {ffun H -> R}) s (x : {ffun I -> R}) :=
  h *c x - c *c (adj A *v ((fun j => (T j)^-1) *d act s (A *v x + b))).
Theorem residual_general_lipc (h c k : R) (I H : finType) (A : H -> I -> R) (T : H -> R) (b : {ffun H -> R}) s :
  Num.max `|h| `|h - c| <= k -> slope01 s -> dom (gram (adj A)) T -> lipc k (residual_general h c A T b s).
Proof.
move=> hk hs hA; apply: (lipc_weaken _ hk); first by rewrite le_maxr normr_ge0.
apply: (@general_residual _ _ _ (adj A)) => // j; first by rewrite invr_ge0 (dom_ge0 hA).
by case: (eqVneq (T j) 0) => [->|t0]; [rewrite mulr0 ler01 | rewrite mulVf].
Qed.
Theorem residual_general_lip (h c : R) k (I H : finType) (A : H -> I -> R) (T : H -> R) (b : {ffun H -> R}) s :
  Num.max `|h| `|h - c| <= ratio R k k -> N.leb 1 k -> slope01 s -> dom (gram (adj A)) T -> lip (residual_general h c A T b s).
Proof. by move=> hk k1 hs hA; have := residual_general_lipc b hk hs hA; rewrite /lipc ratio_id // expr1n. Qed.
(* h and c over one denominator, of either sign *)
Section Factors.
Variables h c k d : N.
Hypotheses (d1 : N.leb 1 d) (hk : N.leb h k).
Lemma same_denominator (a b : N) : N.leb a b -> ratio R a d <= ratio R b d.
Proof. by move=> ab; apply: ratio_le => //; apply/N.leb_le/N.mul_le_mono_r/N.leb_le. Qed.
Lemma factors_same : N.leb h (c + k) -> N.leb c (h + k) -> Num.max `|ratio R h d| `|ratio R h d - ratio R c d| <= ratio R k d.
Proof.
move=> h1 h2; rewrite le_maxl norm_ratio same_denominator //= ler_norml ler_subl_addr ler_subr_addr [- _ + _]addrC ler_subl_addr !ratio_add.
by rewrite !same_denominator // N.add_comm.
Qed.
Lemma factors_opposite : N.leb (h + c) k -> Num.max `|ratio R h d| `|ratio R h d - - ratio R c d| <= ratio R k d.
Proof. by move=> h1; rewrite le_maxl norm_ratio same_denominator //= opprK ratio_add norm_ratio same_denominator. Qed.
Lemma factors_negative : N.leb h (c + k) -> N.leb c (h + k) -> Num.max `|- ratio R h d| `|- ratio R h d - - ratio R c d| <= ratio R k d.
Proof. by move=> h1 h2; rewrite -opprD !normrN; exact: factors_same. Qed.
Lemma factors_turned : N.leb (h + c) k -> Num.max `|- ratio R h d| `|- ratio R h d - ratio R c d| <= ratio R k d.
Proof. by move=> h1; rewrite -[X in `|X - _|]opprK opprK -opprD !normrN ratio_add norm_ratio le_maxl norm_ratio !same_denominator. Qed.
End Factors.
End GeneralResidual.

(* ---- Families of orthogonal matrices. A tall matrix X with X^T X <= 1; a wide one is adj X. *)
Section Matrices.
Variable R : realFieldType.
Lemma dom_adj (I J : finType) (W : J -> I -> R) : dom (gram W) (fun=> 1) -> dom (gram (adj W)) (fun=> 1).
Proof. by move=> h; apply: gram_adj; [exact: ler01 | exact: h]. Qed.
Lemma widen_inj n d (e : (n <= d)%N) : injective (widen_ord e).
Proof. by move=> i j [] h; apply: val_inj. Qed.

(* the first columns of the product of the reflections by the columns of V *)
Definition reflections n r (e : (r <= n)%N) (V : 'M[R]_(n, r)) (i : 'I_n) (j : 'I_r) : R :=
  foldr (fun v Q => householder v *m Q) 1%:M [seq col k V | k <- enum 'I_r] i (widen_ord e j).
Theorem reflections_dom n r (e : (r <= n)%N) (V : 'M[R]_(n, r)) : dom (gram (reflections e V)) (fun=> 1).
Proof.
have [h _] := orthogonal_householder [seq col k V | k <- enum 'I_r] (@widen_inj _ _ e).
by apply: eq_dom h => i j; apply: eq_bigr => k _; rewrite !mxE.
Qed.

(* the first columns of the Cayley transform of a skew matrix *)
Definition skew_cayley n r (e : (r <= n)%N) (L : 'M[R]_n) (i : 'I_n) (j : 'I_r) : R :=
  (invmx (1%:M + (L - L^T)) *m (1%:M - (L - L^T))) i (widen_ord e j).
Theorem skew_cayley_dom n r (e : (r <= n)%N) (L : 'M[R]_n) : dom (gram (skew_cayley e L)) (fun=> 1).
Proof.
have sk : (L - L^T)^T = - (L - L^T) by rewrite trB trmxK opprB.
exact: (dom_columns (@widen_inj _ _ e) (orthonormal_dom (cayley_skew_orthonormal sk))).
Qed.

(* rows and columns of I - 2 V (V^T V + e m I)^-1 V^T, m the mean of the diagonal of V^T V *)
Definition bro_part n k rows columns (er : (rows <= n)%N) (ec : (columns <= n)%N) (V : 'M[R]_(n, k)) (e : R) (i : 'I_rows) (j : 'I_columns) : R :=
  bro V (e * (\tr (V^T *m V) / k%:R)) (widen_ord er i) (widen_ord ec j).
Theorem bro_part_dom n k rows columns (er : (rows <= n)%N) (ec : (columns <= n)%N) (V : 'M[R]_(n, k)) (e : R) : 0 < e ->
  dom (gram (bro_part er ec V e)) (fun=> 1).
Proof.
move=> e0; pose m := e * (\tr (V^T *m V) / k%:R).
suff h : dom (gram (bro V m)) (fun=> 1).
  exact: (dom_rows (@widen_inj _ _ er) (dom_columns (@widen_inj _ _ ec) h)).
have sq : \tr (V^T *m V) = \sum_i \sum_j V j i ^+ 2.
  by apply: eq_bigr => i _; rewrite mxE; apply: eq_bigr => j _; rewrite mxE.
have t0 : 0 <= \tr (V^T *m V) by rewrite sq; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _; exact: sqr_ge0.
case: (eqVneq (\tr (V^T *m V)) 0) => [t|t].
  have V0 : V = 0.
    apply/matrixP => j i; rewrite mxE; apply/eqP; rewrite -sqrf_eq0.
    move: t => /eqP; rewrite sq psumr_eq0 => [/allP /(_ i (mem_index_enum i)) /=|i' _]; last by apply: sumr_ge0 => j' _; exact: sqr_ge0.
    by rewrite psumr_eq0 => [/allP /(_ j (mem_index_enum j)) //|j' _]; exact: sqr_ge0.
  have -> : bro V m = 1%:M by rewrite /bro V0 !mul0mx scaler0 subr0.
  by apply: orthonormal_dom; rewrite /orthonormal trmx1 mulmx1.
have k0 : (0 < k)%N.
  by case: k V m sq t0 t => // V m sq _; rewrite sq big_ord0 eqxx.
have m0 : 0 < m by rewrite mulr_gt0 // divr_gt0 ?ltr0n // lt_def t.
exact: (bro_dom (ltW m0) (bro_unit V m0)).
Qed.

(* steps from s W, |s W|^2 <= c <= 4 *)
Definition bjorck_steps (I J : finType) steps (s : R) (W : J -> I -> R) : J -> I -> R := iter steps (@bjorck R I J) (fun j i => s * W j i).
Theorem bjorck_steps_dom (I J : finType) steps (s : R) (W : J -> I -> R) (lam : R) (c : nat) : (0 < steps)%N -> (c <= 4)%N ->
  dom (gram W) (fun=> lam) -> s ^+ 2 * lam <= c%:R -> dom (gram (bjorck_steps steps s W)) (fun=> 1).
Proof.
move=> st c4 h hs; apply: (@contraction_bjorck _ _ _ _ 2%:R) => //; first exact: ler0n.
have h1 : dom (gram (fun j i => s * W j i)) (fun=> s ^+ 2 * lam).
  move=> v; have e : forall i j, gram (fun j i => s * W j i) i j = s ^+ 2 * gram W i j.
    by move=> i j; rewrite /gram mulr_sumr; apply: eq_bigr => l _; rewrite mulrACA -expr2.
  rewrite (eq_quad v e) quadZ; apply: le_trans (ler_wpmul2l (sqr_ge0 s) (h v)) _.
  by rewrite mulr_sumr; apply: ler_sum => i _; rewrite mulrA.
apply: dom_mono h1 => _; apply: le_trans hs _; have -> : 2%:R ^+ 2 = 4%:R :> R by ring.
by rewrite ler_nat.
Qed.

(* the transpose of L^-1 W *)
Definition whitened m n (W : 'M[R]_(m, n)) (L : 'M[R]_m) : 'I_n -> 'I_m -> R := adj (invmx L *m W : 'I_m -> 'I_n -> R).
Theorem whitened_dom m n (W : 'M[R]_(m, n)) (L : 'M[R]_m) a b : L \in unitmx ->
  L *m L^T = W *m W^T + (ratio R a b)%:M -> dom (gram (whitened W L)) (fun=> 1).
Proof. by move=> u h; apply: dom_adj; apply: contraction_cholesky u h; exact: ratio_ge0. Qed.
(* Gram-Schmidt: columns that are orthogonal to each other, of norm 1 or 0 *)
Theorem gram_schmidt_dom (I J : finType) (Q : J -> I -> R) : (forall i k, i != k -> gram Q i k = 0) -> (forall i, gram Q i i <= 1) ->
  dom (gram Q) (fun=> 1).
Proof.
move=> h0 h1; apply: (@gersh _ _ _ (fun=> 1)) => [i j|i|i]; [exact: gramC | exact: ltr01 |].
rewrite mulr1 (bigD1 i) //= big1 => [|j ji]; last by rewrite h0 1?eq_sym // normr0 mul0r.
by rewrite addr0 mulr1 ger0_norm //; apply: sumr_ge0 => j _; rewrite -expr2 sqr_ge0.
Qed.

(* ---- Sandwich: [A B] the Cayley transform, out x (out + in); A^T (d . sigma(e . B x + b)) *)
Section Sandwich.
Variables (n m : nat) (U : 'M[R]_n) (V : 'M[R]_(m, n)).
Let Q := cayley_wide (erefl (n + m)%N) U V.
Definition sandwich_first (h : 'I_n) (j : 'I_n) : R := Q h (lshift m j).
Definition sandwich_second (h : 'I_n) (i : 'I_m) : R := Q h (rshift n i).
Lemma sandwich_blocks_dom : dom (fun h k => gram (adj sandwich_first) h k + gram (adj sandwich_second) h k) (fun=> 1).
Proof.
apply: eq_dom (cayley_wide_adj_dom (erefl (n + m)%N) U V) => h k.
by rewrite /gram big_split_ord.
Qed.
End Sandwich.
Definition sandwiched (I J H : finType) (A : H -> J -> R) (B : H -> I -> R) (b : {ffun H -> R}) (d e : H -> R) s (x : {ffun I -> R}) :
  {ffun J -> R} := adj A *v (d *d act s (e *d (B *v x) + b)).
Theorem sandwiched_lip (I J H : finType) (A : H -> J -> R) (B : H -> I -> R) (b : {ffun H -> R}) (d e : H -> R) s :
  dom (fun h k => gram (adj A) h k + gram (adj B) h k) (fun=> 1) -> slope01 s ->
  (forall h, 0 < d h) -> (forall h, 0 < e h) -> (forall h, d h * e h <= 2%:R) -> lip (sandwiched A B b d e s).
Proof. by move=> h hs d0 e0 de; exact: sandwich. Qed.

(* A linear map of norm at most 1 as a whole *)
Definition contracted (I J : finType) (Q : J -> I -> R) (b : {ffun J -> R}) (x : {ffun I -> R}) : {ffun J -> R} := Q *v x + b.
Theorem contracted_lip (I J : finType) (Q : J -> I -> R) (b : {ffun J -> R}) : dom (gram Q) (fun=> 1) -> lip (contracted Q b).
Proof. exact: linear_lip. Qed.
End Matrices.

(* ---- exp by its series, squared `squarings` times, as a matrix: column i is what becomes of unit vector i *)
Section Exponential.
Variables (R : realFieldType) (I : finType).
Implicit Types (f : {ffun I -> R} -> {ffun I -> R}) (x y : {ffun I -> R}).
Definition matrix_of f (j i : I) : R := f [ffun k => (k == i)%:R] j.
Lemma matrix_ofE f x : (forall x y, f (x - y) = f x - f y) -> (forall a x, f (a *c x) = a *c f x) -> matrix_of f *v x = f x.
Proof.
move=> fB fZ; have f0 : f 0 = 0 by have := fB 0 0; rewrite !subrr.
have fD y z : f (y + z) = f y + f z.
  by have := fB y (0 - z); rewrite (fB 0 z) f0 !sub0r !opprK.
have e : x = \sum_i x i *c [ffun k => (k == i)%:R].
  apply/ffunP => j; rewrite sum_ffunE (bigD1 j) //= big1 => [|k kj]; first by rewrite !ffunE eqxx mulr1 addr0.
  by rewrite !ffunE eq_sym (negbTE kj) mulr0.
rewrite [in RHS]e (big_morph f fD f0); apply/ffunP => j; rewrite sum_ffunE ffunE.
by apply: eq_bigr => i _; rewrite fZ !ffunE mulrC.
Qed.
Definition exponential (A : I -> I -> R) degree squarings : I -> I -> R := matrix_of (iter (2 ^ squarings) (truncated_exp A degree)).
(* s W - its transpose, s W of bound lam: A of the series is this over 2^squarings *)
Theorem exponential_dom (A : I -> I -> R) (degree squarings : nat) (w lam : R) : (forall i j, A j i = - A i j) ->
  exponential_window R degree = Some w -> lam <= w -> dom (gram A) (fun=> lam) -> dom (gram (exponential A degree squarings)) (fun=> 1).
Proof.
move=> sk hw lw h; have hl := orthogonal_exponential squarings sk hw lw h.
have tB x y : truncated_exp A degree (x - y) = truncated_exp A degree x - truncated_exp A degree y by rewrite truncated_exp_sub.
have tZ a x : truncated_exp A degree (a *c x) = a *c truncated_exp A degree x.
  rewrite /truncated_exp; apply/ffunP => j; rewrite !ffunE !sum_ffunE mulr_sumr; apply: eq_bigr => k _.
  by rewrite powerZ !ffunE mulrCA.
apply: lips_dom; apply: eq_lips hl => x; rewrite /exponential matrix_ofE // => [y z|a y].
  by elim: (2 ^ squarings)%N => //= n ->; rewrite tB.
by elim: (2 ^ squarings)%N => //= n ->; rewrite tZ.
Qed.
End Exponential.
(* W skew, s such that |s W / 2^squarings|^2 is in the window of the degree *)
Section SkewSeries.
Variables (R : realFieldType) (n : nat).
Definition skew_series degree squarings (s : R) (L : 'M[R]_n) (i j : 'I_n) : R :=
  exponential (fun i j => s / (2 ^ squarings)%:R * (L - L^T) i j) degree squarings i j.
Theorem skew_series_dom degree squarings (s lam : R) (L : 'M[R]_n) : isSome (exponential_window R degree) ->
  dom (gram (L - L^T)) (fun=> lam) -> (s / (2 ^ squarings)%:R) ^+ 2 * lam <= odflt 0 (exponential_window R degree) ->
  dom (gram (skew_series degree squarings s L)) (fun=> 1).
Proof.
case hw: exponential_window => [w|] //= _ h hs; set a := s / _ in hs *.
apply: (@exponential_dom _ _ _ _ _ w (a ^+ 2 * lam)) => // [i j|].
  by rewrite !mxE -mulrN opprB.
move=> v; have e : forall i j, gram (fun i j => a * (L - L^T) i j) i j = a ^+ 2 * gram (L - L^T) i j.
  by move=> i j; rewrite /gram mulr_sumr; apply: eq_bigr => l _; rewrite mulrACA -expr2.
rewrite (eq_quad v e) quadZ; apply: le_trans (ler_wpmul2l (sqr_ge0 a) (h v)) _.
by rewrite mulr_sumr; apply: ler_sum => i _; rewrite mulrA.
Qed.
Definition part_of rows columns (er : (rows <= n)%N) (ec : (columns <= n)%N) (Q : 'I_n -> 'I_n -> R) (i : 'I_rows) (j : 'I_columns) : R :=
  Q (widen_ord er i) (widen_ord ec j).
Lemma part_of_dom rows columns (er : (rows <= n)%N) (ec : (columns <= n)%N) (Q : 'I_n -> 'I_n -> R) :
  dom (gram Q) (fun=> 1) -> dom (gram (part_of er ec Q)) (fun=> 1).
Proof. by move=> h; exact: (dom_rows (@widen_inj _ _ er) (dom_columns (@widen_inj _ _ ec) h)). Qed.
End SkewSeries.
