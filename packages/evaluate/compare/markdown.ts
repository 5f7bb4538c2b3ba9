import type { Row } from './compare.ts';

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const digits = (value: number | null) => (value === null ? '–' : value.toFixed(2));
/** One case says nothing of what others would give. */
const within = (text: string, error: number | null, cases: number) =>
  error === null || cases < 2 ? text : `${text} ± ${error.toFixed(2)}`;

/** The columns of a comparison as texts; modes are apart, since methods that see the question look better. */
export function rowCells({ method, cases, recall, exact, nll, gap, standardErrors, ...row }: Row): readonly string[] {
  return [
    method,
    within(digits(recall), standardErrors.recall, cases),
    within(digits(exact), standardErrors.exact, cases),
    within(digits(nll), standardErrors.nll, cases),
    digits(row.nllAfterFirst),
    within(`${gap.value >= 0 ? '+' : '−'}${digits(Math.abs(gap.value))}`, gap.standardError, cases),
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
  'gap to first',
  'cache',
  'peak',
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
