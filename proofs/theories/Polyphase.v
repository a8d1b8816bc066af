(* Stride and dilation: but for the places of pixels, a convolution with a stride is one of stride 1 with more channels, its polyphase kernel, and a
   convolution with a dilation is separate copies of one without. So a bound of the polyphase kernel on the lattice holds for it. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Lattice Circle.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- Partial injections: `at` says which i is at j; each j has one i at most, each i is at one j at most. *)
Section Placement.
Variables (R : realFieldType) (I J : finType) (at_ : J -> I -> bool).
Hypotheses (one_in : forall j i i', at_ j i -> at_ j i' -> i = i') (one_out : forall j j' i, at_ j i -> at_ j' i -> j = j').
Lemma placement_le (T' : J -> R) (T : I -> R) (x : {ffun I -> R}) : (forall i, 0 <= T i) ->
  (forall j i, at_ j i -> T' j <= T i) -> \sum_j T' j * ((fun j i => (at_ j i)%:R) *v x) j ^+ 2 <= \sum_i T i * x i ^+ 2.
Proof.
move=> T0 TT; have e j : ((fun j i => (at_ j i)%:R) *v x) j ^+ 2 = \sum_(i | at_ j i) x i ^+ 2.
  rewrite ffunE; have -> : \sum_i (at_ j i)%:R * x i = \sum_(i | at_ j i) x i.
    by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; case: (at_ j i); rewrite ?mul1r ?mul0r.
  have [i hi|none] := pickP (at_ j); last by rewrite !big_pred0 // expr0n.
  have one : at_ j =1 pred1 i by move=> i'; apply/idP/eqP => [/(one_in hi)|->].
  by rewrite !(eq_bigl _ _ one) !big_pred1_eq.
under eq_bigr => j _ do rewrite e mulr_sumr.
rewrite (exchange_big_dep predT) //=; apply: ler_sum => i _; rewrite -mulr_suml ler_wpmul2r ?sqr_ge0 //.
have [j hj|none] := pickP (fun j => at_ j i); last by rewrite big_pred0.
by rewrite (big_pred1 j) ?TT // => j'; apply/idP/eqP => [/(one_out hj)|->].
Qed.
End Placement.
Lemma placement_sqn (R : realFieldType) (I J : finType) (at_ : J -> I -> bool) x :
  (forall j i i', at_ j i -> at_ j i' -> i = i') -> (forall j j' i, at_ j i -> at_ j' i -> j = j') ->
  sqn ((fun j i => (at_ j i)%:R : R) *v x) <= sqn x.
Proof.
move=> h1 h2; have := @placement_le R _ _ at_ h1 h2 (fun=> 1) (fun=> 1) x (fun=> ler01) (fun _ _ _ => lexx _).
by rewrite !sum_const !mul1r.
Qed.

(* ---- Phases: tap s reads phase (phase s).1 of the input, at tap (phase s).2 of that phase's kernel. *)
Section Phases.
Variables (R : realFieldType) (L L' : zmodType) (here : pred L) (O C S S' E : finType).
Variables (off : S -> L) (off' : S' -> L') (phase : S -> E * S') (place : E * L' -> L) (row : L -> L') (K : O -> C -> S -> R).
Hypotheses (place_inj : injective place) (row_inj : {in here &, injective row}).
Hypothesis read : forall l s, here l -> l + off s = place ((phase s).1, row l + off' (phase s).2).
Definition phased (o : O) (cr : C * E) (t : S') : R := \sum_(s | phase s == (cr.2, t)) K o cr.1 s.

Section Window.
Variables (P Q : finType) (pin : P -> L) (pout : Q -> L).
Hypotheses (ii : injective pin) (io : injective pout) (at_here : forall q, here (pout q)).
Let D := undup [seq row (pout q) + off' t | q <- enum Q, t <- enum S'].
Let mid (d : seq_sub D) : L' := ssval d.
Let mid_inj : injective mid. Proof. exact: val_inj. Qed.
Let inD q t : row (pout q) + off' t \in D.
Proof. by rewrite mem_undup; apply/allpairsP; exists (q, t); rewrite !mem_enum. Qed.
Let rows_inj : injective (row \o pout).
Proof. by move=> q q' /(row_inj (at_here q) (at_here q')) /io. Qed.
Let at_ (j : (C * E) * seq_sub D) (i : C * P) : bool := (j.1.1 == i.1) && (pin i.2 == place (j.1.2, mid j.2)).
Let B := conv_matrix mid (row \o pout) off' phased.

Lemma phases_factor oq cp : conv_matrix pin pout off K oq cp = \sum_j B oq j * (at_ j cp)%:R.
Proof.
case: oq cp => o q [c p]; rewrite sum_pair /= sum_pair /= (bigD1 c) //= [X in _ + X]big1 ?addr0 => [|c' cc]; last first.
  by rewrite big1 // => r _; rewrite big1 // => m _; rewrite /at_ /= (negbTE cc) mulr0.
have inner r : \sum_m B (o, q) ((c, r), m) * (at_ ((c, r), m) (c, p))%:R
    = \sum_t phased o (c, r) t * (pin p == place (r, row (pout q) + off' t))%:R.
  rewrite /B /conv_matrix /=; under eq_bigr => m _ do rewrite mulr_suml.
  rewrite (exchange_big_dep predT) //=; apply: eq_bigr => t _.
  by rewrite -[row (pout q) + off' t]/(mid (SeqSub (inD q t))) (sum_injective _ _ mid_inj) /at_ /= eqxx.
under eq_bigr => r _ do rewrite inner; rewrite pair_bigA /=.
under eq_bigr => rt _ do rewrite /phased mulr_suml -surjective_pairing.
rewrite (exchange_big_dep predT) //= /conv_matrix big_mkcond; apply: eq_bigr => s _ /=.
by rewrite (big_pred1 (phase s)) => [|rt]; rewrite 1?eq_sym // -read ?at_here // [_ == pin p]eq_sym; case: eqP; rewrite ?mulr1 ?mulr0.
Qed.
Let at_in : forall j i i', at_ j i -> at_ j i' -> i = i'.
Proof.
by move=> j [c p] [c' p'] /andP [/eqP /= <- /eqP e] /andP [/eqP /= <- /eqP e']; congr (_, _); apply: ii; rewrite e e'.
Qed.
Let at_out : forall j j' i, at_ j i -> at_ j' i -> j = j'.
Proof.
move=> [[c r] m] [[c' r'] m'] i /andP [/eqP /= -> /eqP e] /andP [/eqP /= -> /eqP /= e'].
by move: e'; rewrite e => /place_inj [-> /mid_inj ->].
Qed.
Lemma phases_dom (T' : C * E -> R) (T : C -> R) : (forall c, 0 <= T c) -> (forall c r, T' (c, r) <= T c) ->
  bounded_on predT off' phased T' -> dom (gram (conv_matrix pin pout off K)) (fun cp => T cp.1).
Proof.
move=> T0 TT h; apply/dom_gram => x; rewrite (eq_mulv x phases_factor) mulv_comp.
have /dom_gram hB := h _ _ mid (row \o pout) mid_inj rows_inj (fun=> isT).
apply: le_trans (hB _) _; apply: (placement_le at_in at_out (T' := fun j => T' j.1) (T := fun i => T i.1)) => [i|]; first exact: T0.
by move=> [[c r] m] [c' p] /andP [/eqP /= <-].
Qed.
Lemma phases_rows_dom (T : O -> R) : bounded_rows_on predT off' phased T ->
  dom (gram (adj (conv_matrix pin pout off K))) (fun oq => T oq.1).
Proof.
move=> h; apply/dom_gram => y.
have -> : adj (conv_matrix pin pout off K) *v y = (fun i j => (at_ j i)%:R) *v (adj B *v y).
  by rewrite -mulv_comp; apply: eq_mulv => cp oq; rewrite /adj phases_factor; apply: eq_bigr => j _; rewrite mulrC.
apply: le_trans (@placement_sqn _ _ _ (fun i j => at_ j i) _ _ _) _ => [i j j'|i i' j|].
- exact: at_out.
- exact: at_in.
by have /dom_gram := h _ _ mid (row \o pout) mid_inj rows_inj (fun=> isT).
Qed.
End Window.

Theorem phases_bounded (T' : C * E -> R) (T : C -> R) : (forall c, 0 <= T c) -> (forall c r, T' (c, r) <= T c) ->
  bounded_on predT off' phased T' -> bounded_on here off K T.
Proof. by move=> T0 TT h P Q pin pout ii io hq; exact: (@phases_dom _ _ _ _ ii io hq T' T T0 TT h). Qed.
Theorem phases_rows_bounded (T : O -> R) : bounded_rows_on predT off' phased T -> bounded_rows_on here off K T.
Proof. by move=> h P Q pin pout ii io hq; exact: (@phases_rows_dom _ _ _ _ ii io hq T h). Qed.
End Phases.

(* ---- Copies: places in different classes never meet, and each class looks like the lattice L'. *)
Section Copies.
Variables (R : realFieldType) (L L' : zmodType) (A : finType) (class : L -> A) (coordinate : L -> L').
Hypothesis together : forall l l', class l = class l' -> coordinate l = coordinate l' -> l = l'.

Lemma copies_dom (O C S P Q : finType) (off : S -> L) (off' : S -> L') (K : O -> C -> S -> R) (T : C -> R) (pin : P -> L) (pout : Q -> L) :
  (forall l s, class (l + off s) = class l) -> (forall l s, coordinate (l + off s) = coordinate l + off' s) ->
  bounded_on predT off' K T -> injective pin -> injective pout -> dom (gram (conv_matrix pin pout off K)) (fun cp => T cp.1).
Proof.
move=> hc hcoord h ii io; apply/dom_gram => x.
pose Pa a := {p : P | class (pin p) == a}; pose Qa a := {q : Q | class (pout q) == a}.
pose xa a : {ffun C * Pa a -> R} := [ffun cp => x (cp.1, val cp.2)].
pose pina a (p : Pa a) := coordinate (pin (val p)); pose pouta a (q : Qa a) := coordinate (pout (val q)).
have piinj a : injective (@pina a).
  by move=> [p hp] [p' hp'] e; apply/val_inj/ii/together; rewrite //= (eqP hp) (eqP hp').
have poinj a : injective (@pouta a).
  by move=> [q hq] [q' hq'] e; apply/val_inj/io/together; rewrite //= (eqP hq) (eqP hq').
have part a o (q : Qa a) : (conv_matrix pin pout off K *v x) (o, val q) = (conv_matrix (@pina a) (@pouta a) off' K *v xa a) (o, q).
  rewrite -!convE !ffunE /=; apply: eq_bigr => c _; apply: eq_bigr => s _; congr (_ * _).
  have hq : class (pout (val q)) = a by exact/eqP/(valP q).
  pose F p := if coordinate (pin p) == coordinate (pout (val q)) + off' s then x (c, p) else 0.
  transitivity (\sum_(p | class (pin p) == a) F p); last first.
    by rewrite -(sum_sub (fun p => class (pin p) == a) F) [RHS]big_mkcond; apply: eq_bigr => p _; rewrite ffunE.
  rewrite -big_mkcondr; apply: eq_bigl => p; apply/eqP/andP => [->|[/eqP e1 /eqP e2]].
    by rewrite hc hcoord hq !eqxx.
  by apply: together; rewrite ?hc ?hcoord ?e1 ?hq.
rewrite sqnE sum_pair.
have -> : \sum_o \sum_q (conv_matrix pin pout off K *v x) (o, q) ^+ 2
    = \sum_a sqn (conv_matrix (@pina a) (@pouta a) off' K *v xa a).
  under [RHS]eq_bigr => a _ do rewrite sqnE sum_pair.
  rewrite [RHS]exchange_big; apply: eq_bigr => o _ /=.
  rewrite (partition_big (class \o pout) predT) //=; apply: eq_bigr => a _.
  rewrite -(sum_sub (fun q => class (pout q) == a) (fun q => (conv_matrix pin pout off K *v x) (o, q) ^+ 2)).
  by apply: eq_bigr => q _; rewrite part.
have -> : \sum_i T i.1 * x i ^+ 2 = \sum_a \sum_i T i.1 * xa a i ^+ 2.
  under [RHS]eq_bigr => a _ do rewrite sum_pair.
  rewrite [RHS]exchange_big sum_pair; apply: eq_bigr => c _ /=.
  rewrite (partition_big (class \o pin) predT) //=; apply: eq_bigr => a _.
  rewrite -(sum_sub (fun p => class (pin p) == a) (fun p => T c * x (c, p) ^+ 2)).
  by apply: eq_bigr => p _; rewrite ffunE.
by apply: ler_sum => a _; have /dom_gram := h _ _ _ _ (piinj a) (poinj a) (fun=> isT); exact.
Qed.

Variables (O C S : finType) (off : S -> L) (off' : S -> L') (K : O -> C -> S -> R).
Hypotheses (stays : forall l s, class (l + off s) = class l) (moves : forall l s, coordinate (l + off s) = coordinate l + off' s).
Theorem copies_bounded (T : C -> R) : bounded_on predT off' K T -> bounded_on predT off K T.
Proof. by move=> h P Q pin pout ii io _; exact: copies_dom stays moves h ii io. Qed.
Theorem copies_rows_bounded (T : O -> R) : bounded_rows_on predT off' K T -> bounded_rows_on predT off K T.
Proof.
move=> h P Q pin pout ii io _.
apply: (@eq_gram_dom _ _ _ (conv_matrix pout pin (fun s => - off s) (fun c o s => K o c s))) => [cp oq|]; first by rewrite adj_conv_matrix.
apply: (@copies_dom _ _ _ _ _ _ (fun s => - off' s)) => // [l s|l s|P' Q' pin' pout' ii' io' _].
- by rewrite -[in RHS](subrK (off s) l) stays.
- by rewrite -[in RHS](subrK (off s) l) moves addrK.
apply: eq_gram_dom (h _ _ pout' pin' io' ii' (fun=> isT)) => cp oq; by rewrite adj_conv_matrix.
Qed.
End Copies.

(* ---- One axis: s = g e and d = g f with coprime e and f; tap t = e t' + r reads the places of phase r. *)
Section Axis.
Variables (s d : nat).
Definition phase_count : nat := s %/ gcdn s d.
Definition phase_step : nat := d %/ gcdn s d.
Local Notation g := (gcdn s d). Local Notation e := phase_count. Local Notation f := phase_step.
Hypotheses (s0 : (0 < s)%N) (d0 : (0 < d)%N).
Lemma gcd_gt0 : (0 < g)%N. Proof. by rewrite gcdn_gt0 s0. Qed.
Lemma strideE : s = (g * e)%N. Proof. by rewrite mulnC divnK // dvdn_gcdl. Qed.
Lemma dilationE : d = (g * f)%N. Proof. by rewrite mulnC divnK // dvdn_gcdr. Qed.
Lemma phase_count_gt0 : (0 < e)%N. Proof. by move: s0; rewrite {1}strideE muln_gt0 => /andP []. Qed.
Lemma phase_step_gt0 : (0 < f)%N. Proof. by move: d0; rewrite {1}dilationE muln_gt0 => /andP []. Qed.
Lemma phase_coprime : coprime e f.
Proof.
have := muln_gcdr g e f; rewrite -strideE -dilationE => /eqP.
by rewrite -{2}[g]muln1 eqn_pmul2l ?gcd_gt0 // eq_sym.
Qed.

Definition phase_place (pad : int) (r : nat) (m : int) : int := g%:Z * (e%:Z * m + f%:Z * r%:Z) - pad.
Lemma phase_place_inj pad r r' m m' : (r < e)%N -> (r' < e)%N -> phase_place pad r m = phase_place pad r' m' -> r = r' /\ m = m'.
Proof.
move=> hr hr' /addIr /mulfI cancel; have h : e%:Z * m + f%:Z * r%:Z = e%:Z * m' + f%:Z * r'%:Z.
  by apply: cancel; have := gcd_gt0; case: g.
have rr : r = r'.
  have : (e%:Z %| f%:Z * (r%:Z - r'%:Z))%Z.
    have -> : f%:Z * (r%:Z - r'%:Z) = e%:Z * (m' - m) by move/eqP: h; rewrite -subr_eq0 => /eqP h; apply/eqP; rewrite -subr_eq0 -h; apply/eqP; ring.
    exact: dvdz_mulr.
  rewrite Gauss_dvdzr; last exact: phase_coprime.
  by rewrite -eqz_mod_dvd !modz_nat !modn_small // => /eqP [].
split=> //; move: h; rewrite rr => /addIr /mulfI; apply.
by have := phase_count_gt0; case: e.
Qed.
Lemma phase_read pad l t : (s%:Z %| l)%Z ->
  l + (d%:Z * t%:Z - pad) = phase_place pad (t %% e) ((l %/ s)%Z + f%:Z * (t %/ e)%N%:Z).
Proof.
move=> /divzK; move: (l %/ s)%Z => k <-; rewrite /phase_place.
have es : s%:Z = g%:Z * e%:Z by rewrite -PoszM; congr Posz; exact: strideE.
have ed : d%:Z = g%:Z * f%:Z by rewrite -PoszM; congr Posz; exact: dilationE.
have et : t%:Z = (t %/ e)%N%:Z * e%:Z + (t %% e)%N%:Z by rewrite -PoszM -PoszD; congr Posz; exact: divn_eq.
by rewrite es ed et; move: (g%:Z) (e%:Z) (f%:Z) (_ %/ _)%N (_ %% _)%N => a b c x y; ring.
Qed.
End Axis.
Section Classes.
Variable f : nat.
Hypothesis f0 : (0 < f)%N.
Let fz : f%:Z != 0. Proof. by rewrite eqz_nat -lt0n. Qed.
Lemma residue_lt (l : int) : (absz (l %% f)%Z < f)%N.
Proof. by rewrite -ltz_nat gez0_abs ?modz_ge0 // ltz_pmod. Qed.
Definition residue (l : int) : 'I_f := Ordinal (residue_lt l).
Lemma residue_together (l l' : int) : residue l = residue l' -> (l %/ f)%Z = (l' %/ f)%Z -> l = l'.
Proof.
move=> [] e1 e2; rewrite (divz_eq l f) (divz_eq l' f) e2; congr (_ + _).
by rewrite -[LHS]gez0_abs ?modz_ge0 // e1 gez0_abs ?modz_ge0.
Qed.
Lemma residue_moves (l k : int) : residue (l + f%:Z * k) = residue l.
Proof. by apply: val_inj; rewrite /= [l + _]addrC [_ * k]mulrC modzMDl. Qed.
Lemma quotient_moves (l k : int) : ((l + f%:Z * k) %/ f)%Z = (l %/ f)%Z + k.
Proof. by rewrite [l + _]addrC [_ * k]mulrC (divzMDl _ _ fz) [RHS]addrC. Qed.
End Classes.

(* ---- Images: the kernel of stride 1 and dilation 1 that a bound speaks of, e_h e_w channels for each channel. *)
Section Images.
Variables (R : realFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).
Local Notation eh := (phase_count (stride_h g) (dil_h g)). Local Notation ew := (phase_count (stride_w g) (dil_w g)).
Local Notation fh := (phase_step (stride_h g) (dil_h g)). Local Notation fw := (phase_step (stride_w g) (dil_w g)).
Definition phase_index := ('I_eh * 'I_ew)%type.
Definition phase_tap := ('I_((ker_h g).-1 %/ eh).+1 * 'I_((ker_w g).-1 %/ ew).+1)%type.
Definition plain_off (t : phase_tap) : int * int := (t.1%:Z, t.2%:Z).
(* P(o, (c, r), t) = K(o, c, e t + r), 0 beyond the last tap *)
Definition polyphase_kernel (o : O) (cr : C * phase_index) (t : phase_tap) : R :=
  \sum_(s : tap g | (s.1 == eh * t.1 + cr.2.1 :> nat)%N && (s.2 == ew * t.2 + cr.2.2 :> nat)%N) K o cr.1 s.
(* where there are outputs *)
Definition stride_places : pred (int * int) := fun l => (stride_h g %| l.1)%Z && (stride_w g %| l.2)%Z.

Hypotheses (valid : valid_geometry g) (dh0 : (0 < dil_h g)%N) (dw0 : (0 < dil_w g)%N).
Let eh0 : (0 < eh)%N. Proof. by apply: phase_count_gt0; case: valid. Qed.
Let ew0 : (0 < ew)%N. Proof. by apply: phase_count_gt0; case: valid. Qed.
Let fh0 : (0 < fh)%N. Proof. by apply: phase_step_gt0; case: valid. Qed.
Let fw0 : (0 < fw)%N. Proof. by apply: phase_step_gt0; case: valid. Qed.
Let tap_lt k e (t : 'I_k) : (t %/ e < (k.-1 %/ e).+1)%N.
Proof. by rewrite ltnS leq_div2r //; case: k t => [[]|k t] //; rewrite -ltnS. Qed.
Let phase (s : tap g) : phase_index * phase_tap :=
  ((Ordinal (ltn_pmod s.1 eh0), Ordinal (ltn_pmod s.2 ew0)), (Ordinal (tap_lt eh s.1), Ordinal (tap_lt ew s.2))).
Let place (rm : phase_index * (int * int)) : int * int :=
  (phase_place (stride_h g) (dil_h g) (pad_h g) rm.1.1 rm.2.1, phase_place (stride_w g) (dil_w g) (pad_w g) rm.1.2 rm.2.2).
Let row (l : int * int) : int * int := ((l.1 %/ stride_h g)%Z, (l.2 %/ stride_w g)%Z).
Let wide_off (t : phase_tap) : int * int := (fh%:Z * t.1%:Z, fw%:Z * t.2%:Z).

Let place_inj : injective place.
Proof.
case: valid => sh0 sw0 [[r1 r2] [m1 m2]] [[r1' r2'] [m1' m2']] [e1 e2].
have [/val_inj -> ->] := phase_place_inj sh0 (ltn_ord r1) (ltn_ord r1') e1.
by have [/val_inj -> ->] := phase_place_inj sw0 (ltn_ord r2) (ltn_ord r2') e2.
Qed.
Let row_inj : {in stride_places &, injective row}.
Proof.
move=> [a b] [a' b'] /andP [/divzK ha /divzK hb] /andP [/divzK ha' /divzK hb'] [ea eb].
by move: ha ha' hb hb' => /= <- <- <- <-; rewrite ea eb.
Qed.
Let read l s : stride_places l -> l + off s = place ((phase s).1, row l + wide_off (phase s).2).
Proof.
case: valid => sh0 sw0; case: l => a b /andP [ha hb].
by apply: injective_projections; apply: phase_read.
Qed.
Let phasedE o cr t : phased phase K o cr t = polyphase_kernel o cr t.
Proof.
apply: eq_bigl => -[s1 s2]; case: cr => c [r1 r2]; case: t => t1 t2 /=.
have axis (k e : nat) (e0 : (0 < e)%N) (s : 'I_k) (r : 'I_e) (t : 'I_(k.-1 %/ e).+1) :
    (Ordinal (ltn_pmod s e0) == r) && (Ordinal (tap_lt e s) == t) = (s == e * t + r :> nat)%N.
  apply/andP/eqP => [[/eqP <- /eqP <-]|h]; first by rewrite mulnC -divn_eq.
  split; apply/eqP/val_inj; rewrite /= h mulnC.
    by rewrite modnMDl modn_small.
  by rewrite divnMDl // (divn_small (ltn_ord r)) addn0.
rewrite -!(axis _ _ _ s1) -!(axis _ _ _ s2) /phase /=.
apply/eqP/idP => [[-> -> -> ->]|/andP [/andP [/eqP <- /eqP <-] /andP [/eqP <- /eqP <-]]] //; by rewrite !eqxx.
Qed.

Let class (l : int * int) := (residue fh0 l.1, residue fw0 l.2).
Let coordinate (l : int * int) : int * int := ((l.1 %/ fh)%Z, (l.2 %/ fw)%Z).
Let together l l' : class l = class l' -> coordinate l = coordinate l' -> l = l'.
Proof.
case: l l' => a b [a' b'] e [q1 q2]; congr (_, _).
  exact: residue_together (congr1 fst e) q1.
exact: residue_together (congr1 snd e) q2.
Qed.
Let stays l t : class (l + wide_off t) = class l.
Proof. by rewrite /class !residue_moves. Qed.
Let moves l t : coordinate (l + wide_off t) = coordinate l + plain_off t.
Proof. by apply: injective_projections; exact: quotient_moves. Qed.

(* T for every input channel at least what bounds each of its phases *)
Theorem polyphase_bounded (T' : C * phase_index -> R) (T : C -> R) : (forall c, 0 <= T c) -> (forall c r, T' (c, r) <= T c) ->
  bounded_on predT plain_off polyphase_kernel T' -> bounded_on stride_places (@off g) K T.
Proof.
move=> T0 TT h; apply: (phases_bounded place_inj row_inj read T0 TT); apply: (copies_bounded together stays moves).
by apply: bounded_same h => o c l; apply: eq_bigr => t _; rewrite phasedE.
Qed.
Theorem polyphase_rows_bounded (T : O -> R) :
  bounded_rows_on predT plain_off polyphase_kernel T -> bounded_rows_on stride_places (@off g) K T.
Proof.
move=> h; apply: (phases_rows_bounded place_inj row_inj read); apply: (copies_rows_bounded together stays moves).
move=> P Q pin pout ii io hq; apply: eq_gram_dom (h P Q pin pout ii io hq) => cp oq.
by rewrite /adj !conv_matrix_at; apply: eq_bigr => t _; rewrite phasedE.
Qed.

(* ---- A bound of the kernel itself, without its stride and dilation: outputs are left out, and dilation makes copies. *)
Theorem undilated_bounded (T : C -> R) :
  bounded_on predT (fun s : tap g => (s.1%:Z, s.2%:Z) : int * int) K T -> bounded_on stride_places (@off g) K T.
Proof.
move=> h; apply: (@bounded_here _ _ predT) => //.
have wide : bounded_on predT (fun s : tap g => ((dil_h g)%:Z * s.1%:Z, (dil_w g)%:Z * s.2%:Z) : int * int) K T.
  apply: (copies_bounded (class := fun l => (residue dh0 l.1, residue dw0 l.2))
    (coordinate := fun l => ((l.1 %/ dil_h g)%Z, (l.2 %/ dil_w g)%Z)) _ _ _ h) => [l l'|l s|l s].
  - case: l l' => a b [a' b'] e [q1 q2]; congr (_, _).
      exact: residue_together (congr1 fst e) q1.
    exact: residue_together (congr1 snd e) q2.
  - by rewrite !residue_moves.
  - by apply: injective_projections; exact: quotient_moves.
apply: bounded_same (bounded_moved (- (pad_h g), - (pad_w g)) wide) => o c l; by apply: eq_bigl.
Qed.

(* ---- What a bound on the lattice says of images: zeros around them; or circles that the stride divides and whose outputs are not repeated. *)
Lemma pout_places q : stride_places (@pout g q).
Proof. by rewrite /stride_places /= !PoszM !dvdz_mulr. Qed.
Theorem image_dom (T : C -> R) : bounded_on stride_places (@off g) K T -> dom (gram (conv2d_matrix K)) (fun cp => T cp.1).
Proof. by apply; [exact: pin_inj | exact: pout_inj valid | exact: pout_places]. Qed.
Theorem image_rows_dom (T : O -> R) : bounded_rows_on stride_places (@off g) K T ->
  dom (gram (adj (conv2d_matrix K))) (fun oq => T oq.1).
Proof. by apply; [exact: pin_inj | exact: pout_inj valid | exact: pout_places]. Qed.
End Images.

Section Circular.
Variables (R : archiFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).
Definition circular_matrix : O * out_pos g -> C * in_pos g -> R := periodic_matrix (turn (in_h g) (in_w g)) (@pin g) (@pout g) (@off g) K.
(* the stride divides the image, and no output lies behind a whole turn *)
Definition closes : Prop := [/\ (0 < in_h g)%N, (0 < in_w g)%N, (stride_h g %| in_h g)%N, (stride_w g %| in_w g)%N
  & (out_h g * stride_h g <= in_h g)%N /\ (out_w g * stride_w g <= in_w g)%N].
Hypotheses (valid : valid_geometry g) (closed : closes).

Let once n s k (i j : 'I_k) : (0 < s)%N -> (k * s <= n)%N -> (n%:Z %| (s * i)%N%:Z - (s * j)%N%:Z)%Z -> i = j.
Proof.
move=> s0 hk; have lt (i' : 'I_k) : (s * i' < n)%N by rewrite mulnC; apply: leq_trans hk; rewrite ltn_pmul2r.
rewrite -eqz_mod_dvd !modz_nat !modn_small // eqz_nat eqn_pmul2l // => /eqP; exact: val_inj.
Qed.
Let pin_once p p' : turn (in_h g) (in_w g) (@pin g p - pin p') -> p = p'.
Proof.
case: p p' => a b [a' b'] /andP [h1 h2]; congr (_, _).
  by apply: (@once (in_h g) 1); rewrite ?muln1 ?mul1n.
by apply: (@once (in_w g) 1); rewrite ?muln1 ?mul1n.
Qed.
Let pout_once q q' : turn (in_h g) (in_w g) (@pout g q - pout q') -> q = q'.
Proof.
case: valid closed => s1 s2 [_ _ _ _ [k1 k2]]; case: q q' => a b [a' b'] /andP [h1 h2]; congr (_, _).
  exact: once s1 k1 h1.
exact: once s2 k2 h2.
Qed.
Let here_turns l k : stride_places g l -> turn (in_h g) (in_w g) k -> stride_places g (l + k).
Proof.
case: closed => _ _ d1 d2 _ /andP [l1 l2] /andP [k1 k2]; apply/andP; split; rewrite /= rpredD //.
  by apply: dvdz_trans k1.
by apply: dvdz_trans k2.
Qed.
Theorem circular_dom (T : C -> R) : bounded_on (stride_places g) (@off g) K T -> dom (gram circular_matrix) (fun cp => T cp.1).
Proof.
case: (closed) => h0 w0 _ _ _ hK; apply: (@periodic_dom R (in_h g) (in_w g) O C _ _ _ (stride_places g)) => //; exact: pout_places.
Qed.
Theorem circular_rows_dom (T : O -> R) : bounded_rows_on (stride_places g) (@off g) K T ->
  dom (gram (adj circular_matrix)) (fun oq => T oq.1).
Proof.
case: (closed) => h0 w0 _ _ _ hK; apply: (@periodic_rows_dom R (in_h g) (in_w g) O C _ _ _ (stride_places g)) => //; exact: pout_places.
Qed.
End Circular.
