// Checks the theory in proofs/: node scripts/coq.mjs [GENERATED.v …]
// Always: no admitted statement, and every theorem named in proofs/README.md and src/proof/rules.ts exists. With coqc: compiles
// everything and asks Coq for the axioms behind all statements; there must be none. Files named on the command line (such as the
// output of `lip prove --coq`) are compiled against the theory and checked alike. Without coqc it says so and exits 0.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';

const root = new URL('../', import.meta.url).pathname;
const proofs = `${root}proofs/`;
const project = readFileSync(`${proofs}_CoqProject`, 'utf8').trim().split('\n');
const args = project
  .filter(line => !line.endsWith('.v'))
  .flatMap(line => line.split(' '))
  .filter(word => word !== '-arg');
/** Folder → logical prefix, from the lines `-Q folder Prefix`. */
const prefixes = new Map(project.filter(line => line.startsWith('-Q ')).map(line => line.split(' ').slice(1)));

const problems = [];
const fail = message => {
  problems.push(message);
  console.error(message);
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

const module = file => basename(file, '.v');
const sources = [
  ...project
    .filter(line => line.endsWith('.v'))
    .map(file => ({ file, path: `${proofs}${file}`, prefix: prefixes.get(file.split('/')[0]), generated: false })),
  ...process.argv.slice(2).map(file => ({ file, path: resolve(file), prefix: 'Generated', generated: true })),
].map(source => {
  const text = withoutComments(readFileSync(source.path, 'utf8'));
  const bad = FORBIDDEN.exec(text);
  if (bad) fail(`${source.file}: contains "${bad[0]}"`);
  return { ...source, names: [...text.matchAll(STATEMENT)].map(match => match[1]) };
});

// The table of the README: | rule | `theorem` … | `File.v` |, and the field `coq` of the prover's rules.
const theorems = new Map(sources.map(({ file, names }) => [basename(file), new Set(names)]));
for (const [, cell, file] of readFileSync(`${proofs}README.md`, 'utf8').matchAll(
  /^\|[^|]*\|([^|]*)\|\s*`(\w+\.v)`\s*\|$/gm,
)) {
  for (const [, name] of cell.matchAll(/`([\w']+)`/g)) {
    if (!theorems.get(file)?.has(name)) fail(`proofs/README.md: ${file} has no theorem ${name}`);
  }
}
const rules = `${root}src/proof/rules.ts`;
if (existsSync(rules)) {
  for (const [, name] of readFileSync(rules, 'utf8').matchAll(/\bcoq: '([\w.']+)'/g)) {
    if (!sources.some(({ names }) => names.includes(name.split('.').at(-1))))
      fail(`src/proof/rules.ts: no theorem ${name}`);
  }
}

const compile = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lip-coq-'));
  const where = ['-Q', dir, 'Generated'];
  try {
    let newest = 0;
    for (const { file, path, generated, names } of sources) {
      // Files are in the order of their dependencies: one is up to date if it is newer than its source and all before it.
      const compiled = statSync(path.replace(/v$/, 'vo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
      const needed = Math.max(newest, statSync(path).mtimeMs);
      newest = compiled >= needed ? compiled : Number.POSITIVE_INFINITY;
      if (compiled >= needed && !generated) continue;
      // A generated file is compiled away from where it lies, so that nothing is left behind there.
      if (generated) copyFileSync(path, join(dir, basename(path)));
      const { status, stdout, stderr } = coqc(generated ? join(dir, basename(path)) : file, where);
      if (status !== 0) return fail(`${file}: coqc failed\n${stdout}${stderr}`);
      console.error(`${file}: ${names.length} statements`);
    }
    // One question about all statements at once: Coq walks the library only once.
    const all = sources.flatMap(({ file, prefix, names }) => names.map(name => `@${prefix}.${module(file)}.${name}`));
    const probe = join(dir, 'Assumptions.v');
    const imports = sources.map(({ file, prefix }) => `From ${prefix} Require ${module(file)}.\n`).join('');
    writeFileSync(
      probe,
      `${imports}Definition statements := (\n  ${all.join(',\n  ')}).\nPrint Assumptions statements.\n`,
    );
    const { status, stdout, stderr } = coqc(probe, where);
    if (status !== 0 || stdout.trim() !== 'Closed under the global context') {
      fail(`rests on axioms, or could not be asked:\n${stdout}${stderr}`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const version = spawnSync('coqc', ['--version'], { encoding: 'utf8' });
if (!version.error && problems.length === 0) compile();
if (problems.length > 0) {
  process.exitCode = 1;
} else if (version.error) {
  console.log('skipped: coqc not found (Debian: coq libcoq-mathcomp-algebra libcoq-mathcomp-algebra-tactics)');
} else {
  const count = sources.reduce((sum, { names }) => sum + names.length, 0);
  console.log(`${count} statements machine-checked without axioms (${version.stdout.split('\n')[0].trim()})`);
}
