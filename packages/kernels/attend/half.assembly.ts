// The inner loops of attention for few queries over half-precision pages as they lie. A half's bits, shifted to where a
// float's stand, are the number times 2⁻¹¹²: the queries and the weights bring 2¹¹², and nothing is lost.
import { F16, keysOf, SLOTS, valuesOf } from '../append/page.assembly';
import { halfBits, halfMask, madd, store4 } from '../assembly/simd';
import { multiply, spoilHalves } from './softmax.assembly';
import { Tile } from './tile.assembly';

/** What queries and weights are multiplied with beforehand: 2¹¹². */
// @ts-ignore: decorator
@inline export const LIFT: f32 = reinterpret<f32>(0x77800000);

export function scorePage(tile: Tile, page: usize): void {
  for (let r = 0; r < tile.padded; r += 4) {
    if (r + 3 < tile.rows) score4(tile.query(r), keysOf(page), tile.d, tile.weight(r), tile.weightRow);
    else score3(tile.query(r), keysOf(page), tile.d, tile.weight(r), tile.weightRow);
  }
  // `append` leaves a NaN in the first channel of the key.
  spoilHalves(tile, keysOf(page));
}

export function addPage(tile: Tile, page: usize): void {
  multiply(tile.weights, tile.weights, tile.padded * SLOTS, f32x4.splat(LIFT));
  const v = valuesOf(page, tile.d, F16);
  for (let r = 0; r < tile.padded; r += 4) {
    if (r + 3 < tile.rows) accumulate4(tile.weight(r), v, tile.count, tile.d, tile.sum(r));
    else accumulate3(tile.weight(r), v, tile.count, tile.d, tile.sum(r));
  }
}

function score4(q: usize, k: usize, d: i32, out: usize, stride: usize): void {
  score(q, k, d, out, stride, true);
}

function score3(q: usize, k: usize, d: i32, out: usize, stride: usize): void {
  score(q, k, d, out, stride, false);
}

function accumulate4(p: usize, v: usize, count: i32, d: i32, o: usize): void {
  accumulate(p, v, count, d, o, true);
}

function accumulate3(p: usize, v: usize, count: i32, d: i32, o: usize): void {
  accumulate(p, v, count, d, o, false);
}

/** Scores of 3 or 4 query rows (`rowBytes` apart) against the 32 slots of a page [d][32]: [32] each, `stride` bytes apart. */
// @ts-ignore: decorator
@inline function score(q: usize, k: usize, d: i32, out: usize, stride: usize, four: bool): void {
  const rowBytes = <usize>d << 2;
  const zero = f32x4.splat(0), mask = halfMask();
  for (let s: usize = 0; s < 64; s += 32) {
    let kp = k + s;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let x = q, end = q + rowBytes; x < end; x += 4) {
      const h = v128.load(kp), i = v128.load(kp, 16);
      const k0 = halfBits(i32x4.extend_low_i16x8_s(h), mask), k1 = halfBits(i32x4.extend_high_i16x8_s(h), mask);
      const k2 = halfBits(i32x4.extend_low_i16x8_s(i), mask), k3 = halfBits(i32x4.extend_high_i16x8_s(i), mask);
      let y = v128.load32_splat(x);
      a0 = madd(k0, y, a0), a1 = madd(k1, y, a1), a2 = madd(k2, y, a2), a3 = madd(k3, y, a3);
      y = v128.load32_splat(x + rowBytes);
      b0 = madd(k0, y, b0), b1 = madd(k1, y, b1), b2 = madd(k2, y, b2), b3 = madd(k3, y, b3);
      y = v128.load32_splat(x + 2 * rowBytes);
      c0 = madd(k0, y, c0), c1 = madd(k1, y, c1), c2 = madd(k2, y, c2), c3 = madd(k3, y, c3);
      if (four) {
        y = v128.load32_splat(x + 3 * rowBytes);
        d0 = madd(k0, y, d0), d1 = madd(k1, y, d1), d2 = madd(k2, y, d2), d3 = madd(k3, y, d3);
      }
      kp += 64;
    }
    const to = out + 2 * s;
    store4(to, a0, a1, a2, a3);
    store4(to + stride, b0, b1, b2, b3);
    store4(to + 2 * stride, c0, c1, c2, c3);
    if (four) store4(to + 3 * stride, d0, d1, d2, d3);
  }
}

/** o [3 or 4][d] += p [3 or 4][count] · v [count][d]; d is a multiple of 16. */
// @ts-ignore: decorator
@inline function accumulate(p: usize, v: usize, count: i32, d: i32, o: usize, four: bool): void {
  const rowBytes = <usize>d << 2;
  const mask = halfMask();
  for (let c: usize = 0; c < rowBytes; c += 64) {
    let vp = v + (c >> 1);
    const o0 = o + c, o1 = o0 + rowBytes, o2 = o1 + rowBytes, o3 = o2 + rowBytes;
    let a0 = v128.load(o0), a1 = v128.load(o0, 16), a2 = v128.load(o0, 32), a3 = v128.load(o0, 48);
    let b0 = v128.load(o1), b1 = v128.load(o1, 16), b2 = v128.load(o1, 32), b3 = v128.load(o1, 48);
    let c0 = v128.load(o2), c1 = v128.load(o2, 16), c2 = v128.load(o2, 32), c3 = v128.load(o2, 48);
    let d0 = a0, d1 = a0, d2 = a0, d3 = a0;
    if (four) d0 = v128.load(o3), d1 = v128.load(o3, 16), d2 = v128.load(o3, 32), d3 = v128.load(o3, 48);
    for (let x = p, end = p + (<usize>count << 2); x < end; x += 4) {
      const h = v128.load(vp), i = v128.load(vp, 16);
      const v0 = halfBits(i32x4.extend_low_i16x8_s(h), mask), v1 = halfBits(i32x4.extend_high_i16x8_s(h), mask);
      const v2 = halfBits(i32x4.extend_low_i16x8_s(i), mask), v3 = halfBits(i32x4.extend_high_i16x8_s(i), mask);
      let y = v128.load32_splat(x);
      a0 = madd(v0, y, a0), a1 = madd(v1, y, a1), a2 = madd(v2, y, a2), a3 = madd(v3, y, a3);
      y = v128.load32_splat(x, 128);
      b0 = madd(v0, y, b0), b1 = madd(v1, y, b1), b2 = madd(v2, y, b2), b3 = madd(v3, y, b3);
      y = v128.load32_splat(x, 256);
      c0 = madd(v0, y, c0), c1 = madd(v1, y, c1), c2 = madd(v2, y, c2), c3 = madd(v3, y, c3);
      if (four) {
        y = v128.load32_splat(x, 384);
        d0 = madd(v0, y, d0), d1 = madd(v1, y, d1), d2 = madd(v2, y, d2), d3 = madd(v3, y, d3);
      }
      vp += rowBytes >> 1;
    }
    store4(o0, a0, a1, a2, a3);
    store4(o1, b0, b1, b2, b3);
    store4(o2, c0, c1, c2, c3);
    if (four) store4(o3, d0, d1, d2, d3);
  }
}
