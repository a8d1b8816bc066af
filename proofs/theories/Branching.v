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
(* f depends on the entries of A alone: a bound by their differences. Functions of disjoint parts are joined at the larger bound. *)
Definition within I J (A : pred I) c (f : {ffun I -> R} -> {ffun J -> R}) : Prop :=
  forall x y, sqn (f x - f y) <= c * \sum_(i | A i) (x i - y i) ^+ 2.
Lemma within_select I I1 J (A : pred I) c (p : I1 -> I) (f : {ffun I1 -> R} -> {ffun J -> R}) :
  0 <= c -> injective p -> (forall k, A (p k)) -> lips c f -> within A c (f \o select p).
Proof.
move=> c0 pi pA hf x y; apply: le_trans (hf _ _) _; rewrite ler_wpmul2l // sqnE.
rewrite (bigID (fun i => i \in codom p)) /=; apply: ler_paddr; first by apply: sumr_ge0 => i _; exact: sqr_ge0.
rewrite (eq_bigl (fun i => i \in codom p)) => [|i]; last first.
  by case: (boolP (i \in codom p)) => [/codomP [k ->]|]; rewrite ?andbF // pA.
rewrite [X in _ <= X]big_mkcond /=.
have e (k : I1) : (select p x - select p y) k ^+ 2 = (x (p k) - y (p k)) ^+ 2 by rewrite !ffunE.
under eq_bigr => k _ do rewrite e.
pose F i := (x i - y i) ^+ 2; rewrite -[X in X <= _]/(\sum_k F (p k)).
have -> : \sum_k F (p k) = \sum_i \sum_(k | p k == i) F i.
  rewrite (exchange_big_dep predT) //=; apply: eq_bigr => k _.
  by rewrite (big_pred1 (p k)) // => i; rewrite eq_sym.
apply: ler_sum => i _; case: codomP => [[k ->]|none].
  by rewrite (big_pred1 k) // => k'; rewrite (inj_eq pi).
by rewrite big_pred0 // => k; apply/eqP => h; apply: none; exists k.
Qed.
Lemma within_lips I J (A : pred I) c (f : {ffun I -> R} -> {ffun J -> R}) : 0 <= c -> within A c f -> lips c f.
Proof.
move=> c0 h x y; apply: le_trans (h x y) _; rewrite ler_wpmul2l // sqnE [X in _ <= X](bigID A) /=.
by under [X in _ <= X + _]eq_bigr => i _ do rewrite !ffunE; rewrite ler_addl sumr_ge0 // => i _; exact: sqr_ge0.
Qed.
Lemma within_join I J K L (A B : pred I) c (h : L -> J + K) (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R}) :
  0 <= c -> injective h -> (forall i, A i -> ~~ B i) -> within A c f -> within B c g -> within (fun i => A i || B i) c (join h f g).
Proof.
move=> c0 hi dis hf hg x y; have := @select_lip _ _ h hi (concat (f x) (g x)) (concat (f y) (g y)).
rewrite mul1r => h1; apply: le_trans h1 _; rewrite sqn_concat; apply: le_trans (ler_add (hf x y) (hg x y)) _.
rewrite -mulrDr ler_wpmul2l // [X in _ <= X](bigID A) /= le_eqVlt; apply/orP; left; apply/eqP; congr (_ + _).
  by apply: eq_bigl => i; case: (A i); rewrite ?andbF.
by apply: eq_bigl => i; case: (boolP (A i)) => [/dis /negbTE ->|_]; rewrite ?andbF ?andbT.
Qed.
(* parts of the channel axis, as ranges [from, to) of it; at: the channel of an entry *)
Definition inside (r : seq (nat * nat)) (k : nat) : bool := has (fun ab => ab.1 <= k < ab.2)%N r.
Definition apart (r r' : seq (nat * nat)) : bool :=
  all (fun ab => all (fun cd => (ab.2 <= cd.1) || (cd.2 <= ab.1))%N r') r.
Lemma insideP r r' k : apart r r' -> inside r k -> ~~ inside r' k.
Proof.
move=> /allP h /hasP [ab hab /andP [a b]]; apply/hasPn => cd hcd; have /allP /(_ _ hcd) := h _ hab.
case/orP => le; apply/negP => /andP [c d].
  by have := leq_trans b (leq_trans le c); rewrite ltnn.
by have := leq_trans d (leq_trans le a); rewrite ltnn.
Qed.
Lemma within_ranges I J K L (place : I -> nat) (r r' : seq (nat * nat)) c (h : L -> J + K)
  (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R}) : 0 <= c -> injective h -> apart r r' ->
  within (fun i => inside r (place i)) c f -> within (fun i => inside r' (place i)) c g ->
  within (fun i => inside (r ++ r') (place i)) c (join h f g).
Proof.
move=> c0 hi ap hf hg x y; have := within_join c0 hi (fun i => insideP (k := place i) ap) hf hg x y.
by rewrite (eq_bigl (fun i => inside (r ++ r') (place i))) // => i; rewrite /inside has_cat.
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
Lemma features_inside n a m (e : (a + m <= n)%N) k : inside [:: (a, a + m)%N] (features_from e k).
Proof. by rewrite /inside /= leq_addr ltn_add2l ltn_ord. Qed.
Lemma channels_inside n a m (e : (a + m <= n)%N) k : inside [:: (a, a + m)%N] (channels_from e k).1.
Proof. exact: features_inside. Qed.
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
