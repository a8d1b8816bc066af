(* Structure rules: index gathers, scalings, branches, blocks, poolings. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Gather.
Variable R : realFieldType.
Implicit Types I J K : finType.

(* Output j reads input g j, or is the constant p j where g j = None: crop, permute, flatten, pad, space-to-depth,
   repeat, im2col, and every padding mode. *)
Definition gather I J (g : J -> option I) (p : J -> R) (x : {ffun I -> R}) : {ffun J -> R} :=
  [ffun j => if g j is Some i then x i else p j].

Lemma gatherB I J (g : J -> option I) p x y : gather g p x - gather g p y = gather g (fun=> 0) (x - y).
Proof. by apply/ffunP => j; rewrite !ffunE; case: (g j) => [i|]; rewrite ?ffunE ?subrr. Qed.

(* ---- Rule "gather": if no input is read more than k times, the constant is the root of k. *)
Theorem gather_lips I J (g : J -> option I) p (k : nat) :
  (forall i, #|[pred j | g j == Some i]| <= k)%N -> lips k%:R (gather g p).
Proof.
move=> hk x y; rewrite gatherB; move: (x - y) => d; rewrite !sqnE.
have -> : \sum_j gather g (fun=> 0) d j ^+ 2 = \sum_j \sum_(i | g j == Some i) d i ^+ 2.
  apply: eq_bigr => j _; rewrite ffunE; case e: (g j) => [i|].
    by rewrite (big_pred1 i) // => i'; rewrite eq_sym.
  by rewrite expr0n big_pred0.
rewrite (exchange_big_dep predT) //= mulr_sumr; apply: ler_sum => i _.
rewrite sumr_const -[X in X <= _]mulr_natl ler_wpmul2r ?sqr_ge0 // ler_nat; exact: hk.
Qed.
(* Each input read at most once: zero padding (of channels or space), crop, truncation, permutation, translation. *)
Theorem gather_lip I J (g : J -> option I) p :
  (forall j j' i, g j = Some i -> g j' = Some i -> j = j') -> lip (gather g p).
Proof.
move=> hg; apply: (@gather_lips _ _ _ _ 1) => i; apply/card_le1P => j; rewrite inE => /eqP hj j'.
by rewrite !inE; apply/eqP/eqP => [h|->//]; exact: hg h hj.
Qed.
(* flatten and other relabelings *)
Theorem reindex_lip I J (h : J -> I) : injective h -> lip (fun x : {ffun I -> R} => [ffun j => x (h j)]).
Proof.
move=> ih; apply: (@eq_lips _ _ _ _ (gather (fun j => Some (h j)) (fun=> 0))).
  by move=> x; apply/ffunP => j; rewrite !ffunE.
by apply: gather_lip => j j' i [<-] [] /ih.
Qed.

(* ---- Rules "center" and "scale". *)
Theorem center_lip I (c : {ffun I -> R}) : lip (fun x => x - c).
Proof. by move=> x y; rewrite mul1r opprB addrA subrK. Qed.
Theorem scale_lips I (s : I -> R) c : (forall i, s i ^+ 2 <= c) -> lips c (scalev s).
Proof.
move=> hs x y; rewrite -scalevB !sqnE mulr_sumr; apply: ler_sum => i _; rewrite ffunE exprMn.
by rewrite ler_wpmul2r ?sqr_ge0.
Qed.
End Gather.

Section Branches.
Variable R : realFieldType.
Implicit Types I J K : finType.

(* ---- Rule "sum of branches". Squared constants c, d: any e with cd <= e^2 gives c + d + 2e = (root c + root d)^2. *)
Theorem sum_lips I J (f g : {ffun I -> R} -> {ffun J -> R}) c d e :
  0 <= c -> 0 <= d -> 0 <= e -> c * d <= e ^+ 2 -> lips c f -> lips d g ->
  lips (c + d + 2%:R * e) (fun x => f x + g x).
Proof.
move=> c0 d0 e0 cde hf hg x y; rewrite opprD addrACA sqnD.
have hs := sqn_ge0 (x - y); have hF := hf x y; have hG := hg x y.
set u := f x - f y in hF *; set v := g x - g y in hG *; set s := sqn (x - y) in hs hF hG *.
have h : dot u v <= e * s.
  have [//|p] := leP (dot u v) 0; first by move=> h; apply: le_trans h _; rewrite mulr_ge0.
  rewrite -ler_sqr ?nnegrE ?(ltW p) ?mulr_ge0 //; apply: le_trans (cauchy_schwarz _ _) _.
  apply: le_trans (ler_pmul (sqn_ge0 _) (sqn_ge0 _) hF hG) _.
  by rewrite mulrACA -expr2 exprMn ler_wpmul2r ?sqr_ge0.
rewrite addrAC [X in _ <= X]mulrDl [X in _ <= X + _]mulrDl; apply: ler_add; first exact: ler_add.
by rewrite -mulrA ler_pmul2l ?ltr0n.
Qed.
Theorem sum_lipc I J (f g : {ffun I -> R} -> {ffun J -> R}) a b :
  0 <= a -> 0 <= b -> lipc a f -> lipc b g -> lipc (a + b) (fun x => f x + g x).
Proof.
move=> a0 b0 hf hg; rewrite /lipc.
have -> : (a + b) ^+ 2 = a ^+ 2 + b ^+ 2 + 2%:R * (a * b) by ring.
by apply: sum_lips hf hg; rewrite ?sqr_ge0 ?mulr_ge0 // exprMn.
Qed.

(* ---- Rule "mix": (1 - a) f + a g, 0 <= a <= 1, is at most the larger constant. *)
Theorem mix_lips I J (f g : {ffun I -> R} -> {ffun J -> R}) c a :
  0 <= a <= 1 -> lips c f -> lips c g -> lips c (fun x => (1 - a) *c f x + a *c g x).
Proof.
move=> /andP [a0 a1] hf hg x y; rewrite opprD addrACA -!scalevB.
set u := f x - f y; set v := g x - g y.
have e : sqn ((1 - a) *c u + a *c v) = (1 - a) * sqn u + a * sqn v - a * (1 - a) * sqn (u - v).
  by rewrite sqnD sqnB !sqnZ dotZl dotZr; ring.
have a1' : 0 <= 1 - a by rewrite subr_ge0.
rewrite e; apply: le_trans (_ : (1 - a) * sqn u + a * sqn v <= _).
  by rewrite ger_addl oppr_le0 !mulr_ge0 ?sqn_ge0.
apply: le_trans (ler_add (ler_wpmul2l a1' (hf x y)) (ler_wpmul2l a0 (hg x y))) _.
by rewrite -mulrDl subrK mul1r.
Qed.

(* ---- Rule "concat": branches of the same input, side by side: squared constants add. *)
Definition concat J K (u : {ffun J -> R}) (v : {ffun K -> R}) : {ffun J + K -> R} :=
  [ffun p => match p with inl j => u j | inr k => v k end].
Lemma sqn_concat J K (u u' : {ffun J -> R}) (v v' : {ffun K -> R}) :
  sqn (concat u v - concat u' v') = sqn (u - u') + sqn (v - v').
Proof.
by rewrite !sqnE big_sumType /=; congr (_ + _); apply: eq_bigr => i _; rewrite !ffunE.
Qed.
Theorem concat_lips I J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R}) :
  lips c f -> lips d g -> lips (c + d) (fun x => concat (f x) (g x)).
Proof. by move=> hf hg x y; rewrite sqn_concat mulrDl ler_add. Qed.

(* ---- Rule "parallel": branches of disjoint inputs: the larger constant. *)
Theorem parallel_lips I I' J K c (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I' -> R} -> {ffun K -> R}) :
  lips c f -> lips c g ->
  lips c (fun x : {ffun I + I' -> R} => concat (f [ffun i => x (inl i)]) (g [ffun i => x (inr i)])).
Proof.
move=> hf hg x y; rewrite sqn_concat; apply: le_trans (ler_add (hf _ _) (hg _ _)) _.
rewrite -mulrDr !sqnE big_sumType /= le_eqVlt; apply/orP; left; apply/eqP.
by congr (_ * (_ + _)); apply: eq_bigr => i _; rewrite !ffunE.
Qed.
(* The same for a family of blocks: positions of an image, groups of channels. *)
Definition slice K I (x : {ffun K * I -> R}) (k : K) : {ffun I -> R} := [ffun i => x (k, i)].
Definition blocks K I J (f : K -> {ffun I -> R} -> {ffun J -> R}) (x : {ffun K * I -> R}) : {ffun K * J -> R} :=
  [ffun p => f p.1 (slice x p.1) p.2].
Lemma sqn_slice K I (x : {ffun K * I -> R}) : sqn x = \sum_k sqn (slice x k).
Proof.
under [RHS]eq_bigr => k _ do rewrite sqnE.
by rewrite sqnE sum_pair; apply: eq_bigr => k _; apply: eq_bigr => i _; rewrite ffunE.
Qed.
Lemma sliceB K I (x y : {ffun K * I -> R}) k : slice (x - y) k = slice x k - slice y k.
Proof. by apply/ffunP => i; rewrite !ffunE. Qed.
Lemma slice_blocks K I J (f : K -> {ffun I -> R} -> {ffun J -> R}) x k : slice (blocks f x) k = f k (slice x k).
Proof. by apply/ffunP => j; rewrite !ffunE. Qed.
Theorem blocks_lips K I J c (f : K -> {ffun I -> R} -> {ffun J -> R}) :
  (forall k, lips c (f k)) -> lips c (blocks f).
Proof.
move=> hf x y; rewrite !sqn_slice mulr_sumr; apply: ler_sum => k _.
by rewrite !sliceB !slice_blocks; exact: hf.
Qed.

(* ---- Elementwise maximum (or minimum) of two branches: squared constants add; it is not the larger one. *)
Lemma max_sqr (a b a' b' : R) : (Num.max a b - Num.max a' b') ^+ 2 <= (a - a') ^+ 2 + (b - b') ^+ 2.
Proof.
wlog h : a b a' b' / Num.max a' b' <= Num.max a b => [w|].
  have [|/ltW h] := leP (Num.max a' b') (Num.max a b); first exact: w.
  by have := w a' b' a b h; rewrite -sqrrN opprB -[(a' - a) ^+ 2]sqrrN opprB -[(b' - b) ^+ 2]sqrrN opprB.
have sq (u v : R) : 0 <= u -> u <= v -> u ^+ 2 <= v ^+ 2.
  by move=> u0 uv; rewrite ler_sqr ?nnegrE // (le_trans u0 uv).
rewrite -subr_ge0 in h; case: (leP a b) h => ab h.
  apply: le_trans (sq _ (b - b') h _) _; last by rewrite ler_addr sqr_ge0.
  by rewrite ler_sub // le_maxr lexx orbT.
apply: le_trans (sq _ (a - a') h _) _; last by rewrite ler_addl sqr_ge0.
by rewrite ler_sub // le_maxr lexx.
Qed.
Theorem max_lips I J c d (f g : {ffun I -> R} -> {ffun J -> R}) :
  lips c f -> lips d g -> lips (c + d) (fun x => [ffun j => Num.max (f x j) (g x j)]).
Proof.
move=> hf hg x y; rewrite mulrDl; apply: le_trans (ler_add (hf x y) (hg x y)).
by rewrite !sqnE -big_split; apply: ler_sum => j _; rewrite !ffunE; exact: max_sqr.
Qed.
End Branches.

(* Pooling over disjoint windows: w i is the window of input i, or None where the input is dropped.
   Overlapping windows are a gather (im2col) followed by disjoint ones. *)
Section Pool.
Variable R : realFieldType.
Variables (I J : finType) (w : I -> option J).

Theorem pool_lips c (f : {ffun I -> R} -> {ffun J -> R}) : 0 <= c ->
  (forall x y j, (f x j - f y j) ^+ 2 <= c * \sum_(i | w i == Some j) (x i - y i) ^+ 2) -> lips c f.
Proof.
move=> c0 h x y; rewrite !sqnE.
apply: le_trans (_ : \sum_j c * (\sum_(i | w i == Some j) (x i - y i) ^+ 2) <= _).
  by apply: ler_sum => j _; rewrite !ffunE; exact: h.
rewrite -mulr_sumr; apply: ler_wpmul2l => //.
rewrite (exchange_big_dep predT) //=; apply: ler_sum => i _; rewrite !ffunE.
case: (w i) => [j|]; last by rewrite big_pred0 // sqr_ge0.
by rewrite (big_pred1 j) // => j'; rewrite eq_sym.
Qed.

(* ---- Rule "avgpool": sums with weights a_i; the squared weights of each window sum to at most c. *)
Theorem weighted_pool_lips c (a : I -> R) : 0 <= c ->
  (forall j, \sum_(i | w i == Some j) a i ^+ 2 <= c) ->
  lips c (fun x => [ffun j => \sum_(i | w i == Some j) a i * x i]).
Proof.
move=> c0 ha; apply: pool_lips => // x y j; rewrite !ffunE -sumrB.
under eq_bigr => i _ do rewrite -mulrBr.
pose u := [ffun i : I => if w i == Some j then a i else 0].
pose v := [ffun i : I => if w i == Some j then x i - y i else 0].
have := cauchy_schwarz u v; rewrite !sqnE /dot.
have -> : \sum_i u i * v i = \sum_(i | w i == Some j) a i * (x i - y i).
  by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: eqP; rewrite ?mul0r.
have -> : \sum_i u i ^+ 2 = \sum_(i | w i == Some j) a i ^+ 2.
  by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: eqP; rewrite ?expr0n.
have -> : \sum_i v i ^+ 2 = \sum_(i | w i == Some j) (x i - y i) ^+ 2.
  by rewrite [RHS]big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: eqP; rewrite ?expr0n.
by move=> h; apply: le_trans h _; rewrite ler_wpmul2r // sumr_ge0 // => i _; rewrite sqr_ge0.
Qed.
(* Windows of at most n inputs, sum times s, s^2 n <= 1 (s = 1 / root n, rounded down where it must be). *)
Corollary avgpool_lip (n : nat) (s : R) : s ^+ 2 * n%:R <= 1 -> (forall j, #|[pred i | w i == Some j]| <= n)%N ->
  lip (fun x => [ffun j => s * \sum_(i | w i == Some j) x i]).
Proof.
move=> sn hn; apply: (@eq_lips _ _ _ _ (fun x => [ffun j => \sum_(i | w i == Some j) s * x i])).
  by move=> x; apply/ffunP => j; rewrite !ffunE mulr_sumr.
apply: weighted_pool_lips => [|j]; first exact: ler01.
rewrite sumr_const -mulr_natr; apply: le_trans sn.
rewrite ler_wpmul2l ?sqr_ge0 // ler_nat; exact: hn.
Qed.

(* ---- Rule "maxpool": f x j is the largest input of window j. *)
Theorem maxpool_lip (f : {ffun I -> R} -> {ffun J -> R}) :
  (forall (x : {ffun I -> R}) j, exists2 i, w i == Some j & f x j = x i) ->
  (forall (x : {ffun I -> R}) j i, w i == Some j -> x i <= f x j) -> lip f.
Proof.
move=> hin hub; apply: pool_lips ler01 _ => x y j; rewrite mul1r.
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

(* ---- Rule "l2pool": f x j is the norm of window j. *)
Theorem l2pool_lip (f : {ffun I -> R} -> {ffun J -> R}) :
  (forall x j, 0 <= f x j) -> (forall (x : {ffun I -> R}) j, f x j ^+ 2 = \sum_(i | w i == Some j) x i ^+ 2) -> lip f.
Proof.
move=> f0 f2; apply: pool_lips ler01 _ => x y j; rewrite mul1r.
pose r (z : {ffun I -> R}) := [ffun i => if w i == Some j then z i else 0].
have rE z : f z j ^+ 2 = sqn (r z).
  by rewrite f2 sqnE big_mkcond; apply: eq_bigr => i _; rewrite ffunE; case: eqP; rewrite ?expr0n.
have -> : \sum_(i | w i == Some j) (x i - y i) ^+ 2 = sqn (r x - r y).
  by rewrite sqnE big_mkcond; apply: eq_bigr => i _; rewrite !ffunE; case: eqP; rewrite ?subrr ?expr0n.
rewrite sqrrB sqnB -!rE mulr_natl ler_add2r ler_add2l ler_opp2 ler_muln2r /=.
have [d0|d0] := leP (dot (r x) (r y)) 0; first by apply: le_trans d0 _; rewrite mulr_ge0.
by rewrite -ler_sqr ?nnegrE ?(ltW d0) ?mulr_ge0 // exprMn !rE cauchy_schwarz.
Qed.
End Pool.
