(* Truncated exponentials of skew operators, p_n(A) = sum over k <= n of A^k / k!: what orthogonal layers by skew
   exponential compute. |p_n(A) x|^2 - |x|^2 is a combination of the moments |A^m x|^2, n < 2m <= 2n, known in closed form;
   it is at most 0 on a window |A|^2 <= w where the Taylor coefficients at w say so. Degrees 3 and 0 modulo 4 have one. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
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

(* ---- The degrees that have a window. Each: the excess is minus a combination of differences with Taylor coefficients at w. *)
(* sums, products and quotients of numerals *)
(* the factorials as an unknown function, so that nothing computes them *)
Definition excess_with (F : nat -> R) n (s : nat -> R) : R :=
  \sum_(m < n.+1 | (n < m.*2)%N) (-1) ^+ (n - m) / (m%:R * F (m.*2.-1 - n)%N) * s m.
Lemma excess_le0 n s : (forall F : nat -> R, F 0%N = 1 -> (forall k, F k.+1 = k.+1%:R * F k) -> 0 <= - excess_with F n s) ->
  excess n s <= 0.
Proof. by move=> h; rewrite -oppr_ge0; apply: (h (fun k => k`!%:R)) => [|k]; rewrite ?fact0 // factS natrM. Qed.
Lemma ge0_by (b a : R) : a = b -> 0 <= b -> 0 <= a.
Proof. by move=> ->. Qed.
Ltac nonneg := match goal with
  | |- is_true (0 <= _ + _) => apply: addr_ge0; nonneg
  | |- is_true (0 <= _ * _) => apply: mulr_ge0; nonneg
  | |- is_true (0 <= _^-1) => rewrite invr_ge0; nonneg
  | |- _ => first [exact: ler01 | exact: ler0n]
  end.
Theorem truncated_exp_3_lip : dom (gram A) (fun=> 3%:R) -> lip (truncated_exp 3).
Proof.
move=> h; apply: excess_lip => x; have := fun k => difference_ge0 h k x 2.
set w : R := 3%:R; move: (moment x) => s d.
have r0 : 0 <= 1 / 2%:R - 1 / 6%:R * w.
  have -> : 1 / 2%:R - 1 / 6%:R * w = 0 by rewrite /w; field.
  exact: lexx.
have r1 : 0 <= 1 / 6%:R :> R by nonneg.
apply: excess_le0 => F F0 FS; rewrite /excess_with big_mkcond !big_ord_recr big_ord0 /= !FS F0.
apply: (@ge0_by ((1 / 2%:R - 1 / 6%:R * w) * iter 0 (difference w) s 2%N + (1 / 6%:R) * iter 1 (difference w) s 2%N)).
  rewrite /= /difference.
  by move: (s 2%N) (s 3%N) (w) => s2 s3 u; field.
by do ?apply: addr_ge0; apply: mulr_ge0 => //; exact: d.
Qed.
Theorem truncated_exp_4_lip : dom (gram A) (fun=> 8%:R) -> lip (truncated_exp 4).
Proof.
move=> h; apply: excess_lip => x; have := fun k => difference_ge0 h k x 3.
set w : R := 8%:R; move: (moment x) => s d.
have r0 : 0 <= 1 / 3%:R - 1 / 24%:R * w.
  have -> : 1 / 3%:R - 1 / 24%:R * w = 0 by rewrite /w; field.
  exact: lexx.
have r1 : 0 <= 1 / 24%:R :> R by nonneg.
apply: excess_le0 => F F0 FS; rewrite /excess_with big_mkcond !big_ord_recr big_ord0 /= !FS F0.
apply: (@ge0_by ((1 / 3%:R - 1 / 24%:R * w) * iter 0 (difference w) s 3%N + (1 / 24%:R) * iter 1 (difference w) s 3%N)).
  rewrite /= /difference.
  by move: (s 3%N) (s 4%N) (w) => s3 s4 u; field.
by do ?apply: addr_ge0; apply: mulr_ge0 => //; exact: d.
Qed.
Theorem truncated_exp_7_lip : dom (gram A) (fun=> (3%:R * 100%:R + 11%:R) / 100%:R) -> lip (truncated_exp 7).
Proof.
move=> h; apply: excess_lip => x; have := fun k => difference_ge0 h k x 4.
set w : R := (3%:R * 100%:R + 11%:R) / 100%:R; move: (moment x) => s d.
have r0 : 0 <= 1 / 4%:R - 1 / 10%:R * w + 1 / (48%:R * 3%:R) * w ^+ 2 - 1 / (48%:R * 15%:R * 7%:R) * w ^+ 3.
  have -> : 1 / 4%:R - 1 / 10%:R * w + 1 / (48%:R * 3%:R) * w ^+ 2 - 1 / (48%:R * 15%:R * 7%:R) * w ^+ 3 = ((33%:R * 100%:R + 44%:R) * 100%:R + 23%:R) / (64%:R * 48%:R * 25%:R * 25%:R * 25%:R * 35%:R) by rewrite /w; field.
  by nonneg.
have r1 : 0 <= 1 / 10%:R - 1 / 72%:R * w + 1 / (48%:R * 35%:R) * w ^+ 2.
  have -> : 1 / 10%:R - 1 / 72%:R * w + 1 / (48%:R * 35%:R) * w ^+ 2 = (((3%:R * 100%:R + 15%:R) * 100%:R + 31%:R) * 100%:R + 63%:R) / (64%:R * 36%:R * 25%:R * 25%:R * 35%:R) by rewrite /w; field.
  by nonneg.
have r2 : 0 <= 1 / (48%:R * 3%:R) - 1 / (48%:R * 35%:R) * w.
  have -> : 1 / (48%:R * 3%:R) - 1 / (48%:R * 35%:R) * w = (25%:R * 100%:R + 67%:R) / (64%:R * 45%:R * 25%:R * 7%:R) by rewrite /w; field.
  by nonneg.
have r3 : 0 <= 1 / (48%:R * 15%:R * 7%:R) :> R by nonneg.
apply: excess_le0 => F F0 FS; rewrite /excess_with big_mkcond !big_ord_recr big_ord0 /= !FS F0.
apply: (@ge0_by ((1 / 4%:R - 1 / 10%:R * w + 1 / (48%:R * 3%:R) * w ^+ 2 - 1 / (48%:R * 15%:R * 7%:R) * w ^+ 3) * iter 0 (difference w) s 4%N + (1 / 10%:R - 1 / 72%:R * w + 1 / (48%:R * 35%:R) * w ^+ 2) * iter 1 (difference w) s 4%N + (1 / (48%:R * 3%:R) - 1 / (48%:R * 35%:R) * w) * iter 2 (difference w) s 4%N + (1 / (48%:R * 15%:R * 7%:R)) * iter 3 (difference w) s 4%N)).
  rewrite /= /difference.
  by move: (s 4%N) (s 5%N) (s 6%N) (s 7%N) (w) => s4 s5 s6 s7 u; field.
by do ?apply: addr_ge0; apply: mulr_ge0 => //; exact: d.
Qed.
Theorem truncated_exp_8_lip : dom (gram A) (fun=> (2%:R * 100%:R + 88%:R) / 25%:R) -> lip (truncated_exp 8).
Proof.
move=> h; apply: excess_lip => x; have := fun k => difference_ge0 h k x 5.
set w : R := (2%:R * 100%:R + 88%:R) / 25%:R; move: (moment x) => s d.
have r0 : 0 <= 1 / 5%:R - 1 / 36%:R * w + 1 / (24%:R * 35%:R) * w ^+ 2 - 1 / (64%:R * 90%:R * 7%:R) * w ^+ 3.
  have -> : 1 / 5%:R - 1 / 36%:R * w + 1 / (24%:R * 35%:R) * w ^+ 2 - 1 / (64%:R * 90%:R * 7%:R) * w ^+ 3 = 39%:R / (25%:R * 25%:R * 25%:R * 35%:R) by rewrite /w; field.
  by nonneg.
have r1 : 0 <= 1 / 36%:R - 1 / (60%:R * 7%:R) * w + 1 / (64%:R * 30%:R * 7%:R) * w ^+ 2.
  have -> : 1 / 36%:R - 1 / (60%:R * 7%:R) * w + 1 / (64%:R * 30%:R * 7%:R) * w ^+ 2 = (80%:R * 100%:R + 51%:R) / (36%:R * 25%:R * 25%:R * 35%:R) by rewrite /w; field.
  by nonneg.
have r2 : 0 <= 1 / (24%:R * 35%:R) - 1 / (64%:R * 30%:R * 7%:R) * w.
  have -> : 1 / (24%:R * 35%:R) - 1 / (64%:R * 30%:R * 7%:R) * w = 1 / (24%:R * 25%:R * 5%:R) by rewrite /w; field.
  by nonneg.
have r3 : 0 <= 1 / (64%:R * 90%:R * 7%:R) :> R by nonneg.
apply: excess_le0 => F F0 FS; rewrite /excess_with big_mkcond !big_ord_recr big_ord0 /= !FS F0.
apply: (@ge0_by ((1 / 5%:R - 1 / 36%:R * w + 1 / (24%:R * 35%:R) * w ^+ 2 - 1 / (64%:R * 90%:R * 7%:R) * w ^+ 3) * iter 0 (difference w) s 5%N + (1 / 36%:R - 1 / (60%:R * 7%:R) * w + 1 / (64%:R * 30%:R * 7%:R) * w ^+ 2) * iter 1 (difference w) s 5%N + (1 / (24%:R * 35%:R) - 1 / (64%:R * 30%:R * 7%:R) * w) * iter 2 (difference w) s 5%N + (1 / (64%:R * 90%:R * 7%:R)) * iter 3 (difference w) s 5%N)).
  rewrite /= /difference.
  by move: (s 5%N) (s 6%N) (s 7%N) (s 8%N) (w) => s5 s6 s7 s8 u; field.
by do ?apply: addr_ge0; apply: mulr_ge0 => //; exact: d.
Qed.
Theorem truncated_exp_11_lip : dom (gram A) (fun=> (2%:R * 100%:R + 89%:R) / 100%:R) -> lip (truncated_exp 11).
Proof.
move=> h; apply: excess_lip => x; have := fun k => difference_ge0 h k x 6.
set w : R := (2%:R * 100%:R + 89%:R) / 100%:R; move: (moment x) => s d.
have r0 : 0 <= 1 / 6%:R - 1 / 14%:R * w + 1 / (64%:R * 3%:R) * w ^+ 2 - 1 / (48%:R * 27%:R * 5%:R) * w ^+ 3 + 1 / (64%:R * 36%:R * 25%:R * 7%:R) * w ^+ 4 - 1 / (64%:R * 36%:R * 45%:R * 35%:R * 11%:R) * w ^+ 5.
  have -> : 1 / 6%:R - 1 / 14%:R * w + 1 / (64%:R * 3%:R) * w ^+ 2 - 1 / (48%:R * 27%:R * 5%:R) * w ^+ 3 + 1 / (64%:R * 36%:R * 25%:R * 7%:R) * w ^+ 4 - 1 / (64%:R * 36%:R * 45%:R * 35%:R * 11%:R) * w ^+ 5 = ((((((72%:R * 100%:R + 50%:R) * 100%:R + 56%:R) * 100%:R + 54%:R) * 100%:R + 36%:R) * 100%:R + 54%:R) * 100%:R + 51%:R) / (64%:R * 64%:R * 64%:R * 81%:R * 25%:R * 25%:R * 25%:R * 25%:R * 25%:R * 25%:R * 77%:R) by rewrite /w; field.
  by nonneg.
have r1 : 0 <= 1 / 14%:R - 1 / 96%:R * w + 1 / (48%:R * 45%:R) * w ^+ 2 - 1 / (64%:R * 45%:R * 35%:R) * w ^+ 3 + 1 / (64%:R * 36%:R * 45%:R * 77%:R) * w ^+ 4.
  have -> : 1 / 14%:R - 1 / 96%:R * w + 1 / (48%:R * 45%:R) * w ^+ 2 - 1 / (64%:R * 45%:R * 35%:R) * w ^+ 3 + 1 / (64%:R * 36%:R * 45%:R * 77%:R) * w ^+ 4 = ((((((35%:R * 100%:R + 89%:R) * 100%:R + 35%:R) * 100%:R + 2%:R) * 100%:R + 37%:R) * 100%:R + 9%:R) * 100%:R + 61%:R) / (64%:R * 64%:R * 48%:R * 27%:R * 25%:R * 25%:R * 25%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r2 : 0 <= 1 / (64%:R * 3%:R) - 1 / (48%:R * 45%:R) * w + 1 / (64%:R * 30%:R * 35%:R) * w ^+ 2 - 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 3.
  have -> : 1 / (64%:R * 3%:R) - 1 / (48%:R * 45%:R) * w + 1 / (64%:R * 30%:R * 35%:R) * w ^+ 2 - 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 3 = (((((1 * 100%:R + 59%:R) * 100%:R + 21%:R) * 100%:R + 25%:R) * 100%:R + 71%:R) * 100%:R + 71%:R) / (64%:R * 64%:R * 54%:R * 75%:R * 25%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r3 : 0 <= 1 / (48%:R * 27%:R * 5%:R) - 1 / (64%:R * 45%:R * 35%:R) * w + 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 2.
  have -> : 1 / (48%:R * 27%:R * 5%:R) - 1 / (64%:R * 45%:R * 35%:R) * w + 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 2 = (((5%:R * 100%:R + 9%:R) * 100%:R + 90%:R) * 100%:R + 81%:R) / (64%:R * 96%:R * 27%:R * 25%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r4 : 0 <= 1 / (64%:R * 36%:R * 25%:R * 7%:R) - 1 / (64%:R * 36%:R * 45%:R * 77%:R) * w.
  have -> : 1 / (64%:R * 36%:R * 25%:R * 7%:R) - 1 / (64%:R * 36%:R * 45%:R * 77%:R) * w = (16%:R * 100%:R + 91%:R) / (64%:R * 48%:R * 27%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r5 : 0 <= 1 / (64%:R * 36%:R * 45%:R * 35%:R * 11%:R) :> R by nonneg.
apply: excess_le0 => F F0 FS; rewrite /excess_with big_mkcond !big_ord_recr big_ord0 /= !FS F0.
apply: (@ge0_by ((1 / 6%:R - 1 / 14%:R * w + 1 / (64%:R * 3%:R) * w ^+ 2 - 1 / (48%:R * 27%:R * 5%:R) * w ^+ 3 + 1 / (64%:R * 36%:R * 25%:R * 7%:R) * w ^+ 4 - 1 / (64%:R * 36%:R * 45%:R * 35%:R * 11%:R) * w ^+ 5) * iter 0 (difference w) s 6%N + (1 / 14%:R - 1 / 96%:R * w + 1 / (48%:R * 45%:R) * w ^+ 2 - 1 / (64%:R * 45%:R * 35%:R) * w ^+ 3 + 1 / (64%:R * 36%:R * 45%:R * 77%:R) * w ^+ 4) * iter 1 (difference w) s 6%N + (1 / (64%:R * 3%:R) - 1 / (48%:R * 45%:R) * w + 1 / (64%:R * 30%:R * 35%:R) * w ^+ 2 - 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 3) * iter 2 (difference w) s 6%N + (1 / (48%:R * 27%:R * 5%:R) - 1 / (64%:R * 45%:R * 35%:R) * w + 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 2) * iter 3 (difference w) s 6%N + (1 / (64%:R * 36%:R * 25%:R * 7%:R) - 1 / (64%:R * 36%:R * 45%:R * 77%:R) * w) * iter 4 (difference w) s 6%N + (1 / (64%:R * 36%:R * 45%:R * 35%:R * 11%:R)) * iter 5 (difference w) s 6%N)).
  rewrite /= /difference.
  by move: (s 6%N) (s 7%N) (s 8%N) (s 9%N) (s 10%N) (s 11%N) (w) => s6 s7 s8 s9 s10 s11 u; field.
by do ?apply: addr_ge0; apply: mulr_ge0 => //; exact: d.
Qed.
Theorem truncated_exp_12_lip : dom (gram A) (fun=> (5%:R * 100%:R + 71%:R) / 50%:R) -> lip (truncated_exp 12).
Proof.
move=> h; apply: excess_lip => x; have := fun k => difference_ge0 h k x 7.
set w : R := (5%:R * 100%:R + 71%:R) / 50%:R; move: (moment x) => s d.
have r0 : 0 <= 1 / 7%:R - 1 / 48%:R * w + 1 / (72%:R * 15%:R) * w ^+ 2 - 1 / (96%:R * 75%:R * 7%:R) * w ^+ 3 + 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 4 - 1 / (64%:R * 48%:R * 81%:R * 25%:R * 77%:R) * w ^+ 5.
  have -> : 1 / 7%:R - 1 / 48%:R * w + 1 / (72%:R * 15%:R) * w ^+ 2 - 1 / (96%:R * 75%:R * 7%:R) * w ^+ 3 + 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 4 - 1 / (64%:R * 48%:R * 81%:R * 25%:R * 77%:R) * w ^+ 5 = (((((17%:R * 100%:R + 53%:R) * 100%:R + 75%:R) * 100%:R + 79%:R) * 100%:R + 41%:R) * 100%:R + 49%:R) / (64%:R * 64%:R * 72%:R * 27%:R * 25%:R * 25%:R * 25%:R * 25%:R * 25%:R * 25%:R * 77%:R) by rewrite /w; field.
  by nonneg.
have r1 : 0 <= 1 / 48%:R - 1 / (36%:R * 15%:R) * w + 1 / (96%:R * 25%:R * 7%:R) * w ^+ 2 - 1 / (96%:R * 27%:R * 35%:R * 11%:R) * w ^+ 3 + 1 / (64%:R * 48%:R * 81%:R * 35%:R * 11%:R) * w ^+ 4.
  have -> : 1 / 48%:R - 1 / (36%:R * 15%:R) * w + 1 / (96%:R * 25%:R * 7%:R) * w ^+ 2 - 1 / (96%:R * 27%:R * 35%:R * 11%:R) * w ^+ 3 + 1 / (64%:R * 48%:R * 81%:R * 35%:R * 11%:R) * w ^+ 4 = ((((((3%:R * 100%:R + 67%:R) * 100%:R + 22%:R) * 100%:R + 34%:R) * 100%:R + 5%:R) * 100%:R + 68%:R) * 100%:R + 81%:R) / (64%:R * 64%:R * 36%:R * 27%:R * 25%:R * 25%:R * 25%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r2 : 0 <= 1 / (72%:R * 15%:R) - 1 / (96%:R * 25%:R * 7%:R) * w + 1 / (64%:R * 27%:R * 35%:R * 11%:R) * w ^+ 2 - 1 / (64%:R * 72%:R * 27%:R * 35%:R * 11%:R) * w ^+ 3.
  have -> : 1 / (72%:R * 15%:R) - 1 / (96%:R * 25%:R * 7%:R) * w + 1 / (64%:R * 27%:R * 35%:R * 11%:R) * w ^+ 2 - 1 / (64%:R * 72%:R * 27%:R * 35%:R * 11%:R) * w ^+ 3 = ((((24%:R * 100%:R + 61%:R) * 100%:R + 49%:R) * 100%:R + 1%:R) * 100%:R + 89%:R) / (64%:R * 64%:R * 81%:R * 75%:R * 25%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r3 : 0 <= 1 / (96%:R * 75%:R * 7%:R) - 1 / (96%:R * 27%:R * 35%:R * 11%:R) * w + 1 / (64%:R * 72%:R * 27%:R * 35%:R * 11%:R) * w ^+ 2.
  have -> : 1 / (96%:R * 75%:R * 7%:R) - 1 / (96%:R * 27%:R * 35%:R * 11%:R) * w + 1 / (64%:R * 72%:R * 27%:R * 35%:R * 11%:R) * w ^+ 2 = (((1 * 100%:R + 33%:R) * 100%:R + 16%:R) * 100%:R + 41%:R) / (64%:R * 96%:R * 81%:R * 25%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r4 : 0 <= 1 / (64%:R * 54%:R * 15%:R * 77%:R) - 1 / (64%:R * 48%:R * 81%:R * 35%:R * 11%:R) * w.
  have -> : 1 / (64%:R * 54%:R * 15%:R * 77%:R) - 1 / (64%:R * 48%:R * 81%:R * 35%:R * 11%:R) * w = (6%:R * 100%:R + 29%:R) / (64%:R * 96%:R * 81%:R * 25%:R * 35%:R * 11%:R) by rewrite /w; field.
  by nonneg.
have r5 : 0 <= 1 / (64%:R * 48%:R * 81%:R * 25%:R * 77%:R) :> R by nonneg.
apply: excess_le0 => F F0 FS; rewrite /excess_with big_mkcond !big_ord_recr big_ord0 /= !FS F0.
apply: (@ge0_by ((1 / 7%:R - 1 / 48%:R * w + 1 / (72%:R * 15%:R) * w ^+ 2 - 1 / (96%:R * 75%:R * 7%:R) * w ^+ 3 + 1 / (64%:R * 54%:R * 15%:R * 77%:R) * w ^+ 4 - 1 / (64%:R * 48%:R * 81%:R * 25%:R * 77%:R) * w ^+ 5) * iter 0 (difference w) s 7%N + (1 / 48%:R - 1 / (36%:R * 15%:R) * w + 1 / (96%:R * 25%:R * 7%:R) * w ^+ 2 - 1 / (96%:R * 27%:R * 35%:R * 11%:R) * w ^+ 3 + 1 / (64%:R * 48%:R * 81%:R * 35%:R * 11%:R) * w ^+ 4) * iter 1 (difference w) s 7%N + (1 / (72%:R * 15%:R) - 1 / (96%:R * 25%:R * 7%:R) * w + 1 / (64%:R * 27%:R * 35%:R * 11%:R) * w ^+ 2 - 1 / (64%:R * 72%:R * 27%:R * 35%:R * 11%:R) * w ^+ 3) * iter 2 (difference w) s 7%N + (1 / (96%:R * 75%:R * 7%:R) - 1 / (96%:R * 27%:R * 35%:R * 11%:R) * w + 1 / (64%:R * 72%:R * 27%:R * 35%:R * 11%:R) * w ^+ 2) * iter 3 (difference w) s 7%N + (1 / (64%:R * 54%:R * 15%:R * 77%:R) - 1 / (64%:R * 48%:R * 81%:R * 35%:R * 11%:R) * w) * iter 4 (difference w) s 7%N + (1 / (64%:R * 48%:R * 81%:R * 25%:R * 77%:R)) * iter 5 (difference w) s 7%N)).
  rewrite /= /difference.
  by move: (s 7%N) (s 8%N) (s 9%N) (s 10%N) (s 11%N) (s 12%N) (w) => s7 s8 s9 s10 s11 s12 u; field.
by do ?apply: addr_ge0; apply: mulr_ge0 => //; exact: d.
Qed.
End SkewExponential.
