/** Mahalanobis distances of rows [n, d] to the distribution of others: √((x − μ)ᵀ Σ⁻¹ (x − μ)), Σ with a little added to its diagonal. */
export function mahalanobis(rows: Float32Array, others: Float32Array, d: number): Float64Array {
  const n = others.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < others.length; i++) mean[i % d] = (mean[i % d] ?? 0) + (others[i] ?? 0) / n;
  const factor = new Float64Array(d * d);
  const centred = new Float64Array(d);
  for (let row = 0; row < n; row++) {
    for (let c = 0; c < d; c++) centred[c] = (others[row * d + c] ?? 0) - (mean[c] ?? 0);
    for (let a = 0; a < d; a++) {
      for (let b = 0; b <= a; b++)
        factor[a * d + b] = (factor[a * d + b] ?? 0) + ((centred[a] ?? 0) * (centred[b] ?? 0)) / n;
    }
  }
  let trace = 0;
  for (let a = 0; a < d; a++) trace += factor[a * d + a] ?? 0;
  for (let a = 0; a < d; a++) factor[a * d + a] = (factor[a * d + a] ?? 0) + (1e-4 * trace) / d;
  // Cholesky: the lower triangle in place.
  for (let a = 0; a < d; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = factor[a * d + b] ?? 0;
      for (let c = 0; c < b; c++) sum -= (factor[a * d + c] ?? 0) * (factor[b * d + c] ?? 0);
      factor[a * d + b] = a === b ? Math.sqrt(sum) : sum / (factor[b * d + b] ?? 1);
    }
  }
  const solved = new Float64Array(d);
  return Float64Array.from({ length: rows.length / d }, (_, row) => {
    let square = 0;
    for (let a = 0; a < d; a++) {
      let sum = (rows[row * d + a] ?? 0) - (mean[a] ?? 0);
      for (let b = 0; b < a; b++) sum -= (factor[a * d + b] ?? 0) * (solved[b] ?? 0);
      solved[a] = sum / (factor[a * d + a] ?? 1);
      square += (solved[a] ?? 0) ** 2;
    }
    return Math.sqrt(square);
  });
}
