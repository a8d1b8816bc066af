/** `lip verify`: runs the independent checker on a certificate and its tensors. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { readInputFile } from '../../data/read-input-file.ts';
import { FORMAT } from '../../proof/verify/certificate.ts';
import { Refused } from '../../proof/verify/numbers.ts';
import { readTensors } from '../../proof/verify/read.ts';
import { verifyInThreads } from '../check-in-threads.ts';
import { CliError, EXIT } from '../errors.ts';
import { createProgress } from '../progress.ts';
import { describeSquared, layerProgress, tensorsFileOf } from '../proof-report.ts';
import { defaultThreads, THREADS } from '../threads.ts';
import { wholeNumber } from '../whole-number.ts';

interface VerifyOptions {
  readonly weights?: string;
  readonly exact?: boolean;
  readonly json?: boolean;
  readonly threads?: number;
}

const HELP = 'name the file that `lip prove` wrote, e.g. out/NETWORK/lipschitz.json';

/** Far more than premises of premises that `lip prove` writes; far less than what would fill the stack. */
const MAX_NESTING = 200;

/** How many lists and objects lie in each other at most, in the bytes of a JSON text. */
const nesting = (bytes: Uint8Array): number => {
  const [quote, backslash, opening, closing] = ['"', '\\', '[{', ']}'].map(s => [...s].map(c => c.charCodeAt(0)));
  let [depth, most, inside] = [0, 0, false];
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    if (quote.includes(c)) inside = !inside;
    else if (inside && backslash.includes(c)) i++;
    else if (!inside && opening.includes(c)) most = Math.max(most, ++depth);
    else if (!inside && closing.includes(c)) depth--;
  }
  return most;
};

const parseCertificate = (path: string): Record<string, unknown> => {
  const bytes = readInputFile(path, 'certificate', HELP);
  if (nesting(bytes) > MAX_NESTING)
    throw new CliError(
      `${path} is not a certificate: its lists and objects are nested more than ${MAX_NESTING} deep`,
      EXIT.usage,
      HELP,
    );
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {}
  throw new CliError(`${path} is not a certificate: it is not a JSON object`, EXIT.usage, HELP);
};

const verify = async (path: string, options: VerifyOptions): Promise<void> => {
  const certificate = parseCertificate(path);
  // The other JSON files of the same folder: what `lip certify` and `lip build` write.
  if (certificate.format !== FORMAT)
    throw new CliError(`${path} is not a certificate of a Lipschitz bound`, EXIT.usage, HELP);
  const weights = certificate.weights as { layers?: unknown[] } | undefined;
  const beside = tensorsFileOf(path);
  const file = options.weights ?? (weights !== undefined ? beside : undefined);
  if (file === beside && options.weights === undefined && !existsSync(beside))
    throw new CliError(
      `the tensors of ${path} are not beside it: there is no ${beside}`,
      EXIT.usage,
      'name them with --weights',
    );
  const bytes = file === undefined ? undefined : readInputFile(file, 'tensors');
  const line = createProgress(process.stderr);
  try {
    const progress = layerProgress(line, 'check', weights?.layers?.length ?? 1);
    const tensors = bytes && readTensors(bytes);
    const { exact = false, threads = defaultThreads() } = options;
    const verdict = await verifyInThreads(certificate, tensors, { exact, progress }, { threads });
    line.done();
    const { network, squared, emitted } = verdict;
    const text = (v: { num: bigint; den: bigint }) => `${v.num}/${v.den}`;
    if (options.json) {
      const report = {
        accepted: true,
        network,
        squaredBound: text(squared),
        ...(emitted ? { emittedSquaredBound: text(emitted), tensors: verdict.tensors } : {}),
      };
      process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
      return;
    }
    process.stdout.write(
      `accepted: ${network} is ${describeSquared(text(squared))}-Lipschitz up to its head, for all weights\n`,
    );
    if (emitted)
      process.stdout.write(
        `accepted: with its ${verdict.tensors} emitted tensors the bound is ${describeSquared(text(emitted))}, in real arithmetic\n`,
      );
  } catch (e) {
    line.done();
    if (!(e instanceof Refused)) throw e;
    if (options.json) process.stdout.write(`${JSON.stringify({ accepted: false, reason: e.message }, null, 2)}\n`);
    throw new CliError(`refused: ${e.message}`, EXIT.negative);
  }
};

export const register = (program: Command): void => {
  program
    .command('verify <certificate>')
    .description('check a certificate: everything in it is recomputed from shapes and tensors')
    .option('--weights <file>', 'the emitted tensors (default: the file beside the certificate)')
    .option('--exact', 'integers for everything, in place of f64 with a bound of its errors: slow, for small networks')
    .option('--threads <n>', THREADS, wholeNumber(1))
    .option('--json', 'print the verdict as JSON')
    .action(verify);
};
