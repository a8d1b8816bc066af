(* The torus that a convolution is put on, with the cosines and sines of Turns.v: 2n x 2n places and as many frequencies; frequency u at place a
   turns by 2 u a of 4n parts. It is as Fourier.v asks, and a set of places that is small enough is carried to it without wrapping around. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Turns.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Torus.
Variables (R : realFieldType) (n m : nat) (c s : int -> R).
Hypotheses (H : circle n c s) (nm : n.*2 = m.+2).
Local Notation torus := ('I_m.+2 * 'I_m.+2)%type.
Definition angle (f : torus) (z : int * int) : int := 2%:Z * (f.1%:Z * z.1 + f.2%:Z * z.2).
Definition place (z : int * int) : torus := (z.1%:~R, z.2%:~R).
Definition lift (a : torus) : int * int := (a.1%:Z, a.2%:Z).
Definition torus_co (f a : torus) : R := c (angle f (lift a)).
Definition torus_si (f a : torus) : R := s (angle f (lift a)).

Lemma lift_int (z : int) : exists k : int, (z%:~R : 'I_m.+2)%:Z = z + m.+2%:Z * k.
Proof.
have pos (k : nat) : ((k%:Z)%:~R : 'I_m.+2)%:Z = (k %% m.+2)%N by rewrite -pmulrn Zp_nat.
have d (k : nat) : (k %% m.+2)%N%:Z = k%:Z - m.+2%:Z * (k %/ m.+2)%N%:Z.
  by rewrite [X in _ = X%:Z - _](divn_eq k m.+2) PoszD PoszM; ring.
case: (intP z) => [|k|k]; first by exists 0; rewrite mulr0 addr0.
  by exists (- (k.+1 %/ m.+2)%N%:Z); rewrite pos d; ring.
have -> : (- k.+1%:Z)%:~R = - (k.+1%:Z)%:~R :> 'I_m.+2 by rewrite mulrNz.
have e : (- (k.+1%:Z)%:~R : 'I_m.+2)%:Z = ((m.+2 - k.+1 %% m.+2) %% m.+2)%N.
  have [v] := pos k.+1; transitivity ((m.+2 - ((k.+1%:Z)%:~R : 'I_m.+2)) %% m.+2)%N%:Z; first by [].
  by rewrite v.
rewrite e d -subzn ?(ltnW (ltn_pmod _ _)) // d.
by exists (1 + (k.+1 %/ m.+2)%N%:Z - ((m.+2 - k.+1 %% m.+2) %/ m.+2)%N%:Z); ring.
Qed.
Lemma place_lift a : place (lift a) = a.
Proof. by case: a => a b; rewrite /place /lift /= -!pmulrn !natr_Zp. Qed.
Lemma placeD a b : place (a + b) = place a + place b.
Proof. by rewrite /place /= !mulrzDl. Qed.
Lemma placeB a b : place (a - b) = place a - place b.
Proof. by rewrite /place /= !mulrzBr. Qed.
Lemma turn_angle (f : torus) (z : int * int) : torus_co f (place z) = c (angle f z) /\ torus_si f (place z) = s (angle f z).
Proof.
have [k hk] := lift_int z.1; have [l hl] := lift_int z.2.
have e : angle f (lift (place z)) = angle f z + n.*2.*2%:Z * (f.1%:Z * k + f.2%:Z * l).
  by rewrite /angle /= hk hl nm -mul2n PoszM; ring.
by rewrite /torus_co /torus_si e !(circle_periodic H _ _).1 !(circle_periodic H _ _).2.
Qed.
Lemma angleB f a b : angle f (a - b) = angle f a - angle f b.
Proof. by rewrite /angle /=; ring. Qed.
Lemma torus_coB f a b : torus_co f (a - b) = torus_co f a * torus_co f b + torus_si f a * torus_si f b.
Proof.
rewrite -(place_lift a) -(place_lift b) -placeB !(turn_angle _ _).1 !(turn_angle _ _).2 angleB; exact: (circle_cB H).
Qed.
Lemma torus_siB f a b : torus_si f (a - b) = torus_si f a * torus_co f b - torus_co f a * torus_si f b.
Proof.
rewrite -(place_lift a) -(place_lift b) -placeB !(turn_angle _ _).1 !(turn_angle _ _).2 angleB; exact: (circle_sB H).
Qed.
Lemma torus_orthogonal a : \sum_f torus_co f a = if a == 0 then m.+2%:R ^+ 2 else 0.
Proof.
case: a => a b; rewrite sum_pair; case: eqP => [[-> ->]|ne].
  have one f : torus_co f (0, 0) = 1.
    by rewrite /torus_co [angle _ _](_ : _ = 0) ?(circle_c0 H) // /angle /lift /= -![Posz 0]/(0 : int) !mulr0.
  under eq_bigr => u _ do under eq_bigr => v _ do rewrite one.
  by rewrite !sumr_const card_ord -mulrnA natrM expr2.
have zero (z : 'I_m.+2) (x : int) : z != 0 -> \sum_(v < m.+2) c (x + 2%:Z * z%:Z * v%:Z) = 0.
  move=> z0; apply: (circle_sum H x _ _).1.
    apply: contra z0 => /eqP /(circle_faithful H); rewrite -mul2n PoszM dvdz_mul2l // nm => /dvdzP [q eq].
    apply/eqP/val_inj => /=; move: eq (ltn_ord z); case: q => [[|q]|q]; rewrite ?mul0r; first by case.
      by rewrite -PoszM => -[->]; rewrite ltnNge leq_pmull.
    by rewrite NegzE mulNr -PoszM; case: (z : nat).
  by rewrite [X in c X](_ : _ = n.*2.*2%:Z * z%:Z) ?(circle_turn H _).1 // -mul2n nm PoszM; ring.
have [b0|b0] := eqVneq b 0; last first.
  rewrite big1 // => u _; rewrite -[RHS](zero b (2%:Z * (u%:Z * a%:Z)) b0); apply: eq_bigr => v _.
  by rewrite /torus_co /angle /=; congr c; ring.
have [a0|a0] := eqVneq a 0; first by case: ne; rewrite a0 b0.
rewrite exchange_big big1 // => v _; rewrite -[RHS](zero a (2%:Z * (v%:Z * b%:Z)) a0); apply: eq_bigr => u _.
by rewrite /torus_co /angle /=; congr c; ring.
Qed.
(* nothing wraps around that is closer together than the torus is large *)
Definition extent (z : int * int) : nat := `|z.1| + `|z.2|.
Lemma extentD a b : (extent (a + b)%R <= extent a + extent b)%N.
Proof. by rewrite /extent addnACA leq_add // -lez_nat PoszD !abszE ler_norm_add. Qed.
Lemma place_inj a b : (extent a + extent b < m.+2)%N -> place a = place b -> a = b.
Proof.
have axis (y z : int) : (`|y| + `|z| < m.+2)%N -> y%:~R = z%:~R :> 'I_m.+2 -> y = z.
  move=> small e; have [k] := lift_int (y - z); rewrite mulrzBr e subrr => /esym/eqP; rewrite addr_eq0 => /eqP d.
  have le : (`|y - z| <= `|y| + `|z|)%N by rewrite -lez_nat PoszD !abszE ler_norm_sub.
  have := leq_ltn_trans le small; rewrite d abszN abszM /= -[X in (_ < X)%N]muln1 ltn_pmul2l // ltnS leqn0 absz_eq0 => /eqP k0.
  by apply/eqP; rewrite -subr_eq0 d k0 mulr0 oppr0.
case: a b => [y z] [y' z'] small [e1 e2]; congr pair; apply: axis => //; apply: leq_ltn_trans small; rewrite /extent /=.
  by rewrite leq_add ?leq_addr.
by rewrite leq_add ?leq_addl.
Qed.
End Torus.
