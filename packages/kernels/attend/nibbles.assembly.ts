// The inner loops of attention in integers over pages of 4 bits as they lie. Products with numbers of 4 bits are so small that
// those of 32 channels, or of a page's 32 slots, add up in pairs of 16 bits: where a processor multiplies in pairs, as those
// without AVX-VNNI do, that is half of the multiplications that 8 bits take. Queries and weights are those of
// int8.assembly.ts, and so are the sums.
import { SLOTS } from '../append/page.assembly';
import { dots, lowHalvesOfBytes, nibbles, ofPairs, onesOfPairs } from '../assembly/simd';
import { finish, packAllWeights } from './int8.assembly';
import { addScaled } from './scaled.assembly';
import { Tile } from './tile.assembly';

/** Channels whose sums fit; all, where they are of 32 bits. */
// @ts-ignore: decorator
@inline const CHANNELS: i32 = FOURS ? i32.MAX_VALUE : 32;

/** Scores against keys [d / 4][16][4] of two numbers each, slots s and s + 16, with a scale and a minimum per slot. */
export function scoreNibbles(tile: Tile, k: usize, scales: usize, minima: usize): void {
  const d = tile.d;
  for (let r = 0; r < tile.padded; r += 4) {
    const meta = tile.queryScales + (<usize>r << 3);
    const q = tile.queryInts + <usize>(r * d);
    if (r + 3 < tile.rows) score4(q, meta, k, scales, minima, d, tile.weight(r), tile.weightRow);
    else score3(q, meta, k, scales, minima, d, tile.weight(r), tile.weightRow);
  }
}

/**
 * Adds `channels` from `from` on of values [4][d][4] of two numbers each, slots of one of the first and of one of the last four
 * steps of weights, with a scale per slot.
 */
export function addNibbles(tile: Tile, v: usize, scales: usize, from: i32, channels: i32): void {
  packAllWeights(tile, scales);
  const at = <usize>from << 2;
  for (let r = 0; r < tile.padded; r += 4) {
    const p = tile.weightInts + (<usize>r << 5);
    const factors = tile.weightScales + (<usize>r << 2);
    if (r + 3 < tile.rows) accumulate4(p, factors, v + at, tile.d, channels, tile.sum(r) + at);
    else accumulate3(p, factors, v + at, tile.d, channels, tile.sum(r) + at);
  }
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

/** As in int8.assembly.ts. */
// @ts-ignore: decorator
@inline function score(
  q: usize, meta: usize, k: usize, scales: usize, minima: usize, d: i32, out: usize, stride: usize, four: bool,
): void {
  for (let c = 0; c < d; ) {
    const channels = min(CHANNELS, d - c), at = k + (<usize>c << 4);
    scoreSlots(q + c, at, d, channels, out, stride, four, false, c > 0);
    scoreSlots(q + c, at, d, channels, out + 64, stride, four, true, c > 0);
    c += channels;
  }
  for (let s: usize = 0; s < 128; s += 64) {
    finishSlots(out + s, scales + s, minima + s, meta);
    finishSlots(out + s + stride, scales + s, minima + s, meta + 8);
    finishSlots(out + s + 2 * stride, scales + s, minima + s, meta + 16);
    if (four) finishSlots(out + s + 3 * stride, scales + s, minima + s, meta + 24);
  }
}

/** Sums of 16 slots over the channels from k on, in place of what is at `out` or added to it. */
// @ts-ignore: decorator
@inline function scoreSlots(
  q: usize, k: usize, d: i32, channels: i32, out: usize, stride: usize, four: bool, high: bool, adds: bool,
): void {
  const q1 = q + d, q2 = q1 + d, q3 = q2 + d;
  const zero = i32x4.splat(0), low = lowHalvesOfBytes();
  let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
  let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
  for (let c: usize = 0; c < <usize>channels; c += 4) {
    const p0 = v128.load(k), p1 = v128.load(k, 16), p2 = v128.load(k, 32), p3 = v128.load(k, 48);
    const k0 = nibbles(p0, high, low), k1 = nibbles(p1, high, low), k2 = nibbles(p2, high, low), k3 = nibbles(p3, high, low);
    let x = v128.load32_splat(q + c);
    a0 = dots(a0, x, k0), a1 = dots(a1, x, k1), a2 = dots(a2, x, k2), a3 = dots(a3, x, k3);
    x = v128.load32_splat(q1 + c);
    b0 = dots(b0, x, k0), b1 = dots(b1, x, k1), b2 = dots(b2, x, k2), b3 = dots(b3, x, k3);
    x = v128.load32_splat(q2 + c);
    c0 = dots(c0, x, k0), c1 = dots(c1, x, k1), c2 = dots(c2, x, k2), c3 = dots(c3, x, k3);
    if (four) {
      x = v128.load32_splat(q3 + c);
      d0 = dots(d0, x, k0), d1 = dots(d1, x, k1), d2 = dots(d2, x, k2), d3 = dots(d3, x, k3);
    }
    k += 64;
  }
  const keeps = i32x4.splat(-<i32>adds), ones = onesOfPairs();
  storeSums(out, a0, a1, a2, a3, keeps, ones);
  storeSums(out + stride, b0, b1, b2, b3, keeps, ones);
  storeSums(out + 2 * stride, c0, c1, c2, c3, keeps, ones);
  if (four) storeSums(out + 3 * stride, d0, d1, d2, d3, keeps, ones);
}

// @ts-ignore: decorator
@inline function storeSums(out: usize, a: v128, b: v128, c: v128, d: v128, keeps: v128, ones: v128): void {
  const o0 = v128.and(v128.load(out), keeps), o1 = v128.and(v128.load(out, 16), keeps);
  const o2 = v128.and(v128.load(out, 32), keeps), o3 = v128.and(v128.load(out, 48), keeps);
  v128.store(out, i32x4.add(o1, ofPairs(b, ones)), 16);
  v128.store(out, i32x4.add(o0, ofPairs(a, ones)));
  v128.store(out, i32x4.add(o3, ofPairs(d, ones)), 48);
  v128.store(out, i32x4.add(o2, ofPairs(c, ones)), 32);
}

// @ts-ignore: decorator
@inline function finishSlots(out: usize, scales: usize, minima: usize, meta: usize): void {
  finish(out, v128.load(out), v128.load(out, 16), v128.load(out, 32), v128.load(out, 48), scales, minima, meta);
}

/** As in int8.assembly.ts. */
// @ts-ignore: decorator
@inline function accumulate(p: usize, scales: usize, v: usize, d: i32, channels: i32, o: usize, four: bool): void {
  const rowBytes = <usize>d << 2;
  const end = <usize>channels << 2;
  const zero = i32x4.splat(0), low = lowHalvesOfBytes(), ones = onesOfPairs();
  for (let c: usize = 0; c < end; c += 64) {
    let vp = v + c;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let s: usize = 0; s < <usize>SLOTS / 2; s += 4) {
      const p0 = v128.load(vp), p1 = v128.load(vp, 16), p2 = v128.load(vp, 32), p3 = v128.load(vp, 48);
      let v0 = nibbles(p0, false, low), v1 = nibbles(p1, false, low), v2 = nibbles(p2, false, low), v3 = nibbles(p3, false, low);
      let x = v128.load32_splat(p + s);
      a0 = dots(a0, v0, x), a1 = dots(a1, v1, x), a2 = dots(a2, v2, x), a3 = dots(a3, v3, x);
      x = v128.load32_splat(p + s, 32);
      b0 = dots(b0, v0, x), b1 = dots(b1, v1, x), b2 = dots(b2, v2, x), b3 = dots(b3, v3, x);
      x = v128.load32_splat(p + s, 64);
      c0 = dots(c0, v0, x), c1 = dots(c1, v1, x), c2 = dots(c2, v2, x), c3 = dots(c3, v3, x);
      if (four) {
        x = v128.load32_splat(p + s, 96);
        d0 = dots(d0, v0, x), d1 = dots(d1, v1, x), d2 = dots(d2, v2, x), d3 = dots(d3, v3, x);
      }
      v0 = nibbles(p0, true, low), v1 = nibbles(p1, true, low), v2 = nibbles(p2, true, low), v3 = nibbles(p3, true, low);
      x = v128.load32_splat(p + s, 16);
      a0 = dots(a0, v0, x), a1 = dots(a1, v1, x), a2 = dots(a2, v2, x), a3 = dots(a3, v3, x);
      x = v128.load32_splat(p + s, 48);
      b0 = dots(b0, v0, x), b1 = dots(b1, v1, x), b2 = dots(b2, v2, x), b3 = dots(b3, v3, x);
      x = v128.load32_splat(p + s, 80);
      c0 = dots(c0, v0, x), c1 = dots(c1, v1, x), c2 = dots(c2, v2, x), c3 = dots(c3, v3, x);
      if (four) {
        x = v128.load32_splat(p + s, 112);
        d0 = dots(d0, v0, x), d1 = dots(d1, v1, x), d2 = dots(d2, v2, x), d3 = dots(d3, v3, x);
      }
      vp += rowBytes;
    }
    const to = o + c;
    addScaled(to, ofPairs(a0, ones), ofPairs(a1, ones), ofPairs(a2, ones), ofPairs(a3, ones), v128.load32_splat(scales));
    addScaled(to + rowBytes, ofPairs(b0, ones), ofPairs(b1, ones), ofPairs(b2, ones), ofPairs(b3, ones), v128.load32_splat(scales, 4));
    addScaled(to + 2 * rowBytes, ofPairs(c0, ones), ofPairs(c1, ones), ofPairs(c2, ones), ofPairs(c3, ones), v128.load32_splat(scales, 8));
    if (four) addScaled(to + 3 * rowBytes, ofPairs(d0, ones), ofPairs(d1, ones), ofPairs(d2, ones), ofPairs(d3, ones), v128.load32_splat(scales, 12));
  }
}
