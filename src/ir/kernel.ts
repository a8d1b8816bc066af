/**
 * Kernel IR: what one dispatch does, neutral of the target: a nest of output loops, possibly a nest of reduction loops, scalar
 * expressions over loads, and stores. Storage is named by a number; roles, sizes and paths are in `Storage`.
 */
import type { Condition, Index } from './index-expr.ts';
import type { BinaryOp, Dims, UnaryOp } from './tensor.ts';

export type StorageId = number;

export interface Storage {
  readonly id: StorageId;
  readonly role: 'temp' | 'param' | 'input' | 'output' | 'literal';
  readonly shape: Dims;
  /** Name of an input, path of a param. */
  readonly name?: string;
  /** Contents of a literal. */
  readonly data?: ArrayLike<number>;
}

/** A scalar, f32. Shared subtrees are shared objects. */
export type Expr =
  | { readonly kind: 'const'; readonly value: number }
  /** An index as a number. */
  | { readonly kind: 'index'; readonly index: Index }
  /** In bounds whenever the conditions of the enclosing guards hold. */
  | { readonly kind: 'load'; readonly storage: StorageId; readonly index: Index }
  /** The finished reduction, in the stores of a reduce kernel. */
  | { readonly kind: 'acc' }
  | { readonly kind: 'unary'; readonly op: UnaryOp; readonly a: Expr }
  | { readonly kind: 'binary'; readonly op: BinaryOp; readonly a: Expr; readonly b: Expr }
  | { readonly kind: 'select'; readonly c: Expr; readonly a: Expr; readonly b: Expr }
  /** `value` where all conditions hold, else `otherwise`. */
  | {
      readonly kind: 'guard';
      readonly conditions: readonly Condition[];
      readonly value: Expr;
      readonly otherwise: Expr;
    };

export interface LoopVar {
  readonly name: string;
  readonly extent: number;
}

/** The values of all stores at a point are computed before the first of them is written. */
interface Store {
  readonly storage: StorageId;
  readonly index: Index;
  readonly value: Expr;
}

/** A sum in blocks. */
export interface SumBlocks {
  /** Neighbouring terms of an unrolled turn that are added up before the rest. */
  readonly group: number;
  /** So many turns of this loop, with all loops inside it, are added up to a part before the parts are. */
  readonly part?: { readonly loop: string; readonly turns: number };
}

/** How the loops of a kernel are laid over threads. Absent entries mean 1. */
export interface Tiling {
  /** Consecutive values of each output variable that one thread computes in registers. */
  readonly tile: Readonly<Record<string, number>>;
  /** How often each reduction loop is unrolled; divides the extent. */
  readonly unroll: Readonly<Record<string, number>>;
  /** Output variables, slowest first; threads of a workgroup are neighbours along the last. */
  readonly order: readonly string[];
  readonly workgroup: number;
  /** A product is computed in squares of this side, one a workgroup, through workgroup memory; the rest does not apply then. */
  readonly shared?: number;
  /** Of a sum: added up in blocks, rather than one term after the other. */
  readonly blocks?: SumBlocks;
}

export const NO_TILING: Tiling = { tile: {}, unroll: {}, order: [], workgroup: 64 };

interface Common {
  /** For people: which tensors it makes and by which rewrites. */
  readonly label: string;
}

export interface MapKernel extends Common {
  readonly kind: 'map';
  readonly out: readonly LoopVar[];
  readonly stores: readonly Store[];
  readonly tiling: Tiling;
}

/** Matrix products and convolutions are sums too: their body is a product of two loads. */
export interface ReduceKernel extends Common {
  readonly kind: 'reduce';
  readonly op: 'sum' | 'max';
  readonly out: readonly LoopVar[];
  readonly over: readonly LoopVar[];
  readonly body: Expr;
  readonly stores: readonly Store[];
  readonly tiling: Tiling;
}

/** See the primitive of the same name; `outer`·`inner` groups of `group` entries that lie `inner` apart. */
export interface SortKernel extends Common {
  readonly kind: 'sortPermute';
  readonly keys: StorageId;
  readonly values: StorageId;
  readonly target: StorageId;
  readonly outer: number;
  readonly group: number;
  readonly inner: number;
  readonly inverse: boolean;
}

/** `batch` matrices of n×n, one workgroup each. */
export interface InverseKernel extends Common {
  readonly kind: 'inverse';
  readonly of: 'matrix' | 'cholesky';
  readonly source: StorageId;
  readonly target: StorageId;
  readonly batch: number;
  readonly n: number;
}

export type Kernel = MapKernel | ReduceKernel | SortKernel | InverseKernel;

/** The WebGPU limits that shape kernels. */
export interface TargetLimits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
}

export interface Target {
  /** 'software': few cores, SIMD lanes, no fast workgroup memory (SwiftShader). */
  readonly profile: 'software' | 'gpu';
  readonly limits: TargetLimits;
  /** How a thread adds up the terms of a sum; one after the other when left out. */
  readonly sums?: 'in blocks';
}

/** `target` with sums in blocks, whose rounding errors are smaller: for networks with frozen weights. */
export const inBlocks = (target: Target): Target => ({ ...target, sums: 'in blocks' });

/** What every WebGPU implementation grants. */
export const DEFAULT_LIMITS: TargetLimits = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65535,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
};

const operands = (e: Expr): readonly Expr[] => {
  switch (e.kind) {
    case 'const':
    case 'index':
    case 'load':
    case 'acc':
      return [];
    case 'unary':
      return [e.a];
    case 'binary':
      return [e.a, e.b];
    case 'select':
      return [e.c, e.a, e.b];
    case 'guard':
      return [e.value, e.otherwise];
  }
};

/** Calls `visit` on every distinct node of an expression. */
export const walk = (root: Expr, visit: (e: Expr) => void, seen = new Set<Expr>()): void => {
  if (seen.has(root)) return;
  seen.add(root);
  visit(root);
  for (const e of operands(root)) walk(e, visit, seen);
};

/** The same expression with every node passed through `change` (undefined keeps it), bottom up, sharing kept. */
export const rewrite = (root: Expr, change: (e: Expr) => Expr | undefined, memo = new Map<Expr, Expr>()): Expr => {
  const known = memo.get(root);
  if (known) return known;
  const go = (e: Expr) => rewrite(e, change, memo);
  const rebuilt = ((): Expr => {
    switch (root.kind) {
      case 'const':
      case 'index':
      case 'load':
      case 'acc':
        return root;
      case 'unary':
        return { ...root, a: go(root.a) };
      case 'binary':
        return { ...root, a: go(root.a), b: go(root.b) };
      case 'select':
        return { ...root, c: go(root.c), a: go(root.a), b: go(root.b) };
      case 'guard':
        return { ...root, value: go(root.value), otherwise: go(root.otherwise) };
    }
  })();
  const out = change(rebuilt) ?? rebuilt;
  memo.set(root, out);
  return out;
};

/** Storages read by a kernel, each once. */
export const reads = (k: Kernel): Set<StorageId> => {
  switch (k.kind) {
    case 'sortPermute':
      return new Set([k.keys, k.values]);
    case 'inverse':
      return new Set([k.source]);
    case 'map':
    case 'reduce': {
      const found = new Set<StorageId>();
      const seen = new Set<Expr>();
      const note = (e: Expr) => e.kind === 'load' && found.add(e.storage);
      if (k.kind === 'reduce') walk(k.body, note, seen);
      for (const s of k.stores) walk(s.value, note, seen);
      return found;
    }
  }
};

export const writes = (k: Kernel): StorageId[] =>
  k.kind === 'map' || k.kind === 'reduce' ? k.stores.map(s => s.storage) : [k.target];

const printCondition = (c: Condition): string =>
  c.hi === c.lo + 1 ? `${c.index.key} == ${c.lo}` : `${c.lo} <= ${c.index.key} < ${c.hi}`;

const SYMBOL: Partial<Record<BinaryOp, string>> = { add: '+', sub: '-', mul: '*', div: '/', greater: '>', equal: '==' };

const printExpr = (e: Expr): string => {
  switch (e.kind) {
    case 'const':
      return `${e.value}`;
    case 'index':
      return `index(${e.index.key})`;
    case 'load':
      return `%${e.storage}[${e.index.key}]`;
    case 'acc':
      return 'acc';
    case 'unary':
      return `${e.op}(${printExpr(e.a)})`;
    case 'binary': {
      const symbol = SYMBOL[e.op];
      return symbol
        ? `(${printExpr(e.a)} ${symbol} ${printExpr(e.b)})`
        : `${e.op}(${printExpr(e.a)}, ${printExpr(e.b)})`;
    }
    case 'select':
      return `select(${printExpr(e.c)}, ${printExpr(e.a)}, ${printExpr(e.b)})`;
    case 'guard':
      return `(${e.conditions.map(printCondition).join(' and ')} ? ${printExpr(e.value)} : ${printExpr(e.otherwise)})`;
  }
};

const printVars = (vars: readonly LoopVar[], factor: Readonly<Record<string, number>>): string =>
  vars.map(v => `${v.name}<${v.extent}${(factor[v.name] ?? 1) > 1 ? `/${factor[v.name]}` : ''}`).join(', ');

const printBlocks = (blocks: SumBlocks | undefined): string => {
  if (!blocks) return '';
  const { group, part } = blocks;
  return ` in groups of ${group}${part ? ` and parts of ${part.turns} turns of ${part.loop}` : ''}`;
};

/** One line of head and one a store: `reduce sum (o0<8, o1<4) over (r0<16): %1[…] * %2[…]`. */
const printKernel = (k: Kernel): string => {
  switch (k.kind) {
    case 'map':
    case 'reduce': {
      const head =
        k.kind === 'map'
          ? `map (${printVars(k.out, k.tiling.tile)})`
          : `reduce ${k.op} (${printVars(k.out, k.tiling.tile)}) over (${printVars(k.over, k.tiling.unroll)})${k.tiling.shared ? ` in squares of ${k.tiling.shared}` : ''}${printBlocks(k.tiling.blocks)}: ${printExpr(k.body)}`;
      const stores = k.stores.map(s => `  %${s.storage}[${s.index.key}] = ${printExpr(s.value)}`);
      return [`${head}${k.label ? `   # ${k.label}` : ''}`, ...stores].join('\n');
    }
    case 'sortPermute':
      return `sortPermute${k.inverse ? ' inverse' : ''} %${k.target} = %${k.values} by %${k.keys} (${k.outer}x${k.group}x${k.inner})`;
    case 'inverse':
      return `inverse${k.of === 'cholesky' ? ' cholesky' : ''} %${k.target} = %${k.source} (${k.batch} of ${k.n}x${k.n})`;
  }
};

/**
 * The text of a kernel with its storages numbered in order of appearance: equal for kernels that do the same to other tensors.
 * `storages` are those numbered 0, 1, …
 */
export const workOf = (k: Kernel): { readonly text: string; readonly storages: readonly StorageId[] } => {
  const storages: StorageId[] = [];
  const text = printKernel({ ...k, label: '' }).replace(/%(\d+)/g, (_, digits) => {
    const id = Number(digits);
    if (!storages.includes(id)) storages.push(id);
    return `%${storages.indexOf(id)}`;
  });
  return { text: 'tiling' in k ? `${text} ${JSON.stringify(k.tiling)}` : text, storages };
};

export const printKernels = (kernels: readonly Kernel[]): string => `${kernels.map(printKernel).join('\n')}\n`;
