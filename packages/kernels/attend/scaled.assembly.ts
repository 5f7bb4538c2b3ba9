// What products in integers share.
import { madd } from '../assembly/simd';

/** o [16] += scale · sums [16] of whole numbers. */
// @ts-ignore: decorator
@inline export function addScaled(to: usize, a: v128, b: v128, c: v128, d: v128, scale: v128): void {
  const o0 = v128.load(to), o1 = v128.load(to, 16), o2 = v128.load(to, 32), o3 = v128.load(to, 48);
  v128.store(to, madd(f32x4.convert_i32x4_s(a), scale, o0));
  v128.store(to, madd(f32x4.convert_i32x4_s(b), scale, o1), 16);
  v128.store(to, madd(f32x4.convert_i32x4_s(c), scale, o2), 32);
  v128.store(to, madd(f32x4.convert_i32x4_s(d), scale, o3), 48);
}

/** The lowest bits of every lane. */
// @ts-ignore: decorator
@inline export function lowBits(x: v128, bits: i32): v128 {
  return i32x4.shr_u(i32x4.shl(x, 32 - bits), 32 - bits);
}

/** Bytes that stand alone in their lanes, together: the first lowest. */
// @ts-ignore: decorator
@inline export function fourBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.or(v128.or(a, i32x4.shl(b, 8)), v128.or(i32x4.shl(c, 16), i32x4.shl(d, 24)));
}
