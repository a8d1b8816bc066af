(* Householder activation of order 2 (Singla, Singla & Feizi 2022): four sectors of the plane, each mapped by a rotation or a reflection, so that
   neighbours agree where they meet. Angles are unit vectors (cos, sin); of angles in [0, pi] it is used that their sine is not negative. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Structure.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Folding.
Variable R : realFieldType.
(* the half angles t1/2 and t2/2 *)
Variables (c1 s1 c2 s2 : R) (wide : bool).
Hypotheses (unit1 : c1 ^+ 2 + s1 ^+ 2 = 1) (unit2 : c2 ^+ 2 + s2 ^+ 2 = 1) (s1_ge0 : 0 <= s1) (s2_ge0 : 0 <= s2).
Definition c12 : R := c1 * c2 - s1 * s2.
Definition s12 : R := s1 * c2 + c1 * s2.
(* whether the second border lies beyond pi *)
Hypothesis wideP : if wide then s12 <= 0 else 0 <= s12.

(* z = (p, q) lies before a border if its cross product with the border's direction is negative *)
Definition border1 (p q : R) : R := c1 * q - s1 * p.
Definition border2 (p q : R) : R := c12 * q - s12 * p.
Definition border3 (p q : R) : R := s2 * p - c2 * q.
Definition sector (p q : R) : nat :=
  let late := q < 0 in
  if ~~ late && (border1 p q < 0) then 0%N
  else if (if wide then late ==> (border2 p q < 0) else ~~ late && (border2 p q < 0)) then 1%N
  else if late ==> (border3 p q < 0) then 2%N else 3%N.
(* the identity, the reflection by t1, the rotation by -t2, the reflection by 0 *)
Definition image (i : nat) (p q : R) : R * R :=
  match i with
  | 0 => (p, q)
  | 1 => ((c1 ^+ 2 - s1 ^+ 2) * p + 2%:R * c1 * s1 * q, 2%:R * c1 * s1 * p - (c1 ^+ 2 - s1 ^+ 2) * q)
  | 2 => ((c2 ^+ 2 - s2 ^+ 2) * p + 2%:R * c2 * s2 * q, (c2 ^+ 2 - s2 ^+ 2) * q - 2%:R * c2 * s2 * p)
  | _ => (p, - q)
  end.

Lemma cos1 : c1 ^+ 2 = 1 - s1 ^+ 2. Proof. by rewrite -unit1 addrK. Qed.
Lemma cos2 : c2 ^+ 2 = 1 - s2 ^+ 2. Proof. by rewrite -unit2 addrK. Qed.
Lemma between p q : s12 * border1 p q = s1 * border2 p q + s2 * q.
Proof. rewrite /border1 /border2 /s12 /c12; ring: cos1. Qed.
Lemma around p q : s12 * border3 p q + s2 * border2 p q + s1 * q = 0.
Proof. rewrite /border3 /border2 /s12 /c12; ring: cos2. Qed.

(* What a sector's points satisfy. *)
Lemma sectorsP p q : match sector p q with
  | 0 => (0 <= q) && (border1 p q < 0)
  | 1 => [&& 0 <= q, 0 <= border1 p q & wide || (border2 p q < 0)] || [&& wide, q < 0 & border2 p q < 0]
  | 2 => [&& ~~ wide, 0 <= q, 0 <= border1 p q & 0 <= border2 p q] ||
         [&& q < 0, border3 p q < 0 & wide ==> (0 <= border2 p q)]
  | 3 => [&& q < 0, 0 <= border3 p q & wide ==> (0 <= border2 p q)]
  | _ => false
  end.
Proof.
rewrite /sector ![0 <= _]leNgt.
by case: (q < 0); case: (border1 p q < 0); case: wide; case: (border2 p q < 0); case: (border3 p q < 0).
Qed.

Lemma sector_lt4 p q : (sector p q < 4)%N.
Proof. by rewrite /sector; case: ifP => // _; case: ifP => // _; case: ifP. Qed.

(* How much closer two images are than their points, in terms of cross products with borders. *)
Definition gain i j p q p' q' : R :=
  (image i p q).1 * (image j p' q').1 + (image i p q).2 * (image j p' q').2 - (p * p' + q * q').
Lemma gain_same i p q p' q' : gain i i p q p' q' = 0.
Proof. by case: i => [|[|[|i]]]; rewrite /gain /=; ring: cos1 cos2. Qed.
Lemma gainC i j p q p' q' : gain i j p q p' q' = gain j i p' q' p q.
Proof. by rewrite /gain mulrC [X in _ + X - _]mulrC [p * _]mulrC [q * _]mulrC. Qed.
Lemma gain01 p q p' q' : gain 0 1 p q p' q' = - (2%:R * (border1 p q * border1 p' q')).
Proof. rewrite /gain /border1 /=; ring: cos1. Qed.
Lemma gain03 p q p' q' : gain 0 3 p q p' q' = - (2%:R * (q * q')).
Proof. rewrite /gain /=; ring. Qed.
Lemma gain12 p q p' q' : gain 1 2 p q p' q' = - (2%:R * (border2 p q * border2 p' q')).
Proof. rewrite /gain /border2 /c12 /s12 /=; ring: cos1 cos2. Qed.
Lemma gain23 p q p' q' : gain 2 3 p q p' q' = - (2%:R * (border3 p q * border3 p' q')).
Proof. rewrite /gain /border3 /=; ring: cos2. Qed.
(* x turned by t2/2, crossed with y; times s1 *)
Definition cross02 p q p' q' : R := (p * c2 - q * s2) * q' - (p * s2 + q * c2) * p'.
Lemma gain02 p q p' q' : gain 0 2 p q p' q' = 2%:R * (s2 * cross02 p q p' q').
Proof. rewrite /gain /cross02 /=; ring: cos2. Qed.
Lemma cross02E p q p' q' : s1 * cross02 p q p' q' = q * border2 p' q' + border1 p q * border3 p' q'.
Proof. rewrite /cross02 /border1 /border2 /border3 /c12 /s12; ring: cos2. Qed.
(* x turned by -t1/2, crossed with y; times s2 *)
Definition cross13 p q p' q' : R := (p * c1 + q * s1) * q' - (q * c1 - p * s1) * p'.
Lemma gain13 p q p' q' : gain 1 3 p q p' q' = - (2%:R * (s1 * cross13 p q p' q')).
Proof. rewrite /gain /cross13 /=; ring: cos1. Qed.
Lemma cross13E p q p' q' : s2 * cross13 p q p' q' = - (border1 p q * border3 p' q' + border2 p q * q').
Proof. rewrite /cross13 /border1 /border2 /border3 /c12 /s12; ring: cos1. Qed.

(* Borders in the degenerate cases t1 in {0, 2 pi} and t2 in {0, 2 pi}. *)
Lemma cos1_sign : s1 = 0 -> c1 = 1 \/ c1 = -1.
Proof. by move=> z; have /eqP := cos1; rewrite z expr0n subr0 sqrf_eq1 => /orP [] /eqP; [left | right]. Qed.
Lemma cos2_sign : s2 = 0 -> c2 = 1 \/ c2 = -1.
Proof. by move=> z; have /eqP := cos2; rewrite z expr0n subr0 sqrf_eq1 => /orP [] /eqP; [left | right]. Qed.
Lemma border2_flat1 p q : s1 = 0 -> border2 p q = - (c1 * border3 p q).
Proof. by rewrite /border2 /border3 /c12 /s12 => ->; ring. Qed.
Lemma border2_flat2 p q : s2 = 0 -> border2 p q = c2 * border1 p q.
Proof. by rewrite /border2 /border1 /c12 /s12 => ->; ring. Qed.
Lemma border2_flat p q : s1 = 0 -> s2 = 0 -> border2 p q = c1 * c2 * q.
Proof. by rewrite /border2 /c12 /s12 => -> ->; ring. Qed.
Lemma flat_product (c q q' : R) : 0 <= q -> q' < 0 -> c * q * (c * q') <= 0.
Proof. by move=> q0 q1; rewrite mulrACA -expr2 mulr_ge0_le0 ?sqr_ge0 // mulr_ge0_le0 // ltW. Qed.
Lemma both_flat : s12 = 0 -> s1 = 0 \/ s2 = 0 -> s1 = 0 /\ s2 = 0.
Proof.
rewrite /s12 => h [z|z]; move: h; rewrite z ?mulr0 ?mul0r ?add0r ?addr0 => /eqP; rewrite mulf_eq0 => /orP [] /eqP h.
- by case: (cos1_sign z) => e; move: h; rewrite e => /eqP; rewrite ?oppr_eq0 oner_eq0.
- by [].
- by [].
by case: (cos2_sign z) => e; move: h; rewrite e => /eqP; rewrite ?oppr_eq0 oner_eq0.
Qed.
Lemma s12_wide : wide -> s12 <= 0. Proof. by move: wideP; case: wide. Qed.
Lemma s12_narrow : ~~ wide -> 0 <= s12. Proof. by move: wideP; case: wide. Qed.

Lemma apart01 p q p' q' : sector p q = 0%N -> sector p' q' = 1%N -> border1 p q * border1 p' q' <= 0.
Proof.
have := sectorsP p q; have := sectorsP p' q' => h' h e e'; move: h h'; rewrite e e' => /andP [q0 b0].
case/orP => [/and3P [_ b1 _]|/and3P [w q1 b2]]; first by rewrite mulr_le0_ge0 // ltW.
have d := between p' q'; have z1 : s1 * border2 p' q' <= 0 by rewrite mulr_ge0_le0 // ltW.
have z2 : s2 * q' <= 0 by rewrite mulr_ge0_le0 // ltW.
have := s12_wide w; rewrite le_eqVlt => /orP [/eqP z|n]; last first.
  by rewrite mulr_le0_ge0 ?(ltW b0) // -(nmulr_rle0 _ n) d -[0]addr0 ler_add.
move: d; rewrite z mul0r => /esym/eqP; rewrite -oppr_eq0 opprD paddr_eq0 ?oppr_ge0 // !oppr_eq0 !mulf_eq0.
rewrite (lt_eqF b2) (lt_eqF q1) !orbF => /andP [/eqP f1 /eqP _].
by rewrite /border1 f1 !mul0r !subr0 flat_product.
Qed.
Lemma apart12 p q p' q' : sector p q = 1%N -> sector p' q' = 2%N -> border2 p q * border2 p' q' <= 0.
Proof.
have := sectorsP p q; have := sectorsP p' q' => h' h e e'; move: h h'; rewrite e e' => h.
case/orP => [/and4P [w _ _ b2']|/and3P [q1 b3 hw]].
  rewrite mulr_le0_ge0 //; case/orP: h => [/and3P [_ _]|/and3P [w']]; rewrite ?w' in w *; last by [].
  by rewrite (negbTE w) /= => /ltW.
case/orP: h => [/and3P [q0 b1 hb]|/and3P [w _ b2]]; last by rewrite w /= in hw; rewrite mulr_le0_ge0 // ltW.
have d := between p q; have d' := around p' q'.
have [w|w] := boolP wide.
  rewrite w /= in hw.
  have [f1|f1] := eqVneq s1 0; last first.
    have p1 : 0 < s1 by rewrite lt_neqAle eq_sym f1.
    rewrite mulr_le0_ge0 // -(pmulr_rle0 _ p1); have -> : s1 * border2 p q = s12 * border1 p q - s2 * q by rewrite d addrK.
    by rewrite subr_le0; apply: le_trans (_ : 0 <= _); rewrite ?mulr_ge0 // mulr_le0_ge0 // s12_wide.
  case: (cos1_sign f1) => c; last by move: hw b3; rewrite border2_flat1 // c mulN1r opprK => /le_lt_trans h /h; rewrite ltxx.
  have f2 : s2 = 0.
    by apply/le_anti; rewrite s2_ge0 andbT; have := s12_wide w; rewrite /s12 f1 c mul0r add0r mul1r.
  by rewrite !border2_flat // flat_product.
rewrite (negbTE w) /= in hb.
have [f2|f2] := eqVneq s2 0; last first.
  have p2 : 0 < s2 by rewrite lt_neqAle eq_sym f2.
  rewrite mulr_le0_ge0 ?(ltW hb) // -(pmulr_rge0 _ p2); move/eqP: d'; rewrite addrAC addr_eq0 => /eqP d'.
  rewrite -oppr_le0 -d' -[0]addr0 ler_add // mulr_ge0_le0 ?(ltW q1) ?(ltW b3) //; exact: s12_narrow.
case: (cos2_sign f2) => c; first by move: b3; rewrite /border3 f2 c mul0r sub0r mul1r oppr_lt0 => /lt_trans /(_ q1); rewrite ltxx.
have f1 : s1 = 0.
  by apply/le_anti; rewrite s1_ge0 andbT; have := s12_narrow w; rewrite /s12 f2 c mulr0 addr0 mulrN1 oppr_ge0.
by rewrite !border2_flat // flat_product.
Qed.
(* In the narrow case, before the second border means before the third. *)
Lemma before3 p q : ~~ wide -> 0 <= q -> 0 <= border1 p q -> 0 <= border2 p q -> s1 != 0 \/ s2 != 0 -> border3 p q <= 0.
Proof.
move=> w q0 b1 b2 curved; have d := around p q; have z1 : 0 <= s2 * border2 p q by rewrite mulr_ge0.
have z2 : 0 <= s1 * q by rewrite mulr_ge0.
have := s12_narrow w; rewrite le_eqVlt => /orP [/eqP z|n]; last first.
  rewrite -(pmulr_rle0 _ n); move/eqP: d; rewrite -addrA addr_eq0 => /eqP ->.
  by rewrite oppr_le0 addr_ge0.
have [n1 n2] : s1 != 0 /\ s2 != 0.
  by split; apply/eqP => f; case: (both_flat (esym z)) curved => [|-> ->]; auto; rewrite eqxx => -[].
move: d; rewrite -z mul0r add0r => /eqP; rewrite paddr_eq0 // !mulf_eq0 (negbTE n1) (negbTE n2) /= => /andP [_ /eqP e].
move: b1; rewrite /border1 /border3 e !mulr0 sub0r subr0 oppr_ge0 pmulr_rle0; last by rewrite lt_neqAle eq_sym n1.
by move=> p0; rewrite mulr_ge0_le0.
Qed.
Lemma apart23 p q p' q' : sector p q = 2%N -> sector p' q' = 3%N -> border3 p q * border3 p' q' <= 0.
Proof.
have := sectorsP p q; have := sectorsP p' q' => h' h e e'; move: h h'; rewrite e e' => h /and3P [q1 b3' _].
case/orP: h => [/and4P [w q0 b1 b2]|/and3P [_ b3 _]]; last by rewrite mulr_le0_ge0 // ltW.
have [f1|f1] := eqVneq s1 0; last by rewrite mulr_le0_ge0 // before3 //; left.
have [f2|f2] := eqVneq s2 0; last by rewrite mulr_le0_ge0 // before3 //; right.
by rewrite /border3 f2 !mul0r !sub0r -!mulNr flat_product.
Qed.
Lemma apart02 p q p' q' : sector p q = 0%N -> sector p' q' = 2%N -> 0 <= s2 * cross02 p q p' q'.
Proof.
have := sectorsP p q; have := sectorsP p' q' => h' h e e'; move: h h'; rewrite e e' => /andP [q0 b1] h.
have [->|f2] := eqVneq s2 0; first by rewrite mul0r.
have p2 : 0 < s2 by rewrite lt_neqAle eq_sym f2.
have [b2' b3'] : 0 <= border2 p' q' /\ border3 p' q' <= 0.
  case/orP: h => [/and4P [w q0' b1' b2]|/and3P [q1 b3 hw]]; first by split=> //; apply: before3 => //; right.
  split; last exact: ltW; have [w|w] := boolP wide; first by rewrite w in hw.
  have d := around p' q'; rewrite -(pmulr_rge0 _ p2); move/eqP: d; rewrite addrAC addr_eq0 => /eqP d.
  by rewrite -oppr_le0 -d -[0]addr0 ler_add // mulr_ge0_le0 ?(ltW q1) ?(ltW b3) //; exact: s12_narrow.
rewrite mulr_ge0 //; have [f1|f1] := eqVneq s1 0; last first.
  have p1 : 0 < s1 by rewrite lt_neqAle eq_sym f1.
  by rewrite -(pmulr_rge0 _ p1) cross02E addr_ge0 //; [exact: mulr_ge0 | rewrite mulr_le0 // ltW].
have c : c1 = -1.
  case: (cos1_sign f1) => // c; move: b1; rewrite /border1 f1 c mul0r subr0 mul1r => /(le_lt_trans q0).
  by rewrite ltxx.
have w : wide by apply: contraLR p2 => /s12_narrow; rewrite /s12 f1 c mul0r add0r mulN1r oppr_ge0 leNgt.
case/orP: h => [/and4P [w']|/and3P [_ b3 _]]; first by rewrite w in w'.
by move: b2'; rewrite border2_flat1 // c mulN1r opprK => /le_lt_trans /(_ b3); rewrite ltxx.
Qed.
Lemma apart13 p q p' q' : sector p q = 1%N -> sector p' q' = 3%N -> s1 * cross13 p q p' q' <= 0.
Proof.
have := sectorsP p q; have := sectorsP p' q' => h' h e e'; move: h h'; rewrite e e' => h /and3P [q1 b3' _].
have [->|f1] := eqVneq s1 0; first by rewrite mul0r.
have p1 : 0 < s1 by rewrite lt_neqAle eq_sym f1.
have d := between p q.
have [b1 b2] : 0 <= border1 p q /\ border2 p q <= 0.
  case/orP: h => [/and3P [q0 b1 hb]|/and3P [w q1' b2]]; split=> //; last exact: ltW.
    case/orP: hb => [w|/ltW //]; rewrite -(pmulr_rle0 _ p1).
    have -> : s1 * border2 p q = s12 * border1 p q - s2 * q by rewrite d addrK.
    by rewrite subr_le0; apply: le_trans (_ : 0 <= _); rewrite ?mulr_ge0 // mulr_le0_ge0 // s12_wide.
  have n : s12 * border1 p q < 0 by rewrite d -[X in _ < X]addr0 ltr_le_add // ?pmulr_rlt0 // mulr_ge0_le0 // ltW.
  have := s12_wide w; rewrite le_eqVlt => /orP [/eqP z|n12]; first by move: n; rewrite z mul0r ltxx.
  by rewrite -(nmulr_rle0 _ n12) ltW.
rewrite mulr_ge0_le0 //; have [f2|f2] := eqVneq s2 0; last first.
  have p2 : 0 < s2 by rewrite lt_neqAle eq_sym f2.
  by rewrite -(pmulr_rle0 _ p2) cross13E oppr_le0 addr_ge0 //; [exact: mulr_ge0 | rewrite mulr_le0 // ltW].
case: (cos2_sign f2) => c; last first.
  by move: b3'; rewrite /border3 f2 c mul0r sub0r mulN1r opprK => /le_lt_trans /(_ q1); rewrite ltxx.
have w : ~~ wide by apply: contraL p1 => /s12_wide; rewrite /s12 f2 c mulr0 addr0 mulr1 leNgt.
case/orP: h => [/and3P [_ b1' hb]|/and3P [w']]; last by rewrite w' in w.
rewrite (negbTE w) /= in hb; move: hb; rewrite border2_flat2 // c mul1r => /(le_lt_trans b1').
by rewrite ltxx.
Qed.

Lemma gain_ge0 p q p' q' : 0 <= gain (sector p q) (sector p' q') p q p' q'.
Proof.
have pair i j : (i < j)%N -> forall p q p' q', sector p q = i -> sector p' q' = j -> 0 <= gain i j p q p' q'.
  move=> ij x y x' y' e e'; have := sector_lt4 x' y'; rewrite e' => j4.
  have neg (a : R) : a <= 0 -> 0 <= - (2%:R * a) by move=> a0; rewrite oppr_ge0 mulr_ge0_le0 ?ler0n.
  case: j ij j4 e' => [|[|[|[|j]]]] //; case: i e => [|[|[|i]]] // e _ _ e'.
  - by rewrite gain01 neg ?apart01.
  - by rewrite gain02 mulr_ge0 ?ler0n ?apart02.
  - by rewrite gain12 neg ?apart12.
  - by rewrite gain03 neg //; move: (sectorsP x y) (sectorsP x' y'); rewrite e e' => /andP [h _] /and3P [/ltW h' _ _]; rewrite mulr_ge0_le0.
  - by rewrite gain13 neg ?apart13.
  - by rewrite gain23 neg ?apart23.
case: (ltngtP (sector p q) (sector p' q')) => h; first exact: pair.
  by rewrite gainC; exact: pair.
by rewrite h gain_same.
Qed.
Lemma image_length i p q : (image i p q).1 ^+ 2 + (image i p q).2 ^+ 2 = p ^+ 2 + q ^+ 2.
Proof. by case: i => [|[|[|i]]] /=; ring: cos1 cos2. Qed.
End Folding.

(* ---- The activation on a pair z (false: first, true: second), sectors counted from the direction (co, so) of half the first angle. *)
Section Activation.
Variables (R : realFieldType) (co so c1 s1 c2 s2 : R) (wide : bool).
Definition turned_back (z : {ffun bool -> R}) : R * R := (co * z false + so * z true, co * z true - so * z false).
Definition turned_on (uv : R * R) : {ffun bool -> R} := [ffun b => if b then so * uv.1 + co * uv.2 else co * uv.1 - so * uv.2].
Definition householder2 (z : {ffun bool -> R}) : {ffun bool -> R} :=
  let pq := turned_back z in turned_on (image c1 s1 c2 s2 (sector c1 s1 c2 s2 wide pq.1 pq.2) pq.1 pq.2).
(* The maps of the sectors without turning z first: reflections by the double angles of the first border and of the start, a rotation. *)
Lemma householder2_parts (z : {ffun bool -> R}) : co ^+ 2 + so ^+ 2 = 1 ->
  let part i := turned_on (image c1 s1 c2 s2 i (turned_back z).1 (turned_back z).2) in
  let reflected c s := [ffun b => if b then 2%:R * c * s * z false - (c ^+ 2 - s ^+ 2) * z true
    else (c ^+ 2 - s ^+ 2) * z false + 2%:R * c * s * z true] in
  [/\ part 0%N = z, part 1%N = reflected (co * c1 - so * s1) (so * c1 + co * s1),
    part 2%N = [ffun b => if b then (c2 ^+ 2 - s2 ^+ 2) * z true - 2%:R * c2 * s2 * z false
      else (c2 ^+ 2 - s2 ^+ 2) * z false + 2%:R * c2 * s2 * z true] & part 3%N = reflected co so].
Proof.
move=> unit0; have cos0 : co ^+ 2 = 1 - so ^+ 2 by rewrite -unit0 addrK.
split; apply/ffunP => -[]; rewrite !ffunE /=; move: (z false) (z true) => a b; ring: cos0.
Qed.
Theorem householder2_lip : co ^+ 2 + so ^+ 2 = 1 -> c1 ^+ 2 + s1 ^+ 2 = 1 -> c2 ^+ 2 + s2 ^+ 2 = 1 -> 0 <= s1 -> 0 <= s2 ->
  (if wide then s12 c1 s1 c2 s2 <= 0 else 0 <= s12 c1 s1 c2 s2) -> lip householder2.
Proof.
move=> unit0 unit1 unit2 h1 h2 hw x y; rewrite mul1r.
have sqn2 (z : {ffun bool -> R}) : sqn z = z false ^+ 2 + z true ^+ 2 by rewrite sqnE big_bool addrC.
have cos0 : co ^+ 2 = 1 - so ^+ 2 by rewrite -unit0 addrK.
rewrite !sqn2 !ffunE; case ex : (turned_back x) => [p q]; case ey : (turned_back y) => [p' q'] /=.
have g := gain_ge0 unit1 unit2 h1 h2 hw p q p' q'.
have lx := image_length unit1 unit2 (sector c1 s1 c2 s2 wide p q) p q.
have ly := image_length unit1 unit2 (sector c1 s1 c2 s2 wide p' q') p' q'.
move: g lx ly; rewrite /gain; move: (image _ _ _ _ _ p q) (image _ _ _ _ _ p' q') => [u v] [u' v'] /= g lx ly.
case: ex ey => <- <- [<- <-] in g lx ly *.
have back (a b : R) : (co * a + so * b) ^+ 2 + (co * b - so * a) ^+ 2 = a ^+ 2 + b ^+ 2 by ring: cos0.
have lu : u ^+ 2 = x false ^+ 2 + x true ^+ 2 - v ^+ 2 by rewrite -back -lx addrK.
have lu' : u' ^+ 2 = y false ^+ 2 + y true ^+ 2 - v' ^+ 2 by rewrite -back -ly addrK.
rewrite -subr_ge0; move: g; move: (x false) (x true) (y false) (y true) lu lu' => a b a' b' lu lu'.
rewrite -(pmulr_rge0 _ (ltr0n R 2)) => g; apply: le_trans g _; rewrite le_eqVlt; apply/orP; left; apply/eqP.
ring: cos0 lu lu'.
Qed.
End Activation.
