import * as simple from 'simple-statistics';

/** The mean, summed with compensation. NaN of none. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : simple.mean([...values]);
}

/** The middle value, or the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : simple.median([...values]);
}

/** The value below which a share lies, interpolated between its neighbours as R (type 7) and numpy do. NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  return values.length === 0 ? Number.NaN : simple.quantile([...values], share);
}

/**
 * Pearson's correlation. NaN for fewer than two pairs, or where one side is the same throughout.
 * @throws RangeError for sides of different lengths.
 */
export function pearson(x: readonly number[], y: readonly number[]): number {
  return correlate(x, y, simple.sampleCorrelation);
}

/** Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs. As `pearson` otherwise. */
export function spearman(x: readonly number[], y: readonly number[]): number {
  return correlate(x, y, simple.sampleRankCorrelation);
}

function correlate(x: readonly number[], y: readonly number[], by: (x: number[], y: number[]) => number): number {
  if (x.length !== y.length) throw new RangeError(`${x.length} values cannot be paired with ${y.length}`);
  return x.length < 2 ? Number.NaN : by([...x], [...y]);
}
