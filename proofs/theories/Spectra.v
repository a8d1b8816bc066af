(* Convolutions given by a matrix at every frequency of a torus, as `lip prove --coq` writes them: Cayley, block reflectors and whitening of a
   symbol, and sandwich layers of images. A torus is the group of positions of an image with circular padding, or of a larger image
   around it. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Conv Orthogonal Operators Fourier Iterations Whitening Rules Architecture Branching Families.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- h x w positions; the image lies in them from (a, b) on; tap (i, j) of a kernel whose middle is (m, m') *)
Definition torus (h w : nat) : finZmodType := [finZmodType of ('I_h.-1.+1 * 'I_w.-1.+1)%type].
Definition at_place (H W a b h w : nat) (p : 'I_h * 'I_w) : torus H W := (inZp (p.1 + a), inZp (p.2 + b)).
Definition tap_place (H W m m' k k' : nat) (s : 'I_k * 'I_k') : torus H W := (inZp s.1 - inZp m, inZp s.2 - inZp m').
Lemma at_place_inj (H W a b h w : nat) : (h + a <= H)%N -> (w + b <= W)%N -> injective (@at_place H W a b h w).
Proof.
have step n N c (i j : 'I_n) : (n + c <= N)%N -> ((i + c) %% N.-1.+1 = (j + c) %% N.-1.+1)%N -> i = j.
  move=> e; have N0 : (0 < N)%N by apply: leq_trans e; rewrite addn_gt0 (leq_ltn_trans _ (ltn_ord i)).
  have lt (k : 'I_n) : (k + c < N)%N by apply: leq_trans e; rewrite ltn_add2r.
  by rewrite (prednK N0) !modn_small ?lt // => /addIn /val_inj.
by move=> e e' [i j] [i' j'] [] hi hj; congr (_, _); [exact: step e hi | exact: step e' hj].
Qed.

(* ---- Cosines and sines of the frequencies of a torus: over the reals, of 2 pi <f, a / sizes>. *)
Record waves (R : realFieldType) (T : finZmodType) := Waves {
  frequency : finType; cosine : frequency -> T -> R; sine : frequency -> T -> R; points : R;
  points_gt0 : 0 < points;
  cosineB : forall f a b, cosine f (a - b) = cosine f a * cosine f b + sine f a * sine f b;
  sineB : forall f a b, sine f (a - b) = sine f a * cosine f b - cosine f a * sine f b;
  cosine_sum : forall a, \sum_f cosine f a = if a == 0 then points else 0
}.

Section Spectrum.
Variables (R : realFieldType) (T : finZmodType) (W : waves R T).
Local Notation F := (frequency W).
Local Notation N := (points W).
Definition wave (f : F) (b : bool) (a : T) : R := if b then sine f a else cosine f a.
(* the transform of all channels as a matrix *)
Definition wave_matrix (C : finType) (p : F * (C * bool)) (ca : C * T) : R := if p.2.1 == ca.1 then wave p.1 p.2.2 ca.2 else 0.
(* the map that multiplies by Q f at frequency f: transform, multiply, transform back *)
Definition spectral_matrix (O C : finType) (Q : F -> O * bool -> C * bool -> R) (ot : O * T) (ca : C * T) : R :=
  N^-1 * \sum_f \sum_b wave f b ot.2 * \sum_b' Q f (ot.1, b) (ca.1, b') * wave f b' ca.2.

Lemma wave_matrixE (C : finType) (x : {ffun C * T -> R}) f cb :
  (@wave_matrix C *v x) (f, cb) = transform (@cosine _ _ W) (@sine _ _ W) x f cb.
Proof.
rewrite !ffunE sum_pair (bigD1 cb.1) //= [X in _ + X]big1 ?addr0 => [|c cc]; last first.
  by rewrite big1 // => a _; rewrite /wave_matrix /= eq_sym (negbTE cc) mul0r.
by rewrite /wave_matrix /= eqxx /wave; case: (cb.2); apply: eq_bigr => a _; rewrite mulrC.
Qed.
Lemma sqn_wave (C : finType) (x : {ffun C * T -> R}) : sqn (@wave_matrix C *v x) = N * sqn x.
Proof.
rewrite -(parseval (@cosineB _ _ W) (@cosine_sum _ _ W)) sqnE sum_pair; apply: eq_bigr => f _.
by rewrite sqnE; apply: eq_bigr => cb _; rewrite wave_matrixE.
Qed.
Lemma wave_adj_le (C : finType) (z : {ffun F * (C * bool) -> R}) : sqn (adj (@wave_matrix C) *v z) <= N * sqn z.
Proof.
have h : dom (gram (adj (@wave_matrix C))) (fun=> N).
  apply: gram_adj; first exact: ltW (points_gt0 W).
  by apply/dom_gram => x; rewrite sum_const sqn_wave.
by have /dom_gram /(_ z) := h; rewrite sum_const.
Qed.
Lemma spectral_matrixE (O C : finType) (Q : F -> O * bool -> C * bool -> R) x :
  spectral_matrix Q *v x =
    N^-1 *c (adj (@wave_matrix O) *v [ffun p => (Q p.1 *v transform (@cosine _ _ W) (@sine _ _ W) x p.1) p.2]).
Proof.
have inner f b o : (Q f *v transform (@cosine _ _ W) (@sine _ _ W) x f) (o, b) =
    \sum_ca (\sum_b' Q f (o, b) (ca.1, b') * wave f b' ca.2) * x ca.
  rewrite ffunE sum_pair [RHS]sum_pair; apply: eq_bigr => c _.
  under [RHS]eq_bigr => a _ do rewrite mulr_suml.
  rewrite [RHS]exchange_big /=; apply: eq_bigr => b' _; rewrite -wave_matrixE ffunE sum_pair (bigD1 c) //= [X in _ + X]big1 ?addr0 => [|k kc]; last first.
    by rewrite big1 // => a _; rewrite /wave_matrix /= eq_sym (negbTE kc) mul0r.
  by rewrite mulr_sumr; apply: eq_bigr => a _; rewrite /wave_matrix /= eqxx mulrA.
apply/ffunP => -[o t]; rewrite !ffunE.
under eq_bigr => ca _ do rewrite /spectral_matrix -mulrA mulr_suml.
rewrite -mulr_sumr; congr (_ * _); rewrite exchange_big /= sum_pair; apply: eq_bigr => f _.
under eq_bigr => ca _ do rewrite mulr_suml.
rewrite exchange_big /= sum_pair (bigD1 o) //= [X in _ = _ + X]big1 ?addr0 => [|k ko]; last first.
  by rewrite big1 // => b _; rewrite /adj /wave_matrix /= (negbTE ko) mul0r.
apply: eq_bigr => b _; rewrite /adj /wave_matrix /= eqxx ffunE /= inner mulr_sumr.
by apply: eq_bigr => ca _; rewrite mulrA.
Qed.
Theorem spectral_dom (O C : finType) (Q : F -> O * bool -> C * bool -> R) :
  (forall f, dom (gram (Q f)) (fun=> 1)) -> dom (gram (spectral_matrix Q)) (fun=> 1).
Proof.
move=> hQ; apply/dom_gram => x; rewrite sum_const mul1r spectral_matrixE sqnZ.
have N0 := points_gt0 W; set z := [ffun p => _].
have hz : sqn z <= N * sqn x.
  rewrite -(parseval (@cosineB _ _ W) (@cosine_sum _ _ W)) sqnE sum_pair; apply: ler_sum => f _.
  have /dom_gram /(_ (transform (@cosine _ _ W) (@sine _ _ W) x f)) := hQ f; rewrite sum_const mul1r => h.
  by apply: le_trans h; rewrite sqnE; apply: ler_sum => cb _; rewrite [z _]ffunE.
apply: le_trans (ler_wpmul2l (sqr_ge0 _) (wave_adj_le z)) _.
have N2 : 0 <= N^-1 ^+ 2 * N by rewrite mulr_ge0 ?sqr_ge0 ?ltW.
rewrite mulrA; apply: le_trans (ler_wpmul2l N2 hz) _; rewrite mulrA.
have -> : N^-1 ^+ 2 * N * N = 1 by field; rewrite gt_eqF.
by rewrite mul1r.
Qed.
(* at some places only *)
Definition spectral_part (O C P P' : finType) (Q : F -> O * bool -> C * bool -> R) (pin : P -> T) (pout : P' -> T) (oq : O * P') (cp : C * P) : R :=
  spectral_matrix Q (oq.1, pout oq.2) (cp.1, pin cp.2).
Theorem spectral_part_dom (O C P P' : finType) (Q : F -> O * bool -> C * bool -> R) (pin : P -> T) (pout : P' -> T) :
  injective pin -> injective pout -> (forall f, dom (gram (Q f)) (fun=> 1)) -> dom (gram (spectral_part Q pin pout)) (fun=> 1).
Proof.
move=> ii io hQ; have fi : injective (fun cp : C * P => (cp.1, pin cp.2)) by move=> [a p] [b q] [-> /ii ->].
have fo : injective (fun oq : O * P' => (oq.1, pout oq.2)) by move=> [a p] [b q] [-> /io ->].
exact: (@dom_rows _ _ _ _ (fun j i => spectral_matrix Q j (i.1, pin i.2)) _ _ fo (dom_columns fi (spectral_dom hQ))).
Qed.
End Spectrum.
