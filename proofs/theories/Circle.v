(* Circular padding: a bound of a kernel on the lattice of all places holds on a circle. A circle repeated n times along each axis is a window of
   the lattice but for its border, whose share goes to 0; so the field is Archimedean, as the reals are. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Lattice.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- Convolution modulo periods; taps that meet add up. *)
Section Periodic.
Variables (R : realFieldType) (L : zmodType) (period : pred L) (O C P Q S : finType).
Variables (pin : P -> L) (pout : Q -> L) (off : S -> L) (K : O -> C -> S -> R).

Definition periodic_matrix (oq : O * Q) (cp : C * P) : R :=
  \sum_(s | period (pout oq.2 + off s - pin cp.2)) K oq.1 cp.1 s.

(* inputs at all translations by u, outputs at those by v *)
Section Unrolled.
Variables (U V : finType) (u : U -> L) (v : V -> L).
Definition unrolled_in (pt : P * U) : L := pin pt.1 + u pt.2.
Definition unrolled_out (qw : Q * V) : L := pout qw.1 + v qw.2.
Hypothesis unique : injective unrolled_in.
Hypothesis covered : forall p q s w,
  period (pout q + off s - pin p) <-> exists t, pin p + u t = pout q + v w + off s.

Lemma unrolled (T : C -> R) x : dom (gram (conv_matrix unrolled_in unrolled_out off K)) (fun cp => T cp.1) ->
  #|V|%:R * sqn (periodic_matrix *v x) <= #|U|%:R * \sum_cp T cp.1 * x cp ^+ 2.
Proof.
pose X : {ffun C * (P * U) -> R} := [ffun cpt => x (cpt.1, cpt.2.1)].
move=> /dom_gram /(_ X); rewrite -convE.
have e o q w : conv unrolled_in unrolled_out off K X (o, (q, w)) = (periodic_matrix *v x) (o, q).
  rewrite !ffunE sum_pair; apply: eq_bigr => c _.
  under [RHS]eq_bigr => p _ do rewrite /periodic_matrix /= mulr_suml.
  rewrite [RHS](exchange_big_dep predT) //=; apply: eq_bigr => s _; rewrite -mulr_sumr; congr (_ * _).
  rewrite (partition_big (fun pt => pt.1) (fun p => period (pout q + off s - pin p))) /= => [|[p t] /= /eqP e]; last first.
    by apply/(covered p q s w); exists t.
  apply: eq_bigr => p hp; have [t et] := (covered p q s w).1 hp; rewrite (big_pred1 (p, t)) ?ffunE // => -[p' t'] /=.
  rewrite -[X in _ == X]et -[pin p + u t]/(unrolled_in (p, t)) (inj_eq unique) andb_idr // => /eqP [-> _] //.
rewrite !sqnE !sum_pair => h.
have eL : \sum_o \sum_qw conv unrolled_in unrolled_out off K X (o, qw) ^+ 2
    = #|V|%:R * \sum_o \sum_q (periodic_matrix *v x) (o, q) ^+ 2.
  rewrite mulr_sumr; apply: eq_bigr => o _; rewrite sum_pair mulr_sumr; apply: eq_bigr => q _.
  by under eq_bigr => w _ do rewrite e; rewrite sumr_const mulr_natl.
have eR : \sum_c \sum_pt T c * X (c, pt) ^+ 2 = #|U|%:R * \sum_c \sum_p T c * x (c, p) ^+ 2.
  rewrite mulr_sumr; apply: eq_bigr => c _; rewrite sum_pair mulr_sumr; apply: eq_bigr => p _.
  by under eq_bigr => t _ do rewrite ffunE /=; rewrite sumr_const mulr_natl.
by rewrite -eL -eR.
Qed.
End Unrolled.
End Periodic.

Lemma border_vanishes (R : archiFieldType) (a b : R) (d : nat) : 0 <= a ->
  (forall n : nat, (n.+1 ^ 2)%:R * a <= ((n.+1 + d) ^ 2)%:R * b) -> a <= b.
Proof.
move=> a0 h; rewrite leNgt; apply/negP => ba.
have b0 : 0 <= b.
  by have := le_trans (mulr_ge0 (ler0n _ _) a0) (h 0%N); rewrite pmulr_rge0 // ltr0n expn_gt0 addSn.
have ab : 0 < a - b by rewrite subr_gt0.
pose m := (2 * d + d ^ 2)%N; have q0 : 0 <= m%:R * b / (a - b) by rewrite divr_ge0 ?mulr_ge0 ?ler0n ?(ltW ab).
have := archi_boundP q0; set n := Num.bound _; rewrite ltr_pdivr_mulr // => lt_n.
have := h n; apply/negP; rewrite -ltNge -subr_gt0.
have -> : (n.+1 ^ 2)%:R * a - ((n.+1 + d) ^ 2)%:R * b = n.+1%:R ^+ 2 * (a - b) - (2%:R * n.+1%:R * d%:R + d%:R ^+ 2) * b.
  by rewrite !natrX natrD; ring.
rewrite subr_gt0; apply: le_lt_trans (_ : n.+1%:R * (m%:R * b) < _).
  rewrite mulrA ler_wpmul2r // /m natrD natrM natrX mulrDr.
  have -> : n.+1%:R * (2%:R * d%:R) = 2%:R * n.+1%:R * d%:R :> R by ring.
  by rewrite ler_add2l -[X in X <= _]mul1r ler_wpmul2r ?exprn_ge0 ?ler0n // ler1n.
rewrite expr2 -mulrA ltr_pmul2l ?ltr0n //; apply: lt_trans lt_n _; rewrite ltr_pmul2r //.
by rewrite ltr_nat.
Qed.

(* ---- Images: circles of h rows and w columns. *)
Section Image.
Variables (R : archiFieldType) (h w : nat) (O C P Q S : finType).
Variables (pin : P -> int * int) (pout : Q -> int * int) (off : S -> int * int) (K : O -> C -> S -> R).
Definition turn (l : int * int) : bool := (h%:Z %| l.1)%Z && (w%:Z %| l.2)%Z.
Hypotheses (h_gt0 : (0 < h)%N) (w_gt0 : (0 < w)%N).
(* no two inputs, and no two outputs, are one place of the circle *)
Hypotheses (pin_once : forall p p', turn (pin p - pin p') -> p = p') (pout_once : forall q q', turn (pout q - pout q') -> q = q').

Definition turns (m : nat) (b : int) (t : 'I_m * 'I_m) : int * int := (h%:Z * (t.1%:Z - b), w%:Z * (t.2%:Z - b)).
Lemma turn_turns m b t : turn (@turns m b t).
Proof. by rewrite /turn /= !dvdz_mulr. Qed.
Lemma turns_inj m b : injective (@turns m b).
Proof.
move=> [i j] [i' j'] []; have hn (k : nat) : (0 < k)%N -> k%:Z != 0 by case: k.
move=> /(mulfI (hn _ h_gt0)) /addIr [] /val_inj -> /(mulfI (hn _ w_gt0)) /addIr [] /val_inj -> //.
Qed.
Lemma unrolled_inj (I : finType) (place : I -> int * int) m b : (forall i i', turn (place i - place i') -> i = i') ->
  injective (unrolled_in place (@turns m b)).
Proof.
move=> once [i t] [i' t'] e; have ii : i = i'.
  apply: once; have -> : place i - place i' = turns b t' - turns b t.
    by apply/eqP; rewrite subr_eq addrAC eq_sym subr_eq addrC -/(unrolled_in _ _ (i', t')) -e /unrolled_in addrC.
  rewrite /turn /=; apply/andP; split; rewrite rpredB ?dvdz_mulr //.
by move: e; rewrite /unrolled_in /= ii => /addrI /turns_inj ->.
Qed.

Lemma window m c (k : int) (j : 'I_m) : (`|k|%N <= c)%N -> exists i : 'I_(m + 2 * c), i%:Z - c%:Z = k + j%:Z.
Proof.
move=> kc; have ge0 : 0 <= k + c%:Z.
  by rewrite -ler_subl_addr sub0r ler_oppl; apply: le_trans (_ : `|k|%:Z <= _); rewrite ?lez_nat // abszE ler_normr lexx orbT.
have le2 : k + c%:Z <= (2 * c)%N%:Z.
  rewrite mul2n -addnn PoszD ler_add2r; apply: le_trans (_ : `|k|%:Z <= _); rewrite ?lez_nat // abszE; exact: ler_norm.
have e : (absz (k + c%:Z + j%:Z))%:Z = k + c%:Z + j%:Z by rewrite gez0_abs // addr_ge0.
have lt : (absz (k + c%:Z + j%:Z)%R < m + 2 * c)%N.
  rewrite -ltz_nat e PoszD [X in _ < X]addrC; apply: le_lt_trans (_ : (2 * c)%N%:Z + j%:Z < _); first by rewrite ler_add2r.
  by rewrite ltr_add2l ltz_nat.
by exists (Ordinal lt); rewrite /= e addrAC addrK.
Qed.

Lemma periodic_windows (T : C -> R) :
  (forall m n b b', dom (gram (conv_matrix (unrolled_in pin (@turns m b)) (unrolled_out pout (@turns n b')) off K)) (fun cp => T cp.1)) ->
  dom (gram (periodic_matrix turn pin pout off K)) (fun cp => T cp.1).
Proof.
move=> hK; apply/dom_gram => x.
pose place (a : P * Q * S) := pout a.1.2 + off a.2 - pin a.1.1.
pose c := \max_a maxn `|(place a).1| `|(place a).2|.
apply: (@border_vanishes R _ _ (2 * c)); first exact: sqn_ge0.
move=> n; have := @unrolled R _ turn O C P Q S pin pout off K _ _ (@turns (n.+1 + 2 * c) c) (@turns n.+1 0) _ _ T x.
rewrite !card_prod !card_ord; apply; first exact: unrolled_inj.
  move=> p q s t; split=> [|[t' e]]; last first.
    have -> : pout q + off s - pin p = turns c t' - turns 0 t.
      by apply/eqP; rewrite subr_eq addrAC -subr_eq opprK addrAC -e addrC.
    by rewrite /turn /=; apply/andP; split; rewrite rpredB ?dvdz_mulr.
  rewrite -[_ - _]/(place (p, q, s)) => /andP [/dvdzP [k1 e1] /dvdzP [k2 e2]].
  have small (k : int) (d : nat) : (0 < d)%N -> (absz (k * d%:Z)%R <= c)%N -> (absz k <= c)%N.
    by move=> d0; apply: leq_trans; rewrite abszM leq_pmulr.
  have m : (maxn `|(place (p, q, s)).1| `|(place (p, q, s)).2| <= c)%N by rewrite /c (bigD1 (p, q, s)) //= leq_maxl.
  move: m; rewrite geq_max e1 e2 => /andP [/(small _ _ h_gt0) m1 /(small _ _ w_gt0) m2].
  have [i1 f1] := window t.1 m1; have [i2 f2] := window t.2 m2.
  exists (i1, i2); have -> : turns c (i1, i2) = place (p, q, s) + turns 0 t.
    by case: (place _) e1 e2 => a b /= -> ->; apply: injective_projections; rewrite /= ?f1 ?f2 subr0 mulrDr ?(mulrC k1) ?(mulrC k2).
  by rewrite addrA [pin p + _]addrC subrK addrAC.
exact: hK.
Qed.
End Image.

(* ---- A bound on the lattice, of inputs or of outputs, holds on the circle, where outputs are at the same places on every turn (the stride divides
        the circle) and none is repeated. *)
Section Circle.
Variables (R : archiFieldType) (h w : nat) (O C P Q S : finType) (here : pred (int * int)).
Variables (pin : P -> int * int) (pout : Q -> int * int) (off : S -> int * int) (K : O -> C -> S -> R).
Hypotheses (h_gt0 : (0 < h)%N) (w_gt0 : (0 < w)%N).
Hypotheses (pin_once : forall p p', turn h w (pin p - pin p') -> p = p').
Hypotheses (pout_once : forall q q', turn h w (pout q - pout q') -> q = q').
Hypotheses (here_turns : forall l k, here l -> turn h w k -> here (l + k)) (at_here : forall q, here (pout q)).

Theorem periodic_dom (T : C -> R) : bounded_on here off K T ->
  dom (gram (periodic_matrix (turn h w) pin pout off K)) (fun cp => T cp.1).
Proof.
move=> hK; apply: periodic_windows => // m n b b'; apply: hK; [exact: unrolled_inj | exact: unrolled_inj |].
by move=> [q t]; apply: here_turns; [exact: at_here | exact: turn_turns].
Qed.
Theorem periodic_rows_dom (T : O -> R) : bounded_rows_on here off K T ->
  dom (gram (adj (periodic_matrix (turn h w) pin pout off K))) (fun oq => T oq.1).
Proof.
move=> hK; have turnN l : turn h w (- l) = turn h w l by rewrite /turn /= !dvdzE !abszN.
apply: (@eq_gram_dom _ _ _ (periodic_matrix (turn h w) pout pin (fun s => - off s) (fun c o s => K o c s))).
  move=> cp oq; apply: eq_bigl => s; rewrite -turnN; congr turn; by rewrite !opprD !opprK addrC addrA addrAC.
apply: periodic_windows => // m n b b'.
have h1 := hK _ _ (unrolled_in pin (@turns h w n b')) (unrolled_in pout (@turns h w m b)).
apply: eq_gram_dom (h1 _ _ _) => [cp oq|||[q t]]; first by rewrite adj_conv_matrix.
- exact: unrolled_inj.
- exact: unrolled_inj.
by apply: here_turns; [exact: at_here | exact: turn_turns].
Qed.
End Circle.
