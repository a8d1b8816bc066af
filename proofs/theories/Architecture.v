(* What the output of `lip prove --coq` is made of: rational constants, the ways to dominate a Gram matrix, and the layers
   that Layers.v lacks. Every theorem holds for all parameters; a root is a witness (s with s^2 T <= 1), as everywhere here. *)
From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Structure Sorting Conv Image Orthogonal Operators Rules Layers.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- Rational constants n / d, with n and d in binary: decided by computation at any size. *)
Section Ratio.
Variable R : realFieldType.
Definition ratio (n d : N) : R := (nat_of_bin n)%:R / (nat_of_bin d)%:R.
Lemma nat_of_bin_le (x y : N) : N.leb x y -> (nat_of_bin x <= nat_of_bin y)%N.
Proof. by move=> /N.leb_le h; rewrite -(N.sub_add x y h) nat_of_add_bin leq_addl. Qed.
Lemma denominator_gt0 d : N.leb 1 d -> 0 < (nat_of_bin d)%:R :> R.
Proof. by move=> /nat_of_bin_le h; rewrite ltr0n. Qed.
Lemma ratio_ge0 n d : 0 <= ratio n d.
Proof. by rewrite divr_ge0 ?ler0n. Qed.
Lemma ratio_mul n d n' d' : ratio n d * ratio n' d' = ratio (n * n') (d * d').
Proof. by rewrite /ratio mulf_div -!natrM -!nat_of_mul_bin. Qed.
Lemma ratio_add n d n' : ratio n d + ratio n' d = ratio (n + n') d.
Proof. by rewrite /ratio -mulrDl -natrD -nat_of_add_bin. Qed.
Lemma ratio_id d : N.leb 1 d -> ratio d d = 1.
Proof. by move=> /denominator_gt0 h; rewrite /ratio divff ?gt_eqF. Qed.
Lemma ratio_le n d n' d' : N.leb 1 d -> N.leb 1 d' -> N.leb (n * d') (n' * d) -> ratio n d <= ratio n' d'.
Proof.
move=> /denominator_gt0 h /denominator_gt0 h' /nat_of_bin_le; rewrite !nat_of_mul_bin => e.
by rewrite /ratio ler_pdivr_mulr // mulrAC ler_pdivl_mulr // -!natrM ler_nat.
Qed.
Lemma ratio_le1 n d : N.leb 1 d -> N.leb n d -> ratio n d <= 1.
Proof. by move=> h e; rewrite -(ratio_id h); apply: ratio_le => //; rewrite N.mul_comm; apply/N.leb_le/N.mul_le_mono_l/N.leb_le. Qed.
Lemma ratio_ge1 n d : N.leb 1 d -> N.leb d n -> 1 <= ratio n d.
Proof. by move=> h e; rewrite -(ratio_id h); apply: ratio_le => //; rewrite [X in N.leb _ X]N.mul_comm; apply/N.leb_le/N.mul_le_mono_l/N.leb_le. Qed.
End Ratio.

(* ---- Diagonals T and their proofs of `dom (gram M) T`: M is the matrix of the layer or its transpose. *)
Section Dominance.
Variable R : realFieldType.
Section Combinators.
Variables (I J : finType) (M : J -> I -> R).
Definition shifted (T : I -> R) (eps : R) : I -> R := fun i => T i + eps.
Definition larger (T T' : I -> R) : I -> R := fun i => Num.max (T i) (T' i).
Definition enlarged (a : R) (T : I -> R) : I -> R := fun i => a * T i.
Definition added (T T' : I -> R) : I -> R := fun i => T i + T' i.
Definition row_sums : I -> R := fun i => \sum_j `|gram M i j|.
Definition weighted_row_sums (q : I -> R) : I -> R := fun i => \sum_j `|gram M i j| * q j / q i.

Lemma row_sums_dom : dom (gram M) row_sums.
Proof. by have h := aol_dom M (lexx 0); move=> v; apply: le_trans (h v) _; apply: ler_sum => i _; rewrite addr0. Qed.
Lemma weighted_row_sums_dom (q : I -> R) : (forall i, 0 < q i) -> dom (gram M) (weighted_row_sums q).
Proof. exact: sll_dom. Qed.
Lemma dom_ge0 (T : I -> R) : dom (gram M) T -> forall i, 0 <= T i.
Proof.
move=> /dom_gram h i; have := h [ffun k => (k == i)%:R]; rewrite [X in _ <= X](bigD1 i) //= big1 => [|k ki].
  by rewrite ffunE eqxx expr1n mulr1 addr0; apply: le_trans; exact: sqn_ge0.
by rewrite ffunE (negbTE ki) expr0n mulr0.
Qed.
Lemma shifted_dom (T : I -> R) n d : dom (gram M) T -> dom (gram M) (shifted T (ratio R n d)).
Proof. by apply: dom_shift; exact: ratio_ge0. Qed.
Lemma larger_dom (T T' : I -> R) : dom (gram M) T -> dom (gram M) (larger T T').
Proof. exact: dominance_max. Qed.
Lemma enlarged_dom (a : R) (T : I -> R) : 1 <= a -> dom (gram M) T -> dom (gram M) (enlarged a T).
Proof. by move=> a1 h; apply: dom_scaled => //; exact: dom_ge0. Qed.
(* A mix is built up as shares a of the Gram matrix that T accounts for; the shares add up to 1. *)
Definition share (a : R) (T : I -> R) : Prop := forall v, a * quad (gram M) v <= \sum_i T i * v i ^+ 2.
Lemma share_one n d (T : I -> R) : dom (gram M) T -> share (ratio R n d) (enlarged (ratio R n d) T).
Proof.
move=> h v; apply: le_trans (ler_wpmul2l (ratio_ge0 R n d) (h v)) _.
by rewrite mulr_sumr; apply: ler_sum => i _; rewrite mulrA.
Qed.
Lemma share_add n n' d (T T' : I -> R) : share (ratio R n d) T -> share (ratio R n' d) T' ->
  share (ratio R (n + n') d) (added T T').
Proof.
move=> h h' v; rewrite -ratio_add mulrDl; apply: le_trans (ler_add (h v) (h' v)) _.
by rewrite -big_split /=; apply: ler_sum => i _; rewrite /added mulrDl.
Qed.
Lemma share_dom n d (T : I -> R) : share (ratio R n d) T -> N.eqb n d -> N.leb 1 d -> dom (gram M) T.
Proof. by move=> h /N.eqb_eq e d1 v; have := h v; rewrite e ratio_id // mul1r. Qed.

(* Gram iteration, lam = 0 included (the zero matrix). *)
Lemma dom_limit (T : R) : (forall e, 0 < e -> dom (gram M) (fun=> T + e)) -> dom (gram M) (fun=> T).
Proof.
move=> h v; rewrite sum_const; apply/ler_addgt0Pr => e e0.
have p : 0 < 1 + sqn v by rewrite ltr_paddr ?ltr01 ?sqn_ge0.
have := h (e / (1 + sqn v)) (divr_gt0 e0 p) v; rewrite sum_const mulrDl => h1; apply: le_trans h1 _.
by rewrite ler_add2l mulrAC ler_pdivr_mulr // ler_pmul2l // ler_addr ler01.
Qed.
Theorem iterated_dom (k : nat) (lam : R) : 0 <= lam ->
  frob (iter k (@square R I) (gram M)) <= (lam ^+ (2 ^ k)) ^+ 2 -> dom (gram M) (fun=> lam).
Proof.
move=> l0 h; apply: dom_limit => e e0; have lle : lam <= lam + e by rewrite ler_addl ltW.
apply: (@gram_iteration _ _ _ _ k); first by rewrite ltr_paddl.
by apply: le_trans h _; rewrite !ler_expn2r ?nnegrE ?exprn_ge0 // (le_trans l0).
Qed.
End Combinators.

(* Convolutions, at every image size. *)
Section Convolution.
Variables (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).
Definition on_channels (A P : finType) (T : A -> R) : A * P -> R := fun i => T i.1.
Definition weighted_tap_sums (q : C -> R) : C -> R :=
  fun c => \sum_c' (\sum_(d <- shifts g) `|kernel_gram K c c' d|) * q c' / q c.
Definition weighted_hidden_tap_sums (q : O -> R) : O -> R :=
  fun o => \sum_o' (\sum_(d <- shifts g) `|kernel_hidden_gram K o o' d|) * q o' / q o.
Definition tap_sums : C -> R := fun c => \sum_c' \sum_(d <- shifts g) `|kernel_gram K c c' d|.
Definition hidden_tap_sums : O -> R := fun o => \sum_o' \sum_(d <- shifts g) `|kernel_hidden_gram K o o' d|.
Hypothesis hg : valid_geometry g.
Let W := conv2d_matrix K.
Lemma weighted_tap_sums_dom (q : C -> R) : (forall c, 0 < q c) -> dom (gram W) (on_channels (weighted_tap_sums q)).
Proof. exact: gershgorin_lattice hg. Qed.
Lemma weighted_hidden_tap_sums_dom (q : O -> R) : (forall o, 0 < q o) ->
  dom (gram (adj W)) (on_channels (weighted_hidden_tap_sums q)).
Proof. exact: gershgorin_lattice_adj hg. Qed.
Lemma tap_sums_dom : dom (gram W) (on_channels tap_sums).
Proof.
apply: (@conv2d_gersh _ _ _ _ _ (fun=> 1) tap_sums hg) => [c|c]; first exact: ltr01.
by rewrite mulr1; apply: ler_sum => c' _; rewrite mulr1.
Qed.
Lemma hidden_tap_sums_dom : dom (gram (adj W)) (on_channels hidden_tap_sums).
Proof.
apply: (@conv2d_adj_gersh _ _ _ _ _ (fun=> 1) hidden_tap_sums hg) => [c|c]; first exact: ltr01.
by rewrite mulr1; apply: ler_sum => c' _; rewrite mulr1.
Qed.
Definition taps : R := (ker_h g * ker_w g)%:R.
Lemma reshaped_dom (lam : R) : 0 <= lam -> dom (gram (reshaped K)) (fun=> lam) -> dom (gram W) (fun=> taps * lam).
Proof. exact: conv2d_reshaped hg. Qed.
Lemma reshaped_adj_dom (lam : R) : 0 <= lam -> dom (gram (reshaped K)) (fun=> lam) ->
  dom (gram (adj W)) (fun=> taps * lam).
Proof. by move=> l0 h; apply: gram_adj; [rewrite mulr_ge0 ?ler0n | exact: reshaped_dom]. Qed.
End Convolution.

(* Any matrix [U; V] made orthogonal by Cayley (the stored weight is a multiple of [U; V]): columns, or rows when wide. *)
Section CayleyMatrix.
Variables (n m d : nat) (e : (n + m)%N = d) (U : 'M[R]_n) (V : 'M[R]_(m, n)).
Definition cayley_tall (i : 'I_d) (j : 'I_n) : R := cayley (U - U^T + V^T *m V) V (cast_ord (esym e) i) j.
Definition cayley_wide : 'I_n -> 'I_d -> R := adj cayley_tall.
Lemma cayley_tall_dom : dom (gram cayley_tall) (fun=> 1).
Proof.
have [h _] := orthogonal_cayley U V; apply: eq_dom h => i j; rewrite /gram /cayley_tall.
case: _ / e; by apply: eq_bigr => k _; rewrite cast_ord_id.
Qed.
Lemma cayley_tall_adj_dom : dom (gram (adj cayley_tall)) (fun=> 1).
Proof. by apply: gram_adj; [exact: ler01 | exact: cayley_tall_dom]. Qed.
Lemma cayley_wide_dom : dom (gram cayley_wide) (fun=> 1).
Proof. exact: cayley_tall_adj_dom. Qed.
Lemma cayley_wide_adj_dom : dom (gram (adj cayley_wide)) (fun=> 1).
Proof. exact: cayley_tall_dom. Qed.
End CayleyMatrix.
End Dominance.

(* (channel, height, width) in the order of `flatten` *)
Section FlatIndex.
Variables c h w : nat.
Lemma flat_lt (i : 'I_c * ('I_h * 'I_w)) : ((i.1 * h + i.2.1) * w + i.2.2 < c * h * w)%N.
Proof.
case: i => [[i hi] [[j hj] [k hk]]] /=.
have step a b m n : (a < m -> b < n -> a * n + b < m * n)%N.
  by move=> ha hb; apply: leq_trans (_ : a.+1 * n <= _)%N; rewrite ?leq_mul2r ?ha ?orbT // mulSn addnC ltn_add2r.
by apply: (step) => //; exact: (step).
Qed.
Definition flat (i : 'I_c * ('I_h * 'I_w)) : 'I_(c * h * w) := Ordinal (flat_lt i).
Lemma flat_inj : injective flat.
Proof.
move=> [i [j k]] [i' [j' k']] [] /= e.
have hw : (0 < w)%N by apply: leq_ltn_trans (ltn_ord k).
have hh : (0 < h)%N by apply: leq_ltn_trans (ltn_ord j).
have ek : val k = val k'.
  by have := congr1 (modn^~ w) e; rewrite !modnMDl !modn_small.
have e2 : (i * h + j = i' * h + j')%N by move: e; rewrite ek => /addIn /eqP; rewrite eqn_pmul2r // => /eqP.
have ej : val j = val j'.
  by have := congr1 (modn^~ h) e2; rewrite !modnMDl !modn_small.
have ei : val i = val i' by move: e2; rewrite ej => /addIn /eqP; rewrite eqn_pmul2r // => /eqP.
by rewrite (val_inj ei) (val_inj ej) (val_inj ek).
Qed.
Lemma unflat_channel (i : 'I_(c * h * w)) : (i %/ w %/ h < c)%N.
Proof.
have := ltn_ord i; move: (nat_of_ord i) => k; case: (posnP w) => [->|w0]; first by rewrite muln0.
by case: (posnP h) => [->|h0]; rewrite ?muln0 // !ltn_divLR.
Qed.
Lemma unflat_row (i : 'I_(c * h * w)) : (i %/ w %% h < h)%N.
Proof. by rewrite ltn_mod; have := ltn_ord i; move: (nat_of_ord i) => k; case: h => [|//]; rewrite muln0. Qed.
Lemma unflat_column (i : 'I_(c * h * w)) : (i %% w < w)%N.
Proof. by rewrite ltn_mod; have := ltn_ord i; move: (nat_of_ord i) => k; case: w => [|//]; rewrite muln0. Qed.
Definition unflat (i : 'I_(c * h * w)) : 'I_c * ('I_h * 'I_w) :=
  (Ordinal (unflat_channel i), (Ordinal (unflat_row i), Ordinal (unflat_column i))).
Lemma unflat_inj : injective unflat.
Proof.
by move=> i j [e1 e2 e3]; apply: val_inj; rewrite /= (divn_eq i w) (divn_eq (i %/ w) h) e1 e2 e3 -!divn_eq.
Qed.
End FlatIndex.

Section Layers.
Variable R : realFieldType.

Section Chain.
Variables (I J K : finType) (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) (c : R).
Lemma lip_lipc : lip f -> lipc c g -> lipc c (g \o f).
Proof. by move=> hf hg; rewrite -[c]mulr1; apply: lipc_comp hg; rewrite /lipc expr1n. Qed.
Lemma lipc_lip : lipc c f -> lip g -> lipc c (g \o f).
Proof. by move=> hf hg; rewrite -[c]mul1r; apply: (lipc_comp hf); rewrite /lipc expr1n. Qed.
End Chain.
(* `scale`: every divisor is at least m in absolute value *)
Definition scale (C P : finType) (d : C -> R) (x : {ffun C * P -> R}) := (fun i => (d i.1)^-1) *d x.
Theorem scale_lipc (C P : finType) (d : C -> R) n m : N.leb 1 n -> N.leb 1 m -> (forall i, ratio R n m <= `|d i|) ->
  lipc (ratio R m n) (@scale C P d).
Proof.
move=> n1 m1 h; have -> : ratio R m n = (ratio R n m)^-1 by rewrite /ratio invf_div.
by apply: (divide (d := fun i : C * P => d i.1)) => //; rewrite divr_gt0 ?denominator_gt0.
Qed.

(* flatten in the order (channel, height, width) *)
Definition flatten_image c h w n (e : (c * h * w)%N = n) (x : {ffun 'I_c * ('I_h * 'I_w) -> R}) : {ffun 'I_n -> R} :=
  [ffun i => x (unflat (cast_ord (esym e) i))].
Theorem flatten_image_lip c h w n (e : (c * h * w)%N = n) : lip (flatten_image e).
Proof. by apply: reindex_lip => i j /unflat_inj /cast_ord_inj. Qed.

(* a layer of channels, on plain features; with the number of channels written in another way *)
Definition on_features n m (f : {ffun 'I_n * unit -> R} -> {ffun 'I_m * unit -> R}) (x : {ffun 'I_n -> R}) : {ffun 'I_m -> R} :=
  [ffun i => f [ffun p => x p.1] (i, tt)].
Lemma on_features_lipc n m c f : lipc c f -> lipc c (@on_features n m f).
Proof.
move=> hf; have i1 : injective (fun p : 'I_n * unit => p.1) by move=> [a []] [b []] /= ->.
have i2 : injective (fun i : 'I_m => (i, tt)) by move=> a b [].
by apply: eq_lips (lipc_lip (lip_lipc (reindex_lip i1) hf) (reindex_lip i2)) => x; apply/ffunP => i; rewrite !ffunE.
Qed.
Lemma on_features_lip n m f : lip f -> lip (@on_features n m f).
Proof. by move=> h; have := @on_features_lipc n m 1 f; rewrite /lipc expr1n; apply. Qed.
Definition cast_channels (P : finType) n m (e : n = m) (f : {ffun 'I_n * P -> R} -> {ffun 'I_n * P -> R})
  (x : {ffun 'I_m * P -> R}) : {ffun 'I_m * P -> R} :=
  [ffun i => f [ffun j => x (cast_ord e j.1, j.2)] (cast_ord (esym e) i.1, i.2)].
Lemma cast_channels_lip (P : finType) n m (e : n = m) f : lip f -> lip (@cast_channels P n m e f).
Proof.
move=> hf; have i1 : injective (fun j : 'I_n * P => (cast_ord e j.1, j.2)).
  by move=> [a p] [b r] [] /= ab ->; rewrite (val_inj ab : a = b).
have i2 : injective (fun i : 'I_m * P => (cast_ord (esym e) i.1, i.2)).
  by move=> [a p] [b r] [] /= ab ->; rewrite (val_inj ab : a = b).
by apply: eq_lips (lip_comp (lip_comp (reindex_lip i1) hf) (reindex_lip i2)) => x; apply/ffunP => i; rewrite !ffunE.
Qed.
Definition maxmin_adjacent (P : finType) c : {ffun 'I_c * P -> R} -> {ffun 'I_c * P -> R} :=
  @maxmin R _ (@adjacent P c) (fun i => ~~ odd i.1).
Definition maxmin_halves (P : finType) h : {ffun 'I_(h + h) * P -> R} -> {ffun 'I_(h + h) * P -> R} :=
  @maxmin R _ (@halves P h) (fun i => if split i.1 is inl _ then true else false).

(* elementwise activations *)
Lemma abs_lip (I : finType) : lip (@act R I (fun a => `|a|)).
Proof.
have h : Activation.slope 1 (fun a : R => `|a|).
  by have := slope_in_slope (@abs_slope_in R); rewrite normrN normr1 max_l.
by have := @act_lipc R I _ _ h; rewrite /lipc expr1n.
Qed.
Lemma leaky_relu_slope (a : R) : 0 <= a -> a <= 1 -> slope01 (leaky_relu a).
Proof.
move=> a0 a1; apply: slope_in_slope01 (leaky_relu_slope_in a); first by rewrite le_minr ler01.
by rewrite le_maxl lexx.
Qed.
Lemma leaky_relu_lipc (I : finType) (a k : R) : 1 <= k -> `|a| <= k -> lipc k (@act R I (leaky_relu a)).
Proof.
move=> k1; rewrite ler_norml => /andP [ak ka]; have k0 : 0 <= k by exact: le_trans ler01 k1.
have h : slope_in (- k) k (leaky_relu a).
  move=> x y xy; have /andP [h1 h2] := leaky_relu_slope_in a xy; have d0 : 0 <= y - x by rewrite subr_ge0.
  rewrite (le_trans _ h1) ?(le_trans h2) ?ler_wpmul2r ?le_maxl ?k1 ?ka //.
  by rewrite le_minr ak andbT (le_trans _ ler01) // oppr_le0.
by apply: act_lipc; have := slope_in_slope h; rewrite normrN max_l // ger0_norm.
Qed.
Lemma leaky_relu_lip (I : finType) (a : R) : `|a| <= 1 -> lip (@act R I (leaky_relu a)).
Proof. by move=> h; have := @leaky_relu_lipc I a 1 (lexx 1) h; rewrite /lipc expr1n. Qed.
Lemma norm_ratio n d : `|ratio R n d| = ratio R n d.
Proof. by rewrite ger0_norm // ratio_ge0. Qed.

(* `residual`, any rescaling; A is the stored weight, hidden x in *)
Theorem residual_dom_lip (I H : finType) (A : H -> I -> R) (T : H -> R) (b : {ffun H -> R}) s :
  slope01 s -> dom (gram (adj A)) T -> lip (residual_dense A T b s).
Proof. by move=> hs h; apply: residual_dense_lip => //; exact: dom_ge0 h. Qed.
(* `dense` and `conv`: s^2 T <= 1 *)
Definition linear_in (I J : finType) (W : J -> I -> R) (s : I -> R) (b : {ffun J -> R}) (x : {ffun I -> R}) := W *v (s *d x) + b.
Definition linear_out (I J : finType) (W : J -> I -> R) (s : J -> R) (b : {ffun J -> R}) (x : {ffun I -> R}) := s *d (W *v x) + b.
Theorem linear_in_lip (I J : finType) (W : J -> I -> R) (s T : I -> R) (b : {ffun J -> R}) :
  (forall i, s i ^+ 2 * T i <= 1) -> dom (gram W) T -> lip (linear_in W s b).
Proof. exact: linear_scaled_lip. Qed.
Theorem linear_out_lip (I J : finType) (W : J -> I -> R) (s T : J -> R) (b : {ffun J -> R}) :
  (forall j, s j ^+ 2 * T j <= 1) -> dom (gram (adj W)) T -> lip (linear_out W s b).
Proof. exact: linear_scaled_out_lip. Qed.

(* a kernel whose reshaped matrix is W (out x in.kh.kw) *)
Definition kernel_of o c (g : geometry) n (e : (c * ker_h g * ker_w g)%N = n) (W : 'I_o -> 'I_n -> R)
  (i : 'I_o) (j : 'I_c) (s : tap g) : R := W i (cast_ord e (flat (j, s))).
Lemma kernel_of_dom o c (g : geometry) n (e : (c * ker_h g * ker_w g)%N = n) (W : 'I_o -> 'I_n -> R) (lam : R) :
  dom (gram W) (fun=> lam) -> dom (gram (reshaped (kernel_of e W))) (fun=> lam).
Proof.
move=> h; have fi : injective (fun cs : 'I_c * tap g => cast_ord e (flat cs)).
  by move=> a b /cast_ord_inj /flat_inj.
by have := dom_columns fi h; apply: eq_dom => -[i s] [j t].
Qed.

(* chains *)
Definition repeated (I : finType) (f : nat -> {ffun I -> R} -> {ffun I -> R}) n x := foldl (fun z k => f k z) x (iota 0 n).
Lemma repeated_lip (I : finType) (f : nat -> {ffun I -> R} -> {ffun I -> R}) n : (forall k, lip (f k)) -> lip (repeated f n).
Proof.
move=> hf; rewrite /repeated; elim: n {1}0%N => [|n ih] a; first exact: lip_id.
exact: (lip_comp (hf a) (ih a.+1)).
Qed.
Lemma lipc_weaken (I J : finType) (a b : R) (f : {ffun I -> R} -> {ffun J -> R}) : 0 <= a -> a <= b -> lipc a f -> lipc b f.
Proof. by move=> a0 ab; apply: lips_weaken; rewrite ler_expn2r ?nnegrE // (le_trans a0). Qed.
Lemma lip_weaken (I J : finType) (b : R) (f : {ffun I -> R} -> {ffun J -> R}) : 1 <= b -> lip f -> lipc b f.
Proof. by move=> b1; apply: lips_weaken; rewrite -(expr1n _ 2) ler_expn2r ?nnegrE ?ler01 // (le_trans ler01). Qed.
End Layers.
