/**
 * The syntax tree. The grammar knows no layer and no option: a statement is a name with arguments, clauses and perhaps a block, and
 * `passes/resolve.ts` gives names their meaning. Nodes of a file with syntax errors are whole; what could not be read is left out.
 */
import type { Span } from '../diagnostics.ts';
import type { Rational } from '../ir/rational.ts';

export interface Name {
  readonly text: string;
  readonly span: Span;
}

export type BinaryOperator = '+' | '-' | '*' | '/';

export type Expr =
  | { readonly kind: 'number'; readonly value: Rational; readonly text: string; readonly span: Span }
  | { readonly kind: 'string'; readonly value: string; readonly span: Span }
  | { readonly kind: 'name'; readonly name: string; readonly span: Span }
  /** `crop(4, reflect)`. */
  | { readonly kind: 'call'; readonly callee: Name; readonly args: readonly Arg[]; readonly span: Span }
  /** `image[1, 28, 28]`. */
  | { readonly kind: 'typed'; readonly type: Name; readonly dims: readonly Expr[]; readonly span: Span }
  | { readonly kind: 'list'; readonly items: readonly Expr[]; readonly span: Span }
  /** `(a, b = 2)`: arguments in parentheses. `(a)` alone is just `a`. */
  | { readonly kind: 'tuple'; readonly args: readonly Arg[]; readonly span: Span }
  | { readonly kind: 'negate'; readonly operand: Expr; readonly span: Span }
  /** `Wᵀ`. */
  | { readonly kind: 'transpose'; readonly operand: Expr; readonly span: Span }
  | {
      readonly kind: 'binary';
      readonly op: BinaryOperator;
      readonly left: Expr;
      readonly right: Expr;
      readonly span: Span;
    };

/** A positional argument, or `name = value`. */
export interface Arg {
  readonly name?: Name;
  readonly value: Expr;
  readonly span: Span;
}

export type ClauseWord = 'by' | 'on' | 'at' | 'in' | 'to' | 'budget';

export interface Clause {
  readonly word: ClauseWord;
  readonly wordSpan: Span;
  readonly value: Expr;
  readonly span: Span;
}

export interface Statement {
  /** The word `residual`, where it stands. */
  readonly residual?: Span;
  /** The word `transposed`, where it stands in its place. */
  readonly transposed?: Span;
  readonly name: Name;
  readonly args: readonly Arg[];
  readonly clauses: readonly Clause[];
  readonly body?: readonly Entry[];
  readonly span: Span;
}

/**
 * A value and the layers it goes through, perhaps with names for what comes out: `let a = x |> dense 64 |> relu`, `1/2 * a - b`,
 * `a |> relu`. Without a source the first stage may be a value as well: names decide.
 */
export interface Pipeline {
  /** More than one for the parts of a value. */
  readonly names?: readonly Name[];
  readonly source?: Expr;
  /** Behind the source. */
  readonly clauses: readonly Clause[];
  /** Without blocks. */
  readonly stages: readonly Statement[];
  readonly span: Span;
}

/** An entry of a block. */
export type Entry = Statement | Pipeline;

export const isPipeline = (e: Entry): e is Pipeline => 'stages' in e;

export type ItemKeyword = 'network' | 'train' | 'certify';

/** `network Name(a = 1) by sll { … }`, `train Name on data { … }`, `certify Name on data at […]`. */
export interface Item {
  readonly keyword: ItemKeyword;
  readonly name: Name;
  readonly params: readonly Arg[];
  readonly clauses: readonly Clause[];
  readonly body?: readonly Entry[];
  readonly span: Span;
}

/** `act: slope[0, 1] = relu`: an option, the input or a parameter of a definition. */
export interface Field {
  readonly name: Name;
  readonly type?: Expr;
  readonly value?: Expr;
  readonly span: Span;
}

/** `when bias`, `when side = out`: the line counts for these values of an option only. */
export interface Condition {
  readonly option: Name;
  readonly value?: Name;
  readonly span: Span;
}

export type DefinitionStatement =
  /** `param W: mat[n, hidden] = xavier`. */
  | { readonly kind: 'param'; readonly field: Field; readonly when?: Condition; readonly span: Span }
  | {
      readonly kind: 'let';
      readonly name: Name;
      readonly value: Expr;
      readonly when?: Condition;
      readonly span: Span;
    }
  | { readonly kind: 'return'; readonly value: Expr; readonly when?: Condition; readonly span: Span };

/** `layer name(options) (x: vec[n]) by rescale { … }`, `layer residual name …`, `rescaling name(options) (G: gram[m]) { … }`. */
export interface Definition {
  readonly form: 'layer' | 'rescaling';
  /** The word `residual`, where it stands. */
  readonly residual?: Span;
  /** The name that the definition gives to the rescaling chosen at its use. */
  readonly by?: Name;
  readonly name: Name;
  readonly options: readonly Field[];
  /** Empty, or more than one, only in a definition to be refused. */
  readonly inputs: readonly Field[];
  readonly body: readonly DefinitionStatement[];
  readonly span: Span;
}

export interface Comment {
  readonly text: string;
  readonly span: Span;
  /** True when nothing but space stands before it on its line. */
  readonly ownLine: boolean;
}

export interface FileNode {
  readonly items: readonly Item[];
  /** `layer` definitions, which may stand before or behind their uses. */
  readonly definitions: readonly Definition[];
  readonly comments: readonly Comment[];
  /** Where the text could not be read as the grammar says. What follows inside the same item may lack something. */
  readonly broken: readonly Span[];
  /** True when parts were left out on purpose (L0001, L0004): names may then be missing that the text defines. */
  readonly incomplete: boolean;
  readonly span: Span;
}
