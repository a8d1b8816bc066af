// Compiles proofs/ with Coq and checks that no theorem rests on an axiom: node scripts/coq.mjs [GENERATED.v …]
// Files named on the command line (such as the output of `lip prove --coq`) are compiled against the theory and checked alike.
// Without coqc it says so in one line and exits 0.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

const proofs = new URL('../proofs/', import.meta.url).pathname;
const version = spawnSync('coqc', ['--version'], { encoding: 'utf8' });
if (version.error) {
  console.log('skipped: coqc not found (Debian: coq libcoq-mathcomp-algebra libcoq-mathcomp-algebra-tactics)');
  process.exit(0);
}

const project = readFileSync(`${proofs}_CoqProject`, 'utf8').trim().split('\n');
const args = project.flatMap(line => {
  if (line.endsWith('.v')) return [];
  return line.startsWith('-arg') ? line.split(' ').filter(word => word !== '-arg') : line.split(' ');
});
const theories = project.filter(line => line.endsWith('.v'));
const generated = process.argv.slice(2).map(file => resolve(file));

const fail = message => {
  console.error(message);
  process.exitCode = 1;
};
const coqc = (file, more = []) =>
  spawnSync('coqc', [...args, ...more, file], { cwd: proofs, encoding: 'utf8', maxBuffer: 1 << 26 });

/** Coq comments nest, so they are taken out by counting. */
const withoutComments = text => {
  let out = '';
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const two = text.slice(i, i + 2);
    if (two === '(*') depth++;
    if (depth === 0) out += text[i];
    if (two === '*)') depth--;
    if (two === '(*' || two === '*)') i++;
  }
  return out;
};
const FORBIDDEN =
  /\b(Admitted|admit|Axioms?|Parameters?|Conjectures?|give_up|Unset\s+Guard\s+Checking|bypass_check|Abort)\b/;
const STATEMENT = /^\s*(?:Theorem|Lemma|Corollary|Fact|Proposition|Remark)\s+([A-Za-z_][\w']*)/gm;

const dir = mkdtempSync(join(tmpdir(), 'lip-coq-'));
const named = new Map();
const modules = [];
let checked = 0;
try {
  for (const file of [...theories, ...generated]) {
    const own = generated.includes(file);
    const text = withoutComments(readFileSync(own ? file : `${proofs}${file}`, 'utf8'));
    const bad = FORBIDDEN.exec(text);
    if (bad) fail(`${file}: contains "${bad[0]}"`);
    // Generated files are compiled outside the tree they come from, so that nothing is left behind there.
    const path = own ? join(dir, basename(file)) : file;
    if (own) copyFileSync(file, path);
    const logical = own ? 'Generated' : 'Lip';
    const where = own ? ['-Q', dir, 'Generated'] : [];
    const compiled = coqc(path, where);
    if (compiled.status !== 0) {
      fail(`${file}: coqc failed\n${compiled.stdout}${compiled.stderr}`);
      if (own) continue;
      break;
    }
    const names = [...text.matchAll(STATEMENT)].map(match => match[1]);
    named.set(basename(file), new Set(names));
    modules.push({ from: own ? 'Generated' : 'Lip', module: basename(file, '.v'), names });
    console.error(`${file}: ${names.length} statements`);
  }
  // One question about all statements at once: Coq walks the library only once.
  if (process.exitCode !== 1) {
    const all = modules.flatMap(({ from, module, names }) => names.map(name => `@${from}.${module}.${name}`));
    const probe = join(dir, 'Assumptions.v');
    writeFileSync(
      probe,
      `${modules.map(({ from, module }) => `From ${from} Require ${module}.`).join('\n')}
Definition statements := (
  ${all.join(',\n  ')}).
Print Assumptions statements.\n`,
    );
    const printed = coqc(probe, ['-Q', dir, 'Generated']);
    if (printed.status !== 0 || printed.stdout.trim() !== 'Closed under the global context') {
      fail(`rests on axioms, or could not be asked:\n${printed.stdout}${printed.stderr}`);
    }
    checked = all.length;
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}

// The table of rules in the README names theorems that exist: | rule | `theorem` … | `File.v` |
for (const [, cell, file] of readFileSync(`${proofs}README.md`, 'utf8').matchAll(
  /^\|[^|]*\|([^|]*)\|\s*`(\w+\.v)`\s*\|$/gm,
)) {
  for (const [, name] of cell.matchAll(/`([\w']+)`/g)) {
    if (process.exitCode !== 1 && !named.get(file)?.has(name)) fail(`proofs/README.md: ${file} has no theorem ${name}`);
  }
}
if (process.exitCode !== 1)
  console.log(`${checked} statements machine-checked without axioms (${version.stdout.split('\n')[0].trim()})`);
