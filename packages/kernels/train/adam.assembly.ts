// AdamW (Loshchilov and Hutter 2019, algorithm 2) over all parameters at once, with the gradient cut to a length.
import { address, int, take } from '../assembly/args';
import { madd, sum } from '../assembly/simd';

/** Numbers that a thread takes at a time, and whose squares are summed before others join. */
// @ts-ignore: decorator
@inline const PIECE: i32 = 4096;

/** Arguments: g, out, count (a multiple of 4): sums of squares of each 4096. */
export function squares(args: usize, counter: usize): void {
  const count = int(args, 2);
  for (let t = take(counter); t * PIECE < count; t = take(counter)) {
    let g = address(args, 0) + (<usize>(t * PIECE) << 2);
    const end = address(args, 0) + (<usize>min(count, t * PIECE + PIECE) << 2);
    let s = f32x4.splat(0);
    for (; g < end; g += 16) s = madd(v128.load(g), v128.load(g), s);
    store<f32>(address(args, 1) + (<usize>t << 2), sum(s));
  }
}

/**
 * Arguments: parameters, gradient, first and second moments, count (a multiple of 4), how many of them decay (the first ones,
 * a multiple of 4), sums of squares, and numbers: rate, β₁, β₂, ε, 1 / (1 − β₁ᵗ), 1 / (1 − β₂ᵗ), decay, factor of the
 * gradient, its greatest length (0: any). Behind the numbers it writes the length that was found.
 */
export function adamW(args: usize, counter: usize): void {
  const count = int(args, 4), decays = int(args, 5);
  const partial = address(args, 6), numbers = address(args, 7);
  const pieces = (count + PIECE - 1) / PIECE;
  let square: f32 = 0;
  for (let i = 0; i < pieces; i++) square += load<f32>(partial + (<usize>i << 2));
  const scale = load<f32>(numbers, 28), most = load<f32>(numbers, 32);
  const length = scale * sqrt<f32>(square);
  const factor = f32x4.splat(most > 0 && length > most ? (scale * most) / length : scale);
  const rate = load<f32>(numbers), b1 = load<f32>(numbers, 4), b2 = load<f32>(numbers, 8);
  const first = f32x4.splat(b1), second = f32x4.splat(b2), firstRest = f32x4.splat(1 - b1), secondRest = f32x4.splat(1 - b2);
  const epsilon = f32x4.splat(load<f32>(numbers, 12)), step = f32x4.splat(-rate * load<f32>(numbers, 16));
  const correction = f32x4.splat(load<f32>(numbers, 20));
  const kept = f32x4.splat(1 - rate * load<f32>(numbers, 24)), all = f32x4.splat(1);
  for (let t = take(counter); t < pieces; t = take(counter)) {
    if (t == 0) store<f32>(numbers, length, 36);
    for (let i = t * PIECE; i < min(count, t * PIECE + PIECE); i += 4) {
      const at = <usize>i << 2;
      const p = address(args, 0) + at, m = address(args, 2) + at, v = address(args, 3) + at;
      const g = f32x4.mul(v128.load(address(args, 1) + at), factor);
      const m1 = madd(v128.load(m), first, f32x4.mul(g, firstRest));
      const v1 = madd(v128.load(v), second, f32x4.mul(f32x4.mul(g, g), secondRest));
      v128.store(m, m1), v128.store(v, v1);
      const move = f32x4.div(f32x4.mul(step, m1), f32x4.add(f32x4.sqrt(f32x4.mul(v1, correction)), epsilon));
      v128.store(p, madd(v128.load(p), i < decays ? kept : all, move));
    }
  }
}
