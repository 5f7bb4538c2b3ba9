/** Vectors of h heads in 8 bits: numbers [count, h, d] and a scale for each head of each vector. */
export interface EventVectors {
  readonly count: number;
  readonly h: number;
  readonly d: number;
  readonly numbers: Int8Array;
  /** [count, h] */
  readonly scales: Float32Array;
}

/** The largest dot products of the mean of n queries [n, h, d] with `each` vectors of an item: [items, h]. */
export function similarReference(
  queries: ArrayLike<number>,
  n: number,
  vectors: EventVectors,
  each: number,
): Float64Array {
  const { count, h, d, numbers, scales } = vectors;
  const width = h * d;
  const mean = Float64Array.from({ length: width }, (_, c) => {
    let sum = 0;
    for (let r = 0; r < n; r++) sum += queries[r * width + c] ?? Number.NaN;
    return sum / n;
  });
  const product = (vector: number, head: number) => {
    let sum = 0;
    for (let c = head * d; c < (head + 1) * d; c++) sum += (mean[c] ?? 0) * (numbers[vector * width + c] ?? 0);
    return sum * (scales[vector * h + head] ?? 0);
  };
  return Float64Array.from({ length: (count / each) * h }, (_, i) => {
    const [item, head] = [Math.floor(i / h), i % h];
    return Math.max(...Array.from({ length: each }, (_, k) => product(item * each + k, head)));
  });
}
