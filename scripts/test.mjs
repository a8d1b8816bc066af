// Runs the tests and ends with one line "N passed, N failed". With --full, the slow studies too.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const args = process.argv.slice(2);
const full = args.includes('--full');
const dir = mkdtempSync(join(tmpdir(), 'lip-test-'));
const report = join(dir, 'report.json');
const vitest = new URL('../node_modules/vitest/vitest.mjs', import.meta.url).pathname;
const run = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...args.filter(a => a !== '--full'),
  ],
  { stdio: 'inherit', env: { ...process.env, ...(full ? { LIP_TEST_FULL: '1' } : {}) } },
);
let line = '0 passed, 1 failed';
try {
  const r = JSON.parse(readFileSync(report, 'utf8'));
  // A file that fails to load counts as one failure even though it ran no test.
  const broken = r.testResults.filter(
    f => f.status === 'failed' && f.assertionResults.every(a => a.status !== 'failed'),
  ).length;
  line = `${r.numPassedTests} passed, ${r.numFailedTests + broken} failed`;
  if (r.numPendingTests + (r.numTodoTests ?? 0) > 0) line += `, ${r.numPendingTests + (r.numTodoTests ?? 0)} skipped`;
} catch {}
rmSync(dir, { recursive: true, force: true });
console.log(line);
process.exit(run.status ?? 1);
