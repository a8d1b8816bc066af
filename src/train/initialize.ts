import type { Param } from '../ir/network.ts';
import { elements } from '../ir/network.ts';
import { stream } from './random.ts';

/**
 * Initial values of `params`, f32, by path. Each parameter draws from its own stream, so adding a layer elsewhere leaves the others as
 * they were. A `normOf` parameter follows the one it names, wherever that stands.
 */
export const initializeParams = (params: readonly Param[], seed: number): Map<string, Float32Array> => {
  const values = new Map<string, Float32Array>();
  const fill = (p: Param): void => {
    const out = new Float32Array(elements(p.shape));
    const random = stream(seed, `init ${p.path}`);
    switch (p.init.kind) {
      case 'zeros':
        break;
      case 'constant':
        out.fill(p.init.value);
        break;
      case 'xavier': {
        const std = Math.sqrt(2 / (p.init.fanIn + p.init.fanOut));
        for (let i = 0; i < out.length; i++) out[i] = std * random.normal();
        break;
      }
      case 'uniform':
        for (let i = 0; i < out.length; i++) out[i] = p.init.bound * (2 * random.uniform() - 1);
        break;
      case 'normOf': {
        const of = values.get(p.init.path);
        if (!of) throw new Error(`${p.path} is initialised with the norm of ${p.init.path}, which has no value`);
        out.fill(Math.sqrt(of.reduce((s, v) => s + v * v, 0)));
        break;
      }
      default:
        p.init satisfies never;
    }
    values.set(p.path, out);
  };
  for (const p of params) if (p.init.kind !== 'normOf') fill(p);
  for (const p of params) if (p.init.kind === 'normOf') fill(p);
  return values;
};
