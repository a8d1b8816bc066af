/** The grammar, in chevrotain's notation. `Newline` tokens separate the statements of a block (see `insertNewlines`). */
import { CstParser, type IParserErrorMessageProvider, type IToken, type TokenType, tokenMatcher } from 'chevrotain';
import * as t from './tokens.ts';

/** All that can neither end nor separate statements, nor open or close a block. */
const SURPLUS: readonly TokenType[] = [
  ...t.KEYWORDS.filter(k => !t.ITEM_KEYWORDS.includes(k)),
  t.Identifier,
  t.NumberLiteral,
  t.StringLiteral,
  t.LParen,
  t.RParen,
  t.LBracket,
  t.RBracket,
  t.Equals,
  t.Colon,
  t.Transpose,
  t.Plus,
  t.Minus,
  t.Times,
  t.Divide,
];

/** What a value begins with, and no layer. */
const VALUE_STARTS: readonly TokenType[] = [t.NumberLiteral, t.LParen, t.Minus];
const BINARY: readonly TokenType[] = [t.Plus, t.Times, t.Divide, t.Transpose];

export class LipParser extends CstParser {
  constructor(errorMessageProvider: IParserErrorMessageProvider) {
    super(t.ALL_TOKENS, {
      recoveryEnabled: true,
      maxLookahead: 2,
      nodeLocationTracking: 'onlyOffset',
      errorMessageProvider,
    });
    this.performSelfAnalysis();
  }

  /** Recovery skips tokens but never makes one up: a made-up `}` would end a network in the middle. */
  override canTokenTypeBeInsertedInRecovery(): boolean {
    return false;
  }

  /** After `epochs 1000,` a name followed by a value opens the next statement: `epochs 1000, batch 256, seed 1`. */
  private opensStatement(first: IToken, second: IToken): boolean {
    if ([t.Residual, t.Transposed, t.Let].some(type => tokenMatcher(first, type))) return true;
    return (
      tokenMatcher(first, t.Identifier) &&
      (tokenMatcher(second, t.NumberLiteral) ||
        tokenMatcher(second, t.Identifier) ||
        tokenMatcher(second, t.StringLiteral))
    );
  }

  /**
   * Whether a value stands here, and no layer: a number, a bracket, a sign, or a name and an operator. `a - b` and `a-b` are
   * differences, `center -1/2` is a layer with a negative argument: the spaces tell.
   */
  private startsValue(): boolean {
    const [first, second, third] = [this.LA(1), this.LA(2), this.LA(3)];
    if (VALUE_STARTS.some(type => tokenMatcher(first, type))) return true;
    if (!tokenMatcher(first, t.Identifier)) return false;
    if (!tokenMatcher(second, t.Minus)) return BINARY.some(type => tokenMatcher(second, type));
    return first.endOffset! + 1 < second.startOffset === second.endOffset! + 1 < third.startOffset;
  }

  file = this.RULE('file', () => {
    this.MANY(() => this.OR([{ ALT: () => this.SUBRULE(this.item) }, { ALT: () => this.SUBRULE(this.definition) }]));
  });

  private item = this.RULE('item', () => {
    this.OR([
      { ALT: () => this.CONSUME(t.Network, { LABEL: 'keyword' }) },
      { ALT: () => this.CONSUME(t.Train, { LABEL: 'keyword' }) },
      { ALT: () => this.CONSUME(t.Certify, { LABEL: 'keyword' }) },
    ]);
    this.CONSUME(t.Identifier, { LABEL: 'name' });
    this.OPTION(() => {
      this.CONSUME(t.LParen);
      this.OPTION2(() => this.SUBRULE(this.args, { ARGS: [true] }));
      this.CONSUME(t.RParen);
    });
    this.MANY({ MAX_LOOKAHEAD: 1, DEF: () => this.SUBRULE(this.clause) });
    this.OPTION3(() => this.SUBRULE(this.surplus));
    this.OPTION4(() => this.SUBRULE(this.block));
  });

  private block = this.RULE('block', () => {
    this.CONSUME(t.LBrace);
    this.OPTION(() => {
      this.SUBRULE(this.line);
      this.MANY(() => {
        this.CONSUME(t.Newline);
        this.SUBRULE2(this.line);
      });
    });
    this.CONSUME(t.RBrace);
  });

  /** Apart from `block`, so that recovery skips to the end of the line and not to a comma in it. */
  private line = this.RULE('line', () => {
    this.SUBRULE(this.entry);
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.SUBRULE2(this.entry);
    });
  });

  private entry = this.RULE('entry', () => {
    this.OR({
      DEF: [
        { ALT: () => this.SUBRULE(this.naming) },
        { GATE: () => this.startsValue(), ALT: () => this.SUBRULE(this.value) },
        { ALT: () => this.SUBRULE(this.statement) },
      ],
      IGNORE_AMBIGUITIES: true,
    });
  });

  /** `let a = x |> dense 64 |> relu`; `let a, b = split(x)`. */
  private naming = this.RULE('naming', () => {
    this.CONSUME(t.Let);
    this.CONSUME(t.Identifier, { LABEL: 'name' });
    this.MANY(() => {
      this.CONSUME(t.Comma);
      this.CONSUME2(t.Identifier, { LABEL: 'name' });
    });
    this.CONSUME(t.Equals);
    this.SUBRULE(this.value);
  });

  /** A value and the layers that it goes through. */
  private value = this.RULE('value', () => {
    this.SUBRULE(this.expression);
    this.MANY({ MAX_LOOKAHEAD: 1, DEF: () => this.SUBRULE(this.clause) });
    this.OPTION(() => this.SUBRULE(this.surplus));
    this.MANY2(() => this.SUBRULE(this.stage));
  });

  private stage = this.RULE('stage', () => {
    this.CONSUME(t.Pipe);
    this.OPTION(() => this.OR([{ ALT: () => this.CONSUME(t.Residual) }, { ALT: () => this.CONSUME(t.Transposed) }]));
    this.CONSUME(t.Identifier, { LABEL: 'name' });
    this.OPTION2({ MAX_LOOKAHEAD: 1, DEF: () => this.SUBRULE(this.args, { ARGS: [false] }) });
    this.MANY({ MAX_LOOKAHEAD: 1, DEF: () => this.SUBRULE(this.clause) });
    this.OPTION3(() => this.SUBRULE(this.surplus));
  });

  private statement = this.RULE('statement', () => {
    this.OPTION(() => this.OR2([{ ALT: () => this.CONSUME(t.Residual) }, { ALT: () => this.CONSUME(t.Transposed) }]));
    this.OR([
      { ALT: () => this.CONSUME(t.Identifier, { LABEL: 'name' }) },
      { ALT: () => this.CONSUME(t.Budget, { LABEL: 'name' }) },
    ]);
    // One token decides: `surplus` only gets what cannot be an argument or a clause.
    this.OPTION2({ MAX_LOOKAHEAD: 1, DEF: () => this.SUBRULE(this.args, { ARGS: [false] }) });
    this.MANY({ MAX_LOOKAHEAD: 1, DEF: () => this.SUBRULE(this.clause) });
    this.OPTION3(() => this.SUBRULE(this.surplus));
    this.OPTION4(() =>
      this.OR3([
        { ALT: () => this.SUBRULE(this.block) },
        { ALT: () => this.AT_LEAST_ONE(() => this.SUBRULE(this.stage)) },
      ]),
    );
  });

  /** What stands behind a complete statement is an error. Read here, so that the block behind it is still the statement's own. */
  private surplus = this.RULE('surplus', () => {
    this.OR(SURPLUS.map(type => ({ ALT: () => this.consume(0, type, { LABEL: 'token' }) })));
    this.MANY(() =>
      this.OR2([...SURPLUS, t.Comma].map(type => ({ ALT: () => this.consume(1, type, { LABEL: 'token' }) }))),
    );
  });

  private clause = this.RULE('clause', () => {
    this.OR([
      { ALT: () => this.CONSUME(t.By, { LABEL: 'word' }) },
      { ALT: () => this.CONSUME(t.On, { LABEL: 'word' }) },
      { ALT: () => this.CONSUME(t.At, { LABEL: 'word' }) },
      { ALT: () => this.CONSUME(t.In, { LABEL: 'word' }) },
      { ALT: () => this.CONSUME(t.To, { LABEL: 'word' }) },
      { ALT: () => this.CONSUME(t.Budget, { LABEL: 'word' }) },
    ]);
    this.SUBRULE(this.expression);
  });

  private definition = this.RULE('definition', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.LayerWord, { LABEL: 'keyword' });
          this.OPTION(() => this.CONSUME(t.Residual));
        },
      },
      { ALT: () => this.CONSUME(t.RescalingWord, { LABEL: 'keyword' }) },
    ]);
    this.CONSUME(t.Identifier, { LABEL: 'name' });
    this.SUBRULE(this.fields);
    this.OPTION2(() => this.SUBRULE2(this.fields));
    this.OPTION3(() => {
      this.CONSUME(t.By);
      this.CONSUME2(t.Identifier, { LABEL: 'by' });
    });
    this.SUBRULE(this.formulas);
  });

  private fields = this.RULE('fields', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.field);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.field);
      });
    });
    this.CONSUME(t.RParen);
  });

  private field = this.RULE('field', () => {
    this.CONSUME(t.Identifier, { LABEL: 'name' });
    this.OPTION(() => {
      this.CONSUME(t.Colon);
      this.SUBRULE(this.reference, { LABEL: 'type' });
    });
    this.OPTION2(() => {
      this.CONSUME(t.Equals);
      this.SUBRULE(this.expression);
    });
  });

  /** The block of a definition. */
  private formulas = this.RULE('formulas', () => {
    this.CONSUME(t.LBrace);
    this.OPTION(() => {
      this.SUBRULE(this.formula);
      this.MANY(() => {
        this.CONSUME(t.Newline);
        this.SUBRULE2(this.formula);
      });
    });
    this.CONSUME(t.RBrace);
  });

  private formula = this.RULE('formula', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.ParamWord, { LABEL: 'word' });
          this.SUBRULE(this.field);
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.Let, { LABEL: 'word' });
          this.CONSUME(t.Identifier, { LABEL: 'name' });
          this.CONSUME(t.Equals);
          this.SUBRULE(this.expression);
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.ReturnWord, { LABEL: 'word' });
          this.SUBRULE2(this.expression);
        },
      },
    ]);
    this.OPTION(() => this.SUBRULE(this.condition));
    this.OPTION2(() => this.SUBRULE(this.surplus));
  });

  /** `when bias`, `when side = out`. */
  private condition = this.RULE('condition', () => {
    this.CONSUME(t.WhenWord);
    this.CONSUME(t.Identifier, { LABEL: 'option' });
    this.OPTION(() => {
      this.CONSUME(t.Equals);
      this.SUBRULE(this.reference, { LABEL: 'value' });
    });
  });

  /** `bracketed`: inside parentheses a comma always goes on with the next argument. */
  private args = this.RULE('args', (bracketed: boolean = true) => {
    this.SUBRULE(this.arg);
    this.MANY({
      GATE: () => bracketed || !this.opensStatement(this.LA(2), this.LA(3)),
      DEF: () => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.arg);
      },
    });
  });

  private arg = this.RULE('arg', () => {
    this.OPTION({
      GATE: () => tokenMatcher(this.LA(2), t.Equals),
      DEF: () => {
        this.CONSUME(t.Identifier, { LABEL: 'name' });
        this.CONSUME(t.Equals);
      },
    });
    this.SUBRULE(this.expression);
  });

  expression = this.RULE('expression', () => {
    this.SUBRULE(this.product, { LABEL: 'operand' });
    this.MANY(() => {
      this.OR([
        { ALT: () => this.CONSUME(t.Plus, { LABEL: 'operator' }) },
        { ALT: () => this.CONSUME(t.Minus, { LABEL: 'operator' }) },
      ]);
      this.SUBRULE2(this.product, { LABEL: 'operand' });
    });
  });

  private product = this.RULE('product', () => {
    this.SUBRULE(this.factor, { LABEL: 'operand' });
    this.MANY(() => {
      this.OR([
        { ALT: () => this.CONSUME(t.Times, { LABEL: 'operator' }) },
        { ALT: () => this.CONSUME(t.Divide, { LABEL: 'operator' }) },
      ]);
      this.SUBRULE2(this.factor, { LABEL: 'operand' });
    });
  });

  private factor = this.RULE('factor', () => {
    this.MANY(() => this.CONSUME(t.Minus));
    this.OR([
      { ALT: () => this.CONSUME(t.NumberLiteral) },
      { ALT: () => this.CONSUME(t.StringLiteral) },
      { ALT: () => this.SUBRULE(this.reference) },
      { ALT: () => this.SUBRULE(this.list) },
      { ALT: () => this.SUBRULE(this.tuple) },
    ]);
    this.MANY2(() => this.CONSUME(t.Transpose));
  });

  /** A name, a call or a typed shape. `in` is a clause word, but also the value of `side = in`. */
  private reference = this.RULE('reference', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.Identifier, { LABEL: 'name' });
          this.OPTION(() =>
            this.OR2([{ ALT: () => this.SUBRULE(this.tuple) }, { ALT: () => this.SUBRULE(this.list) }]),
          );
        },
      },
      { ALT: () => this.CONSUME(t.In, { LABEL: 'name' }) },
    ]);
  });

  private tuple = this.RULE('tuple', () => {
    this.CONSUME(t.LParen);
    this.OPTION(() => this.SUBRULE(this.args, { ARGS: [true] }));
    this.CONSUME(t.RParen);
  });

  private list = this.RULE('list', () => {
    this.CONSUME(t.LBracket);
    this.OPTION(() => {
      this.SUBRULE(this.expression);
      this.MANY(() => {
        this.CONSUME(t.Comma);
        this.SUBRULE2(this.expression);
      });
    });
    this.CONSUME(t.RBracket);
  });
}
