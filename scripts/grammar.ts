/** Writes grammar/: npm run grammar. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { generateGrammar } from './grammar/generate.ts';

const folder = resolve(process.argv[1], '../../grammar');
mkdirSync(folder, { recursive: true });
for (const [name, text] of Object.entries(generateGrammar())) writeFileSync(join(folder, name), text);
