/**
 * The same network, loss and optimiser written for jax-js, on the same GPU device. T is computed in every training step and frozen for
 * inference, as on our side; both programs are jitted as a whole. In jax-js an argument is consumed: `.ref` keeps it for another use.
 */
import type { numpy } from '@jax-js/jax';
import type { Layer } from '../src/ir/network.ts';
import { toNumber } from '../src/ir/rational.ts';
import { stepScalars } from '../src/passes/training/optimizer.ts';
import { healthOf } from '../src/runtime/health.ts';
import type { Gpu } from '../src/runtime/node-device.ts';
import type { Contender, Problem } from './lip-side.ts';

type Arr = numpy.Array;
type Weights = Record<string, Arr>;

/** jax-js asks `navigator` for a GPU, which Node 20 does not have: it gets the device that is already open. */
const lendDevice = ({ device }: Gpu): void => {
  const adapter = { limits: device.limits, features: device.features, requestDevice: async () => device };
  const gpu = { requestAdapter: async () => adapter };
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
  // Flags that browsers have as globals.
  const flags = {
    GPUBufferUsage: {
      MAP_READ: 1,
      MAP_WRITE: 2,
      COPY_SRC: 4,
      COPY_DST: 8,
      INDEX: 16,
      VERTEX: 32,
      UNIFORM: 64,
      STORAGE: 128,
      INDIRECT: 256,
      QUERY_RESOLVE: 512,
    },
    GPUMapMode: { READ: 1, WRITE: 2 },
    GPUShaderStage: { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 },
  };
  for (const [name, value] of Object.entries(flags))
    Object.defineProperty(globalThis, name, { value, configurable: true });
};

export const openJax = async (gpu: Gpu, problem: Problem): Promise<Contender> => {
  lendDevice(gpu);
  const jax = await import('@jax-js/jax');
  const { numpy: np, lax, nn } = jax;
  await jax.init('webgpu');
  jax.defaultDevice('webgpu');
  const { network } = problem.proven;
  const { loss, optimizer } = problem.recipe;
  if (loss.kind !== 'cross_entropy' || optimizer.kind !== 'adam') throw new Error('bench: another loss or optimiser');

  const shapes = new Map<string, readonly number[]>();
  for (const { op } of network.layers) {
    if (op.kind === 'residual' && op.rescaling.by === 'sll')
      for (const p of [op.map.weight, op.bias!, op.rescaling.q]) shapes.set(p.path, p.shape);
    if (op.kind === 'head') for (const p of [op.weight, op.bias]) shapes.set(p.path, p.shape);
  }
  const upload = (data: Float32Array, shape: readonly number[]): Arr => np.array(data, { shape: [...shape] });
  const fresh = (): Weights =>
    Object.fromEntries([...shapes].map(([path, shape]) => [path, upload(problem.weights.get(path)!, shape)]));
  const zeros = (): Weights => Object.fromEntries([...shapes].map(([path, shape]) => [path, np.zeros([...shape])]));

  /** 2/T of a layer, T_i = Σ_j |G_ij| exp(q_j − q_i). */
  const doubleInverse = (layer: Layer, w: Weights): Arr => {
    const { op } = layer;
    if (op.kind !== 'residual' || op.rescaling.by !== 'sll') throw new Error('bench: not a residual sll layer');
    const weight = w[op.map.weight.path];
    const q = w[op.rescaling.q.path];
    const gram =
      op.map.kind === 'dense'
        ? np.abs(np.matmul(weight.ref, np.transpose(weight.ref)))
        : np.sum(
            np.abs(
              lax.conv(
                weight.ref,
                weight.ref,
                [1, 1],
                [
                  [2, 2],
                  [2, 2],
                ],
              ),
            ),
            [2, 3],
          );
    const T = np.sum(gram.mul(np.exp(q.ref)), 1).mul(np.exp(q.ref.neg()));
    return np.reciprocal(T).mul(2);
  };
  const unitRows = (weight: Arr, eps: number): Arr => {
    const norm = np.sqrt(np.sum(weight.ref.mul(weight.ref), 1, { keepdims: true }));
    return weight.div(norm.add(eps));
  };
  const residuals = network.layers.filter(l => l.op.kind === 'residual');
  const head = network.layers.at(-1)!.op;
  if (head.kind !== 'head') throw new Error('bench: no head');

  /** Weights with t and the unit rows of the head in place. */
  const prepare = (w: Weights): { t: Arr[]; rows: Arr } => ({
    t: residuals.map(l => doubleInverse(l, w)),
    rows: unitRows(w[head.weight.path].ref, toNumber(head.eps)),
  });

  const forward = (w: Weights, ready: { t: readonly Arr[]; rows: Arr }, x: Arr): Arr => {
    let y = x;
    let next = 0;
    for (const { op } of network.layers) {
      switch (op.kind) {
        case 'pad':
          y = np.pad(y, [
            [0, 0],
            [0, op.to - y.shape[1]],
            [0, 0],
            [0, 0],
          ]);
          break;
        case 'residual': {
          const weight = w[op.map.weight.path];
          const bias = w[op.bias!.path].ref;
          const t = ready.t[next++];
          if (op.map.kind === 'conv') {
            const c = op.map.out;
            const z = lax
              .conv(
                y.ref,
                weight.ref,
                [1, 1],
                [
                  [1, 1],
                  [1, 1],
                ],
              )
              .add(bias.reshape([1, c, 1, 1]));
            const u = nn.relu(z).mul(t.ref.reshape([1, c, 1, 1]));
            y = y.sub(
              lax.convTranspose(
                u,
                weight.ref,
                [1, 1],
                [
                  [1, 1],
                  [1, 1],
                ],
                { transposeKernel: true },
              ),
            );
          } else {
            const u = nn.relu(np.matmul(y.ref, np.transpose(weight.ref)).add(bias)).mul(t.ref);
            y = y.sub(np.matmul(u, weight.ref));
          }
          break;
        }
        case 'avgpool': {
          const [n, c, h, wd] = y.shape;
          const [kh, kw] = op.size;
          y = np.sum(y.reshape([n, c, h / kh, kh, wd / kw, kw]), [3, 5]).mul(1 / Math.sqrt(kh * kw));
          break;
        }
        case 'flatten':
          y = y.reshape([y.shape[0], -1]);
          break;
        case 'head':
          y = np.matmul(y, np.transpose(ready.rows.ref)).add(w[op.bias.path].ref);
          break;
        default:
          throw new Error(`bench: ${op.kind} is not written for jax-js`);
      }
    }
    return y;
  };

  const lossOf = (w: Weights, x: Arr, target: Arr): Arr => {
    const ready = prepare(w);
    const z = forward(w, ready, x)
      .sub(target.ref.mul(loss.offset))
      .mul(1 / loss.temperature);
    return np.sum(nn.logSoftmax(z, 1).mul(target)).mul(-loss.temperature / problem.batch);
  };

  const [b1, b2] = optimizer.betas;
  const update = jax.jit((w: Weights, m: Weights, v: Weights, x: Arr, target: Arr, scalars: Arr) => {
    const [value, grads] = jax.valueAndGrad(lossOf)(tree(w), x, target) as unknown as [Arr, Weights];
    const next = { w: {} as Weights, m: {} as Weights, v: {} as Weights };
    for (const path of shapes.keys()) {
      const g = grads[path];
      const rate = scalars.ref.slice(0);
      const spread = scalars.ref.slice(1);
      const m1 = m[path].mul(b1).add(g.ref.mul(1 - b1));
      const v1 = v[path].mul(b2).add(g.ref.mul(g).mul(1 - b2));
      next.w[path] = w[path].sub(rate.mul(m1.ref).div(np.sqrt(v1.ref).mul(spread).add(optimizer.eps)));
      next.m[path] = m1;
      next.v[path] = v1;
    }
    return { loss: value, ...next };
  });
  const tree = (w: Weights): Weights => Object.fromEntries(Object.entries(w).map(([k, a]) => [k, a.ref]));
  const freezeAll = jax.jit((w: Weights) => prepare(w));
  const inference = jax.jit((w: Weights, t: Arr[], rows: Arr, x: Arr) => forward(w, { t, rows }, x));

  const quiet = healthOf(gpu.device).wait;
  const x = upload(problem.x, [problem.batch, ...network.input.shape]);
  const oneHot = new Float32Array(problem.batch * head.classes);
  problem.labels.forEach((label, i) => {
    oneHot[i * head.classes + label] = 1;
  });
  const target = upload(oneHot, [problem.batch, head.classes]);
  const still = fresh();
  const ready = freezeAll(tree(still));
  const state = { w: fresh(), m: zeros(), v: zeros() };
  let steps = 0;

  const infer = async (): Promise<Float32Array> => {
    const logits = inference(
      tree(still),
      ready.t.map(t => t.ref),
      ready.rows.ref,
      x.ref,
    );
    return (await quiet(logits.data())) as Float32Array;
  };
  return {
    infer,
    step: async () => {
      const scalars = np.array(Float32Array.from(stepScalars(optimizer, optimizer.rate, ++steps)));
      const made = update(state.w, state.m, state.v, x.ref, target.ref, scalars);
      Object.assign(state, { w: made.w, m: made.m, v: made.v });
      const [value] = await quiet(Promise.all([made.loss.data(), jax.blockUntilReady(made.w)]));
      return value[0] as number;
    },
  };
};
