(* Ways to find T for a convolution with stride, dilation or circular padding, as `lip prove --coq` writes them: sums over the offsets of its
   polyphase kernel, its reshaped kernel, and Schur's test. What is proven is a bound on the lattice (Lattice.v). *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Operators Lattice Circle Polyphase Architecture Families.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* taps of the polyphase kernel on an axis *)
Definition phase_taps (k s d : nat) : nat := (k.-1 %/ phase_count s d).+1.
Section Phases.
Variables (R : realFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).
Hypotheses (hg : valid_geometry g) (dh : (0 < dil_h g)%N) (dw : (0 < dil_w g)%N).
Definition phase_shifts : seq (int * int) :=
  [seq (a, b) | a <- span_of 1 (phase_taps (ker_h g) (stride_h g) (dil_h g)), b <- span_of 1 (phase_taps (ker_w g) (stride_w g) (dil_w g))].
Lemma phase_shiftsP (t t' : phase_tap g) : plain_off t' - plain_off t \in phase_shifts.
Proof.
apply/allpairsP; exists (plain_off t' - plain_off t); split; last by rewrite -surjective_pairing.
  have -> : (plain_off t' - plain_off t).1 = 1%:Z * t'.1%:Z - 1%:Z * t.1%:Z by rewrite !mul1r.
  exact: span_ofP.
have -> : (plain_off t' - plain_off t).2 = 1%:Z * t'.2%:Z - 1%:Z * t.2%:Z by rewrite !mul1r.
exact: span_ofP.
Qed.
Definition phase_sums (q : C -> R) (cr : C * phase_index g) : R :=
  \sum_cr' (\sum_(d <- phase_shifts) `|autocorrelation (@plain_off g) (polyphase_kernel K) cr cr' d|) * q cr'.1 / q cr.1.
(* the largest over the phases of a channel *)
Definition weighted_phase_sums (q : C -> R) (c : C) : R := \big[Num.max/0]_(r : phase_index g) phase_sums q (c, r).
Definition weighted_hidden_phase_sums (q : O -> R) (o : O) : R :=
  \sum_o' (\sum_(d <- phase_shifts) `|hidden_correlation (@plain_off g) (polyphase_kernel K) o o' d|) * q o' / q o.
Lemma max_ge0 (I : eqType) (r : seq I) (f : I -> R) : 0 <= \big[Num.max/0]_(k <- r) f k.
Proof. by elim: r => [|k r ih]; rewrite ?big_nil ?big_cons ?le_maxr ?ih ?orbT. Qed.
Lemma le_max_member (I : eqType) (r : seq I) (f : I -> R) i : i \in r -> f i <= \big[Num.max/0]_(k <- r) f k.
Proof.
elim: r => // k r ih; rewrite inE big_cons le_maxr => /orP [/eqP ->|/ih ->]; by rewrite ?lexx ?orbT.
Qed.
Theorem weighted_phase_sums_bounded (q : C -> R) : (forall c, 0 < q c) ->
  bounded_on (stride_places g) (@off g) K (weighted_phase_sums q).
Proof.
move=> hq; apply: (polyphase_bounded hg dh dw (T' := phase_sums q)) => [c|c r|].
- exact: max_ge0.
- by apply: (@le_max_member _ _ (fun r => phase_sums q (c, r))); rewrite mem_index_enum.
apply: (@gersh_bounded _ _ _ _ _ _ _ phase_shifts (fun cr => q cr.1)) => [t t'|cr|cr]; [exact: phase_shiftsP | exact: hq |].
by rewrite /phase_sums mulr_suml; under [X in _ <= X]eq_bigr => c' _ do rewrite divfK ?gt_eqF ?hq //.
Qed.
Theorem weighted_hidden_phase_sums_bounded (q : O -> R) : (forall o, 0 < q o) ->
  bounded_rows_on (stride_places g) (@off g) K (weighted_hidden_phase_sums q).
Proof.
move=> hq; apply: (polyphase_rows_bounded hg dh dw).
apply: (@gersh_rows_bounded _ _ _ _ _ _ _ phase_shifts q) => [t t'|o|o]; [exact: phase_shiftsP | exact: hq |].
by rewrite /weighted_hidden_phase_sums mulr_suml; under [X in _ <= X]eq_bigr => c' _ do rewrite divfK ?gt_eqF ?hq //.
Qed.

(* ---- the reshaped kernel, times the taps of the polyphase kernel *)
Lemma polyphase_reshaped (lam : R) : 0 <= lam -> dom (gram (reshaped K)) (fun=> lam) -> dom (gram (reshaped (polyphase_kernel K))) (fun=> lam).
Proof.
move=> l0 /dom_gram h; apply/dom_gram => v; rewrite sum_const.
pose at_ (s : tap g) (rt : phase_index g * phase_tap g) : bool :=
  (s.1 == phase_count (stride_h g) (dil_h g) * rt.2.1 + rt.1.1 :> nat)%N && (s.2 == phase_count (stride_w g) (dil_w g) * rt.2.2 + rt.1.2 :> nat)%N.
pose w c rt := v ((c, rt.1), rt.2).
pose u : {ffun C * tap g -> R} := [ffun cs => \sum_(rt | at_ cs.2 rt) w cs.1 rt].
have divided (e t t' : nat) (r r' : 'I_e) : (e * t + r = e * t' + r')%N -> t = t' /\ r = r'.
  move=> h1; have e0 : (0 < e)%N by exact: leq_ltn_trans (ltn_ord r).
  have := congr1 (modn^~ e) h1; have := congr1 (divn^~ e) h1.
  rewrite /= !(mulnC e) !divnMDl // !modnMDl !divn_small ?ltn_ord // !addn0 !modn_small // => -> /val_inj ->; by [].
have one s rt rt' : at_ s rt -> at_ s rt' -> rt = rt'.
  move=> /andP [/eqP a /eqP b] /andP [/eqP a' /eqP b']; move: rt rt' a b a' b' => [[r1 r2] [t1 t2]] [[r1' r2'] [t1' t2']] /= a b a' b'.
  rewrite a in a'; rewrite b in b'; have [/val_inj -> ->] := divided _ _ _ _ _ a'; by have [/val_inj -> ->] := divided _ _ _ _ _ b'.
have other s s' rt : at_ s rt -> at_ s' rt -> s = s'.
  move=> /andP [/eqP a /eqP b] /andP [/eqP a' /eqP b']; move: s s' a b a' b' => [i j] [i' j'] /= a b a' b'.
  by congr (_, _); apply: val_inj; rewrite /= ?a ?b ?a' ?b'.
have -> : reshaped (polyphase_kernel K) *v v = reshaped K *v u.
  apply/ffunP => o; rewrite !ffunE sum_pair sum_pair [RHS]sum_pair; apply: eq_bigr => c _.
  under [RHS]eq_bigr => s _ do rewrite ffunE mulr_sumr.
  rewrite pair_bigA /= (exchange_big_dep predT) //=; apply: eq_bigr => -[r t] _; rewrite /reshaped /= /polyphase_kernel mulr_suml.
  by apply: eq_big => [s|s _].
apply: le_trans (h u) _; rewrite sum_const ler_wpmul2l // !sqnE sum_pair sum_pair sum_pair; apply: ler_sum => c _.
have sq s : u (c, s) ^+ 2 = \sum_(rt | at_ s rt) w c rt ^+ 2.
  rewrite ffunE /=; have [rt hrt|none] := pickP (at_ s); last by rewrite !big_pred0 ?expr0n.
  by rewrite !(big_pred1 rt) // => rt'; apply/idP/eqP => [h'|->//]; exact: one h' hrt.
under eq_bigr => s _ do rewrite sq.
rewrite pair_bigA /= (exchange_big_dep predT) //=; apply: ler_sum => -[r t] _; rewrite /w /=.
by apply: at_most_one => [|s s']; [exact: sqr_ge0 | exact: other].
Qed.
Theorem reshaped_bounded (lam : R) : 0 <= lam -> dom (gram (reshaped K)) (fun=> lam) ->
  bounded_on (stride_places g) (@off g) K
    (fun=> (phase_taps (ker_h g) (stride_h g) (dil_h g) * phase_taps (ker_w g) (stride_w g) (dil_w g))%:R * lam).
Proof.
move=> l0 h; apply: (polyphase_bounded hg dh dw (T' := fun=> (phase_taps (ker_h g) (stride_h g) (dil_h g) * phase_taps (ker_w g) (stride_w g) (dil_w g))%:R * lam)) => [c|c r|].
- by rewrite mulr_ge0 ?ler0n.
- exact: lexx.
move=> P Q pin pout ii io _; have := conv_reshaped_taps (@plain_off g) ii io l0 (polyphase_reshaped l0 h).
by rewrite card_prod !card_ord.
Qed.

(* ---- a: at least every sum of |K| over an output channel; b: over an input channel, all taps *)
Theorem schur_bounded (here : pred (int * int)) (a b : R) : 0 <= a -> (forall o, \sum_c \sum_s `|K o c s| <= a) ->
  (forall c, \sum_o \sum_s `|K o c s| <= b) -> bounded_on here (@off g) K (fun=> a * b).
Proof.
move=> a0 ha hb P Q pin pout ii io _; have entry o q c p : `|conv_matrix pin pout (@off g) K (o, q) (c, p)| <= \sum_(s | pin p == pout q + off s) `|K o c s|.
  exact: ler_norm_sum.
apply: schur_sums_dom => // [[o q]|[c p]].
  apply: le_trans (ha o); rewrite sum_pair; apply: ler_sum => c _.
  apply: le_trans (ler_sum _ (fun p _ => entry o q c p)) _.
  rewrite (exchange_big_dep xpredT) //=; apply: ler_sum => s _; apply: at_most_one => [|p p' /eqP h /eqP h']; first exact: normr_ge0.
  by apply: ii; rewrite h h'.
apply: le_trans (hb c); rewrite sum_pair; apply: ler_sum => o _.
apply: le_trans (ler_sum _ (fun q _ => entry o q c p)) _.
rewrite (exchange_big_dep xpredT) //=; apply: ler_sum => s _; apply: at_most_one => [|q q' /eqP h /eqP h']; first exact: normr_ge0.
by apply: io; apply: (addIr (off s)); rewrite -h -h'.
Qed.
End Phases.

(* ---- A constant bound on the lattice, for either Gram matrix of the convolution of an image *)
Section Constant.
Variables (R : realFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (lam : R).
Hypotheses (hg : valid_geometry g) (l0 : 0 <= lam) (h : bounded_on (stride_places g) (@off g) K (fun=> lam)).
Lemma constant_dom : dom (gram (conv2d_matrix K)) (fun=> lam).
Proof. exact: (image_dom hg h). Qed.
Lemma constant_rows_dom : dom (gram (adj (conv2d_matrix K))) (fun=> lam).
Proof. by apply: gram_adj l0 _; exact: constant_dom. Qed.
End Constant.
Section Circles.
Variables (R : archiFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (lam : R).
Hypotheses (hg : valid_geometry g) (closed : closes g) (l0 : 0 <= lam) (h : bounded_on (stride_places g) (@off g) K (fun=> lam)).
Lemma constant_circular_dom : dom (gram (circular_matrix K)) (fun=> lam).
Proof. exact: (circular_dom hg closed h). Qed.
Lemma constant_circular_rows_dom : dom (gram (adj (circular_matrix K))) (fun=> lam).
Proof. by apply: gram_adj l0 _; exact: constant_circular_dom. Qed.
End Circles.
