/** Rows of the table [rows, columns] by number, times a factor: [n, columns]. */
export function embedReference(
  table: ArrayLike<number>,
  columns: number,
  ids: ArrayLike<number>,
  factor: number,
): Float64Array {
  return new Float64Array(ids.length * columns).map((_, i) => {
    const id = ids[Math.floor(i / columns)] ?? Number.NaN;
    return (table[id * columns + (i % columns)] ?? Number.NaN) * factor;
  });
}
