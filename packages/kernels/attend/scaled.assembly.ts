// What products in 8 and in 16 bits share: weights that take the values' scales, and sums that take the weights'.
import { madd } from '../assembly/simd';

/** Weight times scale; a weight of 0 stays 0, since a slot that was never written may hold any scale. */
// @ts-ignore: decorator
@inline export function weighted(p: usize, scale: usize): v128 {
  const w = v128.load(p);
  return v128.andnot(f32x4.mul(w, v128.load(scale)), f32x4.eq(w, f32x4.splat(0)));
}

/** o [16] += scale · sums [16] of whole numbers. */
// @ts-ignore: decorator
@inline export function addScaled(to: usize, a: v128, b: v128, c: v128, d: v128, scale: v128): void {
  const o0 = v128.load(to), o1 = v128.load(to, 16), o2 = v128.load(to, 32), o3 = v128.load(to, 48);
  v128.store(to, madd(f32x4.convert_i32x4_s(a), scale, o0));
  v128.store(to, madd(f32x4.convert_i32x4_s(b), scale, o1), 16);
  v128.store(to, madd(f32x4.convert_i32x4_s(c), scale, o2), 32);
  v128.store(to, madd(f32x4.convert_i32x4_s(d), scale, o3), 48);
}
