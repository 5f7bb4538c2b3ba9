// A causal convolution along a sequence, each channel with a filter of its own, that goes on where the rows before ended.
import { address, int, take } from '../assembly/args';
import { madd } from '../assembly/simd';

/** Bytes of channels that a thread takes at a time. */
// @ts-ignore: decorator
@inline const SLICE: usize = 64;

/**
 * Arguments: x, its stride in floats, n, channels (a multiple of 4), filter [taps, channels], taps, the taps − 1 rows before
 * [taps − 1, channels], where those behind go, out [n, channels]: out[t] = Σ filter[j] x[t − j].
 */
export function convolve(args: usize, counter: usize): void {
  const x = address(args, 0), n = int(args, 2), taps = int(args, 5);
  const step = <usize>int(args, 1) << 2, row = <usize>int(args, 3) << 2;
  const before = address(args, 6), behind = address(args, 7);
  const slices = <i32>((row + SLICE - 1) / SLICE);
  for (let t = take(counter); t < slices; t = take(counter)) {
    const begin = <usize>t * SLICE, end = min(row, begin + SLICE);
    for (let c = begin; c < end; c += 16) {
      for (let i = 0; i < n; i++) {
        let s = f32x4.splat(0);
        let w = address(args, 4) + c;
        for (let j = i; j > i - taps; j--, w += row) s = madd(at(x + c, step, before + c, row, taps, j), v128.load(w), s);
        v128.store(address(args, 8) + <usize>i * row + c, s);
      }
      for (let i = 0; i < taps - 1; i++) {
        v128.store(behind + <usize>i * row + c, at(x + c, step, before + c, row, taps, n - taps + 1 + i));
      }
    }
  }
}

/** Row j of the rows at hand, or, below 0, of those before. */
// @ts-ignore: decorator
@inline function at(x: usize, step: usize, before: usize, row: usize, taps: i32, j: i32): v128 {
  return v128.load(j >= 0 ? x + <usize>j * step : before + <usize>(j + taps - 1) * row);
}
