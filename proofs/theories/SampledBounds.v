(* Bounds of convolutions by Gram iteration at the frequencies of a grid, as compiled networks compute them and `lip prove --coq` writes them: the
   polyphase kernel, half of the grid, and the Frobenius norm of complex matrices, of which the real ones here hold every number twice. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Operators Lattice Polyphase Turns Torus Sampling Symbol Architecture Strides Frequencies.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- Gram iteration of a complex matrix, lam = 0 included *)
Section Complex.
Variables (R : realFieldType) (A B : finType).
Lemma complex_gram (W : A * bool -> B * bool -> R) : complex_form W -> complex_form (gram W).
Proof.
move=> hW i j; rewrite /gram !sum_pair; split; last rewrite -sumrN; apply: eq_bigr => k _; rewrite !big_bool /=;
  by have [-> ->] := hW k i; have [-> ->] := hW k j; ring.
Qed.
Lemma complex_square (S : B * bool -> B * bool -> R) : complex_form S -> complex_form (square S).
Proof.
move=> hS i j; rewrite /square !sum_pair; split; last rewrite -sumrN; apply: eq_bigr => k _; rewrite !big_bool /=;
  by have [-> ->] := hS i k; have [-> ->] := hS k j; ring.
Qed.
Lemma complex_power_dom (k : nat) (S : B * bool -> B * bool -> R) (lam : R) : (forall i j, S i j = S j i) -> complex_form S -> 0 < lam ->
  frob (iter k (@square R _) S) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2 -> dom S (fun=> lam).
Proof.
elim: k S lam => [|k ih] S lam hS cS l0 h.
  by move=> v; rewrite sum_const; exact: complex_quad cS (ltW l0) h.
apply: gram_step => //; apply: eq_dom (square_gram hS) _; apply: ih; [exact: square_sym | exact: complex_square | by rewrite exprn_gt0 |].
by rewrite -iterSr -[(lam ^+ 2) ^+ _]exprM -expnS.
Qed.
Theorem complex_iterated_dom (k : nat) (W : A * bool -> B * bool -> R) (lam : R) : complex_form W -> 0 <= lam ->
  frob (iter k (@square R _) (gram W)) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2 -> dom (gram W) (fun=> lam).
Proof.
move=> cW l0 h; apply: dom_limit => e e0; have lle : lam <= lam + e by rewrite ler_addl ltW.
apply: (@complex_power_dom k) => [i j|||]; [exact: gramC | exact: complex_gram | by rewrite ltr_paddl |].
by apply: le_trans h _; rewrite ler_wpmul2l ?ler0n // !ler_expn2r ?nnegrE ?exprn_ge0 // (le_trans l0).
Qed.
End Complex.
Lemma symbol_at_complex (R : realFieldType) (c s : int -> R) (O C : finType) kh kw (K : O -> C -> 'I_kh * 'I_kw -> R) u v :
  complex_form (symbol_at c s K u v).
Proof. by []. Qed.

(* ---- The sampled symbol of the polyphase kernel: a bound on the lattice. lam is at least what Gram iteration finds at the points of the grid. *)
Section Sampled.
Variables (R : rcfType) (N : nat) (c s : int -> R) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (k Dh Dw : nat) (lam : R).
Definition sampled_symbol (u v : nat) := symbol_at c s (polyphase_kernel K) (4%:Z * u%:Z) (4%:Z * v%:Z).
Definition sampled_bound : R := lam / (c Dh%:Z * c Dw%:Z) ^+ 2.
Hypotheses (H : circle N c s) (valid : valid_geometry g) (dh : (0 < dil_h g)%N) (dw : (0 < dil_w g)%N).
Hypotheses (kDh : (phase_taps (ker_h g) (stride_h g) (dil_h g) <= Dh.+1)%N) (kDw : (phase_taps (ker_w g) (stride_w g) (dil_w g) <= Dw.+1)%N).
Hypotheses (sh : samples Dh N) (sw : samples Dw N) (l0 : 0 <= lam).
Hypothesis iterated : forall u v : 'I_N, (v.*2 <= N)%N ->
  frob (iter k (@square R _) (gram (sampled_symbol u v))) <= 2%:R * (lam ^+ (2 ^ k)) ^+ 2.
Lemma sampled_bound_ge0 : 0 <= sampled_bound.
Proof. by rewrite divr_ge0 ?sqr_ge0. Qed.
Theorem sampled_bounded : bounded_on (stride_places g) (@off g) K (fun=> sampled_bound).
Proof.
have p0 : 0 < (c Dh%:Z * c Dw%:Z) ^+ 2.
  have [ch cw] : 0 < c Dh%:Z /\ 0 < c Dw%:Z by split; apply: (circle_c_gt0 H); exact: (samples_lt H (muln1 N)).
  by rewrite exprn_gt0 // mulr_gt0.
have lm : lam <= sampled_bound * (c Dh%:Z * c Dw%:Z) ^+ 2 by rewrite /sampled_bound divfK // gt_eqF.
have h (u v : 'I_N) (half : (v.*2 <= N)%N) := complex_iterated_dom (symbol_at_complex _ _ _ _ _) l0 (@iterated u v half).
apply: (polyphase_bounded valid dh dw (T' := fun=> sampled_bound)) => [_|_ _|P Q pin pout ii io _] //; first exact: sampled_bound_ge0.
have [d _] := symbol_grid_dom H (1, 1) (0, 0) ii io kDh kDw sh sw l0 lm (half_grid H h).
apply: eq_gram_dom d => oq cp; apply: eq_bigl => t; congr (_ == _ + _).
by rewrite /tap_place /plain_off /= !mul1r !addr0.
Qed.
End Sampled.
