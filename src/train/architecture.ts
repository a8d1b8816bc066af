/** The function that weights were trained for, as text: what a checkpoint keeps so that its weights are not taken for another's. */
import type { Network } from '../ir/network.ts';
import { printOp } from '../ir/print-network.ts';

/** `path = op (inputs) -> [shape]`, a layer a line. Names, budgets, input ranges and initial values are left out: no output depends on them. */
export const architecture = ({ input, layers }: Network): string => {
  const names = new Map([[input.id, 'input'], ...layers.map(l => [l.id, l.path] as const)]);
  return [
    `input = [${input.shape.join(', ')}]`,
    ...layers.map(
      l => `${l.path} = ${printOp(l.op)} (${l.inputs.map(i => names.get(i)).join(', ')}) -> [${l.shape.join(', ')}]`,
    ),
  ].join('\n');
};

const linesOf = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split('\n').map(line => {
      const at = line.indexOf(' = ');
      return [line.slice(0, at), line.slice(at + 3)];
    }),
  );

/** The first layer in which two architectures differ, in words; undefined where they are equal. */
export const difference = (was: string, now: string): string | undefined => {
  if (was === now) return undefined;
  const before = linesOf(was);
  const after = linesOf(now);
  for (const [path, line] of after) {
    const old = before.get(path);
    if (old === undefined) return `${path} was not there`;
    if (old !== line) return `${path} was \`${old}\`, is \`${line}\``;
  }
  const gone = [...before.keys()].find(path => !after.has(path));
  return gone === undefined ? 'its layers stood in another order' : `${gone} is not there any more`;
};
