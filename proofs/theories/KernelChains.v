(* Orthogonal kernels as `lip prove --coq` writes them (BCOP, AOC): a matrix followed by pairs (P + (I - P) S)(Q + (I - Q) S'), S and S' shifts by
   a row and by a column; with a stride, by a matrix on blocks; as one kernel whose taps are sums over the ways to reach an offset. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Gershgorin Structure Conv Image Operators Lattice OrthogonalKernel Circle Polyphase KernelRules Architecture Families.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

(* ---- Terms of a kernel with the numbers of rows and columns that they shift by, collected by tap *)
Section Collect.
Variables (R : realFieldType) (g : geometry) (O C S : finType) (count : S -> nat * nat) (K : O -> C -> S -> R).
Hypothesis inside_taps : forall t, ((count t).1 < ker_h g)%N /\ ((count t).2 < ker_w g)%N.
Definition count_off (t : S) : int * int := ((dil_h g)%:Z * (count t).1%:Z, (dil_w g)%:Z * (count t).2%:Z).
Definition collected (o : O) (c : C) (s : tap g) : R := \sum_(t | (count t).1 == s.1 :> nat) if (count t).2 == s.2 :> nat then K o c t else 0.
Let tap_off (s : tap g) : int * int := ((dil_h g)%:Z * s.1%:Z, (dil_w g)%:Z * s.2%:Z).
Lemma collected_bounded here T : bounded_on here count_off K T -> bounded_on here (@off g) collected T.
Proof.
move=> h; have h1 : bounded_on here tap_off collected T.
  apply: bounded_same h => o c l; rewrite /at_place /collected.
  under [RHS]eq_bigr => s _ do rewrite big_mkcond.
  rewrite [RHS]exchange_big /= [LHS]big_mkcond; apply: eq_bigr => t _; have [t1 t2] := inside_taps t.
  rewrite big_mkcond (bigD1 (Ordinal t1, Ordinal t2)) //= !eqxx [X in _ = _ + X]big1 ?addr0 // => -[s1 s2] ne.
  case: ifP => // _; case: eqP => // e1; case: eqP => // e2; case/negP: ne; apply/eqP.
  by congr (_, _); apply: val_inj; rewrite /= -?e1 -?e2.
pose z : int * int := (- pad_h g, - pad_w g).
move=> P Q pin pout ii io hq; apply: eq_gram_dom (h1 P Q (fun p => pin p - z) pout _ io hq) => [oq cp|p p' /addIr /ii //].
by apply: eq_bigl => s; rewrite subr_eq -addrA; congr (_ == _ + _); apply: injective_projections.
Qed.
End Collect.

(* ---- n pairs after a matrix *)
Section Chain.
Variables (R : realFieldType) (L : zmodType) (row column : L) (C C' : finType) (P Q : nat -> C -> C -> R) (M : C -> C' -> R).
Fixpoint chain_tap (n : nat) : finType := if n is n'.+1 then [finType of (bool * bool) * chain_tap n'] else [finType of unit].
Fixpoint chain_count (n : nat) : chain_tap n -> nat * nat :=
  if n is n'.+1 return chain_tap n -> nat * nat
  then fun t => ((t.1.1 + (chain_count t.2).1)%N, (t.1.2 + (chain_count t.2).2)%N) else fun _ => (0%N, 0%N).
Fixpoint chain_off (n : nat) : chain_tap n -> L :=
  if n is n'.+1 return chain_tap n -> L
  then after_off (after_off (mixing_off row) (mixing_off column)) (@chain_off n') else fun _ => 0.
Fixpoint chain (n : nat) : C -> C' -> chain_tap n -> R :=
  if n is n'.+1 return C -> C' -> chain_tap n -> R then after (after (mixing (P n')) (mixing (Q n'))) (@chain n') else fun o c _ => M o c.
Hypotheses (hP : forall i a, orthogonal_kernel (mixing_off a : _ -> L) (mixing (P i))) (hQ : forall i a, orthogonal_kernel (mixing_off a : _ -> L) (mixing (Q i))).
Hypothesis hM : dom (gram M) (fun=> 1).
Lemma chain_orthogonal n : orthogonal_kernel (@chain_off n) (@chain n).
Proof.
elim: n => [|n ih]; first exact: kernel_matrix.
by apply: kernel_after ih; apply: kernel_after; [exact: hP | exact: hQ].
Qed.
Lemma chain_count_le n t : ((@chain_count n t).1 <= n)%N /\ ((@chain_count n t).2 <= n)%N.
Proof.
elim: n t => [|n ih] t //=; case: t => [[a b] t] /=; have [h1 h2] := ih t.
by split; rewrite -[n.+1]add1n; apply: leq_add => //; [case: a | case: b].
Qed.
End Chain.
Lemma chain_offE (h w : int) n (t : chain_tap n) :
  @chain_off [zmodType of int * int] (h, 0) (0, w) n t = (h * (chain_count t).1%:Z, w * (chain_count t).2%:Z).
Proof.
elim: n t => [|n ih] t; first by rewrite /= !mulr0.
case: t => [[a b] t]; rewrite /= /after_off /= ih /mixing_off; apply: injective_projections; rewrite /= !PoszD !mulrDr.
  by case: a; case: b; rewrite /= ?mulr1 ?mulr0 ?addr0 ?add0r.
by case: a; case: b; rewrite /= ?mulr1 ?mulr0 ?addr0 ?add0r.
Qed.

(* ---- Where P and Q come from: the first columns of a matrix of norm at most 1; and matrices I - 2 P one after another *)
Section Parts.
Variables (R : realFieldType) (L : zmodType) (C : finType) (m k : nat) (e : (k <= m)%N).
Definition half_factor (B : C -> 'I_m -> R) : C -> C -> R := factor (fun c d => B c (widen_ord e d)).
Lemma half_factor_mixing (B : C -> 'I_m -> R) (a : L) : dom (gram B) (fun=> 1) -> orthogonal_kernel (mixing_off a) (mixing (half_factor B)).
Proof. by move=> h; apply: factor_mixing; exact: dom_columns (@widen_inj _ _ e) h. Qed.
Definition reflections_of (A B : C -> 'I_m -> R) (c c' : C) : R := \sum_d OrthogonalKernel.reflected A c d * OrthogonalKernel.reflected B d c'.
Lemma reflections_of_dom (A B : C -> 'I_m -> R) : dom (gram A) (fun=> 1) -> dom (gram B) (fun=> 1) -> dom (gram (reflections_of A B)) (fun=> 1).
Proof.
move=> /OrthogonalKernel.reflected_dom /dom_gram hA /OrthogonalKernel.reflected_dom /dom_gram hB; apply/dom_gram => v.
rewrite mulv_comp sum_const mul1r; apply: le_trans (hA _) _; rewrite sum_const mul1r.
by have := hB v; rewrite sum_const mul1r.
Qed.
End Parts.

(* a matrix out x (in, block) on blocks *)
Section Blocks.
Variables (R : realFieldType) (o c sh sw m : nat) (e : (c * sh * sw)%N = m) (W : 'I_o -> 'I_m -> R).
Definition on_blocks (i : 'I_o) (j : 'I_c) (s : 'I_sh * 'I_sw) : R := W i (cast_ord e (flat (j, s))).
Lemma on_blocks_dom : dom (gram W) (fun=> 1) -> dom (gram (reshaped on_blocks)) (fun=> 1).
Proof.
move=> h; have fi : injective (fun cs : 'I_c * ('I_sh * 'I_sw) => cast_ord e (flat cs)) by move=> a b /cast_ord_inj /flat_inj.
by have := dom_columns fi h; apply: eq_dom => -[i s] [j t].
Qed.
End Blocks.

(* ---- The whole kernel: rows and columns of the chain; with a stride, a matrix on blocks after it *)
Section Kernels.
Variables (R : realFieldType) (g : geometry) (n c out inp : nat) (ei : (inp <= c)%N).
Variables (P Q : nat -> 'I_c -> 'I_c -> R) (M : 'I_c -> 'I_c -> R).
Hypotheses (hP : forall i a, orthogonal_kernel (mixing_off a : _ -> [zmodType of int * int]) (mixing (P i)))
  (hQ : forall i a, orthogonal_kernel (mixing_off a : _ -> [zmodType of int * int]) (mixing (Q i))) (hM : dom (gram M) (fun=> 1)).
Definition chain_kernel (eo : (out <= c)%N) : 'I_out -> 'I_inp -> tap g -> R :=
  collected (@chain_count n) (fun o i t => chain P Q M (widen_ord eo o) (widen_ord ei i) t).
Theorem chain_kernel_bounded (eo : (out <= c)%N) : (n < ker_h g)%N -> (n < ker_w g)%N ->
  bounded_on (stride_places g) (@off g) (chain_kernel eo) (fun=> 1).
Proof.
move=> nh nw; apply: collected_bounded => [t|].
  by have [h1 h2] := chain_count_le t; split; [exact: leq_ltn_trans nh | exact: leq_ltn_trans nw].
have k := chain_orthogonal ((dil_h g)%:Z, 0) (0, (dil_w g)%:Z) hP hQ hM n.
have b := orthogonal_kernel_bounded (kernel_part (@widen_inj _ _ eo) (@widen_inj _ _ ei) k).
apply: (bounded_here (here := predT)) => //; apply: bounded_same b => o i l; apply: eq_bigl => t.
by rewrite chain_offE.
Qed.

Definition strided_kernel (W : 'I_out -> 'I_c -> 'I_(stride_h g) * 'I_(stride_w g) -> R) : 'I_out -> 'I_inp -> tap g -> R :=
  collected (fun bt : ('I_(stride_h g) * 'I_(stride_w g)) * chain_tap n => ((bt.1.1 + (@chain_count n bt.2).1)%N, (bt.1.2 + (@chain_count n bt.2).2)%N))
    (after W (fun o i t => chain P Q M o (widen_ord ei i) t)).
Theorem strided_kernel_bounded W : (n + stride_h g <= ker_h g)%N -> (n + stride_w g <= ker_w g)%N -> dil_h g = 1%N -> dil_w g = 1%N ->
  dom (gram (reshaped W)) (fun=> 1) -> bounded_on (stride_places g) (@off g) (strided_kernel W) (fun=> 1).
Proof.
move=> nh nw dh dw hW; apply: collected_bounded => [[[b b'] t]|].
  have [h1 h2] := chain_count_le t; split=> /=.
    by apply: leq_trans nh; rewrite addnC -addnS leq_add.
  by apply: leq_trans nw; rewrite addnC -addnS leq_add.
have k := chain_orthogonal (1, 0) (0, 1) hP hQ hM n.
have kp := kernel_part (@inj_id 'I_c) (@widen_inj _ _ ei) k.
have [b _] := @orthogonal_strided R _ _ _ _ _ _ _ _ _ hW kp.
apply: bounded_same b => o i l; apply: eq_bigl => -[[b b'] t]; rewrite /count_off /after_off /= chain_offE dh dw !mul1r.
by congr (_ == l); apply: injective_projections.
Qed.
End Kernels.
