(* Cosines and sines of the multiples of an n-th part of a quarter turn, without analysis. `circle n c s` says what they are by addition
   theorems and signs; over a real closed field (the reals are one) they exist for every n > 0, and there is only one such pair. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* c a = cos(a pi / 2n), s a = sin(a pi / 2n) *)
Record circle (R : realFieldType) (n : nat) (c s : int -> R) : Prop := Circle {
  circle_c0 : c 0 = 1;
  circle_cB : forall a b, c (a - b) = c a * c b + s a * s b;
  circle_sB : forall a b, s (a - b) = s a * c b - c a * s b;
  circle_quarter : c n%:Z = 0;
  circle_c_gt0 : forall k : nat, (k < n)%N -> 0 < c k%:Z;
  circle_s1_gt0 : 0 < s 1
}.

Section Facts.
Variables (R : realFieldType) (n : nat) (c s : int -> R).
Hypothesis H : circle n c s.

Lemma circle_s0 : s 0 = 0.
Proof. by have := circle_sB H 0 0; rewrite subrr mulrC subrr. Qed.
Lemma circle_n_gt0 : (0 < n)%N.
Proof. by have := circle_quarter H; case: n => // h; have := circle_c0 H; rewrite h => /eqP; rewrite eq_sym oner_eq0. Qed.
Lemma circle_cN a : c (- a) = c a.
Proof. by rewrite -[- a]sub0r (circle_cB H) (circle_c0 H) circle_s0 mul1r mul0r addr0. Qed.
Lemma circle_sN a : s (- a) = - s a.
Proof. by rewrite -[- a]sub0r (circle_sB H) (circle_c0 H) circle_s0 mul1r mul0r sub0r. Qed.
Lemma circle_cD a b : c (a + b) = c a * c b - s a * s b.
Proof. by rewrite -[b in LHS]opprK (circle_cB H) circle_cN circle_sN mulrN. Qed.
Lemma circle_sD a b : s (a + b) = s a * c b + c a * s b.
Proof. by rewrite -[b in LHS]opprK (circle_sB H) circle_cN circle_sN mulrN opprK. Qed.
Lemma circle_norm a : c a ^+ 2 + s a ^+ 2 = 1.
Proof. by rewrite !expr2 -(circle_cB H) subrr (circle_c0 H). Qed.
Lemma circle_s_eq0 a : c a = 1 -> s a = 0.
Proof. by move=> e; have := circle_norm a; rewrite e expr1n -[RHS]addr0 => /addrI /eqP; rewrite sqrf_eq0 => /eqP. Qed.
Lemma circle_c_le1 a : c a <= 1.
Proof.
have h : c a ^+ 2 <= 1 by rewrite -(circle_norm a) ler_addl sqr_ge0.
by apply: le_trans (ler_norm _) _; rewrite -(@ler_sqr _ `|c a|) ?nnegrE ?normr_ge0 ?ler01 // expr1n real_normK ?num_real.
Qed.
Lemma circle_S (k : nat) : k.+1%:Z = k%:Z + 1.
Proof. by rewrite -addn1 PoszD. Qed.

Lemma circle_s_gt0 (k : nat) : (0 < k <= n)%N -> 0 < s k%:Z.
Proof.
case: k => //= k; elim: k => [|k ih] kn; first exact: (circle_s1_gt0 H).
rewrite circle_S circle_sD addr_gt0 //; apply: mulr_gt0.
- by apply: ih; exact: ltnW.
- by apply: (circle_c_gt0 H); apply: leq_ltn_trans kn.
- by apply: (circle_c_gt0 H).
- exact: (circle_s1_gt0 H).
Qed.
Lemma circle_s_quarter : s n%:Z = 1.
Proof.
have := circle_norm n; rewrite (circle_quarter H) expr0n /= add0r => /eqP; rewrite sqrf_eq1 => /orP [/eqP //|/eqP e].
by have := @circle_s_gt0 n; rewrite leqnn circle_n_gt0 e oppr_gt0 ltr10 => /(_ isT).
Qed.
Lemma circle_s_ge0 (k : nat) : (k <= n.*2)%N -> 0 <= s k%:Z.
Proof.
move=> k2; have [kn|nk] := leqP k n.
  by by case: k kn {k2} => [|k] kn; [rewrite circle_s0 | rewrite ltW // circle_s_gt0].
have -> : k%:Z = n%:Z + (k - n)%N%:Z by rewrite -PoszD subnKC // ltnW.
rewrite circle_sD circle_s_quarter (circle_quarter H) mul0r addr0 mul1r.
have : (k - n <= n)%N by rewrite leq_subLR addnn.
by rewrite leq_eqVlt => /orP [/eqP ->|/(circle_c_gt0 H)/ltW //]; rewrite (circle_quarter H).
Qed.
Lemma circle_c_half : c n.*2%:Z = -1.
Proof. by rewrite -addnn PoszD circle_cD (circle_quarter H) circle_s_quarter mul0r sub0r mulr1. Qed.
Lemma circle_s_half : s n.*2%:Z = 0.
Proof. by rewrite -addnn PoszD circle_sD (circle_quarter H) mul0r mulr0 addr0. Qed.

(* a whole turn is 4n parts, and nothing less *)
Lemma circle_turn (z : int) : c (n.*2.*2%:Z * z) = 1 /\ s (n.*2.*2%:Z * z) = 0.
Proof.
have one : c n.*2.*2%:Z = 1 /\ s n.*2.*2%:Z = 0.
  rewrite -addnn PoszD circle_cD circle_sD circle_c_half circle_s_half.
  by split; ring.
have pos (k : nat) : c (n.*2.*2%:Z * k%:Z) = 1 /\ s (n.*2.*2%:Z * k%:Z) = 0.
  elim: k => [|k [h1 h2]]; first by rewrite mulr0 (circle_c0 H) circle_s0.
  by rewrite circle_S mulrDr mulr1 circle_cD circle_sD h1 h2 !one.1 !one.2; split; ring.
case: (intP z) => [|k|k]; first by rewrite mulr0 (circle_c0 H) circle_s0.
  exact: pos.
by rewrite mulrN circle_cN circle_sN !(pos _).1 !(pos _).2 oppr0.
Qed.
Lemma circle_periodic a z : c (a + n.*2.*2%:Z * z) = c a /\ s (a + n.*2.*2%:Z * z) = s a.
Proof. by rewrite circle_cD circle_sD !(circle_turn z).1 !(circle_turn z).2; split; ring. Qed.
Lemma circle_faithful a : c a = 1 -> (n.*2.*2%:Z %| a)%Z.
Proof.
have n0 : (0 < n.*2.*2)%N by rewrite !double_gt0 circle_n_gt0.
have small (k : nat) : (0 < k <= n.*2)%N -> c k%:Z != 1.
  move=> /andP [k0 kn]; have := kn; rewrite leq_eqVlt => /orP [/eqP ->|k2].
    by rewrite circle_c_half lt_eqF // (lt_trans (ltrN10 R)) ?ltr01.
  apply/negP => /eqP /circle_s_eq0 s0.
  have [kl|kl] := leqP k n; first by have := @circle_s_gt0 k; rewrite k0 kl s0 ltxx => /(_ isT).
  have ek : k%:Z = n%:Z + (k - n)%N%:Z by rewrite -PoszD subnKC // ltnW.
  have : 0 < c (k - n)%N by apply: (circle_c_gt0 H); rewrite ltn_subLR ?addnn // ltnW.
  by move: s0; rewrite ek circle_sD circle_s_quarter (circle_quarter H) mul0r addr0 mul1r => ->; rewrite ltxx.
move=> e; apply/dvdz_mod0P/eqP; apply: contraTT isT => r0; exfalso.
have er : c (a %% n.*2.*2%:Z)%Z = 1.
  by rewrite -e [a in RHS](divz_eq a n.*2.*2) addrC mulrC (circle_periodic _ _).1.
have rge : (0 <= a %% n.*2.*2%:Z)%Z by apply: modz_ge0; rewrite eqz_nat -lt0n.
have rlt : (a %% n.*2.*2%:Z < n.*2.*2%:Z)%Z by apply: ltz_pmod.
move: (a %% _)%Z er r0 rge rlt => [k|//] er k0 _ kn.
have kp : (0 < k)%N by rewrite lt0n.
have [k2|k2] := leqP k n.*2; first by have := small k; rewrite kp k2 er eqxx => /(_ isT).
have e2 : (n.*2.*2 - k)%N%:Z = - k%:Z + n.*2.*2%:Z * 1 by rewrite mulr1 addrC subzn // ltnW.
have := small (n.*2.*2 - k)%N; rewrite e2 (circle_periodic _ _).1 circle_cN er eqxx subn_gt0 => h.
have: false; last by []. apply: h; rewrite [(k < _)%N]kn /= leq_subLR -[X in (X <= _)%N]addnn leq_add2r; exact: ltnW.
Qed.

(* sums over equally spaced points that go around *)
Lemma circle_sum (D : nat) (x r : int) : c r != 1 -> c (r * D%:Z) = 1 ->
  \sum_(k < D) c (x + r * k%:Z) = 0 /\ \sum_(k < D) s (x + r * k%:Z) = 0.
Proof.
move=> r1 rD; set A := \sum_(k < D) _; set B := \sum_(k < D) _.
have rDs := circle_s_eq0 rD.
have shift (f : int -> R) : f (x + r * D%:Z) = f x -> \sum_(k < D) f (x + r * k%:Z) = \sum_(k < D) f (x + r * k%:Z + r).
  move=> e; apply: (addIr (f x)); rewrite -[X in _ + X = _]e -[LHS](big_ord_recr D (fun k => f (x + r * k%:Z))) big_ord_recl mulr0 addr0 addrC.
  by congr (_ + _); apply: eq_bigr => k _; rewrite lift0 circle_S mulrDr mulr1 addrA.
have eA : A = A * c r - B * s r.
  rewrite {1}/A shift; last by rewrite circle_cD rD rDs mulr1 mulr0 subr0.
  by rewrite /A /B !mulr_suml -sumrB; apply: eq_bigr => k _; exact: circle_cD.
have eB : B = B * c r + A * s r.
  rewrite {1}/B shift; last by rewrite circle_sD rD rDs mulr1 mulr0 addr0.
  by rewrite /A /B !mulr_suml -big_split; apply: eq_bigr => k _; exact: circle_sD.
have d : 0 < (1 - c r) ^+ 2 + s r ^+ 2.
  by rewrite ltr_paddr ?sqr_ge0 // lt_neqAle sqr_ge0 eq_sym sqrf_eq0 subr_eq0 eq_sym r1.
have zA : A * (1 - c r) = - B * s r by rewrite mulrBr mulr1 [X in X - _]eA; ring.
have zB : B * (1 - c r) = A * s r by rewrite mulrBr mulr1 [X in X - _]eB; ring.
have e (y z : R) : y * (1 - c r) = - z * s r -> z * (1 - c r) = y * s r -> y = 0 /\ z = 0.
  move=> h1 h2; split; apply: (mulIf (negbT (gt_eqF d))); rewrite mul0r.
    have -> : y * ((1 - c r) ^+ 2 + s r ^+ 2) = y * (1 - c r) * (1 - c r) + y * s r * s r by ring.
    by rewrite h1 -h2; ring.
  have -> : z * ((1 - c r) ^+ 2 + s r ^+ 2) = z * (1 - c r) * (1 - c r) + z * s r * s r by ring.
  by rewrite h2 mulrAC h1; ring.
exact: e.
Qed.
(* every g-th point *)
Lemma circle_every (N g : nat) : (N * g = n)%N -> circle N (fun a => c (g%:Z * a)) (fun a => s (g%:Z * a)).
Proof.
move=> e; have := circle_n_gt0; rewrite -e muln_gt0 => /andP [N0 g0]; split.
- by rewrite mulr0 (circle_c0 H).
- by move=> a b; rewrite mulrBr (circle_cB H).
- by move=> a b; rewrite mulrBr (circle_sB H).
- by rewrite -PoszM mulnC e (circle_quarter H).
- by move=> k kN; rewrite -PoszM; apply: (circle_c_gt0 H); rewrite -e mulnC ltn_pmul2r.
by rewrite mulr1; apply: circle_s_gt0; rewrite g0 -e leq_pmull.
Qed.
End Facts.

(* Chebyshev polynomials: cheb x k = cos(k t) for x = cos t *)
Section Chebyshev.
Variable R : realFieldType.
Definition cheb_pair (x : R) (k : nat) : R * R := iter k (fun p => (p.2, 2%:R * x * p.2 - p.1)) (1, x).
Definition cheb x k := (cheb_pair x k).1.
Lemma cheb0 x : cheb x 0 = 1. Proof. by []. Qed.
Lemma cheb1 x : cheb x 1 = x. Proof. by []. Qed.
Lemma chebSS x k : cheb x k.+2 = 2%:R * x * cheb x k.+1 - cheb x k. Proof. by []. Qed.
Lemma cheb_one k : cheb 1 k = 1.
Proof. by suff [] : cheb 1 k = 1 /\ cheb 1 k.+1 = 1 by []; elim: k => [//|k [h1 h2]]; split=> //; rewrite chebSS h1 h2; ring. Qed.
Definition cheb_poly (k : nat) : {poly R} := (iter k (fun p => (p.2, 2%:R *: ('X * p.2) - p.1)) (1, 'X)).1.
Lemma horner_cheb x k : (cheb_poly k).[x] = cheb x k.
Proof.
suff [] : (cheb_poly k).[x] = cheb x k /\ (cheb_poly k.+1).[x] = cheb x k.+1 by [].
elim: k => [|k [h1 h2]]; first by rewrite /cheb_poly /= hornerC hornerX.
have e : cheb_poly k.+2 = 2%:R *: ('X * cheb_poly k.+1) - cheb_poly k by [].
by split=> //; rewrite e hornerD hornerN hornerZ hornerM hornerX h1 h2 chebSS mulrA.
Qed.

(* x is the cosine of an n-th part of a quarter turn: the cosines of its multiples are positive, and that of the last is zero *)
Definition quarter_cos (n : nat) (x : R) : Prop := (forall k, (k < n)%N -> 0 < cheb x k) /\ cheb x n = 0.
(* Christoffel and Darboux: the quotients of successive values grow with x *)
Lemma cheb_gt0 n x y : quarter_cos n x -> x < y -> forall k, (k <= n)%N -> 0 < cheb y k.
Proof.
move=> [h hn] xy; pose d k := cheb y k.+1 * cheb x k - cheb y k * cheb x k.+1.
have x0 k : (k <= n)%N -> 0 <= cheb x k.
  by rewrite leq_eqVlt => /orP [/eqP ->|/h/ltW //]; rewrite hn.
have step k : (k < n)%N -> 0 < cheb y k -> 0 < d k -> 0 < cheb y k.+1.
  move=> kn yk dk; rewrite -(pmulr_lgt0 _ (h k kn)).
  have -> : cheb y k.+1 * cheb x k = d k + cheb y k * cheb x k.+1 by rewrite /d subrK.
  by apply: ltr_paddr => //; rewrite mulr_ge0 ?(ltW yk) ?x0.
suff both k : (k < n)%N -> 0 < cheb y k /\ 0 < d k.
  by case=> [|k] kn; [rewrite cheb0 ltr01 | have [] := both k kn; exact: step].
elim: k => [|k ih] kn; first by rewrite /d !cheb0 !cheb1 mulr1 mul1r subr_gt0 ltr01.
have [yk dk] := ih (ltnW kn); have y1 := step k (ltnW kn) yk dk; split=> //.
have -> : d k.+1 = 2%:R * ((y - x) * (cheb y k.+1 * cheb x k.+1)) + d k by rewrite /d !chebSS; ring.
by rewrite addrC ltr_paddr // mulr_ge0 ?ler0n // mulr_ge0 ?subr_ge0 ?(ltW xy) // mulr_ge0 ?(ltW y1) ?(ltW (h _ kn)).
Qed.
Lemma quarter_cos_unique n x y : quarter_cos n x -> quarter_cos n y -> x = y.
Proof.
move=> hx hy; case: (ltgtP x y) => // h.
  by have := cheb_gt0 hx h (leqnn n); rewrite hy.2 ltxx.
by have := cheb_gt0 hy h (leqnn n); rewrite hx.2 ltxx.
Qed.

Lemma circle_cheb n c s (k : nat) : @circle R n c s -> c k%:Z = cheb (c 1) k.
Proof.
move=> H; suff [] : c k%:Z = cheb (c 1) k /\ c k.+1%:Z = cheb (c 1) k.+1 by [].
elim: k => [|k [h1 h2]]; first by rewrite cheb0 cheb1 (circle_c0 H).
split=> //; rewrite chebSS -h1 -h2.
have -> : c k%:Z = c (k.+1%:Z - 1) by congr c; rewrite circle_S addrK.
by rewrite (circle_S k.+1) (circle_cD H) (circle_cB H); ring.
Qed.
Lemma circle_quarter_cos n c s : @circle R n c s -> quarter_cos n (c 1).
Proof.
by move=> H; split=> [k kn|]; rewrite -(circle_cheb _ H); [exact: (circle_c_gt0 H) | exact: (circle_quarter H)].
Qed.
(* ---- There is only one. *)
Theorem circle_unique n c s c' s' : @circle R n c s -> @circle R n c' s' -> c =1 c' /\ s =1 s'.
Proof.
move=> H H'; have e1 := quarter_cos_unique (circle_quarter_cos H) (circle_quarter_cos H').
have es : s 1 = s' 1.
  apply/eqP; rewrite -(eqr_expn2 (n := 2)) ?(ltW (circle_s1_gt0 H)) ?(ltW (circle_s1_gt0 H')) //; apply/eqP.
  by apply: (addrI (c 1 ^+ 2)); rewrite (circle_norm H) e1 (circle_norm H').
have pos (k : nat) : c k%:Z = c' k%:Z /\ s k%:Z = s' k%:Z.
  elim: k => [|k [h1 h2]]; first by rewrite (circle_c0 H) (circle_c0 H') (circle_s0 H) (circle_s0 H').
  by rewrite circle_S (circle_cD H) (circle_cD H') (circle_sD H) (circle_sD H') h1 h2 e1 es.
suff h a : c a = c' a /\ s a = s' a by split=> a; [exact: (h a).1 | exact: (h a).2].
case: (intP a) => [|k|k]; rewrite ?(circle_cN H) ?(circle_cN H') ?(circle_sN H) ?(circle_sN H').
- exact: (pos 0%N).
- exact: (pos k.+1).
by rewrite !(pos k.+1).1 !(pos k.+1).2.
Qed.
End Chebyshev.

(* ---- Over a real closed field there is one for every n > 0. *)
Section Existence.
Variable R : rcfType.
Lemma quarter_cos_exists n : (0 < n)%N -> exists2 x : R, quarter_cos n x & 0 <= x < 1.
Proof.
case: n => // n _; elim: n => [|n [x hx /andP [x0 x1]]].
  by exists 0; [split=> [[]|] //; rewrite cheb0 ltr01 | rewrite lexx ltr01].
have neg : cheb x n.+2 < 0 by rewrite chebSS hx.2 mulr0 sub0r oppr_lt0; apply: hx.1.
have [] := @poly_ivt R (cheb_poly R n.+2) x 1 (ltW x1); first by rewrite !horner_cheb cheb_one (ltW neg) ler01.
move=> y /andP [xy y1]; rewrite /root horner_cheb => /eqP y0.
have xy' : x < y by rewrite lt_neqAle xy andbT; apply: contraTN neg => /eqP ->; rewrite y0 ltxx.
exists y; first by split=> // k kn; exact: (cheb_gt0 hx xy').
rewrite (le_trans x0 xy) lt_neqAle y1 andbT /=; apply/eqP => e.
by move: y0; rewrite e cheb_one => /eqP; rewrite oner_eq0.
Qed.

Variables (x y : R).
Hypothesis norm : x ^+ 2 + y ^+ 2 = 1.
Let power (k : nat) : R * R := iter k (fun p => (x * p.1 - y * p.2, x * p.2 + y * p.1)) (1, 0).
Let cosine (a : int) : R := match a with Posz k => (power k).1 | Negz k => (power k.+1).1 end.
Let sine (a : int) : R := match a with Posz k => (power k).2 | Negz k => - (power k.+1).2 end.
Let powerD k l : power (k + l) = ((power k).1 * (power l).1 - (power k).2 * (power l).2, (power k).2 * (power l).1 + (power k).1 * (power l).2).
Proof.
elim: k => [|k ih]; first by rewrite !mul1r !mul0r subr0 add0r -surjective_pairing.
have e m : power m.+1 = (x * (power m).1 - y * (power m).2, x * (power m).2 + y * (power m).1) by [].
by rewrite addSn !e ih /=; congr pair; ring.
Qed.
Let power_norm k : (power k).1 ^+ 2 + (power k).2 ^+ 2 = 1.
Proof.
elim: k => [|k ih]; first by rewrite /= expr1n expr0n addr0.
have -> : (power k.+1).1 ^+ 2 + (power k.+1).2 ^+ 2 = (x ^+ 2 + y ^+ 2) * ((power k).1 ^+ 2 + (power k).2 ^+ 2) by rewrite /=; ring.
by rewrite norm ih mulr1.
Qed.
Let parityE : (forall a, cosine (- a) = cosine a) /\ (forall a, sine (- a) = - sine a).
Proof. by split=> a; case: (intP a) => [|k|k]; rewrite ?opprK //= ?oppr0. Qed.
Let difference (k l : nat) : cosine (k%:Z - l%:Z) = (power k).1 * (power l).1 + (power k).2 * (power l).2 /\
  sine (k%:Z - l%:Z) = (power k).2 * (power l).1 - (power k).1 * (power l).2.
Proof.
have main (m q : nat) : cosine ((q + m)%N%:Z - q%:Z) = (power (q + m)).1 * (power q).1 + (power (q + m)).2 * (power q).2 /\
    sine ((q + m)%N%:Z - q%:Z) = (power (q + m)).2 * (power q).1 - (power (q + m)).1 * (power q).2.
  have -> : (q + m)%N%:Z - q%:Z = m%:Z by rewrite PoszD addrC addKr.
  have h := power_norm q; rewrite powerD /=; split.
    by rewrite -[LHS]mulr1 -h; ring.
  by rewrite -[LHS]mulr1 -h; ring.
have [kl|lk] := leqP l k; first by have := main (k - l)%N l; rewrite subnKC.
have := main (l - k)%N k; rewrite subnKC; last exact: ltnW.
rewrite -opprB parityE.1 parityE.2; case=> -> e; split; first by ring.
by rewrite -[LHS]opprK e; ring.
Qed.
Let cosine_sineB a b : cosine (a - b) = cosine a * cosine b + sine a * sine b /\ sine (a - b) = sine a * cosine b - cosine a * sine b.
Proof.
have sum (k l : nat) : cosine (k%:Z + l%:Z) = (power k).1 * (power l).1 - (power k).2 * (power l).2 /\
    sine (k%:Z + l%:Z) = (power k).2 * (power l).1 + (power k).1 * (power l).2.
  by rewrite -PoszD /cosine /sine powerD.
have pos (k : nat) : cosine k = (power k).1 /\ sine k = (power k).2 by [].
have cases (z : int) : exists k : nat, z = k%:Z \/ z = - k%:Z.
  by case: (intP z) => [|k|k]; [exists 0%N; left | exists k.+1; left | exists k.+1; right].
have [[k [->|->]] [l [->|->]]] := (cases a, cases b); rewrite ?opprK.
- exact: difference.
- by rewrite !parityE.1 !parityE.2 !(sum _ _).1 !(sum _ _).2 !(pos _).1 !(pos _).2; split; ring.
- by rewrite -opprD !parityE.1 !parityE.2 !(sum _ _).1 !(sum _ _).2 !(pos _).1 !(pos _).2; split; ring.
by rewrite !parityE.1 !parityE.2 addrC !(difference _ _).1 !(difference _ _).2 !(pos _).1 !(pos _).2; split; ring.
Qed.
Let make n : quarter_cos n x -> 0 < y -> circle n cosine sine.
Proof.
move=> [h1 h2] y0; have e (k : nat) : cosine k%:Z = cheb x k.
  have step m : power m.+1 = (x * (power m).1 - y * (power m).2, x * (power m).2 + y * (power m).1) by [].
  suff [] : cosine k%:Z = cheb x k /\ cosine k.+1%:Z = cheb x k.+1 by [].
  elim: k => [|k [e1 e2]]; first by rewrite /= mulr0 subr0 mulr1.
  split=> //; rewrite chebSS -e1 -e2 /cosine !step /=; move: (power k) => p; apply/eqP; rewrite -subr_eq0; apply/eqP.
  have -> : x * (x * p.1 - y * p.2) - y * (x * p.2 + y * p.1) - (2%:R * x * (x * p.1 - y * p.2) - p.1) = (1 - (x ^+ 2 + y ^+ 2)) * p.1 by ring.
  by rewrite norm subrr mul0r.
split=> [||||k kn|] //; last by rewrite /= mulr0 add0r mulr1.
- by move=> a b; exact: (cosine_sineB a b).1.
- by move=> a b; exact: (cosine_sineB a b).2.
- by rewrite e.
by rewrite e; exact: h1.
Qed.
Lemma circle_of n : quarter_cos n x -> 0 < y -> exists c s : int -> R, circle n c s.
Proof. by move=> h y0; exists cosine, sine; exact: make. Qed.
End Existence.

Theorem circle_exists (R : rcfType) n : (0 < n)%N -> exists c s : int -> R, circle n c s.
Proof.
move=> n0; have [x h /andP [x0 x1]] := quarter_cos_exists R n0.
have p : 0 < 1 - x ^+ 2 by rewrite subr_gt0 expr_lt1.
apply: (@circle_of R x (Num.sqrt (1 - x ^+ 2)) _ n h); last by rewrite sqrtr_gt0.
by rewrite sqr_sqrtr ?(ltW p) // addrC subrK.
Qed.
(* a finer one, with the same values at every g-th point *)
Theorem circle_refine (R : rcfType) N g c s : (0 < g)%N -> @circle R N c s ->
  exists c' s' : int -> R, [/\ circle (N * g) c' s', forall a, c' (g%:Z * a) = c a & forall a, s' (g%:Z * a) = s a].
Proof.
move=> g0 H; have [|c' [s' H']] := @circle_exists R (N * g); first by rewrite muln_gt0 (circle_n_gt0 H).
have [e1 e2] := circle_unique H (circle_every H' (erefl _)).
by exists c', s'; split=> // a; rewrite ?e1 ?e2.
Qed.
