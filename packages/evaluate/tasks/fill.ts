import { LociError } from 'loci';

/**
 * The largest amount from `least` to `most` whose size is within `limit`, where size grows with the amount (about
 * linearly, or it takes longer).
 * @throws LociError `bad-option` when even `least` is too large, or `most` would leave room.
 */
export function fill(
  limit: number,
  size: (amount: number) => number,
  { least = 1, most = Number.POSITIVE_INFINITY } = {},
): number {
  let low = least;
  let lowSize = size(low);
  if (lowSize > limit) {
    throw new LociError('bad-option', `length is ${limit}; this task needs at least ${lowSize} tokens`);
  }
  let high = low;
  let highSize = lowSize;
  for (let step = 64; highSize <= limit; step *= 2) {
    if (high === most) {
      throw new LociError('bad-option', `length is ${limit}; this task has no more than ${highSize} tokens`);
    }
    [low, lowSize] = [high, highSize];
    high = Math.min(low + step, most);
    highSize = size(high);
  }
  for (let bisect = false; high - low > 1; bisect = !bisect) {
    const share = bisect ? 0.5 : (limit - lowSize) / (highSize - lowSize);
    const middle = Math.min(high - 1, Math.max(low + 1, low + Math.round(share * (high - low))));
    const middleSize = size(middle);
    if (middleSize <= limit) [low, lowSize] = [middle, middleSize];
    else [high, highSize] = [middle, middleSize];
  }
  return low;
}
