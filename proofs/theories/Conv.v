(* Convolutions. Positions live in an abelian group L (int * int for images, a cyclic group for circular padding):
   pin places the inputs, pout the outputs, off the taps of the kernel. Padding with zeros, "valid", stride,
   dilation and groups are choices of pin, pout, off and K; a transposed convolution swaps the roles.
   The bounds do not mention P and Q: they hold for every image size. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Lemma ler_sum_mem (R : realFieldType) (L : eqType) (f : L -> R) (s D : seq L) : uniq s -> (forall l, 0 <= f l) ->
  (forall l, l \in s -> l \notin D -> f l = 0) -> \sum_(l <- s) f l <= \sum_(l <- D) f l.
Proof.
move=> us f0; elim: s us D => [_ D _|a s ih /= /andP [as_ us] D h]; first by rewrite big_nil sumr_ge0.
rewrite big_cons; have [aD|aD] := boolP (a \in D).
  rewrite (perm_big _ (perm_to_rem aD)) big_cons ler_add2l; apply: ih => // l ls lD.
  apply: h; first by rewrite inE ls orbT.
  apply: contra lD => lD; have la : l != a by apply: contraNneq as_ => <-.
  by move: lD; rewrite (perm_mem (perm_to_rem aD)) inE (negbTE la).
rewrite h ?mem_head // add0r; apply: ih => // l ls; apply: h; by rewrite inE ls orbT.
Qed.

Section Conv.
Variables (R : realFieldType) (L : zmodType) (O C Q P S : finType).
Variables (pin : P -> L) (pout : Q -> L) (off : S -> L) (K : O -> C -> S -> R).

(* y(o, q) = sum over c, s of K(o, c, s) x(c, the p at pout q + off s), zero where there is none *)
Definition conv_matrix (oq : O * Q) (cp : C * P) : R :=
  \sum_(s | pin cp.2 == pout oq.2 + off s) K oq.1 cp.1 s.
Definition conv (x : {ffun C * P -> R}) : {ffun O * Q -> R} :=
  [ffun oq => \sum_c \sum_s K oq.1 c s * \sum_(p | pin p == pout oq.2 + off s) x (c, p)].

Lemma convE x : conv x = conv_matrix *v x.
Proof.
apply/ffunP => -[o q]; rewrite !ffunE /= /conv_matrix.
rewrite sum_pair; apply: eq_bigr => c _; under [RHS]eq_bigr => p _ do rewrite mulr_suml.
rewrite (exchange_big_dep predT) //=; apply: eq_bigr => s _.
by rewrite mulr_sumr.
Qed.

(* the autocorrelation g(c, c', d) = sum over o, s of K(o, c, s) K(o, c', s + d) *)
Definition autocorrelation (c c' : C) (d : L) : R :=
  \sum_o \sum_s \sum_(s' | off s' == off s + d) K o c s * K o c' s'.

(* The operator without borders: outputs at every lattice point that any input reaches. *)
Let kernel o c (m : L) : R := \sum_(s | off s == m) K o c s.
Let every : seq L := undup (codom pout ++ [seq pin p - off s | p <- enum P, s <- enum S]).
Let response (x : {ffun C * P -> R}) o (l : L) : R := \sum_cp kernel o cp.1 (pin cp.2 - l) * x cp.

Lemma convE_response x o q : conv x (o, q) = response x o (pout q).
Proof.
rewrite convE ffunE; apply: eq_bigr => -[c p] _; congr (_ * _); rewrite /conv_matrix /=.
by apply: eq_bigl => s; rewrite [RHS]eq_sym subr_eq addrC.
Qed.

Lemma every_pout q : pout q \in every.
Proof. by rewrite mem_undup mem_cat codom_f. Qed.
Lemma every_in p s : pin p - off s \in every.
Proof.
rewrite mem_undup mem_cat; apply/orP; right; apply/allpairsP; exists (p, s).
by rewrite !mem_enum.
Qed.

Lemma kernel_correlation o c c' p p' :
  \sum_(l <- every) kernel o c (pin p - l) * kernel o c' (pin p' - l)
  = \sum_s \sum_(s' | off s' == off s + (pin p' - pin p)) K o c s * K o c' s'.
Proof.
under eq_bigr => l _ do rewrite /kernel mulr_suml.
rewrite (exchange_big_dep predT) //=; apply: eq_bigr => s _.
rewrite (eq_bigl (fun l => l == pin p - off s)) => [|l]; last first.
  by rewrite eq_sym subr_eq [RHS]eq_sym subr_eq addrC.
rewrite -big_filter (@filter_pred1_uniq _ every (pin p - off s)) ?undup_uniq ?every_in // big_seq1.
rewrite mulr_sumr; apply: eq_bigl => s'; congr (_ == _).
by rewrite opprB addrCA.
Qed.

Let full (cp cp' : C * P) : R := autocorrelation cp.1 cp'.1 (pin cp'.2 - pin cp.2).

Lemma fullE cp cp' :
  full cp cp' = \sum_o \sum_(l <- every) kernel o cp.1 (pin cp.2 - l) * kernel o cp'.1 (pin cp'.2 - l).
Proof. by apply: eq_bigr => o _; rewrite kernel_correlation. Qed.

Lemma full_sym cp cp' : full cp cp' = full cp' cp.
Proof. by rewrite !fullE; apply: eq_bigr => o _; apply: eq_bigr => l _; rewrite mulrC. Qed.

Lemma quad_full x : quad full x = \sum_o \sum_(l <- every) response x o l ^+ 2.
Proof.
under [RHS]eq_bigr => o _ do under eq_bigr => l _ do rewrite expr2 mulr_suml.
under [RHS]eq_bigr => o _ do rewrite exchange_big /=.
rewrite [RHS]exchange_big /=; apply: eq_bigr => cp _.
under [RHS]eq_bigr => o _ do under eq_bigr => l _ do rewrite mulr_sumr.
under [RHS]eq_bigr => o _ do rewrite exchange_big /=.
rewrite [RHS]exchange_big /=; apply: eq_bigr => cp' _; rewrite fullE mulr_suml; apply: eq_bigr => o _.
by rewrite mulr_suml; apply: eq_bigr => l _; ring.
Qed.

(* The convolution embedding: a finite, zero-padded operator is a restriction of the borderless one. *)
Theorem conv_le_full x : injective pout -> sqn (conv x) <= quad full x.
Proof.
move=> ip; rewrite quad_full sqnE sum_pair.
apply: ler_sum => o _; under eq_bigr => q _ do rewrite convE_response.
rewrite -(big_map pout predT (fun l => response x o l ^+ 2)) /index_enum; apply: ler_sum_mem.
- by rewrite map_inj_uniq // -enumT enum_uniq.
- by move=> l; exact: sqr_ge0.
- by move=> _ /mapP [q _ ->]; rewrite every_pout.
Qed.

(* ---- Lattice Gershgorin: T_c q_c >= sum over c', d of |g(c, c', d)| q_c' bounds the operator by diag T, for all sizes.
        Ds: a list of all differences of taps. *)
Theorem conv_gersh (Ds : seq L) (q T : C -> R) : injective pin -> injective pout ->
  (forall s s', off s' - off s \in Ds) -> (forall c, 0 < q c) ->
  (forall c, \sum_c' (\sum_(d <- Ds) `|autocorrelation c c' d|) * q c' <= T c * q c) ->
  dom (gram conv_matrix) (fun cp => T cp.1).
Proof.
move=> ii io hD hq hT; apply/dom_gram => x; rewrite -convE; apply: le_trans (conv_le_full x io) _.
apply: (@gersh _ _ full (fun cp => q cp.1)) => [cp cp'|cp|[c p] /=]; [exact: full_sym | exact: hq |].
apply: le_trans (hT c).
rewrite sum_pair /=; apply: ler_sum => c' _; rewrite -mulr_suml ler_wpmul2r ?(ltW (hq c')) //.
rewrite -(big_map (fun p' => pin p' - pin p) predT (fun d => `|autocorrelation c c' d|)) /index_enum.
apply: ler_sum_mem => [|d|d _ dD].
- by rewrite map_inj_uniq -?enumT ?enum_uniq // => a b /addIr /ii.
- exact: normr_ge0.
rewrite /autocorrelation big1 ?normr0 // => o _; rewrite big1 // => s _; rewrite big_pred0 // => s'.
by apply/negbTE; apply: contra dD => /eqP e; have := hD s s'; rewrite e addrC addKr.
Qed.
End Conv.

(* The adjoint of a convolution is a convolution with the roles of inputs and outputs swapped and the taps mirrored. *)
Section Adjoint.
Variables (R : realFieldType) (L : zmodType) (O C Q P S : finType).
Variables (pin : P -> L) (pout : Q -> L) (off : S -> L) (K : O -> C -> S -> R).

Lemma adj_conv_matrix cp oq : adj (conv_matrix pin pout off K) cp oq
  = conv_matrix pout pin (fun s => - off s) (fun c o s => K o c s) cp oq.
Proof. by apply: eq_bigl => s; rewrite [RHS]eq_sym subr_eq. Qed.

(* ---- The same over hidden channels, for the residual form x - conv^T(t . sigma(conv(x) + b)):
        h(o, o', d) = sum over c, s of K(o, c, s) K(o', c, s + d). *)
Definition hidden_correlation (o o' : O) (d : L) : R :=
  \sum_c \sum_s \sum_(s' | off s' == off s + d) K o c s * K o' c s'.
Theorem conv_adj_gersh (Ds : seq L) (q T : O -> R) : injective pin -> injective pout ->
  (forall s s', off s' - off s \in Ds) -> (forall o, 0 < q o) ->
  (forall o, \sum_o' (\sum_(d <- Ds) `|hidden_correlation o o' d|) * q o' <= T o * q o) ->
  dom (gram (adj (conv_matrix pin pout off K))) (fun oq => T oq.1).
Proof.
move=> ii io hD hq hT.
have h : dom (gram (conv_matrix pout pin (fun s => - off s) (fun c o s => K o c s))) (fun oq => T oq.1).
  apply: (@conv_gersh _ _ _ _ _ _ _ _ _ _ _ [seq - d | d <- Ds] q) => // [s s'|o].
    by rewrite -opprD addrC; apply: map_f; rewrite addrC.
  apply: le_trans (hT o); apply: ler_sum => o' _; rewrite big_map le_eqVlt; apply/orP; left; apply/eqP.
  congr (_ * _); apply: eq_bigr => d _; congr `|_|.
  rewrite /autocorrelation /hidden_correlation; apply: eq_bigr => c _; apply: eq_bigr => s _.
  by apply: eq_bigl => s'; rewrite -opprD eqr_opp.
by apply: eq_dom h => i j; apply: eq_bigr => k _; rewrite !adj_conv_matrix.
Qed.

(* ---- A convolutional residual layer, any size. *)
Corollary residual_conv_lip (Ds : seq L) (q T t : O -> R) (b : {ffun O * Q -> R}) s :
  injective pin -> injective pout -> (forall s s', off s' - off s \in Ds) -> (forall o, 0 < q o) ->
  (forall o, \sum_o' (\sum_(d <- Ds) `|hidden_correlation o o' d|) * q o' <= T o * q o) ->
  slope01 s -> (forall o, 0 <= t o) -> (forall o, t o * T o <= 2%:R) ->
  lip (fun x => x - adj (conv_matrix pin pout off K) *v
    ((fun oq => t oq.1) *d act s (conv pin pout off K x + b))).
Proof.
move=> ii io hD hq hT hs t0 tT.
have hW := conv_adj_gersh ii io hD hq hT.
apply: eq_lips (residual_lip b hs (fun oq => t0 oq.1) (fun oq => tT oq.1) hW) => x.
by rewrite convE.
Qed.

(* ---- A linear convolution, rescaled per input channel, any size. *)
Corollary linear_conv_lip (Ds : seq L) (q T r : C -> R) (b : {ffun O * Q -> R}) :
  injective pin -> injective pout -> (forall s s', off s' - off s \in Ds) -> (forall c, 0 < q c) ->
  (forall c, \sum_c' (\sum_(d <- Ds) `|autocorrelation off K c c' d|) * q c' <= T c * q c) ->
  (forall c, r c ^+ 2 * T c <= 1) ->
  lip (fun x => conv pin pout off K ((fun cp => r cp.1) *d x) + b).
Proof.
move=> ii io hD hq hT hr; have hW := conv_gersh ii io hD hq hT.
apply: eq_lips (linear_scaled_lip b (fun cp => hr cp.1) hW) => x.
by rewrite convE.
Qed.

(* ---- The reshaped kernel: W(o, (c, s)) = K(o, c, s) as a matrix with W^T W <= lam I. Each input is read by at most
        m pairs of an output and a tap (m = number of taps always works): the operator has C^T C <= m lam I. *)
Definition reshaped (o : O) (cs : C * S) : R := K o cs.1 cs.2.
Theorem conv_reshaped (lam : R) (m : nat) : injective pin -> 0 <= lam -> dom (gram reshaped) (fun=> lam) ->
  (forall p, #|[pred qs : Q * S | (pin p == pout qs.1 + off qs.2)%R]| <= m)%N ->
  dom (gram (conv_matrix pin pout off K)) (fun=> m%:R * lam).
Proof.
move=> ii lam0 /dom_gram hK hm; apply/dom_gram => x; rewrite -convE sum_const sqnE sum_pair exchange_big /=.
pose z q : {ffun C * S -> R} := [ffun cs => \sum_(p | pin p == pout q + off cs.2) x (cs.1, p)].
apply: le_trans (_ : \sum_q lam * sqn (z q) <= _).
  apply: ler_sum => q _; have := hK (z q); rewrite sum_const sqnE; congr (_ <= _); apply: eq_bigr => o _.
  by rewrite !ffunE /= sum_pair; congr (_ ^+ 2); do 2!apply: eq_bigr => ? _; rewrite ffunE.
rewrite -mulr_sumr [m%:R * _]mulrC -mulrA; apply: ler_wpmul2l => //.
have zE q cs : z q cs ^+ 2 = \sum_(p | pin p == pout q + off cs.2) x (cs.1, p) ^+ 2.
  rewrite ffunE; have [p hp|h] := pickP (fun p => pin p == pout q + off cs.2); last by rewrite !big_pred0 ?expr0n.
  have e : (fun p' => pin p' == pout q + off cs.2) =1 pred1 p.
    by move=> p'; rewrite -(eqP hp); apply/eqP/eqP => [/ii|->].
  by rewrite !(eq_bigl _ _ e) !big_pred1_eq.
under eq_bigr => q _ do rewrite sqnE; under eq_bigr => q _ do under eq_bigr => cs _ do rewrite zE.
under eq_bigr => q _ do rewrite sum_pair /=.
rewrite exchange_big /= sqnE sum_pair mulr_sumr; apply: ler_sum => c _.
rewrite pair_bigA /= (exchange_big_dep predT) //= mulr_sumr; apply: ler_sum => p _.
rewrite sumr_const -[X in X <= _]mulr_natl ler_wpmul2r ?sqr_ge0 // ler_nat; exact: hm.
Qed.
Corollary conv_reshaped_taps (lam : R) : injective pin -> injective pout -> 0 <= lam ->
  dom (gram reshaped) (fun=> lam) -> dom (gram (conv_matrix pin pout off K)) (fun=> #|S|%:R * lam).
Proof.
move=> ii io lam0 hK; apply: conv_reshaped => // p.
rewrite -(card_in_image (f := snd)) ?max_card // => -[q s] [q' s']; rewrite !inE /= => /eqP e /eqP e' ss.
by move: e e'; rewrite ss => -> /addIr /io ->.
Qed.
End Adjoint.
