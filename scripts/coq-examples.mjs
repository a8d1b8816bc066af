// npm run test:coq [-- GENERATED.v …]: writes the Coq file of every example and of the networks in test/proof/coq, which have layers that no example
// has, then checks the theory and those files with coq.mjs. A network without a Coq file is an error.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../', import.meta.url).pathname;
const dir = mkdtempSync(join(tmpdir(), 'lip-coq-examples-'));
try {
  const generated = ['examples', 'examples/paper', 'examples/layers', 'test/proof/coq'].flatMap(folder =>
    readdirSync(join(root, folder))
      .filter(name => name.endsWith('.lip'))
      .flatMap(name => {
        // A file may hold several networks; one is chosen by name.
        const networks = readFileSync(join(root, folder, name), 'utf8').matchAll(/^network (\w+)/gm);
        return [...networks].map(match => ({ name, network: match[1] }));
      })
      .flatMap(({ name, network }) => {
        // A module name of Coq has no dashes.
        const stem = `${folder}/${name.replace(/\.lip$/, '')}_${network}`.replaceAll(/\W/g, '_');
        const out = join(dir, `${stem}.v`);
        const source = [join(root, folder, name), '--network', network];
        const args = [join(root, 'dist/lip.js'), 'prove', ...source, '--coq', '-o', out];
        const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
        if (status !== 0) throw new Error(`${folder}/${name}, ${network} has no Coq file: ${stderr}`);
        return out;
      }),
  );
  const check = spawnSync(process.execPath, [join(root, 'scripts/coq.mjs'), ...generated, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode = check.status ?? 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
