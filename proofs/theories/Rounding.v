(* Floating point: errors add through 1-Lipschitz layers; the margin test that accounts for them. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Rounding.
Variable R : realFieldType.

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
