(* The rules of the prover about kernels on the lattice of all places; the others are in Rules.v. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Operators Iterations Lattice OrthogonalKernel Circle Polyphase.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section KernelRules.
Variable R : realFieldType.

(* Any bound of the polyphase kernel on the lattice, over input channels (T the largest of a channel's phases) or over output channels, holds for
   the convolution with its stride and dilation: on the lattice, and so on every image with zeros around it. *)
Theorem polyphase (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (T' : C * phase_index g -> R) (T : C -> R) :
  valid_geometry g -> (0 < dil_h g)%N -> (0 < dil_w g)%N -> (forall c, 0 <= T c) -> (forall c r, T' (c, r) <= T c) ->
  bounded_on predT (@plain_off g) (polyphase_kernel K) T' ->
  bounded_on (stride_places g) (@off g) K T /\ dom (gram (conv2d_matrix K)) (fun cp => T cp.1).
Proof. by move=> hg dh dw T0 TT h; have b := polyphase_bounded hg dh dw T0 TT h; split=> //; exact: (@image_dom _ _ _ _ _ hg T b). Qed.
Theorem polyphase_rows (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (T : O -> R) :
  valid_geometry g -> (0 < dil_h g)%N -> (0 < dil_w g)%N ->
  bounded_rows_on predT (@plain_off g) (polyphase_kernel K) T ->
  bounded_rows_on (stride_places g) (@off g) K T /\ dom (gram (adj (conv2d_matrix K))) (fun oq => T oq.1).
Proof. by move=> hg dh dw h; have b := polyphase_rows_bounded hg dh dw h; split=> //; exact: (@image_rows_dom _ _ _ _ _ hg T b). Qed.

(* The same from a bound of the kernel itself, with stride 1 and dilation 1, as orthogonal kernels have it. *)
Theorem polyphase_itself (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (T : C -> R) :
  valid_geometry g -> (0 < dil_h g)%N -> (0 < dil_w g)%N ->
  bounded_on predT (fun s : tap g => (s.1%:Z, s.2%:Z) : int * int) K T ->
  bounded_on (stride_places g) (@off g) K T /\ dom (gram (conv2d_matrix K)) (fun cp => T cp.1).
Proof. by move=> hg dh dw h; have b := undilated_bounded dh dw h; split=> //; exact: (@image_dom _ _ _ _ _ hg T b). Qed.

(* Any kernel made of P + (I - P) S with symmetric 0 <= P <= I, of matrices of norm at most 1, and of parts of such kernels one after another. *)
Theorem orthogonal_bcop (L : zmodType) (O C S : finType) (off : S -> L) (K : O -> C -> S -> R) : orthogonal_kernel off K ->
  bounded_on predT off K (fun=> 1) /\ bounded_rows_on predT off K (fun=> 1).
Proof. by move=> /orthogonal_kernel_bounded h; split=> //; apply/bounded_both; rewrite ?ler01. Qed.
(* The 2 x 2 kernel of a pair, from what Bjorck's steps make: columns f of two matrices. *)
Theorem orthogonal_bcop_pair (L : zmodType) (C D D' : finType) (V W : C -> D -> R) (f : D' -> D) (start : R) (steps : nat) (row column : L) :
  injective f -> 0 <= start -> start <= 2%:R -> (0 < steps)%N -> dom (gram V) (fun=> start ^+ 2) -> dom (gram W) (fun=> start ^+ 2) ->
  let P := factor (fun c d => iter steps (@bjorck R D C) V c (f d)) in
  let Q := factor (fun c d => iter steps (@bjorck R D C) W c (f d)) in
  orthogonal_kernel (after_off (mixing_off row) (mixing_off column)) (after (mixing P) (mixing Q)).
Proof.
move=> fi s0 s2 n0 hV hW P Q; have short (X : C -> D -> R) : dom (gram X) (fun=> start ^+ 2) ->
    dom (gram (fun c d => iter steps (@bjorck R D C) X c (f d))) (fun=> 1).
  move=> h; apply: dom_columns fi _; case: (steps) n0 => // n _; apply: bjorck_iter_dom; apply: dom_mono h => _.
  have -> : 4%:R = 2%:R ^+ 2 :> R by ring.
  by rewrite ler_sqr ?nnegrE ?ler0n.
by apply: kernel_after; apply: factor_mixing; exact: short.
Qed.
(* Such a kernel followed by blocks of sh x sw places that are a matrix of norm at most 1. *)
Theorem orthogonal_strided (O M C S : finType) (sh sw : nat) (off : S -> int * int) (K : M -> C -> S -> R)
  (W : O -> M -> 'I_sh * 'I_sw -> R) : dom (gram (reshaped W)) (fun=> 1) -> orthogonal_kernel off K ->
  let here (l : int * int) := (sh %| l.1)%Z && (sw %| l.2)%Z in
  let block (s : 'I_sh * 'I_sw) : int * int := (s.1%:Z, s.2%:Z) in
  bounded_on here (after_off block off) (after W K) (fun=> 1) /\ bounded_rows_on here (after_off block off) (after W K) (fun=> 1).
Proof.
move=> hW hK here block; have h : bounded_on here (after_off block off) (after W K) (fun=> 1).
  apply: strided_bounded hW hK => l l' [a b] [a' b'] /andP [h1 h2] /andP [h1' h2'] [e1 e2].
  have axis (n : nat) (x x' : int) (i i' : 'I_n) : (n %| x)%Z -> (n %| x')%Z -> x + i%:Z = x' + i'%:Z -> i = i'.
    move=> /dvdzP [u ->] /dvdzP [v ->] e; apply/val_inj/eqP; have := congr1 (fun z => (z %% n)%Z) e.
    by rewrite !modzMDl !modz_nat !modn_small // => -[] /eqP.
  by rewrite (axis _ _ _ _ _ h1 h1' e1) (axis _ _ _ _ _ h2 h2' e2).
by split=> //; apply/bounded_both; rewrite ?ler01.
Qed.
End KernelRules.

(* What `polyphase` concludes, or what is known of a kernel on the lattice without a stride, holds with circular padding: the stride divides the
   image, and no output is repeated. The kernel may be larger than the image. *)
Theorem torus (R : archiFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (T : C -> R) :
  valid_geometry g -> closes g -> bounded_on (stride_places g) (@off g) K T -> dom (gram (circular_matrix K)) (fun cp => T cp.1).
Proof. by move=> hg hc h; exact: (@circular_dom _ _ _ _ _ hg hc T h). Qed.
Theorem torus_rows (R : archiFieldType) (O C : finType) (g : geometry) (K : O -> C -> tap g -> R) (T : O -> R) :
  valid_geometry g -> closes g -> bounded_rows_on (stride_places g) (@off g) K T ->
  dom (gram (adj (circular_matrix K))) (fun oq => T oq.1).
Proof. by move=> hg hc h; exact: (@circular_rows_dom _ _ _ _ _ hg hc T h). Qed.
