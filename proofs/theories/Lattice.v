(* Kernels on a lattice. Bounds of a kernel speak of all its finite windows: any inputs, any outputs at the places where there are outputs. Such
   bounds compose, and they carry over to strides and dilations by the polyphase kernel, and to circular padding by unrolling the circle. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Sums.
Variable R : realFieldType.
Lemma sum_sub (I : finType) (A : pred I) (F : I -> R) : \sum_(i : {i | A i}) F (val i) = \sum_(i | A i) F i.
Proof.
rewrite [RHS](reindex_omap (val : {i | A i} -> I) insub) => [|i Ai]; last by rewrite insubT.
by apply: eq_bigl => -[i Ai] /=; rewrite Ai insubT /= eqxx.
Qed.
(* a sum over the only index at which a function has one value *)
Lemma sum_injective (I : finType) (L : eqType) (f : I -> L) (F : I -> R) i : injective f -> \sum_(k | f k == f i) F k = F i.
Proof. by move=> fi; rewrite (big_pred1 i) // => k; rewrite (inj_eq fi). Qed.
Lemma mulv_comp (I J K : finType) (A : K -> J -> R) (B : J -> I -> R) x :
  (fun k i => \sum_j A k j * B j i) *v x = A *v (B *v x).
Proof.
apply/ffunP => k; rewrite !ffunE; under eq_bigr => i _ do rewrite mulr_suml.
rewrite exchange_big /=; apply: eq_bigr => j _; rewrite ffunE mulr_sumr.
by apply: eq_bigr => i _; rewrite mulrA.
Qed.
Lemma eq_mulv (I J : finType) (A B : J -> I -> R) x : (forall j i, A j i = B j i) -> A *v x = B *v x.
Proof. by move=> e; apply/ffunP => j; rewrite !ffunE; apply: eq_bigr => i _; rewrite e. Qed.
Lemma eq_gram_dom (I J : finType) (A B : J -> I -> R) T : (forall j i, A j i = B j i) -> dom (gram A) T -> dom (gram B) T.
Proof. by move=> e; apply: eq_dom => i i'; apply: eq_bigr => j _; rewrite !e. Qed.
End Sums.

(* ---- Bounds on a lattice. *)
Section Lattice.
Variables (R : realFieldType) (L : zmodType).
Implicit Types O C M S P Q : finType.

(* G = W^T W <= T over input channels, for all inputs and all outputs at places in `here` *)
Definition bounded_on (here : pred L) O C S (off : S -> L) (K : O -> C -> S -> R) (T : C -> R) : Prop :=
  forall P Q (pin : P -> L) (pout : Q -> L), injective pin -> injective pout -> (forall q, here (pout q)) ->
  dom (gram (conv_matrix pin pout off K)) (fun cp => T cp.1).
(* the same for W W^T, over output channels *)
Definition bounded_rows_on (here : pred L) O C S (off : S -> L) (K : O -> C -> S -> R) (T : O -> R) : Prop :=
  forall P Q (pin : P -> L) (pout : Q -> L), injective pin -> injective pout -> (forall q, here (pout q)) ->
  dom (gram (adj (conv_matrix pin pout off K))) (fun oq => T oq.1).

Lemma bounded_here (here there : pred L) O C S (off : S -> L) (K : O -> C -> S -> R) T : (forall l, there l -> here l) ->
  bounded_on here off K T -> bounded_on there off K T.
Proof. by move=> sub h P Q pin pout ii io hq; apply: h => // q; exact: sub. Qed.
Lemma bounded_both (here : pred L) O C S (off : S -> L) (K : O -> C -> S -> R) (lam : R) : 0 <= lam ->
  bounded_on here off K (fun=> lam) <-> bounded_rows_on here off K (fun=> lam).
Proof. by move=> l0; split=> h P Q pin pout ii io hq; apply: gram_adj l0 _; exact: h. Qed.

(* What an operator is depends on the sum of the taps at each place only. *)
Definition at_place O C S (off : S -> L) (K : O -> C -> S -> R) o c (l : L) : R := \sum_(s | off s == l) K o c s.
Lemma conv_matrix_at O C S P Q (pin : P -> L) (pout : Q -> L) (off : S -> L) (K : O -> C -> S -> R) oq cp :
  conv_matrix pin pout off K oq cp = at_place off K oq.1 cp.1 (pin cp.2 - pout oq.2).
Proof. by apply: eq_bigl => s; rewrite [RHS]eq_sym subr_eq addrC. Qed.
Lemma bounded_same here O C S S' (off : S -> L) (off' : S' -> L) (K : O -> C -> S -> R) (K' : O -> C -> S' -> R) T :
  (forall o c l, at_place off K o c l = at_place off' K' o c l) -> bounded_on here off K T -> bounded_on here off' K' T.
Proof.
move=> e h P Q pin pout ii io hq; apply: eq_gram_dom (h P Q pin pout ii io hq) => oq cp.
by rewrite !conv_matrix_at e.
Qed.

Lemma bounded_moved O C S (off : S -> L) (a : L) (K : O -> C -> S -> R) T :
  bounded_on predT off K T -> bounded_on predT (fun s => off s + a) K T.
Proof.
move=> h P Q pin pout ii io _; apply: eq_gram_dom (h _ _ (fun p => pin p - a) pout _ io (fun=> isT)) => [oq cp|p p' /addIr /ii //].
by apply: eq_bigl => s; rewrite subr_eq addrA.
Qed.

(* ---- Gershgorin sums over all offsets bound a kernel on the lattice. *)
Theorem gersh_bounded O C S (off : S -> L) (K : O -> C -> S -> R) (Ds : seq L) (q T : C -> R) :
  (forall s s', off s' - off s \in Ds) -> (forall c, 0 < q c) ->
  (forall c, \sum_c' (\sum_(d <- Ds) `|autocorrelation off K c c' d|) * q c' <= T c * q c) -> bounded_on predT off K T.
Proof. by move=> hD hq hT P Q pin pout ii io _; exact: conv_gersh ii io hD hq hT. Qed.
Theorem gersh_rows_bounded O C S (off : S -> L) (K : O -> C -> S -> R) (Ds : seq L) (q T : O -> R) :
  (forall s s', off s' - off s \in Ds) -> (forall o, 0 < q o) ->
  (forall o, \sum_o' (\sum_(d <- Ds) `|hidden_correlation off K o o' d|) * q o' <= T o * q o) -> bounded_rows_on predT off K T.
Proof. by move=> hD hq hT P Q pin pout ii io _; exact: conv_adj_gersh ii io hD hq hT. Qed.

(* ---- A kernel after another. *)
Section Compose.
Variables (O M C S2 S1 : finType) (off2 : S2 -> L) (off1 : S1 -> L) (K2 : O -> M -> S2 -> R) (K1 : M -> C -> S1 -> R).
Definition after_off (s : S2 * S1) : L := off2 s.1 + off1 s.2.
Definition after (o : O) (c : C) (s : S2 * S1) : R := \sum_m K2 o m s.1 * K1 m c s.2.
Theorem after_bounded (here : pred L) (a b : R) : 0 <= a -> bounded_on here off2 K2 (fun=> a) ->
  bounded_on predT off1 K1 (fun=> b) -> bounded_on here after_off after (fun=> a * b).
Proof.
move=> a0 h2 h1 P Q pin pout ii io hq.
pose D := undup [seq pout q + off2 s | q <- enum Q, s <- enum S2]; pose mid (d : seq_sub D) : L := ssval d.
have im : injective mid by exact: val_inj.
have inD q s : pout q + off2 s \in D by rewrite mem_undup; apply/allpairsP; exists (q, s); rewrite !mem_enum.
apply/dom_gram => x.
have -> : conv_matrix pin pout after_off after *v x = conv_matrix mid pout off2 K2 *v (conv_matrix pin mid off1 K1 *v x).
  rewrite -mulv_comp; apply: eq_mulv => -[o q] [c p] /=.
  rewrite /conv_matrix /= sum_pair; under [RHS]eq_bigr => m _ do under eq_bigr => d _ do rewrite mulr_suml.
  under [RHS]eq_bigr => m _ do rewrite (exchange_big_dep predT) //=.
  under [RHS]eq_bigr => m _ do under eq_bigr => s2 _ do
    rewrite -[pout q + off2 s2]/(mid (SeqSub (inD q s2))) (sum_injective _ _ im) /=.
  rewrite [RHS]exchange_big [LHS]big_mkcond [LHS]sum_pair /=; apply: eq_bigr => s2 _; rewrite -big_mkcond /=.
  under [RHS]eq_bigr => m _ do rewrite mulr_sumr.
  by rewrite [RHS]exchange_big /=; apply: eq_big => [s1|s1 _]; rewrite /after_off //= addrA.
apply: le_trans (_ : a * sqn (conv_matrix pin mid off1 K1 *v x) <= _).
  by have /dom_gram := h2 _ _ mid pout im io hq => /(_ (conv_matrix pin mid off1 K1 *v x)); rewrite sum_const.
rewrite sum_const -mulrA ler_wpmul2l //.
by have /dom_gram := h1 _ _ pin mid ii im (fun=> isT) => /(_ x); rewrite sum_const.
Qed.
End Compose.
End Lattice.
