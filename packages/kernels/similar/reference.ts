/** Vectors of h heads in 8 bits: numbers [count, h, d] and a scale for each head of each vector. */
export interface EventVectors {
  readonly count: number;
  readonly h: number;
  readonly d: number;
  readonly numbers: Int8Array;
  /** [count, h] */
  readonly scales: Float32Array;
}

/** Dot products of the mean of n queries [n, h, d] with vectors. */
export function similarReference(queries: ArrayLike<number>, n: number, vectors: EventVectors): Float64Array {
  const { count, h, d, numbers, scales } = vectors;
  const width = h * d;
  const mean = Float64Array.from({ length: width }, (_, c) => {
    let sum = 0;
    for (let r = 0; r < n; r++) sum += queries[r * width + c] ?? Number.NaN;
    return sum / n;
  });
  return Float64Array.from({ length: count }, (_, row) => {
    let sum = 0;
    for (let c = 0; c < width; c++) {
      sum += (mean[c] ?? 0) * (numbers[row * width + c] ?? 0) * (scales[row * h + Math.floor(c / d)] ?? 0);
    }
    return sum;
  });
}
