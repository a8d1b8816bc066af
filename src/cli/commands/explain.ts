/** `lip explain WORD`: the page of a diagnostic, the definition of a layer of the library, what a word of the language or a rule says. */
import type { Command } from 'commander';
import { DIAGNOSTIC_CODES, type DiagnosticPage, isDiagnosticCode } from '../../diagnostic-codes.ts';
import { libraryDefinitions } from '../../library.ts';
import { nearest } from '../../parser/suggest.ts';
import { layerElsewhere, rescalingElsewhere } from '../../passes/resolve/elsewhere.ts';
import { type RuleName, ruleNames, ruleOf } from '../../proof/rules.ts';
import { WORD_PAGES, type WordPage } from '../../word-pages.ts';
import { CliError, EXIT } from '../errors.ts';
import { fill } from '../wrap.ts';

const indent = (text: string): string =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map(l => (l === '' ? '' : `    ${l}`))
    .join('\n');

/** The page of a code as plain text. */
export const explainPage = (code: string, page: DiagnosticPage): string => {
  const example = (title: string, e: DiagnosticPage['wrong']): string => {
    const options = [
      ...Object.entries(e.options?.set ?? {}).map(([k, v]) => `--set ${k}=${v}`),
      ...(e.options?.by === undefined ? [] : [`--by "${e.options.by}"`]),
    ];
    return `${title}${options.length > 0 ? ` (with ${options.join(' ')})` : ''}:\n\n${indent(e.shown ?? e.source)}\n`;
  };
  return [
    `${code}: ${page.title}\n`,
    `${fill(page.why)}\n`,
    example('Wrong', page.wrong),
    example('Right', page.right),
  ].join('\n');
};

const rulePage = (name: RuleName): string => {
  const { statement, source, coq } = ruleOf(name);
  return `${fill(`Rule ${name}: ${statement}.`)}\n\n${indent(fill(source))}\n    [Coq ${coq}]\n`;
};

const wordPage = (name: string, { kind, what, input, use, rules = [] }: WordPage): string =>
  [
    `${name}: ${kind}\n`,
    `${fill(what)}\n`,
    `On \`${input}\`:\n\n${indent(use.join('\n'))}\n`,
    ...rules.map(rulePage),
  ].join('\n');

/** Everything that a word means, in the order in which it is printed. */
interface Found {
  readonly code?: { readonly code: string; readonly page: DiagnosticPage };
  readonly word?: WordPage;
  readonly definitions: ReturnType<typeof libraryDefinitions>;
  readonly rule?: RuleName;
}

const find = (given: string): Found => {
  const code = given.toUpperCase();
  const name = given.replace(/^(residual|transposed) /, '');
  const rule = ruleNames.find(r => r === given);
  return {
    ...(isDiagnosticCode(code) ? { code: { code, page: DIAGNOSTIC_CODES[code] } } : {}),
    ...(Object.hasOwn(WORD_PAGES, name) ? { word: WORD_PAGES[name] } : {}),
    definitions: libraryDefinitions().filter(d => d.definition.name.text === name),
    ...(rule ? { rule } : {}),
  };
};

/** A word that is none of ours, with what other tools mean by it, or with what may have been meant. */
const unknown = (given: string): CliError => {
  const elsewhere = layerElsewhere(given) ?? rescalingElsewhere(given);
  const codes = Object.keys(DIAGNOSTIC_CODES);
  const words = [...Object.keys(WORD_PAGES), ...libraryDefinitions().map(d => d.definition.name.text), ...ruleNames];
  const near = /^l?\d+$/i.test(given) ? nearest(given.toUpperCase(), codes) : nearest(given, words);
  const help =
    elsewhere === undefined
      ? `${near ? `did you mean ${near}? ` : ''}\`lip explain\` lists all`
      : typeof elsewhere === 'string'
        ? elsewhere
        : elsewhere.text;
  return new CliError(`there is no diagnostic, word or rule ${given}`, EXIT.usage, help);
};

const list = (): string => {
  const names = (all: readonly string[]): string => indent(fill([...new Set(all)].join(', ')));
  return [
    ...Object.entries(DIAGNOSTIC_CODES).map(([code, page]) => `${code}  ${page.title}`),
    `\nWords of the language\n\n${names([...Object.keys(WORD_PAGES)].sort())}`,
    `\nDefinitions of the library\n\n${names(libraryDefinitions().map(d => d.definition.name.text))}`,
    `\nRules of the prover\n\n${names(ruleNames)}\n`,
  ].join('\n');
};

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

export const register = (program: Command): void => {
  program
    .command('explain')
    .description('say what a diagnostic, a word of the language or a rule of the prover means; without one, list all')
    .argument('[word...]', 'e.g. L0101, maxmin, dense, residual conv, gershgorin')
    .option('--json', 'print as JSON')
    .action((words: readonly string[], options: { json?: boolean }) => {
      if (words.length === 0) {
        const all = Object.entries(DIAGNOSTIC_CODES).map(([code, page]) => ({ code, title: page.title }));
        process.stdout.write(options.json ? json(all) : list());
        return;
      }
      const given = words.join(' ');
      const { code, word, definitions, rule } = find(given);
      if (!code && !word && definitions.length === 0 && !rule) throw unknown(given);
      if (code) {
        process.stdout.write(
          options.json ? json({ code: code.code, ...code.page }) : explainPage(code.code, code.page),
        );
        return;
      }
      if (options.json) {
        process.stdout.write(
          json({
            name: given,
            ...(word ? { word } : {}),
            ...(definitions.length > 0
              ? { definitions: definitions.map(({ file, source }) => ({ file, source })) }
              : {}),
            ...(rule ? { rule: { name: rule, ...ruleOf(rule) } } : {}),
          }),
        );
        return;
      }
      const shown = new Set(word?.rules ?? []);
      process.stdout.write(
        [
          ...definitions.map(d => `${d.source}\n`),
          ...(word ? [wordPage(given, word)] : []),
          ...(rule && !shown.has(rule) ? [rulePage(rule)] : []),
        ].join('\n'),
      );
    });
};
