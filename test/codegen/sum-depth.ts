/** Reads the loops of an emitted kernel as they are written and counts, for every sum, its terms and the additions that they go through. */
export interface WrittenSum {
  readonly terms: number;
  /** The most additions that a term goes through. */
  readonly depth: number;
}

type Node =
  | {
      readonly kind: 'loop';
      readonly name: string;
      readonly start: string;
      readonly end: string;
      readonly step: number;
      readonly body: Node[];
    }
  | { readonly kind: 'statement'; readonly text: string };

const HEAD = /^for \(var (\w+) = ([^;]+); \1 < ([^;]+); \1(?:\+\+| \+= (\d+)u)\) \{$/;

const parse = (lines: readonly string[]): Node[] => {
  const root: Node[] = [];
  const stack = [root];
  for (const line of lines.map(l => l.trim())) {
    const head = HEAD.exec(line);
    if (head) {
      const [, name, start, end, step = '1'] = head;
      const body: Node[] = [];
      stack.at(-1)!.push({ kind: 'loop', name, start, end, step: Number(step), body });
      stack.push(body);
    } else if (line === '}') stack.pop();
    else stack.at(-1)?.push({ kind: 'statement', text: line });
  }
  return root;
};

const evaluate = (text: string, values: ReadonlyMap<string, number>): number => {
  const plain = text.replace(/(\d+)u/g, '$1').replace(/\bmin\(/g, 'Math.min(');
  return new Function(...values.keys(), `return ${plain};`)(...values.values()) as number;
};

/** The largest sum of the kernel `wgsl`; undefined when it adds up nothing. */
export const writtenSum = (wgsl: string): WrittenSum | undefined => {
  const main = wgsl.slice(wgsl.indexOf('fn main('));
  const lines = main.split('\n').slice(1);
  const sums = new Map<string, WrittenSum>();
  const run = (nodes: readonly Node[], values: ReadonlyMap<string, number>): void => {
    for (const node of nodes) {
      if (node.kind === 'loop') {
        // What a workgroup stages, threads side by side, adds up nothing.
        if (node.start.includes('lid')) continue;
        const end = evaluate(node.end, values);
        for (let i = evaluate(node.start, values); i < end; i += node.step)
          run(node.body, new Map(values).set(node.name, i));
        continue;
      }
      const fresh = /^var ((?:acc|part)\w*) = 0\.0f;$/.exec(node.text);
      if (fresh) sums.set(fresh[1], { terms: 0, depth: 0 });
      const added = /^((?:acc|part)\w*) \+= (.*);$/.exec(node.text);
      if (!added) continue;
      const [, name, text] = added;
      const part = sums.get(text);
      const terms = text.split(' + ').length;
      const of = part ?? { terms, depth: terms - 1 };
      const before = sums.get(name)!;
      sums.set(name, { terms: before.terms + of.terms, depth: Math.max(before.depth, of.depth) + 1 });
    }
  };
  run(parse(lines), new Map());
  const found = [...sums].filter(([name, s]) => name.startsWith('acc') && s.terms > 0).map(([, s]) => s);
  return found.length > 0
    ? { terms: Math.max(...found.map(s => s.terms)), depth: Math.max(...found.map(s => s.depth)) }
    : undefined;
};
