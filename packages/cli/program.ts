import { LociError } from 'loci';
import type { Command } from './command.ts';
import { ask } from './commands/ask.ts';
import { bench } from './commands/bench.ts';
import { chat } from './commands/chat.ts';
import { compare } from './commands/compare.ts';
import { demo } from './commands/demo.ts';
import { heads } from './commands/heads.ts';
import { models } from './commands/models.ts';
import { papers } from './commands/papers.ts';
import { reproduce } from './commands/reproduce.ts';
import { run } from './commands/run.ts';
import { score } from './commands/score.ts';
import { sweep } from './commands/sweep.ts';
import { tokenize } from './commands/tokenize.ts';
import { train } from './commands/train.ts';
import { overview } from './options/help.ts';
import { usage } from './options/option.ts';
import { Interrupt } from './output/interrupt.ts';
import { Reporter } from './output/reporter.ts';
import manifest from './package.json' with { type: 'json' };

const commands: readonly Command[] = [
  ask,
  chat,
  run,
  tokenize,
  score,
  heads,
  compare,
  papers,
  reproduce,
  train,
  sweep,
  bench,
  models,
  demo,
];
const exitCodes = { failure: 1, usage: 2, interrupted: 130 } as const;

async function dispatch(args: readonly string[], reporter: Reporter): Promise<void> {
  const [name, ...rest] = args;
  if (name === '--version') return void process.stdout.write(`${manifest.version}\n`);
  if (name === '--help' || name === '-h' || name === 'help') return void process.stdout.write(overview(commands));
  const found = commands.find((known) => known.name === name);
  if (!found) {
    const names = commands.map((known) => known.name).join(', ');
    throw usage(
      name === undefined ? `no command; there are ${names}` : `unknown command "${name}"; there are ${names}`,
    );
  }
  if (rest.includes('--help') || rest.includes('-h')) return void process.stdout.write(found.help);
  const interrupt = new Interrupt();
  interrupt.listen();
  await found.run(rest, { reporter, interrupt });
}

/** Says what went wrong, in one line, and returns the exit code. */
function report(error: unknown, reporter: Reporter): number {
  const code = error instanceof LociError ? error.code : 'internal';
  const said = error instanceof Error ? error.message : String(error);
  const message = (code === 'aborted' && reporter.done !== '' ? `stopped ${reporter.done}` : said).replace(
    /\s*\n\s*/g,
    ' ',
  );
  reporter.document({ error: { code, message } });
  reporter.error(`loci: ${message}`);
  if (process.env['LOCI_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  if (code === 'aborted') return exitCodes.interrupted;
  return code === 'bad-option' ? exitCodes.usage : exitCodes.failure;
}

// A reader that goes away, such as `head`, has seen enough: there is nothing left to do and nothing to complain about.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    if (stream === process.stdout) process.stderr.write(`loci: the output cannot be written (${error.message})\n`);
    process.exit(exitCodes.failure);
  });
}

/** Runs the program with its arguments; the exit code is set when it ends. */
export async function program(args: readonly string[]): Promise<void> {
  const given = (option: string) =>
    args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).includes(option);
  const reporter = new Reporter({ json: given('--json'), quiet: given('--quiet') });
  try {
    await dispatch(args, reporter);
  } catch (error) {
    process.exitCode = report(error, reporter);
  }
}
