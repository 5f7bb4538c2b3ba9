// Writes the measured part of docs/guides/which-method.md from docs/results/compare, which holds what
// `loci compare --json` printed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type Row, rowsMarkdown } from '@loci/evaluate';
import type { Machine } from '@loci/evaluate/machine';
import { table, withPart } from './marked.ts';

const folder = new URL('../docs/results/compare/', import.meta.url);
export const guideFile = new URL('../docs/guides/which-method.md', import.meta.url);

interface Comparison {
  readonly task: string;
  readonly cases: number;
  readonly model: string;
  readonly machine: Machine & { readonly threads: number };
  readonly results: readonly { readonly length: number; readonly rows: readonly Row[] }[];
}

/** What a person would ask, for each task. */
const questions: Readonly<Record<string, string>> = {
  needle: 'one fact somewhere in a long text',
  multikey: 'one of many facts that read alike',
  passkey: 'a number in a text that repeats itself',
  variables: 'what follows from several places',
  'common-words': 'what all of the text has most of',
  'key-value': 'a row of a long list',
  'repeated-passage': 'a passage again, word by word',
  perplexity: 'how a text goes on',
};
/** Nats per token of the answer beyond dense attention that pass for as good. */
const asGood = 0.1;

function readComparisons(): readonly Comparison[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const order = Object.keys(questions);
  return names
    .map((name): Comparison => JSON.parse(readFileSync(new URL(name, folder), 'utf8')))
    .toSorted((a, b) => order.indexOf(a.task) - order.indexOf(b.task) || lengthOf(a) - lengthOf(b));
}

const lengthOf = ({ results }: Comparison) => results[0]?.length ?? 0;

/** Of every comparison and mode: what is as good as the first method and takes least. */
function choices(comparisons: readonly Comparison[]): string {
  const rows = comparisons.flatMap(({ task, cases, results }) =>
    results.flatMap(({ length, rows: all }) =>
      [...new Set(all.map(({ mode }) => mode))].map((mode) => {
        const [dense, ...others] = all.filter((row) => row.mode === mode);
        if (!dense) return [];
        const good = others.filter(({ gap }) => gap.value + (gap.standardError ?? 0) <= asGood);
        const least = (of: (row: Row) => number) => {
          const best = good.toSorted((a, b) => of(a) - of(b))[0];
          return best && of(best) < of(dense) ? `\`${best.method}\`, ${(of(best) / of(dense)).toFixed(2)} ×` : 'none';
        };
        return [
          ...[questions[task] ?? task, `${task}, ${length}`, mode, String(cases)],
          ...[dense.recall === null ? '–' : dense.recall.toFixed(2), dense.nll.toFixed(2)],
          ...[least((row) => row.kvBytes), least((row) => row.prefillMs), least((row) => row.decodeMs)],
        ];
      }),
    ),
  );
  const head = ['asked for', 'task, tokens', 'mode', 'cases', 'dense recall', 'dense NLL'];
  const columns = [...head, 'smallest cache', 'quickest prefill', 'quickest decode'];
  return table(
    columns,
    rows.filter((row) => row.length > 0),
  );
}

interface Book {
  readonly book: string;
  readonly depths: number;
}

/** Facts in a text beyond the model's window, as `packages/papers/em-llm/book` has measured them. */
function book(name: string): string {
  const file = new URL(`../packages/papers/em-llm/book/results/${name}.json`, import.meta.url);
  const found: Book = JSON.parse(readFileSync(file, 'utf8'));
  const rows = Object.entries(found).flatMap(([name, value]: [string, unknown]) => {
    if (typeof value !== 'object' || value === null || !('recall' in value) || !('nll' in value)) return [];
    const budget = 'budget' in value ? String(value.budget) : '';
    return [{ name, budget, recall: Number(value.recall), nll: Number(value.nll) }];
  });
  const lines = rows
    .toSorted((a, b) => b.recall - a.recall)
    .map(({ name, budget, recall, nll }) => [name, budget, recall.toFixed(2), nll.toFixed(2)]);
  return [
    `${found.book}, with a fact at each of ${found.depths} depths:`,
    table(['', 'tokens in sight', 'recall', 'NLL'], lines),
  ].join('\n\n');
}

interface EqualBytes {
  readonly task: string;
  readonly rows: readonly {
    readonly keep: string;
    readonly store: string;
    readonly share: number;
    readonly mode: string;
    readonly prompts: number;
    readonly nll: number;
    readonly standardError: number;
    readonly exact: number;
    readonly bytes: number;
  }[];
}

/** What methods keep of an answer where all take the same share of a dense cache's bytes (packages/papers/equal-bytes). */
function equalBytes(): string {
  const file = new URL('../docs/results/equal-bytes.json', import.meta.url);
  const { task, rows }: EqualBytes = JSON.parse(readFileSync(file, 'utf8'));
  const most = Math.max(...rows.map(({ prompts }) => prompts));
  const lines = rows
    .toSorted((a, b) => b.share - a.share || a.mode.localeCompare(b.mode) || a.nll - b.nll)
    .filter(({ prompts }) => prompts === most)
    .map(({ keep, store, share, mode, nll, standardError, exact, bytes }) => [
      ...[`\`${keep}\``, store, `${100 * share} %`, bytes.toFixed(3), mode],
      ...[`${nll.toFixed(2)} ± ${standardError.toFixed(2)}`, `${exact} of ${most}`],
    ]);
  return [
    `${task}; ${most} prompts; NLL is the mean loss of the answer's tokens behind the first. Bytes are those allocated, over a cache of halves:`,
    table(['keep', 'store', 'share', 'bytes', 'mode', 'NLL', 'exact'], lines),
  ].join('\n\n');
}

/** The guide with its generated part renewed. */
export function renewedGuide(guide: string): string {
  const comparisons = readComparisons();
  const [{ model = '', machine } = {}] = comparisons;
  if (!machine) throw new Error(`${folder.pathname} holds no comparison`);
  const tables = comparisons.flatMap(({ task, cases, results }) =>
    results.map(({ length, rows }) => `### ${task}, ${length} tokens, ${cases} cases\n\n${rowsMarkdown(rows)}`),
  );
  const where = `${model}, ${machine.threads} threads, ${machine.processor}`;
  const part = [
    `At most ${asGood} nat a token worse than dense, standard error included (${where}); × is against dense:`,
    choices(comparisons),
    '## The same bytes for all',
    equalBytes(),
    '## A book that is longer than the window',
    book('the-trumpeter-of-krakow'),
    book('meet-the-tiger'),
    '## The tables',
    ...tables,
  ];
  return withPart(guide, 'guide.ts', part.join('\n\n'));
}

if (import.meta.main) writeFileSync(guideFile, renewedGuide(readFileSync(guideFile, 'utf8')));
