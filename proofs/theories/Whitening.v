(* Contractions by whitening: (W W^T + eps I)^(-1/2) W by a Cholesky factor, or by coupled Newton-Schulz steps. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Orthogonal Iterations.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Whitening.
Variable R : realFieldType.

(* ---- L L^T = W W^T + eps I, eps >= 0, L invertible (triangular: Cholesky; eps = 0: Gram-Schmidt, QR): L^-1 W is a contraction. *)
Theorem cholesky_dom m n (W : 'M[R]_(m, n)) (L : 'M[R]_m) (eps : R) : 0 <= eps -> L \in unitmx ->
  L *m L^T = W *m W^T + eps%:M -> dom (gram (invmx L *m W)) (fun=> 1).
Proof.
move=> e0 uL hL; set Q := invmx L *m W.
have h : dom (gram Q^T) (fun=> 1).
  apply: (@contraction_dom _ _ _ _ Q^T (invmx L)^T _ e0).
  rewrite !trmxK.
  have -> : Q *m Q^T + eps *: (invmx L *m (invmx L)^T) = invmx L *m (W *m W^T + eps%:M) *m (invmx L)^T.
    by rewrite mulmxDr mulmxDl mul_mx_scalar -scalemxAl /Q trmx_mul !mulmxA.
  by rewrite -hL mulKmx // -trmx_mul mulVmx // trmx1.
apply: gram_adj; first exact: ler01.
by apply: eq_dom h => i j; apply: eq_bigr => k _; rewrite /adj !mxE.
Qed.

(* ---- Coupled Newton-Schulz steps y <- y (3 - z y) / 2, z <- (3 - z y) z / 2 from y = S, z = I (Xu, Li & Li, NeurIPS 2022: LOT).
        With eps = 0 they are Bjorck steps on z W: a step sends z W to (3 - (z W) (z W)^T) (z W) / 2, as long as z and S commute. *)
Section NewtonSchulz.
Variables (m : nat) (S : 'M[R]_m).
Definition newton_step (yz : 'M[R]_m * 'M[R]_m) : 'M[R]_m * 'M[R]_m :=
  let: (y, z) := yz in (2%:R^-1 *: (y *m (3%:R%:M - z *m y)), 2%:R^-1 *: ((3%:R%:M - z *m y) *m z)).
Definition newton k := iter k newton_step (S, 1%:M).
Hypothesis symmetric : S^T = S.

(* z is symmetric, commutes with S, and y = S z *)
Lemma newton_invariant k : let: (y, z) := newton k in [/\ y = S *m z, z *m S = S *m z & z^T = z].
Proof.
elim: k => [|k]; first by rewrite /= mulmx1 mul1mx trmx1.
rewrite /newton iterS -/(newton k); case: (newton k) => y z [-> hz tz] /=.
have comm : S *m (3%:R%:M - z *m (S *m z)) = (3%:R%:M - z *m (S *m z)) *m S.
  rewrite mulmxBr mulmxBl; congr (_ - _); first by rewrite scalar_mxC.
  by rewrite !mulmxA hz -!mulmxA hz.
have Szz : S *m (z *m z) = z *m z *m S by rewrite mulmxA -hz -mulmxA -hz mulmxA.
split.
- rewrite -scalemxAr; congr (_ *: _); rewrite -mulmxA; congr (S *m _).
  rewrite mulmxBr mulmxBl scalar_mxC; congr (_ - _).
  by rewrite -!mulmxA Szz -hz !mulmxA.
- rewrite -scalemxAl -scalemxAr; congr (_ *: _); rewrite -mulmxA hz.
  by rewrite mulmxA -comm -mulmxA.
rewrite trZ trmx_mul trB tr_scalar_mx !trmx_mul tz symmetric; congr (_ *: _).
rewrite mulmxBr mulmxBl scalar_mxC; congr (_ - _); by rewrite hz !mulmxA.
Qed.
End NewtonSchulz.

Lemma bjorck_mx m n (W : 'M[R]_(m, n)) i j : bjorck W i j = (2%:R^-1 *: ((3%:R%:M - W *m W^T) *m W)) i j.
Proof.
rewrite /bjorck mulmxBl mul_scalar_mx -mulmxA; move: (gram_mx W); set G := W^T *m W => hG.
rewrite mxE [in RHS]mxE [(3%:R *: W) i j]mxE [(- _ : 'M__) i j]mxE [(W *m G) i j]mxE mulrBr mulrA [2%:R^-1 * 3%:R]mulrC.
by congr (_ - _ * _); apply: eq_bigr => k _; rewrite hG.
Qed.
Lemma eq_bjorck (I J : finType) (W W' : J -> I -> R) : (forall j i, W j i = W' j i) -> forall j i, bjorck W j i = bjorck W' j i.
Proof.
move=> e j i; rewrite /bjorck e; congr (_ - _ * _); apply: eq_bigr => k _; rewrite e; congr (_ * _).
by apply: eq_bigr => l _; rewrite !e.
Qed.
Lemma eq_gram_dom (I J : finType) (W W' : J -> I -> R) T : (forall j i, W j i = W' j i) -> dom (gram W) T -> dom (gram W') T.
Proof. by move=> e; apply: eq_dom => i j; apply: eq_bigr => k _; rewrite !e. Qed.

Theorem newton_whitening_dom m n (W : 'M[R]_(m, n)) k : dom (gram W) (fun=> 1) ->
  dom (gram ((newton (W *m W^T) k).2 *m W)) (fun=> 1).
Proof.
move=> hW; have ST : (W *m W^T)^T = W *m W^T by rewrite trmx_mul trmxK.
have e : forall j i, iter k (@bjorck R _ _) W j i = ((newton (W *m W^T) k).2 *m W) j i.
  elim: k => [|k ih] j i; first by rewrite /= mul1mx.
  rewrite iterS (eq_bjorck ih) bjorck_mx; congr (fun_of_matrix _ j i).
  have := newton_invariant ST k; rewrite /newton iterS; case: (iter k _ _) => y z [-> hz tz] /=.
  rewrite -scalemxAl; congr (_ *: _); rewrite -!mulmxA; congr (_ *m _); congr (_ - _).
  by rewrite trmx_mul tz !mulmxA.
apply: (eq_gram_dom e); elim: k {e} => //= k ih; apply: bjorck_dom.
by apply: dom_mono ih => _; rewrite ler1n.
Qed.
(* eps = e^2 > 0: the same with [W, e I] in the place of W, of which z W is a part *)
Theorem newton_whitening_shifted_dom m n (W : 'M[R]_(m, n)) (e : R) k :
  dom (gram (row_mx W e%:M)) (fun=> 1) ->
  dom (gram ((newton (W *m W^T + (e ^+ 2)%:M) k).2 *m W)) (fun=> 1).
Proof.
move=> h; have := newton_whitening_dom k h.
rewrite tr_row_mx mul_row_col tr_scalar_mx -scalar_mxM -expr2 mul_mx_row.
move: (_.2 *m _) (_.2 *m _) => B A /dom_gram hA; apply/dom_gram => v; rewrite sum_const.
pose u : {ffun 'I_(n + m) -> R} := [ffun i => match split i with inl a => v a | inr _ => 0 end].
have ul a : u (lshift m a) = v a by rewrite ffunE -[lshift m a]/(unsplit (inl a)) unsplitK.
have ur a : u (rshift n a) = 0 by rewrite ffunE -[rshift n a]/(unsplit (inr a)) unsplitK.
have -> : (A : 'I_m -> 'I_n -> R) *v v = (row_mx A B : 'I_m -> 'I_(n + m) -> R) *v u.
  apply/ffunP => j; rewrite !ffunE big_split_ord /= [X in _ = _ + X]big1 => [|a _]; last by rewrite ur mulr0.
  by rewrite addr0; apply: eq_bigr => a _; rewrite row_mxEl ul.
apply: le_trans (hA u) _; rewrite sum_const !sqnE big_split_ord /= [X in _ * (_ + X)]big1 => [|a _]; last by rewrite ur expr0n.
by rewrite addr0; under eq_bigr => a _ do rewrite ul.
Qed.
End Whitening.
