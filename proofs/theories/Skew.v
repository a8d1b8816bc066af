(* Truncated exponentials of skew convolutions (Singla & Feizi, ICML 2021), as `lip prove --coq` writes them. The norm of the skew kernel S is
   bounded by two reshaped matrices of it, out x (in, tap) and (out, row) x (in, column), each times the number of taps. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv SkewExponential Rules Architecture Families.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Sums.
Variable R : realFieldType.
Lemma sum_sqr (I : finType) (f : I -> R) : (\sum_i f i) ^+ 2 <= #|I|%:R * \sum_i f i ^+ 2.
Proof.
have := cauchy_schwarz [ffun=> 1] [ffun i => f i]; rewrite /dot !sqnE.
under eq_bigr => i _ do rewrite !ffunE mul1r.
under [X in _ <= X * _ -> _]eq_bigr => i _ do rewrite ffunE expr1n.
under [X in _ <= _ * X -> _]eq_bigr => i _ do rewrite ffunE.
by rewrite sumr_const.
Qed.
Lemma sqr_sum_one (I : finType) (P : pred I) (f : I -> R) : (forall i j, P i -> P j -> i = j) -> (\sum_(i | P i) f i) ^+ 2 = \sum_(i | P i) f i ^+ 2.
Proof.
move=> h; have [i Pi|none] := pickP P; last by rewrite !big_pred0 ?expr0n.
by rewrite !(big_pred1 i) // => j; apply/idP/eqP => [Pj|->//]; exact: h.
Qed.
End Sums.

(* ---- A convolution on a product of two lattices: rows and columns *)
Section Mixed.
Variables (R : realFieldType) (L L' : zmodType) (O C : finType) (h w h' w' k k' : nat).
Variables (u : 'I_h -> L) (v : 'I_w -> L') (u' : 'I_h' -> L) (v' : 'I_w' -> L') (a : 'I_k -> L) (b : 'I_k' -> L').
Variable K : O -> C -> 'I_k * 'I_k' -> R.
Hypotheses (ui : injective u) (vi : injective v) (ui' : injective u') (vi' : injective v').
Definition mixed (oi : O * 'I_k) (cj : C * 'I_k') : R := K oi.1 cj.1 (oi.2, cj.2).
Definition product_matrix : O * ('I_h' * 'I_w') -> C * ('I_h * 'I_w) -> R :=
  conv_matrix (fun p => (u p.1, v p.2)) (fun q => (u' q.1, v' q.2)) (fun s => (a s.1, b s.2)) K.
Theorem mixed_dom (lam : R) : 0 <= lam -> dom (gram mixed) (fun=> lam) -> dom (gram product_matrix) (fun=> (k * k')%:R * lam).
Proof.
move=> l0 /dom_gram hM; apply/dom_gram => x; rewrite sum_const.
pose X r (q2 : 'I_w') : {ffun C * 'I_k' -> R} := [ffun cj => \sum_(p2 | v p2 == v' q2 + b cj.2) x (cj.1, (r, p2))].
pose Z r q2 := mixed *v X r q2.
have split o q : (product_matrix *v x) (o, q) = \sum_i \sum_(r | u r == u' q.1 + a i) Z r q.2 (o, i).
  rewrite ffunE sum_pair; under eq_bigr => c _ do rewrite sum_pair.
  under eq_bigr => c _ do under eq_bigr => r _ do under eq_bigr => p _ do rewrite /product_matrix /conv_matrix /= big_mkcond sum_pair mulr_suml.
  under eq_bigr => c _ do under eq_bigr => r _ do rewrite exchange_big /=.
  under [RHS]eq_bigr => i _ do rewrite big_mkcond.
  rewrite [RHS]exchange_big /= exchange_big /=; apply: eq_bigr => r _; rewrite exchange_big /=; apply: eq_bigr => i _.
  under eq_bigr => c _ do under eq_bigr => p _ do rewrite mulr_suml.
  case: ifP => e; last first.
    by rewrite big1 // => c _; rewrite big1 // => p _; rewrite big1 // => j _; rewrite xpair_eqE e mul0r.
  rewrite ffunE sum_pair; apply: eq_bigr => c _; rewrite exchange_big /=; apply: eq_bigr => j _.
  rewrite ffunE /= mulr_sumr [RHS]big_mkcond; apply: eq_bigr => p _.
  by rewrite xpair_eqE e /=; case: ifP => _; rewrite ?mul0r.
have one (n n' : nat) (M : zmodType) (f : 'I_n -> M) (f' : 'I_n' -> M) (d : M) (y : R) (i : 'I_n) : injective f' -> 0 <= y -> \sum_(j | f i == f' j + d) y <= y.
  by move=> fi y0; apply: at_most_one => // j j' /eqP e /eqP e'; apply: fi; apply: (addIr d); rewrite -e -e'.
have bound o q : (product_matrix *v x) (o, q) ^+ 2 <= k%:R * \sum_i \sum_(r | u r == u' q.1 + a i) Z r q.2 (o, i) ^+ 2.
  rewrite split; apply: le_trans (sum_sqr _) _; rewrite card_ord ler_wpmul2l ?ler0n // le_eqVlt; apply/orP; left; apply/eqP.
  by apply: eq_bigr => i _; apply: sqr_sum_one => r r' /eqP e /eqP e'; apply: ui; rewrite e e'.
rewrite sqnE sum_pair.
apply: (@le_trans _ _ (k%:R * (\sum_r \sum_q2 sqn (Z r q2)))).
  apply: (@le_trans _ _ (\sum_o \sum_q k%:R * (\sum_i \sum_(r | u r == u' q.1 + a i) Z r q.2 (o, i) ^+ 2))).
    by apply: ler_sum => o _; apply: ler_sum => q _; exact: bound.
  under eq_bigr => o _ do rewrite -mulr_sumr.
  rewrite -mulr_sumr ler_wpmul2l ?ler0n //.
  under [X in _ <= X]eq_bigr => r _ do under eq_bigr => q2 _ do rewrite sqnE sum_pair.
  under [X in _ <= X]eq_bigr => r _ do rewrite exchange_big /=.
  rewrite [X in _ <= X]exchange_big /=; apply: ler_sum => o _; rewrite sum_pair exchange_big /=.
  rewrite [X in _ <= X]exchange_big /=; apply: ler_sum => q2 _; rewrite exchange_big /= [X in _ <= X]exchange_big /=; apply: ler_sum => i _.
  rewrite (exchange_big_dep predT) //=; apply: ler_sum => r _; by apply: one => //; exact: sqr_ge0.
rewrite natrM -!mulrA ler_wpmul2l ?ler0n //.
apply: le_trans (_ : \sum_r \sum_q2 lam * sqn (X r q2) <= _).
  by apply: ler_sum => r _; apply: ler_sum => q2 _; have := hM (X r q2); rewrite sum_const.
under eq_bigr => r _ do rewrite -mulr_sumr; rewrite -mulr_sumr mulrCA ler_wpmul2l //.
have sq r q2 : sqn (X r q2) = \sum_c \sum_j \sum_(p2 | v p2 == v' q2 + b j) x (c, (r, p2)) ^+ 2.
  rewrite sqnE sum_pair; apply: eq_bigr => c _; apply: eq_bigr => j _; rewrite ffunE /=.
  by apply: sqr_sum_one => p p' /eqP e /eqP e'; apply: vi; rewrite e e'.
under eq_bigr => r _ do under eq_bigr => q2 _ do rewrite sq.
rewrite sqnE sum_pair; under [X in _ <= _ * X]eq_bigr => c _ do rewrite sum_pair.
rewrite exchange_big /=; under eq_bigr => q2 _ do rewrite exchange_big /=.
rewrite exchange_big /= mulr_sumr; apply: ler_sum => c _; rewrite exchange_big /= mulr_sumr; apply: ler_sum => r _.
rewrite exchange_big /=; apply: le_trans (_ : \sum_(j < k') \sum_p x (c, (r, p)) ^+ 2 <= _).
  apply: ler_sum => j _; rewrite (exchange_big_dep predT) //=; apply: ler_sum => p _; apply: one => //; exact: sqr_ge0.
by rewrite sumr_const card_ord -mulr_natl.
Qed.
End Mixed.

(* ---- The skew kernel of any P: (P - P transposed and turned) / 2; its series, cut after a degree with a window *)
Section SkewKernel.
Variables (R : realFieldType) (L L' : zmodType) (c h w k k' : nat) (u : 'I_h -> L) (v : 'I_w -> L') (a : 'I_k -> L) (b : 'I_k' -> L').
Hypotheses (ui : injective u) (vi : injective v) (turned : forall i, a (rev_ord i) = - a i) (turned' : forall i, b (rev_ord i) = - b i).
Variables (P : 'I_c -> 'I_c -> 'I_k * 'I_k' -> R) (s : R).
Definition turn (t : 'I_k * 'I_k') : 'I_k * 'I_k' := (rev_ord t.1, rev_ord t.2).
Definition skew_kernel (o i : 'I_c) (t : 'I_k * 'I_k') : R := (P o i t - P i o (turn t)) / 2%:R.
Definition skew_matrix (j i : 'I_c * ('I_h * 'I_w)) : R := s * product_matrix u v u v a b skew_kernel j i.
Lemma turnK : involutive turn.
Proof. by move=> [i j]; rewrite /turn /= !rev_ordK. Qed.
Lemma skew_matrix_skew j i : skew_matrix j i = - skew_matrix i j.
Proof.
have moved (M : zmodType) (x y z : M) : (x == y + z) = (y == x - z) by rewrite [RHS]eq_sym subr_eq.
case: j i => [o q] [d p]; rewrite /skew_matrix -mulrN; congr (_ * _); rewrite /product_matrix /conv_matrix /= -sumrN.
rewrite [RHS](bigop.reindex_inj (inv_inj turnK)) /=; apply: eq_big => [t|t _].
  rewrite !xpair_eqE !turned !turned'; by congr (_ && _); rewrite moved.
by rewrite /skew_kernel turnK -mulNr opprB.
Qed.
Theorem skew_kernel_dom (lam lam' : R) : 0 <= lam -> 0 <= lam' -> dom (gram (reshaped skew_kernel)) (fun=> lam) ->
  dom (gram (mixed skew_kernel)) (fun=> lam') -> dom (gram (product_matrix u v u v a b skew_kernel)) (fun=> (k * k')%:R * Num.min lam lam').
Proof.
move=> l0 l0' h1 h2; have pi : injective (fun p : 'I_h * 'I_w => (u p.1, v p.2)) by move=> [i j] [i' j'] [/ui -> /vi ->].
have h1' := conv_reshaped_taps (fun t : 'I_k * 'I_k' => (a t.1, b t.2)) pi pi l0 h1; rewrite card_prod !card_ord in h1'.
by case: (leP lam lam') => _; [exact: h1' | apply: mixed_dom].
Qed.
Theorem skew_exponential_lip degree (lam lam' : R) : isSome (exponential_window R degree) -> 0 <= lam -> 0 <= lam' ->
  dom (gram (reshaped skew_kernel)) (fun=> lam) -> dom (gram (mixed skew_kernel)) (fun=> lam') ->
  s ^+ 2 * ((k * k')%:R * Num.min lam lam') <= odflt 0 (exponential_window R degree) -> lip (truncated_exp skew_matrix degree).
Proof.
case hw: exponential_window => [win|] //= _ l0 l0' h1 h2 hs.
apply: (contraction_skew_exponential (fun i j => skew_matrix_skew j i) hw hs) => x.
have e : forall i j, gram skew_matrix i j = s ^+ 2 * gram (product_matrix u v u v a b skew_kernel) i j.
  by move=> i j; rewrite /gram mulr_sumr; apply: eq_bigr => l _; rewrite mulrACA -expr2.
rewrite (eq_quad x e) quadZ; apply: le_trans (ler_wpmul2l (sqr_ge0 s) (skew_kernel_dom l0 l0' h1 h2 x)) _.
by rewrite mulr_sumr; apply: ler_sum => i _; rewrite mulrA.
Qed.
End SkewKernel.

(* ---- Places on the lattice of an image with zeros around it, and on a circle; taps about the middle m of 2 m + 1 *)
Definition on_line n (i : 'I_n) : int := i%:Z.
Definition line_tap m k (i : 'I_k) : int := i%:Z - m%:Z.
Definition on_circle n (i : 'I_n) : 'I_n.-1.+1 := inZp i.
Definition circle_tap n m k (i : 'I_k) : 'I_n.-1.+1 := inZp i - inZp m.
Lemma on_line_inj n : injective (@on_line n).
Proof. by move=> i j [] /val_inj. Qed.
Lemma line_tap_turned m k (e : k = m.*2.+1) (i : 'I_k) : line_tap m (rev_ord i) = - line_tap m i.
Proof.
have := ltn_ord i; rewrite /line_tap /= opprB; move: (nat_of_ord i) => j; rewrite e ltnS subSS => hj.
by rewrite -subzn // -addnn PoszD; ring.
Qed.
Lemma on_circle_inj n : injective (@on_circle n).
Proof.
move=> i j /(congr1 val) /=; have n0 : (0 < n)%N by exact: leq_ltn_trans (ltn_ord i).
by rewrite (prednK n0) !modn_small // => /val_inj.
Qed.
Lemma circle_tap_turned n m k (e : k = m.*2.+1) (i : 'I_k) : circle_tap n m (rev_ord i) = - circle_tap n m i.
Proof.
have add x y : inZp (x + y) = inZp x + inZp y :> 'I_n.-1.+1 by apply: val_inj; rewrite /= modnDm.
have := ltn_ord i; rewrite /circle_tap /= opprB; move: (nat_of_ord i) => j; rewrite e ltnS subSS => hj.
by apply/eqP; rewrite subr_eq addrAC eq_sym subr_eq -!add subnK // addnn.
Qed.
