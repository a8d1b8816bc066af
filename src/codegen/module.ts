/** Emits a network as an ES module with types and a weights file, for any host that has WebGPU. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Project, StructureKind, VariableDeclarationKind } from 'ts-morph';
import type { Plan } from '../runtime/plan.ts';
import type { Artifact, Profile, Segment, StoredPlan } from './artifact.ts';

export interface ModuleSource {
  /** A JavaScript identifier; also the name of the files. */
  readonly name: string;
  readonly inputShape: readonly number[];
  readonly batch: number;
  /** Without parameters: weights are folded into literals. Input "x" [batch, …inputShape]. */
  readonly plans: Readonly<Record<Profile, Plan>>;
  readonly output: { readonly name: string; readonly size: number };
  readonly bound: string;
  /** See `HeadGeometry`; absent for a network without a head. */
  readonly squaredSlopes?: Float64Array;
}

export interface EmittedModule {
  /** `NAME.js` */
  readonly code: string;
  /** `NAME.d.ts` */
  readonly types: string;
  /** `NAME.bin` */
  readonly weights: Uint8Array;
  readonly sha256: string;
}

/** Lays tensors out in one file; equal contents are stored once. */
const createWeightsFile = () => {
  const parts: Uint8Array[] = [];
  const known = new Map<string, Segment>();
  let end = 0;
  return {
    add: (data: Float32Array | Float64Array): Segment => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      const key = createHash('sha256').update(bytes).digest('hex');
      const found = known.get(key);
      if (found) return found;
      const segment = { offset: end, length: bytes.length };
      known.set(key, segment);
      parts.push(bytes);
      // The next one starts at a multiple of 8, so that f64 views are aligned.
      const padding = -bytes.length & 7;
      if (padding > 0) parts.push(new Uint8Array(padding));
      end += bytes.length + padding;
      return segment;
    },
    finish: (): Uint8Array => {
      const out = new Uint8Array(end);
      let at = 0;
      for (const p of parts) {
        out.set(p, at);
        at += p.length;
      }
      return out;
    },
  };
};

/** The runtime's source in a checkout, or its bundle in the installed package, which lies beside the command's. */
const findRuntime = (): string => {
  const candidates = ['./module-runtime.ts', './module-runtime.js'].map(f =>
    fileURLToPath(new URL(f, import.meta.url)),
  );
  const found = candidates.find(f => existsSync(f));
  if (!found) throw new Error(`the module runtime is missing: ${candidates.join(', ')}`);
  return found;
};

const list = (shape: readonly number[]): string => shape.join('×');

/** The declaration file. */
export const declareModule = (source: ModuleSource): string => {
  const { name, inputShape, output, squaredSlopes } = source;
  const project = new Project({ useInMemoryFileSystem: true });
  const hasHead = squaredSlopes !== undefined;
  const shape = `readonly [${inputShape.join(', ')}]`;
  const inputSize = inputShape.reduce((a, b) => a * b, 1);
  const file = project.createSourceFile(`${name}.d.ts`, {
    statements: [
      {
        kind: StructureKind.Interface,
        name: 'LoadOptions',
        isExported: true,
        properties: [
          {
            name: 'weights',
            type: 'ArrayBuffer | URL | string',
            hasQuestionToken: true,
            isReadonly: true,
            docs: [
              `The weights file, if \`${name}.bin\` does not lie beside the module: its bytes, or where to fetch it.`,
            ],
          },
          {
            name: 'profile',
            type: "'software' | 'gpu'",
            hasQuestionToken: true,
            isReadonly: true,
            docs: ["Which kernels to use; by default those for the device's kind of adapter."],
          },
        ],
      },
      ...(hasHead
        ? [
            {
              kind: StructureKind.Interface as const,
              name: 'Certificate',
              isExported: true,
              properties: [
                {
                  name: 'label',
                  type: 'number',
                  isReadonly: true,
                  docs: ['The class with the largest logit; −1 if a logit is NaN or infinite.'],
                },
                {
                  name: 'radius',
                  type: 'number',
                  isReadonly: true,
                  docs: [
                    'No perturbation of ℓ2 norm below this changes the label; 0 on a tie, and where the label is −1.',
                  ],
                },
              ],
            },
          ]
        : []),
      {
        kind: StructureKind.Interface,
        name,
        isExported: true,
        methods: [
          {
            name: 'run',
            parameters: [{ name: 'x', type: 'Float32Array' }],
            returnType: 'Promise<Float32Array>',
            docs: [
              `${hasHead ? 'Logits' : 'Features'} (n × ${output.size}) of n examples (n × ${list(inputShape)}, row-major: ${inputSize} entries each).`,
            ],
          },
          ...(hasHead
            ? [
                {
                  name: 'certify',
                  parameters: [{ name: 'logits', type: 'Float32Array' }],
                  returnType: 'Certificate[]',
                  docs: [
                    'Label and certified ℓ2 radius per row of logits, pairwise through the head, in units of the input.',
                  ],
                },
              ]
            : []),
          { name: 'destroy', returnType: 'void', docs: ["Frees the network's buffers; the device stays open."] },
        ],
      },
      {
        kind: StructureKind.VariableStatement,
        isExported: true,
        declarationKind: VariableDeclarationKind.Const,
        hasDeclareKeyword: true,
        declarations: [{ name: 'inputShape', type: shape }],
        docs: ['Shape of one example.'],
      },
      {
        kind: StructureKind.VariableStatement,
        isExported: true,
        declarationKind: VariableDeclarationKind.Const,
        hasDeclareKeyword: true,
        declarations: [{ name: hasHead ? 'classes' : 'features', type: String(output.size) }],
      },
      {
        kind: StructureKind.VariableStatement,
        isExported: true,
        declarationKind: VariableDeclarationKind.Const,
        hasDeclareKeyword: true,
        declarations: [{ name: 'bound', type: JSON.stringify(source.bound) }],
        docs: [
          `The proven Lipschitz bound of the network${hasHead ? ' up to its head' : ''}, for these and all other weights.`,
        ],
      },
      {
        kind: StructureKind.Function,
        isExported: true,
        hasDeclareKeyword: true,
        name: 'load',
        parameters: [
          { name: 'device', type: 'GPUDevice' },
          { name: 'options', type: 'LoadOptions', hasQuestionToken: true },
        ],
        returnType: `Promise<${name}>`,
        docs: ['Reads the weights, checks their hash, compiles the kernels on `device`.'],
      },
    ],
  });
  file.formatText({ indentSize: 2 });
  return file.getFullText();
};

/** Literals of parameter-free `plan` moved to the weights file. */
const storePlan = (plan: Plan, add: (data: Float32Array) => Segment): StoredPlan => {
  const { literals, params, ...rest } = plan;
  const paths = Object.keys(params);
  if (paths.length > 0) throw new Error(`the plan of a module still has parameters: ${paths.join(', ')}`);
  return { ...rest, literals: literals.map(l => ({ buffer: l.buffer, ...add(Float32Array.from(l.data)) })) };
};

/** Bundles `source` into the three files of a module. */
export const emitModule = async (source: ModuleSource): Promise<EmittedModule> => {
  const { name, output, squaredSlopes } = source;
  const file = createWeightsFile();
  const slopes = squaredSlopes && file.add(squaredSlopes);
  const plans = {
    software: storePlan(source.plans.software, file.add),
    gpu: storePlan(source.plans.gpu, file.add),
  };
  const weights = file.finish();
  const sha256 = createHash('sha256').update(weights).digest('hex');
  const artifact: Artifact = {
    name,
    inputShape: source.inputShape,
    batch: source.batch,
    output: output.name,
    outputSize: output.size,
    bound: source.bound,
    sha256,
    plans,
    ...(slopes ? { squaredSlopes: slopes } : {}),
  };
  const runtime = findRuntime();
  // Bundlers know `new URL(…, import.meta.url)` as an asset and carry the weights along.
  const entry = `
import { loadNetwork } from ${JSON.stringify(runtime)};
const artifact = ${JSON.stringify(artifact)};
export const inputShape = ${JSON.stringify(source.inputShape)};
export const ${slopes ? 'classes' : 'features'} = ${output.size};
export const bound = ${JSON.stringify(source.bound)};
export const load = (device, options) =>
  loadNetwork(artifact, device, new URL(${JSON.stringify(`./${name}.bin`)}, import.meta.url), options);
`;
  const bundled = await build({
    stdin: { contents: entry, resolveDir: dirname(runtime), sourcefile: `${name}.js`, loader: 'js' },
    // Comments name sources relative to this, so that the output does not depend on where it was made.
    absWorkingDir: dirname(runtime),
    bundle: true,
    write: false,
    platform: 'neutral',
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    banner: { js: `// ${name}: ${source.bound}-Lipschitz, weights ${sha256.slice(0, 16)}…` },
  });
  return { code: bundled.outputFiles[0].text, types: declareModule(source), weights, sha256 };
};
