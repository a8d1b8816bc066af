/**
 * npm run bench [-- --quick | --runs N | --save | --profile | --json]: a training step and folded inference, ours against jax-js, on the same
 * device in the same process. Exit code 3 when the two do not compute the same, before anything is timed.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { elements, networkParams } from '../src/ir/network.ts';
import { openDevice } from '../src/runtime/node-device.ts';
import { initializeParams } from '../src/train/initialize.ts';
import { stream } from '../src/train/random.ts';
import { openJax } from './jax-side.ts';
import { type Contender, type KernelTime, openLip, type Problem } from './lip-side.ts';
import { BATCH, loadNetwork } from './network.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    save: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const runs = options.runs === undefined ? (options.quick ? 2 : 7) : Number(options.runs);
if (!Number.isInteger(runs) || runs < 1) {
  console.error(`--runs takes a positive integer, not ${options.runs}`);
  process.exit(2);
}

/** Largest differences that rounding in f32 explains: logits of size 1, the loss after a few steps. */
const LOGIT_TOLERANCE = 1e-5;
const LOSS_TOLERANCE = 1e-4;

interface Series {
  readonly first: number;
  readonly times: number[];
}

const timed = async <T>(run: () => Promise<T>): Promise<{ value: T; milliseconds: number }> => {
  const start = performance.now();
  const value = await run();
  return { value, milliseconds: performance.now() - start };
};

const median = (times: readonly number[]): number => {
  const sorted = [...times].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const note = (text: string) => process.stderr.write(`${text}\n`);

const disagree = (what: string, difference: number, tolerance: number) => {
  note(`${what} differ by ${difference.toExponential(2)}, more than ${tolerance}: nothing was timed`);
  process.exit(3);
};

const makeProblem = (): Problem => {
  const { proven, recipe } = loadNetwork();
  const random = stream(7, 'bench');
  const x = Float32Array.from({ length: BATCH * elements(proven.network.input.shape) }, () => random.uniform());
  const labels = Float32Array.from({ length: BATCH }, (_, i) => i % 10);
  const weights = initializeParams(networkParams(proven.network), 1);
  return { proven, recipe, weights, x, labels, batch: BATCH };
};

const row = (cells: readonly string[]): string =>
  cells.map((c, i) => (i === 0 ? c.padEnd(28) : c.padStart(14))).join('');
const ms = (t: number): string => `${t.toFixed(t < 100 ? 1 : 0)} ms`;

const printProfile = (name: string, kernels: readonly KernelTime[]) => {
  const total = kernels.reduce((t, k) => t + k.milliseconds, 0);
  console.log(`\n${name}: ${kernels.length} dispatches, ${ms(total)}`);
  for (const k of [...kernels].sort((a, b) => b.milliseconds - a.milliseconds).slice(0, 20))
    console.log(`${k.milliseconds.toFixed(2).padStart(9)} ms  ${k.label}`);
};

const gpu = await openDevice();
const adapter = Object.values(gpu.adapterInfo).filter(Boolean).join(' ');
const problem = makeProblem();
const contenders: { readonly name: string; readonly side: Contender }[] = [
  { name: 'jax-js', side: await openJax(gpu, problem) },
  { name: 'lip', side: openLip(gpu, problem) },
];
note(`${adapter}, ${cpus().length} cores, Node ${process.version}; compiling`);

const series: Record<'inference' | 'step', Series[]> = { inference: [], step: [] };
const logits: Float32Array[] = [];
const losses: number[][] = [];
for (const { side } of contenders) {
  const inference = await timed(side.infer);
  logits.push(inference.value);
  series.inference.push({ first: inference.milliseconds, times: [] });
  const step = await timed(side.step);
  series.step.push({ first: step.milliseconds, times: [] });
  // The second loss has seen the first update.
  losses.push([step.value, await side.step()]);
}
/** Largest difference; NaN if there is one. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  a.length === b.length ? Array.from(a).reduce((worst, v, i) => Math.max(worst, Math.abs(v - b[i])), 0) : Number.NaN;
const logitDifference = apart(logits[0], logits[1]);
const lossDifference = apart(losses[0], losses[1]);
if (!(logitDifference <= LOGIT_TOLERANCE)) disagree('the logits', logitDifference, LOGIT_TOLERANCE);
if (!(lossDifference <= LOSS_TOLERANCE)) disagree('the losses', lossDifference, LOSS_TOLERANCE);
note(
  `logits agree to ${logitDifference.toExponential(1)}, losses to ${lossDifference.toExponential(1)}; ${runs} runs each`,
);

// In turns, so that what else the machine does meets both.
for (const [kind, run] of [
  ['inference', (c: Contender) => c.infer()],
  ['step', (c: Contender) => c.step()],
] as const) {
  for (let i = 0; i < runs; i++) {
    for (let c = 0; c < contenders.length; c++) {
      const { milliseconds } = await timed<unknown>(() => run(contenders[c].side));
      series[kind][c].times.push(milliseconds);
    }
  }
}

const result = {
  date: new Date().toISOString(),
  adapter,
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  load: loadavg()[0],
  node: process.version,
  batch: BATCH,
  runs,
  logitDifference,
  lossDifference,
  ...Object.fromEntries(
    (['inference', 'step'] as const).map(kind => [
      kind,
      {
        ...Object.fromEntries(
          contenders.map(({ name }, c) => [
            name,
            {
              medianMs: median(series[kind][c].times),
              minMs: Math.min(...series[kind][c].times),
              firstMs: series[kind][c].first,
            },
          ]),
        ),
        ratio: median(series[kind][0].times) / median(series[kind][1].times),
      },
    ]),
  ),
};

if (options.json) console.log(JSON.stringify(result, null, 2));
else {
  console.log(row([`batch ${BATCH}`, 'jax-js', 'lip', 'ratio']));
  for (const [kind, title] of [
    ['step', 'training step'],
    ['inference', 'folded inference'],
  ] as const) {
    const [jax, lip] = series[kind];
    const line = (what: string, of: (s: Series) => number) =>
      console.log(row([what, ms(of(jax)), ms(of(lip)), `${(of(jax) / of(lip)).toFixed(1)}x`]));
    line(`${title}, median`, s => median(s.times));
    line(`${title}, best`, s => Math.min(...s.times));
    line(`${title}, first`, s => s.first);
  }
}
if (options.profile) {
  const { profile } = contenders[1].side as ReturnType<typeof openLip>;
  const times = await profile();
  printProfile('training step', times.step);
  printProfile('folded inference', times.inference);
}
if (options.save) {
  const folder = new URL('results/', `file://${process.argv[1]}`).pathname;
  const name = gpu.adapterInfo.architecture || gpu.adapterInfo.vendor || 'adapter';
  const file = `${folder}${result.date.slice(0, 10)}-${name.replace(/[^\w.-]+/g, '-').toLowerCase()}.json`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  note(`saved ${file}`);
}
gpu.destroy();
