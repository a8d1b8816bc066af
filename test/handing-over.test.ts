/** The commands of docs/handing-over.md, as they stand there, on a network that is small enough for exact rationals. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleCli } from '../scripts/bundle-cli.mjs';
import { provenFrom } from '../src/fixtures/compile-source.ts';
import { networkParams } from '../src/ir/network.ts';
import { initializeParams } from '../src/train/initialize.ts';
import { writeSafetensors } from '../src/train/safetensors.ts';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'docs/handing-over.md'), 'utf8');
const blocks = [...page.matchAll(/```sh\n([^`]*)```/g)].map(m => m[1]);
const python = spawnSync('python3', ['-c', 'import fractions']).status === 0;

const SMALL = `network Mnist by sll {
  input image[1, 4, 4]
  residual conv hidden = 2, kernel = 3
  flatten
  dense 4 by orthogonal(cayley)
  maxmin
  head 3
}
`;

/** With a package scope of its own, and inside the project, so that dependencies are found. */
const program = mkdtempSync(join(root, 'node_modules/.lip-handing-over-'));
const clone = mkdtempSync(join(tmpdir(), 'lip-handing-over-'));
afterAll(() => {
  for (const folder of [program, clone]) rmSync(folder, { recursive: true, force: true });
});

const put = (path: string, content: string | Uint8Array, mode = 0o644): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
};

beforeAll(async () => {
  put(join(program, 'package.json'), '{ "type": "module" }');
  await bundleCli(program);
  put(join(program, 'bin/npx'), `#!/bin/sh\nshift\nexec "${process.execPath}" "${program}/lip.js" "$@"\n`, 0o755);
  const params = networkParams(provenFrom(SMALL).network);
  const values = initializeParams(params, 1);
  const tensors = params.map(
    p => [p.path, { dtype: 'F32' as const, shape: p.shape, data: values.get(p.path)! }] as const,
  );
  put(join(clone, 'examples/mnist.lip'), SMALL);
  put(join(clone, 'out/Mnist/checkpoint.safetensors'), writeSafetensors(new Map(tensors)));
  for (const file of ['verify/lip_verify.py', 'docs/certificate.md']) {
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    copyFileSync(join(root, file), join(clone, file));
  }
});

const sh = (commands: string, cwd: string) => {
  const env = { ...process.env, PATH: `${program}/bin:${process.env.PATH}` };
  const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', commands], { cwd, env, encoding: 'utf8' });
  return { status, out: stdout, err: stderr };
};

describe('docs/handing-over.md', () => {
  const [send, checkInPython, check, coq] = blocks;
  const handover = join(clone, 'handover');

  it('makes the five files of its table', () => {
    expect(blocks).toHaveLength(4);
    expect(sh(send, clone)).toMatchObject({ status: 0, err: '' });
    const listed = [...page.matchAll(/^\| `([\w.]+)` \|/gm)].map(m => m[1]);
    expect(readdirSync(handover).sort()).toEqual(listed.sort());
    expect(listed).toHaveLength(5);
  });

  it("has them checked by the compiler's checker", () => {
    const { status, out } = sh(check, handover);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^accepted: Mnist is 1-Lipschitz up to its head, for all weights\naccepted: with its \d+ emitted/,
    );
  });

  it.skipIf(!python)('has them checked in Python, and another file refused with exit code 3', () => {
    expect(sh(checkInPython, handover)).toMatchObject({
      status: 0,
      out: expect.stringMatching(/^accepted: squared bound 1 for all weights, \S+ for these tensors\n$/),
    });
    const path = join(handover, 'lipschitz.json');
    const whole = readFileSync(path, 'utf8');
    writeFileSync(path, whole.replace('"squared"', '"sqared"'));
    const refused = sh(checkInPython, handover);
    writeFileSync(path, whole);
    expect(refused).toMatchObject({ status: 3, out: expect.stringMatching(/^refused: /) });
  });

  it('makes the Coq file', () => {
    expect(sh(coq, handover).status).toBe(0);
    expect(readFileSync(join(handover, 'Mnist.v'), 'utf8')).toContain('Theorem Mnist_lip');
  });

  it('names files that exist', () => {
    const links = [...page.matchAll(/\]\(([^)]+)\)/g)].map(m => m[1]);
    expect(links.filter(l => !existsSync(join(root, 'docs', l)))).toEqual([]);
  });
});
