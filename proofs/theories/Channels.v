(* More layers over concrete shapes, as `lip prove --coq` writes them: blocks of pixels moved into channels and back, activations that
   act on the halves of the channels, poolings whose windows may overlap, copies and centring. *)
From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Residual Structure Folding Pooling Rules Layers Architecture Branching.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Lemma leN1_1 (R : realFieldType) : -1 <= 1 :> R.
Proof. by rewrite (le_trans _ (@ler01 R)) ?oppr_le0 ?ler01. Qed.

(* ---- `space_to_depth`: channel (k bh + r) bw + s at (p, q) is channel k at (p bh + r, q bw + s); `depth_to_space` is the inverse. *)
Section PixelBlocks.
Variables (R : realFieldType) (c h w bh bw c' h' w' : nat).
Hypotheses (ec : (c * bh * bw)%N = c') (eh : (h' * bh)%N = h) (ew : (w' * bw)%N = w).
Definition pixel_of (j : 'I_c' * ('I_h' * 'I_w')) : 'I_c * ('I_h * 'I_w) :=
  let k := unflat (cast_ord (esym ec) j.1) in
  (k.1, (cast_ord eh (Ordinal (channel_lt j.2.1 k.2.1)), cast_ord ew (Ordinal (channel_lt j.2.2 k.2.2)))).
Definition block_of (i : 'I_c * ('I_h * 'I_w)) : 'I_c' * ('I_h' * 'I_w') :=
  let a := cast_ord (esym eh) i.2.1 in let b := cast_ord (esym ew) i.2.2 in
  (cast_ord ec (flat (i.1, (Ordinal (rank_lt a), Ordinal (rank_lt b)))), (Ordinal (group_lt a), Ordinal (group_lt b))).
Lemma block_coordinates n (a b r s : nat) : (r < n)%N -> (s < n)%N -> (a * n + r = b * n + s)%N -> a = b /\ r = s.
Proof.
move=> rn sn e; have n0 : (0 < n)%N by exact: leq_ltn_trans rn.
have := congr1 (modn^~ n) e; rewrite /= !modnMDl !modn_small // => rs; split=> //.
by move: e; rewrite rs => /addIn /eqP; rewrite eqn_pmul2r // => /eqP.
Qed.
Lemma pixel_of_inj : injective pixel_of.
Proof.
move=> [a [p q]] [b [p' q']] [] /= hk hr hs.
have [pp rr] := block_coordinates (unflat_row (cast_ord (esym ec) a)) (unflat_row (cast_ord (esym ec) b)) hr.
have [qq ss] := block_coordinates (unflat_column (cast_ord (esym ec) a)) (unflat_column (cast_ord (esym ec) b)) hs.
congr (_, (_, _)); apply: val_inj => //.
by rewrite /= (divn_eq a bw) (divn_eq b bw) (divn_eq (a %/ bw) bh) (divn_eq (b %/ bw) bh) hk rr ss.
Qed.
Lemma block_of_inj : injective block_of.
Proof.
move=> [a [p q]] [b [p' q']] [] /= hf dp dq.
have [hf' mq] := block_coordinates (rank_lt (cast_ord (esym ew) q)) (rank_lt (cast_ord (esym ew) q')) hf.
have [ab mp] := block_coordinates (rank_lt (cast_ord (esym eh) p)) (rank_lt (cast_ord (esym eh) p')) hf'.
congr (_, (_, _)); apply: val_inj; rewrite /= ?ab //.
  by rewrite (divn_eq p bh) (divn_eq p' bh) dp mp.
by rewrite (divn_eq q bw) (divn_eq q' bw) dq mq.
Qed.
Definition space_to_depth : {ffun 'I_c * ('I_h * 'I_w) -> R} -> {ffun 'I_c' * ('I_h' * 'I_w') -> R} := select pixel_of.
Definition depth_to_space : {ffun 'I_c' * ('I_h' * 'I_w') -> R} -> {ffun 'I_c * ('I_h * 'I_w) -> R} := select block_of.
Theorem space_to_depth_lip : lip space_to_depth.
Proof. exact: select_lip pixel_of_inj. Qed.
Theorem depth_to_space_lip : lip depth_to_space.
Proof. exact: select_lip block_of_inj. Qed.
End PixelBlocks.

(* ---- Activations on the two halves of the channel axis. *)
Section Halves.
Variables (R : realFieldType) (P : finType) (h c : nat) (e : (h + h)%N = c).
Let I := [finType of 'I_h * P].
Definition half_of (s : I + I) : 'I_c * P :=
  match s with inl a => (cast_ord e (lshift h a.1), a.2) | inr b => (cast_ord e (rshift h b.1), b.2) end.
Lemma half_of_inj : injective half_of.
Proof.
move=> [[a p]|[a p]] [[b q]|[b q]] [] /= h1 ->; [| | |]; try by rewrite (val_inj h1 : a = b).
- by have := ltn_ord a; rewrite h1 ltnNge leq_addr.
- by have := ltn_ord b; rewrite -h1 ltnNge leq_addr.
by move: h1 => /addnI /val_inj ->.
Qed.
Definition on_halves (f : {ffun I + I -> R} -> {ffun I + I -> R}) (x : {ffun 'I_c * P -> R}) : {ffun 'I_c * P -> R} :=
  select (join_channels e) (f (select half_of x)).
Lemma on_halves_lip f : lip f -> lip (on_halves f).
Proof.
move=> hf; exact: (lip_comp (lip_comp (select_lip half_of_inj) hf) (select_lip (@join_channels_inj P _ _ _ e))).
Qed.

(* the first half as it is, the absolute value of the second *)
Definition half_abs : {ffun 'I_c * P -> R} -> {ffun 'I_c * P -> R} :=
  on_halves (fun x => [ffun i => match i with inl _ => x i | inr _ => `|x i| end]).
Lemma abs_slope : Activation.slope 1 (fun a : R => `|a|).
Proof. by have := slope_in_slope (@abs_slope_in R); rewrite normrN normr1 max_l. Qed.
Theorem half_abs_lip : lip half_abs.
Proof.
apply: on_halves_lip.
have h1 := @channelwise_lips R [finType of I + I] 1 (fun i a => match i with inl _ => a | inr _ => `|a| end).
have h2 : lip (fun x : {ffun I + I -> R} => [ffun i => match i with inl _ => x i | inr _ => `|x i| end] : {ffun I + I -> R}).
  apply: (@eq_lips _ _ _ _ (fun x : {ffun I + I -> R} => [ffun i => match i with inl _ => x i | inr _ => `|x i| end])) => //.
  have := h1 _; rewrite /lipc expr1n; apply=> -[i|i] a b; first by rewrite expr1n mul1r.
  exact: abs_slope.
exact: h2.
Qed.

(* (s (p + q), s (p - q)) for the halves p, q of |x|: s = 1 / root 2 or less *)
Definition rotated_abs (s : R) : {ffun 'I_c * P -> R} -> {ffun 'I_c * P -> R} :=
  on_halves (@Pooling.rotate_halves R I s) \o act (fun a => `|a|).
Theorem rotated_abs_lip (s : R) : s ^+ 2 * 2%:R <= 1 -> lip (rotated_abs s).
Proof. by move=> hs; apply: lip_comp; [exact: abs_lip | apply: on_halves_lip; exact: rotate_halves_lip]. Qed.

(* z - 2 v relu(v . z) on each pair z of a channel of the first half and its peer, |v| <= 1 *)
Section Householder.
Variables v v' : 'I_h -> R.
Definition folded (x : {ffun I + I -> R}) : {ffun I + I -> R} :=
  [ffun i => let k := match i with inl k => k | inr k => k end in
             x i - (match i with inl _ => v k.1 | inr _ => v' k.1 end) *
                   (2%:R * Num.max (v k.1 * x (inl k) + v' k.1 * x (inr k)) 0)].
Definition householder_halves : {ffun 'I_c * P -> R} -> {ffun 'I_c * P -> R} := on_halves folded.
Theorem householder_halves_lip : (forall k, v k ^+ 2 + v' k ^+ 2 <= 1) -> lip householder_halves.
Proof.
move=> hv; apply: on_halves_lip.
pose W (i : I + I) (j : I) : R := match i with inl k => if k == j then v k.1 else 0 | inr k => if k == j then v' k.1 else 0 end.
have Wu u i : (W *v u) i = match i with inl k => v k.1 * u k | inr k => v' k.1 * u k end.
  by rewrite ffunE; case: i => k; rewrite (bigD1 k) //= eqxx big1 ?addr0 // => j jk; rewrite eq_sym (negbTE jk) mul0r.
have Wx (x : {ffun I + I -> R}) k : (adj W *v x) k = v k.1 * x (inl k) + v' k.1 * x (inr k).
  rewrite ffunE big_sumType /= /adj; congr (_ + _); rewrite (bigD1 k) //= eqxx big1 ?addr0 // => j /negbTE ->; exact: mul0r.
apply: (@eq_lips _ _ _ _ (fun x => x - W *v ((fun=> 2%:R) *d act (fun a => Num.max a 0) (adj W *v x + 0)))) => [x|].
  apply/ffunP => i; rewrite !ffunE -ffunE; congr (_ - _); have := Wu ((fun=> 2%:R) *d act (fun a => Num.max a 0) (adj W *v x + 0)) i.
  by rewrite ffunE => ->; case: i => k; rewrite !ffunE addr0 -Wx ffunE.
apply: (@residual_lip _ _ _ W 0 _ (fun=> 1)) => [|j|j|]; [exact: relu_slope | exact: ler0n | by rewrite mulr1 |].
apply/dom_gram => u; rewrite sqnE big_sumType /= -big_split /=; apply: ler_sum => k _.
rewrite !Wu !exprMn -mulrDl mul1r -[X in _ <= X]mul1r ler_wpmul2r ?sqr_ge0 //.
Qed.
End Householder.

(* householder(order = 2) on each such pair: four sectors, angles as unit vectors (Folding.v, Rules.v) *)
Section Householder2.
Variables (co so c1 s1 c2 s2 : 'I_h -> R) (wide : 'I_h -> bool).
Definition to_pairs (kb : I * bool) : I + I := if kb.2 then inr kb.1 else inl kb.1.
Definition from_pairs (i : I + I) : I * bool := match i with inl k => (k, false) | inr k => (k, true) end.
Definition folded2 (x : {ffun I + I -> R}) : {ffun I + I -> R} :=
  select from_pairs (blocks (fun k : I => householder2 (co k.1) (so k.1) (c1 k.1) (s1 k.1) (c2 k.1) (s2 k.1) (wide k.1)) (select to_pairs x)).
Definition householder2_halves : {ffun 'I_c * P -> R} -> {ffun 'I_c * P -> R} := on_halves folded2.
Theorem householder2_halves_lip :
  (forall k, [/\ co k ^+ 2 + so k ^+ 2 = 1, c1 k ^+ 2 + s1 k ^+ 2 = 1, c2 k ^+ 2 + s2 k ^+ 2 = 1, 0 <= s1 k & 0 <= s2 k]) ->
  (forall k, let sine := s1 k * c2 k + c1 k * s2 k in if wide k then sine <= 0 else 0 <= sine) -> lip householder2_halves.
Proof.
move=> units sides; apply: on_halves_lip.
have to_inj : injective to_pairs by move=> [k []] [j []] // [->].
have from_inj : injective from_pairs by move=> [k|k] [j|j] // [->].
have [_ folds] := @householder_activation R [finType of I].
exact: (lip_comp (lip_comp (select_lip to_inj) (folds _ _ _ _ _ _ _ (fun k => units k.1) (fun k => sides k.1))) (select_lip from_inj)).
Qed.
End Householder2.
End Halves.

(* (relu x, relu (- x)): twice as many channels *)
Section Crelu.
Variables (R : realFieldType) (P : finType) (h c : nat) (e : (h + h)%N = c).
Definition crelu_channels (x : {ffun 'I_h * P -> R}) : {ffun 'I_c * P -> R} := select (join_channels e) (crelu x).
Theorem crelu_channels_lip : lip crelu_channels.
Proof. exact: (lip_comp (@crelu_lip R _) (select_lip (@join_channels_inj P _ _ _ e))). Qed.
End Crelu.

(* x where x >= 0, clamp(a, -1, 1) x elsewhere, a for each channel *)
Section Prelu.
Variables (R : realFieldType) (P : finType) (c : nat) (a : 'I_c -> R).
Definition clamp (b : R) : R := Num.max (Num.min b 1) (-1).
Lemma clamp_le1 b : `|clamp b| <= 1.
Proof. by rewrite ler_norml /clamp le_maxr lexx orbT le_maxl le_minl lexx orbT leN1_1. Qed.
Definition prelu (x : {ffun 'I_c * P -> R}) : {ffun 'I_c * P -> R} := [ffun i => leaky_relu (clamp (a i.1)) (x i)].
Theorem prelu_lip : lip prelu.
Proof.
have := @channelwise_lips R [finType of 'I_c * P] 1 (fun i => leaky_relu (clamp (a i.1))); rewrite /lipc expr1n; apply=> i.
have := clamp_le1 (a i.1); set b := clamp _; rewrite ler_norml => /andP [b1 b2].
have h : slope_in (-1) 1 (leaky_relu b).
  move=> x y xy; have /andP [h1 h2] := leaky_relu_slope_in b xy; have d0 : 0 <= y - x by rewrite subr_ge0.
  apply/andP; split; [apply: le_trans h1 | apply: le_trans h2 _]; rewrite ler_wpmul2r //.
    by rewrite le_minr leN1_1.
  by rewrite le_maxl lexx.
by have := slope_in_slope h; rewrite normrN normr1 max_l.
Qed.
End Prelu.

(* ---- Poolings at stride sh x sw: every window is whole. Constants are squared. *)
Section Pools.
Variables (R : realFieldType) (C : finType) (h w oh ow kh kw sh sw : nat).
Hypotheses (sh0 : (0 < sh)%N) (sw0 : (0 < sw)%N).
(* any s with s^2 (p / q) <= 1; k inputs a window times windows an input *)
Theorem sum_pool_ratio (s : R) (p q k n d : N) : N.leb 1 p -> N.leb 1 q -> N.leb 1 d -> s ^+ 2 * ratio R p q <= 1 ->
  (kh * kw * shared kh kw sh sw <= nat_of_bin k)%N -> N.leb (k * q * d) (n * p) ->
  lips (ratio R n d) (@sum_pool R C h w oh ow kh kw sh sw s).
Proof.
move=> p1 q1 d1 hs hk hn; apply: sum_pool_lips => //; apply: le_trans (_ : s ^+ 2 * (nat_of_bin k)%:R <= _).
  by rewrite ler_wpmul2l ?sqr_ge0 // ler_nat.
have p0 := denominator_gt0 R p1; have q0 := denominator_gt0 R q1.
have s1 : s ^+ 2 <= ratio R q p.
  by rewrite /ratio ler_pdivl_mulr //; move: hs; rewrite /ratio mulrA ler_pdivr_mulr // mul1r.
apply: le_trans (ler_wpmul2r (ler0n _ _) s1) _.
have -> : (nat_of_bin k)%:R = ratio R k 1 by rewrite /ratio /= divr1.
by rewrite ratio_mul N.mul_1_r (N.mul_comm q); apply: ratio_le.
Qed.

Hypotheses (kh0 : (0 < kh)%N) (kw0 : (0 < kw)%N) (eh : (oh.-1 * sh + kh <= h)%N) (ew : (ow.-1 * sw + kw <= w)%N).
Lemma corner_lt n o s k (j : 'I_o) : (0 < k)%N -> (o.-1 * s + k <= n)%N -> (j * s < n)%N.
Proof.
move=> k0 e; apply: leq_trans e; apply: leq_trans (_ : j * s + k <= _)%N; first by rewrite -addn1 leq_add2l.
by rewrite leq_add2r leq_mul2r -ltnS (ltn_predK (ltn_ord j)) ltn_ord orbT.
Qed.
Definition corner (j : C * ('I_oh * 'I_ow)) : C * ('I_h * 'I_w) :=
  (j.1, (Ordinal (corner_lt j.2.1 kh0 eh), Ordinal (corner_lt j.2.2 kw0 ew))).
Lemma corner_in j : window2d kh kw sh sw j (corner j).
Proof.
by apply/and3P; split; rewrite ?eqxx // /in_window /= leqnn /= -[X in (X < _)%N]addn0 ltn_add2l.
Qed.
Lemma le_max_of (I : eqType) (r : seq I) (p : pred I) (f : I -> R) a i : i \in r -> p i -> f i <= \big[Num.max/a]_(k <- r | p k) f k.
Proof.
elim: r => // k r ih; rewrite inE big_cons => /orP [/eqP <- -> |hi pi]; first by rewrite le_maxr lexx.
by case: ifP => _; rewrite ?le_maxr ih ?orbT.
Qed.
Definition maximum_pool (x : {ffun C * ('I_h * 'I_w) -> R}) : {ffun C * ('I_oh * 'I_ow) -> R} :=
  [ffun j => \big[Num.max/x (corner j)]_(i | window2d kh kw sh sw j i) x i].
Theorem maximum_pool_ratio m : (shared kh kw sh sw <= nat_of_bin m)%N -> lips (ratio R m 1) maximum_pool.
Proof.
move=> hm; apply: (@lips_weaken _ _ _ (shared kh kw sh sw)%:R); first by rewrite /ratio /= divr1 ler_nat.
apply: max_pool_lips => //; split=> x j; rewrite ffunE.
  elim/big_ind: _ => [|a b [i hi ->] [i' hi' ->]|i hi]; [by exists (corner j); rewrite ?corner_in | | by exists i].
  by case: (leP (x i) (x i')) => _; [exists i' | exists i].
by move=> i hi; apply: le_max_of; rewrite ?mem_index_enum.
Qed.
(* root: of numbers that are not negative *)
Variable root : R -> R.
Hypothesis rootP : forall a, 0 <= a -> 0 <= root a /\ root a ^+ 2 = a.
Definition norm_pool (x : {ffun C * ('I_h * 'I_w) -> R}) : {ffun C * ('I_oh * 'I_ow) -> R} :=
  [ffun j => root (\sum_(i | window2d kh kw sh sw j i) x i ^+ 2)].
Theorem norm_pool_ratio m : (shared kh kw sh sw <= nat_of_bin m)%N -> lips (ratio R m 1) norm_pool.
Proof.
move=> hm; apply: (@lips_weaken _ _ _ (shared kh kw sh sw)%:R); first by rewrite /ratio /= divr1 ler_nat.
have pos (x : {ffun C * ('I_h * 'I_w) -> R}) (j : C * ('I_oh * 'I_ow)) : 0 <= \sum_(i | window2d kh kw sh sw j i) x i ^+ 2 by apply: sumr_ge0 => i _; exact: sqr_ge0.
by apply: norm_pool_lips => //; split=> x j; rewrite ffunE; case: (rootP (pos x j)).
Qed.
End Pools.
(* a vector is an image of one row *)
Section Row.
Variables (R : realFieldType) (n m : nat).
Definition on_row (f : {ffun unit * ('I_1 * 'I_n) -> R} -> {ffun unit * ('I_1 * 'I_m) -> R}) (x : {ffun 'I_n -> R}) : {ffun 'I_m -> R} :=
  select (fun j => (tt, (ord0, j))) (f (select (fun i => i.2.2) x)).
Lemma on_row_lips c f : 0 <= c -> lips c f -> lips c (on_row f).
Proof.
move=> c0 hf; have i1 : injective (fun i : unit * ('I_1 * 'I_n) => i.2.2).
  by move=> [[] [i a]] [[] [i' a']] /= ->; rewrite (ord1 i) (ord1 i').
have i2 : injective (fun j : 'I_m => (tt, (ord0 : 'I_1, j))) by move=> a b [].
by have := after_lip (lips_comp c0 (@select_lip R _ _ _ i1) hf) (select_lip i2); rewrite mulr1.
Qed.
End Row.

(* ---- t copies of all channels, one after another, times s; x minus the mean of all its entries *)
Section Copies.
Variables (R : realFieldType) (P : finType) (c t c' : nat) (e : (t * c)%N = c').
Definition copy_of (i : 'I_c' * P) : 'I_t * ('I_c * P) :=
  let k := cast_ord (esym e) i.1 in (Ordinal (group_lt k), (Ordinal (rank_lt k), i.2)).
Lemma copy_of_inj : injective copy_of.
Proof.
move=> [a p] [b q] [] /= d m ->; congr (_, _); apply: val_inj.
by rewrite /= (divn_eq a c) (divn_eq b c) d m.
Qed.
Definition tiled (s : R) (x : {ffun 'I_c * P -> R}) : {ffun 'I_c' * P -> R} := select copy_of (@Pooling.copies R _ t s x).
Theorem tiled_lip (s : R) : s ^+ 2 * t%:R <= 1 -> lip (tiled s).
Proof. by move=> hs; exact: (lip_comp (@copies_lip R _ t s hs) (select_lip copy_of_inj)). Qed.
End Copies.
Section Mean.
Variables (R : realFieldType) (I : finType).
Definition without_mean (x : {ffun I -> R}) : {ffun I -> R} := x - [ffun=> #|I|%:R^-1 * \sum_j x j].
Theorem without_mean_lip : lip without_mean.
Proof.
apply: subtract_mean_lip; first by rewrite invr_ge0 ler0n.
case: (posnP #|I|) => [->|i0]; first by rewrite mulr0 ler0n.
by rewrite mulVf ?pnatr_eq0 -?lt0n // ler1n.
Qed.
End Mean.
