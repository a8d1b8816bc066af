import type { TrainProgress } from '../train/loop.ts';

/** Where progress goes: standard error, or a stand-in. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressLine {
  /** What is going on now. On a terminal it replaces the line before; elsewhere it appears at most every `quietFor` seconds. */
  update(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  /** Removes the moving line. */
  done(): void;
}

const REDRAW_MS = 100;
const QUIET_MS = 30_000;

/** Progress for people: one moving line on a terminal; plain lines, and few of them, off it. */
export const createProgress = (stream: ProgressStream, now: () => number = () => performance.now()): ProgressLine => {
  let shown = false;
  let last = stream.isTTY ? Number.NEGATIVE_INFINITY : now();
  const clear = () => {
    if (shown) stream.write('\r\x1b[K');
    shown = false;
  };
  return {
    update: text => {
      const t = now();
      if (t - last < (stream.isTTY ? REDRAW_MS : QUIET_MS)) return;
      last = t;
      if (!stream.isTTY) {
        stream.write(`${text}\n`);
        return;
      }
      stream.write(`\r\x1b[K${text.slice(0, (stream.columns ?? 100) - 1)}`);
      shown = true;
    },
    line: text => {
      clear();
      stream.write(`${text}\n`);
      if (!stream.isTTY) last = now();
    },
    done: clear,
  };
};

/** 75 → "1:15", 4000 → "1:06:40". */
export const clock = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return '–:––';
  const s = Math.round(seconds);
  const two = (n: number) => `${n}`.padStart(2, '0');
  return s < 3600
    ? `${Math.floor(s / 60)}:${two(s % 60)}`
    : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};

const BAR = 20;

/** "epoch 2/5  ██████████░░░░░░░░░░  50 %  loss 0.4312  1234 images/s  0:42 left". */
export const trainingLine = (p: TrainProgress): string => {
  const share = p.step / p.stepsPerEpoch;
  const full = Math.round(share * BAR);
  const bar = '█'.repeat(full) + '░'.repeat(BAR - full);
  const speed = Number.isFinite(p.imagesPerSecond) ? `${Math.round(p.imagesPerSecond)} images/s` : '– images/s';
  const width = `${p.epochs}`.length;
  return [
    `epoch ${`${p.epoch}`.padStart(width)}/${p.epochs}`,
    bar,
    `${Math.floor(100 * share)} %`.padStart(5),
    `loss ${p.loss.toFixed(4)}`,
    speed,
    `${clock(p.secondsLeft)} left`,
  ].join('  ');
};
