// Causal convolution along a sequence, each channel with a filter of its own, and its derivatives. Channels are a multiple of 4.
import { address, int, take } from '../assembly/args';
import { madd } from '../assembly/simd';

/** Bytes of channels that a thread takes at a time. */
// @ts-ignore: decorator
@inline const SLICE: usize = 64;

/**
 * Arguments: x [batch, n, channels], filter [taps, channels], out, batch, n, channels, taps, whether it looks ahead:
 * out[t] = Σ filter[j] x[t − j], or Σ filter[j] x[t + j].
 */
export function convolve(args: usize, counter: usize): void {
  const batch = int(args, 3), n = int(args, 4), taps = int(args, 6);
  const ahead = int(args, 7) != 0;
  const row = <usize>int(args, 5) << 2;
  const slices = <i32>((row + SLICE - 1) / SLICE), count = batch * slices;
  const step: isize = ahead ? <isize>row : -<isize>row;
  for (let t = take(counter); t < count; t = take(counter)) {
    const begin = <usize>(t % slices) * SLICE, end = min(row, begin + SLICE);
    const at = <usize>(t / slices) * <usize>n * row;
    for (let i = 0; i < n; i++) {
      const reach = min(taps, ahead ? n - i : i + 1);
      for (let c = begin; c < end; c += 16) {
        let x = address(args, 0) + at + <usize>i * row + c, w = address(args, 1) + c;
        let s = f32x4.splat(0);
        for (let j = 0; j < reach; j++) s = madd(v128.load(x), v128.load(w), s), x += step, w += row;
        v128.store(address(args, 2) + at + <usize>i * row + c, s);
      }
    }
  }
}

/** Arguments: x, dy, out, batch, n, channels, taps: out[j] = Σ over batch and t of dy[t] x[t − j]. */
export function convolveFilterGradient(args: usize, counter: usize): void {
  const batch = int(args, 3), n = int(args, 4), taps = int(args, 6);
  const row = <usize>int(args, 5) << 2;
  const slices = <i32>((row + SLICE - 1) / SLICE), count = taps * slices;
  for (let t = take(counter); t < count; t = take(counter)) {
    const begin = <usize>(t % slices) * SLICE, end = min(row, begin + SLICE), j = t / slices;
    for (let c = begin; c < end; c += 16) {
      let s = f32x4.splat(0);
      for (let b = 0; b < batch; b++) {
        let x = address(args, 0) + <usize>b * <usize>n * row + c, dy = address(args, 1) + <usize>(b * n + j) * row + c;
        for (let i = j; i < n; i++) s = madd(v128.load(x), v128.load(dy), s), x += row, dy += row;
      }
      v128.store(address(args, 2) + <usize>j * row + c, s);
    }
  }
}
