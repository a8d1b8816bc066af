(* An architecture proven 1-Lipschitz for all weights, and its certificate:

     network SmallNet by sll {
       input  image[3, 32, 32]
       center [...]
       pad channels to 15
       repeat 2 { residual conv hidden = 5, kernel = 3 }
       avgpool 4
       flatten
       residual dense hidden = 64
       head 10
     }                                                                                                             *)
From mathcomp Require Import all_ssreflect all_algebra.
From Lip Require Import Base Activation Structure Conv Image Layers Head.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section SmallNet.
Variable R : realFieldType.
Notation relu := (fun a : R => Num.max a 0).

Definition image := ('I_3 * ('I_32 * 'I_32))%type.
Definition conv_shape : geometry := same_geometry 32 32 1 1.
Definition pooled := 'I_#|{: 'I_15 * ('I_(32 %/ 4) * 'I_(32 %/ 4))}|.

(* the parameters, by their paths *)
Variable mean : 'I_3 -> R.
Variables (K0 K1 : 'I_5 -> 'I_15 -> tap conv_shape -> R) (b0 b1 q0 q1 : 'I_5 -> R).
Variables (W2 : 'I_64 -> pooled -> R) (b2 : {ffun 'I_64 -> R}) (q2 : 'I_64 -> R).
Variables (head_W : 'I_10 -> {ffun pooled -> R}) (head_b : 'I_10 -> R).
(* the stored q is a logarithm: q here is its exponential *)
Hypotheses (hq0 : forall i, 0 < q0 i) (hq1 : forall i, 0 < q1 i) (hq2 : forall i, 0 < q2 i).

Definition center (x : {ffun image -> R}) := x - [ffun i => mean i.1].
Definition pad (x : {ffun image -> R}) : {ffun 'I_15 * in_pos conv_shape -> R} := pad_channels 15 x.
Definition conv_0 := residual_conv K0 (sll_conv_rescaling K0 q0) b0 relu.
Definition conv_1 := residual_conv K1 (sll_conv_rescaling K1 q1) b1 relu.
Definition pool (x : {ffun 'I_15 * ('I_32 * 'I_32) -> R}) := avgpool2d 4 4 4%:R^-1 x.
Definition dense_0 := residual_dense W2 (sll_rescaling W2 q2) b2 relu.

Definition features : {ffun image -> R} -> {ffun pooled -> R} :=
  dense_0 \o (@flatten R _ \o (pool \o (conv_1 \o (conv_0 \o (pad \o center))))).

Theorem small_net_lip : lip features.
Proof.
apply: lip_comp; last exact: (residual_dense_sll_lip W2 b2 (@relu_slope R) hq2).
apply: lip_comp; last exact: flatten_lip.
apply: lip_comp; last exact: (avgpool2d_lip (isT : (0 < 4)%N) (isT : (0 < 4)%N) (inv_block R (isT : (0 < 4)%N))).
apply: lip_comp; last exact: (residual_conv_sll_lip K1 b1 (same_geometry_valid 32 32 1 1) (@relu_slope R) hq1).
apply: lip_comp; last exact: (residual_conv_sll_lip K0 b0 (same_geometry_valid 32 32 1 1) (@relu_slope R) hq0).
apply: lip_comp; last exact: pad_channels_lip.
exact: center_lip.
Qed.

(* The certificate of an input: margins positive, and margin^2 > r^2 |w_y - w_j|^2 for every other class j. *)
Theorem small_net_radius (y : 'I_10) (r2 : R) x :
  (forall j, j != y -> 0 < pair_margin features (head_W y) (head_W j) (head_b y) (head_b j) x /\
     1 * r2 * sqn (head_W y - head_W j) < pair_margin features (head_W y) (head_W j) (head_b y) (head_b j) x ^+ 2) ->
  forall x', sqn (x - x') <= r2 -> predicts features head_W head_b x' y.
Proof. exact: (head_radius ler01 small_net_lip). Qed.
End SmallNet.
