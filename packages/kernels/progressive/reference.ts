import type { ProgressiveRows } from './index.ts';

/** Σ_g scale · (Σ q · x − zero · Σ x), [n, rows]; whole numbers, so that float64 is exact. */
export function progressiveReference(w: ProgressiveRows, x: Int8Array, n: number): Float64Array {
  const { rows, columns, group, q, scale, zero } = w;
  const out = new Float64Array(n * rows);
  for (let i = 0; i < out.length; i++) {
    const [t, r] = [Math.floor(i / rows), i % rows];
    for (let c = 0; c < columns; c++) {
      const at = r * columns + c;
      const g = Math.floor(at / group);
      const weight = (scale[g] ?? 0) * ((q[at] ?? 0) - (zero[g] ?? 0));
      out[i] = (out[i] ?? 0) + weight * (x[t * columns + c] ?? 0);
    }
  }
  return out;
}
