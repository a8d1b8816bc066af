(* Convolutions on a torus, a finite abelian group, by their symbol; parts of them: circular padding, and zero padding at one image size on
   a torus large enough. A pair of functions per frequency (cosine and sine) with the addition theorems and orthogonality is all that is
   used; over the reals they exist. Complex numbers are pairs: the symbol at a frequency is a real matrix of twice the size. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Operators.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Torus.
Variables (R : realFieldType) (T : finZmodType) (F : finType) (co si : F -> T -> R) (N : R).
Hypotheses (N_gt0 : 0 < N)
  (coB : forall f a b, co f (a - b) = co f a * co f b + si f a * si f b)
  (siB : forall f a b, si f (a - b) = si f a * co f b - co f a * si f b)
  (orthogonal : forall a, \sum_f co f a = if a == 0 then N else 0).

Definition transform (C : finType) (x : {ffun C * T -> R}) (f : F) : {ffun C * bool -> R} :=
  [ffun cb => if cb.2 then \sum_a x (cb.1, a) * si f a else \sum_a x (cb.1, a) * co f a].

Lemma parseval (C : finType) (x : {ffun C * T -> R}) : \sum_f sqn (transform x f) = N * sqn x.
Proof.
have e f : sqn (transform x f) = \sum_c \sum_a \sum_b x (c, a) * x (c, b) * co f (a - b).
  rewrite sqnE sum_pair; apply: eq_bigr => c _; rewrite big_bool !ffunE /= !expr2 !mulr_suml -big_split; apply: eq_bigr => a _.
  by rewrite /= !mulr_sumr -big_split; apply: eq_bigr => b _; rewrite coB /=; ring.
under eq_bigr => f _ do rewrite e.
rewrite exchange_big /= sqnE sum_pair mulr_sumr; apply: eq_bigr => c _.
rewrite exchange_big /= mulr_sumr; apply: eq_bigr => a _.
rewrite exchange_big /= (bigD1 a) //= [X in _ + X]big1 ?addr0 => [|b ba]; last first.
  by rewrite -mulr_sumr orthogonal subr_eq0 eq_sym (negbTE ba) mulr0.
by rewrite -mulr_sumr orthogonal subrr eqxx mulrC expr2.
Qed.

Section Convolution.
Variables (O C S : finType) (off : S -> T) (K : O -> C -> S -> R).
(* rows and columns (channel, is it the imaginary part) *)
Definition symbol (f : F) (ob : O * bool) (cb : C * bool) : R :=
  let re := \sum_s K ob.1 cb.1 s * co f (off s) in
  let im := \sum_s K ob.1 cb.1 s * si f (off s) in
  if ob.2 == cb.2 then re else if ob.2 then - im else im.
Definition torus_matrix : O * T -> C * T -> R := conv_matrix id id off K.

Lemma shifted_sum (g : T -> R) (x : T -> R) (t : T) : \sum_q x (q + t) * g q = \sum_p x p * g (p - t).
Proof.
rewrite [RHS](reindex_inj (addIr t)) /=; by apply: eq_bigr => q _; rewrite addrK.
Qed.
Lemma transform_conv (x : {ffun C * T -> R}) f : transform (torus_matrix *v x) f = symbol f *v transform x f.
Proof.
have conv o q : (torus_matrix *v x) (o, q) = \sum_c \sum_s K o c s * x (c, q + off s).
  rewrite -convE ffunE /=; apply: eq_bigr => c _; apply: eq_bigr => s _; by rewrite big_pred1_eq.
have sums o (g : T -> R) : \sum_q (torus_matrix *v x) (o, q) * g q = \sum_c \sum_s K o c s * \sum_p x (c, p) * g (p - off s).
  under eq_bigr => q _ do rewrite conv mulr_suml.
  rewrite exchange_big /=; apply: eq_bigr => c _; under eq_bigr => q _ do rewrite mulr_suml.
  rewrite exchange_big /=; apply: eq_bigr => s _.
  by rewrite -(shifted_sum g (fun p => x (c, p))) mulr_sumr; apply: eq_bigr => q _; rewrite mulrA.
have minus (k a b u v : R) : k * (a * u - b * v) = k * u * a - k * v * b by ring.
have plus (k a b u v : R) : k * (a * u + b * v) = k * v * b + k * u * a by ring.
apply/ffunP => -[o b]; rewrite !ffunE /= sum_pair; case: b => /=; rewrite sums; apply: eq_bigr => c _;
  rewrite big_bool !ffunE /= /symbol /= ?mulNr !mulr_suml -?sumrN -big_split; apply: eq_bigr => s _ /=.
  have -> : \sum_p x (c, p) * si f (p - off s) = (\sum_p x (c, p) * si f p) * co f (off s) - (\sum_p x (c, p) * co f p) * si f (off s).
    by rewrite !mulr_suml -sumrB; apply: eq_bigr => p _; rewrite siB; ring.
  exact: minus.
have -> : \sum_p x (c, p) * co f (p - off s) = (\sum_p x (c, p) * co f p) * co f (off s) + (\sum_p x (c, p) * si f p) * si f (off s).
  by rewrite !mulr_suml -big_split; apply: eq_bigr => p _; rewrite coB /=; ring.
exact: plus.
Qed.

(* ---- A bound at every frequency bounds the operator. *)
Theorem symbol_dom (lam : R) : (forall f, dom (gram (symbol f)) (fun=> lam)) -> dom (gram torus_matrix) (fun=> lam).
Proof.
move=> h; apply/dom_gram => x; rewrite sum_const -(ler_pmul2l N_gt0) -parseval mulrCA -parseval mulr_sumr.
by apply: ler_sum => f _; rewrite transform_conv; have /dom_gram := h f => /(_ (transform x f)); rewrite sum_const.
Qed.

(* ---- Inputs and outputs at some places of the torus: all of them is circular padding; stride and cropping choose fewer. *)
Section Places.
Variables (P Q : finType) (pin : P -> T) (pout : Q -> T).
Hypotheses (pin_inj : injective pin) (pout_inj : injective pout).
Theorem places_dom (lam : R) : 0 <= lam -> (forall f, dom (gram (symbol f)) (fun=> lam)) ->
  dom (gram (conv_matrix pin pout off K)) (fun=> lam) /\ dom (gram (adj (conv_matrix pin pout off K))) (fun=> lam).
Proof.
move=> l0 /symbol_dom h; pose fi (cp : C * P) := (cp.1, pin cp.2); pose fo (oq : O * Q) := (oq.1, pout oq.2).
have fii : injective fi by move=> [a p] [b q] [-> /pin_inj ->].
have foi : injective fo by move=> [a p] [b q] [-> /pout_inj ->].
have d : dom (gram (conv_matrix pin pout off K)) (fun=> lam).
  exact: (@dom_rows _ _ _ _ (fun j i => torus_matrix j (fi i)) fo _ foi (dom_columns fii h)).
by split=> //; exact: gram_adj l0 d.
Qed.
End Places.
End Convolution.

(* ---- A convolution on a lattice L that does not wrap around the torus (image size + kernel size - 1 at most the size of the torus): the
        sampled symbol bounds it, with no further factor. *)
Theorem circulant_dom (L : zmodType) (O C P Q S : finType) (pin : P -> L) (pout : Q -> L) (off : S -> L) (K : O -> C -> S -> R)
  (w : L -> T) (lam : R) : 0 <= lam -> (forall a b, w (a + b) = w a + w b) ->
  injective (w \o pin) -> injective (w \o pout) ->
  (forall p q s, w (pin p) = w (pout q + off s) -> pin p = pout q + off s) ->
  (forall f, dom (gram (symbol (w \o off) K f)) (fun=> lam)) ->
  dom (gram (conv_matrix pin pout off K)) (fun=> lam) /\ dom (gram (adj (conv_matrix pin pout off K))) (fun=> lam).
Proof.
move=> l0 wD pi po wraps h; have [h1 h2] := places_dom pi po l0 h.
have e oq cp : conv_matrix (w \o pin) (w \o pout) (w \o off) K oq cp = conv_matrix pin pout off K oq cp.
  apply: eq_bigl => s /=; rewrite -wD; apply/eqP/eqP => [|->] //; exact: wraps.
by split; [apply: eq_dom h1 | apply: eq_dom h2] => i j; apply: eq_bigr => k _; rewrite /adj !e.
Qed.
End Torus.

(* ---- Groups of channels: an operator that maps block k to block k is bounded when each block is. *)
Section Grouped.
Variables (R : realFieldType) (G I J : finType) (W : G -> J -> I -> R).
Definition block_diagonal (a : G * J) (b : G * I) : R := if a.1 == b.1 then W a.1 a.2 b.2 else 0.
Theorem block_diagonal_dom (T : G * I -> R) : (forall k, dom (gram (W k)) (fun i => T (k, i))) -> dom (gram block_diagonal) T.
Proof.
move=> h; apply/dom_gram => x; rewrite sqn_slice sum_pair; apply: ler_sum => k _.
have -> : slice (block_diagonal *v x) k = W k *v slice x k.
  apply/ffunP => j; rewrite !ffunE sum_pair (bigD1 k) //= [X in _ + X]big1 ?addr0 => [|k' kk].
    by apply: eq_bigr => i _; rewrite /block_diagonal /= eqxx ffunE.
  by rewrite big1 // => i _; rewrite /block_diagonal /= eq_sym (negbTE kk) mul0r.
have /dom_gram := h k => /(_ (slice x k)) h1; apply: le_trans h1 _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by apply: eq_bigr => i _; rewrite ffunE.
Qed.
End Grouped.
