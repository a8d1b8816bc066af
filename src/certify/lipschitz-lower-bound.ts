/** How large the Lipschitz constant of a network is at least: the other end of what a certificate bounds from above. */
import { interpret } from '../ir/interpret.ts';
import { GraphBuilder, prune, size, type TensorGraph } from '../ir/tensor.ts';
import { differentiate } from '../passes/training/differentiate.ts';
import { stream } from '../train/random.ts';

const norm = (v: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < v.length; i++) sum += v[i] * v[i];
  return Math.sqrt(sum);
};

/** Step of the difference quotients: each is a lower bound by itself, whatever the step. */
const STEP = 2 ** -10;

/**
 * The largest ‖f(x + hv) − f(x)‖ / ‖hv‖ found by `iterations` of power iteration on the Jacobian at each of `starts` random points, in f64:
 * a lower bound of the Lipschitz constant (up to f64 rounding) of the output "features" of `folded`, a graph of the input "x" alone.
 */
export const lipschitzLowerBound = (
  folded: TensorGraph,
  { starts = 2, iterations = 8, seed = 0 }: { starts?: number; iterations?: number; seed?: number } = {},
): number => {
  const features = folded.outputs.get('features')!;
  const forward = prune({ ...folded, outputs: new Map([['features', features]]) });
  const x = forward.nodes.find(node => node.op.kind === 'input')!;
  const back = GraphBuilder.from(forward);
  const y = forward.outputs.get('features')!;
  const [adjoint] = differentiate(back, y, back.input('u', back.shape(y)), [x.id]);
  if (adjoint === undefined) return 0;
  back.output('adjoint', adjoint);
  const graph = back.finish();
  const params = new Map<string, Float64Array>();
  const n = size(x.shape);
  const random = stream(seed, 'lower bound');
  let best = 0;
  for (let start = 0; start < starts; start++) {
    const at = Float64Array.from({ length: n }, () => random.uniform());
    const value = (p: Float64Array) =>
      interpret(forward, { inputs: new Map([['x', p]]), params }).outputs.get('features')!;
    const origin = value(at);
    let v: Float64Array = Float64Array.from({ length: n }, () => random.normal());
    for (let i = 0; i < iterations; i++) {
      const h = STEP / norm(v);
      const moved = at.map((p, k) => p + h * v[k]);
      const step = norm(moved.map((p, k) => p - at[k]));
      const change = value(moved).map((y, k) => y - origin[k]);
      const quotient = norm(change) / step;
      if (!(quotient > 0)) break;
      best = Math.max(best, quotient);
      const inputs = new Map([
        ['x', at],
        ['u', change],
      ]);
      v = interpret(graph, { inputs, params }).outputs.get('adjoint')!;
    }
  }
  return best;
};
