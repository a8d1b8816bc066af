(* Truncated exponentials of skew operators, p_n(A) = sum over k <= n of A^k / k!: what orthogonal layers by skew
   exponential compute. |p_n(A) x|^2 - |x|^2 is a moment_combination of the moments |A^m x|^2, n < 2m <= 2n, known in closed form;
   it is at most 0 on a window |A|^2 <= w where the Taylor coefficients at w say so. Degrees 3 and 0 modulo 4 have one. *)
From Coq Require Import ZArith.
From mathcomp Require Import all_ssreflect all_algebra ring.
From mathcomp Require Import ssrZ.
From Lip Require Import Base Gershgorin.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section SkewExponential.
Variables (R : realFieldType) (I : finType) (A : I -> I -> R).
Hypothesis skew : forall i j, A j i = - A i j.

Lemma skew_dot u v : dot u (A *v v) = - dot (A *v u) v.
Proof.
rewrite dot_mulv -dotNl; congr dot; apply/ffunP => i; rewrite !ffunE -sumrN.
by apply: eq_bigr => j _; rewrite /adj skew mulNr.
Qed.
Lemma skew_dot0 u : dot u (A *v u) = 0.
Proof.
have h := skew_dot u u; rewrite (dotC (A *v u)) in h.
by apply/eqP; move/eqP: h; rewrite -addr_eq0 -mulr2n mulrn_eq0.
Qed.

Definition power k (x : {ffun I -> R}) : {ffun I -> R} := iter k (mulv A) x.
Definition moment (x : {ffun I -> R}) (m : nat) : R := sqn (power m x).
Definition truncated_exp n (x : {ffun I -> R}) : {ffun I -> R} := \sum_(k < n.+1) (k`!%:R^-1 *c power k x).

Lemma power_dot x d m : dot (power m x) (power (m + d) x) =
  if odd d then 0 else (-1) ^+ d./2 * moment x (m + d./2).
Proof.
elim: d {-2}d (leqnn d) m => [|D ih] [|[|d]] //= hd m.
- by rewrite !addn0 expr0 mul1r.
- by rewrite addn0 expr0 mul1r.
- by rewrite addn1 /= skew_dot0.
rewrite !addnS /= skew_dot -iterS -/(power _ _) -addSn ih; last by rewrite ltnS in hd; apply: ltnW.
by rewrite negbK; case: ifP => _; rewrite ?oppr0 // exprS mulN1r mulNr addSn.
Qed.

Lemma dot_suml n (f : 'I_n -> {ffun I -> R}) v : dot (\sum_k f k) v = \sum_k dot (f k) v.
Proof.
elim: n f => [|n ih] f; first by rewrite !big_ord0 /dot big1 // => i _; rewrite ffunE mul0r.
by rewrite !big_ord_recr dotDl ih.
Qed.

(* the moments that the new term of degree n + 1 meets *)
Lemma truncated_exp_dot n x : dot (truncated_exp n x) (power n.+1 x) =
  \sum_(m < n.+1 | (n.+1 <= m.*2)%N) (-1) ^+ (n.+1 - m) / (m.*2 - n.+1)`!%:R * moment x m.
Proof.
have e (k : 'I_n.+1) : dot (power k x) (power n.+1 x) =
    if odd (n.+1 - k) then 0 else (-1) ^+ (n.+1 - k)./2 * moment x (k + (n.+1 - k)./2).
  by have := power_dot x (n.+1 - k) k; rewrite subnKC // ltnW.
rewrite /truncated_exp dot_suml; under eq_bigr => k _ do rewrite dotZl e.
rewrite (bigID (fun k : 'I_n.+1 => odd (n.+1 - k))) /= big1 ?add0r => [|k ->]; last by rewrite mulr0.
have lo (m : 'I_n.+1) : (m.*2 - n.+1 < n.+1)%N.
  by apply: leq_ltn_trans (ltn_ord m); rewrite leq_subLR -addnn leq_add2r ltnW.
have hi (k : 'I_n.+1) : ((k + n.+1)./2 < n.+1)%N by rewrite -divn2 ltn_divLR // muln2 -addnn ltn_add2r.
rewrite (reindex_onto (fun m : 'I_n.+1 => inord (m.*2 - n.+1)) (fun k : 'I_n.+1 => inord (k + n.+1)./2)) /=; last first.
  move=> k ok; have dbl : ((k + n.+1)./2.*2 = k + n.+1)%N.
    by rewrite -[RHS]odd_double_half; move: ok; rewrite oddB 1?ltnW // oddD addbC => /negbTE ->.
  by apply: val_inj; rewrite /= (inordK (hi k)) dbl addnK inordK.
have half (a b : nat) : ~~ odd b -> (a.*2 < b)%N -> (a < b./2)%N.
  by move=> /negbTE eb; rewrite -{1}(odd_double_half b) eb add0n ltn_double.
rewrite (eq_bigl (fun m : 'I_n.+1 => (n.+1 <= m.*2)%N)) => [|m]; last first.
  rewrite inordK ?lo //; have [h|h] := leqP n.+1 m.*2.
    by rewrite oddB ?(ltnW (lo m)) // oddB // odd_double addFb addbb subnK // doubleK inord_val eqxx.
  have -> : (m.*2 - n.+1 = 0)%N by apply/eqP; rewrite subn_eq0 ltnW.
  rewrite subn0 add0n; apply/negbTE; rewrite negb_and; case: (boolP (odd n.+1)) => //= en.
  rewrite -val_eqE /= inordK; last by have := hi ord0; rewrite add0n.
  by rewrite eq_sym neq_ltn; apply/orP; left; exact: (half m n.+1 en h).
apply: eq_bigr => m h; rewrite inordK ?lo //.
have hm : (m <= n.+1)%N by rewrite ltnW.
rewrite oddB ?(ltnW (lo m)) // oddB // odd_double addFb addbb.
have -> : (n.+1 - (m.*2 - n.+1))./2 = (n.+1 - m)%N.
  by rewrite subnBA // addnn -doubleB doubleK.
have -> : (m.*2 - n.+1 + (n.+1 - m) = m)%N.
  by rewrite addnBA // subnK // -addnn addnK.
by rewrite mulrCA mulrA.
Qed.

(* ---- |p_n(A) x|^2 = |x|^2 + (1 / n!) sum over n < 2m <= 2n of (-1)^(n - m) |A^m x|^2 / (m (2m - 1 - n)!). *)
Definition excess n (s : nat -> R) : R :=
  \sum_(m < n.+1 | (n < m.*2)%N) (-1) ^+ (n - m) / (m%:R * (m.*2.-1 - n)`!%:R) * s m.
Theorem sqn_truncated_exp n x : sqn (truncated_exp n x) = sqn x + n`!%:R^-1 * excess n (moment x).
Proof.
elim: n => [|n ih].
  rewrite /truncated_exp /excess big_ord1 big_pred0 ?mulr0 ?addr0 => [|m]; last by rewrite ord1.
  by congr sqn; apply/ffunP => i; rewrite !ffunE fact0 invr1 mul1r.
have -> : truncated_exp n.+1 x = truncated_exp n x + n.+1`!%:R^-1 *c power n.+1 x.
  by rewrite /truncated_exp big_ord_recr.
rewrite sqnD ih dotZr sqnZ truncated_exp_dot -/(moment x n.+1) -!addrA; congr (_ + _).
rewrite {2}/excess [in RHS]big_mkcond big_ord_recr /= -big_mkcond /=.
have N0 : (n.+1)%:R != 0 :> R by rewrite pnatr_eq0.
have f0 k : k`!%:R != 0 :> R by rewrite pnatr_eq0 -lt0n fact_gt0.
have top : ((n.*2).+1 - n.+1 = n)%N by rewrite subSS -addnn addnK.
have lt2 : (n.+1 < n.+1.*2)%N by rewrite -addnn -[X in (X < _)%N]addn0 ltn_add2l.
rewrite -doubleE top subnn expr0 lt2 /excess factS natrM; move: (f0 n) => fn.
set S1 := \sum_(m < n.+1 | _) _; set S2 := \sum_(m < n.+1 | _) _; set S3 := \sum_(m < n.+1 | _) _.
set z := moment x n.+1.
suff <- : n.+1%:R * S1 + 2%:R * S2 = S3.
  move: S1 S2 z (n.+1%:R : R) (n`!%:R : R) N0 fn => S1' S2' z N F N0' F0; field.
  by rewrite N0' F0.
rewrite /S1 /S2 /S3 !mulr_sumr -big_split [RHS]big_mkcond [LHS]big_mkcond /=; apply: eq_bigr => m _.
have sg : (-1) ^+ (n.+1 - m) = - (-1) ^+ (n - m) :> R 
  by rewrite subSn ?exprS ?mulN1r // -ltnS.
have [h|h|h] := ltngtP n.+1 m.*2.
- set a := (m.*2.-1 - n.+1)%N; have m2 : (0 < m.*2)%N by exact: leq_ltn_trans h.
  have m1 : (m.*2 = m.*2.-1.+1)%N by rewrite (prednK m2).
  have e : (m.*2 - n.+1 = a.+1)%N by rewrite {1}m1 subSn // -ltnS -m1.
  have e' : (m.*2.-1 - n = a.+1)%N by rewrite -e [in RHS]m1 subSS.
  have m0 : m%:R != 0 :> R by rewrite pnatr_eq0; case: (nat_of_ord m) h.
  have eN : n.+1%:R = 2%:R * m%:R - a.+1%:R :> R.
    by apply/eqP; rewrite eq_sym subr_eq -natrM mul2n -natrD -{1}e subnKC // ltnW.
  have a0 : a.+1%:R != 0 :> R by rewrite pnatr_eq0.
  rewrite e e' eN sg factS natrM; move: (f0 a) a0 m0 (moment x m).
  move: (a`!%:R : R) (a.+1%:R : R) (m%:R : R) (_ ^+ _ : R) => F b k g F0 b0 k0 y; field.
  by rewrite F0 b0 k0.
- by [].
have m0 : m%:R != 0 :> R by rewrite pnatr_eq0; case: (nat_of_ord m) h.
have eN : n.+1%:R = 2%:R * m%:R :> R by rewrite -natrM mul2n -h.
have -> : (m.*2.-1 - n = 0)%N by rewrite -h subnn.
rewrite -h sg subnn fact0 eN; move: m0 (moment x m); move: (m%:R : R) (_ ^+ _ : R) => k g k0 y; field.
exact: k0.
Qed.


(* ---- The moments are completely monotone on the window: repeated differences w s_m - s_(m+1) are never negative. *)
Section Window.
Variable w : R.
Hypothesis window : dom (gram A) (fun=> w).
Definition difference (s : nat -> R) : nat -> R := fun m => w * s m - s m.+1.
Lemma powerD k x y : power k (x + y) = power k x + power k y.
Proof. by elim: k => //= k ->; rewrite mulvD. Qed.
Lemma powerZ k a x : power k (a *c x) = a *c power k x.
Proof. by elim: k => //= k ->; rewrite mulvZ. Qed.
Lemma power_add k l x : power k (power l x) = power (k + l) x.
Proof. by rewrite /power iterD. Qed.
Lemma difference_two x m : difference (difference (moment x)) m = moment (w *c x + power 2 x) m.
Proof.
have d : dot (power m x) (power (m + 2) x) = - moment x m.+1.
  by rewrite (power_dot x 2 m) expr1 mulN1r addn1.
rewrite /difference [RHS]/moment powerD powerZ power_add sqnD sqnZ dotZl d addn2 -!/(moment x _).
by move: (moment x _) (moment x m.+1) (moment x m.+2) => a b c; ring.
Qed.
Lemma eq_difference k s s' m : s =1 s' -> iter k difference s m = iter k difference s' m.
Proof. by move=> e; elim: k m => //= k ih m; rewrite /difference !ih. Qed.
Theorem difference_ge0 k x m : 0 <= iter k difference (moment x) m.
Proof.
elim: k {-2}k (leqnn k) x m => [|K ih] [|[|k]] //= hk x m; try exact: sqn_ge0.
  rewrite /difference subr_ge0; have /dom_gram h := window.
  by have := h (power m x); rewrite sum_const.
rewrite -!iterS !iterSr (eq_difference k m (difference_two x)); apply: ih.
by rewrite ltnS in hk; apply: ltnW.
Qed.

Lemma truncated_exp_sub n x y : truncated_exp n x - truncated_exp n y = truncated_exp n (x - y).
Proof.
rewrite /truncated_exp -sumrB; apply: eq_bigr => k _; rewrite -scalevB; congr (_ *c _).
by elim: {k}(k : nat) => //= k <-; rewrite mulvB.
Qed.
Lemma excess_lip n : (forall x, excess n (moment x) <= 0) -> lip (truncated_exp n).
Proof.
move=> h x y; rewrite truncated_exp_sub mul1r sqn_truncated_exp ger_addl.
by rewrite mulr_ge0_le0 ?invr_ge0 ?ler0n.
Qed.
End Window.

(* ---- The degrees that have a window, by computing with integers: n! (n - 1)! times minus the excess is a polynomial in the moments; at w = p / q
        it has Taylor coefficients, which are those of repeated differences, so that it is enough that none of them is negative. *)
Definition of_Z (z : Z) : R := (int_of_Z z)%:~R.
Lemma of_ZD a b : of_Z (Z.add a b) = of_Z a + of_Z b.
Proof. by rewrite /of_Z -intrD -[int_of_Z a + _](rmorphD [rmorphism of int_of_Z]). Qed.
Lemma of_ZM a b : of_Z (Z.mul a b) = of_Z a * of_Z b.
Proof. by rewrite /of_Z -intrM -[int_of_Z a * _](rmorphM [rmorphism of int_of_Z]). Qed.
Lemma of_ZN a : of_Z (Z.opp a) = - of_Z a.
Proof. by rewrite /of_Z -mulrNz -[- int_of_Z a](rmorphN [rmorphism of int_of_Z]). Qed.
Lemma of_Z_nat k : of_Z (Z.of_nat k) = k%:R.
Proof. by case: k => // k; rewrite /of_Z /= SuccNat2Pos.id_succ. Qed.
Lemma of_Z_ge0 z : Z.leb Z0 z -> 0 <= of_Z z.
Proof. by case: z => // p _; rewrite /of_Z ler0z. Qed.

Fixpoint power_Z (q : Z) (n : nat) : Z := if n is n'.+1 then Z.mul q (power_Z q n') else Zpos xH.
Lemma of_Z_power q n : of_Z (power_Z q n) = of_Z q ^+ n.
Proof. by elim: n => [|n ih] //; rewrite [power_Z _ _]/= of_ZM ih exprS. Qed.

Section Taylor.
Variables (p q : Z) (w : R).
Hypotheses (q0 : 0 < of_Z q) (wE : of_Z q * w = of_Z p).
(* minus q times the coefficients so far, one place on, plus p times them *)
Fixpoint next_coefficients (before : Z) (b : seq Z) : seq Z :=
  if b is x :: b' then Z.sub (Z.mul p x) (Z.mul q before) :: next_coefficients x b' else [:: Z.opp (Z.mul q before)].
(* of sum c_i u^i at p / q in powers of p / q - u, times q^(size c - 1) *)
Fixpoint taylor_coefficients (c : seq Z) : seq Z :=
  if c is a :: c' then
    let top := Z.mul a (power_Z q (size c')) in
    if taylor_coefficients c' is x :: b then Z.add top (Z.mul p x) :: next_coefficients x b else [:: top]
  else [::].
Fixpoint moment_combination (c : seq Z) (s : nat -> R) m : R := if c is a :: c' then of_Z a * s m + moment_combination c' s m.+1 else 0.
Fixpoint moment_expansion (b : seq Z) (s : nat -> R) m : R := if b is a :: b' then of_Z a * s m + moment_expansion b' (difference w s) m else 0.

Lemma next_coefficientsE x b s m :
  moment_expansion (next_coefficients x b) (difference w s) m = of_Z q * moment_expansion b (difference w s) m.+1 - of_Z q * of_Z x * difference w s m.
Proof.
elim: b x s => [|y b ih] x s /=; first by rewrite of_ZN of_ZM; ring.
rewrite ih of_ZD of_ZN !of_ZM -wE; move: (moment_expansion b _ _) => e; rewrite [difference w (difference w s) m]/difference.
by move: (difference w s m) (difference w s m.+1) => a a'; ring.
Qed.
Lemma taylor_coefficientsE a c s m : moment_expansion (taylor_coefficients (a :: c)) s m = of_Z q ^+ size c * moment_combination (a :: c) s m.
Proof.
elim: c a s m => [|a' c ih] a s m; first by rewrite /= of_ZM; ring.
have := ih a' s m.+1; rewrite [taylor_coefficients (a :: _)]/= [taylor_coefficients (a' :: c)]/=.
set t := (if taylor_coefficients c is _ :: _ then _ else _); have : t != [::] by rewrite /t; case: (taylor_coefficients c).
case: t => // x b _; rewrite [moment_expansion (x :: b) _ _]/= => ih'.
rewrite /= of_ZD !of_ZM of_Z_power next_coefficientsE -wE exprS; rewrite /= in ih'.
have -> : of_Z q * of_Z q ^+ size c * (of_Z a * s m + (of_Z a' * s m.+1 + moment_combination c s m.+2))
  = of_Z q * of_Z q ^+ size c * of_Z a * s m + of_Z q * (of_Z q ^+ size c * (of_Z a' * s m.+1 + moment_combination c s m.+2)) by ring.
rewrite -ih' [difference w s m]/difference.
by move: (moment_expansion b _ _) (of_Z q) (_ ^+ _) => e k l; ring.
Qed.
Lemma moment_combination_ge0 a c s m : all (Z.leb Z0) (taylor_coefficients (a :: c)) -> (forall k, 0 <= iter k (difference w) s m) ->
  0 <= moment_combination (a :: c) s m.
Proof.
move=> h d; rewrite -(pmulr_rge0 _ (exprn_gt0 (size c) q0)) -taylor_coefficientsE; elim: (taylor_coefficients _) s d h => //= x b ih s d /andP [x0 b0].
by rewrite addr_ge0 ?mulr_ge0 ?of_Z_ge0 ?(d 0%N) // ih // => k; have := d k.+1; rewrite iterSr.
Qed.
End Taylor.

Fixpoint factorial_Z (k : nat) : Z := if k is k'.+1 then Z.mul (Z.of_nat k) (factorial_Z k') else Zpos xH.
Lemma of_Z_factorial k : of_Z (factorial_Z k) = k`!%:R.
Proof. elim: k => [|k ih] //; by rewrite -[factorial_Z _]/(Z.mul (Z.of_nat k.+1) (factorial_Z k)) of_ZM ih factS natrM of_Z_nat. Qed.
Definition excess_denominator n m : Z := Z.mul (Z.of_nat m) (factorial_Z (m.*2.-1 - n)).
Definition excess_common n : Z := Z.mul (factorial_Z n) (factorial_Z n.-1).
Definition excess_quotient n m : Z := Z.div (excess_common n) (excess_denominator n m).
Definition excess_moments n : seq nat := iota (n./2).+1 (n - n./2).
Definition excess_coefficients n : seq Z := [seq (if odd (n - m) then excess_quotient n m else Z.opp (excess_quotient n m)) | m <- excess_moments n].
(* that the quotients are exact, and that the moment_expansion at p / q has no negative coefficient *)
Definition window_check n (p q : Z) : bool :=
  all (fun m => Z.eqb (Z.mul (excess_quotient n m) (excess_denominator n m)) (excess_common n)) (excess_moments n) &&
  all (Z.leb Z0) (taylor_coefficients p q (excess_coefficients n)).

Lemma excessE n s : all (fun m => Z.eqb (Z.mul (excess_quotient n m) (excess_denominator n m)) (excess_common n)) (excess_moments n) ->
  of_Z (excess_common n) * - excess n s = moment_combination (excess_coefficients n) s (n./2).+1.
Proof.
move=> exact; have sums c : moment_combination [seq c m | m <- excess_moments n] s (n./2).+1 = \sum_(m <- excess_moments n) of_Z (c m) * s m.
  by rewrite /excess_moments; elim: (n - _)%N ((n./2).+1) => [|k ih] m /=; rewrite ?big_nil // big_cons ih.
rewrite sums /excess -sumrN mulr_sumr.
pose F m := of_Z (excess_common n) * - ((-1) ^+ (n - m) / (m%:R * (m.*2.-1 - n)`!%:R) * s m).
rewrite -[LHS]/(\sum_(m < n.+1 | (n < m.*2)%N) F m) -(big_mkord (fun m => (n < m.*2)%N) F).
have -> : \sum_(0 <= m < n.+1 | (n < m.*2)%N) F m = \sum_(m <- excess_moments n) F m.
  rewrite /excess_moments; have -> : iota (n./2).+1 (n - n./2) = index_iota (n./2).+1 n.+1 by rewrite /index_iota subSS.
  rewrite [RHS](big_nat_widenl _ 0) //; apply: eq_bigl => m /=; by rewrite -divn2 ltn_divLR // muln2.
rewrite /F {F}; rewrite !big_seq; apply: eq_bigr => m hm; have /allP /(_ m hm) /Z.eqb_eq e := exact.
have := hm; rewrite mem_iota => /andP [m0 _]; have mz : m%:R != 0 :> R by rewrite pnatr_eq0; case: (m) m0.
have fz : (m.*2.-1 - n)`!%:R != 0 :> R by rewrite pnatr_eq0 -lt0n fact_gt0.
rewrite -e of_ZM /excess_denominator of_ZM of_Z_nat of_Z_factorial -signr_odd.
have -> : of_Z (if odd (n - m) then excess_quotient n m else Z.opp (excess_quotient n m)) = - (-1) ^+ odd (n - m) * of_Z (excess_quotient n m).
  by case: (odd _); rewrite ?of_ZN ?expr1 ?expr0 ?opprK ?mul1r ?mulN1r.
move: (_ ^+ _) (of_Z _) (s m) (m%:R) (_`!%:R) mz fz => a b c d f mz fz; field.
by rewrite mz fz.
Qed.
Theorem truncated_exp_lip n (p q : nat) : (0 < n)%N -> (0 < q)%N -> window_check n (Z.of_nat p) (Z.of_nat q) ->
  dom (gram A) (fun=> p%:R / q%:R) -> lip (truncated_exp n).
Proof.
move=> n0 qp /andP [exact signs] h; have q0 : 0 < of_Z (Z.of_nat q) by rewrite of_Z_nat ltr0n.
apply: excess_lip => x; rewrite -oppr_ge0.
have c0 : 0 < of_Z (excess_common n) by rewrite /excess_common of_ZM !of_Z_factorial mulr_gt0 // ltr0n fact_gt0.
rewrite -(pmulr_rge0 _ c0) excessE //; have : (0 < size (excess_coefficients n))%N.
  by rewrite size_map size_iota subn_gt0 -divn2 ltn_divLR // muln2 -addnn -[X in (X < _)%N]addn0 ltn_add2l.
case: (excess_coefficients n) signs => // a c signs _; apply: (moment_combination_ge0 q0 _ signs) => [|k]; last exact: difference_ge0.
by rewrite !of_Z_nat mulrCA divff ?mulr1 // pnatr_eq0 -lt0n.
Qed.

Theorem truncated_exp_3_lip : dom (gram A) (fun=> 3%:R) -> lip (truncated_exp 3).
Proof. by move=> h; apply: (@truncated_exp_lip _ 3 1); rewrite ?divr1 //; vm_compute. Qed.
Theorem truncated_exp_4_lip : dom (gram A) (fun=> 8%:R) -> lip (truncated_exp 4).
Proof. by move=> h; apply: (@truncated_exp_lip _ 8 1); rewrite ?divr1 //; vm_compute. Qed.
Theorem truncated_exp_7_lip : dom (gram A) (fun=> (3%:R * 100%:R + 11%:R) / 100%:R) -> lip (truncated_exp 7).
Proof. by rewrite -natrM -natrD => h; apply: (@truncated_exp_lip _ 311 100) => //; vm_compute. Qed.
Theorem truncated_exp_8_lip : dom (gram A) (fun=> (2%:R * 100%:R + 88%:R) / 25%:R) -> lip (truncated_exp 8).
Proof. by rewrite -natrM -natrD => h; apply: (@truncated_exp_lip _ 288 25) => //; vm_compute. Qed.
Theorem truncated_exp_11_lip : dom (gram A) (fun=> (2%:R * 100%:R + 89%:R) / 100%:R) -> lip (truncated_exp 11).
Proof. by rewrite -natrM -natrD => h; apply: (@truncated_exp_lip _ 289 100) => //; vm_compute. Qed.
Theorem truncated_exp_12_lip : dom (gram A) (fun=> (5%:R * 100%:R + 71%:R) / 50%:R) -> lip (truncated_exp 12).
Proof. by rewrite -natrM -natrD => h; apply: (@truncated_exp_lip _ 571 50) => //; vm_compute. Qed.
End SkewExponential.
