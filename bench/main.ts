/** `npm run bench -- SUITE …`; see README.md beside this file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { thisMachine } from '@loci/evaluate/machine';
import { busyProcessors, quietLimit, revisionOf } from './machine.ts';
import { installPeer } from './peer.ts';
import { cacheFolder, resultsFolder, root } from './places.ts';
import { report, section, targetTable } from './report/markdown.ts';
import { drawn } from './report/plot.ts';
import { type Result, readResults } from './report/result.ts';
import { checkout } from './revisions.ts';
import type { Bench, Suite } from './suite.ts';
import { suites } from './suites/index.ts';

const names = suites.map(({ name }): string => name);
const help = `Usage: npm run bench -- [SUITE …] [options]

Suites:
${suites.map(({ name, title }) => `  ${name.padEnd(10)}  ${title}`).join('\n')}
  all         Everything, in this order (default)

Options:
  --base REV     Compare this checkout with another revision of it, and with no peer
  --quick        Shorter prompts and 3 rounds; the figures go to bench/.cache
  --repeats N    Rounds (default 5)
  --threads N    Threads of every engine (default: one per processor, 2 at most)
  --to FOLDER    Where the figures go, beside those of another machine (default bench/results)
  --json         Print the results as one JSON document
  --help         Print this text
`;

const say = (line: string) => process.stderr.write(`bench: ${line}\n`);

// Children end with this process; see child.ts.
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));

try {
  await main();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  say(process.env['LOCI_DEBUG'] && error instanceof Error ? (error.stack ?? message) : message);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      base: { type: 'string' },
      quick: { type: 'boolean', default: false },
      repeats: { type: 'string' },
      threads: { type: 'string' },
      to: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(help);
  const chosen = chosenSuites(positionals);
  installPeer();
  const isOfficial = !values.quick && values.base === undefined;
  const bench: Omit<Bench, 'say'> = {
    quick: values.quick,
    repeats: whole('repeats', values.repeats ?? (values.quick ? '3' : '5'), 1000),
    threads: whole('threads', values.threads ?? String(Math.min(2, availableParallelism())), 64),
    root,
    base: values.base === undefined ? undefined : checkout(values.base),
  };
  const ownFolder = isOfficial ? resultsFolder : join(cacheFolder, bench.base ? `against-${bench.base.name}` : 'quick');
  const folder = values.to === undefined ? ownFolder : resolve(values.to);
  const results: Result[] = [];
  for (const suite of chosen) {
    if (bench.base && !suite.takesBase) {
      say(`${suite.name} has nothing to compare between revisions: left out`);
      continue;
    }
    results.push(await measured(suite, bench, folder));
    writeFileSync(join(folder, 'README.md'), report(readResults(folder)));
  }
  say(`wrote ${join(folder, 'README.md')}`);
  const text = [...results.map((result) => section(result)), ...targetTable(results)].join('\n\n');
  process.stdout.write(values.json ? `${JSON.stringify(results, undefined, 1)}\n` : `${text}\n`);
}

/** Runs a suite and writes its figures and plot. */
async function measured(suite: Suite, bench: Omit<Bench, 'say'>, folder: string): Promise<Result> {
  const busy = await busyProcessors();
  if (busy > quietLimit) say(`other programs keep ${busy.toFixed(1)} processors busy: the figures will not be right`);
  const outcome = await suite.run({ ...bench, say: (line) => say(`${suite.name}: ${line}`) });
  const result: Result = {
    suite: suite.name,
    title: suite.title,
    date: new Date().toISOString().slice(0, 10),
    revision: revisionOf(root),
    machine: thisMachine(),
    threads: bench.threads,
    repeats: bench.repeats,
    busyProcessors: Number(busy.toFixed(2)),
    ...outcome,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${suite.name}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
  if (result.plots.length > 0) writeFileSync(join(folder, `${suite.name}.svg`), await drawn(result.plots));
  return result;
}

function chosenSuites(given: readonly string[]): readonly Suite[] {
  if (given.length === 0 || given.includes('all')) return suites;
  const unknown = given.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`there is no suite "${unknown}"; there are ${names.join(', ')} and all`);
  return suites.filter(({ name }) => given.includes(name));
}

function whole(name: string, text: string, highest: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= highest) return value;
  throw new Error(`--${name} takes a whole number from 1 to ${highest}, not "${text}"`);
}
