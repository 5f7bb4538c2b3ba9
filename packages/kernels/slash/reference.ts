import type { Crossing } from './index.ts';

/**
 * Slots that the rows from `from` up to `to`, which are slots as well, read: [a, b] of a row and a slot not behind it.
 * @param weights Of the last rows: [rows][slots].
 */
export function crossed(
  weights: readonly ArrayLike<number>[],
  slots: number,
  { from, to }: { readonly from: number; readonly to: number },
  { columns, width, diagonals, sinks, nearest }: Crossing,
): readonly number[] {
  const weight = (row: number, slot: number) => weights[row - (slots - weights.length)]?.[slot] ?? 0;
  const rows = Array.from(weights, (_, i) => slots - weights.length + i);
  const range = (a: number, b: number) => Array.from({ length: Math.max(0, b - a) }, (_, i) => a + i);
  const best = (numbers: readonly number[], sum: (one: number) => number, most: number) =>
    numbers
      .map((one) => ({ one, sum: sum(one) }))
      .sort((a, b) => b.sum - a.sum || a.one - b.one)
      .slice(0, most)
      .map(({ one }) => one);
  const total = (some: readonly number[]) => some.reduce((sum, one) => sum + one, 0);
  const allColumns = range(Math.floor(sinks / width), Math.ceil(slots / width));
  const column = (c: number) => range(c * width, (c + 1) * width);
  const read = new Set(range(0, sinks));
  const sumOf = (c: number) => total(column(c).map((slot) => total(rows.map((row) => weight(row, slot)))));
  for (const c of best(allColumns, sumOf, columns)) for (const slot of column(c)) read.add(slot);
  const behind = best(range(nearest, slots), (b) => total(rows.map((row) => weight(row, row - b))), diagonals);
  for (const b of [...range(0, nearest), ...behind]) for (const row of range(from, to)) read.add(row - b);
  return [...read].filter((slot) => slot >= 0 && slot < to).sort((a, b) => a - b);
}
