/** Linear probes: what can be read off hidden states. */

/** A class for each row of features by ridge regression on its indicators; share of the held rows that are classed right. */
export function probeAccuracy(
  rows: readonly ArrayLike<number>[],
  labels: readonly number[],
  classes: number,
  trained: number,
): number {
  const width = (rows[0]?.length ?? 0) + 1;
  const feature = (row: ArrayLike<number>, c: number) => (c < width - 1 ? (row[c] ?? 0) : 1);
  // Normal equations: [width, width] beside [width, classes].
  const columns = width + classes;
  const system = new Float64Array(width * columns);
  for (const [r, row] of rows.slice(0, trained).entries()) {
    for (let a = 0; a < width; a++) {
      const x = feature(row, a);
      for (let b = 0; b < width; b++) system[a * columns + b] = (system[a * columns + b] ?? 0) + x * feature(row, b);
      const at = a * columns + width + (labels[r] ?? 0);
      system[at] = (system[at] ?? 0) + x;
    }
  }
  const trace = Array.from({ length: width }, (_, a) => system[a * columns + a] ?? 0).reduce((a, b) => a + b, 0);
  for (let a = 0; a < width; a++) {
    system[a * columns + a] = (system[a * columns + a] ?? 0) + (1e-4 * trace) / width;
  }
  eliminate(system, width, columns);
  const held = rows.slice(trained);
  const right = held.filter((row, i) => {
    const scores = Array.from({ length: classes }, (_, one) => {
      let sum = 0;
      for (let a = 0; a < width; a++) sum += feature(row, a) * (system[a * columns + width + one] ?? 0);
      return sum;
    });
    return scores.indexOf(Math.max(...scores)) === labels[trained + i];
  });
  return right.length / held.length;
}

/** Gauss–Jordan on a positive definite matrix and what stands beside it, which the solutions replace. */
function eliminate(system: Float64Array, width: number, columns: number): void {
  for (let pivot = 0; pivot < width; pivot++) {
    const diagonal = system[pivot * columns + pivot] ?? Number.NaN;
    for (let c = pivot; c < columns; c++) system[pivot * columns + c] = (system[pivot * columns + c] ?? 0) / diagonal;
    for (let r = 0; r < width; r++) {
      const factor = system[r * columns + pivot] ?? 0;
      if (r === pivot || factor === 0) continue;
      for (let c = pivot; c < columns; c++) {
        system[r * columns + c] = (system[r * columns + c] ?? 0) - factor * (system[pivot * columns + c] ?? 0);
      }
    }
  }
}
