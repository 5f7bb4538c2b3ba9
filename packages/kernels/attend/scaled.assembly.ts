// What products in integers share.
import { exp2, larger, largest, madd, number, ROUND } from '../assembly/simd';

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

/** The largest of 32 floats, neighbours a and b; `spare` has room for eight. A NaN may be passed over. */
// @ts-ignore: decorator
@inline export function largestOf32(
  a0: v128, b0: v128, a1: v128, b1: v128, a2: v128, b2: v128, a3: v128, b3: v128, spare: usize,
): f32 {
  v128.store(spare, larger(larger(a0, a1), larger(a2, a3)));
  v128.store(spare, larger(larger(b0, b1), larger(b2, b3)), 16);
  return largest(larger(v128.load(spare), v128.load(spare, 16)));
}

// 2⁻²³; what brings a float's bits to its logarithm; the least scale that is told from 0; the series of ln(1 + r); 1 / ln 2; 1.
const LOGARITHM: usize = memory.data<f32>([
  1.1920929e-7, -126.9138, 7.8886091e-31, 0.2, -0.25, 0.33333333, -0.5, 1, 1.44269504,
]);

/**
 * A number not below log₂ x, and less than 0.09 above it: the bits of a float are its logarithm, straight between powers of two.
 */
// @ts-ignore: decorator
@inline export function logarithmAbove(x: v128): v128 {
  return madd(f32x4.convert_i32x4_s(x), number(LOGARITHM, 0), number(LOGARITHM, 1));
}

/** log₂ of 32 scales that are numbers, and 1 / scale: as if 0 were something tiny, since what it scales is 0 as well. */
export function logarithms(scales: usize, logs: usize, inverses: usize): void {
  for (let s: usize = 0; s < 128; s += 32) {
    const a = larger(number(LOGARITHM, 2), v128.load(scales + s)), b = larger(number(LOGARITHM, 2), v128.load(scales + s, 16));
    const x = logarithm(a), y = logarithm(b);
    v128.store(logs + s, x);
    v128.store(logs + s, y, 16);
    const i = f32x4.div(number(LOGARITHM, 7), a), j = f32x4.div(number(LOGARITHM, 7), b);
    v128.store(inverses + s, i);
    v128.store(inverses + s, j, 16);
  }
}

/** log₂ x to 10⁻⁷: what is missing of the number above it is the logarithm of a number near 1. */
// @ts-ignore: decorator
@inline function logarithm(x: v128): v128 {
  const above = logarithmAbove(x);
  const r = f32x4.sub(f32x4.mul(x, exp2(f32x4.neg(above))), number(LOGARITHM, 7));
  let p = madd(number(LOGARITHM, 3), r, number(LOGARITHM, 4));
  p = madd(p, r, number(LOGARITHM, 5));
  p = madd(p, r, number(LOGARITHM, 6));
  p = madd(p, r, number(LOGARITHM, 7));
  return madd(f32x4.mul(p, r), number(LOGARITHM, 8), above);
}
