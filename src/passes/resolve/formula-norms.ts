/** `spectral(…)` and powers of Gram matrices in formulas: their options, and whether they are small enough to be computed. */
import { outputSize, phases, phaseTaps, samplingDegree, samplingGrid, torusSize } from '../../ir/conv-geometry.ts';
import * as f from '../../ir/formula.ts';
import { elements } from '../../ir/network.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { type Body, type Call, type Given, given } from './formula-body.ts';
import type { Value } from './formula-value.ts';
import { choiceOf, integerOf } from './resolve-scope.ts';

const DEFAULT_STEPS = 12;
const DEFAULT_GRID = 32;
/** Entries of a convolution written out as a matrix (256 MB in f32). */
const MAX_OPERATOR = 2 ** 26;

/** Methods that people know for norms but that give no upper bound. */
const ESTIMATES = ['power', 'fft'] as const;
const SPECTRAL_OPTIONS = ['steps', 'method', 'grid'];

/** `spectral(G, …)`; `readGram` reads its first argument, and reports what is wrong with it. */
export const spectral = (body: Body, e: Call, readGram: () => f.Gram | undefined): Value | undefined => {
  const unknown = e.args.find(a => a.name && !SPECTRAL_OPTIONS.includes(a.name.text));
  if (unknown)
    return body.scope.report(
      'L0102',
      unknown.name!.span,
      `\`spectral\` has no option \`${shorten(unknown.name!.text)}\``,
      suggest(unknown.name!.text, SPECTRAL_OPTIONS),
    );
  const option = (name: string): Given | undefined => {
    const value = e.args.find(a => a.name?.text === name)?.value;
    return value && given(body, value);
  };
  const [stepsOption, gridOption, methodOption] = ['steps', 'grid', 'method'].map(option);
  const steps = stepsOption ? integerOf(stepsOption.scope, stepsOption.expr, '`steps`', 1, 30) : DEFAULT_STEPS;
  const grid = gridOption ? integerOf(gridOption.scope, gridOption.expr, '`grid`', 1, 4096) : DEFAULT_GRID;
  const word = methodOption?.expr.kind === 'name' ? methodOption.expr.name : undefined;
  const how = ESTIMATES.find(h => h === word);
  if (methodOption && how && body.twisted) body.twisted({ kind: 'estimate', how, span: methodOption.expr.span });
  const kind =
    methodOption && !(how && body.twisted)
      ? choiceOf(methodOption.scope, methodOption.expr, '`method`', [
          'gram',
          'circulant',
          'operator',
          'reshaped',
        ] as const)
      : ('gram' as const);
  const gram = readGram();
  if (steps === undefined || grid === undefined || !kind || !gram) return undefined;
  const { map } = gram;
  const bounded = (bound: f.NormBound): Value => ({
    kind: 'diagonal',
    size: f.gramSize(gram),
    of: { kind: 'norm', gram, bound, span: e.span },
  });
  if (gridOption && !gridOption.isDefault && kind !== 'gram')
    return gridOption.scope.report(
      'L0129',
      gridOption.expr.span,
      `\`grid\` belongs to \`method = gram\`, not to \`method = ${kind}\``,
      'leave `grid` out',
    );
  // A dense layer's operator and its reshaped kernel are its weight matrix: all methods coincide.
  if (map.kind === 'dense') return bounded({ kind: 'gram', steps, grid });
  const taps = phaseTaps(map);
  const unseen = taps.find(k => samplingDegree(k, grid) === undefined);
  if (kind === 'gram' && unseen !== undefined) {
    const at = gridOption && !gridOption.isDefault ? gridOption : { scope: body.scope, expr: e };
    return at.scope.report(
      'L0112',
      at.expr.span,
      `\`grid\` must have a divisor, other than itself, that is at least ${unseen - 1} (the kernel’s ${unseen} taps less one), found ${grid}`,
      `write \`grid = ${samplingGrid(taps, Math.max(DEFAULT_GRID, 8 * unseen))}\``,
    );
  }
  if (kind === 'operator') {
    const columns = map.in * body.input[1] * body.input[2];
    const rows = elements([map.out, ...outputSize(map, [body.input[1], body.input[2]])]);
    if (rows * columns > MAX_OPERATOR)
      return methodOption!.scope.report(
        'L0115',
        methodOption!.expr.span,
        `as a matrix this convolution has ${rows} × ${columns} entries, more than ${MAX_OPERATOR}`,
        'use `method = gram`, which does not depend on the image size',
      );
  }
  if (kind === 'circulant') {
    const [h, w] = torusSize(map, [body.input[1], body.input[2]]);
    const entries = (h * (Math.floor(w / 2) + 1) * elements(map.weight.shape)) / (map.kernel[0] * map.kernel[1]);
    if (entries > MAX_OPERATOR)
      return methodOption!.scope.report(
        'L0115',
        methodOption!.expr.span,
        `the symbol of this convolution on a torus of ${h}×${w} has ${entries} entries, more than ${MAX_OPERATOR}`,
        'use `method = gram`, which does not depend on the image size',
      );
  }
  return bounded(kind === 'gram' ? { kind, steps, grid } : { kind, steps });
};

export const MAX_POWER_STEPS = 6;
/** Entries of a power of a Gram matrix. */
const MAX_POWER = 2 ** 26;

/** False after reporting a G^(2^(steps − 1)) that is too large: its kernel reaches 2^(steps − 1) times as far as that of G. */
export const powerFits = ({ map, side }: f.Gram, steps: number, { scope, expr }: Given): boolean => {
  if (map.kind === 'dense') return true;
  const rows = side === 'rows' ? map.out : map.in * phases(map)[0] * phases(map)[1];
  const [h, w] = phaseTaps(map).map(k => 2 ** steps * (k - 1) + 1);
  const entries = (rows * rows * h * w) / map.groups;
  if (entries <= MAX_POWER) return true;
  scope.report(
    'L0115',
    expr.span,
    `after ${steps} steps the Gram matrix of this convolution has ${entries} entries, more than ${MAX_POWER}`,
    'use fewer steps, or `spectral`',
  );
  return false;
};
