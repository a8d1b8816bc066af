/** Everything that sound claims about a frozen network are made of: bounds of its tensors, models of rounding, and evidence image by image. */
import type { Dataset } from '../data/dataset.ts';
import { inBlocks, type Target } from '../ir/kernel.ts';
import { ONE } from '../ir/rational.ts';
import { compileGraph } from '../passes/kernels/compile-graph.ts';
import type { ProvenNetwork } from '../passes/prove/prove.ts';
import { emittedWeights, type FrozenNetwork, foldInference } from '../passes/tensors/freeze.ts';
import { type MeasuredImage, measureImages } from './measure.ts';
import { headGeometry } from './radii.ts';
import { type InputNorm, type RoundingModel, roundingModel } from './rounding.ts';
import { type Arithmetic, anyOrder, float64, structured } from './rounding-arithmetic.ts';
import { summationDepth } from './rounding-depth.ts';
import {
  type Evidence,
  type SoundAccuracy,
  type SoundHead,
  type SoundImages,
  type SoundMode,
  soundAccuracy,
} from './sound.ts';
import { emittedBounds } from './sound-inputs.ts';

export interface SoundNetwork {
  readonly head: SoundHead;
  /** Models of an execution in any order, of one in the order that the kernels for the target are written in, and of the evaluation in f64. */
  readonly free: RoundingModel;
  readonly ordered: RoundingModel;
  readonly f64: RoundingModel;
  /** The images `which`, evaluated in f64. */
  readonly measure: (
    data: Dataset,
    norms: readonly InputNorm[],
    which: readonly number[],
    onProgress?: (images: number) => void,
  ) => ReadonlyMap<number, MeasuredImage>;
}

/** Throws NotCertifiable or NoRoundingBound for networks without bounds; `frozen` is what `target` executes. */
export const soundNetwork = (
  proven: ProvenNetwork,
  params: ReadonlyMap<string, Float32Array>,
  frozen: FrozenNetwork,
  target: Target,
): SoundNetwork => {
  if (!frozen.head) throw new Error(`${proven.network.name} has no head`);
  const { classes, rows } = frozen.head;
  const folded = foldInference(proven, params, 1);
  const bounds = emittedBounds(proven, params, folded);
  const emitted = emittedWeights(proven, folded);
  const model = (arithmetic: Arithmetic) => roundingModel(proven, emitted, params, bounds.layers, arithmetic);
  const f64 = model(float64);
  return {
    head: { slopes: headGeometry(rows, classes, bounds.squared), distances: headGeometry(rows, classes, ONE) },
    free: model(anyOrder),
    ordered: model(structured(summationDepth(compileGraph(frozen.graph, inBlocks(target))))),
    f64,
    measure: (data, norms, which, onProgress) =>
      measureImages({ proven, frozen, emitted }, f64, data, norms, which, onProgress),
  };
};

/** The rows of a mode: certified accuracy and radii of `images`, of which `known` were evaluated in f64. */
export const soundRows = (
  { free, ordered, f64 }: SoundNetwork,
  images: SoundImages,
  known: ReadonlyMap<number, MeasuredImage>,
  mode: SoundMode,
): SoundAccuracy[] => {
  const { classes } = images.head.slopes;
  const executed = (i: number) => images.logits.subarray(i * classes, (i + 1) * classes);
  /** By norms alone, and by what was measured. */
  const inOrder = (order: RoundingModel, i: number): Evidence[] => {
    const plain = { logits: executed(i), centre: order, ball: order };
    const found = known.get(i);
    return found ? [plain, { ...plain, measured: found.measured }] : [plain];
  };
  const again = (i: number, ball?: RoundingModel): Evidence[] => {
    const found = known.get(i);
    return found ? [{ logits: found.logits, centre: f64, measured: found.measured, ...(ball && { ball }) }] : [];
  };
  switch (mode) {
    case 'any-order':
      return [soundAccuracy(mode, 'executed', images, i => inOrder(free, i))];
    case 'structured':
      return [soundAccuracy(mode, 'executed', images, i => inOrder(ordered, i))];
    case 'measured':
      return [
        soundAccuracy(mode, 'executed', images, i => [...inOrder(free, i), ...again(i, free)]),
        soundAccuracy(mode, 'real', images, i => [...inOrder(free, i), ...again(i)]),
      ];
    default:
      return mode satisfies never;
  }
};
