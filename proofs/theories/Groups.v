(* Kernels in groups, as `lip prove --coq` writes them: group k maps the k-th part of the input channels to the k-th part of the output channels,
   by a kernel of its own. *)
From mathcomp Require Import all_ssreflect all_algebra.
From Lip Require Import Base Gershgorin Structure Conv Operators Fourier Rules Lattice Layers.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section GroupIndex.
Variables n m d : nat.
Hypothesis e : (n * m)%N = d.
(* channel k m + r is the r-th of group k *)
Definition group_of (i : 'I_d) : 'I_n * 'I_m :=
  let k := cast_ord (esym e) i in (Ordinal (group_lt k), Ordinal (rank_lt k)).
Lemma group_of_inj : injective group_of.
Proof.
by move=> i j [] /= q r; apply: val_inj; rewrite /= (divn_eq i m) (divn_eq j m) q r.
Qed.
End GroupIndex.

Section Groups.
Variables (R : realFieldType) (n a b o c : nat) (eo : (n * a)%N = o) (ec : (n * b)%N = c) (S : finType).
Variable K : 'I_n -> 'I_a -> 'I_b -> S -> R.
Definition in_groups (i : 'I_o) (j : 'I_c) (s : S) : R :=
  let p := group_of eo i in let q := group_of ec j in if p.1 == q.1 then K p.1 p.2 q.2 s else 0.

(* an index of channels and places, by groups *)
Definition grouped_index m d (e : (n * m)%N = d) (P : finType) (i : 'I_d * P) : 'I_n * ('I_m * P) :=
  ((group_of e i.1).1, ((group_of e i.1).2, i.2)).
Lemma grouped_index_inj m d (e : (n * m)%N = d) (P : finType) : injective (@grouped_index m d e P).
Proof.
move=> [i p] [j q] [] /= h1 h2 ->; congr (_, _); apply: (@group_of_inj _ _ _ e).
by rewrite /group_of; congr (_, _); apply: val_inj.
Qed.

(* A bound of each group's kernel on the lattice is one of the whole. *)
Theorem in_groups_bounded (L : zmodType) (here : pred L) (off : S -> L) (lam : R) :
  (forall k, bounded_on here off (K k) (fun=> lam)) -> bounded_on here off in_groups (fun=> lam).
Proof.
move=> h P Q pin pout ii io hq.
have d := @grouped R _ _ _ (fun k => conv_matrix pin pout off (K k)) (fun=> lam) (fun k => h k P Q pin pout ii io hq).
have := dom_columns (@grouped_index_inj _ _ ec P) (dom_rows (@grouped_index_inj _ _ eo Q) d).
apply: eq_gram_dom => -[i q] [j p]; rewrite /block_diagonal /conv_matrix /in_groups /=.
by case: ifP => // _; rewrite big1.
Qed.
(* The same of the reshaped kernels, of which the whole is made by blocks. *)
Theorem in_groups_reshaped (lam : R) : (forall k, dom (gram (reshaped (K k))) (fun=> lam)) -> dom (gram (reshaped in_groups)) (fun=> lam).
Proof.
move=> h; have d := @grouped R _ _ _ (fun k => reshaped (K k)) (fun=> lam) h.
have := dom_columns (@grouped_index_inj _ _ ec S) (dom_rows (@group_of_inj _ _ _ eo) d).
by apply: eq_gram_dom => i [j s]; rewrite /block_diagonal /reshaped /in_groups.
Qed.
End Groups.
