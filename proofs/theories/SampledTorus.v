(* A convolution at one image size as a part of a circular one, on a torus of any height and width: Gram iteration at the frequencies of that torus,
   half of them, of the polyphase kernel. Outputs are one place of the torus apart; of zeros around the image the torus has enough places that no
   pixel is read for another, an image with circular padding is its own torus. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Operators Lattice Circle Polyphase Fourier Turns Symbol Frequencies SampledBounds.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- Cosines and sines on a torus of m.+1 x n.+1 places, of one circle *)
Section Waves.
Variables (R : realFieldType) (m n : nat) (c s : int -> R).
Local Notation Nh := m.+1. Local Notation Nw := n.+1.
Hypothesis H : circle (Nh * Nw) c s.
Definition places : finZmodType := [finZmodType of ('I_Nh * 'I_Nw)%type].
Definition rise (u : int) : int := 4%:Z * Nw%:Z * u.
Definition run (v : int) : int := 4%:Z * Nh%:Z * v.
Definition wave_angle (u v : int) (z : int * int) : int := rise u * z.1 + run v * z.2.
Definition lifted (a : places) : int * int := (a.1%:Z, a.2%:Z).
Definition wave_co (f a : places) : R := c (wave_angle f.1%:Z f.2%:Z (lifted a)).
Definition wave_si (f a : places) : R := s (wave_angle f.1%:Z f.2%:Z (lifted a)).

Lemma same_place (u v : int) (z z' : int * int) : (Nh %| z.1 - z'.1)%Z -> (Nw %| z.2 - z'.2)%Z ->
  c (wave_angle u v z) = c (wave_angle u v z') /\ s (wave_angle u v z) = s (wave_angle u v z').
Proof.
move=> /dvdzP [k hk] /dvdzP [l hl].
have -> : wave_angle u v z = wave_angle u v z' + (Nh * Nw).*2.*2%:Z * (u * k + v * l).
  have e1 : z.1 = z'.1 + k * Nh%:Z by rewrite -hk addrC subrK.
  have e2 : z.2 = z'.2 + l * Nw%:Z by rewrite -hl addrC subrK.
  by rewrite /wave_angle /rise /run e1 e2 -!mul2n !PoszM; ring.
by rewrite !(circle_periodic H _ _).1 !(circle_periodic H _ _).2.
Qed.
Lemma same_frequency (u v u' v' : int) (z : int * int) : (Nh %| u - u')%Z -> (Nw %| v - v')%Z ->
  c (wave_angle u v z) = c (wave_angle u' v' z) /\ s (wave_angle u v z) = s (wave_angle u' v' z).
Proof.
have turn a b : wave_angle a b z = wave_angle z.1 z.2 (a, b) by rewrite /wave_angle /rise /run /=; ring.
by move=> hu hv; rewrite (turn u) (turn u'); exact: same_place.
Qed.
Lemma cyclic_sub k (a b : 'I_k.+1) : (k.+1 %| (a - b)%R%:Z - (a%:Z - b%:Z))%Z.
Proof.
have e : ((a - b)%R%:Z + b%:Z = a%:Z %[mod k.+1])%Z.
  have {2}-> : a = a - b + b by rewrite subrK.
  by rewrite -PoszD !modz_nat /= modn_mod.
by rewrite opprB addrA -eqz_mod_dvd; exact/eqP.
Qed.
Lemma wave_coB f a b : wave_co f (a - b) = wave_co f a * wave_co f b + wave_si f a * wave_si f b.
Proof.
rewrite /wave_co (same_place _ _ (z' := (a.1%:Z - b.1%:Z, a.2%:Z - b.2%:Z)) _ _).1 ?cyclic_sub //.
by rewrite -(circle_cB H); congr c; rewrite /wave_angle /=; ring.
Qed.
Lemma wave_siB f a b : wave_si f (a - b) = wave_si f a * wave_co f b - wave_co f a * wave_si f b.
Proof.
rewrite /wave_si (same_place _ _ (z' := (a.1%:Z - b.1%:Z, a.2%:Z - b.2%:Z)) _ _).2 ?cyclic_sub //.
by rewrite -(circle_sB H); congr s; rewrite /wave_angle /=; ring.
Qed.
Lemma wave_orthogonal (a : places) : \sum_f wave_co f a = if a == 0 then (Nh * Nw)%:R else 0.
Proof.
have zero k l (z : 'I_l.+1) (x : int) : (k.+1 * l.+1 = Nh * Nw)%N -> z != 0 ->
    \sum_(v < l.+1) c (x + 4%:Z * k.+1%:Z * z%:Z * v%:Z) = 0.
  move=> kl z0; apply: (circle_sum H x _ _).1.
    apply: contra z0 => /eqP /(circle_faithful H); rewrite -kl -!mul2n !PoszM !mulrA.
    have -> : 2%:Z * 2%:Z * k.+1%:Z * l.+1%:Z = 4%:Z * k.+1%:Z * l.+1%:Z by [].
    rewrite dvdz_mul2l // => /dvdzP [q eq]; apply/eqP/val_inj => /=; move: eq (ltn_ord z).
    case: q => [[|q]|q]; rewrite ?mul0r; first by case.
      by rewrite -PoszM => -[->]; rewrite ltnNge leq_pmull.
    by rewrite NegzE mulNr -PoszM; case: (z : nat).
  by rewrite [X in c X](_ : _ = (Nh * Nw).*2.*2%:Z * z%:Z) ?(circle_turn H _).1 // -kl -!mul2n !PoszM; ring.
case: a => a b; rewrite sum_pair; case: eqP => [[-> ->]|ne].
  have one (f : places) : wave_co f (0, 0) = 1.
    by rewrite /wave_co -[lifted _]/(0, 0) /wave_angle /= !mulr0 (circle_c0 H).
  under eq_bigr => u _ do under eq_bigr => v _ do rewrite one.
  by rewrite !sumr_const !card_ord -mulrnA mulnC.
have [b0|b0] := eqVneq b 0; last first.
  rewrite big1 // => u _; rewrite -[RHS](zero m n b (rise u%:Z * a%:Z) erefl b0); apply: eq_bigr => v _.
  by rewrite /wave_co /wave_angle /run /=; congr c; ring.
have [a0|a0] := eqVneq a 0; first by case: ne; rewrite a0 b0.
rewrite exchange_big big1 // => v _; rewrite -[RHS](zero n m a (run v%:Z * b%:Z) (mulnC _ _) a0); apply: eq_bigr => u _.
by rewrite /wave_co /wave_angle /rise /=; congr c; ring.
Qed.
End Waves.

(* ---- Half of the frequencies, Gram iteration at each *)
Section Torus.
Variables (R : rcfType) (m n : nat) (c s : int -> R) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (k : nat) (lam : R).
Local Notation Nh := m.+1. Local Notation Nw := n.+1.
Local Notation P := (polyphase_kernel K).
Definition torus_symbol (u v : nat) := symbol_at c s P (rise n u%:Z) (run m v%:Z).
Hypotheses (H : circle (Nh * Nw) c s) (valid : valid_geometry g) (l0 : 0 <= lam).
Hypothesis iterated : forall (u : 'I_Nh) (v : 'I_Nw), (v.*2 <= Nw)%N ->
  frob (iter k (@square R _) (gram (torus_symbol u v))) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2.

Lemma torus_symbol_dom (u : 'I_Nh) (v : 'I_Nw) : dom (gram (torus_symbol u v)) (fun=> lam).
Proof.
have half (u' : 'I_Nh) (v' : 'I_Nw) (h : (v'.*2 <= Nw)%N) : dom (gram (torus_symbol u' v')) (fun=> lam).
  exact: complex_iterated_dom (symbol_at_complex _ _ _ _ _) l0 (@iterated u' v' h).
have [small|large] := leqP v.*2 Nw; first exact: half.
have small : ((- v : 'I_Nw).*2 <= Nw)%N.
  apply: (@leq_trans (Nw - v).*2); first by rewrite leq_double /= leq_mod.
  by rewrite doubleB leq_subLR -addnn leq_add2r ltnW.
apply/dom_gram => x; rewrite sum_const /torus_symbol.
rewrite (@symbol_at_eq R c s _ _ _ _ P x c s _ _ (- rise n (- u)%R%:Z) (- run m (- v)%R%:Z)) => [|t].
  rewrite (symbol_conjugate H) sqn_conjugate; have /dom_gram := half (- u) (- v) small => /(_ (conjugate x)).
  by rewrite sum_const sqn_conjugate.
have neg l (a : 'I_l.+1) : (l.+1 %| a%:Z - - (- a)%R%:Z)%Z.
  have := cyclic_sub 0 a; rewrite sub0r -[(0 : 'I_l.+1)%:Z]/(0 : int) sub0r opprK opprK addrC; exact.
have := @same_frequency R m n c s H u%:Z v%:Z _ _ (t.1%:Z, t.2%:Z) (neg _ u) (neg _ v).
have -> : - rise n (- u)%R%:Z * t.1%:Z + - run m (- v)%R%:Z * t.2%:Z = wave_angle m n (- (- u)%R%:Z) (- (- v)%R%:Z) (t.1%:Z, t.2%:Z).
  by rewrite /wave_angle /rise /run /=; ring.
exact.
Qed.

(* taps of the polyphase kernel on the torus *)
Local Notation fh := (phase_step (stride_h g) (dil_h g)). Local Notation fw := (phase_step (stride_w g) (dil_w g)).
Local Notation eh := (phase_count (stride_h g) (dil_h g)). Local Notation ew := (phase_count (stride_w g) (dil_w g)).
Definition torus_tap (t : phase_tap g) : places m n := (inZp (fh * t.1), inZp (fw * t.2)).
Lemma cyclic_in l (a : nat) : (l.+1 %| (inZp a : 'I_l.+1)%:Z - a%:Z)%Z.
Proof. by rewrite -eqz_mod_dvd !modz_nat /= modn_mod. Qed.
Lemma tap_symbol_dom (f : places m n) : dom (gram (symbol (wave_co c) (wave_si s) torus_tap P f)) (fun=> lam).
Proof.
have e (t : phase_tap g) :
    c (rise n (inZp (f.1 * fh) : 'I_Nh)%:Z * t.1%:Z + run m (inZp (f.2 * fw) : 'I_Nw)%:Z * t.2%:Z) = wave_co c f (torus_tap t) /\
    s (rise n (inZp (f.1 * fh) : 'I_Nh)%:Z * t.1%:Z + run m (inZp (f.2 * fw) : 'I_Nw)%:Z * t.2%:Z) = wave_si s f (torus_tap t).
  have := @same_place R m n c s H f.1%:Z f.2%:Z (lifted (torus_tap t)) ((fh * t.1)%N%:Z, (fw * t.2)%N%:Z) (cyclic_in _ _) (cyclic_in _ _).
  have := @same_frequency R m n c s H _ _ _ _ (t.1%:Z, t.2%:Z) (cyclic_in m (f.1 * fh)) (cyclic_in n (f.2 * fw)).
  rewrite /wave_co /wave_si => -[c1 s1] [-> ->]; rewrite [X in c X = _]/(wave_angle m n _ _ (t.1%:Z, t.2%:Z)) [X in s X = _]/(wave_angle m n _ _ (t.1%:Z, t.2%:Z)) c1 s1.
  by split; congr (_ _); rewrite /wave_angle /rise /run /= !PoszM; ring.
apply: eq_gram_dom (torus_symbol_dom (inZp (f.1 * fh)) (inZp (f.2 * fw))) => ob cb; rewrite /torus_symbol /symbol_at /symbol /=.
have -> : \sum_t P ob.1 cb.1 t * c (rise n (inZp (f.1 * fh) : 'I_Nh)%:Z * t.1%:Z + run m (inZp (f.2 * fw) : 'I_Nw)%:Z * t.2%:Z)
    = \sum_t P ob.1 cb.1 t * wave_co c f (torus_tap t) by apply: eq_bigr => t _; rewrite (e t).1.
suff -> : \sum_t P ob.1 cb.1 t * s (rise n (inZp (f.1 * fh) : 'I_Nh)%:Z * t.1%:Z + run m (inZp (f.2 * fw) : 'I_Nw)%:Z * t.2%:Z)
    = \sum_t P ob.1 cb.1 t * wave_si s f (torus_tap t) by [].
by apply: eq_bigr => t _; rewrite (e t).2.
Qed.
End Torus.

(* ---- An image whose places repeat after (ph, pw) pixels, a multiple of the stride: a part of the torus *)
Section Periodic.
Variables (R : rcfType) (m n : nat) (c s : int -> R) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (k : nat) (lam : R) (ph pw : nat).
Local Notation Nh := m.+1. Local Notation Nw := n.+1.
Local Notation P := (polyphase_kernel K).
Hypotheses (H : circle (Nh * Nw) c s) (valid : valid_geometry g) (l0 : 0 <= lam).
Hypothesis iterated : forall (u : 'I_Nh) (v : 'I_Nw), (v.*2 <= Nw)%N ->
  frob (iter k (@square R _) (gram (torus_symbol m n c s K u v))) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2.
Hypotheses (phE : ph = (stride_h g * Nh)%N) (pwE : pw = (stride_w g * Nw)%N).
Hypotheses (hin : (in_h g <= ph)%N) (win : (in_w g <= pw)%N) (hout : (out_h g <= Nh)%N) (wout : (out_w g <= Nw)%N).
Local Notation fh := (phase_step (stride_h g) (dil_h g)). Local Notation fw := (phase_step (stride_w g) (dil_w g)).
Local Notation eh := (phase_count (stride_h g) (dil_h g)). Local Notation ew := (phase_count (stride_w g) (dil_w g)).
Let sh0 : (0 < stride_h g)%N. Proof. by case: valid. Qed.
Let sw0 : (0 < stride_w g)%N. Proof. by case: valid. Qed.
Let eh0 : (0 < eh)%N. Proof. exact: phase_count_gt0. Qed.
Let ew0 : (0 < ew)%N. Proof. exact: phase_count_gt0. Qed.
Let tap_lt l e (t : 'I_l) : (t %/ e < (l.-1 %/ e).+1)%N.
Proof. by rewrite ltnS leq_div2r //; case: l t => [[]|l t] //; rewrite -ltnS. Qed.

Definition torus_row (q : out_pos g) : places m n := (inZp q.1, inZp q.2).
Definition phase_pixel (r : phase_index g) (z : int * int) : int * int :=
  (phase_place (stride_h g) (dil_h g) (pad_h g) r.1 z.1, phase_place (stride_w g) (dil_w g) (pad_w g) r.2 z.2).
Let repeats := turn ph pw.
Let at_ (j : (C * phase_index g) * places m n) (i : C * in_pos g) : bool :=
  (j.1.1 == i.1) && repeats (phase_pixel j.1.2 (lifted j.2) - pin i.2).
Let B := conv_matrix id torus_row (@torus_tap m n g) P.

Lemma dvdz_shift (d x y : int) : (d %| x - y)%Z -> (d %| x)%Z = (d %| y)%Z.
Proof.
move=> h; apply/idP/idP => h1; first by rewrite -[y](subKr x) rpredB.
by rewrite -[x](subrK y) rpredD.
Qed.
Lemma cyclic_eq l (a b : 'I_l.+1) : (l.+1 %| a%:Z - b%:Z)%Z -> a = b.
Proof. by rewrite -eqz_mod_dvd !modz_nat !modn_small // => /eqP [] /val_inj. Qed.
Lemma small_eq (d : nat) (l : nat) (a b : 'I_l) : (l <= d)%N -> (d %| a%:Z - b%:Z)%Z -> a = b.
Proof. by move=> ld; rewrite -eqz_mod_dvd !modz_nat !modn_small ?(leq_trans (ltn_ord _)) // => /eqP [] /val_inj. Qed.
(* one axis: a place of a phase is one place of the torus *)
Lemma phase_apart (st d N : nat) pad r r' (x y : int) : (0 < st)%N -> (r < phase_count st d)%N -> (r' < phase_count st d)%N ->
  ((st * N)%N %| phase_place st d pad r x - phase_place st d pad r' y)%Z -> r = r' /\ (N %| x - y)%Z.
Proof.
move=> s0 hr hr'; have g0 := gcd_gt0 d s0; have e0 := phase_count_gt0 d s0; rewrite /phase_place.
set gg := gcdn st d; set e := phase_count st d; set f := phase_step st d.
have -> : (st * N)%N%:Z = gg%:Z * (e%:Z * N%:Z) by rewrite {1}(strideE st d) !PoszM mulrA.
have -> : gg%:Z * (e%:Z * x + f%:Z * r%:Z) - pad - (gg%:Z * (e%:Z * y + f%:Z * r'%:Z) - pad)
    = gg%:Z * (e%:Z * (x - y) + f%:Z * (r%:Z - r'%:Z)) by ring.
rewrite dvdz_mul2l; last by rewrite eqz_nat -lt0n.
move=> h; have rr : r = r'.
  have : (e%:Z %| f%:Z * (r%:Z - r'%:Z))%Z.
    have h1 : (e%:Z %| e%:Z * (x - y) + f%:Z * (r%:Z - r'%:Z))%Z by apply: dvdz_trans h; exact: dvdz_mulr.
    by move: h1; rewrite (@dvdz_shift _ _ (f%:Z * (r%:Z - r'%:Z))) // addrK dvdz_mulr.
  rewrite Gauss_dvdzr; last exact: phase_coprime.
  by rewrite -eqz_mod_dvd !modz_nat !modn_small // => /eqP [].
by split=> //; move: h; rewrite rr subrr mulr0 addr0 dvdz_mul2l // eqz_nat -lt0n.
Qed.
Lemma phase_repeats (st d N : nat) pad r (x y : int) : (N %| x - y)%Z ->
  ((st * N)%N %| phase_place st d pad r x - phase_place st d pad r y)%Z.
Proof.
move=> /dvdzP [q e]; rewrite /phase_place.
have -> : forall a b z : int, a * (b * x + z) - pad - (a * (b * y + z) - pad) = a * b * (x - y) by move=> a b z; ring.
by rewrite e -PoszM -strideE mulrCA -PoszM dvdz_mull.
Qed.

Let row_inj : injective torus_row.
Proof.
have one l N (a b : 'I_l) : (l <= N.+1)%N -> (inZp a : 'I_N.+1) = inZp b -> a = b.
  by move=> lN [] /eqP; rewrite !modn_small ?(leq_trans (ltn_ord _)) // => /eqP /val_inj.
by move=> [a b] [a' b'] [e1 e2]; congr (_, _); apply/one; [exact: hout | apply: val_inj | exact: wout | apply: val_inj].
Qed.
Let at_in : forall j i i', at_ j i -> at_ j i' -> i = i'.
Proof.
have d (l : nat) (u v w : int) : (l %| u - v)%Z -> (l %| u - w)%Z -> (l %| v - w)%Z.
  by move=> hv hw; have -> : v - w = u - w - (u - v) by [ring]; exact: rpredB.
move=> j [a [x y]] [a' [x' y']] /andP [/eqP /= <- /andP [h1 h2]] /andP [/eqP /= <- /andP [h1' h2']]; congr (_, (_, _)).
  exact: small_eq hin (d _ _ _ _ h1 h1').
exact: small_eq win (d _ _ _ _ h2 h2').
Qed.
Let at_out : forall j j' i, at_ j i -> at_ j' i -> j = j'.
Proof.
move=> [[a [r1 r2]] [x y]] [[a' [r1' r2']] [x' y']] i /andP [/eqP /= -> /andP [h1 h2]] /andP [/eqP /= -> /andP [h1' h2']].
have d (l : nat) (u v w : int) : (l %| u - w)%Z -> (l %| v - w)%Z -> (l %| u - v)%Z.
  by move=> hu hv; have -> : u - v = u - w - (v - w) by [ring]; exact: rpredB.
have := d _ _ _ _ h1 h1'; have := d _ _ _ _ h2 h2'; rewrite /= phE pwE.
move=> /(phase_apart sw0 (ltn_ord _) (ltn_ord _)) [/val_inj -> /cyclic_eq ->].
by move=> /(phase_apart sh0 (ltn_ord _) (ltn_ord _)) [/val_inj -> /cyclic_eq ->].
Qed.

Lemma periodic_factor oq cp : periodic_matrix repeats (@pin g) (@pout g) (@off g) K oq cp = \sum_j B oq j * (at_ j cp)%:R.
Proof.
case: oq cp => o q [a p]; rewrite sum_pair /= sum_pair /= (bigD1 a) //= [X in _ + X]big1 ?addr0 => [|a' aa]; last first.
  by rewrite big1 // => r _; rewrite big1 // => z _; rewrite /at_ /= (negbTE aa) mulr0.
have inner r : \sum_z B (o, q) ((a, r), z) * (at_ ((a, r), z) (a, p))%:R
    = \sum_t P o (a, r) t * (repeats (phase_pixel r (lifted (torus_row q + torus_tap m n t)) - pin p))%:R.
  rewrite /B /conv_matrix /=; under eq_bigr => z _ do rewrite mulr_suml.
  rewrite (exchange_big_dep predT) //=; apply: eq_bigr => t _.
  by rewrite (big_pred1 (torus_row q + torus_tap m n t)) // /at_ /= eqxx.
under eq_bigr => r _ do rewrite inner; rewrite pair_bigA /=.
under eq_bigr => rt _ do rewrite /polyphase_kernel mulr_suml.
rewrite (exchange_big_dep predT) //= /periodic_matrix big_mkcond; apply: eq_bigr => z _ /=.
pose phase : phase_index g * phase_tap g :=
  ((Ordinal (ltn_pmod z.1 eh0), Ordinal (ltn_pmod z.2 ew0)), (Ordinal (tap_lt eh z.1), Ordinal (tap_lt ew z.2))).
have axis (l e : nat) (e0 : (0 < e)%N) (x : 'I_l) (r : 'I_e) (t : 'I_(l.-1 %/ e).+1) :
    (Ordinal (ltn_pmod x e0) == r) && (Ordinal (tap_lt e x) == t) = (x == e * t + r :> nat)%N.
  apply/andP/eqP => [[/eqP <- /eqP <-]|h]; first by rewrite mulnC -divn_eq.
  split; apply/eqP/val_inj; rewrite /= h mulnC.
    by rewrite modnMDl modn_small.
  by rewrite divnMDl // (divn_small (ltn_ord r)) addn0.
rewrite (big_pred1 phase) => [|[[r1 r2] [t1 t2]]] /=; last first.
  rewrite -(axis _ _ eh0) -(axis _ _ ew0) /phase eq_sym.
  apply/idP/eqP => [/andP [/andP [/eqP <- /eqP <-] /andP [/eqP <- /eqP <-]]|[-> -> -> ->]] //; by rewrite !eqxx.
have read (st d N : nat) pad (x t : nat) (b : 'I_N.+1) : (0 < st)%N -> (N.+1 %| b%:Z - (x%:Z + (phase_step st d)%:Z * (t %/ phase_count st d)%N%:Z))%Z ->
    ((st * N.+1)%N %| phase_place st d pad (t %% phase_count st d) b%:Z - ((st * x)%N%:Z + (d%:Z * t%:Z - pad)))%Z.
  move=> st0 h; rewrite (@phase_read st d); last by rewrite PoszM dvdz_mulr.
  by rewrite PoszM mulKz ?eqz_nat -?lt0n //; exact: phase_repeats.
have sum (N : nat) (x y : nat) : (N.+1 %| (inZp x + inZp y : 'I_N.+1)%:Z - (x%:Z + y%:Z))%Z.
  by rewrite -eqz_mod_dvd -PoszD !modz_nat /= modn_mod modnDm.
have same : repeats (phase_pixel phase.1 (lifted (torus_row q + torus_tap m n phase.2)) - pin p) = repeats (pout q + off z - pin p).
  have sub (x y w : int) : x - w - (y - w) = x - y by ring.
  congr (_ && _); rewrite ?phE ?pwE; apply: dvdz_shift; rewrite [X in (_ %| X)%Z]sub; apply: read => //=; rewrite -PoszM; exact: sum.
by rewrite same; case: ifP => _; rewrite ?mulr1 ?mulr0.
Qed.
Theorem periodic_torus : dom (gram (periodic_matrix repeats (@pin g) (@pout g) (@off g) K)) (fun=> lam).
Proof.
have p0 : 0 < (Nh * Nw)%:R :> R by rewrite ltr0n.
have id_inj : injective (fun a : places m n => a) by [].
have [hB _] := @places_dom R (places m n) (places m n) _ _ _ p0 (wave_coB H) (wave_siB H) (wave_orthogonal H) _ _ _ (@torus_tap m n g) P
  _ _ (fun a => a) torus_row id_inj row_inj lam l0 (tap_symbol_dom H l0 iterated).
apply/dom_gram => x; rewrite (eq_mulv x periodic_factor) mulv_comp sum_const; have /dom_gram hB' := hB.
apply: le_trans (hB' _) _; rewrite sum_const ler_wpmul2l //.
by apply: placement_sqn; [exact: at_in | exact: at_out].
Qed.
End Periodic.

(* ---- Images with zeros around them, on a torus with enough places *)
Definition holds (N h o k d st : nat) (pad : int) : bool :=
  [&& h%:Z + pad <= (st * N)%N%:Z, (st * o.-1 + d * k.-1)%N%:Z - pad < (st * N)%N%:Z, (h <= st * N)%N & (o <= N)%N].
Lemma holds_apart N h o k d st pad (p : 'I_h) (q : 'I_o) (t : 'I_k) : holds N h o k d st pad ->
  ((st * N)%N %| (st * q)%N%:Z + (d%:Z * t%:Z - pad) - p%:Z)%Z = (p%:Z == (st * q)%N%:Z + (d%:Z * t%:Z - pad)).
Proof.
case/and4P; set L := (st * N)%N => h1 h2 _ _; rewrite [RHS]eq_sym -subr_eq0; set x := _ - p%:Z.
have [qo tk] : (q <= o.-1)%N /\ (t <= k.-1)%N.
  by split; [case: o q {h2 x} => [[]|o q] | case: k t {h2 x} => [[]|k t]] => //=; rewrite -ltnS.
have up : x < L%:Z.
  apply: le_lt_trans h2; rewrite /x -PoszM addrA -PoszD ler_subl_addr ler_paddr // ler_sub // lez_nat.
  by rewrite leq_add ?leq_mul.
have down : - x < L%:Z.
  have -> : - x = p%:Z + pad - ((st * q)%N + (d * t)%N)%N%:Z by rewrite /x PoszD !PoszM; ring.
  apply: lt_le_trans h1; rewrite ltr_subl_addr; apply: (@lt_le_trans _ _ (h%:Z + pad)); last by rewrite ler_addl.
  by rewrite ltr_add2r ltz_nat.
apply/dvdzP/eqP => [[z e]|->]; last by exists 0; rewrite mul0r.
have [z1|z0] := eqVneq z 0; first by rewrite e z1 mul0r.
have : (L <= `|x|)%N by rewrite e abszM leq_pmull // absz_gt0.
by rewrite leqNgt -ltz_nat abszE ltr_norml ltr_oppl down up.
Qed.
Section Images.
Variables (R : rcfType) (m n : nat) (c s : int -> R) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (k : nat) (lam : R).
Hypotheses (H : circle (m.+1 * n.+1) c s) (valid : valid_geometry g) (l0 : 0 <= lam).
Hypothesis iterated : forall (u : 'I_m.+1) (v : 'I_n.+1), (v.*2 <= n.+1)%N ->
  frob (iter k (@square R _) (gram (torus_symbol m n c s K u v))) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2.
Theorem torus_image_dom :
  holds m.+1 (in_h g) (out_h g) (ker_h g) (dil_h g) (stride_h g) (pad_h g) ->
  holds n.+1 (in_w g) (out_w g) (ker_w g) (dil_w g) (stride_w g) (pad_w g) -> dom (gram (conv2d_matrix K)) (fun=> lam).
Proof.
move=> hh hw; have [_ _ h3 h4] := and4P hh; have [_ _ w3 w4] := and4P hw.
have d := periodic_torus H valid l0 iterated erefl erefl h3 w3 h4 w4; apply: (eq_gram_dom _ d) => oq cp.
apply: eq_bigl => t; rewrite /turn (holds_apart _ _ _ hh) (holds_apart _ _ _ hw) -xpair_eqE; by [].
Qed.
Theorem torus_image_rows_dom :
  holds m.+1 (in_h g) (out_h g) (ker_h g) (dil_h g) (stride_h g) (pad_h g) ->
  holds n.+1 (in_w g) (out_w g) (ker_w g) (dil_w g) (stride_w g) (pad_w g) -> dom (gram (adj (conv2d_matrix K))) (fun=> lam).
Proof. by move=> hh hw; apply: gram_adj l0 _; exact: torus_image_dom. Qed.
End Images.

(* ---- Images with circular padding: the stride divides their sides *)
Section Circles.
Variables (R : rcfType) (m n : nat) (c s : int -> R) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (k : nat) (lam : R).
Hypotheses (H : circle (m.+1 * n.+1) c s) (valid : valid_geometry g) (l0 : 0 <= lam).
Hypothesis iterated : forall (u : 'I_m.+1) (v : 'I_n.+1), (v.*2 <= n.+1)%N ->
  frob (iter k (@square R _) (gram (torus_symbol m n c s K u v))) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2.
Hypotheses (hE : in_h g = (stride_h g * m.+1)%N) (wE : in_w g = (stride_w g * n.+1)%N) (ho : (out_h g <= m.+1)%N) (wo : (out_w g <= n.+1)%N).
Let W := periodic_matrix (turn (in_h g) (in_w g)) (@pin g) (@pout g) (@off g) K.
Theorem circular_torus_dom : dom (gram W) (fun=> lam).
Proof. exact: (periodic_torus H valid l0 iterated hE wE (leqnn _) (leqnn _) ho wo). Qed.
Theorem circular_torus_rows_dom : dom (gram (adj W)) (fun=> lam).
Proof. by apply: gram_adj l0 _; exact: circular_torus_dom. Qed.
End Circles.
