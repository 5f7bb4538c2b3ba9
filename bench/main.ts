/**
 * Loci and node-llama-cpp side by side on the same file and the same cores, by turns in one run.
 *
 *     npm --prefix bench run bench -- [--long] [--requantise] [--repetitions 5] [--tokens 128,512] [--decode 24]
 *                                     [--threads 2] [--model FILE] [--out FOLDER]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Child } from './child.ts';
import { installPeer, peerVersion } from './peer.ts';
import type { Timing } from './protocol.ts';
import { markdown, type Report, type Row, rowOf } from './report.ts';
import { requantised } from './requantise.ts';

const place = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** After a turn, threads that wait for more work may spin for a moment before they sleep. */
const restMs = 300;

const { values: options } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    requantise: { type: 'boolean', default: false },
    repetitions: { type: 'string', default: '5' },
    tokens: { type: 'string' },
    decode: { type: 'string', default: '24' },
    threads: { type: 'string', default: '2' },
    model: { type: 'string', default: place('../models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf') },
    out: { type: 'string', default: place('results') },
  },
});

function whole(name: string, text: string, highest: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= highest) return value;
  throw new Error(`--${name} takes a whole number from 1 to ${highest}, not "${text}"`);
}

const golden: { readonly long: { readonly ids: readonly number[] } } = JSON.parse(
  readFileSync(place('../packages/engine/golden/smollm2.json'), 'utf8'),
);
const { ids } = golden.long;
const lengths = (options.tokens?.split(',') ?? ['128', '512', '2048', ...(options.long ? ['8000'] : [])]).map((text) =>
  whole('tokens', text, ids.length),
);
const repetitions = whole('repetitions', options.repetitions, 1000);
const decode = whole('decode', options.decode, 1000);
const threads = whole('threads', options.threads, 64);

installPeer();
const children: Child[] = [];
try {
  const rows = await measure();
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine: {
      processor: cpus()[0]?.model ?? 'unknown processor',
      cores: availableParallelism(),
      node: process.versions.node,
      system: `${platform()} ${arch()}`,
    },
    model: basename(options.model),
    peer: `node-llama-cpp ${peerVersion()}`,
    threads,
    repetitions,
    rows,
  };
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'side-by-side.json'), `${JSON.stringify(report, undefined, 1)}\n`);
  writeFileSync(join(options.out, 'side-by-side.md'), markdown(report));
  process.stdout.write(markdown(report));
} finally {
  await Promise.all(children.map((child) => child.stop()));
}

async function measure(): Promise<readonly Row[]> {
  children.push(await Child.start('Loci', 'loci', options.model, threads));
  children.push(await Child.start('node-llama-cpp', 'node-llama-cpp', options.model, threads));
  if (options.requantise) {
    const copy = await requantised(options.model);
    children.push(await Child.start('node-llama-cpp, layers in Q4_0', 'node-llama-cpp', copy, threads));
  }
  // Compiles what is compiled on first use.
  for (const child of children) await child.measure(ids.slice(0, 64), 8);
  const rows: Row[] = [];
  for (const length of lengths) {
    const timings = new Map(children.map((child) => [child, [] as Timing[]]));
    for (let repetition = 0; repetition < repetitions; repetition++) {
      // Who begins changes, so that a machine that slows down or warms up favours nobody.
      const order = repetition % 2 === 0 ? children : children.toReversed();
      for (const child of order) {
        await setTimeout(restMs);
        const timing = await child.measure(ids.slice(0, length), decode);
        timings.get(child)?.push(timing);
        const speed = ((length / timing.prefillMs) * 1000).toFixed(0);
        const what = `${length} tokens, ${repetition + 1} of ${repetitions}, ${child.name}`;
        process.stderr.write(`bench: ${what}: ${speed} tokens/s, ${timing.decodeMs.toFixed(1)} ms per token\n`);
      }
    }
    const [loci = []] = timings.values();
    for (const [{ name }, all] of timings) rows.push(rowOf(name, length, all, loci));
  }
  return rows;
}
