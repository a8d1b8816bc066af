/** `lip prove`: writes a certificate that others can check, for all weights or for the very tensors that ship. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { certifyAllWeights } from '../../passes/certificate/certify-weights.ts';
import { NotCertifiable } from '../../passes/certificate/network-json.ts';
import type { ProvenNetwork } from '../../passes/prove/prove.ts';
import { coqFile, NotInCoq } from '../../proof/coq.ts';
import { formatBound } from '../../proof/derivation.ts';
import { verifyCertificate } from '../../proof/verify/certificate.ts';
import { readTensors } from '../../proof/verify/read.ts';
import { loadWeights } from '../../train/checkpoint.ts';
import { writeSafetensors } from '../../train/safetensors.ts';
import { prepareFile, writeAllAtomically, writeAtomically } from '../../train/write-atomically.ts';
import { verifyInThreads } from '../check-in-threads.ts';
import { CliError, EXIT } from '../errors.ts';
import { addProgramOptions, loadProgram, pickNetwork } from '../load-program.ts';
import { createProgress } from '../progress.ts';
import {
  checkGaps,
  describeSquared,
  type Gap,
  layerProgress,
  printGaps,
  printLowerBound,
  tensorsFileOf,
} from '../proof-report.ts';
import { certifyInThreads, foldInThreads, lowerBoundsInThreads, type Progress } from '../prove-in-threads.ts';
import { defaultThreads, THREADS } from '../threads.ts';
import { wholeNumber } from '../whole-number.ts';

interface ProveOptions {
  readonly weights?: string;
  readonly out?: string;
  readonly network?: string;
  readonly anyNetwork?: boolean;
  readonly json?: boolean;
  readonly coq?: boolean;
  readonly set?: Record<string, string>;
  readonly by?: string;
  readonly threads?: number;
}

interface Report {
  readonly network: string;
  readonly certificate: string;
  readonly tensors?: string;
  /** For all weights. */
  readonly squaredBound: string;
  readonly emittedSquaredBound?: string;
  /** Found by power iteration on Jacobians of the network up to its head. */
  readonly lowerBound?: number;
  /** The same of each layer with a weight. */
  readonly layers?: readonly Gap[];
}

const printReport = (r: Report, bound: string): string => {
  const lines = [`certificate  ${r.certificate}`];
  if (r.tensors !== undefined) lines.push(`tensors      ${r.tensors}`);
  lines.push(`bound        ${bound} for all weights`);
  if (r.emittedSquaredBound !== undefined)
    lines.push(`             ${describeSquared(r.emittedSquaredBound)} for these tensors, in real arithmetic`);
  const { emittedSquaredBound: squaredBound, lowerBound, layers = [] } = r;
  if (squaredBound !== undefined && lowerBound !== undefined)
    lines.push(printLowerBound({ path: r.network, squaredBound, lowerBound }));
  return `${lines.join('\n')}\n${printGaps(layers)}`;
};

/** Makes sure, before any work, that `out` can be written and that the program and its weights are not lost by that. */
const prepareOutput = (out: string, what: string, program: string, options: ProveOptions): void => {
  const { weights } = options;
  for (const [kept, name] of [[program, 'the program'], ...(weights === undefined ? [] : [[weights, 'the weights']])]) {
    if (resolve(out) === resolve(kept))
      throw new CliError(
        `${what} would be written over ${name}, ${kept}`,
        EXIT.usage,
        `name another ${options.coq ? 'Coq file' : 'certificate'} with -o`,
      );
  }
  prepareFile(out);
};

const writeCertificate = async (proven: ProvenNetwork, options: ProveOptions, program: string): Promise<void> => {
  const { name } = proven.network;
  const out = options.out ?? join('out', name, 'lipschitz.json');
  prepareOutput(out, 'the certificate', program, options);
  const bound = formatBound(proven.squared);
  const finish = (r: Report): void => {
    process.stdout.write(options.json ? `${JSON.stringify(r, null, 2)}\n` : printReport(r, bound));
  };
  if (options.weights === undefined) {
    const { certificate } = certifyAllWeights(proven);
    const { squared } = verifyCertificate(certificate, undefined);
    writeAtomically(out, `${JSON.stringify(certificate, null, 1)}\n`);
    finish({ network: name, certificate: out, squaredBound: `${squared.num}/${squared.den}` });
    return;
  }
  const beside = tensorsFileOf(out);
  prepareOutput(beside, 'the tensors that ship', program, options);
  const weights = loadWeights(options.weights, proven.network, options);
  const threads = { threads: options.threads ?? defaultThreads() };
  const line = createProgress(process.stderr);
  const progress: Progress = (step, count) => layerProgress(line, step, count);
  const folded = await foldInThreads(proven, weights, progress, threads);
  const { certificate, tensors, metadata } = await certifyInThreads(proven, weights, folded, progress, threads);
  const bytes = writeSafetensors(new Map([...tensors].map(([k, t]) => [k, { dtype: 'F32', ...t }])), {
    format: 'lip-emitted-tensors-2',
    ...metadata,
  });
  // What is written is what was checked: the checker reads the bytes, not our arrays.
  const file = readTensors(bytes);
  const verdict = await verifyInThreads(
    certificate,
    file,
    { progress: progress('check', proven.network.layers.length) },
    threads,
  );
  const lower = await lowerBoundsInThreads(proven.network, folded, progress, threads);
  line.done();
  const emittedSquaredBound = `${verdict.emitted!.num}/${verdict.emitted!.den}`;
  const { layers: stated } = certificate.weights as { layers: readonly { path: string; own?: string }[] };
  const layers = stated.flatMap(({ path, own }): Gap[] => {
    const lowerBound = lower.layers.get(path);
    return lowerBound === undefined || own === undefined ? [] : [{ path, squaredBound: own, lowerBound }];
  });
  checkGaps([{ path: name, squaredBound: emittedSquaredBound, lowerBound: lower.network }, ...layers]);
  writeAllAtomically([
    { path: beside, bytes },
    { path: out, bytes: `${JSON.stringify(certificate, null, 1)}\n` },
  ]);
  finish({
    network: name,
    certificate: out,
    tensors: beside,
    squaredBound: `${verdict.squared.num}/${verdict.squared.den}`,
    emittedSquaredBound,
    lowerBound: lower.network,
    layers,
  });
};

const writeCoq = (proven: ProvenNetwork, options: ProveOptions, program: string): void => {
  if (options.weights !== undefined)
    throw new CliError('--coq is about all weights, so it takes no --weights', EXIT.usage, 'leave one of them out');
  const out = options.out ?? join('out', proven.network.name, `${proven.network.name}.v`);
  prepareOutput(out, 'the Coq file', program, options);
  writeAtomically(out, coqFile(proven));
  process.stdout.write(
    options.json ? `${JSON.stringify({ network: proven.network.name, coq: out })}\n` : `coq          ${out}\n`,
  );
};

const proveProgram = async (file: string, options: ProveOptions): Promise<void> => {
  const proven = pickNetwork(loadProgram(file, options), options.network);
  try {
    await (options.coq ? writeCoq : writeCertificate)(proven, options, file);
  } catch (e) {
    if (e instanceof NotCertifiable || e instanceof NotInCoq) throw new CliError(e.message, EXIT.negative);
    throw e;
  }
};

export const register = (program: Command): void => {
  addProgramOptions(
    program
      .command('prove <file>')
      .description('write a certificate of the Lipschitz bound that `lip verify` and others can check')
      .option('--weights <file>', 'trained weights (safetensors): also certify the very tensors that ship')
      .option('-o, --out <file>', 'the certificate; the tensors go beside it (default: out/NETWORK/lipschitz.json)')
      .option('--coq', 'write a Coq file instead, checked against the theory in proofs/ by `npm run test:coq`')
      .option('--network <name>', 'which network, if the file has several')
      .option('--any-network', 'take weights trained as another network, as far as names and shapes fit')
      .option('--threads <n>', THREADS, wholeNumber(1))
      .option('--json', 'print the summary as JSON'),
  ).action(proveProgram);
};
