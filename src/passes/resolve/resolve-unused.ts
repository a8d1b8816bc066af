/** Definitions that no network uses: read once with sizes made up for it, for the errors that do not depend on sizes. */
import type { Span } from '../../diagnostics.ts';
import { rational } from '../../ir/rational.ts';
import type { Definition, Expr, Field, FileNode, Statement } from '../../parser/ast.ts';
import { axesOf } from './definition-fields.ts';
import { definitionRule, rescalingRule } from './resolve-definition.ts';
import type { Chain, KnownDefinition } from './resolve-layers.ts';
import type { RescalingTarget } from './resolve-rescaling.ts';
import type { Scope } from './resolve-scope.ts';
import { namesIn } from './unused-params.ts';

/** Every size is this, so that those that must be equal are. */
const SAMPLE = 8;

/** Findings that may be due to the sample. */
const OF_SAMPLES: readonly string[] = ['L0112', 'L0113', 'L0115', 'L0116', 'L0120', 'L0121', 'L0125', 'L0133', 'L0141'];

const name = (text: string, span: Span): Expr => ({ kind: 'name', name: text, span });

/** Something that an option of this type takes. */
const sampleOf = ({ type, span }: Field): Expr => {
  const word = type?.kind === 'name' ? type.name : type?.kind === 'typed' ? type.type.text : undefined;
  const first = type?.kind === 'typed' ? type.dims[0] : undefined;
  switch (word) {
    case 'bool':
      return name('true', span);
    case 'choice':
      return first ?? name('true', span);
    case 'slope':
      return name('relu', span);
    case 'padding':
      return name('same', span);
    default:
      return { kind: 'number', value: rational(SAMPLE), text: `${SAMPLE}`, span };
  }
};

const chainOf = (scope: Scope, definition: Definition, definitions: Chain['definitions']): Chain => ({
  scope,
  defaultBy: name('aol', definition.name.span),
  definitions,
  layers: [],
  counters: new Map(),
  broken: [],
  current: 0,
  shape: axesOf(definition) === 3 ? [SAMPLE, SAMPLE, SAMPLE] : [SAMPLE],
  names: new Map(),
  subBudgets: [],
  input: undefined,
  inputSeen: true,
  headSeen: false,
  budget: undefined,
  nextId: 0,
  visited: 0,
  stopped: false,
});

const read = (scope: Scope, known: KnownDefinition, definitions: Chain['definitions']): void => {
  const { definition } = known;
  const { span } = definition.name;
  const needed = definition.options.filter(o => !o.value);
  if (definition.form === 'layer') {
    const st: Statement = { name: definition.name, args: [], clauses: [], span };
    const args = new Map(needed.map(o => [o.name.text, sampleOf(o)]));
    definitionRule(known).apply(chainOf(scope, definition, definitions), st, args);
    return;
  }
  const weight = { path: 'unused.W', shape: [SAMPLE, SAMPLE], init: { kind: 'zeros' } } as const;
  const target: RescalingTarget = {
    path: 'unused',
    map: { kind: 'dense', out: SAMPLE, in: SAMPLE, weight },
    form: 'linear',
    side: 'in',
    input: [SAMPLE],
    output: [SAMPLE],
    taken: [],
    twisted: () => undefined,
  };
  const args = needed.map(o => ({ name: o.name, value: sampleOf(o), span }));
  rescalingRule(known)(scope, target, new Set(), args, span);
};

/** Reports what is wrong, whatever the sizes, with the definitions of `file` that nothing in it uses. */
export const checkUnused = (
  scope: Omit<Scope, 'values'>,
  file: FileNode,
  definitions: ReadonlyMap<string, KnownDefinition>,
): void => {
  const used = namesIn([file.items, file.definitions.map(d => d.body)], new Set());
  const report: Scope['report'] = (code, ...rest) =>
    OF_SAMPLES.includes(code) ? undefined : scope.report(code, ...rest);
  for (const known of definitions.values())
    if (!known.library && known.whole && !used.has(known.definition.name.text))
      read({ ...scope, report, values: new Map() }, known, definitions);
};
