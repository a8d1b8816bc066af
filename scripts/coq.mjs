// Checks the theory in proofs/: node scripts/coq.mjs [GENERATED.v …]
// Always: no admitted statement, and every theorem named in proofs/README.md and src/proof/rules.ts exists. With coqc: compiles
// everything and asks Coq for the axioms behind all statements; there must be none. Files named on the command line (such as the
// output of `lip prove --coq`) are compiled against the theory and checked alike. Without coqc it says so and exits 0.
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
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
/** What a command says, and its status: null where there is no such command. */
const run = (command, args) =>
  new Promise(done => {
    execFile(command, args, { cwd: proofs, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      done({ status: error?.code === 'ENOENT' ? null : (error?.code ?? 0), stdout, stderr }),
    );
  });
const coqc = (file, more = []) => run('coqc', [...args, ...more, file]);

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
  const requires = [...text.matchAll(/From\s+(\w+)\s+Require\s+(?:Import|Export)?\s*([\w\s]*)\./g)].flatMap(
    ([, prefix, modules]) => modules.split(/\s+/).map(name => `${prefix}.${name}`),
  );
  const names = [...text.matchAll(STATEMENT)].map(match => match[1]);
  return { ...source, name: `${source.prefix}.${module(source.file)}`, requires, names };
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

/** Compiles every file after those it requires, as many at a time as there are processors; false where one failed. */
const compileAll = async (dir, where) => {
  const started = new Map();
  const waiting = [];
  let free = availableParallelism();
  const compiled = source => {
    if (!started.has(source.name)) started.set(source.name, compileOne(source));
    return started.get(source.name);
  };
  /** The time at which the file was compiled, ∞ for just now; undefined where it or one that it requires failed. */
  const compileOne = async ({ file, path, generated, names, requires }) => {
    const before = await Promise.all(sources.filter(s => requires.includes(s.name)).map(compiled));
    if (before.includes(undefined)) return undefined;
    const at = statSync(path.replace(/v$/, 'vo'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (!generated && at >= Math.max(statSync(path).mtimeMs, ...before)) return at;
    while (free === 0) await new Promise(resume => waiting.push(resume));
    free--;
    // A generated file is compiled away from where it lies, so that nothing is left behind there.
    if (generated) copyFileSync(path, join(dir, basename(path)));
    const { status, stdout, stderr } = await coqc(generated ? join(dir, basename(path)) : file, where);
    free++;
    waiting.shift()?.();
    if (status !== 0) return fail(`${file}: coqc failed\n${stdout}${stderr}`);
    console.error(`${file}: ${names.length} statements`);
    return Number.POSITIVE_INFINITY;
  };
  return !(await Promise.all(sources.map(compiled))).includes(undefined);
};

const compile = async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lip-coq-'));
  const where = ['-Q', dir, 'Generated'];
  try {
    if (!(await compileAll(dir, where))) return;
    // One question about all statements at once: Coq walks the library only once. Each is named in a definition without its type being part of
    // another type (a tuple of all would take minutes). A statement that does rest on an axiom shows that the question is answered so.
    const named = sources
      .filter(({ names }) => names.length > 0)
      .map(({ file, prefix, names }, i) => {
        const lines = names.map(name => `  let _ := @${prefix}.${module(file)}.${name} in`);
        return `Definition file${i} : unit :=\n${lines.join('\n')} tt.\n`;
      });
    const probe = join(dir, 'Assumptions.v');
    const imports = sources.map(({ file, prefix }) => `From ${prefix} Require ${module(file)}.\n`).join('');
    const all = named.map((_, i) => `  let _ := file${i} in`).join('\n');
    writeFileSync(
      probe,
      `${imports}${named.join('')}Definition statements : unit :=\n${all} tt.\nPrint Assumptions statements.\n
Axiom assumed : True.\nTheorem follows : True /\\ True.\nProof. exact (conj assumed assumed). Qed.
Definition with_axiom : unit := let _ := statements in let _ := follows in tt.\nPrint Assumptions with_axiom.\n`,
    );
    const { status, stdout, stderr } = await coqc(probe, where);
    if (status !== 0 || stdout.trim() !== 'Closed under the global context\nAxioms:\nassumed : True') {
      fail(`rests on axioms, or could not be asked:\n${stdout}${stderr}`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const version = await run('coqc', ['--version']);
if (version.status !== null && problems.length === 0) await compile();
if (problems.length > 0) {
  process.exitCode = 1;
} else if (version.status === null) {
  console.log('skipped: coqc not found (Debian: coq libcoq-mathcomp-algebra libcoq-mathcomp-algebra-tactics)');
} else {
  const count = sources.reduce((sum, { names }) => sum + names.length, 0);
  console.log(`${count} statements machine-checked without axioms (${version.stdout.split('\n')[0].trim()})`);
}
