// The inner loops of attention in integers, over 8-bit pages as they lie. Keys are 7 unsigned bits with a scale and a minimum
// per slot, laid out [d / 4][32 slots][4 channels]; values are signed bytes with a scale per slot, laid out [8][d][4 slots]. Both products
// are then dot products of four bytes whose results stand one slot, or one channel, to a lane.
import { keysOf, minimaK, Q8, scalesK, scalesV, SLOTS, valuesOf } from '../append/page.assembly';
import { dot4, larger, largest, madd, rounded } from '../assembly/simd';
import { softenBytes } from './bytes.assembly';
import { addScaled, largestOf32, logarithms, nearest, together } from './scaled.assembly';
import { spoil } from './softmax.assembly';
import { Tile } from './tile.assembly';

export function packQueries(tile: Tile): void {
  const d = tile.d;
  for (let r = 0; r < tile.padded; r++) {
    packQuery(tile.query(r), d, tile.queryInts + <usize>(r * d), tile.queryScales + (<usize>r << 3));
  }
}

export function scorePage(tile: Tile, page: usize): void {
  const d = tile.d;
  scoreKeys(tile, keysOf(page), scalesK(page, d), minimaK(page, d));
  const scales = scalesV(page, d);
  if (areNumbers(scales)) return;
  for (let s = 0; s < tile.count; s += 4) {
    const scale = v128.load(scales + (<usize>s << 2));
    spoil(tile, s, f32x4.ne(scale, scale));
  }
}

/** Scores against keys [d / 4][32][4] of up to 7 bits with a scale and a minimum per slot. */
export function scoreKeys(tile: Tile, k: usize, scales: usize, minima: usize): void {
  const d = tile.d;
  for (let r = 0; r < tile.padded; r += 4) {
    const meta = tile.queryScales + (<usize>r << 3);
    const q = tile.queryInts + <usize>(r * d);
    if (r + 3 < tile.rows) score4(q, meta, k, scales, minima, d, tile.weight(r), tile.weightRow);
    else score3(q, meta, k, scales, minima, d, tile.weight(r), tile.weightRow);
  }
}

export function addPage(tile: Tile, page: usize): void {
  const scales = soundScales(scalesV(page, tile.d), tile.count, tile.scales);
  packAllWeights(tile, scales);
  addBytes(tile, valuesOf(page, tile.d, Q8), 0, tile.d);
}

/** Weights of the scores of many rows, and the values they weigh. */
export function addPageOfMany(tile: Tile, page: usize): void {
  const scales = soundScales(scalesV(page, tile.d), tile.count, tile.scales);
  const logs = tile.scales + 128, inverses = tile.scales + 256;
  logarithms(scales, logs, inverses);
  softenBytes(tile, logs, inverses);
  addBytes(tile, valuesOf(page, tile.d, Q8), 0, tile.d);
}

/** Whether none of 32 floats is NaN. */
function areNumbers(scales: usize): bool {
  let all = i32x4.splat(-1);
  for (let s: usize = 0; s < 128; s += 32) {
    const a = v128.load(scales + s), b = v128.load(scales + s, 16);
    all = v128.and(all, v128.and(f32x4.eq(a, a), f32x4.eq(b, b)));
  }
  return i32x4.all_true(all);
}

/** Where scales [32] are without what slots behind `count` may hold and without NaN, which the scores show. */
export function soundScales(from: usize, count: i32, to: usize): usize {
  if (count == SLOTS && areNumbers(from)) return from;
  const end = i32x4.splat(count);
  let slot = i32x4(0, 1, 2, 3);
  for (let s: usize = 0; s < 128; s += 16) {
    const x = v128.load(from + s);
    v128.store(to + s, v128.and(x, v128.and(f32x4.eq(x, x), i32x4.lt_s(slot, end))));
    slot = i32x4.add(slot, i32x4.splat(4));
  }
  return to;
}

/** Weights of a page times the values' scales, [32] of them, to bytes. */
export function packAllWeights(tile: Tile, scales: usize): void {
  for (let r = 0; r < tile.rows; r++) {
    const scale = packWeights(tile.weight(r), scales, tile.weightInts + (<usize>r << 5));
    store<f32>(tile.weightScales + (<usize>r << 2), scale);
  }
}

/** Adds `channels` from `from` on of values [8][d][4] in signed bytes, whose weights are bytes. */
export function addBytes(tile: Tile, v: usize, from: i32, channels: i32): void {
  const at = <usize>from << 2;
  for (let r = 0; r < tile.padded; r += 4) {
    const p = tile.weightInts + (<usize>r << 5);
    const factors = tile.weightScales + (<usize>r << 2);
    if (r + 3 < tile.rows) accumulate4(p, factors, v + at, tile.d, channels, tile.sum(r) + at);
    else accumulate3(p, factors, v + at, tile.d, channels, tile.sum(r) + at);
  }
}

/** Rounds one query row to bytes, and writes { scale, scale · Σq } to `meta`. */
function packQuery(x: usize, d: i32, q: usize, meta: usize): void {
  const bytes = <usize>d << 2;
  let top = f32x4.splat(0), bad = top;
  for (let c: usize = 0; c < bytes; c += 16) {
    const v = v128.load(x + c);
    top = larger(top, f32x4.abs(v));
    bad = v128.or(bad, f32x4.ne(v, v));
  }
  const most = v128.any_true(bad) ? f32.NaN : largest(top);
  const inverse = f32x4.splat(most > 1e-36 ? <f32>127 / most : most == most ? 0 : most);
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
  const scale = most / 127;
  store<f32>(meta, scale);
  store<f32>(meta, scale * <f32>sum, 4);
}

function score4(q: usize, meta: usize, k: usize, scales: usize, minima: usize, d: i32, out: usize, stride: usize): void {
  score(q, meta, k, scales, minima, d, out, stride, true);
}

function score3(q: usize, meta: usize, k: usize, scales: usize, minima: usize, d: i32, out: usize, stride: usize): void {
  score(q, meta, k, scales, minima, d, out, stride, false);
}

function accumulate4(p: usize, scales: usize, v: usize, d: i32, channels: i32, o: usize): void {
  accumulate(p, scales, v, d, channels, o, true);
}

function accumulate3(p: usize, scales: usize, v: usize, d: i32, channels: i32, o: usize): void {
  accumulate(p, scales, v, d, channels, o, false);
}

/**
 * Scores of 3 or 4 query rows (bytes, d apart; meta 8 bytes apart) against the 32 slots of a page: [32] each, `stride`
 * bytes apart.
 */
// @ts-ignore: decorator
@inline function score(
  q: usize, meta: usize, k: usize, scales: usize, minima: usize, d: i32, out: usize, stride: usize, four: bool,
): void {
  const q1 = q + d, q2 = q1 + d, q3 = q2 + d;
  const zero = i32x4.splat(0);
  for (let s: usize = 0; s < 128; s += 64) {
    let kp = k + s;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let c: usize = 0; c < <usize>d; c += 4) {
      const k0 = v128.load(kp), k1 = v128.load(kp, 16), k2 = v128.load(kp, 32), k3 = v128.load(kp, 48);
      let x = v128.load32_splat(q + c);
      a0 = dot4(a0, x, k0), a1 = dot4(a1, x, k1), a2 = dot4(a2, x, k2), a3 = dot4(a3, x, k3);
      x = v128.load32_splat(q1 + c);
      b0 = dot4(b0, x, k0), b1 = dot4(b1, x, k1), b2 = dot4(b2, x, k2), b3 = dot4(b3, x, k3);
      x = v128.load32_splat(q2 + c);
      c0 = dot4(c0, x, k0), c1 = dot4(c1, x, k1), c2 = dot4(c2, x, k2), c3 = dot4(c3, x, k3);
      if (four) {
        x = v128.load32_splat(q3 + c);
        d0 = dot4(d0, x, k0), d1 = dot4(d1, x, k1), d2 = dot4(d2, x, k2), d3 = dot4(d3, x, k3);
      }
      kp += 128;
    }
    finish(out + s, a0, a1, a2, a3, scales + s, minima + s, meta);
    finish(out + s + stride, b0, b1, b2, b3, scales + s, minima + s, meta + 8);
    finish(out + s + 2 * stride, c0, c1, c2, c3, scales + s, minima + s, meta + 16);
    if (four) finish(out + s + 3 * stride, d0, d1, d2, d3, scales + s, minima + s, meta + 24);
  }
}

/** scale · qScale · dots + minimum · qSum */
// @ts-ignore: decorator
@inline export function finish(
  out: usize, a: v128, b: v128, c: v128, d: v128, scales: usize, minima: usize, meta: usize,
): void {
  const qScale = v128.load32_splat(meta), qSum = v128.load32_splat(meta, 4);
  const s0 = v128.load(scales), s1 = v128.load(scales, 16), s2 = v128.load(scales, 32), s3 = v128.load(scales, 48);
  const m0 = v128.load(minima), m1 = v128.load(minima, 16), m2 = v128.load(minima, 32), m3 = v128.load(minima, 48);
  v128.store(out, madd(m0, qSum, f32x4.mul(f32x4.convert_i32x4_s(a), f32x4.mul(s0, qScale))));
  v128.store(out, madd(m1, qSum, f32x4.mul(f32x4.convert_i32x4_s(b), f32x4.mul(s1, qScale))), 16);
  v128.store(out, madd(m2, qSum, f32x4.mul(f32x4.convert_i32x4_s(c), f32x4.mul(s2, qScale))), 32);
  v128.store(out, madd(m3, qSum, f32x4.mul(f32x4.convert_i32x4_s(d), f32x4.mul(s3, qScale))), 48);
}

/** Weights [32] times the values' scales, in 7 bits with one scale, which is returned. */
function packWeights(p: usize, scales: usize, out: usize): f32 {
  const w0 = f32x4.mul(v128.load(p), v128.load(scales)), w1 = f32x4.mul(v128.load(p, 16), v128.load(scales, 16));
  const w2 = f32x4.mul(v128.load(p, 32), v128.load(scales, 32)), w3 = f32x4.mul(v128.load(p, 48), v128.load(scales, 48));
  const w4 = f32x4.mul(v128.load(p, 64), v128.load(scales, 64)), w5 = f32x4.mul(v128.load(p, 80), v128.load(scales, 80));
  const w6 = f32x4.mul(v128.load(p, 96), v128.load(scales, 96)), w7 = f32x4.mul(v128.load(p, 112), v128.load(scales, 112));
  const most = largestOf32(w0, w1, w2, w3, w4, w5, w6, w7, out);
  const inverse = f32x4.splat(most > 1e-36 ? <f32>127 / most : 0);
  const low = together(seven(w0, inverse), seven(w2, inverse), seven(w4, inverse), seven(w6, inverse));
  const high = together(seven(w1, inverse), seven(w3, inverse), seven(w5, inverse), seven(w7, inverse));
  v128.store(out, low);
  v128.store(out, high, 16);
  // The sum of a softmax already holds a NaN that `largest` passed over.
  return most / 127;
}

/** The whole number nearest to w · inverse. */
// @ts-ignore: decorator
@inline function seven(w: v128, inverse: v128): v128 {
  return nearest(f32x4.mul(w, inverse));
}

/** o [3 or 4][d] += scale[row] · weights [3 or 4][32] · values, for the first `channels` of d; both are multiples of 16. */
// @ts-ignore: decorator
@inline function accumulate(p: usize, scales: usize, v: usize, d: i32, channels: i32, o: usize, four: bool): void {
  const rowBytes = <usize>d << 2;
  const end = <usize>channels << 2;
  const zero = i32x4.splat(0);
  for (let c: usize = 0; c < end; c += 64) {
    let vp = v + c;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let s: usize = 0; s < <usize>SLOTS; s += 4) {
      const v0 = v128.load(vp), v1 = v128.load(vp, 16), v2 = v128.load(vp, 32), v3 = v128.load(vp, 48);
      let x = v128.load32_splat(p + s);
      a0 = dot4(a0, v0, x), a1 = dot4(a1, v1, x), a2 = dot4(a2, v2, x), a3 = dot4(a3, v3, x);
      x = v128.load32_splat(p + s, 32);
      b0 = dot4(b0, v0, x), b1 = dot4(b1, v1, x), b2 = dot4(b2, v2, x), b3 = dot4(b3, v3, x);
      x = v128.load32_splat(p + s, 64);
      c0 = dot4(c0, v0, x), c1 = dot4(c1, v1, x), c2 = dot4(c2, v2, x), c3 = dot4(c3, v3, x);
      if (four) {
        x = v128.load32_splat(p + s, 96);
        d0 = dot4(d0, v0, x), d1 = dot4(d1, v1, x), d2 = dot4(d2, v2, x), d3 = dot4(d3, v3, x);
      }
      vp += rowBytes;
    }
    const to = o + c;
    addScaled(to, a0, a1, a2, a3, v128.load32_splat(scales));
    addScaled(to + rowBytes, b0, b1, b2, b3, v128.load32_splat(scales, 4));
    addScaled(to + 2 * rowBytes, c0, c1, c2, c3, v128.load32_splat(scales, 8));
    if (four) addScaled(to + 3 * rowBytes, d0, d1, d2, d3, v128.load32_splat(scales, 12));
  }
}
