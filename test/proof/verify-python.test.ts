/** The second checker, which shares no line with the first, on the same certificates. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { certifyAllWeights } from '../../src/passes/certificate/certify-weights.ts';
import { verifyCertificate } from '../../src/proof/verify/certificate.ts';
import { format, Refused } from '../../src/proof/verify/numbers.ts';
import { randomFrom, randomSource } from '../random-network.ts';
import { certify, forge, type Mutable, provenFrom, verdictOf, weightsFor } from './certified.ts';
import { FUZZ, fill } from './fuzz.ts';
import { NETWORKS } from './networks.ts';

const script = new URL('../../verify/lip_verify.py', import.meta.url).pathname;
const python = spawnSync('python3', ['-c', 'import fractions']).status === 0;
if (!python) console.warn('skipped: the Python checker needs python3, which is missing');

const folder = mkdtempSync(join(tmpdir(), 'lip-verify-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (certificate: unknown, bytes?: Uint8Array): { status: number | null; out: string } => {
  const [json, tensors] = [join(folder, 'c.json'), join(folder, 'c.safetensors')];
  writeFileSync(json, JSON.stringify(certificate));
  if (bytes) writeFileSync(tensors, bytes);
  const { status, stdout, stderr } = spawnSync('python3', [script, json, ...(bytes ? [tensors] : [])], {
    encoding: 'utf8',
  });
  return { status, out: stdout + stderr };
};

describe.skipIf(!python)('the Python checker', () => {
  it('accepts what the first one accepts, with the same bounds', () => {
    for (let seed = 0; seed < 32; seed++) {
      const r = randomFrom(seed + 4000);
      const source = randomSource(r, { geometries: true, branches: seed % 2 === 0 });
      const proven = provenFrom(source);
      const { squared } = verdictOf(certify(proven, weightsFor(proven, r)));
      const c = certify(proven, weightsFor(proven, randomFrom(seed + 4000)));
      const { emitted } = verdictOf(c);
      const { status, out } = run(c.certificate, c.bytes);
      expect(out).toBe(
        `accepted: squared bound ${format(squared)} for all weights, ${format(emitted!)} for these tensors\n`,
      );
      expect(status).toBe(0);
    }
    const { certificate } = certifyAllWeights(provenFrom(randomSource(randomFrom(4001))));
    expect(run(certificate).status).toBe(0);
  });
  it.each(Object.entries(NETWORKS))('accepts %s', (_, body) => {
    const proven = provenFrom(`network Net {\n${body}\n}`);
    const c = certify(proven, weightsFor(proven, randomFrom(5)));
    const { squared, emitted } = verdictOf(c);
    const bounds = `${format(squared)} for all weights, ${format(emitted!)} for these tensors`;
    expect(run(c.certificate, c.bytes)).toEqual({ status: 0, out: `accepted: squared bound ${bounds}\n` });
  });
  it('accepts hard weights, with kernels larger than their image and tiny q', () => {
    const names = Object.keys(FUZZ);
    const dense = names.map((_, i) => `residual dense hidden = 3 by ${i % 2 === 0 ? 'sll' : 'spectral(steps = 8)'}`);
    const conv = names.map(
      (_, i) => `residual conv hidden = 2, kernel = 3, padding = 2 by ${i % 2 === 0 ? 'sll' : 'aol'}`,
    );
    const proven = provenFrom(
      `network Net {\n input image[1, 2, 2]\n ${[...conv, 'flatten', ...dense].join('\n ')}\n}`,
    );
    const special = Object.fromEntries(
      Object.values(FUZZ).flatMap((entry, i) => [
        [`dense[${i}].W`, fill(entry, 3, 4)],
        [`dense[${i}].q`, [-30, 0, 12]],
        [`conv[${i}].W`, fill(entry, 2, 9)],
        [`conv[${i}].q`, [-30, 9]],
      ]),
    );
    const c = certify(proven, weightsFor(proven, randomFrom(9), special));
    expect(verdictOf(c, true)).toEqual(verdictOf(c));
    expect(run(c.certificate, c.bytes)).toEqual({
      status: 0,
      out: 'accepted: squared bound 1 for all weights, 1 for these tensors\n',
    });
  });
  it('refuses false ones', () => {
    const proven = provenFrom(`network Net {
      input image[1, 4, 4]
      residual conv hidden = 2, kernel = 3 by sll
      conv 2, kernel = 3 by spectral(steps = 5, grid = 6)
      flatten
      residual dense hidden = 3 by spectral(steps = 8)
      head 2
    }`);
    const { certificate, bytes, file } = certify(
      proven,
      weightsFor(proven, randomFrom(1), { 'conv[0].W': Array.from({ length: 18 }, (_, i) => Math.sin(i + 1)) }),
    );
    expect(run(certificate, bytes).status).toBe(0);
    const lower = (pair: number[]) => {
      pair[1] -= 1;
    };
    const changes: ((c: Mutable) => void)[] = [
      c => lower(c.weights.layers[0].dominance.T[0]),
      c => lower(c.weights.layers[1].dominance.T[0]),
      c => lower(c.weights.layers[3].dominance.T[0]),
      c => {
        c.weights.layers[0].dominance.q[0][0] *= -1;
      },
      c => {
        c.weights.squaredDistances[0] = '1';
      },
      c => {
        c.weights.squared = '1/2';
      },
      c => {
        c.squared = '1/2';
      },
      c => {
        c.network.layers[0].act.function = 'abs';
        c.derivation[0].constants.low = '-1';
      },
      c => {
        c.network.layers[0].act = { function: 'maxmin' };
      },
      // 2 is no divisor of 7, and 3 not a proper one; as a torus, 3 points are too few for this image.
      c => {
        c.weights.layers[1].dominance.grid = 3;
      },
      ...[7, 3].map(grid => (c: Mutable) => {
        c.derivation[1].premises[0].premises[0].constants.grid = `${grid}`;
      }),
      c => {
        const { side, q, T } = c.weights.layers[0].dominance;
        c.weights.layers[0].dominance = { rule: 'reshaped-kernel', premise: { rule: 'gershgorin', side, q, T } };
      },
      c => {
        c.derivation[0].premises[0].rule = 'identity';
      },
      c => {
        c.weights.tensors['conv[0].W'] = '0'.repeat(64);
      },
    ];
    changes.forEach((change, n) => {
      const { status, out } = run(forge(certificate, change), bytes);
      expect(status, `change ${n + 1}: ${out}`).toBe(3);
      expect(() => verifyCertificate(forge(certificate, change), file), `change ${n + 1}`).toThrow(Refused);
    });
    expect(run({ ...certificate, squared: '2' }, bytes).out).toContain('changed after it was written');
    const flipped = bytes.slice();
    flipped[flipped.length - 9] ^= 1;
    expect(run(certificate, flipped).status).toBe(3);
  });
});
