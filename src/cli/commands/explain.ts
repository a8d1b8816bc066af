/** `lip explain CODE`: what a diagnostic means, with an example that gives it and one that does not. `lip explain dense`: its definition. */
import type { Command } from 'commander';
import { DIAGNOSTIC_CODES, type DiagnosticPage, isDiagnosticCode } from '../../diagnostic-codes.ts';
import { libraryDefinitions } from '../../library.ts';
import { nearest } from '../../parser/suggest.ts';
import { LAYER_STATEMENTS } from '../../passes/resolve/resolve-statements.ts';
import { CliError, EXIT } from '../errors.ts';
import { fill } from '../wrap.ts';

const indent = (text: string): string =>
  text
    .replace(/\n$/, '')
    .split('\n')
    .map(l => (l === '' ? '' : `    ${l}`))
    .join('\n');

/** Layers that are not written in the language have no page of their own. */
const inBuilt = (name: string): string | undefined => {
  if (!Object.hasOwn(LAYER_STATEMENTS, name)) return undefined;
  const pages = new Set(libraryDefinitions().map(d => d.definition.name.text));
  return `\`${name}\` is a layer built into the compiler: README.md says what it is; definitions to read have ${[...pages].join(', ')}`;
};

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

export const register = (program: Command): void => {
  program
    .command('explain')
    .description('say what a diagnostic code means, or show a layer of the library; without either, list all codes')
    .argument('[code or layer]', 'e.g. L0101, dense, sll')
    .option('--json', 'print as JSON')
    .action((given: string | undefined, options: { json?: boolean }) => {
      if (given === undefined) {
        const all = Object.entries(DIAGNOSTIC_CODES).map(([code, page]) => ({ code, title: page.title }));
        process.stdout.write(
          options.json ? `${JSON.stringify(all, null, 2)}\n` : `${all.map(a => `${a.code}  ${a.title}`).join('\n')}\n`,
        );
        return;
      }
      const code = given.toUpperCase();
      const named = libraryDefinitions().filter(d => d.definition.name.text === given);
      if (named.length > 0) {
        const definitions = named.map(({ file, source }) => ({ file, source }));
        process.stdout.write(
          options.json
            ? `${JSON.stringify({ name: given, definitions }, null, 2)}\n`
            : `${named.map(d => d.source).join('\n\n')}\n`,
        );
        return;
      }
      if (!isDiagnosticCode(code)) {
        const near = nearest(code, Object.keys(DIAGNOSTIC_CODES));
        throw new CliError(
          `there is no diagnostic ${given}`,
          EXIT.usage,
          inBuilt(given) ?? (near ? `did you mean ${near}? \`lip explain\` lists all` : '`lip explain` lists all'),
        );
      }
      const page: DiagnosticPage = DIAGNOSTIC_CODES[code];
      process.stdout.write(options.json ? `${JSON.stringify({ code, ...page }, null, 2)}\n` : explainPage(code, page));
    });
};
