/**
 * The checker with its slow part, whether diagonals dominate Gram matrices, on several threads. Each thread runs the same checker on one
 * layer; then the whole certificate is checked here, in order, with what they found, so that verdicts and refusals are those of one thread.
 */
import { checkLayer, type Verdict, verifyCertificate } from '../proof/verify/certificate.ts';
import type { Dominance, Mode } from '../proof/verify/dominance.ts';
import { Refused, refuse } from '../proof/verify/numbers.ts';
import type { TensorFile } from '../proof/verify/read.ts';
import type { ProofTask } from './proof-tasks.ts';
import { type Threads, threadsFor, workOff } from './threads.ts';

export interface CheckTask {
  readonly certificate: unknown;
  readonly layer: number;
  readonly path: string;
  /** Those of the layer. */
  readonly file: TensorFile;
  readonly exact: boolean;
}

export interface CheckResult {
  /** As the checker found them, by the path of the layer; none where it refused before. */
  readonly found: ReadonlyMap<string, Dominance | { readonly refused: string }>;
}

/** What a thread does with a task. */
export const checkTask = ({ certificate, layer, file, exact }: CheckTask): CheckResult => {
  const found = new Map<string, Dominance | { readonly refused: string }>();
  const keep: Mode['dominance'] = (path, check) => {
    try {
      const d = check();
      found.set(path, d);
      return d;
    } catch (e) {
      if (e instanceof Refused) found.set(path, { refused: e.message });
      throw e;
    }
  };
  try {
    checkLayer(certificate, file, layer, { exact, dominance: keep });
  } catch (e) {
    // The check of the whole will come to it, in its turn.
    if (!(e instanceof Refused)) throw e;
  }
  return { found };
};

interface Entry {
  readonly path?: unknown;
  readonly dominance?: unknown;
}

/** The layers that have a derivation, as far as the certificate can be read: nobody has checked it yet. */
const tasksOf = (certificate: unknown, file: TensorFile, exact: boolean): CheckTask[] => {
  const layers = (certificate as { weights?: { layers?: unknown } | null } | null)?.weights?.layers;
  if (!Array.isArray(layers)) return [];
  return layers.flatMap((entry: Entry | null, layer): CheckTask[] => {
    const path = entry?.path;
    if (typeof path !== 'string' || entry?.dominance === undefined) return [];
    const tensors = new Map([...file.tensors].filter(([name]) => name.slice(0, name.lastIndexOf('.')) === path));
    return [{ certificate, layer, path, file: { ...file, tensors }, exact }];
  });
};

/** `verifyCertificate` on several threads: the same verdict, or Refused with the same reason. Rejects with other errors where a thread fails. */
export const verifyInThreads = async (
  certificate: unknown,
  file: TensorFile | undefined,
  { exact = false, progress }: Mode,
  threads: Threads,
): Promise<Verdict> => {
  const tasks = file ? tasksOf(certificate, file, exact) : [];
  const count = threadsFor(tasks.length, threads);
  if (count === 0) return verifyCertificate(certificate, file, { exact, ...(progress && { progress }) });
  const isRefused = (r: CheckResult) => r.found.size === 0 || [...r.found.values()].some(d => 'refused' in d);
  // Tasks are begun in order: nothing after a refusal can come before it.
  const results = await workOff<ProofTask, CheckResult>(
    tasks.map(task => ({ kind: 'check', task })),
    count,
    ({ task }) => progress?.(task.path),
    isRefused,
    threads,
  );
  const found = new Map([...results.values()].flatMap(r => [...r.found]));
  return verifyCertificate(certificate, file, {
    exact,
    dominance: (path, check) => {
      const d = found.get(path);
      if (!d) return check();
      return 'refused' in d ? refuse(d.refused) : d;
    },
    progress: path => {
      if (!found.has(path)) progress?.(path);
    },
  });
};
