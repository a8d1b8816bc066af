(* Parts of an operator: choosing rows and columns does not raise its norm; and I - 2 V (V^T V + E)^-1 V^T for any E >= 0. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Orthogonal.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Parts.
Variable R : realFieldType.
Implicit Types I J : finType.

Lemma dom_columns I I' J (W : J -> I -> R) (f : I' -> I) (lam : R) : injective f ->
  dom (gram W) (fun=> lam) -> dom (gram (fun j i => W j (f i))) (fun=> lam).
Proof.
move=> fi /dom_gram h; apply/dom_gram => v; rewrite sum_const.
pose u : {ffun I -> R} := [ffun i => \sum_(k | f k == i) v k].
have uf k : u (f k) = v k by rewrite ffunE (big_pred1 k) // => k'; rewrite (inj_eq fi).
have inner (F : I -> R) : \sum_i F i * u i = \sum_k F (f k) * v k.
  under eq_bigr => i _ do rewrite ffunE mulr_sumr.
  rewrite (exchange_big_dep predT) //=; apply: eq_bigr => k _.
  by rewrite (big_pred1 (f k)) // => i; rewrite eq_sym.
have -> : (fun j i => W j (f i)) *v v = W *v u by apply/ffunP => j; rewrite !ffunE inner.
apply: le_trans (h u) _; rewrite sum_const /sqn /dot inner.
by under [X in _ * X <= _]eq_bigr => k _ do rewrite uf.
Qed.
Lemma dom_rows I J J' (W : J -> I -> R) (f : J' -> J) T : injective f ->
  dom (gram W) T -> dom (gram (fun j i => W (f j) i)) T.
Proof.
move=> fi /dom_gram h; apply/dom_gram => v; apply: le_trans (h v); rewrite !sqnE.
under eq_bigr => j _ do rewrite ffunE.
under [X in _ <= X]eq_bigr => j _ do rewrite ffunE.
pose F j := (\sum_i W j i * v i) ^+ 2.
have F0 j : 0 <= F j by exact: sqr_ge0.
rewrite -[X in X <= _]/(\sum_j F (f j)) -[X in _ <= X]/(\sum_j F j).
have -> : \sum_k F (f k) = \sum_j \sum_(k | f k == j) F j.
  rewrite (exchange_big_dep predT) //=; apply: eq_bigr => k _.
  by rewrite (big_pred1 (f k)) // => j; rewrite eq_sym.
apply: ler_sum => j _; have [k /eqP <-|none] := pickP (fun k => f k == j); last by rewrite big_pred0.
by rewrite (big_pred1 k) // => k'; rewrite (inj_eq fi).
Qed.
End Parts.

(* ---- I - 2 V (V^T V + E)^-1 V^T, E symmetric and positive semidefinite: its square is I - 4 (M V^T)^T E (M V^T). *)
Lemma mulv_mulmx (R : realFieldType) m n p (A : 'M[R]_(m, n)) (B : 'M[R]_(n, p)) x : (A *m B : 'M_(m, p)) *v x = A *v (B *v x).
Proof.
apply/ffunP => i; rewrite !ffunE; under eq_bigr => j _ do rewrite mxE mulr_suml.
rewrite exchange_big /=; apply: eq_bigr => k _; rewrite [(B *v x) k]ffunE mulr_sumr.
by apply: eq_bigr => j _; rewrite mulrA.
Qed.
Lemma quad_conjugate (R : realFieldType) k n (E : 'M[R]_k) (P : 'M[R]_(k, n)) v :
  quad E (P *v v) = quad (P^T *m (E *m P) : 'M_n) v.
Proof.
rewrite !quad_dot !mulv_mulmx (dot_mulv P^T); congr dot; apply/ffunP => i; rewrite !ffunE.
by apply: eq_bigr => j _; rewrite /adj mxE.
Qed.
Section BlockReflector.
Variables (R : realFieldType) (n k : nat) (V : 'M[R]_(n, k)) (E : 'M[R]_k).
Let N := V^T *m V + E.
Definition reflector : 'M[R]_n := 1%:M - 2%:R *: (V *m invmx N *m V^T).
Hypotheses (uN : N \in unitmx) (symmetric : E^T = E) (nonnegative : forall v, 0 <= quad E v).
Lemma reflector_gram : reflector^T *m reflector + 4%:R *: ((invmx N *m V^T)^T *m (E *m (invmx N *m V^T))) = 1%:M.
Proof.
rewrite /reflector; set M := invmx N.
have NT : N^T = N by rewrite /N trD trmx_mul trmxK symmetric.
have MT : M^T = M by rewrite /M trmx_inv NT.
set X := V *m M *m V^T.
have XT : X^T = X by rewrite /X !trmx_mul trmxK MT mulmxA.
have XX : X *m X + (M *m V^T)^T *m (E *m (M *m V^T)) = X.
  have -> : X *m X = V *m M *m (V^T *m V) *m (M *m V^T) by rewrite /X !mulmxA.
  rewrite trmx_mul trmxK MT.
  have -> : V *m M *m (E *m (M *m V^T)) = V *m M *m E *m (M *m V^T) by rewrite !mulmxA.
  by rewrite -mulmxDl -mulmxDr -/N -(mulmxA V) mulVmx // mulmx1 mulmxA.
rewrite trB trmx1 trZ XT mulmxBl mul1mx mulmxBr mulmx1 -scalemxAl -scalemxAr scalerA.
have -> : 2%:R * 2%:R = 4%:R :> R by ring.
move: (X *m X) (_ *m (E *m _)) XX => Y S <-.
by apply/matrixP => i j; rewrite !mxE; move: (Y i j) (S i j) (_%:R) => y s d; ring.
Qed.
Theorem reflector_dom : dom (gram reflector) (fun=> 1).
Proof.
move=> v; rewrite sum_const mul1r; pose P : 'M[R]_(k, n) := invmx N *m V^T.
have eP := quad_conjugate E P v.
have e : quad (gram reflector) v + 4%:R * quad E (P *v v) = sqn v.
  rewrite eP -quadZ -quadD sqnE; apply: eq_bigr => i _.
  have d j : gram reflector i j + 4%:R * (P^T *m (E *m P)) i j = (i == j)%:R.
    by have := congr1 (fun M : 'M_n => M i j) reflector_gram; rewrite gram_mx !mxE.
  under eq_bigr => j _ do rewrite d.
  rewrite (bigD1 i) //= eqxx mul1r expr2 big1 ?addr0 // => j ji; by rewrite eq_sym (negbTE ji) mul0r.
by rewrite -e ler_addl mulr_ge0 ?ler0n.
Qed.
End BlockReflector.
