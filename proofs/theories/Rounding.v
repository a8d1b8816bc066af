(* Floating point: the error of a sum in any order, errors add through 1-Lipschitz layers, the sound margin. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Rounding.
Variable R : realFieldType.

(* ---- Sums of products in any order. A tree says which operation adds what; every operation returns its exact result
        up to a relative error u and an absolute error eta (flush to zero). A fused multiply-add is a leaf without error. *)
Inductive tree := Leaf of R | Node of tree & tree.
Fixpoint depth (t : tree) : nat := if t is Node l r then (maxn (depth l) (depth r)).+1 else 0.
Fixpoint operations (t : tree) : nat := if t is Node l r then (operations l + operations r).+1 else 1.
Fixpoint exact_sum (t : tree) : R := match t with Leaf p => p | Node l r => exact_sum l + exact_sum r end.
Fixpoint abs_sum (t : tree) : R := match t with Leaf p => `|p| | Node l r => abs_sum l + abs_sum r end.
Fixpoint computes (u eta : R) (t : tree) (v : R) : Prop :=
  match t with
  | Leaf p => `|v - p| <= u * `|p| + eta
  | Node l r => exists a b, [/\ computes u eta l a, computes u eta r b & `|v - (a + b)| <= u * `|a + b| + eta]
  end.
Lemma abs_sum_ge (t : tree) : `|exact_sum t| <= abs_sum t.
Proof. by elim: t => //= l hl r hr; apply: le_trans (ler_norm_add _ _) _; exact: ler_add. Qed.
Theorem sum_error (u eta : R) (t : tree) (v : R) (d : nat) : 0 <= u -> 0 <= eta -> (depth t <= d)%N -> computes u eta t v ->
  `|v - exact_sum t| <= ((1 + u) ^+ d.+1 - 1) * abs_sum t + (1 + u) ^+ d * (operations t)%:R * eta.
Proof.
move=> u0 e0; have p0 k : 1 <= (1 + u) ^+ k by rewrite exprn_ege1 // ler_addl.
elim: t v d => [p|l ihl r ihr] v d /=.
  move=> _ h; apply: le_trans h _; apply: ler_add.
    apply: ler_wpmul2r; rewrite ?normr_ge0 // exprS ler_subr_addr addrC.
    by rewrite -[X in X <= _]mulr1 ler_wpmul2l // addr_ge0 // ler01.
  by rewrite mulr1 -[X in X <= _]mul1r ler_wpmul2r //; exact: p0.
case: d => [|d] //; rewrite ltnS geq_max => /andP [dl dr] [a [b [hl hr h]]].
have el := ihl _ _ dl hl; have er := ihr _ _ dr hr.
set A := `|a - _| in el; set B := `|b - _| in er; set s := exact_sum l + exact_sum r.
have ab : `|a + b - s| <= A + B.
  have -> : a + b - s = (a - exact_sum l) + (b - exact_sum r) by rewrite /s; ring.
  exact: ler_norm_add.
have hs : `|s| <= abs_sum l + abs_sum r := abs_sum_ge (Node l r).
have step : `|v - s| <= (1 + u) * (A + B) + u * (abs_sum l + abs_sum r) + eta.
  have -> : v - s = (v - (a + b)) + (a + b - s) by ring.
  apply: le_trans (ler_norm_add _ _) _; apply: le_trans (ler_add h ab) _.
  have h2 : `|a + b| <= A + B + (abs_sum l + abs_sum r).
    have -> : a + b = (a + b - s) + s by ring.
    by apply: le_trans (ler_norm_add _ _) _; exact: ler_add.
  apply: le_trans (ler_add (ler_add (ler_wpmul2l u0 h2) (lexx eta)) (lexx (A + B))) _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
apply: le_trans step _; have u1 : 0 <= 1 + u by rewrite addr_ge0 // ler01.
apply: le_trans (ler_add (ler_add (ler_wpmul2l u1 (ler_add el er)) (lexx _)) (lexx _)) _.
set P := (1 + u) ^+ d.+1; set N := (operations l)%:R; set M := (operations r)%:R.
have -> : ((operations l + operations r).+1)%:R = N + M + 1 :> R by rewrite -addn1 natrD natrD.
have -> : (1 + u) ^+ d.+2 = (1 + u) * P by rewrite exprS.
have eP : (1 + u) * (1 + u) ^+ d = P by rewrite -exprS.
have -> : (1 + u) * ((P - 1) * abs_sum l + (1 + u) ^+ d * N * eta + ((P - 1) * abs_sum r + (1 + u) ^+ d * M * eta))
    + u * (abs_sum l + abs_sum r) + eta
  = ((1 + u) * P - 1) * (abs_sum l + abs_sum r) + P * (N + M) * eta + eta by rewrite -eP; ring.
rewrite [P * (N + M + 1)]mulrDr [X in _ <= _ + X]mulrDl addrA ler_add2l mulr1.
by rewrite -[X in X <= _]mul1r ler_wpmul2r //; exact: p0.
Qed.
(* The same by partial sums. Every addition errs by u times its exact result, the sum of a subset of the terms, and passes on what
   came before; a subset sums to at most half of what magnitudes and total make together, so where terms cancel the bound is half as large. *)
Fixpoint computes_from (k u eta : R) (t : tree) (v : R) : Prop :=
  match t with
  | Leaf p => `|v - p| <= k * `|p| + eta
  | Node l r => exists a b, [/\ computes_from k u eta l a, computes_from k u eta r b & `|v - (a + b)| <= u * `|a + b| + eta]
  end.
Fixpoint additions (t : tree) : nat := if t is Node l r then (additions l + additions r).+1 else 0.
Fixpoint partial_sums_le (M : R) (t : tree) : Prop :=
  if t is Node l r then [/\ partial_sums_le M l, partial_sums_le M r & `|exact_sum l + exact_sum r| <= M] else True.
Lemma partial_sums_half (t : tree) : partial_sums_le ((abs_sum t + `|exact_sum t|) / 2%:R) t.
Proof.
suff h x y : `|x| <= y -> partial_sums_le ((abs_sum t + y + `|exact_sum t + x|) / 2%:R) t.
  by have := h 0 0; rewrite normr0 !addr0; apply.
elim: t x y => // l ihl r ihr x y hx /=; split.
- have -> : abs_sum l + abs_sum r + y = abs_sum l + (abs_sum r + y) by rewrite addrA.
  have -> : exact_sum l + exact_sum r + x = exact_sum l + (exact_sum r + x) by rewrite addrA.
  by apply: ihl; apply: le_trans (ler_norm_add _ _) _; apply: ler_add => //; exact: abs_sum_ge.
- have -> : abs_sum l + abs_sum r + y = abs_sum r + (abs_sum l + y) by rewrite addrCA addrA.
  have -> : exact_sum l + exact_sum r + x = exact_sum r + (exact_sum l + x) by rewrite addrCA addrA.
  by apply: ihr; apply: le_trans (ler_norm_add _ _) _; apply: ler_add => //; exact: abs_sum_ge.
set s := exact_sum l + exact_sum r; rewrite ler_pdivl_mulr ?ltr0n // mulr_natr mulr2n.
have hs : `|s| <= abs_sum l + abs_sum r := abs_sum_ge (Node l r).
have h2 : `|s| <= `|s + x| + `|x|.
  by have := ler_norm_sub (s + x) x; rewrite addrK.
by apply: le_trans (ler_add hs h2) _; rewrite -[X in _ <= X]addrA ler_add2l addrC ler_add2r.
Qed.
Theorem sum_error_partial (k u eta M : R) (t : tree) (v : R) (d : nat) :
  0 <= k -> 0 <= u -> 0 <= eta -> 0 <= M -> (depth t <= d)%N -> partial_sums_le M t -> computes_from k u eta t v ->
  `|v - exact_sum t| <= (1 + u) ^+ d * (k * abs_sum t + (additions t)%:R * (u * M) + (operations t)%:R * eta).
Proof.
move=> k0 u0 e0 M0; have p0 j : 1 <= (1 + u) ^+ j by rewrite exprn_ege1 // ler_addl.
elim: t v d => [p|l ihl r ihr] v d /=.
  move=> _ _ h; apply: le_trans h _; rewrite mul0r addr0 mul1r -[X in X <= _]mul1r; apply: ler_wpmul2r => //.
  by apply: addr_ge0 => //; apply: mulr_ge0.
case: d => [|d] //; rewrite ltnS geq_max => /andP [dl dr] [bl br bs] [a [b [hl hr h]]].
have el := ihl _ _ dl bl hl; have er := ihr _ _ dr br hr.
set s := exact_sum l + exact_sum r in bs *.
have step : `|v - s| <= (1 + u) * (`|a - exact_sum l| + `|b - exact_sum r|) + u * M + eta.
  have ab : `|a + b - s| <= `|a - exact_sum l| + `|b - exact_sum r|.
    have -> : a + b - s = (a - exact_sum l) + (b - exact_sum r) by rewrite /s; ring.
    exact: ler_norm_add.
  have h2 : `|a + b| <= `|a - exact_sum l| + `|b - exact_sum r| + M.
    have -> : a + b = (a + b - s) + s by ring.
    by apply: le_trans (ler_norm_add _ _) _; exact: ler_add.
  have -> : v - s = (v - (a + b)) + (a + b - s) by ring.
  apply: le_trans (ler_norm_add _ _) _; apply: le_trans (ler_add h ab) _.
  apply: le_trans (ler_add (ler_add (ler_wpmul2l u0 h2) (lexx eta)) (lexx _)) _.
  by rewrite le_eqVlt; apply/orP; left; apply/eqP; ring.
apply: le_trans step _; have u1 : 0 <= 1 + u by rewrite addr_ge0 // ler01.
apply: le_trans (ler_add (ler_add (ler_wpmul2l u1 (ler_add el er)) (lexx _)) (lexx _)) _.
set P := (1 + u) ^+ d.+1; set N := (operations l)%:R; set O := (operations r)%:R.
set A := (additions l)%:R; set B := (additions r)%:R.
have -> : ((operations l + operations r).+1)%:R = N + O + 1 :> R by rewrite -addn1 !natrD.
have -> : ((additions l + additions r).+1)%:R = A + B + 1 :> R by rewrite -addn1 !natrD.
have eP : (1 + u) * (1 + u) ^+ d = P by rewrite -exprS.
rewrite -mulrDr mulrA eP.
have -> : P * (k * (abs_sum l + abs_sum r) + (A + B + 1) * (u * M) + (N + O + 1) * eta)
  = P * (k * abs_sum l + A * (u * M) + N * eta + (k * abs_sum r + B * (u * M) + O * eta)) + P * (u * M) + P * eta by ring.
apply: ler_add; first apply: ler_add => //.
  by rewrite -[X in X <= _]mul1r; apply: ler_wpmul2r; [apply: mulr_ge0 | exact: p0].
by rewrite -[X in X <= _]mul1r; apply: ler_wpmul2r; [|exact: p0].
Qed.
(* (1 + u)^k - 1 <= gamma_k = k u / (1 - k u) *)
Theorem gamma_bound (u : R) (k : nat) : 0 <= u -> k%:R * u < 1 -> (1 + u) ^+ k - 1 <= k%:R * u / (1 - k%:R * u).
Proof.
move=> u0 hk; have d0 : 0 < 1 - k%:R * u by rewrite subr_gt0.
rewrite ler_pdivl_mulr // mulrBl mul1r ler_subl_addr [k%:R * u + _]addrC subrK.
have h j : (1 + u) ^+ j * (1 - j%:R * u) <= 1.
  elim: j => [|j ih]; first by rewrite expr0 mul0r subr0 mulr1.
  apply: le_trans ih; rewrite exprSr -mulrA; apply: ler_wpmul2l; first by rewrite exprn_ge0 // addr_ge0 // ler01.
  have -> : j.+1%:R = j%:R + 1 :> R by rewrite -addn1 natrD.
  rewrite -subr_ge0.
  have -> : 1 - j%:R * u - (1 + u) * (1 - (j%:R + 1) * u) = (j%:R + 1) * u ^+ 2 by ring.
  by rewrite mulr_ge0 ?sqr_ge0 // addr_ge0 ?ler01 ?ler0n.
exact: h.
Qed.

(* ---- Norms: in a field with square roots, the judgement in the usual form, and the triangle inequality. *)
Definition is_norm (I : finType) (N : {ffun I -> R} -> R) : Prop := forall u, 0 <= N u /\ N u ^+ 2 = sqn u.
Lemma norm_triangle (I : finType) (N : {ffun I -> R} -> R) u v w : is_norm N -> N (u - w) <= N (u - v) + N (v - w).
Proof.
move=> hN; have [a0 a2] := hN (u - v); have [b0 b2] := hN (v - w); have [c0 c2] := hN (u - w).
rewrite -ler_sqr ?nnegrE ?addr_ge0 // c2.
have -> : u - w = (u - v) + (v - w) by rewrite addrA subrK.
rewrite sqnD sqrrD a2 b2 -[(_ * _) *+ 2]mulr_natl ler_add2r ler_add2l ler_pmul2l ?ltr0n //.
have [p|/ltW p] := leP 0 (dot (u - v) (v - w)); last by apply: le_trans p _; rewrite mulr_ge0.
by rewrite -ler_sqr ?nnegrE ?mulr_ge0 // exprMn a2 b2 cauchy_schwarz.
Qed.
Lemma lipc_norm (I J : finType) (N : {ffun I -> R} -> R) (N' : {ffun J -> R} -> R) c f :
  is_norm N -> is_norm N' -> 0 <= c -> lipc c f -> forall x y, N' (f x - f y) <= c * N (x - y).
Proof.
move=> hN hN' c0 hf x y; have [a0 a2] := hN (x - y); have [b0 b2] := hN' (f x - f y).
by rewrite -ler_sqr ?nnegrE ?mulr_ge0 // exprMn a2 b2; exact: hf.
Qed.

(* ---- The local error of an affine layer: every output has error at most g (|b_j| + sum_i |W_ji x_i|) + e (sum_error),
        and |W| has norm at most a (row_column_dom). *)
Section LocalError.
Variables (I J : finType) (N : {ffun I -> R} -> R) (N' : {ffun J -> R} -> R).
Hypotheses (hN : is_norm N) (hN' : is_norm N').
Lemma norm_mono (u v : {ffun J -> R}) : (forall j, `|u j| <= v j) -> N' u <= N' v.
Proof.
move=> h; have [a0 a2] := hN' u; have [b0 b2] := hN' v; rewrite -ler_sqr ?nnegrE // a2 b2 !sqnE.
apply: ler_sum => j _; rewrite -(real_normK (num_real (u j))) ler_sqr ?nnegrE ?normr_ge0 //.
exact: le_trans (normr_ge0 _) (h j).
Qed.
Lemma normD (u v : {ffun J -> R}) : N' (u + v) <= N' u + N' v.
Proof. by have := norm_triangle (u + v) v 0 hN'; rewrite addrK !subr0. Qed.
Lemma normZ g (u : {ffun J -> R}) : 0 <= g -> N' (g *c u) = g * N' u.
Proof.
move=> g0; have [a0 a2] := hN' u; have [b0 b2] := hN' (g *c u).
by apply/eqP; rewrite -(eqr_expn2 (n := 2)) ?mulr_ge0 // b2 sqnZ exprMn a2.
Qed.
Theorem local_error (W : J -> I -> R) (b err : {ffun J -> R}) (x : {ffun I -> R}) (g a e : R) :
  0 <= g -> 0 <= a -> 0 <= e -> dom (gram (fun j i => `|W j i|)) (fun=> a ^+ 2) ->
  (forall j, `|err j| <= g * (`|b j| + \sum_i `|W j i * x i|) + e) ->
  N' err <= g * (a * N x + N' b) + e * N' [ffun=> 1].
Proof.
move=> g0 a0 e0 /dom_gram hW h.
pose ax : {ffun I -> R} := [ffun i => `|x i|]; pose ab : {ffun J -> R} := [ffun j => `|b j|].
pose Wx := (fun j i => `|W j i|) *v ax.
have hW' : N' Wx <= a * N x.
  have [u0 u2] := hN' Wx; have [v0 v2] := hN x; rewrite -ler_sqr ?nnegrE ?mulr_ge0 // exprMn u2 v2.
  apply: le_trans (hW ax) _; rewrite sum_const; apply: ler_wpmul2l; first exact: sqr_ge0.
  by rewrite !sqnE; apply: ler_sum => i _; rewrite ffunE real_normK ?num_real.
have hb : N' ab <= N' b.
  have [u0 u2] := hN' ab; have [v0 v2] := hN' b; rewrite -ler_sqr ?nnegrE // u2 v2 !sqnE.
  by apply: ler_sum => j _; rewrite ffunE real_normK ?num_real.
apply: le_trans (norm_mono (v := g *c (Wx + ab) + e *c [ffun=> 1]) _) _.
  move=> j; apply: le_trans (h j) _; rewrite !ffunE mulr1 addrC [X in _ <= X]addrC ler_add2l.
  rewrite addrC; apply: ler_wpmul2l => //; rewrite ler_add2r.
  by apply: ler_sum => i _; rewrite ffunE normrM.
apply: le_trans (normD _ _) _; rewrite !normZ //; apply: ler_add => //; apply: ler_wpmul2l => //.
by apply: le_trans (normD _ _) _; exact: ler_add.
Qed.
End LocalError.

(* ---- One layer, for abstract distances: only the triangle inequality is used. f exact, ft as executed. *)
Lemma err_step (X Y : Type) (d1 : X -> X -> R) (d2 : Y -> Y -> R) (f ft : X -> Y) (c : R) x xt e dl :
  (forall a b c, d2 a c <= d2 a b + d2 b c) -> 0 <= c ->
  (forall u v, d2 (f u) (f v) <= c * d1 u v) ->
  d1 xt x <= e -> d2 (ft xt) (f xt) <= dl -> d2 (ft xt) (f x) <= dl + c * e.
Proof.
move=> tri c0 hf he hd; apply: le_trans (tri _ (f xt) _) _; apply: ler_add => //.
by apply: le_trans (hf _ _) _; apply: ler_wpmul2l.
Qed.

(* ---- A chain of 1-Lipschitz layers X 0 -> X 1 -> ...: the error is at most the sum of the local errors, each
        measured at the point that execution actually reaches. *)
Section Chain.
Variables (X : nat -> Type) (d : forall k, X k -> X k -> R) (f ft : forall k, X k -> X k.+1).
Fixpoint run (g : forall k, X k -> X k.+1) (x : X 0) n : X n :=
  if n is k.+1 then g k (run g x k) else x.
Theorem err_chain (dl : nat -> R) (x : X 0) n :
  (forall k (a b c : X k), d a c <= d a b + d b c) -> d x x <= 0 ->
  (forall k (u v : X k), d (f u) (f v) <= d u v) ->
  (forall k, (k < n)%N -> d (ft (run ft x k)) (f (run ft x k)) <= dl k) ->
  d (run ft x n) (run f x n) <= \sum_(k < n) dl k.
Proof.
move=> tri dx hf; elim: n => [|n ih] h; first by rewrite big_ord0.
rewrite big_ord_recr /= addrC.
have hr : d (run ft x n) (run f x n) <= \sum_(k < n) dl k by apply: ih => k kn; apply: h; exact: ltnW.
have := @err_step _ _ (@d n) (@d n.+1) (@f n) (@ft n) 1 _ _ _ _ (@tri _) ler01 _ hr (h n (ltnSn n)).
by rewrite mul1r; apply=> u v; rewrite mul1r.
Qed.
End Chain.

(* ---- The sound margin: g exact margin, gt the computed one; E, E' its errors at the centre and in the ball. *)
Lemma sound_margin (X : Type) (d : X -> X -> R) (g gt : X -> R) (K r E E' : R) x x' :
  (forall u v, `|g u - g v| <= K * d u v) -> 0 <= K ->
  `|gt x - g x| <= E -> `|gt x' - g x'| <= E' -> d x x' <= r ->
  K * r + E + E' < gt x -> 0 < gt x'.
Proof.
move=> hg hK hE hE' hr hm.
have h1 : g x - g x' <= K * r.
  by apply: le_trans (ler_norm _) _; apply: le_trans (hg _ _) _; apply: ler_wpmul2l.
have h2 : gt x - g x <= E by apply: le_trans (ler_norm _) hE.
have h3 : g x' - gt x' <= E' by apply: le_trans (ler_norm _) _; rewrite distrC.
have h := ler_add (ler_add h1 h2) h3.
have e : g x - g x' + (gt x - g x) + (g x' - gt x') = gt x - gt x' by ring.
rewrite e in h; have := le_lt_trans h hm; by rewrite ltr_subl_addl -ltr_subl_addr subrr.
Qed.
End Rounding.
