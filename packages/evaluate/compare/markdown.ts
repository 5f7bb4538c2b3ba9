import type { Row } from './compare.ts';

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const digits = (value: number | null, places: number) => (value === null ? '–' : value.toFixed(places));

/** The columns of a comparison as texts; modes are apart, since methods that see the question look better. */
export function rowCells({ method, recall, exact, nll, nllAfterFirst, gap, ...row }: Row): readonly string[] {
  return [
    method,
    digits(recall, 2),
    digits(exact, 2),
    digits(nll, 2),
    digits(nllAfterFirst, 2),
    `${gap.value >= 0 ? '+' : '−'}${Math.abs(gap.value).toFixed(2)} ± ${gap.standardError.toFixed(2)}`,
    megabytes(row.kvBytes),
    megabytes(row.peakKvBytes),
    String(Math.round(row.keys)),
    row.prefillMs.toFixed(0),
    row.decodeMs.toFixed(2),
  ];
}

export const rowHead = [
  'method',
  'recall',
  'exact',
  'NLL',
  'after first',
  'gap to first row',
  'cache',
  'at most',
  'keys',
  'prefill ms',
  'decode ms',
] as const;

/** A comparison as Markdown, one table for each mode. */
export function rowsMarkdown(rows: readonly Row[]): string {
  const modes = [...new Set(rows.map(({ mode }) => mode))];
  return modes
    .map((mode) => {
      const lines = rows.filter((row) => row.mode === mode).map((row) => `| ${rowCells(row).join(' | ')} |`);
      return [
        `${mode}:\n`,
        `| ${rowHead.join(' | ')} |`,
        `| --- |${' --: |'.repeat(rowHead.length - 1)}`,
        ...lines,
      ].join('\n');
    })
    .join('\n\n');
}
