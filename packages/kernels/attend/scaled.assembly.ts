// What products in integers share.
import { madd, number, ROUND } from '../assembly/simd';

/** o [16] += scale · sums [16] of whole numbers. */
// @ts-ignore: decorator
@inline export function addScaled(to: usize, a: v128, b: v128, c: v128, d: v128, scale: v128): void {
  const o0 = v128.load(to), o1 = v128.load(to, 16), o2 = v128.load(to, 32), o3 = v128.load(to, 48);
  v128.store(to, madd(f32x4.convert_i32x4_s(a), scale, o0));
  v128.store(to, madd(f32x4.convert_i32x4_s(b), scale, o1), 16);
  v128.store(to, madd(f32x4.convert_i32x4_s(c), scale, o2), 32);
  v128.store(to, madd(f32x4.convert_i32x4_s(d), scale, o3), 48);
}

// What the bits of 1.5 · 2²³ come to when four of them are added 8 bits apart.
const CARRIED: usize = memory.data<u32>([0x8b400000]);

/** The whole number nearest to x in the low bits, on top of the bits of 1.5 · 2²³. */
// @ts-ignore: decorator
@inline export function nearest(x: v128): v128 {
  return f32x4.add(x, number(ROUND, 0));
}

/**
 * Four whole numbers 0 … 255, each as `nearest` gives it, as the bytes of one lane, the first lowest. Where one is no such
 * number (a NaN was rounded) the lane's other bytes are not what they should be either.
 */
// @ts-ignore: decorator
@inline export function together(a: v128, b: v128, c: v128, d: v128): v128 {
  const low = i32x4.add(a, i32x4.shl(b, 8)), high = i32x4.add(i32x4.shl(c, 16), i32x4.shl(d, 24));
  return i32x4.sub(i32x4.add(low, high), number(CARRIED, 0));
}
