(* A trigonometric polynomial of degree D (coefficients 0 .. D, any vectors) between the points of a grid: on N equidistant points, D a proper
   divisor of N, its norm is at least cos(pi D / 2N) times its norm anywhere (Ehlich and Zeller 1964, there for every N > D). A finite identity
   in place of their extremal argument: the average of the values over D points that go around, weighted by Fejer's kernel
   |1 + e^it + ... + e^i(D-1)t|^2, multiplies coefficient j by ((D - j) + j e^iDt) / D (M. Riesz's interpolation formula); two such averages,
   through the grid points on either side of a point, are put together so that j drops out. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Turns.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Jensen.
Variable R : realFieldType.
Lemma sqr_sum_weighted (A : finType) (w x : A -> R) : (forall k, 0 <= w k) ->
  (\sum_k w k * x k) ^+ 2 <= (\sum_k w k) * \sum_k w k * x k ^+ 2.
Proof.
move=> w0; have h : 0 <= \sum_k \sum_l w k * w l * (x k - x l) ^+ 2.
  by apply: sumr_ge0 => k _; apply: sumr_ge0 => l _; rewrite mulr_ge0 ?sqr_ge0 ?mulr_ge0.
have e : \sum_k \sum_l w k * w l * (x k - x l) ^+ 2 = 2%:R * ((\sum_k w k) * (\sum_k w k * x k ^+ 2) - (\sum_k w k * x k) ^+ 2).
  have -> : \sum_k \sum_l w k * w l * (x k - x l) ^+ 2 =
    \sum_k (w k * x k ^+ 2 * (\sum_l w l) + w k * (\sum_l w l * x l ^+ 2) - 2%:R * (w k * x k * (\sum_l w l * x l))).
    apply: eq_bigr => k _; rewrite !mulr_sumr -big_split -sumrB; apply: eq_bigr => l _; rewrite /=; ring.
  rewrite sumrB big_split /= -!mulr_suml -mulr_sumr -mulr_suml.
  by move: (\sum_i w i * x i ^+ 2) (\sum_i w i * x i) (\sum_i w i) => y z u; ring.
by move: h; rewrite e pmulr_rge0 ?ltr0n // subr_ge0.
Qed.
Lemma sqn_sum_weighted (A I : finType) (w : A -> R) (v : A -> {ffun I -> R}) : (forall k, 0 <= w k) ->
  sqn (\sum_k w k *c v k) <= (\sum_k w k) * \sum_k w k * sqn (v k).
Proof.
move=> w0; rewrite sqnE; have -> : (\sum_k w k) * (\sum_k w k * sqn (v k)) = \sum_i (\sum_k w k) * \sum_k w k * v k i ^+ 2.
  rewrite -mulr_sumr exchange_big /=; congr (_ * _); apply: eq_bigr => k _; by rewrite sqnE mulr_sumr.
apply: ler_sum => i _; rewrite sum_ffunE; under eq_bigr => k _ do rewrite ffunE; exact: sqr_sum_weighted.
Qed.
Lemma sqn_add_weighted (I : finType) (a b : R) (u v : {ffun I -> R}) (B : R) : 0 <= a -> 0 <= b -> sqn u <= B -> sqn v <= B ->
  sqn (a *c u + b *c v) <= (a + b) ^+ 2 * B.
Proof.
move=> a0 b0 hu hv; have h := sqn_sum_weighted (w := fun k : bool => if k then a else b) (fun k => if k then u else v).
move: h; rewrite !big_bool /= => /(_ _) h; apply: le_trans (h _) _; first by case.
by rewrite expr2 -mulrA ler_wpmul2l ?addr_ge0 // mulrDl ler_add ?ler_wpmul2l.
Qed.
End Jensen.

Lemma add_ffunE (R : realFieldType) (I : finType) (u v : {ffun I -> R}) i : (u + v) i = u i + v i.
Proof. by rewrite ffunE. Qed.
Lemma scale_ffunE (R : realFieldType) (I : finType) (a : R) (v : {ffun I -> R}) i : (a *c v) i = a * v i.
Proof. by rewrite ffunE. Qed.

Section Turns.
Variables (R : realFieldType) (n : nat) (c s : int -> R) (O : finType).
Hypothesis H : circle n c s.
Local Notation V := {ffun O * bool -> R}.

(* times e^-ia; complex vectors are pairs (false: real part, true: imaginary part) *)
Definition across (v : V) : V := [ffun ob => if ob.2 then - v (ob.1, false) else v (ob.1, true)].
Definition turned (a : int) (v : V) : V := [ffun ob => c a * v ob + s a * across v ob].
Lemma turnedE a v ob : turned a v ob = c a * v ob + s a * across v ob.
Proof. by rewrite !ffunE. Qed.
Lemma acrossK v : across (across v) = - v.
Proof. by apply/ffunP => -[o []]; rewrite !ffunE. Qed.
Lemma acrossD u v : across (u + v) = across u + across v.
Proof. by apply/ffunP => -[o []]; rewrite !ffunE //= opprD. Qed.
Lemma acrossZ a v : across (a *c v) = a *c across v.
Proof. by apply/ffunP => -[o []]; rewrite !ffunE //= mulrN. Qed.
Lemma across_sum (A : finType) (v : A -> V) : across (\sum_k v k) = \sum_k across (v k).
Proof. by apply: big_morph; [exact: acrossD | apply/ffunP => -[o []]; rewrite !ffunE //= oppr0]. Qed.
Lemma across_turned a v : across (turned a v) = turned a (across v).
Proof. by apply/ffunP => -[o []]; rewrite !ffunE //= opprD -!mulrN. Qed.
Lemma turnedD a b v : turned (a + b) v = turned a (turned b v).
Proof.
apply/ffunP => ob; rewrite !turnedE across_turned turnedE acrossK (circle_cD H) (circle_sD H).
rewrite [(- v) ob]ffunE; move: (v ob) (across v ob) => y z; ring.
Qed.
Lemma turned0 v : turned 0 v = v.
Proof. by apply/ffunP => ob; rewrite turnedE (circle_c0 H) (circle_s0 H) mul1r mul0r addr0. Qed.
Lemma turnedZ a b v : turned a (b *c v) = b *c turned a v.
Proof. by apply/ffunP => ob; rewrite scale_ffunE !turnedE acrossZ !scale_ffunE; move: (v ob) (across v ob) => y z; ring. Qed.
Lemma turned_sum (A : finType) a (v : A -> V) : turned a (\sum_k v k) = \sum_k turned a (v k).
Proof.
apply/ffunP => ob; by rewrite turnedE across_sum !sum_ffunE !mulr_sumr -big_split; apply: eq_bigr => k _; rewrite turnedE.
Qed.
Lemma turned_periodic a z v : turned (a + n.*2.*2%:Z * z) v = turned a v.
Proof. by rewrite /turned !(circle_periodic H _ _).1 !(circle_periodic H _ _).2. Qed.
Lemma sqn_turned a v : sqn (turned a v) = sqn v.
Proof.
rewrite !sqnE !sum_pair; apply: eq_bigr => o _; rewrite !big_bool !turnedE !ffunE /=.
rewrite -[RHS]mul1r -(circle_norm H a); move: (v _) (v _) => y z; ring.
Qed.
End Turns.

Section Fejer.
Variables (R : realFieldType) (n : nat) (c s : int -> R).
Hypothesis H : circle n c s.
Variables (D e : nat).
Hypotheses (D_gt0 : (0 < D)%N) (De : (D * e = n)%N).
Definition fejer (t : int) : R := (\sum_(l < D) c (l%:Z * t)) ^+ 2 + (\sum_(l < D) s (l%:Z * t)) ^+ 2.
Lemma fejer_ge0 t : 0 <= fejer t.
Proof. by rewrite addr_ge0 ?sqr_ge0. Qed.
Lemma fejerM t (j : nat) :
  fejer t * c (j%:Z * t) = \sum_(l < D) \sum_(l' < D) c (((l + j)%N%:Z - l'%:Z) * t) /\
  fejer t * s (j%:Z * t) = \sum_(l < D) \sum_(l' < D) s (((l + j)%N%:Z - l'%:Z) * t).
Proof.
set C := \sum_(l < D) c (l%:Z * t); set S := \sum_(l < D) s (l%:Z * t).
have split_angle (l l' : 'I_D) : ((l + j)%N%:Z - l'%:Z) * t = l%:Z * t + j%:Z * t - l'%:Z * t by rewrite PoszD; ring.
have eC (l : 'I_D) : \sum_(l' < D) c (((l + j)%N%:Z - l'%:Z) * t) =
    (c (l%:Z * t) * c (j%:Z * t) - s (l%:Z * t) * s (j%:Z * t)) * C + (s (l%:Z * t) * c (j%:Z * t) + c (l%:Z * t) * s (j%:Z * t)) * S.
  rewrite !mulr_sumr -big_split; apply: eq_bigr => l' _.
  by rewrite split_angle (circle_cB H) (circle_cD H) (circle_sD H).
have eS (l : 'I_D) : \sum_(l' < D) s (((l + j)%N%:Z - l'%:Z) * t) =
    (s (l%:Z * t) * c (j%:Z * t) + c (l%:Z * t) * s (j%:Z * t)) * C - (c (l%:Z * t) * c (j%:Z * t) - s (l%:Z * t) * s (j%:Z * t)) * S.
  rewrite !mulr_sumr -sumrB; apply: eq_bigr => l' _.
  by rewrite split_angle (circle_sB H) (circle_cD H) (circle_sD H).
under eq_bigr => l _ do rewrite eC.
under [X in _ /\ _ = X]eq_bigr => l _ do rewrite eS.
rewrite big_split sumrB /= -!mulr_suml sumrB big_split /= -!mulr_suml -/C -/S /fejer -/C -/S; split; ring.
Qed.

Let r : int := (4 * e)%N%:Z.
Let turn_r (D' : int) : n.*2.*2%:Z * D' = r * (D%:Z * D').
Proof. by rewrite /r -De -!muln2 !PoszM; ring. Qed.
Let nodes_sum (f : int -> R) (j : nat) (x : int) : (forall a z, f (a + n.*2.*2%:Z * z) = f a) ->
  (forall y m, c m != 1 -> c (m * D%:Z) = 1 -> \sum_(k < D) f (y + m * k%:Z) = 0) -> (j <= D)%N ->
  \sum_(k < D) \sum_(l < D) \sum_(l' < D) f (((l + j)%N%:Z - l'%:Z) * (x + r * k%:Z))
  = D%:R * ((D - j)%:R * f 0 + j%:R * f (D%:Z * x)).
Proof.
move=> per zero jD; rewrite exchange_big /=.
have inner (l : 'I_D) : \sum_(k < D) \sum_(l' < D) f (((l + j)%N%:Z - l'%:Z) * (x + r * k%:Z))
    = D%:R * f ((((l + j) %/ D) * D)%N%:Z * x).
  rewrite exchange_big /= (bigD1 (Ordinal (ltn_pmod (l + j) D_gt0))) //= [X in _ + X]big1 ?addr0 => [|l' ne].
    have -> : (l + j)%N%:Z - ((l + j) %% D)%N%:Z = ((l + j) %/ D * D)%N%:Z.
      by rewrite {1}(divn_eq (l + j) D) PoszD addrK.
    rewrite -[X in X%:R * _](card_ord D) mulr_natl -sumr_const; apply: eq_bigr => k _; rewrite mulrDr.
    have -> : ((l + j) %/ D * D)%N%:Z * (r * k%:Z) = n.*2.*2%:Z * (((l + j) %/ D)%N%:Z * k%:Z).
      by rewrite turn_r PoszM; ring.
    exact: per.
  under eq_bigr => k _ do rewrite mulrDr mulrA.
  apply: zero; last first.
    by have := (circle_turn H ((l + j)%N%:Z - l'%:Z)).1; rewrite turn_r; congr (c _ = 1); ring.
  apply: contra ne => /eqP /(circle_faithful H).
  have -> : n.*2.*2%:Z = D%:Z * r by rewrite -[LHS]mulr1 turn_r mulr1 mulrC.
  have r0 : r != 0.
    have := circle_n_gt0 H; rewrite -De muln_gt0 => /andP [_ e0].
    by rewrite /r eqz_nat -lt0n muln_gt0.
  rewrite dvdz_mul2r // -eqz_mod_dvd => /eqP h; apply/eqP/val_inj => /=.
  by move: h; rewrite !modz_nat => -[->]; rewrite modn_small.
under eq_bigr => l _ do rewrite inner.
rewrite -mulr_sumr; congr (_ * _); rewrite -(big_mkord predT (fun l => f (((l + j) %/ D * D)%N%:Z * x))).
rewrite (@big_cat_nat _ _ _ (D - j)) ?leq_subr //=; congr (_ + _).
  rewrite (eq_big_nat _ _ (F2 := fun=> f 0)) => [|l /andP [_ lt]].
    by rewrite sumr_const_nat subn0 mulr_natl.
  by rewrite divn_small ?mul0n ?mul0r // addnC -ltn_subRL.
rewrite (eq_big_nat _ _ (F2 := fun=> f (D%:Z * x))) => [|l /andP [ge lt]].
  by rewrite sumr_const_nat subKn // mulr_natl.
have -> : ((l + j) %/ D)%N = 1%N; last by rewrite mul1n.
apply/eqP; rewrite eqn_leq -ltnS ltn_divLR // leq_divRL // mul1n mul2n -addnn.
by rewrite -addSn leq_add //= addnC -leq_subLR.
Qed.
Lemma fejer_sum (j : nat) (x : int) : (j <= D)%N ->
  \sum_(k < D) fejer (x + r * k%:Z) * c (j%:Z * (x + r * k%:Z)) = D%:R * ((D - j)%:R + j%:R * c (D%:Z * x)) /\
  \sum_(k < D) fejer (x + r * k%:Z) * s (j%:Z * (x + r * k%:Z)) = D%:R * (j%:R * s (D%:Z * x)).
Proof.
move=> jD; split.
  under eq_bigr => k _ do rewrite (fejerM _ j).1.
  rewrite (nodes_sum _ _ _ jD) ?(circle_c0 H) ?mulr1 // => [a z|y m h1 h2]; first exact: (circle_periodic H a z).1.
  exact: (circle_sum H y h1 h2).1.
under eq_bigr => k _ do rewrite (fejerM _ j).2.
rewrite (nodes_sum _ _ _ jD) ?(circle_s0 H) ?mulr0 ?add0r // => [a z|y m h1 h2]; first exact: (circle_periodic H a z).2.
exact: (circle_sum H y h1 h2).2.
Qed.
Lemma fejer_total (x : int) : \sum_(k < D) fejer (x + r * k%:Z) = D%:R ^+ 2.
Proof.
have := (fejer_sum x (leq0n D)).1; rewrite subn0 mul0r addr0 expr2 => <-.
by apply: eq_bigr => k _; rewrite mul0r (circle_c0 H) mulr1.
Qed.
End Fejer.

(* ---- One axis. *)
Section OneAxis.
Variables (R : realFieldType) (n : nat) (c s : int -> R) (O : finType).
Hypothesis H : circle n c s.
Variables (k D : nat) (p : 'I_k -> {ffun O * bool -> R}).
Hypothesis kD : (k <= D.+1)%N.
Local Notation turned := (@turned R c s O).
Definition polynomial (t : int) : {ffun O * bool -> R} := \sum_(j < k) turned (j%:Z * t) (p j).
Lemma degree_le (j : 'I_k) : (j <= D)%N.
Proof. by rewrite -ltnS; apply: leq_trans (ltn_ord j) kD. Qed.

Section Average.
Variable e : nat.
Hypotheses (D_gt0 : (0 < D)%N) (De : (D * e = n)%N).
Local Notation node x l := (x + (4 * e)%N%:Z * l%:Z).
Definition average (x t : int) : {ffun O * bool -> R} := \sum_(l < D) fejer c s D (node x l) *c polynomial (t + node x l).
Lemma averageE x t : average x t
  = D%:R *c \sum_(j < k) ((D - j)%:R *c turned (j%:Z * t) (p j) + j%:R *c turned (D%:Z * x) (turned (j%:Z * t) (p j))).
Proof.
apply/ffunP => ob; rewrite [RHS]ffunE !sum_ffunE mulr_sumr.
under eq_bigr => l _ do rewrite ffunE sum_ffunE mulr_sumr.
rewrite exchange_big /=; apply: eq_bigr => j _; set w := turned (j%:Z * t) (p j).
have [h1 h2] := fejer_sum H D_gt0 De x (degree_le j).
have -> : \sum_(l < D) fejer c s D (node x l) * turned (j%:Z * (t + node x l)) (p j) ob
    = (\sum_(l < D) fejer c s D (node x l) * c (j%:Z * node x l)) * w ob
      + (\sum_(l < D) fejer c s D (node x l) * s (j%:Z * node x l)) * across w ob.
  rewrite !mulr_suml -big_split; apply: eq_bigr => l _.
  by rewrite mulrDr [_ * t + _]addrC (turnedD H) turnedE -/w mulrDr !mulrA.
rewrite h1 h2; have -> : ((D - j)%:R *c w + j%:R *c turned (D%:Z * x) w) ob
    = (D - j)%:R * w ob + j%:R * (c (D%:Z * x) * w ob + s (D%:Z * x) * across w ob).
  by rewrite add_ffunE !scale_ffunE (turnedE c s _ w).
ring.
Qed.
Lemma average_bound (x t : int) (B : R) : (forall l : nat, sqn (polynomial (t + node x l)) <= B) ->
  sqn (average x t) <= D%:R ^+ 4 * B.
Proof.
move=> h; apply: le_trans (sqn_sum_weighted _ _) _ => [l|]; first exact: fejer_ge0.
rewrite (fejer_total H D_gt0 De); have -> : D%:R ^+ 4 * B = D%:R ^+ 2 * (D%:R ^+ 2 * B) by ring.
rewrite ler_wpmul2l ?sqr_ge0 // -(fejer_total H D_gt0 De x) mulr_suml.
by apply: ler_sum => l _; rewrite ler_wpmul2l ?fejer_ge0.
Qed.
(* the averages at distances x before and y after, D x = 2 a, D y = 2 b *)
Lemma averages (x y a b t : int) : D%:Z * x = - (b + b) -> D%:Z * y = a + a ->
  s b *c turned (- a) (average y t) + s a *c turned b (average x t) = (D%:R ^+ 2 * s (a + b)) *c polynomial t.
Proof.
move=> hx hy; rewrite !averageE hx hy !turnedZ !(turned_sum c s) /polynomial.
have lin d (q : 'I_k -> {ffun O * bool -> R}) : d *c (\sum_j q j) = \sum_j d *c q j.
  by apply/ffunP => ob; rewrite !ffunE !sum_ffunE mulr_sumr; apply: eq_bigr => j _; rewrite ffunE.
rewrite !lin -big_split; apply: eq_bigr => j _ /=; move: (turned (j%:Z * t) (p j)) => w.
have add d (u v : {ffun O * bool -> R}) : turned d (u + v) = turned d u + turned d v.
  by apply/ffunP => ob; rewrite add_ffunE !turnedE acrossD !add_ffunE !mulrDr addrACA.
have ea : turned (- a) (turned (a + a) w) = turned a w by rewrite -(turnedD H) addKr.
have eb : turned b (turned (- (b + b)) w) = turned (- b) w by rewrite -(turnedD H) opprD addrA subrr add0r.
rewrite !add !turnedZ. rewrite ea eb; apply/ffunP => ob.
have nat_sub : (D - j)%:R = D%:R - j%:R :> R by rewrite natrB ?degree_le.
rewrite !(add_ffunE, scale_ffunE) !turnedE.
rewrite (circle_cN H) !(circle_sN H) (circle_cN H) (circle_sD H) nat_sub; move: (w ob) (across w ob) => y' z'; ring.
Qed.
End Average.

(* between the points 4 g q: N of them are a whole turn *)
Theorem sampled_divisor (N g : nat) (B : R) : (N * g = n)%N -> (0 < D < N)%N -> (D %| N)%N ->
  (forall q : int, sqn (polynomial ((4 * g)%N%:Z * q)) <= B) -> forall t : int, c (D * g)%N%:Z ^+ 2 * sqn (polynomial (2%:Z * t)) <= B.
Proof.
move=> Ng /andP [D0 DN] /dvdnP [f fD] h t.
have := circle_n_gt0 H; rewrite -Ng muln_gt0 => /andP [N0 g0].
have De : (D * (f * g) = n)%N by rewrite -Ng fD mulnCA mulnA.
have B0 : 0 <= B by exact: le_trans (sqn_ge0 _) (h 0).
have g2 : (2 * g)%N%:Z != 0 by rewrite eqz_nat -lt0n muln_gt0.
have := modz_ge0 t g2; have := @ltz_pmod t (2 * g)%N%:Z; rewrite ltz_nat muln_gt0 g0 => /(_ isT).
move: (divz_eq t (2 * g)%N); move: (t %/ _)%Z (t %% _)%Z => q [a|//] et a2 _; rewrite ltz_nat in a2.
have hx : D%:Z * - (2%:Z * a%:Z) = - ((D * a)%N%:Z + (D * a)%N%:Z) by rewrite PoszM; ring.
have eb : (2 * g - a)%N%:Z = 2%:Z * g%:Z - a%:Z by rewrite -subzn ?PoszM // ltnW.
have hy : D%:Z * (2%:Z * (2 * g - a)%N%:Z) = (D * (2 * g - a))%N%:Z + (D * (2 * g - a))%N%:Z by rewrite !PoszM; ring.
have before : sqn (average (f * g) (- (2%:Z * a%:Z)) (2%:Z * t)) <= D%:R ^+ 4 * B.
  apply: average_bound => // l; rewrite [X in polynomial X](_ : _ = (4 * g)%N%:Z * (q + f%:Z * l%:Z)) //.
  by rewrite et !PoszM; ring.
have after : sqn (average (f * g) (2%:Z * (2 * g - a)%N%:Z) (2%:Z * t)) <= D%:R ^+ 4 * B.
  apply: average_bound => // l; rewrite [X in polynomial X](_ : _ = (4 * g)%N%:Z * (q + 1 + f%:Z * l%:Z)) //.
  by rewrite et eb !PoszM; ring.
set b := (D * a)%N%:Z in hx; set d := (D * (2 * g - a))%N%:Z in hy.
have lim (m : nat) : (m <= 2 * g)%N -> 0 <= s (D * m)%N.
  move=> m2; apply: (circle_s_ge0 H); rewrite -Ng -mul2n mulnCA; apply: leq_mul => //; exact: ltnW.
have sb : 0 <= s b by apply: lim; exact: ltnW.
have sd : 0 <= s d by apply: lim; exact: leq_subr.
pose m := (D * g)%N%:Z.
have Dg : (0 < D * g < n)%N by rewrite muln_gt0 D0 g0 -Ng ltn_pmul2r.
have sm : 0 < s m by apply: (circle_s_gt0 H); case/andP: Dg => -> /ltnW.
have dm : d = m + (m - b) by rewrite /d /m /b !PoszM eb; ring.
have sum : s b + s d <= 2%:R * s m.
  have -> : s b = s m * c (m - b) - c m * s (m - b) by rewrite -(circle_sB H); congr s; ring.
  have -> : s d = s m * c (m - b) + c m * s (m - b) by rewrite dm (circle_sD H).
  have -> : s m * c (m - b) - c m * s (m - b) + (s m * c (m - b) + c m * s (m - b)) = 2%:R * s m * c (m - b) by ring.
  by rewrite -[X in _ <= X]mulr1 ler_wpmul2l ?(circle_c_le1 H) // mulr_ge0 ?ler0n // ltW.
have total : s (d + b) = 2%:R * s m * c m.
  by have -> : d + b = m + m by [rewrite dm; ring]; rewrite (circle_sD H); ring.
have key := averages D0 De (2%:Z * t) hx hy.
have le : sqn ((D%:R ^+ 2 * s (d + b)) *c polynomial (2%:Z * t)) <= (s b + s d) ^+ 2 * (D%:R ^+ 4 * B).
  by rewrite -key; apply: sqn_add_weighted; rewrite ?(sqn_turned H).
have p0 : 0 < D%:R ^+ 4 * (2%:R * s m) ^+ 2 :> R by rewrite mulr_gt0 ?exprn_gt0 ?mulr_gt0 ?ltr0n.
rewrite -(ler_pmul2l p0).
have -> : D%:R ^+ 4 * (2%:R * s m) ^+ 2 * (c m ^+ 2 * sqn (polynomial (2%:Z * t)))
  = sqn ((D%:R ^+ 2 * s (d + b)) *c polynomial (2%:Z * t)) by rewrite sqnZ total; ring.
apply: le_trans le _; have -> : D%:R ^+ 4 * (2%:R * s m) ^+ 2 * B = (2%:R * s m) ^+ 2 * (D%:R ^+ 4 * B) by ring.
by rewrite ler_wpmul2r ?mulr_ge0 ?exprn_ge0 ?ler0n // ler_expn2r ?nnegrE ?addr_ge0 ?mulr_ge0 ?ler0n ?(ltW sm).
Qed.

(* D = 0: the polynomial is constant *)
Definition samples (D N : nat) : bool := (D == 0)%N || [&& (0 < D)%N, (D < N)%N & (D %| N)%N].
Theorem sampled (N g : nat) (B : R) : (N * g = n)%N -> samples D N ->
  (forall q : int, sqn (polynomial ((4 * g)%N%:Z * q)) <= B) -> forall t : int, c (D * g)%N%:Z ^+ 2 * sqn (polynomial (2%:Z * t)) <= B.
Proof.
move=> Ng /orP [/eqP D0 h t |/and3P [D0 DN DvN]]; last by move=> h t; apply: (sampled_divisor Ng _ DvN h); rewrite D0.
rewrite D0 mul0n (circle_c0 H) expr1n mul1r; have := h 0; congr (sqn _ <= _); apply: eq_bigr => j _.
by have := degree_le j; rewrite D0 leqn0 => /eqP ->; rewrite !mul0r.
Qed.
End OneAxis.
