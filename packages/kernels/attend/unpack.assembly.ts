// A page's keys and values as floats [d][32] and [32][d].
import { SLOTS } from '../append/page.assembly';
import { halfToFloat, madd } from '../assembly/simd';

/** `count` halves as floats; a multiple of 8. */
export function unpackHalves(x: usize, count: i32, out: usize): void {
  for (let c = 0; c < count; c += 8) {
    const v = v128.load(x);
    v128.store(out, halfToFloat(i32x4.extend_low_i16x8_s(v)));
    v128.store(out, halfToFloat(i32x4.extend_high_i16x8_s(v)), 16);
    x += 16;
    out += 32;
  }
}

/** Keys that are NaN in their first channel, where `append` leaves it: no half stands for a number above 65504. */
export function restoreNaN(k: usize): void {
  for (let s: usize = 0; s < 128; s += 16) {
    const v = v128.load(k + s);
    v128.store(k + s, v128.or(v, f32x4.gt(f32x4.abs(v), f32x4.splat(65504))));
  }
}

/** Keys of 7 bits [d / 4][32][4] as floats [d][32]. */
export function unpackKeys(x: usize, d: i32, scales: usize, minima: usize, out: usize): void {
  const low = i32x4.splat(255);
  for (let c = 0; c < d; c += 4) {
    for (let s: usize = 0; s < 128; s += 16) {
      const v = v128.load(x + s);
      const scale = v128.load(scales + s);
      const minimum = v128.load(minima + s);
      v128.store(out + s, madd(f32x4.convert_i32x4_s(v128.and(v, low)), scale, minimum));
      v128.store(out + s, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 8), low)), scale, minimum), 128);
      v128.store(out + s, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 16), low)), scale, minimum), 256);
      v128.store(out + s, madd(f32x4.convert_i32x4_s(i32x4.shr_u(v, 24)), scale, minimum), 384);
    }
    x += 128;
    out += 512;
  }
}

/** Values of 8 bits [8][d][4] as floats [32][d]. */
export function unpackValues(x: usize, d: i32, scales: usize, out: usize): void {
  const row = <usize>d << 2;
  for (let s: usize = 0; s < <usize>SLOTS << 2; s += 16) {
    const s0 = v128.load32_splat(scales + s), s1 = v128.load32_splat(scales + s, 4);
    const s2 = v128.load32_splat(scales + s, 8), s3 = v128.load32_splat(scales + s, 12);
    for (let c: usize = 0; c < row; c += 16) {
      const v = v128.load(x + c);
      v128.store(out + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 24), 24)), s0));
      v128.store(out + row + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 24)), s1));
      v128.store(out + 2 * row + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 8), 24)), s2));
      v128.store(out + 3 * row + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(v, 24)), s3));
    }
    x += row;
    out += 4 * row;
  }
}
