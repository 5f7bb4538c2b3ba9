// What products in 8 and in 16 bits share.
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
