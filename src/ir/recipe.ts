/** What a `train` or `certify` block says, resolved: plain data for the loops in `src/train` and `src/certify`. */
import type { Span } from '../diagnostics.ts';
import type { Rational } from './rational.ts';

/** `on mnist`, `on idx("folder")`, `on cifar10("folder")`, `on npy("x.npy", "y.npy")`. */
export interface DataSource {
  readonly name: string;
  readonly args: readonly string[];
  readonly span: Span;
}

/** Means over the batch; `z` are logits (N, C), `y` labels. */
export type Loss =
  /** temperature · CE((z − offset·onehot(y)) / temperature, y); offset 0 and temperature 1 give plain cross-entropy. */
  | { readonly kind: 'cross_entropy'; readonly offset: number; readonly temperature: number }
  /** (1/C) Σ_{j≠y} max(0, margin − z_y + z_j). */
  | { readonly kind: 'multi_margin'; readonly margin: number }
  /** weight · Σ of the parts. */
  | { readonly kind: 'sum'; readonly of: readonly { readonly weight: number; readonly loss: Loss }[] }
  /** CE(z, y) + Σ_{j≠y} −log softmax(−z)_j / (C (C − 1)). */
  | { readonly kind: 'margin_boosting' };

export type Optimizer =
  | {
      readonly kind: 'adam';
      readonly rate: number;
      readonly betas: readonly [number, number];
      readonly eps: number;
      readonly weightDecay: number;
    }
  | {
      readonly kind: 'sgd';
      readonly rate: number;
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly weightDecay: number;
    };

/** Learning rate as a function of the step. */
export type Schedule =
  | { readonly kind: 'constant' }
  /** Piecewise linear through (0, 0), (peak·n, rate), (knee·n, rate/20), (n, 0). */
  | { readonly kind: 'triangular'; readonly peak: Rational; readonly knee: Rational };

export type Augmentation =
  | { readonly kind: 'crop'; readonly pad: number; readonly mode: 'reflect' | 'zeros' }
  | { readonly kind: 'flip' }
  | {
      readonly kind: 'jitter';
      readonly brightness: readonly [number, number];
      readonly contrast: readonly [number, number];
      readonly saturation: readonly [number, number];
      readonly hue: readonly [number, number];
    };

export interface TrainRecipe {
  readonly network: string;
  readonly data: DataSource;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly augment: readonly Augmentation[];
  readonly epochs: number;
  readonly batch: number;
  readonly seed: number;
  readonly span: Span;
}

export interface CertifyRecipe {
  readonly network: string;
  readonly data: DataSource;
  /** ℓ2 radii in units of the input as written in the file. */
  readonly radii: readonly Rational[];
  readonly span: Span;
}
