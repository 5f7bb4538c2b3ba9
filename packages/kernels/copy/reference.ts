/** The first `columns` numbers of the rows named, from rows `stride` apart: [n, columns]. */
export function copyReference(
  from: ArrayLike<number>,
  stride: number,
  rows: ArrayLike<number>,
  columns: number,
): Float64Array {
  return new Float64Array(rows.length * columns).map((_, i) => {
    const row = rows[Math.floor(i / columns)] ?? Number.NaN;
    return from[row * stride + (i % columns)] ?? Number.NaN;
  });
}
