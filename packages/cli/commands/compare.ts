import { writeFile } from 'node:fs/promises';
import type { Mode } from '@loci/evaluate';
import { command } from '../command.ts';
import { withModel } from '../engine.ts';
import { noMethods } from '../methods.ts';
import { choice, text, texts, usage, whole } from '../options/option.ts';
import { sourceOptions } from '../options/shared.ts';
import { table } from '../output/format.ts';
import { TimeLeft } from '../output/time-left.ts';
import { machine, openResults } from '../results.ts';

const taskNames = [
  ...['needle', 'multikey', 'passkey', 'variables', 'common-words', 'key-value', 'repeated-passage', 'perplexity'],
] as const;
const modes = {
  aware: ['query-aware'],
  agnostic: ['query-agnostic'],
  both: ['query-aware', 'query-agnostic'],
} as const;

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
    threads: whole('N', 'Worker threads (default: one per processor)', { min: 1, max: 64 }),
    ...sourceOptions,
  },
  async run({ options }, context) {
    const { task = 'needle', cases: count = 8, seed = 0, method, mode = 'aware', markdown } = options;
    const lengths = (options.length.length > 0 ? options.length : ['2048']).map(readLength);
    const [{ compare: run, rowCells, rowHead, rowsMarkdown, tasks }, { parseMethods }] = await Promise.all([
      import('@loci/evaluate'),
      import('@loci/papers'),
    ]);
    const contenders = (method.length > 0 ? method : ['dense']).map((name) => {
      const methods = parseMethods(name);
      const { attend, keep, store, steer = [] } = methods;
      const format = typeof store === 'string' ? store : (store?.spec ?? 'f16');
      const specs = [attend?.spec ?? 'dense', keep?.spec ?? 'all', format, ...steer.map(({ spec }) => spec)];
      return { name, methods, spec: specs.join(' ') };
    });
    const { reporter, interrupt } = context;
    await withModel({ ...options, ...noMethods }, context, async ({ model, facts }) => {
      using store = openResults();
      const results = [];
      for (const length of lengths) {
        const timeLeft = new TimeLeft();
        const started = performance.now();
        reporter.begin(`after 0 cases of ${length} tokens`, 0);
        const cases = Array.from({ length: count }, (_, number) => tasks[task](model, { length, seed }, number));
        const rows = await run(model, {
          ...{ cases, contenders, store, signal: interrupt.signal },
          modes: modes[mode] satisfies readonly Mode[],
          onProgress: ({ done, total, contender }) => {
            const left = timeLeft.after(done, performance.now() - started, total);
            const part = `${done} of ${total} runs of ${length} tokens`;
            reporter.progress(
              `${part}, ${contender}, ${Math.ceil(left / 1000)} s left`,
              `after ${part}; they are kept`,
            );
          },
        });
        results.push({ length, rows });
        reporter.text(`${task}, ${length} tokens, ${count} cases\n`);
        for (const one of modes[mode]) {
          const shown = rows.filter((row) => row.mode === one);
          reporter.text(`${one}\n${table(rowHead, shown.map(rowCells))}\n\n`);
        }
      }
      const { model: name, threads } = facts();
      reporter.document({ task, seed, cases: count, model: name, machine: machine(threads), results });
      if (markdown === undefined) return;
      const pages = results.map(
        ({ length, rows }) => `## ${task}, ${length} tokens, ${count} cases\n\n${rowsMarkdown(rows)}\n`,
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
