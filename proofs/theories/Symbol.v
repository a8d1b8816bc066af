(* The sampled symbol: a convolution padded with zeros, of any image size, is bounded by its symbol at N x N frequencies divided by
   cos(pi D / 2N) per axis, D the degree k - 1 of the symbol or a larger proper divisor of N. The operator is a part of a convolution on a torus
   as large as need be, whose frequencies lie between those of the grid (Sampling.v). Stride and cropping choose places; dilation and padding
   move the frequencies and the phase. Cosines and sines are those of Turns.v: over a real closed field nothing is assumed of them. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Fourier Turns Torus Sampling.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* K(theta) = sum over taps (a, b) of K(a, b) e^i(u a + v b), as a real matrix of twice the size: rows and columns (channel, imaginary part) *)
Definition symbol_at (R : realFieldType) (c s : int -> R) (O C : finType) kh kw (K : O -> C -> 'I_kh * 'I_kw -> R) (u v : int)
  (ob : O * bool) (cb : C * bool) : R :=
  let re := \sum_t K ob.1 cb.1 t * c (u * t.1%:Z + v * t.2%:Z) in
  let im := \sum_t K ob.1 cb.1 t * s (u * t.1%:Z + v * t.2%:Z) in
  if ob.2 == cb.2 then re else if ob.2 then - im else im.

Section TwoAxes.
Variables (R : realFieldType) (n : nat) (c s : int -> R).
Hypothesis H : circle n c s.
Variables (O C : finType) (kh kw : nat) (K : O -> C -> 'I_kh * 'I_kw -> R).
Local Notation turned := (@turned R c s O).
Section Vector.
Variable x : {ffun C * bool -> R}.
Definition part (a : 'I_kh) (b : 'I_kw) : {ffun O * bool -> R} := [ffun ob => \sum_i K ob.1 i (a, b) * x (i, ob.2)].
Lemma symbol_atE (u v : int) : symbol_at c s K u v *v x = \sum_(a < kh) \sum_(b < kw) turned (a%:Z * u + b%:Z * v) (part a b).
Proof.
have coef (w : int -> R) (a : 'I_kh) (b : 'I_kw) : w (u * a%:Z + v * b%:Z) = w (a%:Z * u + b%:Z * v) by congr w; ring.
have sum o b' (w : int -> R) : \sum_i (\sum_t K o i t * w (u * t.1%:Z + v * t.2%:Z)) * x (i, b')
    = \sum_(a < kh) \sum_(b < kw) w (a%:Z * u + b%:Z * v) * part a b (o, b').
  under eq_bigr => i _ do rewrite sum_pair mulr_suml.
  rewrite exchange_big /=; apply: eq_bigr => a _.
  under eq_bigr => i _ do rewrite mulr_suml.
  rewrite exchange_big /=; apply: eq_bigr => b _; rewrite ffunE mulr_sumr /=.
  by apply: eq_bigr => i _; rewrite coef mulrAC [LHS]mulrC.
apply/ffunP => -[o b']; rewrite ffunE sum_pair sum_ffunE.
under [RHS]eq_bigr => a _ do rewrite sum_ffunE.
under [RHS]eq_bigr => a _ do under eq_bigr => b _ do rewrite turnedE.
under [RHS]eq_bigr => a _ do rewrite big_split /=.
rewrite big_split /=; under eq_bigr => i _ do rewrite big_bool /symbol_at /=.
rewrite -sum; case: b' => /=.
  under [X in _ = _ + X]eq_bigr => a _ do under eq_bigr => b _ do rewrite [across _ _]ffunE /= mulrN.
  under [X in _ = _ + X]eq_bigr => a _ do rewrite sumrN.
  rewrite sumrN -sum -sumrB; apply: eq_bigr => i _; by rewrite mulNr.
under [X in _ = _ + X]eq_bigr => a _ do under eq_bigr => b _ do rewrite [across _ _]ffunE /=.
by rewrite -sum -big_split; apply: eq_bigr => i _; rewrite addrC.
Qed.

(* the frequencies of a torus: dilation multiplies them, an offset is a phase *)
Lemma symbol_at_eq (c' s' : int -> R) (u v u' v' : int) :
  (forall t : 'I_kh * 'I_kw, c' (u * t.1%:Z + v * t.2%:Z) = c (u' * t.1%:Z + v' * t.2%:Z) /\
    s' (u * t.1%:Z + v * t.2%:Z) = s (u' * t.1%:Z + v' * t.2%:Z)) -> symbol_at c' s' K u v *v x = symbol_at c s K u' v' *v x.
Proof.
move=> e; apply/ffunP => ob; rewrite !ffunE; apply: eq_bigr => cb _; congr (_ * _); rewrite /symbol_at.
have -> : \sum_t K ob.1 cb.1 t * c' (u * t.1%:Z + v * t.2%:Z) = \sum_t K ob.1 cb.1 t * c (u' * t.1%:Z + v' * t.2%:Z).
  by apply: eq_bigr => t _; rewrite (e t).1.
suff -> : \sum_t K ob.1 cb.1 t * s' (u * t.1%:Z + v * t.2%:Z) = \sum_t K ob.1 cb.1 t * s (u' * t.1%:Z + v' * t.2%:Z) by [].
by apply: eq_bigr => t _; rewrite (e t).2.
Qed.
Lemma symbol_phase (F : finType) (TZ : finZmodType) (co si : F -> TZ -> R) (off : 'I_kh * 'I_kw -> TZ) (f : F) (phase u v : int) :
  (forall t, co f (off t) = c (phase + (u * t.1%:Z + v * t.2%:Z)) /\ si f (off t) = s (phase + (u * t.1%:Z + v * t.2%:Z))) ->
  symbol co si off K f *v x = turned phase (symbol_at c s K u v *v x).
Proof.
move=> e; have entry (o : O) (i : C) :
  \sum_t K o i t * co f (off t) = c phase * (\sum_t K o i t * c (u * t.1%:Z + v * t.2%:Z)) - s phase * (\sum_t K o i t * s (u * t.1%:Z + v * t.2%:Z)) /\
  \sum_t K o i t * si f (off t) = s phase * (\sum_t K o i t * c (u * t.1%:Z + v * t.2%:Z)) + c phase * (\sum_t K o i t * s (u * t.1%:Z + v * t.2%:Z)).
  rewrite !mulr_sumr -sumrB -big_split; split; apply: eq_bigr => t _.
    by rewrite (e t).1 (circle_cD H) mulrBr ![K o i t * (_ * _)]mulrCA.
  by rewrite (e t).2 (circle_sD H) mulrDr ![K o i t * (_ * _)]mulrCA.
apply/ffunP => -[o b]; rewrite turnedE /across; case: b; rewrite !ffunE /= ?mulrN !mulr_sumr -?sumrN -big_split;
  apply: eq_bigr => -[i b] _; rewrite /symbol /symbol_at /= (entry o i).1 (entry o i).2;
  move: (\sum_t _ * c _) (\sum_t _ * s _) (x _) => re im y; case: b => /=; ring.
Qed.

Variables (Dh Dw N g : nat).
Hypotheses (kDh : (kh <= Dh.+1)%N) (kDw : (kw <= Dw.+1)%N) (Ng : (N * g = n)%N) (sh : samples Dh N) (sw : samples Dw N).
Lemma samples_lt D : samples D N -> (D < N)%N.
Proof. by have := circle_n_gt0 H; rewrite -Ng muln_gt0 => /andP [N0 _] /orP [/eqP ->|/and3P []]. Qed.
Lemma cosine_gt0 D : samples D N -> 0 < c (D * g)%N%:Z.
Proof.
have := circle_n_gt0 H; rewrite -Ng muln_gt0 => /andP [_ g0] /samples_lt DN.
by apply: (circle_c_gt0 H); rewrite -Ng ltn_pmul2r.
Qed.
Lemma sampled_axes (B : R) : (forall q r : int, sqn (symbol_at c s K ((4 * g)%N%:Z * q) ((4 * g)%N%:Z * r) *v x) <= B) ->
  forall t u : int, (c (Dh * g)%N%:Z * c (Dw * g)%N%:Z) ^+ 2 * sqn (symbol_at c s K (2%:Z * t) (2%:Z * u) *v x) <= B.
Proof.
move=> h t u; have ch := cosine_gt0 sh; have cw := cosine_gt0 sw.
have second (v : int) : symbol_at c s K (2%:Z * t) v *v x = polynomial c s (fun b => \sum_(a < kh) turned (a%:Z * (2%:Z * t)) (part a b)) v.
  rewrite symbol_atE exchange_big; apply: eq_bigr => b _; rewrite turned_sum; apply: eq_bigr => a _.
  by rewrite addrC (turnedD H).
have any (q v : int) : symbol_at c s K q v *v x = polynomial c s (fun a => \sum_(b < kw) turned (b%:Z * v) (part a b)) q.
  rewrite symbol_atE; apply: eq_bigr => a _; rewrite turned_sum; apply: eq_bigr => b _; exact: (turnedD H).
have h1 (r : int) : sqn (symbol_at c s K (2%:Z * t) ((4 * g)%N%:Z * r) *v x) <= B / c (Dh * g)%N%:Z ^+ 2.
  rewrite ler_pdivl_mulr ?exprn_gt0 // mulrC any; apply: (sampled H kDh Ng sh) => q; rewrite -any; exact: h.
have h2 : c (Dw * g)%N%:Z ^+ 2 * sqn (symbol_at c s K (2%:Z * t) (2%:Z * u) *v x) <= B / c (Dh * g)%N%:Z ^+ 2.
  by rewrite second; apply: (sampled H kDw Ng sw) => q; rewrite -second.
by rewrite exprMn -mulrA mulrC -ler_pdivl_mulr ?exprn_gt0.
Qed.
End Vector.
End TwoAxes.

(* ---- The theorem. *)
Section Sampled.
Variables (R : rcfType) (N : nat) (c s : int -> R).
(* cosines and sines of the multiples of a 4N-th part of the whole turn: grid point u is at angle 4u, and cos(pi D / 2N) is c D *)
Hypothesis H : circle N c s.
Variables (O C P Q : finType) (kh kw : nat) (K : O -> C -> 'I_kh * 'I_kw -> R).
(* any places of inputs and outputs, any dilation and any offset of the taps *)
Variables (pin : P -> int * int) (pout : Q -> int * int) (dil base : int * int).
Hypotheses (pin_inj : injective pin) (pout_inj : injective pout).
Definition tap_place (t : 'I_kh * 'I_kw) : int * int := (dil.1 * t.1%:Z + base.1, dil.2 * t.2%:Z + base.2).
Variables (Dh Dw : nat).
Hypotheses (kDh : (kh <= Dh.+1)%N) (kDw : (kw <= Dw.+1)%N) (sh : samples Dh N) (sw : samples Dw N).

Lemma residue (z : int) : exists (u : 'I_N) (q : int), z = u%:Z + N%:Z * q.
Proof.
have N0 := circle_n_gt0 H; have := divz_eq z N; have := @modz_ge0 z N; have := @ltz_pmod z N.
rewrite ltz_nat N0 eqz_nat -lt0n N0 => /(_ isT) lt /(_ isT).
move: (z %% N)%Z lt => [k|//] kN _ e; rewrite ltz_nat in kN.
by exists (Ordinal kN), (z %/ N)%Z; rewrite {1}e /= addrC mulrC.
Qed.

Theorem symbol_grid_dom (lam mu : R) : 0 <= lam -> lam <= mu * (c Dh * c Dw) ^+ 2 ->
  (forall u v : 'I_N, dom (gram (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z))) (fun=> lam)) ->
  dom (gram (conv_matrix pin pout tap_place K)) (fun=> mu) /\ dom (gram (adj (conv_matrix pin pout tap_place K))) (fun=> mu).
Proof.
move=> l0 lm h; have N0 := circle_n_gt0 H.
have [ch cw] : 0 < c Dh /\ 0 < c Dw by split; apply: (circle_c_gt0 H); exact: (samples_lt H (muln1 N)).
have mu0 : 0 <= mu by have := le_trans l0 lm; rewrite pmulr_lge0 // exprn_gt0 // mulr_gt0.
pose b := (\sum_p extent (pin p) + \sum_q extent (pout q) + \sum_t extent (tap_place t))%N.
have one (A : finType) (f : A -> nat) i : (f i <= \sum_j f j)%N by rewrite (bigD1 i) // leq_addr.
have bin p : (extent (pin p) <= b)%N by rewrite /b -addnA; apply: leq_trans (leq_addr _ _); exact: one.
have bout q : (extent (pout q) <= b)%N.
  by rewrite /b -addnA addnCA; apply: leq_trans (leq_addr _ _); exact: (one _ (fun q => extent (pout q))).
have btap t : (extent (tap_place t) <= b)%N.
  by apply: leq_trans (leq_addl _ _); exact: (one _ (fun t => extent (tap_place t))).
pose g := (3 * b).+1; have g0 : (0 < g)%N by [].
have [c' [s' [H' ec es]]] := circle_refine g0 H.
have [m nm] : exists m, (N * g).*2 = m.+2.
  by exists (N * g).-1.*2; rewrite -doubleS prednK // muln_gt0 N0.
have big : (3 * b < m.+2)%N.
  by rewrite -nm -muln2; apply: (@leq_trans (N * g)); [apply: leq_pmull | apply: leq_pmulr].
have grid (x : {ffun C * bool -> R}) (q r : int) : sqn (symbol_at c' s' K ((4 * g)%N%:Z * q) ((4 * g)%N%:Z * r) *v x) <= lam * sqn x.
  have [u [z qe]] := residue q; have [v [z' re]] := residue r.
  rewrite (@symbol_at_eq R c s O C kh kw K x c' s' _ _ (4%:Z * u%:Z) (4%:Z * v%:Z)) => [|t]; first by have /dom_gram := h u v => /(_ x); rewrite sum_const.
  have -> : (4 * g)%N%:Z * q * t.1%:Z + (4 * g)%N%:Z * r * t.2%:Z = g%:Z * (4%:Z * u%:Z * t.1%:Z + 4%:Z * v%:Z * t.2%:Z
    + N.*2.*2%:Z * (z * t.1%:Z + z' * t.2%:Z)) by rewrite qe re -!mul2n !PoszM; ring.
  by rewrite ec es !(circle_periodic H _ _).1 !(circle_periodic H _ _).2.
have any (x : {ffun C * bool -> R}) (y z : int) : sqn (symbol_at c' s' K (2%:Z * y) (2%:Z * z) *v x) <= mu * sqn x.
  have := sampled_axes H' kDh kDw (erefl _) sh sw (grid x) y z.
  have e D : c' (D * g)%N%:Z = c D by rewrite PoszM mulrC ec.
  rewrite !e => le; have p0 : 0 < (c Dh * c Dw) ^+ 2 by rewrite exprn_gt0 // mulr_gt0.
  rewrite -(ler_pmul2l p0); apply: le_trans le _; by rewrite mulrA ler_wpmul2r ?sqn_ge0 // mulrC.
have p0 : 0 < m.+2%:R ^+ 2 :> R by rewrite exprn_gt0 // ltr0n.
apply: (@circulant_dom R [finZmodType of ('I_m.+2 * 'I_m.+2)%type] _ (torus_co c') (torus_si s') _ p0 (torus_coB H' nm) (torus_siB H' nm)
  (torus_orthogonal H' nm) _ _ _ _ _ _ _ _ _ _ (@place m) mu mu0 (@placeD m)).
- move=> p p' /= e; apply: pin_inj; apply: place_inj e; apply: leq_ltn_trans big.
  apply: leq_trans (leq_mul (isT : (2 <= 3)%N) (leqnn b)); rewrite mul2n -addnn leq_add // ?bin.
- move=> q q' /= e; apply: pout_inj; apply: place_inj e; apply: leq_ltn_trans big.
  apply: leq_trans (leq_mul (isT : (2 <= 3)%N) (leqnn b)); rewrite mul2n -addnn leq_add // ?bout.
- move=> p q t e; apply: place_inj e; apply: leq_ltn_trans big; rewrite mulSn leq_add ?bin // mul2n -addnn.
  by apply: leq_trans (extentD _ _) _; rewrite leq_add ?bout ?btap.
move=> f; apply/dom_gram => x; rewrite sum_const.
rewrite (@symbol_phase _ _ _ _ H' _ _ _ _ K x _ _ _ _ _ f (angle f base) (2%:Z * (f.1%:Z * dil.1)) (2%:Z * (f.2%:Z * dil.2))) => [|t].
  by rewrite (sqn_turned H') any.
have [-> ->] := turn_angle H' nm f (tap_place t).
by rewrite [angle f (tap_place t)](_ : _ = angle f base + (2%:Z * (f.1%:Z * dil.1) * t.1%:Z + 2%:Z * (f.2%:Z * dil.2) * t.2%:Z)) // /angle /tap_place /=; ring.
Qed.

(* of a frequency and its negative one is enough, as K is real: the symbols are conjugate *)
Definition conjugate (A : finType) (x : {ffun A * bool -> R}) : {ffun A * bool -> R} := [ffun ob => if ob.2 then - x ob else x ob].
Lemma sqn_conjugate (A : finType) (x : {ffun A * bool -> R}) : sqn (conjugate x) = sqn x.
Proof. by rewrite !sqnE; apply: eq_bigr => -[o []] _; rewrite ffunE //= sqrrN. Qed.
Lemma symbol_conjugate (u v : int) (x : {ffun C * bool -> R}) :
  symbol_at c s K (- u) (- v) *v x = conjugate (symbol_at c s K u v *v conjugate x).
Proof.
have neg (t : 'I_kh * 'I_kw) : - u * t.1%:Z + - v * t.2%:Z = - (u * t.1%:Z + v * t.2%:Z) by ring.
have re o i : \sum_t K o i t * c (- u * t.1%:Z + - v * t.2%:Z) = \sum_t K o i t * c (u * t.1%:Z + v * t.2%:Z).
  by apply: eq_bigr => t _; rewrite neg (circle_cN H).
have im o i : \sum_t K o i t * s (- u * t.1%:Z + - v * t.2%:Z) = - \sum_t K o i t * s (u * t.1%:Z + v * t.2%:Z).
  by rewrite -sumrN; apply: eq_bigr => t _; rewrite neg (circle_sN H) mulrN.
by apply/ffunP => -[o []]; rewrite !ffunE /= -?sumrN; apply: eq_bigr => -[i []] _;
  rewrite ffunE /symbol_at /= ?re ?im ?opprK ?mulNr ?mulrN ?opprK.
Qed.
Lemma half_grid (lam : R) :
  (forall u v : 'I_N, (v.*2 <= N)%N -> dom (gram (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z))) (fun=> lam)) ->
  forall u v : 'I_N, dom (gram (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z))) (fun=> lam).
Proof.
move=> h u v; have [small|large] := leqP v.*2 N; first exact: h.
have [u' [y eu]] := residue (- u%:Z); have N0 := circle_n_gt0 H.
have vN : (N - v < N)%N by rewrite ltn_subrL N0 andbT lt0n; apply: contraTN large => /eqP ->.
pose v' := Ordinal vN; have ev : - v%:Z = v'%:Z + N%:Z * -1 by rewrite /= -subzn ?(ltnW (ltn_ord v)) //; ring.
have half : (v'.*2 <= N)%N by rewrite /= doubleB leq_subLR -addnn leq_add2r ltnW.
apply/dom_gram => x; rewrite sum_const.
rewrite (@symbol_at_eq R c s O C kh kw K x c s _ _ (- (4%:Z * u'%:Z)) (- (4%:Z * v'%:Z))) => [|t].
  rewrite symbol_conjugate sqn_conjugate; have /dom_gram := h u' v' half => /(_ (conjugate x)); by rewrite sum_const sqn_conjugate.
have -> : 4%:Z * u%:Z * t.1%:Z + 4%:Z * v%:Z * t.2%:Z
    = - (4%:Z * u'%:Z) * t.1%:Z + - (4%:Z * v'%:Z) * t.2%:Z + N.*2.*2%:Z * - (y * t.1%:Z - t.2%:Z).
  have -> : u%:Z = - (u'%:Z + N%:Z * y) by rewrite -eu opprK.
  have -> : v%:Z = - (v'%:Z + N%:Z * -1) by rewrite -ev opprK.
  by rewrite -!mul2n !PoszM; ring.
by rewrite !(circle_periodic H _ _).1 !(circle_periodic H _ _).2.
Qed.
End Sampled.

(* ---- Rule "gram-iteration-symbol": N x N frequencies, half of them, each by Gram iteration (as many squarings as one likes); D the degree k - 1
        per axis, or a larger proper divisor of N (`samples`); the bound is lam / (cos(pi Dh / 2N) cos(pi Dw / 2N))^2, rounded up to mu. *)
Theorem gram_iteration_symbol (R : rcfType) (N : nat) (c s : int -> R) (O C P Q : finType) (kh kw : nat) (K : O -> C -> 'I_kh * 'I_kw -> R)
  (pin : P -> int * int) (pout : Q -> int * int) (dil base : int * int) (Dh Dw k : nat) (lam mu : R) :
  circle N c s -> injective pin -> injective pout -> (kh <= Dh.+1)%N -> (kw <= Dw.+1)%N -> samples Dh N -> samples Dw N ->
  0 < lam -> lam <= mu * (c Dh * c Dw) ^+ 2 ->
  (forall u v : 'I_N, (v.*2 <= N)%N ->
    frob (iter k (@square R _) (gram (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z)))) <= (lam ^+ (2 ^ k)) ^+ 2) ->
  let W := conv_matrix pin pout (tap_place dil base) K in dom (gram W) (fun=> mu) /\ dom (gram (adj W)) (fun=> mu).
Proof.
move=> H pi po kDh kDw sh sw l0 lm h; have h' (u v : 'I_N) (half : (v.*2 <= N)%N) := gram_power_dom (gramC _) l0 (h u v half).
exact: (symbol_grid_dom H dil base pi po kDh kDw sh sw (ltW l0) lm (half_grid H h')).
Qed.
(* a diagonal bound, one entry for each output *)
Theorem symbol_rows_dom (R : rcfType) (N : nat) (c s : int -> R) (O C P Q : finType) (kh kw : nat) (K : O -> C -> 'I_kh * 'I_kw -> R)
  (pin : P -> int * int) (pout : Q -> int * int) (dil base : int * int) (Dh Dw : nat) (T : O -> R) :
  circle N c s -> injective pin -> injective pout -> (kh <= Dh.+1)%N -> (kw <= Dw.+1)%N -> samples Dh N -> samples Dw N ->
  (forall o, 0 <= T o) ->
  (forall u v : 'I_N, (v.*2 <= N)%N ->
    dom (gram (adj (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z)))) (fun ob => T ob.1 * (c Dh * c Dw) ^+ 2)) ->
  dom (gram (adj (conv_matrix pin pout (tap_place dil base) K))) (fun oq => T oq.1).
Proof.
move=> H pi po kDh kDw sh sw T0 h; apply/dom_gram => y; apply/ler_addgt0Pr => e e0.
have p : 0 < 1 + sqn y by rewrite ltr_paddr ?ltr01 ?sqn_ge0.
pose d := e / (1 + sqn y); have d0 : 0 < d by exact: divr_gt0.
have Td o : 0 < T o + d by exact: ltr_paddl.
pose r o := Num.sqrt (T o + d); have r0 o : 0 < r o by rewrite sqrtr_gt0.
have rr o : r o ^+ 2 = T o + d by rewrite sqr_sqrtr ?ltW.
pose K' o i t := K o i t / r o.
have kappa : 0 <= (c Dh * c Dw) ^+ 2 by exact: sqr_ge0.
have hs (u v : 'I_N) : (v.*2 <= N)%N -> dom (gram (symbol_at c s K' (4%:Z * u%:Z) (4%:Z * v%:Z))) (fun=> (c Dh * c Dw) ^+ 2).
  move=> half; apply: gram_adj => //; apply/dom_gram => x; rewrite sum_const.
  pose z : {ffun O * bool -> R} := [ffun ob => x ob / r ob.1].
  have -> : adj (symbol_at c s K' (4%:Z * u%:Z) (4%:Z * v%:Z)) *v x = adj (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z)) *v z.
    apply/ffunP => cb; rewrite !ffunE; apply: eq_bigr => ob _; rewrite ffunE /adj mulrA mulrAC; congr (_ * _).
    have scaled (f : 'I_kh * 'I_kw -> R) : \sum_t K' ob.1 cb.1 t * f t = (\sum_t K ob.1 cb.1 t * f t) / r ob.1.
      by rewrite mulr_suml; apply: eq_bigr => t _; rewrite /K' mulrAC.
    by rewrite /symbol_at /= !scaled; case: ifP => // _; case: ifP => // _; rewrite mulNr.
  have /dom_gram := h u v half => /(_ z) le; apply: le_trans le _; rewrite sqnE mulr_sumr; apply: ler_sum => ob _.
  have ex : x ob = r ob.1 * z ob by rewrite ffunE mulrC divfK // gt_eqF.
  rewrite ex [(r _ * _) ^+ 2]exprMn rr [X in _ <= X]mulrA [X in _ <= X * _]mulrC ler_wpmul2r ?sqr_ge0 // ler_wpmul2r // ler_addl; exact: ltW.
have lm : (c Dh * c Dw) ^+ 2 <= 1 * (c Dh * c Dw) ^+ 2 by rewrite mul1r.
have [_ /dom_gram] := symbol_grid_dom H dil base pi po kDh kDw sh sw kappa lm (half_grid H hs).
pose z : {ffun O * Q -> R} := [ffun oq => r oq.1 * y oq]; move=> /(_ z); rewrite sum_const mul1r.
have -> : adj (conv_matrix pin pout (tap_place dil base) K') *v z = adj (conv_matrix pin pout (tap_place dil base) K) *v y.
  apply/ffunP => cp; rewrite !ffunE; apply: eq_bigr => oq _; rewrite ffunE /adj mulrA; congr (_ * _).
  rewrite /conv_matrix mulr_suml; apply: eq_bigr => t _; by rewrite /K' divfK // gt_eqF.
move=> le; apply: le_trans le _; rewrite sqnE; under eq_bigr => oq _ do rewrite ffunE exprMn rr mulrDl.
by rewrite big_split /= ler_add2l sum_const /d mulrAC ler_pdivr_mulr // ler_pmul2l // ler_addr ler01.
Qed.
(* of images: stride, dilation and padding of any size *)
Corollary conv2d_symbol (R : rcfType) (N : nat) (c s : int -> R) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (Dh Dw : nat) (lam mu : R) :
  circle N c s -> valid_geometry g -> (ker_h g <= Dh.+1)%N -> (ker_w g <= Dw.+1)%N -> samples Dh N -> samples Dw N ->
  0 <= lam -> lam <= mu * (c Dh * c Dw) ^+ 2 ->
  (forall u v : 'I_N, (v.*2 <= N)%N -> dom (gram (symbol_at c s K (4%:Z * u%:Z) (4%:Z * v%:Z))) (fun=> lam)) ->
  dom (gram (conv2d_matrix K)) (fun=> mu) /\ dom (gram (adj (conv2d_matrix K))) (fun=> mu).
Proof.
move=> H hg kDh kDw sh sw l0 lm h.
exact: (symbol_grid_dom H ((dil_h g)%:Z, (dil_w g)%:Z) (- pad_h g, - pad_w g) (@pin_inj g) (pout_inj hg) kDh kDw sh sw l0 lm (half_grid H h)).
Qed.
