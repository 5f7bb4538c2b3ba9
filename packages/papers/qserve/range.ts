import { isNarrow, quantizeInteger, stepOf } from './weights.ts';

/** The largest magnitude that level 2 gives for any group of integers within ±range. */
export function largestValue(range: number): number {
  let most = 0;
  for (let low = -range; low <= 0; low++) {
    for (let high = 0; high <= range; high++) {
      for (const extra of isNarrow(low, high) ? [0, 1] : [0]) {
        const step = stepOf(low, high, extra);
        for (let x = low; x <= high; x++) {
          most = Math.max(most, Math.abs((quantizeInteger(x, step) - step.zero) * step.scale));
        }
      }
    }
  }
  return most;
}
