/** Root-mean-square norm of one row: x / √(mean x² + ε) · weight + residual (Zhang and Sennrich 2019, equation 4). */
export function normReference(
  x: ArrayLike<number>,
  epsilon: number,
  weight?: ArrayLike<number>,
  residual?: ArrayLike<number>,
): Float64Array {
  const row = Float64Array.from(x);
  const mean = row.reduce((sum, value) => sum + value * value, 0) / row.length;
  const factor = 1 / Math.sqrt(mean + epsilon);
  return row.map((value, c) => value * factor * (weight?.[c] ?? 1) + (residual?.[c] ?? 0));
}

/** Layer norm of one row: (x − mean) / √(variance + ε) · weight + bias (Ba et al. 2016). */
export function layerNormReference(
  x: ArrayLike<number>,
  epsilon: number,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
): Float64Array {
  const row = Float64Array.from(x);
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
  return row.map(
    (value, c) =>
      ((value - mean) / Math.sqrt(variance + epsilon)) * (weight[c] ?? Number.NaN) + (bias[c] ?? Number.NaN),
  );
}

/** Numbers of a group that share a scale. */
export const quantizeGroup = 32;

/** One row in 8 bits: x ≈ scale · q with a scale per 32 columns, the group's largest magnitude over 127. */
export function quantizeReference(x: ArrayLike<number>): { q: Float64Array; scale: Float64Array } {
  const row = Float64Array.from(x);
  const scale = new Float64Array(row.length / quantizeGroup).map((_, group) => {
    const from = group * quantizeGroup;
    return row.subarray(from, from + quantizeGroup).reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
  });
  // Groups below 10⁻³⁶ are zero for every purpose; their inverse would not be a float32.
  const q = row.map((value, c) => {
    const s = scale[Math.floor(c / quantizeGroup)] ?? 0;
    return s * 127 > 1e-36 ? Math.round(value / s) : 0;
  });
  return { q, scale };
}
