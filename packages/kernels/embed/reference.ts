/** Rows of the table [rows, columns] by number, below 0 the first, times a factor: [n, columns]. */
export function embedReference(
  table: ArrayLike<number>,
  columns: number,
  ids: ArrayLike<number>,
  factor: number,
): Float64Array {
  return new Float64Array(ids.length * columns).map((_, i) => {
    const id = Math.max(0, ids[Math.floor(i / columns)] ?? Number.NaN);
    return (table[id * columns + (i % columns)] ?? Number.NaN) * factor;
  });
}
