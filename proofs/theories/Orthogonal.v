(* Orthogonal families: exactly orthogonal over the reals (Cayley, Householder, BRO), contractions by construction
   (regularised BRO), or nearly orthogonal as stored. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Matrices.
Variable R : realFieldType.

Definition orthonormal m n (Q : 'M[R]_(m, n)) : Prop := Q^T *m Q = 1%:M.

Lemma trD m n (A B : 'M[R]_(m, n)) : (A + B)^T = A^T + B^T.
Proof. by apply/matrixP => i j; rewrite !mxE. Qed.
Lemma trN m n (A : 'M[R]_(m, n)) : (- A)^T = - A^T.
Proof. by apply/matrixP => i j; rewrite !mxE. Qed.
Lemma trB m n (A B : 'M[R]_(m, n)) : (A - B)^T = A^T - B^T.
Proof. by rewrite trD trN. Qed.
Lemma trZ m n a (A : 'M[R]_(m, n)) : (a *: A)^T = a *: A^T.
Proof. by apply/matrixP => i j; rewrite !mxE. Qed.

Lemma gram_mx m n (Q : 'M[R]_(m, n)) i j : gram Q i j = (Q^T *m Q) i j.
Proof. by rewrite mxE; apply: eq_bigr => k _; rewrite mxE. Qed.

(* ---- Rule "orthogonal": W^T W = I is an isometry, so T = 1; for a wide matrix apply it to the transpose (gram_adj). *)
Theorem orthonormal_dom m n (Q : 'M[R]_(m, n)) : orthonormal Q -> dom (gram Q) (fun=> 1).
Proof.
move=> hQ v; rewrite sum_const mul1r sqnE le_eqVlt; apply/orP; left; apply/eqP.
apply: eq_bigr => i _; rewrite (bigD1 i) //= gram_mx hQ mxE eqxx mul1r expr2 big1 ?addr0 // => j ji.
by rewrite gram_mx hQ mxE eq_sym (negbTE ji) mul0r.
Qed.
Theorem orthonormal_lip m n (Q : 'M[R]_(m, n)) b : orthonormal Q -> lip (fun x => Q *v x + b).
Proof. by move=> hQ; exact: (linear_lip b (orthonormal_dom hQ)). Qed.
Theorem orthonormal_tr_dom m n (Q : 'M[R]_(m, n)) : orthonormal Q -> dom (gram Q^T) (fun=> 1).
Proof.
move=> hQ; apply: gram_adj; first exact: ler01.
apply: eq_dom (orthonormal_dom hQ) => i j; by apply: eq_bigr => k _; rewrite /adj !mxE.
Qed.
Lemma orthonormal_mul m n p (P : 'M[R]_(m, n)) (Q : 'M[R]_(n, p)) :
  orthonormal P -> orthonormal Q -> orthonormal (P *m Q).
Proof. by move=> hP hQ; rewrite /orthonormal trmx_mul -mulmxA (mulmxA P^T) hP mul1mx. Qed.
Lemma orthonormal_columns m n r (f : 'I_r -> 'I_n) (Q : 'M[R]_(m, n)) :
  injective f -> orthonormal Q -> orthonormal (\matrix_(i, j) Q i (f j)).
Proof.
move=> fi hQ; apply/matrixP => i j; have := congr1 (fun M : 'M_n => M (f i) (f j)) hQ.
rewrite !mxE (inj_eq fi) => <-; by apply: eq_bigr => k _; rewrite !mxE.
Qed.

(* 1 x 1 quadratic forms and invertibility *)
Lemma sqr_row n (u : 'rV[R]_n) : (u *m u^T) 0 0 = \sum_i u 0 i ^+ 2.
Proof. by rewrite mxE; apply: eq_bigr => i _; rewrite mxE expr2. Qed.
Lemma sqr_row_ge0 n (u : 'rV[R]_n) : 0 <= (u *m u^T) 0 0.
Proof. by rewrite sqr_row sumr_ge0 // => i _; rewrite sqr_ge0. Qed.
Lemma sqr_row_eq0 n (u : 'rV[R]_n) : (u *m u^T) 0 0 <= 0 -> u = 0.
Proof.
move=> h; have : (u *m u^T) 0 0 == 0 by rewrite eq_le h sqr_row_ge0.
rewrite sqr_row psumr_eq0 => [/allP h0|i _]; last exact: sqr_ge0.
apply/rowP => i; rewrite mxE; apply/eqP; rewrite -sqrf_eq0.
by have := h0 i; rewrite mem_index_enum => /(_ isT).
Qed.
Lemma unitmx_posdef n (B : 'M[R]_n) (e : R) : 0 < e ->
  (forall u : 'rV_n, e * (u *m u^T) 0 0 <= (u *m B *m u^T) 0 0) -> B \in unitmx.
Proof.
move=> e0 h; rewrite -row_free_unit -kermx_eq0; apply/eqP/row_matrixP => i; rewrite row0.
set u := row i _; apply: sqr_row_eq0; rewrite -(ler_pmul2l e0) mulr0; apply: le_trans (h u) _.
by rewrite /u -row_mul mulmx_ker row0 mul0mx mxE.
Qed.
Lemma form_tr n (u : 'rV[R]_n) (A : 'M_n) : (u *m A^T *m u^T) 0 0 = (u *m A *m u^T) 0 0.
Proof.
have -> : u *m A^T *m u^T = (u *m A *m u^T)^T by rewrite !trmx_mul trmxK mulmxA.
by rewrite mxE.
Qed.

(* ---- Cayley: A + A^T = 2 V^T V, Q = [(I + A)^-1 (I - A); -2 V (I + A)^-1] has Q^T Q = I. *)
Section Cayley.
Variables (n m : nat) (A : 'M[R]_n) (V : 'M[R]_(m, n)).
Hypothesis hA : A + A^T = 2%:R *: (V^T *m V).
Lemma cayley_unit : 1%:M + A \in unitmx.
Proof.
apply: (@unitmx_posdef _ _ 1) => [|u]; first exact: ltr01.
rewrite mul1r mulmxDr mulmx1 mulmxDl [X in _ <= X]mxE ler_addl.
have two : (0 : R) < 2%:R by rewrite ltr0n.
rewrite -(pmulr_rge0 _ two).
have -> : 2%:R * (u *m A *m u^T) 0 0 = (u *m (A + A^T) *m u^T) 0 0.
  by rewrite mulmxDr mulmxDl [RHS]mxE form_tr mulr_natl mulr2n.
rewrite hA -scalemxAr -scalemxAl mxE pmulr_rge0 //.
have -> : u *m (V^T *m V) *m u^T = (u *m V^T) *m (u *m V^T)^T by rewrite trmx_mul trmxK !mulmxA.
exact: sqr_row_ge0.
Qed.
Definition cayley : 'M[R]_(n + m, n) :=
  col_mx (invmx (1%:M + A) *m (1%:M - A)) (- 2%:R *: (V *m invmx (1%:M + A))).
Theorem cayley_orthonormal : orthonormal cayley.
Proof.
have uB := cayley_unit; rewrite /orthonormal /cayley; set B := 1%:M + A in uB *; set M := invmx B.
have -> : M *m (1%:M - A) = (1%:M - A) *m M.
  apply: (can_inj (mulKmx uB)); rewrite mulKVmx // mulmxA.
  have -> : B *m (1%:M - A) = (1%:M - A) *m B.
    by rewrite /B mulmxDl mul1mx mulmxBr mulmx1 addrA subrK mulmxBl mul1mx mulmxDr mulmx1 opprD addrA addrK.
  by rewrite mulmxK.
rewrite tr_col_mx mul_row_col !trmx_mul trZ trmx_mul -scalemxAl -scalemxAr scalerA.
have -> : - 2%:R * - 2%:R = 4%:R :> R by ring.
rewrite -!mulmxA (mulmxA V^T) (mulmxA (1%:M - A)^T) scalemxAr scalemxAl -mulmxDr -mulmxDl.
suff -> : (1%:M - A)^T *m (1%:M - A) + 4%:R *: (V^T *m V) = B^T *m B.
  by rewrite -(mulmxA B^T) /M mulmxV // mulmx1 -trmx_mul mulmxV // trmx1.
have -> : 4%:R *: (V^T *m V) = 2%:R *: (A + A^T) by rewrite hA scalerA; congr (_ *: _); ring.
have -> : (1%:M - A)^T *m (1%:M - A) = 1%:M + A^T *m A - (A + A^T).
  by rewrite trB trmx1 mulmxBl mul1mx mulmxBr mulmx1 opprB addrACA opprD.
have -> : B^T *m B = 1%:M + A^T *m A + (A + A^T).
  by rewrite /B trD trmx1 mulmxDl mul1mx mulmxDr mulmx1 [A^T + _]addrC addrACA.
by rewrite scaler_nat mulr2n addrA subrK.
Qed.
End Cayley.
(* The square case: A skew; and the parametrisation by an unconstrained [U; V]: A = U - U^T + V^T V. *)
Corollary cayley_skew_orthonormal n (A : 'M[R]_n) : A^T = - A -> orthonormal (invmx (1%:M + A) *m (1%:M - A)).
Proof.
move=> hA; have h : A + A^T = 2%:R *: ((0 : 'M[R]_(0, n))^T *m (0 : 'M[R]_(0, n))).
  by rewrite hA subrr mulmx0 scaler0.
have := cayley_orthonormal h; rewrite /orthonormal /cayley tr_col_mx mul_row_col.
by rewrite mul0mx scaler0 mulmx0 addr0.
Qed.
Corollary cayley_param_orthonormal n m (U : 'M[R]_n) (V : 'M[R]_(m, n)) :
  orthonormal (cayley (U - U^T + V^T *m V) V).
Proof.
apply: cayley_orthonormal.
by rewrite trD trB trmxK trmx_mul trmxK addrACA -(opprB U) addrN add0r scaler_nat mulr2n.
Qed.

(* ---- Householder reflections (v = 0 gives the identity), and BRO: I - 2 V (V^T V)^-1 V^T. *)
Definition householder n (v : 'cV[R]_n) : 'M[R]_n := 1%:M - (2%:R / (v^T *m v) 0 0) *: (v *m v^T).
Theorem householder_orthonormal n (v : 'cV[R]_n) : orthonormal (householder v).
Proof.
rewrite /orthonormal /householder; set s := (v^T *m v) 0 0; set c := 2%:R / s; set P := v *m v^T.
have PT : P^T = P by rewrite /P trmx_mul trmxK.
have PP : P *m P = s *: P.
  by rewrite /P mulmxA -(mulmxA v) [v^T *m v]mx11_scalar -/s mul_mx_scalar -scalemxAl.
rewrite trB trmx1 trZ PT mulmxBl mul1mx mulmxBr mulmx1 -scalemxAl -scalemxAr PP !scalerA.
have -> : c * c * s = 2%:R * c.
  rewrite /c; have [->|s0] := eqVneq s 0; first by rewrite invr0 !mulr0.
  by field.
by rewrite mulr_natl mulr2n scalerDl opprB addrK subrK.
Qed.
Theorem householder_product_orthonormal n (vs : seq 'cV[R]_n) :
  orthonormal (foldr (fun v Q => householder v *m Q) 1%:M vs).
Proof.
elim: vs => [|v vs ih] /=; first by rewrite /orthonormal trmx1 mulmx1.
by apply: orthonormal_mul ih; exact: householder_orthonormal.
Qed.

Lemma contraction_dom m n p (Q : 'M[R]_(m, n)) (P : 'M[R]_(p, n)) (a : R) : 0 <= a ->
  Q^T *m Q + a *: (P^T *m P) = 1%:M -> dom (gram Q) (fun=> 1).
Proof.
move=> a0 h v; rewrite sum_const mul1r.
have e : quad (gram Q) v + a * quad (gram P) v = sqn v.
  rewrite -quadZ -quadD sqnE; apply: eq_bigr => i _.
  under eq_bigr => j _ do rewrite !gram_mx.
  have d j : (Q^T *m Q) i j + a * (P^T *m P) i j = (i == j)%:R.
    by have := congr1 (fun M : 'M_n => M i j) h; rewrite !mxE.
  under eq_bigr => j _ do rewrite d.
  rewrite (bigD1 i) //= eqxx mul1r expr2 big1 ?addr0 // => j ji; by rewrite eq_sym (negbTE ji) mul0r.
by rewrite -e ler_addl mulr_ge0 // quad_gram sqn_ge0.
Qed.

Section Bro.
Variables (n k : nat) (V : 'M[R]_(n, k)) (eps : R).
Let N := V^T *m V + eps%:M.
Definition bro : 'M[R]_n := 1%:M - 2%:R *: (V *m invmx N *m V^T).
Lemma bro_gram : N \in unitmx ->
  bro^T *m bro + (4%:R * eps) *: ((invmx N *m V^T)^T *m (invmx N *m V^T)) = 1%:M.
Proof.
move=> uN; rewrite /bro; set M := invmx N.
have NT : N^T = N by rewrite /N trD trmx_mul trmxK tr_scalar_mx.
have MT : M^T = M by rewrite /M trmx_inv NT.
set X := V *m M *m V^T.
have XT : X^T = X by rewrite /X !trmx_mul trmxK MT mulmxA.
have XX : X *m X + eps *: ((M *m V^T)^T *m (M *m V^T)) = X.
  have -> : X *m X = V *m M *m (V^T *m V) *m (M *m V^T) by rewrite /X !mulmxA.
  rewrite trmx_mul trmxK MT.
  have -> : eps *: (V *m M *m (M *m V^T)) = V *m M *m eps%:M *m (M *m V^T).
    by rewrite mul_mx_scalar -scalemxAl.
  by rewrite -mulmxDl -mulmxDr -/N -(mulmxA V) mulVmx // mulmx1 mulmxA.
rewrite trB trmx1 trZ XT mulmxBl mul1mx mulmxBr mulmx1 -scalemxAl -scalemxAr scalerA.
have -> : 2%:R * 2%:R = 4%:R :> R by ring.
rewrite -[(4%:R * eps) *: _]scalerA; move: (X *m X) (eps *: _) XX => Y S <-.
by apply/matrixP => i j; rewrite !mxE; move: (Y i j) (S i j) (_%:R) => y s d; ring.
Qed.
(* (V^T V + eps I)^-1 exists for eps > 0; for eps = 0 where V has full column rank, and then BRO is orthogonal. *)
Lemma bro_unit : 0 < eps -> N \in unitmx.
Proof.
move=> e0; apply: (unitmx_posdef e0) => u.
rewrite /N mulmxDr mulmxDl [X in _ <= X]mxE mul_mx_scalar -scalemxAl [X in _ <= _ + X]mxE ler_addr.
have -> : u *m (V^T *m V) *m u^T = (u *m V^T) *m (u *m V^T)^T by rewrite trmx_mul trmxK !mulmxA.
exact: sqr_row_ge0.
Qed.
Theorem bro_dom : 0 <= eps -> N \in unitmx -> dom (gram bro) (fun=> 1).
Proof.
by move=> e0 uN; apply: contraction_dom (bro_gram uN); rewrite mulr_ge0 // ler0n.
Qed.
Theorem bro_orthonormal : eps = 0 -> N \in unitmx -> orthonormal bro.
Proof. by move=> e0 uN; have := bro_gram uN; rewrite e0 mulr0 scale0r addr0. Qed.
End Bro.

(* ---- A stored matrix that is nearly orthogonal: E = Q^T Q - I, row sums of |E| at most e: T = 1 + e. *)
Theorem near_orthogonal_dom m n (Q : 'M[R]_(m, n)) (e : R) :
  (forall i, \sum_j `|(Q^T *m Q - 1%:M) i j| <= e) -> dom (gram Q) (fun=> 1 + e).
Proof.
move=> h; apply: (@gersh _ _ _ (fun=> 1)) => [i j|i|i]; [exact: gramC | exact: ltr01 |].
rewrite mulr1; apply: le_trans (_ : \sum_j ((i == j)%:R + `|(Q^T *m Q - 1%:M) i j|) <= _).
  apply: ler_sum => j _; rewrite mulr1 gram_mx.
  have e1 : Q^T *m Q = 1%:M + (Q^T *m Q - 1%:M) by rewrite addrC subrK.
  have -> : (Q^T *m Q) i j = (i == j)%:R + (Q^T *m Q - 1%:M) i j by rewrite {1}e1 mxE [1%:M i j]mxE.
  by apply: le_trans (ler_norm_add _ _) _; rewrite normr_nat.
rewrite big_split ler_add //= (bigD1 i) //= eqxx big1 ?addr0 // => j ji.
by rewrite eq_sym (negbTE ji).
Qed.
End Matrices.
