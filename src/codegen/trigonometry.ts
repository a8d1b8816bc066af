/**
 * sin and cos for kernels. WGSL's own are only promised to 2⁻¹¹, and only on [−π, π]; gradients of angles need more. x − nπ (π in two parts), then the odd
 * Taylor polynomial of degree 11, which is off by at most (π/2)¹³/13! < 6e-8.
 */
const SERIES = `fn sine_of_rest(r: f32, n: f32) -> f32 {
  let s = r * r;
  let p = r * (1.0f + s * (-0.16666666666666666f + s * (0.008333333333333333f + s * (-1.984126984126984e-4f + s * (2.7557319223985893e-6f - s * 2.505210838544172e-8f)))));
  return select(p, -p, n - 2.0f * floor(0.5f * n) > 0.5f);
}
fn sine(x: f32) -> f32 {
  let n = floor(x * 0.3183098861837907f + 0.5f);
  return sine_of_rest(fma(-n, -8.742277657347586e-8f, fma(-n, 3.1415927410125732f, x)), n);
}
fn cosine(x: f32) -> f32 {
  let n = floor(x * 0.3183098861837907f + 1.0f);
  let m = n - 0.5f;
  return sine_of_rest(fma(-m, -8.742277657347586e-8f, fma(-m, 3.1415927410125732f, x)), n);
}
`;

/** `wgsl` with the functions `sine` and `cosine` before it, where it calls one. */
export const withTrigonometry = (wgsl: string): string => (/\b(co)?sine\(/.test(wgsl) ? `${SERIES}${wgsl}` : wgsl);
