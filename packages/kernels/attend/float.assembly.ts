// The inner loops of attention in floats, over pages that are, or have been unpacked to, keys [d][32] and values [32][d].
// A vector's neighbour goes through the same instructions beside it: see ../matmul/assembly.ts.
import { SLOTS } from '../append/page.assembly';
import { halfToFloat, madd } from '../assembly/simd';

/** Scores of 4 query rows (`rowBytes` apart) against the 32 slots of a page: 4 × [32], `stride` bytes apart. */
export function score(q: usize, k: usize, d: i32, out: usize, stride: usize): void {
  const rowBytes = <usize>d << 2;
  const zero = f32x4.splat(0);
  for (let s: usize = 0; s < 128; s += 64) {
    let q0 = q, kp = k + s;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let c = 0; c < d; c++) {
      const k0 = v128.load(kp), k1 = v128.load(kp, 16), k2 = v128.load(kp, 32), k3 = v128.load(kp, 48);
      let x = v128.load32_splat(q0);
      a0 = madd(k0, x, a0), a1 = madd(k1, x, a1), a2 = madd(k2, x, a2), a3 = madd(k3, x, a3);
      x = v128.load32_splat(q0 + rowBytes);
      b0 = madd(k0, x, b0), b1 = madd(k1, x, b1), b2 = madd(k2, x, b2), b3 = madd(k3, x, b3);
      x = v128.load32_splat(q0 + 2 * rowBytes);
      c0 = madd(k0, x, c0), c1 = madd(k1, x, c1), c2 = madd(k2, x, c2), c3 = madd(k3, x, c3);
      x = v128.load32_splat(q0 + 3 * rowBytes);
      d0 = madd(k0, x, d0), d1 = madd(k1, x, d1), d2 = madd(k2, x, d2), d3 = madd(k3, x, d3);
      q0 += 4;
      kp += 128;
    }
    const to = out + s;
    store4(to, a0, a1, a2, a3);
    store4(to + stride, b0, b1, b2, b3);
    store4(to + 2 * stride, c0, c1, c2, c3);
    store4(to + 3 * stride, d0, d1, d2, d3);
  }
}

// @ts-ignore: decorator
@inline function store4(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

/** o [4][d] += p [4][count] · v [count][d]; d is a multiple of 16. Slots behind `count` may hold anything, NaN included. */
export function accumulate(p: usize, v: usize, count: i32, d: i32, o: usize): void {
  const rowBytes = <usize>d << 2;
  const end = <usize>count << 2;
  for (let c: usize = 0; c < rowBytes; c += 64) {
    let vp = v + c;
    const o0 = o + c, o1 = o0 + rowBytes, o2 = o1 + rowBytes, o3 = o2 + rowBytes;
    let a0 = v128.load(o0), a1 = v128.load(o0, 16), a2 = v128.load(o0, 32), a3 = v128.load(o0, 48);
    let b0 = v128.load(o1), b1 = v128.load(o1, 16), b2 = v128.load(o1, 32), b3 = v128.load(o1, 48);
    let c0 = v128.load(o2), c1 = v128.load(o2, 16), c2 = v128.load(o2, 32), c3 = v128.load(o2, 48);
    let d0 = v128.load(o3), d1 = v128.load(o3, 16), d2 = v128.load(o3, 32), d3 = v128.load(o3, 48);
    for (let s: usize = 0; s < end; s += 4) {
      const v0 = v128.load(vp), v1 = v128.load(vp, 16), v2 = v128.load(vp, 32), v3 = v128.load(vp, 48);
      let x = v128.load32_splat(p + s);
      a0 = madd(v0, x, a0), a1 = madd(v1, x, a1), a2 = madd(v2, x, a2), a3 = madd(v3, x, a3);
      x = v128.load32_splat(p + s, 128);
      b0 = madd(v0, x, b0), b1 = madd(v1, x, b1), b2 = madd(v2, x, b2), b3 = madd(v3, x, b3);
      x = v128.load32_splat(p + s, 256);
      c0 = madd(v0, x, c0), c1 = madd(v1, x, c1), c2 = madd(v2, x, c2), c3 = madd(v3, x, c3);
      x = v128.load32_splat(p + s, 384);
      d0 = madd(v0, x, d0), d1 = madd(v1, x, d1), d2 = madd(v2, x, d2), d3 = madd(v3, x, d3);
      vp += rowBytes;
    }
    store4(o0, a0, a1, a2, a3);
    store4(o1, b0, b1, b2, b3);
    store4(o2, c0, c1, c2, c3);
    store4(o3, d0, d1, d2, d3);
  }
}

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
