// Products of many tokens with a block of 16 rows at a time. Whole numbers come first: 16 columns are unpacked into eight
// vectors of 256 bits, which stay in registers while one token after the other passes, and every vector of a token's
// columns that is spread from memory serves both octets of rows. The sums of two groups wait in scratch memory until a second
// pass scales them: scales would not find room beside the columns. On Zen 4 arithmetic on vectors binds both.
//
// Every pair of vectors (rows 0–3, rows 4–7) goes through the same instructions, loads are side by side, and the loops over
// tokens have no branch: that is the shape in which an engine may join two 128-bit vectors into one of 256 bits. Of two
// stores side by side the upper one comes first: V8 keeps a lower one that does, beside the joined store. Loops that sum stay
// below 80 of V8's operations, up to which it unrolls them, and what is spread from memory is used up before the next is, so
// that the columns stay in registers.
import { dot2, dots } from '../assembly/simd';
import { begin, finish, TILE_BYTES } from './finish.assembly';
import {
  bitsOf, FACTORS, groupBytes, groupOf, HALF_MASK, HALF_UNIT, hasMinima, HIGH, highHalves, LOW, lowHalves, loadIf, middleOf,
  minimum, part, Q4, Q8, scaleBytes, scaled, unforeseen, WHOLE,
} from './layout.assembly';

/** Up to this many tokens memory binds more than products do. */
// @ts-ignore: decorator
@inline export const FEW: i32 = 16;

// What stands in `sums` before and behind a pass: nothing; a part, whose sums are pairs of 16 bits where products come in pairs
// (those of 32 columns fit: at most 8 · 2 · 127 · 15); sums of 32 bits.
// @ts-ignore: decorator
@inline const NOTHING: i32 = 0;
// @ts-ignore: decorator
@inline const PART: i32 = 1;
// @ts-ignore: decorator
@inline const SUMS: i32 = 2;

/** before + the products of 4 columns of 4 rows; pairs that `begin` do not look at what is there. */
// @ts-ignore: decorator
@inline function products(begin: bool, before: v128, x: v128, w: v128): v128 {
  return begin && !FOURS ? dot2(x, w) : dots(before, x, w);
}

/**
 * What a pass leaves of what it found and its own products, which weigh 16 in the `last` pass over upper halves; pairs become sums
 * through `units`, their weight twice in 32 bits.
 */
// @ts-ignore: decorator
@inline function left(finds: i32, leaves: i32, last: bool, before: v128, own: v128, units: v128): v128 {
  if (FOURS) return last ? i32x4.shl(own, 4) : own;
  if (leaves == PART) return own;
  const sums = i32x4.dot_i16x8_s(own, units);
  return finds == SUMS ? i32x4.add(before, sums) : sums;
}

/**
 * The sums of 16 columns, whose numbers are at p, and those of the other octet a group behind, for n tokens: `sums` is
 * [2][TILE][8]. Numbers of 8 bits are taken in two halves, first the upper one, unless products take them whole.
 */
// @ts-ignore: decorator
@inline function sumColumns(
  layout: i32, which: i32, finds: i32, leaves: i32, p: usize, x: usize, n: i32, sums: usize, fifteen: v128, ones: v128,
): void {
  const bits = bitsOf(layout);
  // A vector of 4 bits is the numbers of two steps, loaded once: an engine pairs only loads that are pairs throughout.
  const first = bits == Q4 ? LOW : which, second = bits == Q4 ? HIGH : which;
  const step: usize = bits == Q4 ? 32 : 64;
  const p0 = v128.load(p), p1 = v128.load(p, 16);
  const q0 = loadIf(bits == Q8, p + 32, p0), q1 = loadIf(bits == Q8, p + 48, p1);
  const p2 = v128.load(p + step), p3 = v128.load(p + step, 16);
  const q2 = loadIf(bits == Q8, p + 96, p2), q3 = loadIf(bits == Q8, p + 112, p3);
  p += groupBytes(layout);
  const r0 = v128.load(p), r1 = v128.load(p, 16);
  const s0 = loadIf(bits == Q8, p + 32, r0), s1 = loadIf(bits == Q8, p + 48, r1);
  const r2 = v128.load(p + step), r3 = v128.load(p + step, 16);
  const s2 = loadIf(bits == Q8, p + 96, r2), s3 = loadIf(bits == Q8, p + 112, r3);
  const a0 = part(p0, first, fifteen), a1 = part(p1, first, fifteen);
  const b0 = part(q0, second, fifteen), b1 = part(q1, second, fifteen);
  const c0 = part(p2, first, fifteen), c1 = part(p3, first, fifteen);
  const d0 = part(q2, second, fifteen), d1 = part(q3, second, fifteen);
  const e0 = part(r0, first, fifteen), e1 = part(r1, first, fifteen);
  const f0 = part(s0, second, fifteen), f1 = part(s1, second, fifteen);
  const g0 = part(r2, first, fifteen), g1 = part(r3, first, fifteen);
  const h0 = part(s2, second, fifteen), h1 = part(s3, second, fifteen);
  const begin = finds != PART, last = which == HIGH && leaves == SUMS;
  const units = last ? i32x4.shl(ones, 4) : ones;
  const zero = i32x4.splat(0);
  for (const end = sums + (<usize>n << 5); sums < end; sums += 32, x += 32) {
    const old0 = finds == NOTHING ? zero : v128.load(sums), old1 = finds == NOTHING ? zero : v128.load(sums, 16);
    const old2 = finds == NOTHING ? zero : v128.load(sums, TILE_BYTES), old3 = finds == NOTHING ? zero : v128.load(sums, TILE_BYTES + 16);
    const x0 = v128.load32_splat(x);
    let y0 = products(begin, old0, x0, a0), y1 = products(begin, old1, x0, a1);
    let z0 = products(begin, old2, x0, e0), z1 = products(begin, old3, x0, e1);
    const x1 = v128.load32_splat(x, 4);
    y0 = dots(y0, x1, b0), y1 = dots(y1, x1, b1), z0 = dots(z0, x1, f0), z1 = dots(z1, x1, f1);
    const x2 = v128.load32_splat(x, 8);
    y0 = dots(y0, x2, c0), y1 = dots(y1, x2, c1), z0 = dots(z0, x2, g0), z1 = dots(z1, x2, g1);
    const x3 = v128.load32_splat(x, 12);
    y0 = dots(y0, x3, d0), y1 = dots(y1, x3, d1), z0 = dots(z0, x3, h0), z1 = dots(z1, x3, h1);
    y0 = left(finds, leaves, last, old0, y0, units), y1 = left(finds, leaves, last, old1, y1, units);
    z0 = left(finds, leaves, last, old2, z0, units), z1 = left(finds, leaves, last, old3, z1, units);
    v128.store(sums, y1, 16);
    v128.store(sums, y0);
    v128.store(sums, z1, TILE_BYTES + 16);
    v128.store(sums, z0, TILE_BYTES);
  }
}

/** The sums of a group's columns, whose numbers are at p. */
// @ts-ignore: decorator
@inline function sumGroup(layout: i32, p: usize, x: usize, n: i32, sums: usize, fifteen: v128, ones: v128): void {
  const is8 = bitsOf(layout) == Q8;
  const is32 = groupOf(layout) == 32;
  const upper = p + (is8 ? 128 : 64);
  const halves = is8 && !BYTES, last = is8 ? WHOLE : LOW;
  if (halves) {
    sumColumns(layout, HIGH, NOTHING, is32 ? PART : SUMS, p, x, n, sums, fifteen, ones);
    if (is32) sumColumns(layout, HIGH, PART, SUMS, upper, x + 16, n, sums, fifteen, ones);
    sumColumns(layout, LOW, SUMS, SUMS, p, x, n, sums, fifteen, ones);
    if (is32) sumColumns(layout, LOW, SUMS, SUMS, upper, x + 16, n, sums, fifteen, ones);
  } else {
    sumColumns(layout, last, NOTHING, is32 ? PART : SUMS, p, x, n, sums, fifteen, ones);
    if (is32) sumColumns(layout, last, PART, SUMS, upper, x + 16, n, sums, fifteen, ones);
  }
}

/**
 * Adds to f [2][TILE][8] the sums [2][2][TILE][8] behind it of one group at s, or of it and the next: `meta` and `nextMeta` are
 * those of their columns.
 */
// @ts-ignore: decorator
@inline function scaleSums(
  layout: i32, pair: bool, s: usize, meta: usize, nextMeta: usize, n: i32, f: usize,
  mask: v128, unit: v128, middle: v128,
): void {
  const is32 = groupOf(layout) == 32;
  const octet = groupBytes(layout);
  const after = s + (pair ? octet << 1 : 0);
  const a = v128.load(s), aMin = loadIf(hasMinima(layout), s + 16, a);
  const s0 = lowHalves(a, mask, unit), s1 = highHalves(a, mask, unit);
  const m0 = minimum(layout, lowHalves(aMin, mask, unit), s0, middle);
  const m1 = minimum(layout, highHalves(aMin, mask, unit), s1, middle);
  const b = v128.load(s + octet), bMin = loadIf(hasMinima(layout), s + octet + 16, b);
  const s2 = lowHalves(b, mask, unit), s3 = highHalves(b, mask, unit);
  const m2 = minimum(layout, lowHalves(bMin, mask, unit), s2, middle);
  const m3 = minimum(layout, highHalves(bMin, mask, unit), s3, middle);
  const c = v128.load(after), cMin = loadIf(hasMinima(layout), after + 16, c);
  const s4 = lowHalves(c, mask, unit), s5 = highHalves(c, mask, unit);
  const m4 = minimum(layout, lowHalves(cMin, mask, unit), s4, middle);
  const m5 = minimum(layout, highHalves(cMin, mask, unit), s5, middle);
  const d = v128.load(after + octet), dMin = loadIf(hasMinima(layout), after + octet + 16, d);
  const s6 = lowHalves(d, mask, unit), s7 = highHalves(d, mask, unit);
  const m6 = minimum(layout, lowHalves(dMin, mask, unit), s6, middle);
  const m7 = minimum(layout, highHalves(dMin, mask, unit), s7, middle);
  for (const end = f + (<usize>n << 5); f < end; f += 32, meta += 16, nextMeta += 16) {
    const xScale = v128.load32_splat(meta), xSum = is32 ? v128.load32_splat(meta, 4) : v128.load32_splat(meta, 8);
    let r0 = scaled(v128.load(f), v128.load(f, 2 * TILE_BYTES), s0, m0, xScale, xSum);
    let r1 = scaled(v128.load(f, 16), v128.load(f, 2 * TILE_BYTES + 16), s1, m1, xScale, xSum);
    let r2 = scaled(v128.load(f, TILE_BYTES), v128.load(f, 3 * TILE_BYTES), s2, m2, xScale, xSum);
    let r3 = scaled(v128.load(f, TILE_BYTES + 16), v128.load(f, 3 * TILE_BYTES + 16), s3, m3, xScale, xSum);
    if (pair) {
      const nextScale = is32 ? v128.load32_splat(nextMeta) : xScale;
      const nextSum = is32 ? v128.load32_splat(nextMeta, 4) : v128.load32_splat(nextMeta, 12);
      r0 = scaled(r0, v128.load(f, 4 * TILE_BYTES), s4, m4, nextScale, nextSum);
      r1 = scaled(r1, v128.load(f, 4 * TILE_BYTES + 16), s5, m5, nextScale, nextSum);
      r2 = scaled(r2, v128.load(f, 5 * TILE_BYTES), s6, m6, nextScale, nextSum);
      r3 = scaled(r3, v128.load(f, 5 * TILE_BYTES + 16), s7, m7, nextScale, nextSum);
    }
    v128.store(f, r1, 16);
    v128.store(f, r0);
    v128.store(f, r3, TILE_BYTES + 16);
    v128.store(f, r2, TILE_BYTES);
  }
}

/**
 * Products of a block, or of its first octet where there is no second (half of the work is wasted then), with n ≤ TILE of `rows`
 * tokens. Scratch memory: 6 · TILE_BYTES.
 */
// @ts-ignore: decorator
@inline export function productsOfMany(
  layout: i32, two: bool, w: usize, columns: i32, x: usize, meta: usize, rows: i32, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const group = groupOf(layout);
  begin(n, f);
  const one = unforeseen(n);
  const fifteen = i32x4.splat(one * 0x0f0f0f0f), ones = i32x4.splat(one * 0x00010001);
  const mask = i32x4.splat(one * HALF_MASK), unit = i32x4.splat(one * HALF_UNIT);
  const middle = f32x4.splat(<f32>one * middleOf(layout));
  const next = groupBytes(layout) << 1;
  // From one group's columns and their meta to the next group's.
  const nextX: usize = group == 32 ? <usize>rows << 5 : 16, nextMeta: usize = group == 32 ? <usize>rows << 4 : 0;
  let s = w + FACTORS;
  for (let c = 0; c < columns; c += group << 1) {
    const pair = group == 16 || c + 32 < columns;
    const count: usize = pair ? 2 : 1;
    for (let k: usize = 0; k < count; k++) {
      sumGroup(layout, s + scaleBytes(layout) + k * next, x + k * nextX, n, f + (k + 1) * 2 * TILE_BYTES, fifteen, ones);
    }
    if (pair) scaleSums(layout, true, s, meta, meta + nextMeta, n, f, mask, unit, middle);
    else scaleSums(layout, false, s, meta, meta, n, f, mask, unit, middle);
    s += next << 1;
    x += <usize>rows << (group == 32 ? 6 : 5);
    meta += <usize>rows << (group == 32 ? 5 : 4);
  }
  if (two) finish(true, w, n, out, outStride, bias, accumulate, f);
  else finish(false, w, n, out, outStride, bias, accumulate, f);
}
