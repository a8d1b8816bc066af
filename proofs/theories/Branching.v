(* Networks with branches, as `lip prove --coq` writes them: squared constants are ratios, channels are selected and joined by index maps. *)
From Coq Require Import BinNat.
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Structure Rules Architecture.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Branching.
Variable R : realFieldType.
Implicit Types I J K L : finType.

(* ---- Squared constants: lips (n / d) *)
Lemma lips_ratio I J n d n' d' (f : {ffun I -> R} -> {ffun J -> R}) :
  N.leb 1 d -> N.leb 1 d' -> N.leb (n * d') (n' * d) -> lips (ratio R n d) f -> lips (ratio R n' d') f.
Proof. by move=> h h' e; apply: lips_weaken; exact: ratio_le. Qed.
Lemma lip_ratio I J (f : {ffun I -> R} -> {ffun J -> R}) : lip f -> lips (ratio R 1 1) f.
Proof. by apply: lips_weaken; rewrite ratio_id. Qed.
Lemma lipc_ratio I J n d (f : {ffun I -> R} -> {ffun J -> R}) :
  lipc (ratio R n d) f -> lips (ratio R (n * n) (d * d)) f.
Proof. by rewrite /lipc expr2 ratio_mul. Qed.
Lemma ratio_lipc I J n d n' d' (f : {ffun I -> R} -> {ffun J -> R}) : N.leb 1 d -> N.leb 1 d' ->
  N.leb (n * (d' * d')) (n' * n' * d) -> lips (ratio R n d) f -> lipc (ratio R n' d') f.
Proof.
move=> h h' e; rewrite /lipc expr2 ratio_mul; apply: lips_ratio => //.
by apply/N.leb_le; move/N.leb_le: h' => h'; rewrite -[1%num]/(1 * 1)%num; apply: N.mul_le_mono.
Qed.
Lemma ratio_lip I J n d (f : {ffun I -> R} -> {ffun J -> R}) : N.leb 1 d -> N.leb n d -> lips (ratio R n d) f -> lip f.
Proof. by move=> h e; apply: lips_weaken; exact: ratio_le1. Qed.
Lemma after_ratio I J K n d n' d' (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  lips (ratio R n d) f -> lips (ratio R n' d') g -> lips (ratio R (n' * n) (d' * d)) (g \o f).
Proof. by move=> hf hg; rewrite -ratio_mul; apply: lips_comp; rewrite ?ratio_ge0. Qed.
Lemma after_lip I J K c (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun J -> R} -> {ffun K -> R}) :
  lips c f -> lip g -> lips c (g \o f).
Proof. by move=> hf hg; rewrite -[c]mul1r; apply: lips_comp; rewrite ?ler01. Qed.

(* ---- Joins of branches *)
Section Joins.
Variables (I J : finType) (f g : {ffun I -> R} -> {ffun J -> R}).
Lemma scaled_ratio n d a b (s : R) : `|s| = ratio R a b -> lips (ratio R n d) f ->
  lips (ratio R (a * a * n) (b * b * d)) (fun x => s *c f x).
Proof.
move=> hs hf; have h : lips (ratio R (a * a) (b * b)) (fun x : {ffun J -> R} => s *c x).
  by apply: scale_lips => i; rewrite -ratio_mul -hs -expr2 real_normK ?num_real.
exact: after_ratio hf h.
Qed.
(* (root c + root d)^2 with e >= root (c d) *)
Lemma sum_ratio n d n' d' a b m k : lips (ratio R n d) f -> lips (ratio R n' d') g ->
  N.leb 1 d -> N.leb 1 d' -> N.leb 1 b -> N.leb 1 k ->
  N.leb (n * n' * (b * b)) (a * a * (d * d')) ->
  N.leb ((n * d' * b + n' * d * b + 2 * a * d * d') * k) (m * (d * d' * b)) ->
  lips (ratio R m k) (fun x => f x + g x).
Proof.
move=> hf hg d1 d1' b1 k1 he hm.
have pos x y : N.leb 1 x -> N.leb 1 y -> N.leb 1 (x * y).
  by move=> /N.leb_le hx /N.leb_le hy; apply/N.leb_le; rewrite -[1%num]/(1 * 1)%num; apply: N.mul_le_mono.
have hs := @sum_lips _ _ _ f g (ratio R n d) (ratio R n' d') (ratio R a b) (ratio_ge0 _ _ _) (ratio_ge0 _ _ _) (ratio_ge0 _ _ _).
apply: lips_weaken (hs _ hf hg); last by rewrite expr2 !ratio_mul; apply: ratio_le => //; exact: pos.
have dd := pos _ _ (pos _ _ d1 d1') b1.
have same x y z : N.leb 1 y -> N.leb 1 z -> ratio R x y = ratio R (x * z) (y * z).
  move=> y1 z1; rewrite -ratio_mul -[LHS]mulr1; congr (_ * _); by rewrite ratio_id.
have -> : ratio R n d = ratio R (n * d' * b) (d * d' * b).
  rewrite (same n d (d' * b)%num) // ?pos //; congr (ratio R _ _); by rewrite !N.mul_assoc.
have -> : ratio R n' d' = ratio R (n' * d * b) (d * d' * b).
  rewrite (same n' d' (d * b)%num) // ?pos //; congr (ratio R _ _); first by rewrite !N.mul_assoc.
  by rewrite N.mul_assoc (N.mul_comm d').
have -> : 2%:R * ratio R a b = ratio R (2 * a * d * d') (d * d' * b).
  rewrite (same a b (d * d')%num) ?pos // -[2%:R]/((nat_of_bin 2)%:R) /ratio mulrA -natrM -nat_of_mul_bin.
  congr (_%:R / _%:R); congr nat_of_bin; [by rewrite !N.mul_assoc | by rewrite N.mul_comm].
by rewrite !ratio_add; apply: ratio_le.
Qed.
Lemma mix_ratio c w : 0 <= w -> w <= 1 -> lips c f -> lips c g -> lips c (fun x => (1 - w) *c f x + w *c g x).
Proof. by move=> w0 w1; apply: mix_lips; rewrite w0. Qed.
Lemma added_ratio n d n' d' m k : N.leb 1 d -> N.leb 1 d' -> N.leb 1 k -> N.leb ((n * d' + n' * d) * k) (m * (d * d')) ->
  ratio R n d + ratio R n' d' <= ratio R m k.
Proof.
move=> d1 d1' k1 h; have dd : N.leb 1 (d * d').
  by move/N.leb_le: d1 => d1; move/N.leb_le: d1' => d1'; apply/N.leb_le; rewrite -[1%num]/(1 * 1)%num; apply: N.mul_le_mono.
have -> : ratio R n d = ratio R (n * d') (d * d') by rewrite -ratio_mul ratio_id ?mulr1.
have -> : ratio R n' d' = ratio R (n' * d) (d * d') by rewrite (N.mul_comm d) -ratio_mul ratio_id ?mulr1.
by rewrite ratio_add; apply: ratio_le.
Qed.
Definition largest (x : {ffun I -> R}) : {ffun J -> R} := [ffun j => Num.max (f x j) (g x j)].
Definition smallest (x : {ffun I -> R}) : {ffun J -> R} := [ffun j => Num.min (f x j) (g x j)].
Lemma largest_lips c d m : c + d <= m -> lips c f -> lips d g -> lips m largest.
Proof. by move=> h hf hg; apply: lips_weaken h _; case: (maximum hf hg). Qed.
Lemma smallest_lips c d m : c + d <= m -> lips c f -> lips d g -> lips m smallest.
Proof. by move=> h hf hg; apply: lips_weaken h _; case: (maximum hf hg). Qed.
End Joins.

(* ---- Choosing entries; joining them; disjoint parts of one value *)
Definition select I J (h : J -> I) (x : {ffun I -> R}) : {ffun J -> R} := [ffun j => x (h j)].
Lemma select_lip I J (h : J -> I) : injective h -> lip (select h).
Proof. exact: reindex_lip. Qed.
Definition join I J K L (h : L -> J + K) (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R})
  (x : {ffun I -> R}) : {ffun L -> R} := select h (concat (f x) (g x)).
Lemma join_lips I J K L c d m (h : L -> J + K) (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R}) :
  injective h -> c + d <= m -> lips c f -> lips d g -> lips m (join h f g).
Proof.
by move=> hi hm hf hg; apply: (after_lip (f := fun x => concat (f x) (g x)) (g := select h)); [apply: lips_weaken hm (concat_lips hf hg) | exact: select_lip].
Qed.
Lemma disjoint_lips I I1 I2 J K L c (p : I1 -> I) (r : I2 -> I) (h : L -> J + K)
  (f : {ffun I1 -> R} -> {ffun J -> R}) (g : {ffun I2 -> R} -> {ffun K -> R}) :
  0 <= c -> injective p -> injective r -> (forall a b, p a <> r b) -> injective h -> lips c f -> lips c g ->
  lips c (join h (f \o select p) (g \o select r)).
Proof.
move=> c0 pi ri dis hi hf hg; pose q (s : I1 + I2) := match s with inl a => p a | inr b => r b end.
have qi : injective q.
  move=> [a|b] [a'|b'] /= e; [by rewrite (pi _ _ e) | | | by rewrite (ri _ _ e)].
    by case: (dis _ _ e).
  by case: (dis _ _ (esym e)).
move=> x y; have h1 := @select_lip _ _ h hi (concat ((f \o select p) x) ((g \o select r) x)) (concat ((f \o select p) y) ((g \o select r) y)).
rewrite mul1r in h1; apply: le_trans h1 _.
have h2 := parallel_lips hf hg (select q x) (select q y); have h3 := @select_lip _ _ q qi x y; rewrite mul1r in h3.
have e1 z : [ffun i => select q z (inl i)] = select p z by apply/ffunP => i; rewrite !ffunE.
have e2 z : [ffun i => select q z (inr i)] = select r z by apply/ffunP => i; rewrite !ffunE.
by rewrite !e1 !e2 in h2; apply: le_trans h2 _; rewrite ler_wpmul2l.
Qed.

(* channels a, ..., a + m - 1 of n, and channels side by side; for images and for vectors *)
Section Channels.
Variable P : finType.
Lemma from_lt n a m (e : (a + m <= n)%N) (i : 'I_m) : (a + i < n)%N.
Proof. by apply: leq_trans e; rewrite ltn_add2l. Qed.
Definition features_from n a m (e : (a + m <= n)%N) (i : 'I_m) : 'I_n := Ordinal (from_lt e i).
Definition channels_from n a m (e : (a + m <= n)%N) (i : 'I_m * P) : 'I_n * P := (features_from e i.1, i.2).
Lemma features_from_inj n a m (e : (a + m <= n)%N) : injective (features_from e).
Proof. by move=> i j [] /addnI /val_inj. Qed.
Lemma channels_from_inj n a m (e : (a + m <= n)%N) : injective (channels_from e).
Proof. by move=> [i p] [j q] [] /addnI /val_inj -> ->. Qed.
Lemma features_apart n a m b k (e : (a + m <= n)%N) (e' : (b + k <= n)%N) : (a + m <= b)%N || (b + k <= a)%N ->
  forall i j, features_from e i <> features_from e' j.
Proof.
move=> ab i j [] /= h; case/orP: ab => ab.
  by have := leq_trans (ltn_ord i) (leqnn m); rewrite -(ltn_add2l a) h => /leq_trans /(_ ab); rewrite ltnNge leq_addr.
by have := leq_trans (ltn_ord j) (leqnn k); rewrite -(ltn_add2l b) -h => /leq_trans /(_ ab); rewrite ltnNge leq_addr.
Qed.
Lemma channels_apart n a m b k (e : (a + m <= n)%N) (e' : (b + k <= n)%N) : (a + m <= b)%N || (b + k <= a)%N ->
  forall i j, channels_from e i <> channels_from e' j.
Proof. by move=> ab i j h; have := @features_apart _ _ _ _ _ e e' ab i.1 j.1; case: h => h _; apply; apply: val_inj. Qed.
Definition join_features n m k (e : (n + m)%N = k) (i : 'I_k) : 'I_n + 'I_m := fintype.split (cast_ord (esym e) i).
Definition join_channels n m k (e : (n + m)%N = k) (i : 'I_k * P) : ('I_n * P) + ('I_m * P) :=
  match join_features e i.1 with inl a => inl (a, i.2) | inr b => inr (b, i.2) end.
Lemma join_features_inj n m k (e : (n + m)%N = k) : injective (join_features e).
Proof. by move=> i j /(can_inj (@splitK n m)) /cast_ord_inj. Qed.
Lemma join_channels_inj n m k (e : (n + m)%N = k) : injective (join_channels e).
Proof.
move=> [i p] [j q]; rewrite /join_channels /= => h; have := @join_features_inj _ _ _ e i j.
by move: h; case: (join_features e i) => a; case: (join_features e j) => b //= [-> ->] -> .
Qed.
End Channels.
End Branching.
