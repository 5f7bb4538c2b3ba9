import { least, type Measure, type Rows } from './refine.ts';

/** Which of the two sides of a split before row t two rows stand on. */
const together = (i: number, j: number, t: number) => i < t === j < t;

/**
 * The definitions over the adjacency matrix, pair by pair: modularity Q = (1 / 4m) Σ (A_ij − d_i d_j / 2m) over pairs of one
 * side (equation 3 of the paper, with the official code's factor), and the smaller conductance of the two sides, the cut
 * over the lesser of what is within a side and all that is not (equation 4, as the official code has it).
 * Elements as in `splits`.
 */
export function splitsReference(rows: Rows, measure: Measure): Float64Array {
  const { count, width, values } = rows;
  const adjacency = Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length: count }, (_, j) => {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += (values[i * width + c] ?? 0) * (values[j * width + c] ?? 0);
      return sum;
    }),
  );
  const degrees = adjacency.map((row) => row.reduce((sum, x) => sum + x, 0));
  const whole = degrees.reduce((sum, x) => sum + x, 0);
  return Float64Array.from({ length: count }, (_, t) => {
    if (whole === 0) return 0;
    let [modularity, cut, left, right] = [0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) {
        const a = adjacency[i]?.[j] ?? 0;
        if (together(i, j, t)) modularity += a - ((degrees[i] ?? 0) * (degrees[j] ?? 0)) / whole;
        if (i < t && j < t) left += a;
        else if (i >= t && j >= t) right += a;
        else cut += a / 2;
      }
    }
    if (measure === 'modularity') return modularity / (2 * whole);
    const of = (inside: number) => cut / (Math.min(inside, whole - inside) || least);
    return Math.min(of(left), of(right));
  });
}
