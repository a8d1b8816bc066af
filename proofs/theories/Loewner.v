(* The square root is operator monotone (Loewner 1934, Heinz 1951), against a diagonal: S S <= diag(T^2) gives S <= diag(T) for symmetric S.
   The proof needs an Archimedean field: powers of a number above 1 are unbounded, powers of a contraction are not. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Loewner.
Variables (R : archiFieldType) (I : finType) (S : I -> I -> R) (T : I -> R).
Hypotheses (symmetric : forall i j, S i j = S j i) (T_gt0 : forall i, 0 < T i) (squares : dom (square S) (fun i => T i ^+ 2)).

(* y_k = (S T^-1)^k T x *)
Let over (z : {ffun I -> R}) : {ffun I -> R} := (fun i => (T i)^-1) *d z.
Let y (x : {ffun I -> R}) k : {ffun I -> R} := iter k (fun z => S *v over z) (T *d x).
Let inner (u v : {ffun I -> R}) : R := dot u (over v).

Lemma innerC u v : inner u v = inner v u.
Proof. by apply: eq_bigr => i _; rewrite !ffunE; ring. Qed.
Lemma inner_step u v : inner u (S *v over v) = inner (S *v over u) v.
Proof.
have h a b : dot a (S *v b) = dot (S *v a) b.
  by rewrite dot_mulv; congr dot; apply/ffunP => i; rewrite !ffunE; apply: eq_bigr => j _; rewrite /adj symmetric.
have e a b : inner a b = dot (over a) b by apply: eq_bigr => i _; rewrite !ffunE; ring.
by rewrite e h /inner.
Qed.
Lemma inner_y x i j : inner (y x i) (y x j) = inner (y x 0) (y x (i + j)).
Proof. by elim: i j => [|i ih] j //; rewrite addSnnS -ih /= inner_step. Qed.
Lemma term_ge0 (u : {ffun I -> R}) i : 0 <= u i * over u i.
Proof. by rewrite ffunE mulrCA -expr2 mulr_ge0 ?sqr_ge0 // invr_ge0 ltW. Qed.
Lemma inner_schwarz u v : inner u v ^+ 2 <= inner u u * inner v v.
Proof.

have [z|z] := eqVneq (inner v v) 0.
  have v0 i : v i = 0.
    have : inner v v == 0 by rewrite z.
    rewrite psumr_eq0 => [/allP /(_ i)|k _]; last exact: term_ge0.
    by rewrite mem_index_enum ffunE !mulf_eq0 invr_eq0 (gt_eqF (T_gt0 i)) /= orbb => /(_ isT) /eqP.
  have -> : inner u v = 0 by rewrite /inner /dot big1 // => i _; rewrite !ffunE v0 !mulr0.
  by rewrite expr0n z mulr0.
have vp : 0 < inner v v.
  by rewrite lt_neqAle eq_sym z sumr_ge0 // => k _; exact: term_ge0.
pose a := inner u v / inner v v.
have : 0 <= inner (u - a *c v) (u - a *c v).
  by rewrite sumr_ge0 // => k _; exact: term_ge0.
have -> : inner (u - a *c v) (u - a *c v) = inner u u - 2%:R * a * inner u v + a ^+ 2 * inner v v.
  by rewrite /inner /dot !mulr_sumr -sumrB -big_split; apply: eq_bigr => i _ /=; rewrite !ffunE; move: (u i) (v i) ((T i)^-1) (a) => p q t b; ring.
rewrite -(pmulr_rge0 _ vp) => h; rewrite -subr_ge0; apply: le_trans h _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
by rewrite /a; move: (inner u u) (inner u v) (inner v v) z => p q r r0; field.
Qed.
Lemma contraction z : sqn (S *v over z) <= sqn z.
Proof.
have := squares (over z); rewrite (eq_quad _ (square_gram symmetric)) quad_gram => h; apply: le_trans h _.
rewrite sqnE; apply: ler_sum => i _; rewrite ffunE exprMn exprVn mulrA divff ?mul1r // sqrf_eq0 gt_eqF //.
Qed.
Theorem loewner : dom S T.
Proof.
move=> x; pose a k := inner (y x 0) (y x k).
have ov : over (T *d x) = x by apply/ffunP => i; rewrite !ffunE mulrA mulVf ?mul1r // gt_eqF.
have a1 : quad S x = a 1%N by rewrite quad_dot dotC /a innerC /inner /y /= ov.
have a0 : \sum_i T i * x i ^+ 2 = a 0%N.
  by rewrite /a /inner /y /= ov; apply: eq_bigr => i _; rewrite ffunE expr2 mulrA.
rewrite a1 a0 leNgt; apply/negP => lt01.
have a00 : 0 <= a 0%N by rewrite -a0 sumr_ge0 // => i _; rewrite mulr_ge0 ?sqr_ge0 ?ltW.
have dbl k : a k ^+ 2 <= a 0%N * a (k + k)%N by rewrite /a -inner_y; exact: inner_schwarz.
have [z|nz] := eqVneq (a 0%N) 0.
  have := dbl 1%N; rewrite z mul0r => h; move: lt01; rewrite z => p.
  by have := exprn_gt0 2 p; rewrite ltNge h.
have ap : 0 < a 0%N by rewrite lt_neqAle eq_sym nz.
pose r := a 1%N / a 0%N; have r1 : 1 < r by rewrite ltr_pdivl_mulr ?mul1r.
have grow k : r ^+ (2 ^ k) * a 0%N <= a (2 ^ k)%N.
  elim: k => [|k ih]; first by rewrite expr1 divfK ?gt_eqF.
  have p0 : 0 <= r ^+ (2 ^ k) * a 0%N by rewrite mulr_ge0 ?exprn_ge0 // ltW // (lt_trans ltr01).
  have := dbl (2 ^ k)%N; rewrite addnn -mul2n -expnS => h.
  rewrite -(ler_pmul2l ap); apply: le_trans h; apply: le_trans (_ : (r ^+ (2 ^ k) * a 0%N) ^+ 2 <= _); last first.
    by rewrite ler_sqr ?nnegrE // (le_trans p0).
  by rewrite expnS mulnC exprM exprMn mulrCA -expr2 -!exprMn lexx.
pose m := \sum_i (T i)^-1; pose C := m * sqn (y x 0).
have bound k : a (k + k)%N <= C.
  rewrite /a -inner_y; apply: le_trans (_ : m * sqn (y x k) <= _).
    rewrite sqnE mulr_sumr; apply: ler_sum => i _; rewrite !ffunE mulrCA -expr2 ler_wpmul2r ?sqr_ge0 //.
    by rewrite /m (bigD1 i) //= ler_addl sumr_ge0 // => j _; rewrite invr_ge0 ltW.
  apply: ler_wpmul2l; first by rewrite sumr_ge0 // => j _; rewrite invr_ge0 ltW.
  by elim: k => //= k ih; apply: le_trans (contraction _) ih.
have [n hn] : exists n, C / a 0%N / (r - 1) < n%:R.
  by exists (Num.bound `|C / a 0%N / (r - 1)|); apply: le_lt_trans (ler_norm _) (archi_boundP (normr_ge0 _)).
have bernoulli k : 1 + k%:R * (r - 1) <= r ^+ k.
  elim: k => [|k ih]; first by rewrite mul0r addr0 expr0.
  rewrite exprS; apply: le_trans (_ : r * (1 + k%:R * (r - 1)) <= _); last by rewrite ler_pmul2l // (lt_trans ltr01).
  rewrite -subr_ge0; have -> : r * (1 + k%:R * (r - 1)) - (1 + k.+1%:R * (r - 1)) = k%:R * (r - 1) ^+ 2.
    by rewrite -[k.+1]addn1 natrD; ring.
  by rewrite mulr_ge0 ?ler0n ?sqr_ge0.
have r0 : 0 < r - 1 by rewrite subr_gt0.
have rn : n%:R <= (2 ^ n)%:R :> R by rewrite ler_nat ltnW // ltn_expl.
have big : C / a 0%N < r ^+ (2 ^ n.+1).
  apply: lt_le_trans (bernoulli _); apply: lt_le_trans (_ : (2 ^ n.+1)%:R * (r - 1) <= _); last by rewrite ler_addr ler01.
  move: hn; rewrite ltr_pdivr_mulr // => hn; apply: lt_le_trans hn _; rewrite ler_pmul2r // ler_nat.
  by apply: leq_trans (ltnW (ltn_expl n (ltnSn 1))) _; rewrite leq_exp2l.
have le : a (2 ^ n.+1)%N <= C by rewrite expnS mul2n -addnn; exact: bound.
by have := le_trans (grow n.+1) le; rewrite leNgt; move: big; rewrite ltr_pdivr_mulr // => ->.
Qed.
End Loewner.

(* ---- Repeated squares: S^(2^k) <= diag(T^(2^k)) gives S <= diag(T), T > 0. *)
Theorem loewner_power (R : archiFieldType) (I : finType) (k : nat) (S : I -> I -> R) (T : I -> R) :
  (forall i j, S i j = S j i) -> (forall i, 0 < T i) ->
  dom (iter k (@square R I) S) (fun i => T i ^+ (2 ^ k)) -> dom S T.
Proof.
elim: k S T => [|k ih] S T hS hT h; first by apply: dom_mono h => i; rewrite expr1.
apply: loewner => //; apply: ih; [exact: square_sym | by move=> i; rewrite exprn_gt0 |].
by rewrite -iterSr; apply: dom_mono h => i; rewrite -exprM expnS.
Qed.
