(* Convolutions of images: the lattice is int * int. Heights, widths, padding, stride and dilation are arbitrary. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Conv.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* Geometry of one convolution, each as (vertical, horizontal). Output sizes are free: rows and columns that lie
   outside the input read zeros. *)
Record geometry := Geometry {
  in_h : nat; in_w : nat; out_h : nat; out_w : nat; ker_h : nat; ker_w : nat;
  pad_h : int; pad_w : int; stride_h : nat; stride_w : nat; dil_h : nat; dil_w : nat
}.
Definition valid_geometry (g : geometry) : Prop := (0 < stride_h g)%N /\ (0 < stride_w g)%N.
(* stride 1, dilation 1, padding that keeps the size of an odd kernel 2k + 1 *)
Definition same_geometry (h w k k' : nat) : geometry := Geometry h w h w k.*2.+1 k'.*2.+1 k%:Z k'%:Z 1 1 1 1.
Lemma same_geometry_valid h w k k' : valid_geometry (same_geometry h w k k').
Proof. by []. Qed.

Section Geometry.
Variable g : geometry.
Definition in_pos := ('I_(in_h g) * 'I_(in_w g))%type.
Definition out_pos := ('I_(out_h g) * 'I_(out_w g))%type.
Definition tap := ('I_(ker_h g) * 'I_(ker_w g))%type.
Definition pin (p : in_pos) : int * int := (p.1%:Z, p.2%:Z).
Definition pout (q : out_pos) : int * int := ((stride_h g * q.1)%N%:Z, (stride_w g * q.2)%N%:Z).
Definition off (s : tap) : int * int := ((dil_h g)%:Z * s.1%:Z - pad_h g, (dil_w g)%:Z * s.2%:Z - pad_w g).
(* all differences of taps: dil * (-(k - 1) .. k - 1) on each axis *)
Definition span_of (dil k : nat) : seq int := [seq dil%:Z * (i%:Z - k.-1%:Z) | i <- iota 0 k.*2].
Definition shifts : seq (int * int) := [seq (a, b) | a <- span_of (dil_h g) (ker_h g), b <- span_of (dil_w g) (ker_w g)].

Lemma pin_inj : injective pin.
Proof. by move=> [i j] [i' j'] [] /val_inj -> /val_inj ->. Qed.
Lemma pout_inj : valid_geometry g -> injective pout.
Proof.
move=> [s1 s2] [i j] [i' j'] [] /= /eqP e1 /eqP e2; move: e1 e2; rewrite !eqn_mul2l.
rewrite (negbTE (lt0n_neq0 s1)) (negbTE (lt0n_neq0 s2)) /= => /eqP e1 /eqP e2.
by rewrite (val_inj e1) (val_inj e2).
Qed.
Lemma span_ofP dil k (i j : 'I_k) : dil%:Z * j%:Z - dil%:Z * i%:Z \in span_of dil k.
Proof.
apply/mapP; exists (j + (k.-1 - i))%N.
  have := ltn_ord i; have := ltn_ord j; rewrite mem_iota /= add0n -addnn.
  case: k i j => [|k] i j // hj _; rewrite /=; rewrite ltnS in hj.
  by apply: leq_ltn_trans (leq_add hj (leq_subr i k)) _; rewrite addSn addnS ltnS leqW.
have hi : (i <= k.-1)%N by have := ltn_ord i; case: k i j.
by rewrite PoszD -subzn //; ring.
Qed.
Lemma shiftsP s s' : off s' - off s \in shifts.
Proof.
apply/allpairsP; exists (off s' - off s); split; last by rewrite -surjective_pairing.
  have -> : (off s' - off s).1 = (dil_h g)%:Z * s'.1%:Z - (dil_h g)%:Z * s.1%:Z by rewrite /=; ring.
  exact: span_ofP.
have -> : (off s' - off s).2 = (dil_w g)%:Z * s'.2%:Z - (dil_w g)%:Z * s.2%:Z by rewrite /=; ring.
exact: span_ofP.
Qed.
End Geometry.

Section Conv2d.
Variables (R : realFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R).

Definition conv2d := conv (@pin g) (@pout g) (@off g) K.
Definition conv2d_matrix := conv_matrix (@pin g) (@pout g) (@off g) K.
Definition kernel_gram := autocorrelation (@off g) K.
Definition kernel_hidden_gram := hidden_correlation (@off g) K.

(* ---- The size-independent bounds for images. *)
Theorem conv2d_gersh (q T : C -> R) : valid_geometry g -> (forall c, 0 < q c) ->
  (forall c, \sum_c' (\sum_(d <- shifts g) `|kernel_gram c c' d|) * q c' <= T c * q c) ->
  dom (gram conv2d_matrix) (fun cp => T cp.1).
Proof. by move=> hg; apply: conv_gersh; [exact: pin_inj | exact: pout_inj | exact: shiftsP]. Qed.
Theorem conv2d_adj_gersh (q T : O -> R) : valid_geometry g -> (forall o, 0 < q o) ->
  (forall o, \sum_o' (\sum_(d <- shifts g) `|kernel_hidden_gram o o' d|) * q o' <= T o * q o) ->
  dom (gram (adj conv2d_matrix)) (fun oq => T oq.1).
Proof. by move=> hg; apply: conv_adj_gersh; [exact: pin_inj | exact: pout_inj | exact: shiftsP]. Qed.

(* ---- `residual conv ... by sll` and `conv ... by sll` for every weight, every q > 0 and every image size; with T_o
        the Gershgorin sum itself, t = 2 / T. `by aol` is q = 1. *)
Theorem residual_conv2d_sll (q : O -> R) (b : {ffun O * out_pos g -> R}) s :
  valid_geometry g -> (forall o, 0 < q o) -> slope01 s ->
  let T o := \sum_o' (\sum_(d <- shifts g) `|kernel_hidden_gram o o' d|) * q o' / q o in
  lip (fun x => x - adj conv2d_matrix *v ((fun oq => 2%:R / T oq.1) *d act s (conv2d x + b))).
Proof.
move=> hg hq hs T.
have T0 o : 0 <= T o.
  by rewrite sumr_ge0 // => o' _; rewrite divr_ge0 ?mulr_ge0 ?sumr_ge0 ?ltW // => d _; rewrite normr_ge0.
have hW : dom (gram (adj conv2d_matrix)) (fun oq => T oq.1).
  by apply: (conv2d_adj_gersh hg hq) => o; rewrite /T mulr_suml;
    under [X in _ <= X]eq_bigr => o' _ do rewrite divfK ?gt_eqF ?hq //.
have h := @residual_rescaled_lip _ _ _ (adj conv2d_matrix) b _ s hs (fun oq => T0 oq.1) hW.
by apply: eq_lips h => x; rewrite /conv2d convE.
Qed.
(* Reshaped kernel: at most ker_h * ker_w taps read an input. *)
Theorem conv2d_reshaped (lam : R) : valid_geometry g -> 0 <= lam -> dom (gram (reshaped K)) (fun=> lam) ->
  dom (gram conv2d_matrix) (fun=> (ker_h g * ker_w g)%:R * lam).
Proof.
move=> hg l0 hK; have := conv_reshaped_taps (@off g) (@pin_inj g) (pout_inj hg) l0 hK.
by rewrite card_prod !card_ord.
Qed.
End Conv2d.
