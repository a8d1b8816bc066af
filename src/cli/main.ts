/** The command `lip`. Each command lives in its own file and is registered here. */
import { register as attack } from './commands/attack.ts';
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
import { reportFailure, run } from './run.ts';
import { guardStreams } from './streams.ts';

guardStreams(process.stdout, process.stderr);

// What escapes from a callback escapes from `run` as well.
process.on('uncaughtException', e => {
  process.exit(reportFailure(e));
});

process.exitCode = await run(process.argv.slice(2), [
  start,
  check,
  explain,
  train,
  certify,
  attack,
  prove,
  verify,
  build,
  fmt,
  graph,
  init,
  doctor,
]);
