/**
 * How likely counts as far from the expected ones are, by chance: Pearson's statistic with one degree of freedom less than
 * there are cells, its distribution by Wilson and Hilferty 1931.
 */
export function chiSquare(counts: readonly number[], expected: readonly number[]): { statistic: number; p: number } {
  const statistic = counts.reduce((sum, count, i) => sum + (count - (expected[i] ?? 0)) ** 2 / (expected[i] ?? 0), 0);
  const width = 2 / (9 * (counts.length - 1));
  const z = (Math.cbrt(statistic / (counts.length - 1)) - (1 - width)) / Math.sqrt(width);
  return { statistic, p: normalTail(z) };
}

/** The share of a normal distribution above z: Abramowitz and Stegun 1964, 26.2.17. */
function normalTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp(-(z * z) / 2) / Math.sqrt(2 * Math.PI)) * series;
  return z >= 0 ? tail : 1 - tail;
}
