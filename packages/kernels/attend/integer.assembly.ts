// The inner loops of attention in integers, over 8-bit pages as they lie. Keys are 7 unsigned bits with a scale and a minimum per slot, laid out
// [d / 4][32 slots][4 channels]; values are signed bytes with a scale per slot, laid out [8][d][4 slots]. Both products
// are then dot products of four bytes whose results stand one slot, or one channel, to a lane.
import { SLOTS } from '../append/page.assembly';
import { dot4, larger, largest, madd, rounded } from '../assembly/simd';

/** Rounds one query row to bytes, and writes { scale, scale · Σq } to `meta`. */
export function packQuery(x: usize, d: i32, q: usize, meta: usize): void {
  const bytes = <usize>d << 2;
  let most = f32x4.splat(0);
  for (let c: usize = 0; c < bytes; c += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + c)));
  const largest = max<f32>(
    max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  const inverse = f32x4.splat(largest > 1e-36 ? <f32>127 / largest : largest == largest ? 0 : largest);
  let sums = i32x4.splat(0);
  for (let c: usize = 0; c < bytes; c += 64) {
    const i0 = rounded(f32x4.mul(v128.load(x + c), inverse));
    const i1 = rounded(f32x4.mul(v128.load(x + c, 16), inverse));
    const i2 = rounded(f32x4.mul(v128.load(x + c, 32), inverse));
    const i3 = rounded(f32x4.mul(v128.load(x + c, 48), inverse));
    v128.store(q, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(i0, i1), i16x8.narrow_i32x4_s(i2, i3)));
    sums = i32x4.add(sums, i32x4.add(i32x4.add(i0, i1), i32x4.add(i2, i3)));
    q += 16;
  }
  const sum =
    i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  const scale = largest / 127;
  store<f32>(meta, scale);
  store<f32>(meta, scale * <f32>sum, 4);
}

/** Scores of 4 query rows (bytes, d apart; meta 8 bytes apart) against the 32 slots of a page: out [4][32]. */
export function scoreIntegers(q: usize, meta: usize, k: usize, scales: usize, minima: usize, d: i32, out: usize): void {
  const q1 = q + d;
  const q2 = q1 + d;
  const q3 = q2 + d;
  for (let s: usize = 0; s < 128; s += 32) {
    let kp = k + s;
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
    for (let c: usize = 0; c < <usize>d; c += 4) {
      const k0 = v128.load(kp), k1 = v128.load(kp, 16);
      let qq = v128.load32_splat(q + c);
      a0 = dot4(a0, qq, k0);
      a1 = dot4(a1, qq, k1);
      qq = v128.load32_splat(q1 + c);
      b0 = dot4(b0, qq, k0);
      b1 = dot4(b1, qq, k1);
      qq = v128.load32_splat(q2 + c);
      c0 = dot4(c0, qq, k0);
      c1 = dot4(c1, qq, k1);
      qq = v128.load32_splat(q3 + c);
      d0 = dot4(d0, qq, k0);
      d1 = dot4(d1, qq, k1);
      kp += 128;
    }
    const s0 = v128.load(scales + s), s1 = v128.load(scales + s, 16);
    const m0 = v128.load(minima + s), m1 = v128.load(minima + s, 16);
    finishScore(out + s, a0, a1, s0, s1, m0, m1, meta);
    finishScore(out + s + 128, b0, b1, s0, s1, m0, m1, meta + 8);
    finishScore(out + s + 256, c0, c1, s0, s1, m0, m1, meta + 16);
    finishScore(out + s + 384, d0, d1, s0, s1, m0, m1, meta + 24);
  }
}

/** scale · qScale · dots + minimum · qSum */
// @ts-ignore: decorator
@inline function finishScore(
  out: usize, x0: v128, x1: v128, s0: v128, s1: v128, m0: v128, m1: v128, meta: usize,
): void {
  const qScale = v128.load32_splat(meta);
  const qSum = v128.load32_splat(meta, 4);
  v128.store(out, madd(m0, qSum, f32x4.mul(f32x4.convert_i32x4_s(x0), f32x4.mul(s0, qScale))));
  v128.store(out, madd(m1, qSum, f32x4.mul(f32x4.convert_i32x4_s(x1), f32x4.mul(s1, qScale))), 16);
}

/** Weights [32] times the values' scales, in 7 bits with one scale, which is returned. */
export function packWeights(p: usize, scales: usize, out: usize): f32 {
  const w0 = weighted(p, scales), w1 = weighted(p + 16, scales + 16);
  const w2 = weighted(p + 32, scales + 32), w3 = weighted(p + 48, scales + 48);
  const w4 = weighted(p + 64, scales + 64), w5 = weighted(p + 80, scales + 80);
  const w6 = weighted(p + 96, scales + 96), w7 = weighted(p + 112, scales + 112);
  const most = largest(larger(larger(larger(w0, w1), larger(w2, w3)), larger(larger(w4, w5), larger(w6, w7))));
  const inverse = f32x4.splat(most > 1e-36 ? <f32>127 / most : 0);
  v128.store(out, fourVectors(w0, w1, w2, w3, inverse));
  v128.store(out, fourVectors(w4, w5, w6, w7, inverse), 16);
  // The sum of a softmax already holds a NaN that `largest` passed over.
  return most / 127;
}

// @ts-ignore: decorator
@inline function fourVectors(w0: v128, w1: v128, w2: v128, w3: v128, inverse: v128): v128 {
  const low = i16x8.narrow_i32x4_s(rounded(f32x4.mul(w0, inverse)), rounded(f32x4.mul(w1, inverse)));
  const high = i16x8.narrow_i32x4_s(rounded(f32x4.mul(w2, inverse)), rounded(f32x4.mul(w3, inverse)));
  // NaN becomes whole numbers of any size: kept within seven bits, whatever the engine does with more.
  return v128.and(i8x16.narrow_i16x8_s(low, high), i8x16.splat(127));
}

/** Weight times scale; a weight of 0 stays 0, since a slot that was never written may hold any scale. */
// @ts-ignore: decorator
@inline function weighted(p: usize, scale: usize): v128 {
  const w = v128.load(p);
  return v128.andnot(f32x4.mul(w, v128.load(scale)), f32x4.eq(w, f32x4.splat(0)));
}

/** o [4][d] += scale[row] · weights [4][32] · values; d is a multiple of 8. */
export function accumulateIntegers(p: usize, scales: usize, v: usize, d: i32, o: usize): void {
  const rowBytes = <usize>d << 2;
  const o1 = o + rowBytes, o2 = o1 + rowBytes, o3 = o2 + rowBytes;
  for (let c: usize = 0; c < rowBytes; c += 32) {
    let vp = v + c;
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
    for (let s: usize = 0; s < <usize>SLOTS; s += 4) {
      const v0 = v128.load(vp), v1 = v128.load(vp, 16);
      let pp = v128.load32_splat(p + s);
      a0 = dot4(a0, v0, pp);
      a1 = dot4(a1, v1, pp);
      pp = v128.load32_splat(p + s, 32);
      b0 = dot4(b0, v0, pp);
      b1 = dot4(b1, v1, pp);
      pp = v128.load32_splat(p + s, 64);
      c0 = dot4(c0, v0, pp);
      c1 = dot4(c1, v1, pp);
      pp = v128.load32_splat(p + s, 96);
      d0 = dot4(d0, v0, pp);
      d1 = dot4(d1, v1, pp);
      vp += rowBytes;
    }
    addScaled(o + c, a0, a1, v128.load32_splat(scales));
    addScaled(o1 + c, b0, b1, v128.load32_splat(scales, 4));
    addScaled(o2 + c, c0, c1, v128.load32_splat(scales, 8));
    addScaled(o3 + c, d0, d1, v128.load32_splat(scales, 12));
  }
}

// @ts-ignore: decorator
@inline function addScaled(o: usize, x0: v128, x1: v128, scale: v128): void {
  v128.store(o, madd(f32x4.convert_i32x4_s(x0), scale, v128.load(o)));
  v128.store(o, madd(f32x4.convert_i32x4_s(x1), scale, v128.load(o, 16)), 16);
}
