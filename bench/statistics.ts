import { mean, median } from '@loci/evaluate/statistics';

/** A value measured several times. */
export interface Summary {
  readonly median: number;
  readonly all: readonly number[];
}

/** Values to four digits, and their median. */
export function summary(values: readonly number[]): Summary {
  const all = values.map((value) => Number(value.toPrecision(4)));
  return { median: median(all), all };
}

export interface Line {
  readonly intercept: number;
  readonly slope: number;
  /** The share of the variance that the line explains. */
  readonly r2: number;
}

/** The line of least squares through points. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
  const x0 = mean(points.map(([x]) => x));
  const y0 = mean(points.map(([, y]) => y));
  const sum = (of: (x: number, y: number) => number) => points.reduce((total, [x, y]) => total + of(x - x0, y - y0), 0);
  const slope = sum((x, y) => x * y) / sum((x) => x * x);
  const residual = sum((x, y) => (y - slope * x) ** 2);
  return { intercept: y0 - slope * x0, slope, r2: 1 - residual / sum((_, y) => y * y) };
}
