// Attention in 16-bit integers, for many queries over pages of halves or of 4 bits. Queries, keys, weights and
// values are whole numbers of 13 bits with a scale per row and page; that is about as fine
// as halves where a number counts for the sum, and a product of pairs takes one instruction for twice as many numbers as one in floats. Sums
// are whole numbers too, so they are the same in any order. Pairs lie together: channels c and c + d / 2 of queries and
// keys, slots s and s + 16 of weights and values.
import { SLOTS } from '../append/page.assembly';
import { larger, largest, number, ROUND } from '../assembly/simd';
import { store4 } from './float.assembly';
import { addScaled } from './scaled.assembly';
import { Tile, WEIGHT_ROW } from './tile.assembly';
import { unpackKeys, unpackValues } from './unpack.assembly';

/** Largest whole number of weights and values: 32 products fit 31 bits. */
// @ts-ignore: decorator
@inline const MOST: f32 = 8191;

export function packQueries(tile: Tile): void {
  const d = tile.d;
  const level = levels(d);
  for (let r = 0; r < tile.padded; r++) {
    const scale = packQuery(tile.query(r), d, level, tile.queryInts + <usize>(r * d << 1));
    store<f32>(tile.queryScales + (<usize>r << 2), scale);
  }
}

export function scorePage(tile: Tile, page: usize, format: i32): void {
  const d = tile.d;
  // The pairs go where the values will be as floats, and the other way round.
  unpackKeys(page, format, d, tile);
  packKeys(tile.keys, d, levels(d), tile.scales, tile.scales + 128, tile.values);
  for (let r = 0; r < tile.padded; r += 4) {
    const q = tile.queryInts + <usize>(r * d << 1);
    score(q, tile.queryScales + (<usize>r << 2), tile.values, tile.scales, d, tile.weight(r), WEIGHT_ROW);
  }
}

export function addPage(tile: Tile, page: usize, format: i32): void {
  const d = tile.d;
  unpackValues(page, format, d, tile);
  packValues(tile.values, d, tile.scales, tile.scales + 128, tile.keys);
  for (let r = 0; r < tile.rows; r++) {
    const scale = packWeights(tile.weight(r), tile.scales, tile.weightInts + (<usize>r << 6));
    store<f32>(tile.weightScales + (<usize>r << 2), scale);
  }
  for (let r = 0; r < tile.padded; r += 4) {
    const p = tile.weightInts + (<usize>r << 6);
    accumulate(p, tile.weightScales + (<usize>r << 2), tile.keys, d, tile.sum(r));
  }
}

/** Largest whole number of queries and keys, so that d products fit 31 bits. */
function levels(d: i32): f32 {
  return min<f32>(MOST, floor<f32>(sqrt<f32>(<f32>2147000000 / <f32>d)));
}

/** Whole numbers nearest to a · x and b · y in the low and high half of each lane; |a · x| < 2¹⁵. */
// @ts-ignore: decorator
@inline function pairs(x: v128, a: v128, y: v128, b: v128): v128 {
  // What is added to round stands above the low 16 bits only.
  const low = f32x4.add(f32x4.mul(x, a), number(ROUND, 0)), high = f32x4.add(f32x4.mul(y, b), number(ROUND, 0));
  return v128.or(i32x4.shr_u(i32x4.shl(low, 16), 16), i32x4.shl(high, 16));
}

/** Query row [d] of floats to pairs [d / 2]; its scale is returned. */
function packQuery(x: usize, d: i32, level: f32, q: usize): f32 {
  const half = <usize>d << 1;
  let most = f32x4.splat(0);
  for (let c: usize = 0; c < 2 * half; c += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + c)));
  // A NaN is in `most` too, and becomes the scale.
  const largest = max<f32>(
    max<f32>(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max<f32>(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  const inverse = f32x4.splat(largest > 1e-30 ? level / largest : 0);
  for (let c: usize = 0; c < half; c += 32) {
    const a = pairs(v128.load(x + c), inverse, v128.load(x + half + c), inverse);
    const b = pairs(v128.load(x + c, 16), inverse, v128.load(x + half + c, 16), inverse);
    v128.store(q + c, a);
    v128.store(q + c, b, 16);
  }
  return largest / level;
}

/**
 * Keys [d][32] of floats to pairs [d / 2][32] with a scale per slot. `inverses` has room for 32 floats. A slot whose first
 * channel is NaN gets a scale that is.
 */
function packKeys(k: usize, d: i32, level: f32, scales: usize, inverses: usize, out: usize): void {
  const row = <usize>SLOTS << 2;
  const end = k + <usize>d * row;
  for (let s: usize = 0; s < row; s += 64) {
    let m0 = f32x4.splat(0), m1 = m0, m2 = m0, m3 = m0;
    for (let x = k + s; x < end; x += row) {
      m0 = larger(m0, f32x4.abs(v128.load(x))), m1 = larger(m1, f32x4.abs(v128.load(x, 16)));
      m2 = larger(m2, f32x4.abs(v128.load(x, 32))), m3 = larger(m3, f32x4.abs(v128.load(x, 48)));
    }
    store4(scales + s, m0, m1, m2, m3);
  }
  for (let s: usize = 0; s < row; s += 16) {
    const most = v128.load(scales + s), first = v128.load(k + s);
    const some = f32x4.gt(most, f32x4.splat(1e-30));
    v128.store(scales + s, v128.or(f32x4.div(most, f32x4.splat(level)), f32x4.ne(first, first)));
    v128.store(inverses + s, v128.and(f32x4.div(f32x4.splat(level), most), some));
  }
  const half = <usize>d * row >> 1;
  for (let x = k; x < k + half; x += row) {
    for (let s: usize = 0; s < row; s += 32) {
      const i0 = v128.load(inverses + s), i1 = v128.load(inverses + s, 16);
      const y = x + half;
      const p0 = pairs(v128.load(x + s), i0, v128.load(y + s), i0);
      const p1 = pairs(v128.load(x + s, 16), i1, v128.load(y + s, 16), i1);
      v128.store(out, p0);
      v128.store(out, p1, 16);
      out += 32;
    }
  }
}

/** Values [32][d] of floats to pairs [16][d] with a scale per slot. */
function packValues(v: usize, d: i32, scales: usize, inverses: usize, out: usize): void {
  const row = <usize>d << 2;
  for (let s: usize = 0; s < <usize>SLOTS; s++) {
    const from = v + s * row;
    let a = f32x4.splat(0), b = f32x4.splat(0);
    for (let c: usize = 0; c < row; c += 32) {
      a = larger(a, f32x4.abs(v128.load(from + c)));
      b = larger(b, f32x4.abs(v128.load(from + c, 16)));
    }
    const most = largest(larger(a, b));
    store<f32>(scales + (s << 2), most / MOST);
    store<f32>(inverses + (s << 2), most > 1e-30 ? MOST / most : 0);
  }
  const half = row << 4;
  for (let s: usize = 0; s < 64; s += 4) {
    const i = v128.load32_splat(inverses + s), j = v128.load32_splat(inverses + s, 64);
    for (let c: usize = 0; c < row; c += 32) {
      const x = v + c, y = x + half;
      const p0 = pairs(v128.load(x), i, v128.load(y), j), p1 = pairs(v128.load(x, 16), i, v128.load(y, 16), j);
      v128.store(out, p0);
      v128.store(out, p1, 16);
      out += 32;
    }
    v += row;
  }
}

/** Weights [32] times the values' scales to pairs [16] with one scale, which is returned. */
function packWeights(p: usize, scales: usize, out: usize): f32 {
  const w0 = f32x4.mul(v128.load(p), v128.load(scales)), w1 = f32x4.mul(v128.load(p, 16), v128.load(scales, 16));
  const w2 = f32x4.mul(v128.load(p, 32), v128.load(scales, 32)), w3 = f32x4.mul(v128.load(p, 48), v128.load(scales, 48));
  const w4 = f32x4.mul(v128.load(p, 64), v128.load(scales, 64)), w5 = f32x4.mul(v128.load(p, 80), v128.load(scales, 80));
  const w6 = f32x4.mul(v128.load(p, 96), v128.load(scales, 96)), w7 = f32x4.mul(v128.load(p, 112), v128.load(scales, 112));
  const most = largest(larger(larger(larger(w0, w1), larger(w2, w3)), larger(larger(w4, w5), larger(w6, w7))));
  const inverse = f32x4.splat(most > 1e-30 ? MOST / most : 0);
  v128.store(out, pairs(w0, inverse, w4, inverse));
  v128.store(out, pairs(w1, inverse, w5, inverse), 16);
  v128.store(out, pairs(w2, inverse, w6, inverse), 32);
  v128.store(out, pairs(w3, inverse, w7, inverse), 48);
  // The sum of a softmax already holds a NaN that `largest` passed over.
  return most / MOST;
}

/** Scores of 4 query rows (pairs [4][d / 2], scales 4 bytes apart) against 32 slots: 4 × [32] floats, `stride` bytes apart. */
function score(q: usize, qScales: usize, k: usize, scales: usize, d: i32, out: usize, stride: usize): void {
  const row = <usize>d << 1;
  const zero = i32x4.splat(0);
  for (let s: usize = 0; s < 128; s += 64) {
    let kp = k + s;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let x = q, end = q + row; x < end; x += 4) {
      const k0 = v128.load(kp), k1 = v128.load(kp, 16), k2 = v128.load(kp, 32), k3 = v128.load(kp, 48);
      let y = v128.load32_splat(x);
      a0 = dot(k0, y, a0), a1 = dot(k1, y, a1), a2 = dot(k2, y, a2), a3 = dot(k3, y, a3);
      y = v128.load32_splat(x + row);
      b0 = dot(k0, y, b0), b1 = dot(k1, y, b1), b2 = dot(k2, y, b2), b3 = dot(k3, y, b3);
      y = v128.load32_splat(x + 2 * row);
      c0 = dot(k0, y, c0), c1 = dot(k1, y, c1), c2 = dot(k2, y, c2), c3 = dot(k3, y, c3);
      y = v128.load32_splat(x + 3 * row);
      d0 = dot(k0, y, d0), d1 = dot(k1, y, d1), d2 = dot(k2, y, d2), d3 = dot(k3, y, d3);
      kp += 128;
    }
    const s0 = v128.load(scales + s), s1 = v128.load(scales + s, 16);
    const s2 = v128.load(scales + s, 32), s3 = v128.load(scales + s, 48);
    const to = out + s;
    scaled4(to, a0, a1, a2, a3, s0, s1, s2, s3, v128.load32_splat(qScales));
    scaled4(to + stride, b0, b1, b2, b3, s0, s1, s2, s3, v128.load32_splat(qScales, 4));
    scaled4(to + 2 * stride, c0, c1, c2, c3, s0, s1, s2, s3, v128.load32_splat(qScales, 8));
    scaled4(to + 3 * stride, d0, d1, d2, d3, s0, s1, s2, s3, v128.load32_splat(qScales, 12));
  }
}

// @ts-ignore: decorator
@inline function dot(x: v128, y: v128, sum: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(x, y));
}

// @ts-ignore: decorator
@inline function scaled4(
  to: usize, a: v128, b: v128, c: v128, d: v128, sa: v128, sb: v128, sc: v128, sd: v128, scale: v128,
): void {
  v128.store(to, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(a), sa), scale));
  v128.store(to, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(b), sb), scale), 16);
  v128.store(to, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(c), sc), scale), 32);
  v128.store(to, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(d), sd), scale), 48);
}

/** o [4][d] += scale[row] · weights [4][16 pairs] · values [16][d pairs]; d is a multiple of 16. */
function accumulate(p: usize, scales: usize, v: usize, d: i32, o: usize): void {
  const row = <usize>d << 2;
  const zero = i32x4.splat(0);
  for (let c: usize = 0; c < row; c += 64) {
    let vp = v + c;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let x = p, end = p + 64; x < end; x += 4) {
      const v0 = v128.load(vp), v1 = v128.load(vp, 16), v2 = v128.load(vp, 32), v3 = v128.load(vp, 48);
      let y = v128.load32_splat(x);
      a0 = dot(v0, y, a0), a1 = dot(v1, y, a1), a2 = dot(v2, y, a2), a3 = dot(v3, y, a3);
      y = v128.load32_splat(x, 64);
      b0 = dot(v0, y, b0), b1 = dot(v1, y, b1), b2 = dot(v2, y, b2), b3 = dot(v3, y, b3);
      y = v128.load32_splat(x, 128);
      c0 = dot(v0, y, c0), c1 = dot(v1, y, c1), c2 = dot(v2, y, c2), c3 = dot(v3, y, c3);
      y = v128.load32_splat(x, 192);
      d0 = dot(v0, y, d0), d1 = dot(v1, y, d1), d2 = dot(v2, y, d2), d3 = dot(v3, y, d3);
      vp += row;
    }
    const to = o + c;
    addScaled(to, a0, a1, a2, a3, v128.load32_splat(scales));
    addScaled(to + row, b0, b1, b2, b3, v128.load32_splat(scales, 4));
    addScaled(to + 2 * row, c0, c1, c2, c3, v128.load32_splat(scales, 8));
    addScaled(to + 3 * row, d0, d1, d2, d3, v128.load32_splat(scales, 12));
  }
}
