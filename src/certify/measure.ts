/**
 * What the layers of a frozen network do at given inputs, evaluated in f64: its logits, and for every product ‖x‖, ‖Wx‖ and ‖|W||x|‖. The bounds
 * of rounding errors near such an input are much smaller than those for all inputs of its norm.
 */
import { copyImage, type Dataset } from '../data/dataset.ts';
import { evaluate } from '../ir/interpret.ts';
import { elements, type Layer } from '../ir/network.ts';
import { GraphBuilder, type TensorGraph, type TensorId, type TensorNode } from '../ir/tensor.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import type { EmittedWeight, FrozenNetwork } from '../passes/tensors/freeze.ts';
import type { InputNorm, Measured, MeasuredLayer, MeasuredProduct, RoundingModel } from './rounding.ts';
import { up } from './rounding-norms.ts';
import { withEmittedConstants } from './sound-inputs.ts';

/** A product Wx of the graph, with |W||x| beside it; values are [examples, entries]. */
interface Product {
  readonly operand: TensorId;
  readonly result: TensorId;
  readonly magnitudes: TensorId;
}

interface Emitted {
  readonly layers: ReadonlyMap<string, EmittedWeight>;
  readonly head?: Float32Array;
}

/** Where the node comes from, rewrites left out: `conv[0] (product-of-pad)` is of `conv[0]`. */
const pathOf = (n: TensorNode): string => n.origin.split(' (')[0];

/** Whether `literal` (out, …) is W (out, …), or what is left of it where the last input channels are zero. */
const holdsWeight = (literal: TensorNode, W: Float32Array): boolean => {
  if (literal.op.kind !== 'literal') return false;
  const { data } = literal.op;
  const rows = literal.shape[0];
  const [own, all] = [data.length / rows, W.length / rows];
  if (!Number.isInteger(all) || own > all || (own < all && !literal.origin.includes('product-of-pad'))) return false;
  for (let k = 0; k < data.length; k++) {
    if (Math.fround(data[k]) !== W[Math.floor(k / own) * all + (k % own)]) return false;
  }
  return true;
};

/** How many products with its weight a layer has, where they are known well enough to be measured. */
const productsOf = ({ op }: Layer): number => {
  if (op.kind === 'residual') return 2;
  return op.kind === 'linear' || (op.kind === 'contraction' && !op.kernel) || op.kind === 'head' ? 1 : 0;
};

/** `graph` with the magnitudes of its products, which are found by the layer they come from and must read its very weight; others are left out. */
const withMagnitudes = (
  graph: TensorGraph,
  proven: ProvenNetwork,
  emitted: Emitted,
): { readonly graph: TensorGraph; readonly products: ReadonlyMap<string, readonly Product[]> } => {
  const b = GraphBuilder.from(graph);
  b.origin = 'magnitudes';
  const products = new Map<string, readonly Product[]>();
  for (const layer of proven.network.layers) {
    const expected = productsOf(layer);
    const W = layer.op.kind === 'head' ? emitted.head : emitted.layers.get(layer.path)?.W;
    if (expected === 0 || W === undefined) continue;
    const found = graph.nodes.filter(
      n => pathOf(n) === layer.path && ['matmul', 'conv', 'convTranspose'].includes(n.op.kind),
    );
    if (found.length !== expected || !found.every(n => holdsWeight(graph.nodes[n.inputs[1]], W))) continue;
    products.set(
      layer.path,
      found.map(n => {
        const [x, weight] = n.inputs;
        const magnitudes = b.make(n.op, [b.unary('abs', x), b.unary('abs', weight)], n.shape);
        return { operand: x, result: n.id, magnitudes };
      }),
    );
  }
  return { graph: b.finish(), products };
};

/** ‖s ⊙ v‖ over the entries of one example, `s` one factor a channel. */
const scaledNorm = (v: Float64Array, s: Float64Array | undefined): number => {
  const each = s ? v.length / s.length : 1;
  let sum = 0;
  for (let k = 0; k < v.length; k++) {
    const factor = s ? s[Math.floor(k / each)] : 1;
    sum += (factor * v[k]) ** 2;
  }
  return Math.sqrt(sum);
};

/** More than the f64 evaluation of a sum of up to 2²⁰ products errs by, relative to their magnitudes. */
const EVALUATION = 2 ** -30;
/** More than what underflows in it. */
const TINY = 2 ** -500;

export interface MeasuredImage {
  /** In f64. */
  readonly logits: Float64Array;
  readonly measured: Measured;
}

/**
 * The images `which` of `data`, evaluated: by image. `model` bounds the error of the evaluation itself (f64), `norms` are those of all images; `onProgress` hears how
 * many are done.
 */
export const measureImages = (
  network: { readonly proven: ProvenNetwork; readonly frozen: FrozenNetwork; readonly emitted: Emitted },
  model: RoundingModel,
  data: Dataset,
  norms: readonly InputNorm[],
  which: readonly number[],
  onProgress: (images: number) => void = () => {},
): ReadonlyMap<number, MeasuredImage> => {
  const { proven, frozen, emitted } = network;
  const { batch, output } = frozen;
  const { graph, products } = withMagnitudes(withEmittedConstants(frozen.graph), proven, emitted);
  const logits = graph.outputs.get(output.name)!;
  const wanted = new Set([
    logits,
    ...[...products.values()].flatMap(of => of.flatMap(p => [p.operand, p.result, p.magnitudes])),
  ]);
  const n = elements(data.shape);
  const x = new Float32Array(batch * n);
  const images = new Map<number, MeasuredImage>();

  const measure = (values: ReadonlyMap<TensorId, Float64Array>, i: number, at: InputNorm): Measured => {
    const row = (id: TensorId): Float64Array => {
      const all = values.get(id)!;
      return all.subarray((i * all.length) / batch, ((i + 1) * all.length) / batch);
    };
    /** Norms of a product, its operand scaled by `before` and its result by `after`. */
    const norms = (p: Product, before?: Float64Array, after?: Float64Array): MeasuredProduct => {
      const magnitudes = up(scaledNorm(row(p.magnitudes), after)) + TINY;
      return {
        input: up(scaledNorm(row(p.operand), before)) + TINY,
        value: up(scaledNorm(row(p.result), after) + EVALUATION * magnitudes),
        magnitudes,
      };
    };
    const errors = new Map(model.layers(at).map(l => [l.path, l]));
    const layers = new Map<string, MeasuredLayer>();
    for (const [path, found] of products) {
      const of = errors.get(path);
      if (!of) continue;
      const [first, second] = found;
      if (second === undefined) {
        layers.set(path, { products: [norms(first)], error: of.before, within: 0 });
        continue;
      }
      // Of a residual, in the norm ‖√t ⊙ ·‖ between its products: the second one's operand is t ⊙ σ.
      const root = Float64Array.from(emitted.layers.get(path)!.t!, Math.sqrt);
      const inverse = root.map(r => (r > 0 ? 1 / r : 0));
      layers.set(path, {
        products: [norms(first, undefined, root), norms(second, inverse)],
        error: of.before,
        // √2 bounds the first product in that norm; what the layer adds is part of what is behind it.
        within: up(1.4143 * of.before + of.total),
      });
    }
    const [last] = products.get('head') ?? [];
    if (!last) return { layers };
    const [value, magnitudes] = [row(last.result), row(last.magnitudes)];
    const input = up(scaledNorm(row(last.operand), undefined)) + TINY;
    return {
      layers,
      head: {
        error: model.at(at).features,
        input,
        classes: Array.from(magnitudes, (m, c) => {
          const size = up(m) + TINY;
          return { input, value: up(Math.abs(value[c]) + EVALUATION * size), magnitudes: size };
        }),
      },
    };
  };

  for (let from = 0; from < which.length; from += batch) {
    const some = which.slice(from, from + batch);
    x.fill(0);
    some.forEach((index, i) => {
      copyImage(data, index, x, i * n);
    });
    const values = evaluate(graph, { inputs: new Map([['x', x]]), params: new Map() }, wanted);
    some.forEach((index, i) => {
      const z = values.get(logits)!.slice(i * output.size, (i + 1) * output.size);
      images.set(index, { logits: z, measured: measure(values, i, norms[index]) });
    });
    onProgress(from + some.length);
  }
  return images;
};
