/**
 * Pseudo-random numbers that depend on nothing but a seed and a name: xoshiro128** (Blackman & Vigna 2018), seeded through splitmix32
 * from a hash of the name. A stream per purpose (`shuffle 3`, `augment 1207`, `init conv[0].W`) means that no generator state has to be
 * saved: epoch, step and seed determine every draw.
 */
export interface Random {
  /** Uniform in 0 … 2³² − 1. */
  readonly u32: () => number;
  /** Uniform in [0, 1), 53 bits. */
  readonly uniform: () => number;
  /** Uniform integer in 0 … n − 1, 1 ≤ n ≤ 2³². */
  readonly below: (n: number) => number;
  /** Standard normal (Box–Muller). */
  readonly normal: () => number;
}

const splitmix32 = (start: number) => {
  let state = start >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
};

/** The stream `name` of `seed`, always the same one. */
export const stream = (seed: number, name: string): Random => {
  // FNV-1a over the UTF-16 units of "seed:name", twice with different offsets: 64 bits of key, so streams do not collide in practice.
  const hash = (offset: number) => {
    let h = offset;
    for (const unit of `${seed}:${name}`) h = Math.imul(h ^ unit.codePointAt(0)!, 0x01000193);
    return h >>> 0;
  };
  const left = splitmix32(hash(0x811c9dc5));
  const right = splitmix32(hash(0x9747b28c));
  let a = left();
  let b = right();
  let c = left();
  let d = right() | 1;
  const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  const u32 = () => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotl(d, 11);
    return result;
  };
  const uniform = () => ((u32() >>> 5) * 0x4000000 + (u32() >>> 6)) / 2 ** 53;
  const below = (n: number) => {
    // Rejection: the largest multiple of n below 2³² leaves no bias.
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const x = u32();
      if (x < limit) return x % n;
    }
  };
  let spare: number | undefined;
  const normal = () => {
    if (spare !== undefined) {
      const kept = spare;
      spare = undefined;
      return kept;
    }
    // 1 − u lies in (0, 1], so the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { u32, uniform, below, normal };
};

/** A random permutation of 0 … n − 1 (Fisher–Yates). */
export const permutation = (n: number, random: Random): Uint32Array => {
  const p = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const t = p[i];
    p[i] = p[j];
    p[j] = t;
  }
  return p;
};
