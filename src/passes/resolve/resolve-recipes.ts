/** The `train` and `certify` blocks: settings of the loops, with the defaults of the SLL reference code. */
import type { Span } from '../../diagnostics.ts';
import * as q from '../../ir/rational.ts';
import type {
  Augmentation,
  CertifyRecipe,
  DataSource,
  Loss,
  Optimizer,
  Schedule,
  TrainRecipe,
} from '../../ir/recipe.ts';
import { type Clause, type ClauseWord, type Expr, type Item, isPipeline, type Statement } from '../../parser/ast.ts';
import { shorten, suggest } from '../../parser/suggest.ts';
import { settingElsewhere } from './elsewhere.ts';
import {
  type Bound,
  bindArgs,
  booleanOf,
  callOf,
  choiceOf,
  integerOf,
  rationalOf,
  rationalsOf,
  realOf,
  type Scope,
  type Signature,
  show,
} from './resolve-scope.ts';

/** How many strings each data set takes. A folder may be left out and given on the command line. */
const DATA_SOURCES = {
  mnist: { counts: [0], use: '`mnist`' },
  idx: { counts: [0, 1], use: '`idx("folder")`' },
  cifar10: { counts: [0, 1], use: '`cifar10("folder")`' },
  cifar100: { counts: [0, 1], use: '`cifar100("folder")`' },
  npy: {
    counts: [2, 4],
    use: '`npy("x.npy", "y.npy")`, or `npy("train-x.npy", "train-y.npy", "test-x.npy", "test-y.npy")`',
  },
} as const;

const dataSource = (scope: Scope, e: Expr): DataSource | undefined => {
  const n = callOf(e);
  const names = Object.keys(DATA_SOURCES) as (keyof typeof DATA_SOURCES)[];
  const key = names.find(k => k === n?.name);
  if (!n || !key)
    return scope.report(
      'L0105',
      n?.span ?? e.span,
      n ? `there is no data set \`${shorten(n.name)}\`` : 'this is not a data set',
      suggest(n?.name ?? '', names),
    );
  const { use } = DATA_SOURCES[key];
  const counts: readonly number[] = DATA_SOURCES[key].counts;
  const args = n.args.flatMap(a => (a.value.kind === 'string' && !a.name ? [a.value.value] : []));
  if (args.length !== n.args.length || !counts.includes(args.length))
    return scope.report('L0110', e.span, `\`${key}\` takes ${counts.join(' or ')} strings`, `write ${use}`);
  return { name: key, args, span: e.span };
};

/** The clauses a block must and may have; reports others. */
const clauseOf = (
  scope: Scope,
  item: Item,
  word: ClauseWord,
  allowed: readonly ClauseWord[],
  use: string,
): Expr | undefined => {
  const given = item.clauses.filter(c => c.word === word);
  const stray = item.clauses.filter((c: Clause) => !allowed.includes(c.word));
  for (const c of stray) scope.report('L0127', c.span, `\`${item.keyword}\` takes no \`${c.word}\``, `write ${use}`);
  if (given.length === 0)
    return scope.report('L0110', item.name.span, `\`${item.keyword}\` needs \`${word}\``, `write ${use}`);
  if (given.length > 1) return scope.report('L0106', given[1].span, `\`${word}\` is given twice`);
  return given[0].value;
};

const networkName = (scope: Scope, item: Item, networks: readonly string[]): string | undefined =>
  networks.includes(item.name.text)
    ? item.name.text
    : scope.report(
        'L0107',
        item.name.span,
        `there is no network \`${shorten(item.name.text)}\` in this file`,
        suggest(item.name.text, networks),
      );

/** An argument, or its default when it is not given; undefined only after an error was reported. */
const optional = <T>(args: Bound, name: string, fallback: T, read: (e: Expr) => T | undefined): T | undefined => {
  const e = args.get(name);
  return e ? read(e) : fallback;
};

type Check = { readonly test: (x: number) => boolean; readonly text: string };
const POSITIVE: Check = { test: x => x > 0, text: 'positive' };
const NONNEGATIVE: Check = { test: x => x >= 0, text: 'zero or more' };
const BELOW_ONE: Check = { test: x => x >= 0 && x < 1, text: 'in [0, 1)' };

const real = (scope: Scope, e: Expr, what: string, check?: Check): number | undefined => {
  const x = realOf(scope, e, what);
  if (x === undefined) return undefined;
  return !check || check.test(x) ? x : scope.report('L0112', e.span, `${what} must be ${check.text}, found ${x}`);
};

/** Two numbers. */
const reals = (scope: Scope, e: Expr, what: string, check: Check): readonly [number, number] | undefined => {
  if (e.kind !== 'list' || e.items.length !== 2)
    return scope.report('L0111', e.span, `${what} must be a list of two numbers`);
  const [a, b] = e.items.map(i => real(scope, i, what, check));
  return a === undefined || b === undefined ? undefined : [a, b];
};

/** A name with arguments out of a table of such. */
interface Choice<T> {
  readonly signature: Signature;
  readonly build: (scope: Scope, args: Bound) => T | undefined;
}

const choose = <T>(scope: Scope, e: Expr, what: string, table: Readonly<Record<string, Choice<T>>>): T | undefined => {
  const n = callOf(e);
  const choice = n && Object.hasOwn(table, n.name) ? table[n.name] : undefined;
  if (!n || !choice)
    return scope.report(
      'L0105',
      n?.span ?? e.span,
      n ? `there is no ${what} \`${shorten(n.name)}\`` : `this is not a ${what}`,
      suggest(n?.name ?? '', Object.keys(table)),
    );
  const bound = bindArgs(scope, `\`${n.name}\``, e.span, n.args, choice.signature);
  return bound && choice.build(scope, bound);
};

const LOSSES: Readonly<Record<string, Choice<Loss>>> = {
  cross_entropy: {
    signature: { options: ['offset', 'temperature'] },
    build: (scope, args) => {
      const offset = optional(args, 'offset', 0, e => real(scope, e, '`offset`'));
      const temperature = optional(args, 'temperature', 1, e => real(scope, e, '`temperature`', POSITIVE));
      return offset === undefined || temperature === undefined
        ? undefined
        : { kind: 'cross_entropy', offset, temperature };
    },
  },
  multi_margin: {
    signature: { positional: ['margin'] },
    build: (scope, args) => {
      const margin = optional(args, 'margin', 1, e => real(scope, e, '`margin`', POSITIVE));
      return margin === undefined ? undefined : { kind: 'multi_margin', margin };
    },
  },
  margin_boosting: { signature: {}, build: () => ({ kind: 'margin_boosting' }) },
};

const isLoss = (e: Expr): boolean => {
  const n = callOf(e);
  return n !== undefined && Object.hasOwn(LOSSES, n.name);
};

/** The summands of `a + 1/2 * b`, each with its weight. */
const lossTerms = (scope: Scope, e: Expr): readonly { weight: number; loss: Loss }[] | undefined => {
  if (e.kind === 'binary' && e.op === '+') {
    const a = lossTerms(scope, e.left);
    const b = lossTerms(scope, e.right);
    return a && b && [...a, ...b];
  }
  if (e.kind === 'binary' && e.op === '*') {
    const [weightExpr, lossExpr] = isLoss(e.left) ? [e.right, e.left] : [e.left, e.right];
    const weight = real(scope, weightExpr, 'the weight of a loss', NONNEGATIVE);
    const loss = choose(scope, lossExpr, 'loss', LOSSES);
    return weight === undefined || !loss ? undefined : [{ weight, loss }];
  }
  const loss = choose(scope, e, 'loss', LOSSES);
  return loss && [{ weight: 1, loss }];
};

const resolveLoss = (scope: Scope, e: Expr): Loss | undefined => {
  const terms = lossTerms(scope, e);
  if (!terms) return undefined;
  return terms.length === 1 && terms[0].weight === 1 ? terms[0].loss : { kind: 'sum', of: terms };
};

const OPTIMIZERS: Readonly<Record<string, Choice<Optimizer>>> = {
  adam: {
    signature: { options: ['rate', 'betas', 'eps', 'weight_decay'] },
    build: (scope, args) => {
      const rate = optional(args, 'rate', 0.01, e => real(scope, e, '`rate`', POSITIVE));
      const betas = optional<readonly [number, number]>(args, 'betas', [0.5, 0.9], e =>
        reals(scope, e, '`betas`', BELOW_ONE),
      );
      const eps = optional(args, 'eps', 1e-8, e => real(scope, e, '`eps`', POSITIVE));
      const weightDecay = optional(args, 'weight_decay', 0, e => real(scope, e, '`weight_decay`', NONNEGATIVE));
      return rate === undefined || !betas || eps === undefined || weightDecay === undefined
        ? undefined
        : { kind: 'adam', rate, betas, eps, weightDecay };
    },
  },
  sgd: {
    signature: { options: ['rate', 'momentum', 'nesterov', 'weight_decay'] },
    build: (scope, args) => {
      const rate = optional(args, 'rate', 0.01, e => real(scope, e, '`rate`', POSITIVE));
      const momentum = optional(args, 'momentum', 0, e => real(scope, e, '`momentum`', BELOW_ONE));
      const nesterov = optional(args, 'nesterov', false, e => booleanOf(scope, e, '`nesterov`'));
      const weightDecay = optional(args, 'weight_decay', 0, e => real(scope, e, '`weight_decay`', NONNEGATIVE));
      if (rate === undefined || momentum === undefined || nesterov === undefined || weightDecay === undefined)
        return undefined;
      if (nesterov && momentum === 0)
        return scope.report(
          'L0112',
          args.get('nesterov')!.span,
          '`nesterov` needs a positive `momentum`',
          'add `momentum = 0.9`',
        );
      return { kind: 'sgd', rate, momentum, nesterov, weightDecay };
    },
  },
};

const PEAK = q.rational(2, 5);
const KNEE = q.rational(4, 5);

const SCHEDULES: Readonly<Record<string, Choice<Schedule>>> = {
  constant: { signature: {}, build: () => ({ kind: 'constant' }) },
  triangular: {
    signature: { options: ['peak', 'knee'] },
    build: (scope, args) => {
      const peak = optional(args, 'peak', PEAK, e => rationalOf(scope, e, '`peak`'));
      const knee = optional(args, 'knee', KNEE, e => rationalOf(scope, e, '`knee`'));
      if (!peak || !knee) return undefined;
      if (peak.num > 0n && q.compare(peak, knee) < 0 && q.compare(knee, q.ONE) < 0)
        return { kind: 'triangular', peak, knee };
      const at = args.get('knee') ?? args.get('peak')!;
      return scope.report(
        'L0112',
        at.span,
        `the schedule needs 0 < peak < knee < 1, found peak ${show(peak)} and knee ${show(knee)}`,
      );
    },
  },
};

/** `0.1` means [1 − 0.1, 1 + 0.1]; a list gives the range of factors itself. */
const factorRange = (scope: Scope, e: Expr, what: string): readonly [number, number] | undefined => {
  if (e.kind !== 'list') {
    const d = real(scope, e, what, NONNEGATIVE);
    return d === undefined ? undefined : [Math.max(0, 1 - d), 1 + d];
  }
  const range = reals(scope, e, what, NONNEGATIVE);
  return !range || range[0] <= range[1] ? range : scope.report('L0112', e.span, `${what} is an empty range`);
};

const HUE: Check = { test: x => x >= -0.5 && x <= 0.5, text: 'in [-1/2, 1/2]' };

const hueRange = (scope: Scope, e: Expr): readonly [number, number] | undefined => {
  if (e.kind !== 'list') {
    const d = real(scope, e, '`hue`', { test: x => x >= 0 && x <= 0.5, text: 'in [0, 1/2]' });
    return d === undefined ? undefined : [-d, d];
  }
  const range = reals(scope, e, '`hue`', HUE);
  return !range || range[0] <= range[1] ? range : scope.report('L0112', e.span, '`hue` is an empty range');
};

const AUGMENTATIONS: Readonly<Record<string, Choice<Augmentation>>> = {
  crop: {
    signature: { positional: ['pad', 'mode'], required: ['pad'] },
    build: (scope, args) => {
      const pad = integerOf(scope, args.get('pad')!, 'the padding of `crop`', 0, 1024);
      const mode = optional(args, 'mode', 'zeros' as const, e =>
        choiceOf(scope, e, 'the mode of `crop`', ['reflect', 'zeros'] as const),
      );
      return pad === undefined || !mode ? undefined : { kind: 'crop', pad, mode };
    },
  },
  flip: { signature: {}, build: () => ({ kind: 'flip' }) },
  jitter: {
    signature: { options: ['brightness', 'contrast', 'saturation', 'hue'] },
    build: (scope, args) => {
      const factor = (name: string) =>
        optional<readonly [number, number]>(args, name, [1, 1], e => factorRange(scope, e, `\`${name}\``));
      const brightness = factor('brightness');
      const contrast = factor('contrast');
      const saturation = factor('saturation');
      const hue = optional<readonly [number, number]>(args, 'hue', [0, 0], e => hueRange(scope, e));
      return brightness && contrast && saturation && hue && { kind: 'jitter', brightness, contrast, saturation, hue };
    },
  },
};

type Settings = {
  -readonly [K in 'loss' | 'optimizer' | 'schedule' | 'augment' | 'epochs' | 'batch' | 'seed']: TrainRecipe[K];
};

/** √2 · 3/2, the offset of the reference recipe. */
const REFERENCE_OFFSET = 1.5 * Math.SQRT2;

const defaults = (): Settings => ({
  loss: { kind: 'cross_entropy', offset: REFERENCE_OFFSET, temperature: 0.25 },
  optimizer: { kind: 'adam', rate: 0.01, betas: [0.5, 0.9], eps: 1e-8, weightDecay: 0 },
  schedule: { kind: 'triangular', peak: PEAK, knee: KNEE },
  augment: [],
  epochs: 1000,
  batch: 256,
  seed: 1,
});

const MAX_SEED = 2 ** 32 - 1;

const single = (scope: Scope, st: Statement): Expr | undefined =>
  bindArgs(scope, `\`${st.name.text}\``, st.span, st.args, { positional: ['value'], required: ['value'] })?.get(
    'value',
  );

/** What each setting reads from its statement. */
const SETTINGS: { readonly [K in keyof Settings]: (scope: Scope, st: Statement) => Settings[K] | undefined } = {
  loss: (scope, st) => {
    const e = single(scope, st);
    return e && resolveLoss(scope, e);
  },
  optimizer: (scope, st) => {
    const e = single(scope, st);
    return e && choose(scope, e, 'optimizer', OPTIMIZERS);
  },
  schedule: (scope, st) => {
    const e = single(scope, st);
    return e && choose(scope, e, 'schedule', SCHEDULES);
  },
  augment: (scope, st) => {
    if (st.args.length === 0)
      return scope.report('L0110', st.span, '`augment` needs a value', 'write `augment crop(4), flip`');
    const all = st.args.map(a =>
      a.name
        ? scope.report(
            'L0102',
            a.name.span,
            `\`augment\` has no option \`${shorten(a.name.text)}\``,
            suggest(a.name.text, Object.keys(AUGMENTATIONS)),
          )
        : choose(scope, a.value, 'augmentation', AUGMENTATIONS),
    );
    const known = all.filter(a => a !== undefined);
    return known.length === all.length ? known : undefined;
  },
  epochs: (scope, st) => {
    const e = single(scope, st);
    return e && integerOf(scope, e, '`epochs`', 1, 1_000_000);
  },
  batch: (scope, st) => {
    const e = single(scope, st);
    return e && integerOf(scope, e, '`batch`', 1, 65_536);
  },
  seed: (scope, st) => {
    const e = single(scope, st);
    return e && integerOf(scope, e, '`seed`', 0, MAX_SEED);
  },
};

const SETTING_NAMES = Object.keys(SETTINGS) as (keyof Settings)[];

const assign = <K extends keyof Settings>(scope: Scope, settings: Settings, key: K, st: Statement): void => {
  const value = SETTINGS[key](scope, st);
  if (value !== undefined) settings[key] = value;
};

/** `train Network on data { … }`. Undefined after an error in its header; errors in settings leave the default. */
export const resolveTrain = (
  scope: Scope,
  item: Item,
  networks: readonly string[],
  /** What could not be read: a setting there has its error already. */
  broken: readonly Span[],
): TrainRecipe | undefined => {
  const network = networkName(scope, item, networks);
  for (const p of item.params) scope.report('L0110', p.span, '`train` takes no parameters');
  const on = clauseOf(scope, item, 'on', ['on'], '`train Name on mnist { … }`');
  const data = on && dataSource(scope, on);
  const settings = defaults();
  const seen = new Set<string>();
  for (const [i, st] of (item.body ?? []).entries()) {
    const until = item.body?.[i + 1]?.span.start ?? item.span.end;
    if (broken.some(b => b.start >= st.span.start && b.start < until)) continue;
    if (isPipeline(st)) {
      scope.report('L0127', st.span, '`train` takes settings only', 'values and `|>` belong into the `network`');
      continue;
    }
    const name = st.name.text;
    const key = SETTING_NAMES.find(k => k === name);
    if (!key || st.residual) {
      scope.report(
        'L0101',
        st.name.span,
        `there is no setting \`${shorten(name)}\` of \`train\``,
        settingElsewhere(name) ?? suggest(name, SETTING_NAMES),
      );
      continue;
    }
    for (const c of st.clauses) scope.report('L0127', c.span, `\`${name}\` takes no \`${c.word}\``);
    if (st.body) scope.report('L0127', st.span, `\`${name}\` takes no block`);
    if (seen.has(key)) scope.report('L0106', st.span, `\`${name}\` is given twice`);
    seen.add(key);
    assign(scope, settings, key, st);
  }
  return network !== undefined && data ? { network, data, ...settings, span: item.name.span } : undefined;
};

/** `certify Network on data at [36/255, …]`. */
export const resolveCertify = (scope: Scope, item: Item, networks: readonly string[]): CertifyRecipe | undefined => {
  const use = '`certify Name on mnist at [36/255, 1]`';
  const network = networkName(scope, item, networks);
  for (const p of item.params) scope.report('L0110', p.span, '`certify` takes no parameters');
  if (item.body) scope.report('L0127', item.span, '`certify` takes no block', `write ${use}`);
  const on = clauseOf(scope, item, 'on', ['on', 'at'], use);
  const at = clauseOf(scope, item, 'at', ['on', 'at'], use);
  const data = on && dataSource(scope, on);
  const radii = at && rationalsOf(scope, at, 'the list of radii');
  if (!network || !data || !radii) return undefined;
  const negative = radii.find(r => r.num < 0n);
  if (negative) return scope.report('L0112', at.span, `a radius must be zero or more, found ${show(negative)}`);
  return { network, data, radii, span: item.name.span };
};
