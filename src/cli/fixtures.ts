/** `npm run fixtures -- FOLDER [--oracle]`: runs reference cases in the oracle and on the GPU; exit 3 when one fails. */
import { statSync } from 'node:fs';
import { type Engine, oracleEngine } from '../fixtures/engine.ts';
import { gpuEngine } from '../fixtures/gpu-engine.ts';
import { formatReport, runFolder } from '../fixtures/run-folder.ts';
import { NoAdapterError } from '../runtime/errors.ts';
import { openDevice } from '../runtime/node-device.ts';
import { EXIT, type ExitCode } from './errors.ts';

const USAGE = 'usage: npm run fixtures -- FOLDER [--oracle]';

const runAll = async (folder: string, engines: readonly Engine[]): Promise<ExitCode> => {
  const counts = { pass: 0, fail: 0, unsupported: 0 };
  for await (const report of runFolder(folder, engines)) {
    counts[report.status] += 1;
    console.log(formatReport(report));
  }
  if (counts.pass + counts.fail + counts.unsupported === 0) {
    console.error(`${folder} holds no .safetensors cases`);
    return EXIT.usage;
  }
  console.log(`${counts.pass} pass, ${counts.fail} fail, ${counts.unsupported} unsupported`);
  return counts.fail > 0 ? EXIT.negative : EXIT.done;
};

const main = async (args: readonly string[]): Promise<ExitCode> => {
  const unknown = args.find(a => a.startsWith('-') && a !== '--oracle');
  const folders = args.filter(a => !a.startsWith('-'));
  if (unknown !== undefined || folders.length !== 1) {
    console.error(`${unknown === undefined ? 'one folder of cases is needed' : `unknown option ${unknown}`}\n${USAGE}`);
    return EXIT.usage;
  }
  const [folder] = folders;
  if (!statSync(folder, { throwIfNoEntry: false })) {
    console.error(`there is no ${folder}; give a folder of .safetensors cases, e.g. test/fixtures`);
    return EXIT.usage;
  }
  if (args.includes('--oracle')) return runAll(folder, [oracleEngine]);
  try {
    const gpu = await openDevice();
    try {
      return await runAll(folder, [oracleEngine, gpuEngine(gpu)]);
    } finally {
      gpu.destroy();
    }
  } catch (e) {
    if (!(e instanceof NoAdapterError)) throw e;
    console.error(`${e.message}\n${e.help}\nwith --oracle, cases run without a GPU`);
    return EXIT.device;
  }
};

// A reader that stops early (`… | head`) is no failure.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EPIPE') throw e;
  process.exit(EXIT.done);
});

process.exitCode = await main(process.argv.slice(2));
