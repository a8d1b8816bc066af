/** The command `lip`. Each command lives in its own file and is registered here. */
import { register as build } from './commands/build.ts';
import { register as certify } from './commands/certify.ts';
import { register as check } from './commands/check.ts';
import { register as doctor } from './commands/doctor.ts';
import { register as explain } from './commands/explain.ts';
import { register as fmt } from './commands/fmt.ts';
import { register as graph } from './commands/graph.ts';
import { register as init } from './commands/init.ts';
import { register as prove } from './commands/prove.ts';
import { register as start } from './commands/start.ts';
import { register as train } from './commands/train.ts';
import { register as verify } from './commands/verify.ts';
import { EXIT } from './errors.ts';
import { describeBug, run } from './run.ts';

// A reader that stops early (`lip … | head`) is no failure.
process.stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EPIPE') throw e;
  process.exit(0);
});

// What escapes from a callback escapes from `run` as well.
process.on('uncaughtException', e => {
  process.stderr.write(`lip: ${describeBug(e)}\n`);
  process.exit(EXIT.bug);
});

process.exitCode = await run(process.argv.slice(2), [
  start,
  check,
  explain,
  train,
  certify,
  prove,
  verify,
  build,
  fmt,
  graph,
  init,
  doctor,
]);
