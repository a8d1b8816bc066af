(* More of what the output of `lip prove --coq` is made of: norms of Frobenius and Schur, residuals with two factors, families of
   orthogonal matrices, and the layers that Architecture.v and Branching.v lack. *)
From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Structure Conv Image Orthogonal Operators Iterations Pooling Rules Layers Architecture Branching.
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
