import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Contestant } from './child.ts';
import { type Cell, type Grid, measureGrid, type Workload } from './grid.ts';
import { figure, type Outcome, type Table } from './outcome.ts';
import { peerVersion } from './peer.ts';
import type { SuiteName } from './report/result.ts';
import { requantised } from './requantise.ts';

/** Something that is measured in one go, with its targets. */
export interface Suite {
  readonly name: SuiteName;
  /** What is compared, as a heading. */
  readonly title: string;
  /** Whether it can compare with another revision of ours. */
  readonly takesBase: boolean;
  run(bench: Bench): Promise<Outcome>;
}

/** What a run of the program decides for all its suites. */
export interface Bench {
  /** Shorter prompts and fewer rounds, to see that everything works. */
  readonly quick: boolean;
  readonly repeats: number;
  readonly threads: number;
  /** Folder of the checkout that is measured. */
  readonly root: string;
  /** Another checkout of ours to compare with, in place of the peer. */
  readonly base: { readonly name: string; readonly root: string } | undefined;
  say(line: string): void;
}

/** A suite that is a grid of contestants and workloads, and what it makes of the figures. */
export interface GridSuite {
  readonly name: SuiteName;
  readonly title: string;
  plan(bench: Bench): Promise<Grid>;
  /** Tables, plots and findings from what was measured. */
  judge(cells: Cells, bench: Bench): Omit<Outcome, 'data'> | Promise<Omit<Outcome, 'data'>>;
}

/** The suite that measures a grid: against what its plan names, or every contestant of ours against an older one. */
export function gridSuite({ name, title, plan, judge }: GridSuite): Suite {
  return {
    name,
    title,
    takesBase: true,
    async run(bench) {
      const { base } = bench;
      const planned = await plan(bench);
      const grid = base
        ? { ...planned, contestants: planned.contestants.flatMap((one) => bothOf(one, base)) }
        : planned;
      const measured = await measureGrid(grid, { repeats: bench.repeats, ids: goldenIds(), say: bench.say });
      const data = measured.map(({ leastStepsMs: _, ...cell }) => cell);
      const judged = base ? against(base.name, measured, bench) : await judge(new Cells(measured), bench);
      return { ...judged, data };
    },
  };
}

function bothOf(contestant: Contestant, base: { readonly name: string; readonly root: string }): Contestant[] {
  if (contestant.engine !== 'loci') return [];
  return [contestant, { ...contestant, name: `${contestant.name} at ${base.name}`, root: base.root }];
}

/** Every figure of this checkout, with how many times better it is than the base's. */
function against(base: string, cells: readonly Cell[], bench: Bench): Omit<Outcome, 'data'> {
  const all = new Cells(cells);
  const rows = cells
    .filter(({ contestant }) => !contestant.endsWith(` at ${base}`))
    .map((now) => {
      const before = all.at(`${now.contestant} at ${base}`, now.tokens, now.sequences);
      const compared = (value: (cell: Cell) => number, better: 'more' | 'less', unit: string) => {
        const [mine, other] = [value(now), value(before)];
        if (!Number.isFinite(mine)) return '–';
        return `${figure(mine)} ${unit} (${figure(better === 'more' ? mine / other : other / mine)}×)`;
      };
      return [
        now.sequences === 1 ? now.contestant : `${now.contestant}, ${now.sequences} sequences`,
        String(now.tokens),
        compared(prefillRate, 'more', 'tokens/s'),
        compared(decodeMs, 'less', 'ms'),
        compared((cell) => cell.firstTokenMs?.median ?? Number.NaN, 'less', 'ms'),
        compared((cell) => cell.peakBytes.median / 1e6, 'less', 'MB'),
      ];
    });
  return {
    settings: `This checkout; in brackets how many times better it is than ${base}. ${repeated(bench)}`,
    tables: [{ head: ['', 'tokens', 'prefill', 'decode step', 'first token', 'peak memory'], rows }],
    plots: [],
    findings: [],
  };
}

/** What was measured, by name and prompt length. */
export class Cells {
  readonly all: readonly Cell[];

  constructor(all: readonly Cell[]) {
    this.all = all;
  }

  get contestants(): readonly string[] {
    return [...new Set(this.all.map(({ contestant }) => contestant))];
  }

  get lengths(): readonly number[] {
    return [...new Set(this.all.map(({ tokens }) => tokens))];
  }

  at(contestant: string, tokens: number, sequences?: number): Cell {
    const cell = this.all.find(
      (one) => one.contestant === contestant && one.tokens === tokens && (sequences ?? one.sequences) === one.sequences,
    );
    if (!cell) throw new Error(`nothing was measured of ${contestant} at ${tokens} tokens`);
    return cell;
  }

  /** A row per contestant and a column per length; behind a figure how many times better the first contestant is. */
  table(title: string, value: (cell: Cell) => number, better: 'more' | 'less'): Table {
    const [reference = ''] = this.contestants;
    const most = Math.max(...this.all.map(roundsOf));
    const rows = this.contestants.map((contestant) => [
      contestant,
      ...this.lengths.map((tokens) => {
        const mine = value(this.at(contestant, tokens));
        const first = value(this.at(reference, tokens));
        const ratio = better === 'more' ? first / mine : mine / first;
        const rounds = roundsOf(this.at(contestant, tokens));
        const few = rounds < most ? `, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}` : '';
        return `${figure(mine)}${contestant === reference ? '' : ` (${figure(ratio)}×)`}${few}`;
      }),
    ]);
    return { head: [title, ...this.lengths.map((tokens) => `${tokens} tokens`)], rows };
  }

  prefillTable(): Table {
    return this.table('prefill, tokens per second', prefillRate, 'more');
  }

  decodeTable(): Table {
    return this.table('decode, ms per token', decodeMs, 'less');
  }
}

const roundsOf = (cell: Cell) => cell.prefillTokensPerSecond.all.length;
export const prefillRate = (cell: Cell) => cell.prefillTokensPerSecond.median;
export const decodeMs = (cell: Cell) => cell.decodeMsPerStep.median;

/** How often things were measured, as the conditions of a run say it. */
export function repeated({ repeats, threads }: Bench, most = repeats): string {
  const rounds = Math.min(repeats, most);
  const turns = rounds === 1 ? 'one round' : `medians of ${rounds} alternating rounds in one run`;
  return `${threads} threads; ${turns}, or as many as a figure says.`;
}

const place = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The bundled model: 4-bit weights with a scale and a minimum. */
export const sameFile = place('../models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf');

/** Ids of a long text under the bundled model's vocabulary. */
export function goldenIds(): readonly number[] {
  const golden: { readonly long: { readonly ids: readonly number[] } } = JSON.parse(
    readFileSync(place('../packages/engine/golden/smollm2.json'), 'utf8'),
  );
  return golden.long.ids;
}

/** Number formats for keys and values that a checkout offers for speed: all but the float32 of the reference path. */
export async function storesOf(root: string): Promise<readonly string[]> {
  const { pageFormats }: typeof import('../packages/kernels/index.ts') = await import(
    pathToFileURL(join(root, 'packages/kernels/index.ts')).href
  );
  return pageFormats.filter((format) => format !== 'f32');
}

/** Names that tables use. */
export const names = {
  loci: 'Loci',
  peerSame: 'node-llama-cpp',
  peerBest: 'node-llama-cpp, weights in Q4_0',
} as const;

/** Loci on the bundled file. */
export function loci(bench: Bench, changes: Partial<Omit<Contestant, 'engine' | 'root'>> = {}): Contestant {
  const usual = { name: names.loci, file: sameFile, threads: bench.threads, store: 'f16' };
  return { ...usual, ...changes, engine: 'loci', root: bench.root };
}

/** The peer on the very same file. */
export function peerSame({ threads }: Bench): Contestant {
  return { name: names.peerSame, engine: 'node-llama-cpp', file: sameFile, threads, store: 'F16' };
}

/** The peer at its best: the same weights in the format that it repacks for the processor. */
export async function peerBest({ threads }: Bench, store = 'F16'): Promise<Contestant> {
  const name = store === 'F16' ? names.peerBest : `${names.peerBest}, cache in ${store}`;
  return { name, engine: 'node-llama-cpp', file: await requantised(sameFile), threads, store };
}

export const peerSettings = () => `node-llama-cpp ${peerVersion()}: processor only, flash attention, F16 cache.`;

/** Prompts of these lengths, each followed by as many tokens. */
export function workloads(lengths: readonly number[], decode: number): readonly Workload[] {
  return lengths.map((tokens) => ({ tokens, decode, sequences: 1 }));
}
