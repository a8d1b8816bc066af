/**
 * Why a Householder activation of order 2 that looks for its sector by an angle is refused: over the reals it is 1-Lipschitz, in f32 its
 * remainder modulo 2π rounds to 2π itself, which lies in no sector. Evaluated as such code does, one f32 operation after the other.
 */
import type { Counterexample } from '../../ir/counterexample.ts';
import type { Layer, Network, Shape } from '../../ir/network.ts';

const f32 = Math.fround;
const TURN = f32(2 * Math.PI);

/** a modulo 2π as f32 has it: of a small negative a, 2π + a, rounded. */
const modulo = (a: number): number => {
  const r = f32(a % TURN);
  return r < 0 ? f32(r + TURN) : r;
};

/** One pair (u, v) with angles (θ₀, θ₁, θ₂) in [0, 2π], by Singla, Singla & Feizi, ICLR 2022. */
const byAngle = ([t0, t1, t2]: readonly number[], [u, v]: readonly number[]): readonly number[] => {
  const at = modulo(f32(f32(Math.atan2(v, u)) - f32(t0 / 2)));
  const t3 = f32(TURN - t1);
  const ends = [f32(t1 / 2), f32(f32(t1 + t2) / 2), f32(f32(f32(t1 + t2) + t3) / 2), TURN];
  const [cos, sin] = [(a: number) => f32(Math.cos(a)), (a: number) => f32(Math.sin(a))];
  const reflected = (a: number) => [f32(u * cos(a) + v * sin(a)), f32(u * sin(a) - v * cos(a))];
  if (at < ends[0]) return [u, v];
  if (at < ends[1]) return reflected(f32(t0 + t1));
  if (at < ends[2]) return [f32(u * cos(t2) + v * sin(t2)), f32(v * cos(t2) - u * sin(t2))];
  return at < ends[3] ? reflected(t0) : [0, 0];
};

const ANGLES = [0, f32(Math.PI / 2), f32(Math.PI / 2)];

/** The worst pair x = (1, −ε), y = (1, 0) over a few ε, on the first two halves of `shape`, the rest 0. */
export const refuteAngle = (net: Network, layer: Layer, shape: Shape, allowed: number): Counterexample => {
  const size = shape.reduce((p, n) => p * n, 1);
  const pairs = size / 2;
  const spread = ([u, v]: readonly number[]): number[] =>
    Array.from({ length: size }, (_, i) => (i === 0 ? u : i === pairs ? v : 0));
  const found = [1e-7, 1e-8, 1e-6]
    .map(epsilon => {
      const [x, y] = [
        [1, f32(-epsilon)],
        [1, 0],
      ];
      const [fx, fy] = [byAngle(ANGLES, x), byAngle(ANGLES, y)];
      return { x, y, fx, fy, ratio: Math.hypot(fx[0] - fy[0], fx[1] - fy[1]) / Math.abs(x[1]) };
    })
    .reduce((a, b) => (b.ratio > a.ratio ? b : a));
  const { act } = layer.op as Extract<Layer['op'], { kind: 'activation' }>;
  const thetas = act.kind === 'householder2' ? act.theta : [];
  return {
    network: net.name,
    layers: [layer.path],
    allowed,
    ratio: found.ratio,
    inputShape: shape,
    params: thetas.map((p, i) => ({
      path: p.path,
      shape: p.shape,
      values: p.shape.flatMap(n => Array<number>(n).fill(ANGLES[i])),
    })),
    x: spread(found.x),
    y: spread(found.y),
    fx: spread(found.fx),
    fy: spread(found.fy),
  };
};
