import type { RopePairs } from './index.ts';

/**
 * Rotary position embedding of one head [d] (Su et al. 2021, equation 15): pair j of the rotated channels is turned by
 * the angle whose cosine and sine are given; the channels behind them stay.
 */
export function ropeReference(
  x: ArrayLike<number>,
  cos: ArrayLike<number>,
  sin: ArrayLike<number>,
  pairs: RopePairs,
): Float64Array {
  const out = Float64Array.from(x);
  for (let j = 0; j < cos.length; j++) {
    const [first, second] = pairs === 'neighbours' ? [2 * j, 2 * j + 1] : [j, j + cos.length];
    const a = x[first] ?? Number.NaN;
    const b = x[second] ?? Number.NaN;
    const c = cos[j] ?? Number.NaN;
    const s = sin[j] ?? Number.NaN;
    out[first] = a * c - b * s;
    out[second] = a * s + b * c;
  }
  return out;
}
