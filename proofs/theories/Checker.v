(* Rules of the checker whose theorem goes by another name elsewhere, under their own: with Rules.v, KernelRules.v, Symbol.v and psd_witness of Gershgorin.v
   every rule has a theorem of its name. Nothing imports this file, as the names (sum, sort, …) are taken. *)
From mathcomp Require Import all_ssreflect all_algebra ring.
From Lip Require Import Base Activation Gershgorin Residual Structure Sorting Conv Image Rules Architecture Families.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import GRing.Theory Num.Theory Order.TTheory.
Local Open Scope ring_scope.

Section Checker.
Variable R : realFieldType.
Implicit Types I J K O C : finType.

(* of a matrix; of a convolution every input of which is read at most `factor` times *)
Theorem frobenius : (forall I J (W : J -> I -> R), dom (gram W) (fun=> frob W)) /\
  (forall O C (g : geometry) (K : O -> C -> tap g -> R) (factor : nat),
    (forall p : in_pos g, #|[pred qs : out_pos g * tap g | (pin p == pout qs.1 + off qs.2)%R]| <= factor)%N ->
    dom (gram (conv2d_matrix K)) (fun=> factor%:R * frob (reshaped K)) /\
    dom (gram (adj (conv2d_matrix K))) (fun=> factor%:R * frob (reshaped K))).
Proof.
split=> [I J W|O C g K factor hf]; first exact: frobenius_dom.
exact: reshaped_kernel (frob_ge0 _) (frobenius_dom _) hf.
Qed.
(* a: at least every sum of a row of |W|, b: of a column; of a convolution, over a channel and all taps, at every image size *)
Theorem schur (a b : R) : 0 <= a -> (forall I J (W : J -> I -> R),
    (forall j, \sum_i `|W j i| <= a) -> (forall i, \sum_j `|W j i| <= b) -> dom (gram W) (fun=> a * b)) /\
  (forall O C (g : geometry) (K : O -> C -> tap g -> R), valid_geometry g ->
    (forall o, \sum_c \sum_s `|K o c s| <= a) -> (forall c, \sum_o \sum_s `|K o c s| <= b) ->
    dom (gram (conv2d_matrix K)) (fun=> a * b)).
Proof. by move=> a0; split=> [I J W|O C g K hg]; [exact: schur_sums_dom | exact: schur_taps_dom]. Qed.
(* W^T W <= T: x -> s . (W^T x); W W^T <= T: x -> W^T (s . x), s^2 T <= 1 *)
Theorem linear_adjoint I J (W : J -> I -> R) :
  (forall (b : {ffun I -> R}) (s T : I -> R), (forall i, s i ^+ 2 * T i <= 1) -> dom (gram W) T ->
    lip (fun x => s *d (adj W *v x) + b)) /\
  (forall (b : {ffun I -> R}) (s T : J -> R), (forall j, s j ^+ 2 * T j <= 1) -> dom (gram (adj W)) T ->
    lip (fun x => adj W *v (s *d x) + b)).
Proof. by split=> b s T hs h; [exact: linear_scaled_out_lip hs h | exact: linear_scaled_lip hs h]. Qed.
(* t = c / T, 0 <= c <= 2 *)
Theorem scaled_residual I J (A : I -> J -> R) (b : {ffun J -> R}) (t T : J -> R) s :
  slope01 s -> (forall j, 0 <= t j) -> (forall j, t j * T j <= 2%:R) -> dom (gram A) T ->
  lip (fun x => x - A *v (t *d act s (adj A *v x + b))).
Proof. exact: residual_lip. Qed.
(* T_c at least what bounds channel c at every position, for the matrix of a convolution at one image size *)
Theorem operator_matrix C J (P : finType) (W : J -> C * P -> R) (T' : C * P -> R) (T : C -> R) :
  (forall c p, T' (c, p) <= T c) -> dom (gram W) T' -> dom (gram W) (fun cp => T cp.1).
Proof. by move=> h; apply: dom_mono => -[c p]; exact: h. Qed.

Theorem sort K n : lip (blocks (fun _ : K => @sortv R n)).
Proof. exact: sort_groups. Qed.
Theorem sum I J K (r : seq K) (f : K -> {ffun I -> R} -> {ffun J -> R}) (a c : K -> R) :
  (forall k, 0 <= c k) -> (forall k, lipc (c k) (f k)) ->
  lipc (\sum_(k <- r) `|a k| * c k) (fun x => \sum_(k <- r) a k *c f k x).
Proof. exact: sum_branches. Qed.
Theorem concat I J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I -> R} -> {ffun K -> R}) :
  lips c f -> lips d g -> lips (c + d) (fun x => Structure.concat (f x) (g x)).
Proof. exact: concat_branches. Qed.
Theorem split I I' J K c d (f : {ffun I -> R} -> {ffun J -> R}) (g : {ffun I' -> R} -> {ffun K -> R}) :
  lips c f -> lips d g ->
  lips (Num.max c d) (fun x : {ffun I + I' -> R} => Structure.concat (f [ffun i => x (inl i)]) (g [ffun i => x (inr i)])).
Proof. exact: split_parts. Qed.
Theorem gather I J (g : J -> option I) p (m : nat) :
  (forall i, #|[pred j | g j == Some i]| <= m)%N -> @lips R _ _ m%:R (Structure.gather g p).
Proof. exact: gather_multiplicity. Qed.
(* the first channels, or those from one on *)
Theorem channel_truncate I J (h : J -> I) : injective h -> lip (fun x : {ffun I -> R} => [ffun j => x (h j)]).
Proof. exact: reindex. Qed.
(* F^* Q F: F multiplies each row A of an image (one for each of K) with S, each column C of the outcome with M; Q each place P of the spectrum with
   its own W; F^* is the adjoint of F, on other channels. e1 … e4 say which number goes where. Zeros before are zero_pad, the cut after is reindex. *)
Theorem spectrum (K A B L C D P E F L' K' : finType) (S : B -> A -> R) (M : D -> C -> R) (W : P -> F -> E -> R)
    (e1 : L * C -> K * B) (e2 : P * E -> L * D) (e3 : L' * D -> P * F) (e4 : K' * B -> L' * C) (s m t : R) :
  let move (X Y : finType) (h : Y -> X) (x : {ffun X -> R}) : {ffun Y -> R} := [ffun j => x (h j)] in
  injective e1 -> injective e2 -> injective e3 -> injective e4 -> 0 <= s -> 0 <= m -> 0 <= t ->
  dom (gram S) (fun=> s) -> dom (gram M) (fun=> m) -> (forall p, dom (gram (W p)) (fun=> t)) ->
  lips ((s * m) ^+ 2 * t) (blocks (fun _ : K' => mulv (adj S)) \o move _ _ e4 \o blocks (fun _ : L' => mulv (adj M)) \o move _ _ e3 \o
    blocks (fun p => mulv (W p)) \o move _ _ e2 \o blocks (fun _ : L => mulv M) \o move _ _ e1 \o blocks (fun _ : K => mulv S)).
Proof.
move=> move i1 i2 i3 i4 s0 m0 t0 hs hm hw.
have mul (I J : finType) (V : J -> I -> R) c : dom (gram V) (fun=> c) -> lips c (mulv V).
  by move=> h x y; have := affine_lips 0 h x y; rewrite !addr0.
have moved (X Y : finType) (h : Y -> X) : injective h -> lips 1 (move X Y h) by exact: reindex_lip.
have -> : (s * m) ^+ 2 * t = s * 1 * m * 1 * t * 1 * m * 1 * s by ring.
have [hs' hm'] : dom (gram (adj S)) (fun=> s) /\ dom (gram (adj M)) (fun=> m) by split; exact: gram_adj.
by do 8! [apply: lips_comp; [by rewrite ?mulr_ge0 ?ler01 | by [exact: moved | apply: blocks_lips => k; exact: mul] | ]]; apply: blocks_lips => k; exact: mul.
Qed.
End Checker.
