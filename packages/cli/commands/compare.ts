import { writeFile } from 'node:fs/promises';
import type { CompareProgress, Contender, Mode, Row } from '@loci/evaluate';
import { thisMachine } from '@loci/evaluate/machine';
import { type Context, command } from '../command.ts';
import { withModel } from '../engine.ts';
import { noMethods } from '../methods.ts';
import { choice, text, texts, usage, whole } from '../options/option.ts';
import { sourceOptions } from '../options/shared.ts';
import { count, counted, duration, table } from '../output/format.ts';
import { qualityPlotSvg } from '../output/quality-plot.ts';
import { mustBeWritable } from '../output/writable.ts';
import { openResults } from '../results.ts';

const taskNames = [
  ...['needle', 'multikey', 'passkey', 'variables', 'common-words', 'key-value', 'repeated-passage', 'perplexity'],
] as const;
const modes = {
  aware: ['query-aware'],
  agnostic: ['query-agnostic'],
  both: ['query-aware', 'query-agnostic'],
} as const satisfies Readonly<Record<string, readonly Mode[]>>;

/** The rows of one length. */
interface Result {
  readonly length: number;
  readonly rows: readonly Row[];
}

export const compare = command({
  name: 'compare',
  summary: 'Put methods side by side on the same cases: quality, bytes and milliseconds of one run.',
  usage: ['--method dense --method keep=snapkv:budget=25%,store=q4'],
  positionals: [],
  options: {
    task: choice(taskNames, 'What is asked (default needle)'),
    length: texts('N', 'Tokens of a prompt (default 2048); may be repeated'),
    cases: whole('N', 'Cases of every length (default 8)', { min: 1, max: 100_000 }),
    seed: whole('N', 'Other cases for every seed (default 0)', { min: 0, max: 2 ** 31 }),
    method: texts('METHODS', 'dense, or axis=method,… such as keep=snapkv:budget=512,store=q4; may be repeated'),
    mode: choice(['aware', 'agnostic', 'both'], 'Whether methods see the question when they choose (default aware)'),
    markdown: text('FILE', 'Write the tables as Markdown'),
    svg: text('FILE', 'Draw what is lost against the first method, over bytes'),
    threads: whole('N', 'Worker threads (default: one per processor)', { min: 1, max: 64 }),
    ...sourceOptions,
  },
  async run({ options }, context) {
    const { task = 'needle', cases: count = 8, seed = 0, method, mode = 'aware', markdown, svg } = options;
    const lengths = (options.length.length > 0 ? options.length : ['2048']).map(readLength);
    const { compare: run, rowCells, rowHead, rowsMarkdown, tasks } = await import('@loci/evaluate');
    const contenders = await contendersOf(method.length > 0 ? method : ['dense']);
    await mustBeWritable(markdown, svg);
    const { reporter, interrupt } = context;
    await withModel({ ...options, ...noMethods }, context, async ({ model, facts }) => {
      using store = openResults();
      const results: Result[] = [];
      const perLength = count * contenders.length * modes[mode].length;
      const progress = new Progress(reporter, lengths, perLength);
      for (const length of lengths) {
        const rows = await run(model, {
          ...{ cases: count, contenders, store, modes: modes[mode], signal: interrupt.signal },
          caseOf: (number) => tasks[task](model, { length, seed }, number),
          onProgress: (at) => progress.show(results.length, at),
        });
        results.push({ length, rows });
        reporter.text(`${task}, ${length} tokens, ${counted(count, 'case')}\n`);
        for (const one of modes[mode]) {
          const shown = rows.filter((row) => row.mode === one);
          reporter.text(`${one}\n${table(rowHead, shown.map(rowCells))}\n\n`);
        }
      }
      progress.end();
      const { model: name, threads, peakBytes } = facts();
      reporter.document({
        task,
        seed,
        cases: count,
        model: name,
        machine: { ...thisMachine(), threads },
        peakBytes,
        results,
      });
      const said = `${task}, ${counted(count, 'case')}, ${name}; bars are 95 % intervals of the paired bootstrap`;
      if (svg !== undefined) await writeFile(svg, plot(said, modes[mode], results));
      if (markdown === undefined) return;
      const pages = results.map(
        ({ length, rows }) => `## ${task}, ${length} tokens, ${counted(count, 'case')}\n\n${rowsMarkdown(rows)}\n`,
      );
      await writeFile(markdown, pages.join('\n'));
    });
  },
});

function readLength(given: string): number {
  const length = Number(given);
  if (!Number.isInteger(length) || length < 64)
    throw usage(`--length is "${given}"; it must be a whole number, 64 or more`);
  return length;
}

async function contendersOf(names: readonly string[]): Promise<readonly Contender[]> {
  const { parseMethods } = await import('@loci/papers');
  return names.map((name) => {
    const methods = parseMethods(name);
    const { attend, keep, store, remember, steer = [] } = methods;
    const format = typeof store === 'string' ? store : (store?.spec ?? 'f16');
    const others = [...(remember ? [remember] : []), ...steer].map(({ spec }) => spec);
    const specs = [attend?.spec ?? 'dense', keep?.spec ?? 'all', format, ...others];
    return { name, methods, spec: specs.join(' ') };
  });
}

function plot(title: string, shown: readonly Mode[], results: readonly Result[]): string {
  const reference = results[0]?.rows[0]?.method ?? 'dense';
  const panels = shown.map((mode) => ({
    title: mode,
    points: results.flatMap(({ length, rows }) =>
      rows
        .filter((row) => row.mode === mode)
        .map(({ method, kvBytes, gap }) => ({ method, length, bytes: kvBytes, gap })),
    ),
  }));
  return qualityPlotSvg(title, reference, panels);
}

/** How far a comparison is, and how long it takes on: a run of twice the tokens is taken to last twice as long. */
class Progress {
  readonly #reporter: Context['reporter'];
  readonly #lengths: readonly number[];
  /** Runs of every length. */
  readonly #runs: number;
  readonly #started = performance.now();
  /** Runs of finished lengths that were known before, and the tokens of all known ones. */
  #known = { runs: 0, tokens: 0 };

  constructor(reporter: Context['reporter'], lengths: readonly number[], runs: number) {
    this.#reporter = reporter;
    this.#lengths = lengths;
    this.#runs = runs;
    reporter.begin(`after 0 of ${counted(runs * lengths.length, 'run')}`, 0);
  }

  /** Where the lengths before `index` are done. */
  show(index: number, { done, known, contender }: CompareProgress): void {
    const length = this.#lengths[index] ?? 0;
    const tokensOf = (lengths: readonly number[]) => this.#runs * lengths.reduce((sum, tokens) => sum + tokens, 0);
    const before = tokensOf(this.#lengths.slice(0, index));
    const whole = tokensOf(this.#lengths);
    const found = this.#known.tokens + known * length;
    const measured = before + done * length - found;
    const runs = index * this.#runs + done;
    const part = `${count(runs)} of ${counted(this.#runs * this.#lengths.length, 'run')}`;
    if (contender === undefined) {
      this.#known = { runs: this.#known.runs + known, tokens: found };
      return;
    }
    const elapsed = performance.now() - this.#started;
    const left = measured > 0 ? `, ${duration((elapsed * (whole - found - measured)) / measured)} left` : '';
    this.#reporter.progress(
      `${part} done; ${count(length)} tokens, ${contender}${left}`,
      `after ${part}; they are kept, and the same command goes on behind them`,
    );
  }

  end(): void {
    this.#reporter.begin('', 0);
    if (this.#known.runs > 0) {
      this.#reporter.note(
        `${count(this.#known.runs)} of ${counted(this.#runs * this.#lengths.length, 'run')} had been measured before`,
      );
    }
  }
}
