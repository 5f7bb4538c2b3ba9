// Pages of 4 bits with keys per channel, whose numbers are multiplied as they lie (nibbles.assembly.ts). A key is a number of
// 0 … 15 times its channel's scale plus its channel's minimum: the scale goes into the query, which is rounded anew for
// every page, and the minima into one number per query. A value has a scale and a minimum per group of 32 channels: its
// scale goes into the weight, and the minima, weighted, into one number per query and group.
import { groupsOf, keysOf, scalesK4, scalesV4, SLOTS, values4 } from '../append/page.assembly';
import { beyondHalves, halfToFloat, larger, largest, lowHalvesOfBytes, madd, nibbles, number, ROUND, smaller, sum } from '../assembly/simd';
import { soundScales } from './int8.assembly';
import { addNibbles, scoreNibbles } from './nibbles.assembly';
import { areFinite, spoilHalves } from './softmax.assembly';
import { Tile } from './tile.assembly';

export function scorePage(tile: Tile, page: usize): void {
  const d = tile.d;
  const scales = tile.keys;
  // Scales and minima of channels are never NaN: a NaN takes no part in them.
  numbersOf(scalesK4(page, d), 2 * d, scales);
  // All rows are weighed before the first is rounded: what divides a row comes late.
  const products = tile.values, eighths = scales + (<usize>d << 3);
  for (let r: usize = 0; r < <usize>tile.rows; r++) {
    weighQuery(tile.query(<i32>r), scales, scales + (<usize>d << 2), d, products + r * (<usize>d << 2), eighths + 96 * r);
  }
  for (let r: usize = 0; r < <usize>tile.rows; r++) {
    roundQuery(products + r * (<usize>d << 2), eighths + 96 * r, d, tile.queryInts + r * d, tile.queryScales + (r << 3));
  }
  // A query's scale and minimum are those of every slot.
  const ones = tile.scales;
  for (let s: usize = 0; s < 128; s += 16) v128.store(ones + s, f32x4.splat(1));
  scoreNibbles(tile, keysOf(page), ones, ones);
  spoilHalves(tile, scalesV4(page, d));
}

export function addPage(tile: Tile, page: usize): void {
  const d = tile.d;
  const groups = groupsOf(d);
  const scales = tile.values;
  const minima = scales + (<usize>groups << 7);
  const finite = floatsOf(scalesV4(page, d), 2 * groups * SLOTS, scales);
  if (tile.count < SLOTS || !finite) {
    for (let i = 0; i < 2 * groups; i++) soundScales(scales + (<usize>i << 7), tile.count, scales + (<usize>i << 7));
  }
  for (let i = 0; i < groups; i++) {
    const from = i << 5;
    const channels = min(32, d - from);
    const at = <usize>i << 7;
    addNibbles(tile, values4(page, d), scales + at, from, channels);
    for (let r = 0; r < tile.rows; r++) weighMinima(tile.weight(r), minima + at, minimaOf(tile, r, groups, i));
  }
}

/** Room for eight sums of a row's weights times the minima of a group. */
// @ts-ignore: decorator
@inline function minimaOf(tile: Tile, row: i32, groups: i32, group: i32): usize {
  return tile.keys + (<usize>(row * groups + group) << 5);
}

/** Before the pages of a step are added, and behind the last: minima are the same for all channels of a group. */
export function beginStep(tile: Tile): void {
  memory.fill(minimaOf(tile, 0, 0, 0), 0, <usize>(tile.rows * groupsOf(tile.d)) << 5);
}

export function endStep(tile: Tile): void {
  const groups = groupsOf(tile.d);
  for (let r = 0; r < tile.rows; r++) {
    for (let i = 0; i < groups; i++) {
      addToAll(minimaOf(tile, r, groups, i), min(32, tile.d - (i << 5)), tile.sum(r) + (<usize>i << 7));
    }
  }
}

/** to [8] += weights [32] · minima [32], every eighth together. */
// @ts-ignore: decorator
@inline export function weighMinima(p: usize, minima: usize, to: usize): void {
  let a = v128.load(to), b = v128.load(to, 16);
  for (let s: usize = 0; s < 128; s += 32) {
    a = madd(v128.load(p + s), v128.load(minima + s), a);
    b = madd(v128.load(p + s, 16), v128.load(minima + s, 16), b);
  }
  v128.store(to, a);
  v128.store(to, b, 16);
}

/** o [channels] += the sum of [8]; a multiple of 8. */
// @ts-ignore: decorator
@inline export function addToAll(eight: usize, channels: i32, o: usize): void {
  const x = f32x4.splat(sum(f32x4.add(v128.load(eight), v128.load(eight, 16))));
  for (let c = 0; c < channels; c += 8) {
    const a = f32x4.add(v128.load(o), x), b = f32x4.add(v128.load(o, 16), x);
    v128.store(o, a);
    v128.store(o, b, 16);
    o += 32;
  }
}

/** Halves at `from`, `count` of them (a multiple of 8) of which none is NaN, as floats. */
function numbersOf(from: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i += 8) {
    const v = v128.load(from);
    const x = halfToFloat(i32x4.extend_low_i16x8_s(v)), y = halfToFloat(i32x4.extend_high_i16x8_s(v));
    v128.store(to, y, 16);
    v128.store(to, x);
    from += 16;
    to += 32;
  }
}

/** The same for a multiple of 16, and NaN stays NaN. Returns whether all are finite. */
export function floatsOf(from: usize, count: i32, to: usize): bool {
  numbersOf(from, count, to);
  if (areFinite(from, count)) return true;
  for (const end = to + (<usize>count << 2); to < end; to += 16) v128.store(to, v128.or(v128.load(to), beyondHalves(v128.load(to))));
  return false;
}

/** Keys [d / 4][16][4] of two numbers each to bytes [d / 4][32][4]: the low halves are slots 0 … 15, the high 16 … 31. */
export function unpackKeys(x: usize, d: i32, out: usize): void {
  const low = lowHalvesOfBytes();
  for (let c = 0; c < d; c += 4) {
    for (let s: usize = 0; s < 64; s += 32) {
      const a = v128.load(x + s), b = v128.load(x + s, 16);
      v128.store(out + s, nibbles(b, false, low), 16);
      v128.store(out + s, nibbles(a, false, low));
      const high = out + s + 64;
      v128.store(high, nibbles(b, true, low), 16);
      v128.store(high, nibbles(a, true, low));
    }
    x += 64;
    out += 128;
  }
}

/** Values [4][d][4] of two numbers each to bytes [8][d][4], likewise. */
export function unpackValues(x: usize, d: i32, out: usize): void {
  const low = lowHalvesOfBytes();
  const half = <usize>d << 4;
  for (let s: usize = 0; s < half; s += 32) {
    const a = v128.load(x + s), b = v128.load(x + s, 16);
    v128.store(out + s, nibbles(b, false, low), 16);
    v128.store(out + s, nibbles(a, false, low));
    const high = out + half + s;
    v128.store(high, nibbles(b, true, low), 16);
    v128.store(high, nibbles(a, true, low));
  }
}

/**
 * A query row times the channels' scales [d], and of these products the largest, the least and Σ query · minimum, each in eight
 * parts [3][8].
 */
function weighQuery(x: usize, scales: usize, minima: usize, d: i32, products: usize, eighths: usize): void {
  const zero = f32x4.splat(0);
  let top = zero, top1 = zero, least = zero, least1 = zero, total = zero, total1 = zero;
  for (const end = x + (<usize>d << 2); x < end; x += 32, scales += 32, minima += 32, products += 32) {
    const v = v128.load(x), w = v128.load(x, 16), m = v128.load(minima), n = v128.load(minima, 16);
    const a = f32x4.mul(v, v128.load(scales)), b = f32x4.mul(w, v128.load(scales, 16));
    v128.store(products, b, 16);
    v128.store(products, a);
    top = larger(a, top), top1 = larger(b, top1);
    least = smaller(a, least), least1 = smaller(b, least1);
    total = madd(v, m, total), total1 = madd(w, n, total1);
  }
  v128.store(eighths, top1, 16);
  v128.store(eighths, top);
  v128.store(eighths, least1, 48);
  v128.store(eighths, least, 32);
  v128.store(eighths, total1, 80);
  v128.store(eighths, total, 64);
}

/** Rounds these products to bytes; `meta` becomes { their scale, Σ query · minimum }. */
function roundQuery(products: usize, eighths: usize, d: i32, q: usize, meta: usize): void {
  const top = larger(v128.load(eighths), v128.load(eighths, 16)), least = smaller(v128.load(eighths, 32), v128.load(eighths, 48));
  const most = largest(larger(top, f32x4.neg(least)));
  const inverse = f32x4.splat(most > 1e-30 ? <f32>127 / most : 0), round = number(ROUND, 0);
  for (const end = products + (<usize>d << 2); products < end; products += 64) {
    const a = level(v128.load(products), inverse, round), b = level(v128.load(products, 16), inverse, round);
    const e = level(v128.load(products, 32), inverse, round), f = level(v128.load(products, 48), inverse, round);
    v128.store(q, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(e, f)));
    q += 16;
  }
  store<f32>(meta, most / 127);
  // A NaN that `largest` passed over is in this sum.
  store<f32>(meta, sum(f32x4.add(v128.load(eighths, 64), v128.load(eighths, 80))), 4);
}

/** The whole number nearest to x · inverse. */
// @ts-ignore: decorator
@inline function level(x: v128, inverse: v128, round: v128): v128 {
  return i32x4.sub(madd(x, inverse, round), round);
}
