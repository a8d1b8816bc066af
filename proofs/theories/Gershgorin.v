(* Ways to a positive diagonal T with G <= T (the language's "by ..."), and to lambda with G <= lambda I. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Gershgorin.
Variable R : realFieldType.
Implicit Types I J K : finType.

(* ---- Weighted Gershgorin without eigenvalues: S symmetric, q > 0, sum_j |S_ij| q_j <= T_i q_i gives S <= diag T. *)
Theorem gersh I (S : I -> I -> R) (q T : I -> R) :
  (forall i j, S i j = S j i) -> (forall i, 0 < q i) ->
  (forall i, \sum_j `|S i j| * q j <= T i * q i) -> dom S T.
Proof.
move=> hS hq hT v.
have two : (0 : R) < 2%:R by rewrite ltr0n.
pose a i j := `|S i j| * (q j / q i * v i ^+ 2).
have am i j : 2%:R * (S i j * (v i * v j)) <= a i j + a j i.
  rewrite /a (hS j i) -mulrDr.
  have qi := hq i; have qj := hq j.
  have h : 2%:R * `|v i * v j| <= q j / q i * v i ^+ 2 + q i / q j * v j ^+ 2.
    have qij : 0 < q i * q j by rewrite mulr_gt0.
    rewrite -(ler_pmul2l qij) mulrDr.
    have -> : q i * q j * (q j / q i * v i ^+ 2) = (q j * `|v i|) ^+ 2.
      by rewrite exprMn real_normK ?num_real //; field; rewrite gt_eqF.
    have -> : q i * q j * (q i / q j * v j ^+ 2) = (q i * `|v j|) ^+ 2.
      by rewrite exprMn real_normK ?num_real //; field; rewrite gt_eqF.
    rewrite normrM -subr_ge0.
    have -> : (q j * `|v i|) ^+ 2 + (q i * `|v j|) ^+ 2
              - q i * q j * (2%:R * (`|v i| * `|v j|)) = (q j * `|v i| - q i * `|v j|) ^+ 2.
      by ring.
    exact: sqr_ge0.
  apply: le_trans (ler_wpmul2l (normr_ge0 (S i j)) h).
  by rewrite [X in _ <= X]mulrCA -normrM ler_pmul2l //; exact: ler_norm.
have s1 : 2%:R * quad S v <= 2%:R * \sum_i \sum_j a i j.
  rewrite [X in _ <= X]mulr_natl mulr2n [X in _ <= _ + X]exchange_big /= mulr_sumr -big_split /=.
  apply: ler_sum => i _; rewrite mulr_sumr -big_split /=.
  by apply: ler_sum => j _; apply: am.
rewrite ler_pmul2l // in s1; apply: le_trans s1 _.
apply: ler_sum => i _; rewrite /a.
have -> : \sum_j `|S i j| * (q j / q i * v i ^+ 2) = (\sum_j `|S i j| * q j) / q i * v i ^+ 2.
  by rewrite !mulr_suml; apply: eq_bigr => j _; rewrite !mulrA.
by apply: ler_wpmul2r; [exact: sqr_ge0 | rewrite ler_pdivr_mulr].
Qed.

Lemma gramC I J (W : J -> I -> R) i j : gram W i j = gram W j i.
Proof. by apply: eq_bigr => k _; rewrite mulrC. Qed.

(* ---- Rule "sll": T_i = sum_j |G_ij| q_j / q_i. Rule "aol": q = 1, plus any eps >= 0. *)
Theorem sll_dom I J (W : J -> I -> R) (q : I -> R) : (forall i, 0 < q i) ->
  dom (gram W) (fun i => \sum_j `|gram W i j| * q j / q i).
Proof.
move=> hq; apply: (gersh (gramC W) hq) => i.
by rewrite mulr_suml; under [X in _ <= X]eq_bigr => j _ do rewrite divfK ?gt_eqF ?hq //.
Qed.
Theorem aol_dom I J (W : J -> I -> R) (eps : R) : 0 <= eps ->
  dom (gram W) (fun i => \sum_j `|gram W i j| + eps).
Proof.
move=> e0; apply: (@gersh _ _ (fun=> 1)) => [i j|i|i]; [exact: gramC | exact: ltr01 |].
by rewrite mulr1 -mulr_suml mulr1 ler_addl.
Qed.

(* ---- Combinators: larger T, maximum, convex combination, scaling up. *)
Theorem dom_mono I (S : I -> I -> R) (T T' : I -> R) : (forall i, T i <= T' i) -> dom S T -> dom S T'.
Proof.
move=> h hS v; apply: le_trans (hS v) _; apply: ler_sum => i _.
by apply: ler_wpmul2r; rewrite ?sqr_ge0.
Qed.
Theorem dom_max I (S : I -> I -> R) (T T' : I -> R) : dom S T -> dom S (fun i => Num.max (T i) (T' i)).
Proof. by apply: dom_mono => i; rewrite le_maxr lexx. Qed.
Theorem dom_convex I (S : I -> I -> R) (K : finType) (w : K -> R) (T : K -> I -> R) :
  (forall k, 0 <= w k) -> \sum_k w k = 1 -> (forall k, dom S (T k)) ->
  dom S (fun i => \sum_k w k * T k i).
Proof.
move=> w0 w1 h v; rewrite -[quad S v]mul1r -w1 mulr_suml.
under [X in _ <= X]eq_bigr => i _ do rewrite mulr_suml.
rewrite exchange_big /=; apply: ler_sum => k _.
under [X in _ <= X]eq_bigr => i _ do rewrite -mulrA.
by rewrite -mulr_sumr; apply: ler_wpmul2l => //; exact: h.
Qed.
Theorem dom_shift I (S : I -> I -> R) (T : I -> R) (e : R) : 0 <= e -> dom S T -> dom S (fun i => T i + e).
Proof. by move=> e0; apply: dom_mono => i; rewrite ler_addl. Qed.
Theorem dom_scaled I (S : I -> I -> R) (T : I -> R) (a : R) : 1 <= a -> (forall i, 0 <= T i) ->
  dom S T -> dom S (fun i => a * T i).
Proof. by move=> a1 T0; apply: dom_mono => i; rewrite -{1}[T i]mul1r ler_wpmul2r. Qed.

(* ---- Upper bounds on the operator norm. Frobenius. *)
Definition frob I J (W : J -> I -> R) : R := \sum_j \sum_i W j i ^+ 2.
Theorem frobenius_dom I J (W : J -> I -> R) : dom (gram W) (fun=> frob W).
Proof.
apply/dom_gram => v; rewrite sum_const sqnE /frob mulr_suml; apply: ler_sum => j _.
have := cauchy_schwarz [ffun i => W j i] v.
rewrite /dot /mulv ffunE sqnE; under eq_bigr => i _ do rewrite ffunE.
by under [X in _ <= X * _]eq_bigr => i _ do rewrite ffunE.
Qed.

(* Schur test: |W| p <= a r and |W|^T r <= b p, p > 0, r >= 0, give W^T W <= ab I. *)
Theorem schur_dom I J (W : J -> I -> R) (p : I -> R) (r : J -> R) (a b : R) :
  (forall i, 0 < p i) -> (forall j, 0 <= r j) -> 0 <= a ->
  (forall j, \sum_i `|W j i| * p i <= a * r j) -> (forall i, \sum_j `|W j i| * r j <= b * p i) ->
  dom (gram W) (fun=> a * b).
Proof.
move=> hp hr a0 h1 h2; apply: (gersh (gramC W) hp) => i.
apply: le_trans (_ : \sum_k `|W k i| * (\sum_j `|W k j| * p j) <= _).
  under [X in _ <= X]eq_bigr => k _ do rewrite mulr_sumr.
  rewrite exchange_big /=; apply: ler_sum => j _.
  under [X in _ <= X]eq_bigr => k _ do rewrite mulrA.
  rewrite -mulr_suml; apply: ler_wpmul2r; first exact: ltW.
  by apply: le_trans (ler_norm_sum _ _ _) _; apply: ler_sum => k _; rewrite normrM.
apply: le_trans (_ : a * (\sum_k `|W k i| * r k) <= _).
  by rewrite mulr_sumr; apply: ler_sum => k _; rewrite mulrCA ler_wpmul2l.
by rewrite -mulrA; apply: ler_wpmul2l.
Qed.

(* Row sums at most a, column sums at most b: W^T W <= ab I, and the same for |W|. *)
Corollary row_column_dom I J (W : J -> I -> R) (a b : R) : 0 <= a ->
  (forall j, \sum_i `|W j i| <= a) -> (forall i, \sum_j `|W j i| <= b) ->
  dom (gram (fun j i => `|W j i|)) (fun=> a * b).
Proof.
move=> a0 h1 h2; apply: (@schur_dom _ _ _ (fun=> 1) (fun=> 1)) => // [i|j|j|i]; rewrite ?ltr01 ?ler01 //.
  by rewrite mulr1; under eq_bigr => i _ do rewrite mulr1 normr_id.
by rewrite mulr1; under eq_bigr => j _ do rewrite mulr1 normr_id.
Qed.

(* Gram iteration: S symmetric and S S <= mu^2 I give S <= mu I ... *)
Definition square I (S : I -> I -> R) : I -> I -> R := fun i j => \sum_k S i k * S k j.
Lemma square_gram I (S : I -> I -> R) : (forall i j, S i j = S j i) -> forall i j, square S i j = gram S i j.
Proof. by move=> hS i j; apply: eq_bigr => k _; rewrite (hS i k). Qed.
Lemma square_sym I (S : I -> I -> R) : (forall i j, S i j = S j i) -> forall i j, square S i j = square S j i.
Proof. by move=> hS i j; apply: eq_bigr => k _; rewrite mulrC (hS i) (hS k j). Qed.
Theorem gram_step I (S : I -> I -> R) (mu : R) : (forall i j, S i j = S j i) -> 0 < mu ->
  dom (gram S) (fun=> mu ^+ 2) -> dom S (fun=> mu).
Proof.
move=> hS mu0 /dom_gram h v; rewrite sum_const quad_dot.
have two : (0 : R) < 2%:R by rewrite ltr0n.
rewrite -(ler_pmul2l two) dotC; apply: le_trans (dot_amgm_weighted _ _ mu0) _.
rewrite [X in _ <= X]mulr_natl mulr2n ler_add2r -(ler_pmul2l mu0) mulVKf ?gt_eqF // mulrA -expr2.
by have := h v; rewrite sum_const.
Qed.
(* ... so, squaring k times, ||G^(2^k)||_F^2 <= (lam^(2^k))^2 gives G <= lam I: the trace form, no roots. *)
Theorem gram_power_dom I (k : nat) (S : I -> I -> R) (lam : R) : (forall i j, S i j = S j i) -> 0 < lam ->
  frob (iter k (@square I) S) <= (lam ^+ (2 ^ k)) ^+ 2 -> dom S (fun=> lam).
Proof.
elim: k S lam => [|k ih] S lam hS l0 h.
  apply: gram_step => //; apply: dom_mono (frobenius_dom S) => _; exact: h.
apply: gram_step => //; apply: eq_dom (square_gram hS) _; apply: ih; first exact: square_sym.
  by rewrite exprn_gt0.
by rewrite -iterSr -[(lam ^+ 2) ^+ _]exprM -expnS.
Qed.
(* One rounded step: H^T H = s K + E, row sums of |E| at most e. *)
Theorem gram_step_rounded I J (H : J -> I -> R) (K E : I -> I -> R) (s kap e : R) : 0 <= s ->
  (forall i j, gram H i j = s * K i j + E i j) -> (forall i j, E i j = E j i) ->
  (forall i, \sum_j `|E i j| <= e) -> dom K (fun=> kap) -> dom (gram H) (fun=> s * kap + e).
Proof.
move=> s0 hH hE he hK v; rewrite (eq_quad v hH) quadD quadZ sum_const mulrDl.
apply: ler_add; first by rewrite -mulrA ler_wpmul2l // -sum_const.
rewrite -sum_const; apply: (@gersh _ E (fun=> 1)) => [//|i|i]; first exact: ltr01.
by rewrite mulr1 -mulr_suml mulr1.
Qed.

(* ---- A positive semidefinite witness: A = L L^T + E, E symmetric and diagonally dominant, for any L. *)
Theorem psd_witness I K (A E : I -> I -> R) (L : I -> K -> R) :
  (forall i j, A i j = \sum_k L i k * L j k + E i j) -> (forall i j, E i j = E j i) ->
  (forall i, \sum_(j | j != i) `|E i j| <= E i i) -> forall v, 0 <= quad A v.
Proof.
move=> hA hE hd v; rewrite (eq_quad v hA) quadD; apply: addr_ge0.
  by rewrite (quad_gram (adj L)) sqn_ge0.
pose S i j := if i == j then 0 else - E i j.
have hS i j : S i j = S j i by rewrite /S eq_sym; case: ifP => // _; rewrite hE.
have h1 i : \sum_j `|S i j| * 1 <= E i i * 1.
  rewrite mulr1; apply: le_trans (hd i); rewrite (bigID (fun j => j != i)) /= addrC big1.
    by rewrite add0r; apply: ler_sum => j ji; rewrite mulr1 /S eq_sym (negbTE ji) normrN.
  by move=> j; rewrite negbK => /eqP ->; rewrite /S eqxx normr0 mul0r.
have := gersh hS (fun=> ltr01) h1 v; rewrite -[quad S v <= _]subr_ge0.
suff -> : quad E v = \sum_i E i i * v i ^+ 2 - quad S v by [].
rewrite /quad -sumrB; apply: eq_bigr => i _.
rewrite [X in _ = _ - X](bigD1 i) //= (bigD1 i) //= {1}/S eqxx mul0r add0r expr2 -sumrN; congr (_ + _).
by apply: eq_bigr => j ji; rewrite /S eq_sym (negbTE ji) mulNr opprK.
Qed.
(* A bound from a witness: diag T - G = L L^T + E. *)
Theorem psd_witness_dom I K (S E : I -> I -> R) (T : I -> R) (L : I -> K -> R) :
  (forall i j, T i *+ (i == j) - S i j = \sum_k L i k * L j k + E i j) -> (forall i j, E i j = E j i) ->
  (forall i, \sum_(j | j != i) `|E i j| <= E i i) -> dom S T.
Proof.
move=> hA hE hd v; have := psd_witness hA hE hd v; rewrite -[quad S v <= _]subr_ge0.
suff -> : quad (fun i j => T i *+ (i == j) - S i j) v = \sum_i T i * v i ^+ 2 - quad S v by [].
rewrite /quad -sumrB; apply: eq_bigr => i _.
under eq_bigr => j _ do rewrite mulrBl.
rewrite sumrB; congr (_ - _); rewrite (bigD1 i) //= eqxx big1 ?addr0 ?expr2 // => j ji.
by rewrite eq_sym (negbTE ji) mul0r.
Qed.
End Gershgorin.
