(* Activations: slopes of elementwise functions, and the pairwise and sorting ones. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Elementwise.
Variable R : realFieldType.
Implicit Types I J K : finType.

(* slope01: every difference quotient lies in [0, 1] (what a residual needs); slope k: in [-k, k]. *)
Definition slope01 (s : R -> R) : Prop := forall a b, (s a - s b) ^+ 2 <= (s a - s b) * (a - b).
Definition slope (k : R) (s : R -> R) : Prop := forall a b, (s a - s b) ^+ 2 <= k ^+ 2 * (a - b) ^+ 2.
Definition act I (s : R -> R) (v : {ffun I -> R}) : {ffun I -> R} := [ffun i => s (v i)].

(* slope01 in the usual words: monotone and nonexpansive *)
Lemma slope01_mono s : (forall a b, a <= b -> 0 <= s b - s a <= b - a) -> slope01 s.
Proof.
move=> h a b; rewrite expr2.
wlog ab : a b / b <= a => [w|].
  case: (lerP b a) => ab; first exact: w.
  by have := w b a (ltW ab); rewrite -(opprB (s a)) -(opprB a) !mulrNN.
by have /andP [h0 h1] := h b a ab; rewrite ler_wpmul2l.
Qed.
Lemma slope01_slope s : slope01 s -> slope 1 s.
Proof.
move=> h a b; rewrite expr1n mul1r; have := h a b; set d := s a - s b; set e := a - b => hd.
have := sqr_ge0 (d - e).
have -> : (d - e) ^+ 2 = d ^+ 2 + e ^+ 2 - (d * e) *+ 2 by ring.
rewrite subr_ge0 mulr2n => h2; rewrite -(ler_add2l (d ^+ 2)); apply: le_trans h2.
exact: ler_add.
Qed.

Lemma relu_slope : slope01 (fun a => Num.max a 0).
Proof.
apply: slope01_mono => a b ab; case: (lerP a 0) => ha; case: (lerP b 0) => hb.
- by rewrite subrr lexx subr_ge0.
- by rewrite subr0 ltW //= ler_addl oppr_ge0.
- by have := lt_le_trans ha (le_trans ab hb); rewrite ltxx.
- by rewrite subr_ge0 ab lexx.
Qed.

(* the slope interval: every difference quotient lies in [lo, hi] *)
Definition slope_in (lo hi : R) (s : R -> R) : Prop :=
  forall a b, a <= b -> lo * (b - a) <= s b - s a <= hi * (b - a).
Lemma slope_in_slope lo hi s : slope_in lo hi s -> slope (Num.max `|lo| `|hi|) s.
Proof.
have flip (x y : R) : (x - y) ^+ 2 = (y - x) ^+ 2 by rewrite -sqrrN opprB.
move=> h a b; wlog ab : a b / a <= b => [w|].
  by have [|/ltW] := leP a b; [exact: w | move/w; rewrite (flip (s b)) (flip b)].
have /andP [h1 h2] := h a b ab; rewrite (flip (s a)) (flip a).
have d0 : 0 <= b - a by rewrite subr_ge0.
rewrite -exprMn -(real_normK (num_real (s b - s a))) ler_sqr ?nnegrE ?normr_ge0 ?mulr_ge0 ?le_maxr ?normr_ge0 //.
rewrite ler_norml; apply/andP; split; [apply: le_trans h1 | apply: le_trans h2 _].
  rewrite -mulNr ler_wpmul2r // ler_oppl; apply: le_trans (_ : `|lo| <= _); last by rewrite le_maxr lexx.
  by rewrite -normrN ler_norm.
by rewrite ler_wpmul2r //; apply: le_trans (ler_norm _) _; rewrite le_maxr lexx orbT.
Qed.
Lemma slope_in_slope01 lo hi s : 0 <= lo -> hi <= 1 -> slope_in lo hi s -> slope01 s.
Proof.
move=> l0 h1 h; apply: slope01_mono => a b ab; have /andP [p q] := h a b ab.
have d0 : 0 <= b - a by rewrite subr_ge0.
by rewrite (le_trans _ p) ?mulr_ge0 //=; apply: le_trans q _; rewrite -[X in _ <= X]mul1r ler_wpmul2r.
Qed.
Lemma slope01_in s : slope01 s -> slope_in 0 1 s.
Proof.
move=> h a b ab; rewrite mul0r mul1r; have := h b a; rewrite expr2.
have [->|] := eqVneq (s b - s a) 0; first by rewrite lexx subr_ge0.
rewrite neq_lt => /orP [n|p]; last by rewrite ler_pmul2l // (ltW p).
rewrite ler_nmul2l // => h2; have := le_lt_trans h2 n; by rewrite ltNge subr_ge0 ab.
Qed.
Lemma relu_slope_in : slope_in 0 1 (fun a => Num.max a 0).
Proof. exact: slope01_in relu_slope. Qed.
Definition leaky_relu (al a : R) : R := if 0 <= a then a else al * a.
Lemma leaky_relu_slope_in al : slope_in (Num.min 1 al) (Num.max 1 al) (leaky_relu al).
Proof.
move=> a b ab; set m := Num.min 1 al; set M := Num.max 1 al; rewrite /leaky_relu.
have m1 : m <= 1 by rewrite /m le_minl lexx. have ma : m <= al by rewrite /m le_minl lexx orbT.
have M1 : 1 <= M by rewrite /M le_maxr lexx. have Ma : al <= M by rewrite /M le_maxr lexx orbT.
have d0 : 0 <= b - a by rewrite subr_ge0.
case: (leP 0 b) => hb; case: (leP 0 a) => ha.
- by rewrite -{2 3}[b - a]mul1r !ler_wpmul2r.
- have na : 0 <= - a by rewrite oppr_ge0 ltW.
  have -> : b - al * a = 1 * b + al * (- a) by ring.
  have e (k : R) : k * (b - a) = k * b + k * (- a) by ring.
  by rewrite !e !ler_add // ler_wpmul2r.
- by have := lt_le_trans hb (le_trans ha ab); rewrite ltxx.
- by rewrite -mulrBr !ler_wpmul2r.
Qed.
Lemma abs_slope_in : slope_in (-1) 1 (fun a => `|a|).
Proof.
move=> a b ab; have d0 : 0 <= b - a by rewrite subr_ge0.
rewrite mulN1r mul1r -ler_norml -[X in _ <= X](ger0_norm d0); exact: ler_dist_dist.
Qed.

(* ---- Rule "activation": an elementwise function of slope k is k-Lipschitz. *)
Theorem act_lipc I k (s : R -> R) : slope k s -> lipc k (@act I s).
Proof.
move=> h x y; rewrite !sqnE mulr_sumr; apply: ler_sum => i _; rewrite !ffunE; exact: h.
Qed.
Theorem act_lip I (s : R -> R) : slope01 s -> lip (@act I s).
Proof. by move=> h; have := @act_lipc I _ _ (slope01_slope h); rewrite /lipc expr1n. Qed.

(* the sector inequality with a diagonal multiplier, all that a proof about a hidden layer uses *)
Lemma act_sector I s (t : I -> R) (u v : {ffun I -> R}) : slope01 s -> (forall i, 0 <= t i) ->
  \sum_i t i * (act s u - act s v) i ^+ 2 <= \sum_i t i * ((act s u - act s v) i * (u - v) i).
Proof. by move=> hs ht; apply: ler_sum => i _; apply: ler_wpmul2l => //; rewrite !ffunE; apply: hs. Qed.
End Elementwise.

(* Sigmoid and tanh over any ordered field that has an exponential (1 + x <= exp x, exp (x + y) = exp x exp y). *)
Section Exponential.
Variable R : realFieldType.
Variable E : R -> R.
Hypothesis ED : forall a b, E (a + b) = E a * E b.
Hypothesis E1 : forall a : R, 1 + a <= E a.

Lemma E_ne0 a : E a != 0.
Proof.
apply/eqP => h; have := ED a (- a); rewrite subrr h mul0r => e0.
by have := E1 0; rewrite addr0 e0 lt_geF ?ltr01.
Qed.
Lemma E_gt0 a : 0 < E a.
Proof.
have -> : a = a / 2%:R + a / 2%:R by field.
by rewrite ED -expr2 lt_neqAle eq_sym sqr_ge0 andbT expf_neq0 // E_ne0.
Qed.
Lemma E0 : E 0 = 1.
Proof. by apply: (mulfI (E_ne0 0)); rewrite -ED addr0 mulr1. Qed.

Definition sigmoid (a : R) : R := (1 + E (- a))^-1.
Lemma sigmoid_slope : slope01 sigmoid.
Proof.
apply: slope01_mono => a b ab; rewrite /sigmoid.
have pa := E_gt0 (- a); have pb := E_gt0 (- b); set p := E (- a) in pa *; set q := E (- b) in pb *.
have p1 : 0 < 1 + p by rewrite addr_gt0 ?ltr01. have q1 : 0 < 1 + q by rewrite addr_gt0 ?ltr01.
have -> : (1 + q)^-1 - (1 + p)^-1 = (p - q) / ((1 + p) * (1 + q)) by field; rewrite !gt_eqF.
(* q = p exp(a - b) >= p (1 + (a - b)) and exp(b - a) >= 1 *)
have hq : p - q <= p * (b - a).
  have -> : q = p * E (a - b) by rewrite /q /p -ED; congr E; ring.
  have -> : p - p * E (a - b) = p * (1 - E (a - b)) by ring.
  rewrite ler_pmul2l // ler_subl_addr -ler_subl_addl.
  by have -> : 1 - (b - a) = 1 + (a - b) by ring.
have hp : 0 <= p - q.
  have -> : p = q * E (b - a) by rewrite /q /p -ED; congr E; ring.
  have -> : q * E (b - a) - q = q * (E (b - a) - 1) by ring.
  rewrite mulr_ge0 ?(ltW pb) // subr_ge0; apply: le_trans (E1 _).
  by rewrite ler_addl subr_ge0.
have pq : 0 < (1 + p) * (1 + q) by rewrite mulr_gt0.
rewrite divr_ge0 ?(ltW pq) //= ler_pdivr_mulr // mulrC.
apply: le_trans hq _; rewrite mulrC [_ * (b - a)]mulrC; apply: ler_wpmul2l; rewrite ?subr_ge0 //.
have -> : (1 + p) * (1 + q) = p + (1 + q + p * q) by ring.
by rewrite ler_addl addr_ge0 ?(ltW q1) // mulr_ge0 ?ltW.
Qed.
End Exponential.

(* tanh needs one limit, hence an Archimedean field: |tanh b - tanh a| <= b - a follows from arbitrarily small steps. *)
Section Tanh.
Variable R : archiFieldType.
Variable E : R -> R.
Hypothesis ED : forall a b, E (a + b) = E a * E b.
Hypothesis E1 : forall a : R, 1 + a <= E a.
Let Egt0 a : 0 < E a := E_gt0 ED E1 a.

(* tanh a = (e^a - e^-a) / (e^a + e^-a), divided by e^a *)
Definition tanh (a : R) : R := (1 - E (- a) ^+ 2) / (1 + E (- a) ^+ 2).
Lemma tanh_diff a h : 0 <= h -> exists x D : R,
  [/\ 1 - h <= x, tanh (a + h) - tanh a = D, 0 <= D & D * (1 + x) <= 2%:R * (1 - x)].
Proof.
move=> h0; pose p := E (- a); pose x := E (- h); exists x, (tanh (a + h) - tanh a).
have p0 : 0 < p := Egt0 _. have x0 : 0 < x := Egt0 _.
have q : E (- (a + h)) = p * x by rewrite opprD ED.
have x1 : x <= 1.
  have e : x * E h = 1 by rewrite /x -ED addNr (E0 ED E1).
  rewrite -e ler_pmulr //; apply: le_trans (E1 h); by rewrite ler_addl.
have pp : 0 < 1 + p ^+ 2 by rewrite addr_gt0 ?ltr01 ?exprn_gt0.
have qq : 0 < 1 + (p * x) ^+ 2 by rewrite addr_gt0 ?ltr01 ?exprn_gt0 ?mulr_gt0.
have e : tanh (a + h) - tanh a = 2%:R * (p ^+ 2 * (1 - x) * (1 + x)) / ((1 + p ^+ 2) * (1 + (p * x) ^+ 2)).
  by rewrite /tanh q -/p; field; rewrite !gt_eqF.
have dd : 0 < (1 + p ^+ 2) * (1 + (p * x) ^+ 2) by rewrite mulr_gt0.
have x1' : 0 <= 1 - x by rewrite subr_ge0.
have xp : 0 < 1 + x by rewrite addr_gt0 ?ltr01.
split=> //; first by apply: le_trans (E1 _); rewrite lexx.
  rewrite e; apply: divr_ge0 (ltW dd); apply: mulr_ge0; first exact: ler0n.
  by apply: mulr_ge0 (ltW xp); apply: mulr_ge0 x1'; exact: sqr_ge0.
rewrite e mulrAC ler_pdivr_mulr // -subr_ge0.
have -> : 2%:R * (1 - x) * ((1 + p ^+ 2) * (1 + (p * x) ^+ 2)) - 2%:R * (p ^+ 2 * (1 - x) * (1 + x)) * (1 + x)
  = 2%:R * (1 - x) * (1 - p ^+ 2 * x) ^+ 2 by ring.
by apply: mulr_ge0 (sqr_ge0 _); apply: mulr_ge0 x1'; exact: ler0n.
Qed.
Lemma tanh_step n a h : 0 <= h -> (tanh (a + h) - tanh a) * (2%:R - h / 2%:R ^+ n) <= 2%:R * h.
Proof.
elim: n a h => [|n ih] a h h0.
  have [x [D [xh -> D0 hD]]] := tanh_diff a h0; rewrite expr0 divr1.
  have D2 : 0 <= D + 2%:R by rewrite addr_ge0 ?ler0n.
  have := ler_wpmul2l D2 xh => hx.
  rewrite -subr_ge0 in hD; rewrite -subr_ge0 in hx; rewrite -subr_ge0; have := addr_ge0 hD hx.
  by congr (0 <= _); ring.
have h2 : 0 <= h / 2%:R by rewrite divr_ge0 ?ler0n.
have e : a + h = a + h / 2%:R + h / 2%:R by field.
have e2 : h / 2%:R / 2%:R ^+ n = h / 2%:R ^+ n.+1 by rewrite exprS invfM mulrA.
have := ler_add (ih (a + h / 2%:R) _ h2) (ih a _ h2); rewrite e2 -e -mulrDl.
have -> : 2%:R * (h / 2%:R) + 2%:R * (h / 2%:R) = 2%:R * h by field.
by rewrite addrA subrK.
Qed.
Lemma tanh_slope : slope01 tanh.
Proof.
apply: slope01_mono => a b ab; have h0 : 0 <= b - a by rewrite subr_ge0.
have eb : b = a + (b - a) by rewrite addrC subrK.
move: (b - a) h0 eb => h h0 ->.
have hn n := tanh_step n a h0; have [x [D [_ e D0 _]]] := tanh_diff a h0.
rewrite e in hn *; rewrite D0 /= leNgt; apply/negP => hD.
have d0 : 0 < 2%:R * (D - h) by rewrite mulr_gt0 ?ltr0n // subr_gt0.
pose y := D * h / (2%:R * (D - h)).
have := hn (Num.bound y); have := upper_nthrootP (leqnn (Num.bound y)).
have N0 : (0 : R) < 2%:R ^+ (Num.bound y) by rewrite exprn_gt0 ?ltr0n.
move: N0; set N := 2%:R ^+ _ => N0; rewrite ltr_pdivr_mulr // => h1.
have -> : D * (2%:R - h / N) = 2%:R * D - D * h / N by field; rewrite gt_eqF.
rewrite ler_subl_addr -ler_subl_addl -mulrBr ler_pdivl_mulr // mulrC => h2.
by have := lt_le_trans h1 h2; rewrite ltxx.
Qed.
End Tanh.
