/** The network and the training recipe that are timed. */
import type { Diagnostic } from '../src/diagnostics.ts';
import type { TrainRecipe } from '../src/ir/recipe.ts';
import { parse } from '../src/parser/parse.ts';
import { type ProvenNetwork, prove } from '../src/passes/prove/prove.ts';
import { resolve } from '../src/passes/resolve/resolve.ts';

export const BATCH = 64;

export const SOURCE = `network Bench(width = 16, convs = 4, denses = 2) by sll {
  input  image[1, 28, 28] in [0, 1]
  pad channels to width
  repeat convs  { residual conv hidden = 16, kernel = 3 }
  avgpool 4
  flatten
  repeat denses { residual dense hidden = 256 }
  head 10
}

train Bench on mnist {
  loss      cross_entropy(offset = 3/2 * sqrt(2), temperature = 1/4)
  optimizer adam(rate = 0.01, betas = [0.5, 0.9])
  epochs 1, batch ${BATCH}, seed 1
}
`;

const refused = (diagnostics: readonly Diagnostic[]): never => {
  throw new Error(`the bench network is refused: ${diagnostics.map(d => `${d.code} ${d.message}`).join('; ')}`);
};

/** The first network and training recipe of `source`, proven. Throws when it is refused. */
export const loadNetwork = (source = SOURCE): { proven: ProvenNetwork; recipe: TrainRecipe } => {
  const { file, diagnostics } = parse(source);
  if (diagnostics.length > 0) refused(diagnostics);
  const program = resolve(file);
  if (program.diagnostics.some(d => d.severity === 'error')) refused(program.diagnostics);
  const made = prove(program.networks[0]);
  return 'proven' in made ? { proven: made.proven, recipe: program.trains[0] } : refused(made.diagnostics);
};
