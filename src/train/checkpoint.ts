import { InputFileError } from '../data/input-file-error.ts';
import { readInputFile } from '../data/read-input-file.ts';
import type { Network } from '../ir/network.ts';
import { elements, networkParams } from '../ir/network.ts';
import { format } from '../ir/rational.ts';
import type { TrainRecipe } from '../ir/recipe.ts';
import { architecture, difference } from './architecture.ts';
import type { StoredTensor } from './safetensors.ts';
import { firstNonFinite, readSafetensors, writeSafetensors } from './safetensors.ts';
import { writeAtomically } from './write-atomically.ts';

/**
 * Everything a training run needs to go on as if it had never stopped. Random numbers are drawn from streams named by epoch and step
 * (random.ts), so seed and step stand for the state of the generators.
 */
export interface Checkpoint {
  readonly network: string;
  /** The function its weights are of, as `architecture` writes it; files written before it was kept have none. */
  readonly architecture?: string;
  /** Steps done. */
  readonly step: number;
  /** The recipe as `recipeFields` writes it, key by key. */
  readonly recipe: Readonly<Record<string, string>>;
  /** Weights by path, and optimiser state as `path#name`. */
  readonly values: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;
}

const FORMAT = 'lip-checkpoint-1';

/** What determines a run, as text: two runs whose fields agree do the same steps. */
export const recipeFields = (recipe: TrainRecipe): Record<string, string> => {
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v)) ?? 'null';
  const { schedule } = recipe;
  return {
    data: text([recipe.data.name, ...recipe.data.args]),
    loss: text(recipe.loss),
    optimizer: text(recipe.optimizer),
    schedule:
      schedule.kind === 'triangular'
        ? `triangular(peak = ${format(schedule.peak)}, knee = ${format(schedule.knee)})`
        : schedule.kind,
    augment: text(recipe.augment),
    epochs: `${recipe.epochs}`,
    batch: `${recipe.batch}`,
    seed: `${recipe.seed}`,
  };
};

/** Throws InputFileError naming the tensor and entry when a value is NaN or infinite; `path` then still holds the file before it. */
export const saveCheckpoint = (path: string, checkpoint: Checkpoint): void => {
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, data }] of checkpoint.values) {
    const bad = firstNonFinite(data);
    if (bad >= 0) {
      throw new InputFileError(`${path} was not written: entry ${bad} of ${name} is ${data[bad]}`);
    }
    tensors.set(name, { dtype: 'F32', shape, data });
  }
  const metadata = {
    format: FORMAT,
    network: checkpoint.network,
    ...(checkpoint.architecture === undefined ? {} : { architecture: checkpoint.architecture }),
    step: `${checkpoint.step}`,
    recipe: JSON.stringify(checkpoint.recipe),
  };
  writeAtomically(path, writeSafetensors(tensors, metadata));
};

const f32 = (name: string, t: StoredTensor, path: string): Float32Array => {
  const bad = firstNonFinite(t.data);
  if (bad >= 0) {
    throw new InputFileError(
      `${path}: entry ${bad} of tensor ${name} is ${t.data[bad]}`,
      'weights must be finite numbers: go back to an earlier checkpoint',
    );
  }
  if (t.data instanceof Float32Array) return t.data;
  if (t.data instanceof Float64Array) {
    // Weights given in double precision are rounded once, here, and certified as rounded.
    const rounded = Float32Array.from(t.data);
    const over = firstNonFinite(rounded);
    if (over >= 0)
      throw new InputFileError(`${path}: entry ${over} of tensor ${name} is ${t.data[over]}, too large for f32`);
    return rounded;
  }
  throw new InputFileError(`${path}: tensor ${name} has dtype ${t.dtype}; expected F32 or F64`);
};

/** Reads what `saveCheckpoint` wrote. Throws InputFileError. */
export const loadCheckpoint = (path: string): Checkpoint => {
  const file = readSafetensors(readInputFile(path, 'checkpoint', 'name a file that `lip train` wrote'), path);
  const { format: found, network, step, recipe } = file.metadata;
  if (found !== FORMAT || network === undefined || recipe === undefined || !/^\d{1,15}$/.test(step ?? '')) {
    throw new InputFileError(
      `${path} holds tensors but is not a checkpoint of a training run`,
      'it can serve as --weights if the names fit, but not be resumed',
    );
  }
  const damaged = (): never => {
    throw new InputFileError(
      `${path}: the recipe in its metadata is not a JSON object`,
      'the file is damaged: use another copy',
    );
  };
  let fields: unknown;
  try {
    fields = JSON.parse(recipe);
  } catch {
    return damaged();
  }
  if (typeof fields !== 'object' || fields === null) return damaged();
  const values = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, t] of file.tensors) values.set(name, { shape: t.shape, data: f32(name, t, path) });
  const { architecture: layers } = file.metadata;
  return {
    network,
    ...(layers === undefined ? {} : { architecture: layers }),
    step: Number(step),
    recipe: fields as Record<string, string>,
    values,
  };
};

const sameShape = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((d, i) => d === b[i]);

const listed = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');

const SAME = 'give the same file, --set and --by as in training';

const refuseOther = (path: string, was: string | undefined, network: Network, help: string): void => {
  const differs = was === undefined ? undefined : difference(was, architecture(network));
  if (differs !== undefined)
    throw new InputFileError(`${path} was trained as another network than ${network.name}: ${differs}`, help);
};

/**
 * The weights of `network` from the safetensors file `path`, whoever wrote it: every parameter must be there, finite and of the right
 * shape. Beside them only their optimiser state may stand, and the architecture that a checkpoint records must be that of `network`,
 * unless `anyNetwork` is set. Throws InputFileError.
 */
export const loadWeights = (
  path: string,
  network: Network,
  { anyNetwork = false }: { readonly anyNetwork?: boolean } = {},
): Map<string, Float32Array> => {
  const file = readSafetensors(
    readInputFile(path, 'weights', 'name a .safetensors file, e.g. one `lip train` wrote'),
    path,
  );
  const params = networkParams(network);
  if (!anyNetwork)
    refuseOther(
      path,
      file.metadata.architecture,
      network,
      `${SAME}; --any-network takes these weights all the same, for another function`,
    );
  const missing = params.filter(p => !file.tensors.has(p.path)).map(p => p.path);
  if (missing.length > 0)
    throw new InputFileError(
      `${path} lacks ${missing.length} of the ${params.length} parameters of ${network.name}: ${listed(missing)}`,
      'these weights belong to another network, or to another version of the file',
    );
  const used = new Set(params.map(p => p.path));
  const surplus = [...file.tensors.keys()].filter(name => !used.has(name.replace(/#[^#]*$/, '')));
  if (surplus.length > 0 && !anyNetwork)
    throw new InputFileError(
      `${path} has ${surplus.length} tensor${surplus.length === 1 ? '' : 's'} that ${network.name} does not: ${listed(surplus)}`,
      `these weights belong to another network: ${SAME}; --any-network ignores what is not needed`,
    );
  return new Map(
    params.map(p => {
      const t = file.tensors.get(p.path)!;
      if (!sameShape(t.shape, p.shape)) {
        throw new InputFileError(
          `${path}: tensor ${p.path} has shape [${t.shape.join(', ')}], but ${network.name} needs [${p.shape.join(', ')}]`,
          'these weights belong to another network: check its sizes and the --set options',
        );
      }
      return [p.path, f32(p.path, t, path)];
    }),
  );
};

/** Throws InputFileError unless `checkpoint` can go on as a run of `recipe` on `network` whose step keeps tensors of the shapes `needed`. */
export const checkResumable = (
  checkpoint: Checkpoint,
  path: string,
  recipe: TrainRecipe,
  network: Network,
  needed: ReadonlyMap<string, readonly number[]>,
): void => {
  if (checkpoint.network !== recipe.network) {
    throw new InputFileError(
      `${path} is a checkpoint of ${checkpoint.network}, but the recipe trains ${recipe.network}`,
    );
  }
  refuseOther(path, checkpoint.architecture, network, `${SAME}, or start anew without --resume`);
  const now = recipeFields(recipe);
  // With a constant rate the number of epochs only says where to stop; any other schedule is stretched over it.
  const binding = Object.keys(now).filter(k => k !== 'epochs' || now.schedule !== 'constant');
  const differing = binding.filter(k => checkpoint.recipe[k] !== now[k]);
  if (differing.length > 0) {
    const list = differing.map(k => `${k} was ${checkpoint.recipe[k] ?? 'not recorded'}, is ${now[k]}`).join('; ');
    throw new InputFileError(
      `${path} was written by a run with another recipe: ${list}`,
      'resume with the recipe it was started with (also --epochs and --seed), or start anew without --resume',
    );
  }
  for (const [name, shape] of needed) {
    const found = checkpoint.values.get(name);
    if (!found || found.data.length !== elements(shape) || !sameShape(found.shape, shape)) {
      throw new InputFileError(
        `${path}: ${name} is ${found ? `[${found.shape.join(', ')}]` : 'missing'}, but the run needs [${shape.join(', ')}]`,
        'the network has changed since the checkpoint was written',
      );
    }
  }
};
