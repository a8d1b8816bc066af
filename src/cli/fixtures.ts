/** `npm run fixtures -- FOLDER [--oracle]`: runs reference cases in the oracle and on the GPU; exit 3 when one fails. */
import { statSync } from 'node:fs';
import { oracleEngine } from '../fixtures/engine.ts';
import { formatReport, runFolder } from '../fixtures/run-folder.ts';

const main = async (args: readonly string[]): Promise<number> => {
  const options = args.filter(a => a.startsWith('-'));
  const folders = args.filter(a => !a.startsWith('-'));
  const unknown = options.find(o => o !== '--oracle');
  if (unknown !== undefined || folders.length !== 1) {
    console.error(
      `${unknown === undefined ? 'one folder of cases is needed' : `unknown option ${unknown}`}\nusage: npm run fixtures -- FOLDER [--oracle]`,
    );
    return 2;
  }
  if (!statSync(folders[0], { throwIfNoEntry: false })) {
    console.error(`there is no ${folders[0]}; give a folder of .safetensors cases, e.g. test/fixtures`);
    return 2;
  }
  const counts = { pass: 0, fail: 0, unsupported: 0 };
  for await (const report of runFolder(folders[0], [oracleEngine])) {
    counts[report.status] += 1;
    console.log(formatReport(report));
  }
  console.log(`${counts.pass} pass, ${counts.fail} fail, ${counts.unsupported} unsupported`);
  return counts.fail > 0 ? 3 : 0;
};

process.exitCode = await main(process.argv.slice(2));
