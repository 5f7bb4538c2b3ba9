// Matrix products with weights in the packed layouts of layout.ts and activations in bytes. Eight rows are interleaved so
// that one 32-bit lane holds four columns of one row: a dot product of bytes leaves one row's sum in each lane and nothing
// is added across lanes. The weights of 8 rows × 32 columns are unpacked once into registers and meet one token after the
// other. Every pair of vectors (rows 0–3, rows 4–7) goes through the same instructions, loads are side by side, and the
// loop over tokens has no branch: that is the shape in which an engine may join two 128-bit vectors into one of 256 bits.
// A token's result is the same whatever the number of tokens and threads. One token is bound by memory: its numbers are read
// once, and in one stream (with the scales apart from them every block waited for memory anew, and took twice the time).
import { address, int, take } from '../assembly/args';
import { dot2, madd } from '../assembly/simd';
import {
  bitsOf, blockBytes, groupBytes, groupOf, hasMinima, highHalves, loadIf, lowHalves, middleOf, minimum, Q4, Q8, scaleBytes, scaled,
} from './layout.assembly';
import { passPlain, SPLIT, split } from './plain.assembly';

/** Tokens that share the unpacking of weights; their sums stand in scratch memory, [TILE][8], twice. */
// @ts-ignore: decorator
@inline const TILE: i32 = 64;

// The four bits of every byte that a pass multiplies with.
// @ts-ignore: decorator
@inline const LOW: i32 = 0;
// @ts-ignore: decorator
@inline const HIGH: i32 = 1;

// @ts-ignore: decorator
@inline function nibbles(v: v128, which: i32, fifteen: v128): v128 {
  return v128.and(which == HIGH ? i16x8.shr_u(v, 4) : v, fifteen);
}

/** Sums of 16 columns for 4 rows in 8 × 16 bits: at most 4 · 2 · 127 · 15 in each. */
// @ts-ignore: decorator
@inline function dots16(x: usize, a: v128, b: v128, c: v128, d: v128): v128 {
  const first = i16x8.add(dot2(v128.load32_splat(x), a), dot2(v128.load32_splat(x, 4), b));
  const second = i16x8.add(dot2(v128.load32_splat(x, 8), c), dot2(v128.load32_splat(x, 12), d));
  return i16x8.add(first, second);
}

/** The same of numbers in 4 bits, and of one half of every byte of numbers in 8 bits. */
// @ts-ignore: decorator
@inline function dots4(x: usize, a: v128, b: v128, fifteen: v128): v128 {
  const a0 = nibbles(a, LOW, fifteen), a1 = nibbles(a, HIGH, fifteen);
  return dots16(x, a0, a1, nibbles(b, LOW, fifteen), nibbles(b, HIGH, fifteen));
}
// @ts-ignore: decorator
@inline function dots8(
  x0: v128, x1: v128, x2: v128, x3: v128, which: i32, a: v128, b: v128, c: v128, d: v128, fifteen: v128,
): v128 {
  const first = i16x8.add(dot2(x0, nibbles(a, which, fifteen)), dot2(x1, nibbles(b, which, fifteen)));
  const second = i16x8.add(dot2(x2, nibbles(c, which, fifteen)), dot2(x3, nibbles(d, which, fifteen)));
  return i16x8.add(first, second);
}

/**
 * Adds the products of a group of columns with n tokens to f [n][8]: `x` is [n][32] bytes, `meta` [n] of 16 bytes, `s` the
 * group's scales, minima and numbers of 8 rows. With 8 bits a pass takes one half of every byte: first the upper one,
 * whose sums wait in `sums`. A group of 16 is the lower or upper `half` of the tokens' 32 columns.
 */
// @ts-ignore: decorator
@inline function pass(
  layout: i32, which: i32, half: i32, s: usize, x: usize, meta: usize, n: i32, f: usize, sums: usize,
  fifteen: v128, units: v128, mask: v128, unit: v128, middle: v128,
): void {
  const bits = bitsOf(layout);
  const is32 = groupOf(layout) == 32;
  // A vector of 4 bits is the numbers of two steps, loaded once: an engine pairs only loads that are pairs throughout.
  const second = bits == Q4 ? HIGH : which;
  const first = bits == Q4 ? LOW : which;
  const next: usize = bits == Q4 ? 32 : 64;
  let p = s + scaleBytes(layout);
  const p0 = v128.load(p), p1 = v128.load(p, 16);
  const q0 = loadIf(bits == Q8, p + 32, p0), q1 = loadIf(bits == Q8, p + 48, p1);
  const a0 = nibbles(p0, first, fifteen), a1 = nibbles(p1, first, fifteen);
  const b0 = nibbles(q0, second, fifteen), b1 = nibbles(q1, second, fifteen);
  p += next;
  const p2 = v128.load(p), p3 = v128.load(p, 16);
  const q2 = loadIf(bits == Q8, p + 32, p2), q3 = loadIf(bits == Q8, p + 48, p3);
  const c0 = nibbles(p2, first, fifteen), c1 = nibbles(p3, first, fifteen);
  const d0 = nibbles(q2, second, fifteen), d1 = nibbles(q3, second, fifteen);
  p += next;
  const p4 = loadIf(is32, p, p0), p5 = loadIf(is32, p + 16, p0);
  const q4 = loadIf(is32 && bits == Q8, p + 32, p4), q5 = loadIf(is32 && bits == Q8, p + 48, p5);
  const e0 = nibbles(p4, first, fifteen), e1 = nibbles(p5, first, fifteen);
  const f0 = nibbles(q4, second, fifteen), f1 = nibbles(q5, second, fifteen);
  p += next;
  const p6 = loadIf(is32, p, p0), p7 = loadIf(is32, p + 16, p0);
  const q6 = loadIf(is32 && bits == Q8, p + 32, p6), q7 = loadIf(is32 && bits == Q8, p + 48, p7);
  const g0 = nibbles(p6, first, fifteen), g1 = nibbles(p7, first, fifteen);
  const h0 = nibbles(q6, second, fifteen), h1 = nibbles(q7, second, fifteen);
  const halves = v128.load(s);
  const minima = loadIf(hasMinima(layout), s + 16, halves);
  const s0 = lowHalves(halves, mask, unit), s1 = highHalves(halves, mask, unit);
  const m0 = minimum(layout, lowHalves(minima, mask, unit), s0, middle);
  const m1 = minimum(layout, highHalves(minima, mask, unit), s1, middle);
  if (!is32) x += half << 4;
  for (let t = 0; t < n; t++) {
    let y0 = dots16(x, a0, b0, c0, d0), y1 = dots16(x, a1, b1, c1, d1);
    if (is32) {
      y0 = i16x8.add(y0, dots16(x + 16, e0, f0, g0, h0));
      y1 = i16x8.add(y1, dots16(x + 16, e1, f1, g1, h1));
    }
    let z0 = i32x4.dot_i16x8_s(y0, units), z1 = i32x4.dot_i16x8_s(y1, units);
    if (bits == Q8 && which == HIGH) {
      v128.store(sums, z0);
      v128.store(sums, z1, 16);
    } else {
      if (bits == Q8) {
        const upper0 = v128.load(sums), upper1 = v128.load(sums, 16);
        z0 = i32x4.add(z0, upper0);
        z1 = i32x4.add(z1, upper1);
      }
      const xScale = v128.load32_splat(meta), xSum = v128.load32_splat(is32 ? meta + 4 : meta + 8 + (half << 2));
      const w0 = v128.load(f), w1 = v128.load(f, 16);
      const r0 = scaled(w0, z0, s0, m0, xScale, xSum);
      const r1 = scaled(w1, z1, s1, m1, xScale, xSum);
      v128.store(f, r0);
      v128.store(f, r1, 16);
    }
    x += 32;
    meta += 16;
    f += 32;
    sums += 32;
  }
}

/** The same for 32 columns and one token, with every number loaded once. */
// @ts-ignore: decorator
@inline function passOne(
  layout: i32, s: usize, x: usize, meta: usize, f: usize,
  fifteen: v128, ones: v128, sixteens: v128, mask: v128, unit: v128, middle: v128,
): void {
  const is32 = groupOf(layout) == 32;
  const p = s + scaleBytes(layout);
  const q = is32 ? p + (bitsOf(layout) == Q4 ? 64 : 128) : s + groupBytes(layout) + scaleBytes(layout);
  const a0 = v128.load(p), a1 = v128.load(p, 16), b0 = v128.load(p, 32), b1 = v128.load(p, 48);
  // With groups of 16, y are the sums of the first and z those of the second; with groups of 32, z are the sums of all.
  let y0 = ones, y1 = ones, z0: v128, z1: v128;
  if (bitsOf(layout) == Q4) {
    y0 = dots4(x, a0, b0, fifteen);
    y1 = dots4(x, a1, b1, fifteen);
    const c0 = v128.load(q), c1 = v128.load(q, 16), d0 = v128.load(q, 32), d1 = v128.load(q, 48);
    z0 = dots4(x + 16, c0, d0, fifteen);
    z1 = dots4(x + 16, c1, d1, fifteen);
    if (is32) {
      z0 = i16x8.add(y0, z0);
      z1 = i16x8.add(y1, z1);
    } else {
      y0 = i32x4.dot_i16x8_s(y0, ones);
      y1 = i32x4.dot_i16x8_s(y1, ones);
    }
    z0 = i32x4.dot_i16x8_s(z0, ones);
    z1 = i32x4.dot_i16x8_s(z1, ones);
  } else {
    const c0 = v128.load(p, 64), c1 = v128.load(p, 80), d0 = v128.load(p, 96), d1 = v128.load(p, 112);
    const e0 = v128.load(q), e1 = v128.load(q, 16), f0 = v128.load(q, 32), f1 = v128.load(q, 48);
    const g0 = v128.load(q, 64), g1 = v128.load(q, 80), h0 = v128.load(q, 96), h1 = v128.load(q, 112);
    const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x, 4);
    const x2 = v128.load32_splat(x, 8), x3 = v128.load32_splat(x, 12);
    const x4 = v128.load32_splat(x, 16), x5 = v128.load32_splat(x, 20);
    const x6 = v128.load32_splat(x, 24), x7 = v128.load32_splat(x, 28);
    let high0 = dots8(x0, x1, x2, x3, HIGH, a0, b0, c0, d0, fifteen);
    let high1 = dots8(x0, x1, x2, x3, HIGH, a1, b1, c1, d1, fifteen);
    let low0 = dots8(x0, x1, x2, x3, LOW, a0, b0, c0, d0, fifteen);
    let low1 = dots8(x0, x1, x2, x3, LOW, a1, b1, c1, d1, fifteen);
    if (is32) {
      high0 = i16x8.add(high0, dots8(x4, x5, x6, x7, HIGH, e0, f0, g0, h0, fifteen));
      high1 = i16x8.add(high1, dots8(x4, x5, x6, x7, HIGH, e1, f1, g1, h1, fifteen));
      low0 = i16x8.add(low0, dots8(x4, x5, x6, x7, LOW, e0, f0, g0, h0, fifteen));
      low1 = i16x8.add(low1, dots8(x4, x5, x6, x7, LOW, e1, f1, g1, h1, fifteen));
    } else {
      y0 = i32x4.add(i32x4.dot_i16x8_s(low0, ones), i32x4.dot_i16x8_s(high0, sixteens));
      y1 = i32x4.add(i32x4.dot_i16x8_s(low1, ones), i32x4.dot_i16x8_s(high1, sixteens));
      high0 = dots8(x4, x5, x6, x7, HIGH, e0, f0, g0, h0, fifteen);
      high1 = dots8(x4, x5, x6, x7, HIGH, e1, f1, g1, h1, fifteen);
      low0 = dots8(x4, x5, x6, x7, LOW, e0, f0, g0, h0, fifteen);
      low1 = dots8(x4, x5, x6, x7, LOW, e1, f1, g1, h1, fifteen);
    }
    z0 = i32x4.add(i32x4.dot_i16x8_s(low0, ones), i32x4.dot_i16x8_s(high0, sixteens));
    z1 = i32x4.add(i32x4.dot_i16x8_s(low1, ones), i32x4.dot_i16x8_s(high1, sixteens));
  }
  const xScale = v128.load32_splat(meta);
  let w0 = v128.load(f), w1 = v128.load(f, 16);
  if (!is32) {
    const halves = v128.load(s);
    const minima = loadIf(hasMinima(layout), s + 16, halves);
    const s0 = lowHalves(halves, mask, unit), s1 = highHalves(halves, mask, unit);
    const m0 = minimum(layout, lowHalves(minima, mask, unit), s0, middle);
    const m1 = minimum(layout, highHalves(minima, mask, unit), s1, middle);
    const xSum = v128.load32_splat(meta, 8);
    w0 = scaled(w0, y0, s0, m0, xScale, xSum);
    w1 = scaled(w1, y1, s1, m1, xScale, xSum);
    s += groupBytes(layout);
  }
  const halves = v128.load(s);
  const minima = loadIf(hasMinima(layout), s + 16, halves);
  const s0 = lowHalves(halves, mask, unit), s1 = highHalves(halves, mask, unit);
  const m0 = minimum(layout, lowHalves(minima, mask, unit), s0, middle);
  const m1 = minimum(layout, highHalves(minima, mask, unit), s1, middle);
  const xSum = v128.load32_splat(is32 ? meta + 4 : meta + 12);
  const r0 = scaled(w0, z0, s0, m0, xScale, xSum);
  const r1 = scaled(w1, z1, s1, m1, xScale, xSum);
  v128.store(f, r0);
  v128.store(f, r1, 16);
}

/** All columns of 8 rows × n ≤ TILE tokens: f [n][8] in units of the rows' factors, written over or added to `out`. */
// @ts-ignore: decorator
@inline function block(
  layout: i32, w: usize, columns: i32, x: usize, meta: usize, rows: i32, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const bits = bitsOf(layout);
  const group = groupOf(layout);
  const next = groupBytes(layout);
  const sums = f + (TILE << 5);
  const zero = i32x4.splat(0);
  for (let t = 0, to = f; t < n; t++, to += 32) {
    v128.store(to, zero);
    v128.store(to, zero, 16);
  }
  // Constants that the engine cannot know to be such: it would build them anew at every use. `mask` and `unit` are those of
  // `halfToFloat`.
  const one = n > 0 ? 1 : 0;
  const fifteen = i32x4.splat(one * 0x0f0f0f0f);
  const ones = i32x4.splat(one * 0x00010001), sixteens = i32x4.splat(one * 0x00100010);
  const mask = i32x4.splat(one * 0x8fffe000), unit = i32x4.splat(one * 0x77800000);
  const middle = f32x4.splat(<f32>one * middleOf(layout));
  let s = w + 32;
  if (!ASC_FEATURE_RELAXED_SIMD) {
    const low = i32x4.splat(one * (bits == Q4 ? 0x000f000f : 0x00ff00ff));
    for (let c = 0; c < columns; c += 32) {
      passPlain(layout, 0, s, x, meta, n, f, sums, low, mask, unit, middle);
      if (group == 16) s += next;
      passPlain(layout, 1, s, x, meta, n, f, sums, low, mask, unit, middle);
      s += next;
      x += n << 6;
      meta += <usize>rows << 4;
    }
  } else if (n == 1) {
    for (let c = 0; c < columns; c += 32) {
      passOne(layout, s, x, meta, f, fifteen, ones, sixteens, mask, unit, middle);
      s += group == 32 ? next : next << 1;
      x += <usize>rows << 5;
      meta += <usize>rows << 4;
    }
  } else {
    for (let c = 0; c < columns; c += 32) {
      if (bits == Q8) pass(layout, HIGH, 0, s, x, meta, n, f, sums, fifteen, sixteens, mask, unit, middle);
      pass(layout, LOW, 0, s, x, meta, n, f, sums, fifteen, ones, mask, unit, middle);
      s += next;
      if (group == 16) {
        if (bits == Q8) pass(layout, HIGH, 1, s, x, meta, n, f, sums, fifteen, sixteens, mask, unit, middle);
        pass(layout, LOW, 1, s, x, meta, n, f, sums, fifteen, ones, mask, unit, middle);
        s += next;
      }
      x += <usize>rows << 5;
      meta += <usize>rows << 4;
    }
  }
  // Masks instead of branches; without a bias the load is from address 0, where there is memory too.
  const hasBias = i32x4.splat(bias ? -1 : 0);
  const keeps = i32x4.splat(accumulate ? -1 : 0);
  for (let t = 0; t < n; t++) {
    const b0 = v128.and(v128.load(bias), hasBias), b1 = v128.and(v128.load(bias, 16), hasBias);
    const factor0 = v128.load(w), factor1 = v128.load(w, 16);
    const r0 = v128.load(f), r1 = v128.load(f, 16);
    const o0 = v128.load(out), o1 = v128.load(out, 16);
    v128.store(out, f32x4.add(madd(r0, factor0, b0), v128.and(o0, keeps)));
    v128.store(out, f32x4.add(madd(r1, factor1, b1), v128.and(o1, keeps)), 16);
    f += 32;
    out += outStride;
  }
}

// @ts-ignore: decorator
@inline function span(
  layout: i32, w: usize, first: i32, last: i32, columns: i32, x: usize, meta: usize, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const bytes = blockBytes(layout, columns);
  const tile = ASC_FEATURE_RELAXED_SIMD ? TILE : min(TILE, max(SPLIT / 2 / columns, 1));
  for (let t = 0; t < n; t += tile) {
    const count = min(tile, n - t);
    let xt = x + (<usize>t << 5);
    const mt = meta + (<usize>t << 4);
    if (!ASC_FEATURE_RELAXED_SIMD) {
      split(xt, n, count, columns, f + (TILE << 6));
      xt = f + (TILE << 6);
    }
    for (let b = first; b < last; b++) {
      const at = <usize>b << 5;
      const to = out + <usize>t * outStride + at;
      block(layout, w + <usize>b * bytes, columns, xt, mt, n, count, to, outStride, bias ? bias + at : 0, accumulate, f);
    }
  }
}

// One instance per layout, with its constants folded in.
function spanQ4by32(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(0, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ4by32m(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(1, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ4by16m(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(2, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ8by32(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(3, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ8by32m(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(4, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ8by16(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(5, w, a, z, c, x, m, n, o, s, b, k, f);
}

/**
 * Arguments: weights, layout, rows, columns, x [columns / 32, n, 32], x's meta, n, out, out stride in floats, bias or 0,
 * 1 to add to out, the most blocks an item.
 */
export function matmul(args: usize, counter: usize, scratch: usize, threads: i32): void {
  const w = address(args, 0);
  const layout = int(args, 1);
  const blocks = (int(args, 2) + 7) >> 3;
  const columns = int(args, 3);
  const x = address(args, 4);
  const meta = address(args, 5);
  const n = int(args, 6);
  const out = address(args, 7);
  const stride = <usize>int(args, 8) << 2;
  const bias = address(args, 9);
  const accumulate = int(args, 10) != 0;
  // Few blocks an item leave no thread idle at the end, but more of them share what is made of the activations.
  const shared = ASC_FEATURE_RELAXED_SIMD ? 1 : min(8, blocks / (threads << 3));
  const perItem = min(max(int(args, 11), shared), (blocks + threads - 1) / threads);
  for (;;) {
    const first = take(counter) * perItem;
    if (first >= blocks) return;
    const last = min(first + perItem, blocks);
    if (layout == 0) spanQ4by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 1) spanQ4by32m(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 2) spanQ4by16m(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 3) spanQ8by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 4) spanQ8by32m(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else spanQ8by16(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
  }
}
