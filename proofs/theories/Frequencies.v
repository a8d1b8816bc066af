(* Matrices of norm at most 1 made of the symbol of a kernel at every frequency, as `lip prove --coq` writes them: Cayley, block reflectors and
   whitening; sandwich layers of images. *)
From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Structure Sandwich Orthogonal Operators Fourier Whitening Rules Architecture Branching Families Spectra.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Lemma ratio_gt0 (R : realFieldType) n d : N.leb 1 n -> N.leb 1 d -> 0 < ratio R n d.
Proof. by move=> hn hd; rewrite divr_gt0 ?denominator_gt0. Qed.

(* ---- Matrices over any finite index types *)
Section Matrices.
Variable R : realFieldType.
Implicit Types A B : finType.
Definition mx_of A B (W : B -> A -> R) : 'M[R]_(#|B|, #|A|) := \matrix_(i, j) W (enum_val i) (enum_val j).
Lemma ranked_dom A B (X : 'I_#|B| -> 'I_#|A| -> R) : dom (gram X) (fun=> 1) -> dom (gram (fun (b : B) (a : A) => X (enum_rank b) (enum_rank a))) (fun=> 1).
Proof.
move=> h; exact: (@dom_rows _ _ _ _ (fun j a => X j (enum_rank a)) enum_rank _ (@enum_rank_inj B) (dom_columns (@enum_rank_inj A) h)).
Qed.
(* the Cayley transform of any [U; V] *)
Definition cayley_of A B (U : A -> A -> R) (V : B -> A -> R) (r : A + B) (a : A) : R :=
  cayley (mx_of U - (mx_of U)^T + (mx_of V)^T *m mx_of V) (mx_of V)
    (match r with inl x => lshift #|B| (enum_rank x) | inr y => rshift #|A| (enum_rank y) end) (enum_rank a).
Lemma cayley_of_dom A B (U : A -> A -> R) (V : B -> A -> R) : dom (gram (cayley_of U V)) (fun=> 1).
Proof.
have [h _] := orthogonal_cayley (mx_of U) (mx_of V).
pose g (r : A + B) := match r with inl x => lshift #|B| (enum_rank x) | inr y => rshift #|A| (enum_rank y) end.
have gi : injective g.
  move=> [x|x] [y|y] /= /(congr1 val) /= e; [| | |]; try by congr (_ _); apply: enum_rank_inj; apply: val_inj; move: e => // /addnI.
  - by have := ltn_ord (enum_rank x); rewrite e ltnNge leq_addr.
  by have := ltn_ord (enum_rank y); rewrite -e ltnNge leq_addr.
exact: (@dom_rows _ _ _ _ (fun j a => cayley _ _ j (enum_rank a)) g _ gi (dom_columns (@enum_rank_inj A) h)).
Qed.
(* I - 2 W (W^T W + e m I)^-1 W^T, m the mean of the diagonal of W^T W *)
Definition reflected A B (W : A -> B -> R) (e : R) (i j : A) : R :=
  bro_part (leqnn #|A|) (leqnn #|A|) (mx_of W) e (enum_rank i) (enum_rank j).
Lemma reflected_dom A B (W : A -> B -> R) (e : R) : 0 < e -> dom (gram (reflected W e)) (fun=> 1).
Proof. by move=> e0; exact: ranked_dom (bro_part_dom _ _ (mx_of W) e0). Qed.
(* z r W of coupled Newton-Schulz steps from y = r^2 (W W^T + e^2 I), z = I *)
Definition whitened_by A B (W : A -> B -> R) (r e : R) (steps : nat) (i : A) (j : B) : R :=
  ((newton ((r *: mx_of W) *m (r *: mx_of W)^T + ((r * e) ^+ 2)%:M) steps).2 *m (r *: mx_of W)) (enum_rank i) (enum_rank j).
Lemma whitened_by_dom A B (W : A -> B -> R) (r e : R) steps :
  dom (gram (row_mx (r *: mx_of W) (r * e)%:M)) (fun=> 1) -> dom (gram (whitened_by W r e steps)) (fun=> 1).
Proof. by move=> h; exact: ranked_dom (contraction_whitening steps h). Qed.
(* signs of rows and columns *)
Lemma signed_dom A B (W : B -> A -> R) (s : A -> bool) (t : B -> bool) : dom (gram W) (fun=> 1) ->
  dom (gram (fun b a => (-1) ^+ (t b (+) s a) * W b a)) (fun=> 1).
Proof.
move=> /dom_gram h; apply/dom_gram => v; have := h [ffun a => (-1) ^+ s a * v a]; rewrite !sum_const !mul1r.
have -> : sqn [ffun a => (-1) ^+ s a * v a] = sqn v.
  by rewrite !sqnE; apply: eq_bigr => a _; rewrite ffunE exprMn sqrr_sign mul1r.
apply: le_trans; rewrite !sqnE le_eqVlt; apply/orP; left; apply/eqP; apply: eq_bigr => b _; rewrite !ffunE.
have -> : \sum_a (-1) ^+ (t b (+) s a) * W b a * v a = (-1) ^+ t b * \sum_a W b a * [ffun a => (-1) ^+ s a * v a] a.
  rewrite mulr_sumr; apply: eq_bigr => a _; rewrite ffunE signr_addb; move: (W b a) (v a) => p q; ring.
by rewrite exprMn sqrr_sign mul1r.
Qed.
End Matrices.

(* ---- What is made of the symbol of a kernel at each frequency *)
Section Symbols.
Variables (R : realFieldType) (T : finZmodType) (W : waves R T) (S : finType) (off : S -> T).
Local Notation F := (frequency W).
Definition symbol_of (O C : finType) (K : O -> C -> S -> R) : F -> O * bool -> C * bool -> R := symbol (@cosine _ _ W) (@sine _ _ W) off K.
(* a kernel with more outputs than inputs: the first inputs' worth of rows is U *)
Section Tall.
Variables (n m d : nat) (e : (n + m)%N = d).
Definition cayley_tall_symbol (K : 'I_d -> 'I_n -> S -> R) (f : F) (ob : 'I_d * bool) (cb : 'I_n * bool) : R :=
  cayley_of (fun i j => symbol_of K f (cast_ord e (lshift m i.1), i.2) j) (fun k j => symbol_of K f (cast_ord e (rshift n k.1), k.2) j)
    (@join_channels [finType of bool] _ _ _ e ob) cb.
Lemma cayley_tall_symbol_dom (K : 'I_d -> 'I_n -> S -> R) f : dom (gram (cayley_tall_symbol K f)) (fun=> 1).
Proof. exact: dom_rows (@join_channels_inj _ _ _ _ e) (cayley_of_dom _ _). Qed.
(* one with more inputs than outputs: transposed first, without conjugation *)
Definition cayley_wide_symbol (K : 'I_n -> 'I_d -> S -> R) (f : F) (ob : 'I_n * bool) (cb : 'I_d * bool) : R :=
  (-1) ^+ (ob.2 (+) cb.2) * cayley_tall_symbol (fun c o => K o c) f cb ob.
Lemma cayley_wide_symbol_dom (K : 'I_n -> 'I_d -> S -> R) f : dom (gram (cayley_wide_symbol K f)) (fun=> 1).
Proof.
apply: (@signed_dom _ _ _ (fun ob cb => cayley_tall_symbol (fun c o => K o c) f cb ob) snd snd).
exact: dom_adj (cayley_tall_symbol_dom _ f).
Qed.
End Tall.
(* rows and columns of a block reflector *)
Section Reflections.
Variables (rows columns n k : nat) (er : (rows <= n)%N) (ec : (columns <= n)%N) (V : 'I_n -> 'I_k -> S -> R) (e : R).
Definition reflected_symbol (f : F) (ob : 'I_rows * bool) (cb : 'I_columns * bool) : R :=
  reflected (symbol_of V f) e (widen_ord er ob.1, ob.2) (widen_ord ec cb.1, cb.2).
Lemma reflected_symbol_dom f : 0 < e -> dom (gram (reflected_symbol f)) (fun=> 1).
Proof.
have inj n' (h : (n' <= n)%N) : injective (fun ob : 'I_n' * bool => (widen_ord h ob.1, ob.2)).
  by move=> [a p] [b q] [] /= ab ->; rewrite (val_inj ab : a = b).
by move=> e0; exact: (@dom_rows _ _ _ _ (fun j i => reflected _ e j (widen_ord ec i.1, i.2)) _ _ (inj _ er) (dom_columns (inj _ ec) (reflected_dom _ e0))).
Qed.
End Reflections.
End Symbols.

(* ---- Frobenius norms of complex matrices written as real ones, which hold every number twice *)
Section Complex.
Variable R : realFieldType.
Implicit Types A B : finType.
Lemma bessel_pair B (u w v : {ffun B -> R}) : dot u w = 0 -> sqn w = sqn u -> dot u v ^+ 2 + dot w v ^+ 2 <= sqn u * sqn v.
Proof.
move=> o n; have [z|nz] := eqVneq (sqn u) 0.
  have zero (x : {ffun B -> R}) : sqn x = 0 -> dot x v = 0.
    by move=> /sqn0_eq0 ->; rewrite /dot big1 // => i _; rewrite ffunE mul0r.
  by rewrite (zero u) ?(zero w) ?n // z expr0n addr0 mul0r.
have p : 0 < sqn u by rewrite lt_neqAle eq_sym nz sqn_ge0.
have := sqn_ge0 (v - (dot u v / sqn u) *c u - (dot w v / sqn u) *c w).
rewrite !sqnB !dotZr !sqnZ dotDl dotNl dotZl o n mulr0 subr0 (dotC v u) (dotC v w) -(pmulr_rge0 _ p).
have -> : sqn u * (sqn v - 2%:R * (dot u v / sqn u * dot u v) + (dot u v / sqn u) ^+ 2 * sqn u
    - 2%:R * (dot w v / sqn u * dot w v) + (dot w v / sqn u) ^+ 2 * sqn u) = sqn u * sqn v - (dot u v ^+ 2 + dot w v ^+ 2).
  by move: (sqn v) (dot u v) (dot w v) (sqn u) nz => a b c s s0; field.
by rewrite subr_ge0.
Qed.
Definition complex_form A B (W : A * bool -> B * bool -> R) : Prop :=
  forall a b, W (a, true) (b, true) = W (a, false) (b, false) /\ W (a, true) (b, false) = - W (a, false) (b, true).
Lemma complex_norm A B (W : A * bool -> B * bool -> R) v : complex_form W -> 2%:R * sqn (W *v v) <= frob W * sqn v.
Proof.
move=> hW; rewrite sqnE /frob !sum_pair mulr_sumr mulr_suml; apply: ler_sum => a _.
rewrite !big_bool /=.
pose row b : {ffun B * bool -> R} := [ffun i => W (a, b) i].
have d b : (W *v v) (a, b) = dot (row b) v by rewrite ffunE; apply: eq_bigr => i _; rewrite ffunE.
have n b : \sum_i W (a, b) i ^+ 2 = sqn (row b) by rewrite sqnE; apply: eq_bigr => i _; rewrite ffunE.
have o : dot (row false) (row true) = 0.
  rewrite /dot sum_pair big1 // => b _; rewrite big_bool !ffunE /=; have [-> ->] := hW a b; ring.
have e : sqn (row true) = sqn (row false).
  rewrite !sqnE !sum_pair; apply: eq_bigr => b _; rewrite !big_bool !ffunE /=; have [-> ->] := hW a b; ring.
rewrite !d !n e; have := bessel_pair v o e; rewrite -mulr2n -[sqn _ *+ 2]mulr_natl -mulrA ler_pmul2l ?ltr0n // addrC.
by [].
Qed.
Definition shifted_rows A B (W : A -> B -> R) (e : R) (i j : A) : R := \sum_k W i k * W j k + (i == j)%:R * e ^+ 2.
Lemma complex_rows A B (W : A * bool -> B * bool -> R) e : complex_form W -> complex_form (shifted_rows W e).
Proof.
move=> hW i j; rewrite /shifted_rows !sum_pair; split.
  rewrite !xpair_eqE !eqxx !andbT; congr (_ + _); apply: eq_bigr => k _; rewrite !big_bool /=.
  by have [-> ->] := hW i k; have [-> ->] := hW j k; ring.
rewrite !xpair_eqE !andbF !mul0r !addr0 -sumrN; apply: eq_bigr => k _; rewrite !big_bool /=.
by have [-> ->] := hW i k; have [-> ->] := hW j k; ring.
Qed.
Lemma complex_quad A (G : A * bool -> A * bool -> R) (f : R) v : complex_form G -> 0 <= f -> frob G <= 2%:R * f ^+ 2 -> quad G v <= f * sqn v.
Proof.
move=> hG f0 hf; rewrite quad_dot; have [d0|d0] := leP (dot v (G *v v)) 0; first by rewrite (le_trans d0) // mulr_ge0 ?sqn_ge0.
rewrite -ler_sqr ?nnegrE ?(ltW d0) ?mulr_ge0 ?sqn_ge0 //; apply: le_trans (cauchy_schwarz _ _) _.
have h : sqn (G *v v) <= f ^+ 2 * sqn v.
  have two : 0 < 2%:R :> R by rewrite ltr0n.
  rewrite -(ler_pmul2l two) mulrA; apply: le_trans (complex_norm v hG) _; by rewrite ler_wpmul2r ?sqn_ge0.
apply: le_trans (ler_wpmul2l (sqn_ge0 v) h) _.
by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
Qed.
Lemma quad_ranked A (G : A -> A -> R) (v : {ffun 'I_#|A| -> R}) :
  quad (fun i j => G (enum_val i) (enum_val j)) v = quad G [ffun a => v (enum_rank a)].
Proof.
rewrite /quad (bigop.reindex _ (onW_bij _ (@enum_rank_bij A))) /=; apply: eq_bigr => a _.
rewrite (bigop.reindex _ (onW_bij _ (@enum_rank_bij A))) /=; apply: eq_bigr => b _.
by rewrite !enum_rankK !ffunE.
Qed.
(* f is at least the Frobenius norm of W W^* + e^2 I *)
Lemma whitening_start A B (W : A * bool -> B * bool -> R) (f r e : R) : complex_form W -> 0 <= f ->
  frob (shifted_rows W e) <= 2%:R * f ^+ 2 -> r ^+ 2 * f <= 1 -> dom (gram (row_mx (r *: mx_of W) (r * e)%:M)) (fun=> 1).
Proof.
move=> hW f0 hf hr; apply: gram_adj => [|v]; first exact: ler01.
have g i j : gram (adj (row_mx (r *: mx_of W) (r * e)%:M)) i j = r ^+ 2 * shifted_rows W e (enum_val i) (enum_val j).
  rewrite /gram /adj big_split_ord /= /shifted_rows mulrDr; congr (_ + _).
    rewrite mulr_sumr [RHS](bigop.reindex _ (onW_bij _ (@enum_val_bij _))) /=; apply: eq_bigr => k _.
    by rewrite !row_mxEl !mxE; move: (W (enum_val i) _) (W (enum_val j) _) => x y; ring.
  rewrite (bigD1 i) //= big1 => [|k ki]; last by rewrite !row_mxEr !mxE eq_sym (negbTE ki) mulr0n mul0r.
  rewrite !row_mxEr !mxE eqxx (inj_eq enum_val_inj) eq_sym; case: eqP => _; rewrite ?mulr1n ?mulr0n /=; ring.
rewrite (eq_quad v g) quadZ quad_ranked sum_const mul1r.
have e1 : sqn [ffun a => v (enum_rank a)] = sqn v.
  rewrite !sqnE [RHS](bigop.reindex _ (onW_bij _ (@enum_rank_bij _))) /=; by apply: eq_bigr => a _; rewrite ffunE.
have := complex_quad [ffun a => v (enum_rank a)] (complex_rows e hW) f0 hf; rewrite e1 => h.
apply: le_trans (ler_wpmul2l (sqr_ge0 r) h) _.
by rewrite mulrA -[X in _ <= X]mul1r ler_wpmul2r ?sqn_ge0.
Qed.
End Complex.

Section Whitened.
Variables (R : realFieldType) (T : finZmodType) (W : waves R T) (S : finType) (off : S -> T).
Variables (O C : finType) (K : O -> C -> S -> R) (steps : nat) (f r : frequency W -> R) (e : R).
Definition whitened_symbol (k : frequency W) : O * bool -> C * bool -> R := whitened_by (symbol_of off K k) (r k) e steps.
Lemma whitened_symbol_dom : (forall k, 0 <= f k) -> (forall k, frob (shifted_rows (symbol_of off K k) e) <= 2%:R * f k ^+ 2) ->
  (forall k, r k ^+ 2 * f k <= 1) -> forall k, dom (gram (whitened_symbol k)) (fun=> 1).
Proof.
by move=> f0 hf hr k; apply: whitened_by_dom; apply: whitening_start (f0 k) (hf k) (hr k) => a b; split; rewrite /symbol_of /symbol.
Qed.
End Whitened.

(* ---- Sandwich layers of images: [A B] by Cayley at every frequency; hidden channels at every position of the torus *)
Section Sandwich.
Variables (R : realFieldType) (T : finZmodType) (W : waves R T) (S : finType) (off : S -> T) (P : finType) (pin : P -> T).
Variables (n m : nat) (K : 'I_n -> 'I_(n + m) -> S -> R).
Let M := spectral_matrix (cayley_wide_symbol (W := W) off (erefl (n + m)%N) K).
Definition sandwich_image_first (h : 'I_n * T) (j : 'I_n * P) : R := M h (lshift m j.1, pin j.2).
Definition sandwich_image_second (h : 'I_n * T) (i : 'I_m * P) : R := M h (rshift n i.1, pin i.2).
Lemma sandwich_image_dom : injective pin ->
  dom (fun h k => gram (adj sandwich_image_first) h k + gram (adj sandwich_image_second) h k) (fun=> 1).
Proof.
move=> pi; pose g (s : ('I_n * P) + ('I_m * P)) := match s with inl j => (lshift m j.1, pin j.2) | inr i => (rshift n i.1, pin i.2) end.
have gi : injective g.
  move=> [[a p]|[a p]] [[b q]|[b q]] [] /= h; [| | |]; try by move: h => /val_inj -> /pi ->.
  - by have := ltn_ord a; rewrite h ltnNge leq_addr.
  - by have := ltn_ord b; rewrite -h ltnNge leq_addr.
  by move: h => /addnI /val_inj -> /pi ->.
have h1 : dom (gram M) (fun=> 1) by apply: spectral_dom => k; exact: cayley_wide_symbol_dom.
have h2 := @dom_rows _ _ _ _ (adj M) g _ gi (dom_adj h1).
by apply: eq_dom h2 => h k; rewrite /gram big_sumType.
Qed.
End Sandwich.
