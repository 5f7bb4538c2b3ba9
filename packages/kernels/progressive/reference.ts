import type { ProgressiveRows } from './index.ts';

/** Σ_g scale · (Σ q · x − zero · Σ x), [n, rows]; whole numbers x, so that float64 is exact. */
export function progressiveReference(w: ProgressiveRows, x: ArrayLike<number>, n: number): Float64Array {
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

/** One row in 8 bits: x ≈ scale · q, the scale being the largest magnitude, or 10⁻⁶, over 127. */
export function quantizeRowReference(x: ArrayLike<number>): { q: Float64Array; scale: number } {
  const row = Float64Array.from(x);
  const scale = row.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6) / 127;
  return { q: row.map((value) => Math.round(value / scale)), scale };
}
