(* Pooling over windows that may overlap, and small maps of channels: copies, concatenated ReLU, rotated halves, centring. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Structure.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Windows.
Variable R : realFieldType.
Variables (I J : finType) (window : J -> pred I) (m : nat).
(* no input lies in more than m windows *)
Hypothesis multiplicity : forall i, (#|[pred j | window j i]| <= m)%N.

Theorem windows_lips c (f : {ffun I -> R} -> {ffun J -> R}) : 0 <= c ->
  (forall x y j, (f x j - f y j) ^+ 2 <= c * \sum_(i | window j i) (x i - y i) ^+ 2) -> lips (c * m%:R) f.
Proof.
move=> c0 h x y; rewrite !sqnE -mulrA.
apply: le_trans (_ : \sum_j c * (\sum_(i | window j i) (x i - y i) ^+ 2) <= _).
  by apply: ler_sum => j _; rewrite !ffunE; exact: h.
rewrite -mulr_sumr; apply: ler_wpmul2l => //.
rewrite (exchange_big_dep predT) //= mulr_sumr; apply: ler_sum => i _; rewrite !ffunE.
by rewrite sumr_const -[X in X <= _]mulr_natl ler_wpmul2r ?sqr_ge0 // ler_nat; exact: multiplicity.
Qed.

(* sums over windows of at most n inputs, times s *)
Theorem average_windows (n : nat) (s : R) : (forall j, (#|[pred i | window j i]| <= n)%N) ->
  lips (s ^+ 2 * n%:R * m%:R) (fun x => [ffun j => s * \sum_(i | window j i) x i]).
Proof.
move=> hn; apply: windows_lips => [|x y j]; first by rewrite mulr_ge0 ?sqr_ge0 ?ler0n.
rewrite !ffunE -mulrBr exprMn -[X in _ <= X]mulrA; apply: ler_wpmul2l; first exact: sqr_ge0.
rewrite -sumrB.
pose u := [ffun i : I => if window j i then 1 else 0 : R].
pose v := [ffun i : I => if window j i then x i - y i else 0].
have := cauchy_schwarz u v; rewrite !sqnE /dot.
have -> : \sum_i u i * v i = \sum_(i | window j i) (x i - y i).
  by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: ifP; rewrite ?mul0r ?mul1r.
have -> : \sum_i u i ^+ 2 = #|[pred i | window j i]|%:R.
  rewrite -sum1_card natr_sum big_mkcond [RHS]big_mkcond; apply: eq_bigr => i _.
  by rewrite ffunE inE; case: ifP; rewrite ?expr1n ?expr0n.
have -> : \sum_i v i ^+ 2 = \sum_(i | window j i) (x i - y i) ^+ 2.
  by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: ifP; rewrite ?expr0n.
move=> h; apply: le_trans h _; rewrite ler_wpmul2r ?ler_nat ?hn // sumr_ge0 // => i _; exact: sqr_ge0.
Qed.

(* the largest input of each window *)
Theorem maximum_windows (f : {ffun I -> R} -> {ffun J -> R}) :
  (forall (x : {ffun I -> R}) j, exists2 i, window j i & f x j = x i) ->
  (forall (x : {ffun I -> R}) j i, window j i -> x i <= f x j) -> lips m%:R f.
Proof.
move=> hin hub; rewrite -[m%:R]mul1r; apply: windows_lips ler01 _ => x y j; rewrite mul1r.
wlog h : x y / f y j <= f x j => [wl|].
  have [|/ltW h] := leP (f y j) (f x j); first exact: wl.
  have := wl y x h; rewrite -sqrrN opprB => h1; apply: le_trans h1 _.
  by apply: ler_sum => i _; rewrite -sqrrN opprB.
have [i wi fi] := hin x j; rewrite (bigD1 i) //=.
apply: le_trans (_ : (x i - y i) ^+ 2 <= _); last by rewrite ler_addl sumr_ge0 // => k _; rewrite sqr_ge0.
have h0 : 0 <= f x j - f y j by rewrite subr_ge0.
have h1 : f x j - f y j <= x i - y i by rewrite fi ler_add2l ler_opp2 hub.
by rewrite ler_sqr ?nnegrE // (le_trans h0 h1).
Qed.

(* the norm of each window *)
Theorem norm_windows (f : {ffun I -> R} -> {ffun J -> R}) :
  (forall x j, 0 <= f x j) -> (forall (x : {ffun I -> R}) j, f x j ^+ 2 = \sum_(i | window j i) x i ^+ 2) -> lips m%:R f.
Proof.
move=> f0 f2; rewrite -[m%:R]mul1r; apply: windows_lips ler01 _ => x y j; rewrite mul1r.
pose r (z : {ffun I -> R}) := [ffun i => if window j i then z i else 0].
have rE z : f z j ^+ 2 = sqn (r z).
  by rewrite f2 sqnE big_mkcond; apply: eq_bigr => i _; rewrite ffunE; case: ifP; rewrite ?expr0n.
have -> : \sum_(i | window j i) (x i - y i) ^+ 2 = sqn (r x - r y).
  by rewrite sqnE big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: ifP; rewrite ?subrr ?expr0n.
rewrite sqrrB sqnB -!rE mulr_natl ler_add2r ler_add2l ler_opp2 ler_muln2r /=.
have [d0|d0] := leP (dot (r x) (r y)) 0; first by apply: le_trans d0 _; rewrite mulr_ge0.
by rewrite -ler_sqr ?nnegrE ?(ltW d0) ?mulr_ge0 // exprMn !rE cauchy_schwarz.
Qed.
End Windows.

(* Windows of kh x kw at stride sh x sw over an image: an input lies in at most ceil(kh / sh) ceil(kw / sw) of them. *)
Section Image.
Variable R : realFieldType.
Variables (C : finType) (h w oh ow kh kw sh sw : nat).
Hypotheses (sh0 : (0 < sh)%N) (sw0 : (0 < sw)%N).
Definition in_window (s k : nat) (j i : nat) : bool := (j * s <= i < j * s + k)%N.
Definition window2d (j : C * ('I_oh * 'I_ow)) : pred (C * ('I_h * 'I_w)) :=
  fun i => [&& i.1 == j.1, in_window sh kh j.2.1 i.2.1 & in_window sw kw j.2.2 i.2.2].
Definition shared : nat := ((kh.-1 %/ sh).+1 * (kw.-1 %/ sw).+1)%N.
Lemma window_rank (s k j i : nat) : (0 < s)%N -> in_window s k j i ->
  (i %/ s - j < (k.-1 %/ s).+1)%N /\ (j <= i %/ s)%N.
Proof.
move=> s0 /andP [lo hi]; have jl : (j <= i %/ s)%N by rewrite leq_divRL.
split=> //; rewrite ltnS leq_subLR -divnMDl // leq_div2r // -ltnS; apply: leq_trans hi _.
by rewrite -addnS leq_add2l leqSpred.
Qed.
Lemma window2d_multiplicity i : (#|[pred j | window2d j i]| <= shared)%N.
Proof.
pose f (j : C * ('I_oh * 'I_ow)) : 'I_(kh.-1 %/ sh).+1 * 'I_(kw.-1 %/ sw).+1 :=
  (inord (i.2.1 %/ sh - j.2.1), inord (i.2.2 %/ sw - j.2.2)).
rewrite -(card_in_image (f := f)) => [|j j']; last first.
  rewrite !inE => /and3P [/eqP e1 /(window_rank sh0) [a1 b1] /(window_rank sw0) [c1 d1]].
  move=> /and3P [/eqP e2 /(window_rank sh0) [a2 b2] /(window_rank sw0) [c2 d2]] [].
  move=> /(congr1 val); rewrite /= !inordK // => ha /(congr1 val); rewrite /= !inordK // => hb.
  case: j e1 a1 b1 c1 d1 ha hb => cj [a b] /= e1 a1 b1 c1 d1 ha hb.
  case: j' e2 a2 b2 c2 d2 ha hb => cj' [a' b'] /= e2 a2 b2 c2 d2 ha hb.
  rewrite -e1 e2; congr (_, (_, _)); apply: val_inj => /=.
    by rewrite -(subKn b1) ha subKn.
  by rewrite -(subKn d1) hb subKn.
by apply: leq_trans (max_card _) _; rewrite card_prod !card_ord.
Qed.
Lemma window_size (n s k j : nat) : (#|[pred i : 'I_n | in_window s k j i]| <= k)%N.
Proof.
have [k0|k0] := posnP k.
  by rewrite k0 leqn0; apply/eqP/eq_card0 => i; rewrite !inE /in_window addn0 ltnNge andbN.
have [p ->] : exists p, k = p.+1 by case: k k0 => // p; exists p.
pose f (i : 'I_n) : 'I_p.+1 := inord (i - j * s).
rewrite -(card_in_image (f := f)) => [|i i']; last first.
  rewrite !inE => /andP [a b] /andP [a' b'] /(congr1 val) /=.
  rewrite !inordK ?ltn_subLR // => e; apply: val_inj => /=; by rewrite -(subnKC a) e subnKC.
by apply: leq_trans (max_card _) _; rewrite card_ord.
Qed.
Lemma window2d_size j : (#|[pred i | window2d j i]| <= kh * kw)%N.
Proof.
apply: leq_trans (_ : #|[predX [pred a : 'I_h | in_window sh kh j.2.1 a] & [pred b : 'I_w | in_window sw kw j.2.2 b]]| <= _)%N.
  rewrite -(card_in_image (f := snd)) => [|[c p] [c' p']]; last first.
    by rewrite !inE => /andP [/eqP /= -> _] /andP [/eqP /= -> _] /= ->.
  by apply/subset_leq_card/subsetP => p /imageP [[c q]]; rewrite !inE => /and3P [_ a b] ->; rewrite /= a b.
by rewrite cardX leq_mul // window_size.
Qed.

Definition sum_pool (s : R) (x : {ffun C * ('I_h * 'I_w) -> R}) : {ffun C * ('I_oh * 'I_ow) -> R} :=
  [ffun j => s * \sum_(i | window2d j i) x i].
Theorem sum_pool_lips s c : s ^+ 2 * (kh * kw * shared)%:R <= c -> lips c (sum_pool s).
Proof.
by move=> hs; apply: lips_weaken (average_windows window2d_multiplicity s window2d_size); rewrite -mulrA -natrM.
Qed.
(* f x j is the largest entry (or the norm) of window j *)
Definition is_max_pool (f : {ffun C * ('I_h * 'I_w) -> R} -> {ffun C * ('I_oh * 'I_ow) -> R}) : Prop :=
  (forall (x : {ffun C * ('I_h * 'I_w) -> R}) j, exists2 i, window2d j i & f x j = x i) /\
  (forall (x : {ffun C * ('I_h * 'I_w) -> R}) j i, window2d j i -> x i <= f x j).
Theorem max_pool_lips f : is_max_pool f -> lips shared%:R f.
Proof. by case=> h1 h2; exact: (maximum_windows window2d_multiplicity h1 h2). Qed.
Definition is_norm_pool (f : {ffun C * ('I_h * 'I_w) -> R} -> {ffun C * ('I_oh * 'I_ow) -> R}) : Prop :=
  (forall x j, 0 <= f x j) /\
  (forall (x : {ffun C * ('I_h * 'I_w) -> R}) j, f x j ^+ 2 = \sum_(i | window2d j i) x i ^+ 2).
Theorem norm_pool_lips f : is_norm_pool f -> lips shared%:R f.
Proof. by case=> h1 h2; exact: (norm_windows window2d_multiplicity h1 h2). Qed.
End Image.

(* Maps of channels. *)
Section Channels.
Variable R : realFieldType.
Implicit Types I P : finType.

(* n copies, times s: s^2 n <= 1 *)
Definition copies I n (s : R) (x : {ffun I -> R}) : {ffun 'I_n * I -> R} := [ffun i => s * x i.2].
Theorem copies_lip I n (s : R) : s ^+ 2 * n%:R <= 1 -> lip (@copies I n s).
Proof.
move=> hs x y; rewrite mul1r sqn_slice.
have e k : sqn (slice (copies n s x - copies n s y) k) = s ^+ 2 * sqn (x - y).
  rewrite !sqnE mulr_sumr; apply: eq_bigr => i _; by rewrite !ffunE /= -mulrBr exprMn.
under eq_bigr => k _ do rewrite e.
by rewrite sumr_const card_ord -mulr_natr mulrAC -[X in _ <= X]mul1r ler_wpmul2r ?sqn_ge0.
Qed.

(* (relu x, relu (- x)) *)
Definition crelu I (x : {ffun I -> R}) : {ffun I + I -> R} :=
  concat [ffun i => Num.max (x i) 0] [ffun i => Num.max (- x i) 0].
Lemma sign_parts (a : R) : exists p n, [/\ Num.max a 0 = p, Num.max (- a) 0 = n, 0 <= p, 0 <= n & p * n = 0 /\ a = p - n].
Proof.
have [ha|ha] := leP a 0.
  exists 0, (- a); rewrite (max_idPl _) ?oppr_ge0 //; split; rewrite ?oppr_ge0 ?mul0r ?sub0r ?opprK //.
exists a, 0; rewrite (max_idPr _) ?oppr_le0 ?(ltW ha) //; split; rewrite ?(ltW ha) ?mulr0 ?subr0 //.
Qed.
Theorem crelu_lip I : lip (@crelu I).
Proof.
move=> x y; rewrite mul1r sqn_concat !sqnE -big_split; apply: ler_sum => i _; rewrite !ffunE /=.
have [p [n [-> -> p0 n0 [pn ->]]]] := sign_parts (x i); have [q [m [-> -> q0 m0 [qm ->]]]] := sign_parts (y i).
rewrite -subr_ge0.
have -> : (p - n - (q - m)) ^+ 2 - ((p - q) ^+ 2 + (n - m) ^+ 2) = 2%:R * (p * m + q * n) - 2%:R * (p * n + q * m) by ring.
by rewrite pn qm addr0 mulr0 subr0 !(mulr_ge0, addr_ge0, ler0n).
Qed.

(* (p, q) to (s (p + q), s (p - q)), 2 s^2 <= 1 *)
Definition rotate_halves I (s : R) (x : {ffun I + I -> R}) : {ffun I + I -> R} :=
  [ffun i => match i with inl k => s * (x (inl k) + x (inr k)) | inr k => s * (x (inl k) - x (inr k)) end].
Theorem rotate_halves_lip I (s : R) : s ^+ 2 * 2%:R <= 1 -> lip (@rotate_halves I s).
Proof.
move=> hs x y; rewrite mul1r !sqnE !big_sumType /= -!big_split; apply: ler_sum => i _; rewrite !ffunE /=.
move: (x (inl i)) (x (inr i)) (y (inl i)) (y (inr i)) => a b c d.
have -> : (s * (a + b) - s * (c + d)) ^+ 2 + (s * (a - b) - s * (c - d)) ^+ 2 =
  s ^+ 2 * 2%:R * ((a - c) ^+ 2 + (b - d) ^+ 2) by ring.
by rewrite -[X in _ <= X]mul1r ler_wpmul2r // addr_ge0 ?sqr_ge0.
Qed.

(* x minus the mean of its entries; any constant k with k |I| = 1, or with |1 - k |I|| <= 1 *)
Theorem subtract_mean_lip I (k : R) : 0 <= k -> k * #|I|%:R <= 2%:R ->
  lip (fun x : {ffun I -> R} => x - [ffun=> k * \sum_j x j]).
Proof.
move=> k0 hk; pose one := [ffun _ : I => 1 : R].
have n1 : sqn one = #|I|%:R.
  by rewrite sqnE; under eq_bigr => i _ do rewrite ffunE expr1n; rewrite sumr_const cardT -cardE.
move=> x y; rewrite mul1r.
have -> : x - [ffun=> k * \sum_j x j] - (y - [ffun=> k * \sum_j y j]) = (x - y) - (k * dot one (x - y)) *c one.
  apply/ffunP => i; rewrite !ffunE mulr1 /dot.
  have -> : \sum_i0 one i0 * (x - y) i0 = \sum_j x j - \sum_j y j.
    by rewrite -sumrB; apply: eq_bigr => j _; rewrite !ffunE mul1r.
  by ring.
rewrite sqnB dotZr sqnZ n1 (dotC (x - y)) -addrA ger_addl.
have -> : - (2%:R * (k * dot one (x - y) * dot one (x - y))) + (k * dot one (x - y)) ^+ 2 * #|I|%:R =
  - (k * dot one (x - y) ^+ 2 * (2%:R - k * #|I|%:R)) by ring.
rewrite oppr_le0; apply: mulr_ge0; last by rewrite subr_ge0.
by apply: mulr_ge0 => //; exact: sqr_ge0.
Qed.

(* per-channel slopes: every difference quotient of s i lies in [-1, 1] *)
Theorem channelwise_lips I (k : R) (s : I -> R -> R) : (forall i, slope k (s i)) ->
  lipc k (fun x : {ffun I -> R} => [ffun i => s i (x i)]).
Proof.
move=> hs x y; rewrite !sqnE mulr_sumr; apply: ler_sum => i _; rewrite !ffunE; exact: hs.
Qed.
End Channels.
