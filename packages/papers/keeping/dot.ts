/** Σ a[i] · b[i] of two vectors of one length. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

/** Lengths of the rows of [n, d]. */
export function norms(rows: Float32Array, d: number): Float32Array {
  return Float32Array.from({ length: rows.length / d }, (_, i) => {
    const row = rows.subarray(i * d, (i + 1) * d);
    return Math.sqrt(dot(row, row));
  });
}
