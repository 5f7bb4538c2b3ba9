// Products of many tokens with 16 rows, two blocks, at a time. Whole numbers come first: 16 columns are unpacked into eight
// vectors of 256 bits, which stay in registers while one token after the other passes, and every vector of a token's
// columns that is spread from memory serves both blocks. The sums of two groups wait in scratch memory until a second
// pass scales them: scales would not find room beside the columns. Loads bind both passes as much as products do.
//
// Every pair of vectors (rows 0–3, rows 4–7) goes through the same instructions, loads are side by side, and the loops over
// tokens have no branch: that is the shape in which an engine may join two 128-bit vectors into one of 256 bits. Of two
// stores side by side the upper one comes first: V8 keeps a lower one that does, beside the joined store.
import { dot2, dot4 } from '../assembly/simd';
import { finish } from './finish.assembly';
import {
  bitsOf, groupBytes, groupOf, HALF_MASK, HALF_UNIT, hasMinima, HIGH, highHalves, LOW, lowHalves, loadIf, middleOf, minimum,
  nibbles, Q4, Q8, scaleBytes, scaled, unforeseen, WHOLE,
} from './layout.assembly';

/** Tokens that share the unpacking of weights. */
// @ts-ignore: decorator
@inline export const TILE: i32 = 64;
/** Up to this many tokens memory binds more than products do. */
// @ts-ignore: decorator
@inline export const FEW: i32 = 16;

/** acc + the sums of 16 columns for 4 rows. */
// @ts-ignore: decorator
@inline function dots16(acc: v128, x: usize, a: v128, b: v128, c: v128, d: v128, ones: v128): v128 {
  const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x, 4), x2 = v128.load32_splat(x, 8), x3 = v128.load32_splat(x, 12);
  if (FOURS) return dot4(dot4(dot4(dot4(acc, x0, a), x1, b), x2, c), x3, d);
  // In 8 × 16 bits, at most 4 · 2 · 127 · 15 in each.
  const pairs = i16x8.add(i16x8.add(dot2(x0, a), dot2(x1, b)), i16x8.add(dot2(x2, c), dot2(x3, d)));
  return i32x4.add(acc, i32x4.dot_i16x8_s(pairs, ones));
}

/**
 * The sums of 16 columns, whose numbers are at p and p + gap, for n tokens: `sums` is [2][n][8]. Numbers of 8 bits are taken in
 * two halves, first the upper one, unless products take them whole. The first pass of a group starts sums anew, the last one
 * over upper halves shifts them.
 */
// @ts-ignore: decorator
@inline function sumColumns(
  layout: i32, which: i32, starts: bool, shifts: bool, p: usize, gap: usize, x: usize, n: i32, sums: usize, fifteen: v128, ones: v128,
): void {
  const bits = bitsOf(layout);
  // A vector of 4 bits is the numbers of two steps, loaded once: an engine pairs only loads that are pairs throughout.
  const first = bits == Q4 ? LOW : which, second = bits == Q4 ? HIGH : which;
  const step: usize = bits == Q4 ? 32 : 64;
  const p0 = v128.load(p), p1 = v128.load(p, 16);
  const q0 = loadIf(bits == Q8, p + 32, p0), q1 = loadIf(bits == Q8, p + 48, p1);
  const p2 = v128.load(p + step), p3 = v128.load(p + step, 16);
  const q2 = loadIf(bits == Q8, p + 96, p2), q3 = loadIf(bits == Q8, p + 112, p3);
  p += gap;
  const r0 = v128.load(p), r1 = v128.load(p, 16);
  const s0 = loadIf(bits == Q8, p + 32, r0), s1 = loadIf(bits == Q8, p + 48, r1);
  const r2 = v128.load(p + step), r3 = v128.load(p + step, 16);
  const s2 = loadIf(bits == Q8, p + 96, r2), s3 = loadIf(bits == Q8, p + 112, r3);
  const a0 = nibbles(p0, first, fifteen), a1 = nibbles(p1, first, fifteen);
  const b0 = nibbles(q0, second, fifteen), b1 = nibbles(q1, second, fifteen);
  const c0 = nibbles(p2, first, fifteen), c1 = nibbles(p3, first, fifteen);
  const d0 = nibbles(q2, second, fifteen), d1 = nibbles(q3, second, fifteen);
  const e0 = nibbles(r0, first, fifteen), e1 = nibbles(r1, first, fifteen);
  const f0 = nibbles(s0, second, fifteen), f1 = nibbles(s1, second, fifteen);
  const g0 = nibbles(r2, first, fifteen), g1 = nibbles(r3, first, fifteen);
  const h0 = nibbles(s2, second, fifteen), h1 = nibbles(s3, second, fifteen);
  const zero = i32x4.splat(0);
  let others = sums + (<usize>n << 5);
  for (let t = 0; t < n; t++) {
    let y0 = starts ? zero : v128.load(sums), y1 = starts ? zero : v128.load(sums, 16);
    let z0 = starts ? zero : v128.load(others), z1 = starts ? zero : v128.load(others, 16);
    y0 = dots16(y0, x, a0, b0, c0, d0, ones), y1 = dots16(y1, x, a1, b1, c1, d1, ones);
    z0 = dots16(z0, x, e0, f0, g0, h0, ones), z1 = dots16(z1, x, e1, f1, g1, h1, ones);
    if (shifts) {
      y0 = i32x4.shl(y0, 4), y1 = i32x4.shl(y1, 4);
      z0 = i32x4.shl(z0, 4), z1 = i32x4.shl(z1, 4);
    }
    v128.store(sums, y1, 16);
    v128.store(sums, y0);
    v128.store(others, z1, 16);
    v128.store(others, z0);
    x += 32;
    sums += 32;
    others += 32;
  }
}

/** The sums of a group's columns, whose numbers are at p and p + gap. */
// @ts-ignore: decorator
@inline function sumGroup(layout: i32, p: usize, gap: usize, x: usize, n: i32, sums: usize, fifteen: v128, ones: v128): void {
  const is8 = bitsOf(layout) == Q8;
  const is32 = groupOf(layout) == 32;
  const upper = p + (is8 ? 128 : 64);
  const halves = is8 && !BYTES, last = is8 && BYTES ? WHOLE : LOW;
  if (halves) {
    sumColumns(layout, HIGH, true, !is32, p, gap, x, n, sums, fifteen, ones);
    if (is32) sumColumns(layout, HIGH, false, true, upper, gap, x + 16, n, sums, fifteen, ones);
  }
  sumColumns(layout, last, !halves, false, p, gap, x, n, sums, fifteen, ones);
  if (is32) sumColumns(layout, last, false, false, upper, gap, x + 16, n, sums, fifteen, ones);
}

/**
 * Adds to f [2][n][8] the sums [2][2][n][8] of one group at s and s + gap, or of it and the next: `meta` and `nextMeta` are
 * those of their columns.
 */
// @ts-ignore: decorator
@inline function scaleSums(
  layout: i32, two: bool, s: usize, gap: usize, meta: usize, nextMeta: usize, n: i32, f: usize, sums: usize,
  mask: v128, unit: v128, middle: v128,
): void {
  const is32 = groupOf(layout) == 32;
  const after = s + (two ? groupBytes(layout) : 0);
  const a = v128.load(s), aMin = loadIf(hasMinima(layout), s + 16, a);
  const s0 = lowHalves(a, mask, unit), s1 = highHalves(a, mask, unit);
  const m0 = minimum(layout, lowHalves(aMin, mask, unit), s0, middle);
  const m1 = minimum(layout, highHalves(aMin, mask, unit), s1, middle);
  const b = v128.load(s + gap), bMin = loadIf(hasMinima(layout), s + gap + 16, b);
  const s2 = lowHalves(b, mask, unit), s3 = highHalves(b, mask, unit);
  const m2 = minimum(layout, lowHalves(bMin, mask, unit), s2, middle);
  const m3 = minimum(layout, highHalves(bMin, mask, unit), s3, middle);
  const c = v128.load(after), cMin = loadIf(hasMinima(layout), after + 16, c);
  const s4 = lowHalves(c, mask, unit), s5 = highHalves(c, mask, unit);
  const m4 = minimum(layout, lowHalves(cMin, mask, unit), s4, middle);
  const m5 = minimum(layout, highHalves(cMin, mask, unit), s5, middle);
  const d = v128.load(after + gap), dMin = loadIf(hasMinima(layout), after + gap + 16, d);
  const s6 = lowHalves(d, mask, unit), s7 = highHalves(d, mask, unit);
  const m6 = minimum(layout, lowHalves(dMin, mask, unit), s6, middle);
  const m7 = minimum(layout, highHalves(dMin, mask, unit), s7, middle);
  // Distances that an engine cannot know keep it from pairing stores of different blocks.
  const block = <usize>n << 5;
  let g = f + block, others = sums + block, next = others + block, nextOthers = next + block;
  for (let t = 0; t < n; t++) {
    const xScale = v128.load32_splat(meta), xSum = v128.load32_splat(meta + (is32 ? 4 : 8));
    let r0 = scaled(v128.load(f), v128.load(sums), s0, m0, xScale, xSum);
    let r1 = scaled(v128.load(f, 16), v128.load(sums, 16), s1, m1, xScale, xSum);
    let r2 = scaled(v128.load(g), v128.load(others), s2, m2, xScale, xSum);
    let r3 = scaled(v128.load(g, 16), v128.load(others, 16), s3, m3, xScale, xSum);
    if (two) {
      const nextScale = is32 ? v128.load32_splat(nextMeta) : xScale, nextSum = v128.load32_splat(nextMeta + (is32 ? 4 : 12));
      r0 = scaled(r0, v128.load(next), s4, m4, nextScale, nextSum);
      r1 = scaled(r1, v128.load(next, 16), s5, m5, nextScale, nextSum);
      r2 = scaled(r2, v128.load(nextOthers), s6, m6, nextScale, nextSum);
      r3 = scaled(r3, v128.load(nextOthers, 16), s7, m7, nextScale, nextSum);
    }
    v128.store(f, r1, 16);
    v128.store(f, r0);
    v128.store(g, r3, 16);
    v128.store(g, r2);
    meta += 16;
    nextMeta += 16;
    f += 32;
    g += 32;
    sums += 32;
    others += 32;
    next += 32;
    nextOthers += 32;
  }
}

/** `touch` of four blocks, `ahead` bytes apart, side by side. */
export function touchFour(at: usize, ahead: usize, bytes: usize, spare: usize): void {
  let any = i32x4.splat(0);
  for (const end = at + bytes; at < end; at += 64) {
    const near = v128.or(v128.load(at), v128.load(at + ahead));
    any = v128.or(any, v128.or(near, v128.or(v128.load(at + 2 * ahead), v128.load(at + 3 * ahead))));
  }
  v128.store(spare, any);
}

/**
 * Products of two blocks, `gap` bytes apart in memory and `outGap` in their results, or of the last one alone (a `gap` of 0, and
 * half of the work is wasted), with n ≤ TILE of `rows` tokens. Scratch memory: 6 · 32 bytes a token.
 */
// @ts-ignore: decorator
@inline export function productsOfMany(
  layout: i32, w: usize, gap: usize, columns: i32, x: usize, meta: usize, rows: i32, n: i32,
  out: usize, outStride: usize, outGap: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const group = groupOf(layout);
  const sums = f + (<usize>n << 6);
  const zero = i32x4.splat(0);
  for (let to = f; to < sums; to += 32) {
    v128.store(to, zero, 16);
    v128.store(to, zero);
  }
  const one = unforeseen(n);
  const fifteen = i32x4.splat(one * 0x0f0f0f0f), ones = i32x4.splat(one * 0x00010001);
  const mask = i32x4.splat(one * HALF_MASK), unit = i32x4.splat(one * HALF_UNIT);
  const middle = f32x4.splat(<f32>one * middleOf(layout));
  const next = groupBytes(layout);
  // From one group's columns and their meta to the next group's.
  const nextX: usize = group == 32 ? <usize>rows << 5 : 16, nextMeta: usize = group == 32 ? <usize>rows << 4 : 0;
  let s = w + 32;
  for (let c = 0; c < columns; c += group << 1) {
    const two = group == 16 || c + 32 < columns;
    const count: usize = two ? 2 : 1;
    for (let k: usize = 0; k < count; k++) {
      sumGroup(layout, s + scaleBytes(layout) + k * next, gap, x + k * nextX, n, sums + k * (<usize>n << 6), fifteen, ones);
    }
    if (two) scaleSums(layout, true, s, gap, meta, meta + nextMeta, n, f, sums, mask, unit, middle);
    else scaleSums(layout, false, s, gap, meta, meta, n, f, sums, mask, unit, middle);
    s += next << 1;
    x += <usize>rows << (group == 32 ? 6 : 5);
    meta += <usize>rows << (group == 32 ? 5 : 4);
  }
  if (gap) finish(true, w, gap, n, out, outStride, outGap, bias, accumulate, f);
  else finish(false, w, 0, n, out, outStride, 0, bias, accumulate, f);
}
