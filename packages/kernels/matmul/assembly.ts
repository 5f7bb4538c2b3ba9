// Matrix products with weights in the packed layouts of layout.ts and activations in bytes. Eight rows are interleaved so
// that one 32-bit lane holds four columns of one row: a dot product of bytes leaves one row's sum in each lane and nothing
// is added across lanes. The weights of 8 rows × 32 columns are unpacked once into registers and meet one token after the
// other. Every pair of vectors (rows 0–3, rows 4–7) goes through the same instructions, loads are side by side, and the
// loop over tokens has no branch: that is the shape in which an engine may join two 128-bit vectors into one of 256 bits.
// A token's result is the same whatever the number of tokens and threads.
import { address, int, take } from '../assembly/args';
import { dot2, madd } from '../assembly/simd';

// @ts-ignore: decorator
@inline export const Q4: i32 = 0;
// @ts-ignore: decorator
@inline export const Q8: i32 = 1;

/** Bytes of one group of `group` columns of 8 rows: 8 scales, 8 minima, the numbers. */
// @ts-ignore: decorator
@inline export function groupBytes(bits: i32, group: i32): usize {
  return 64 + <usize>(bits == Q4 ? group << 2 : group << 3);
}

/** Tokens that share the unpacking of weights; their sums stand in scratch memory, [TILE][8]. */
// @ts-ignore: decorator
@inline const TILE: i32 = 64;

// The four bits of every byte that a pass multiplies with.
// @ts-ignore: decorator
@inline const LOW: i32 = 0;
// @ts-ignore: decorator
@inline const HIGH: i32 = 1;

// @ts-ignore: decorator
@inline function nibbles(v: v128, which: i32): v128 {
  return v128.and(which == HIGH ? i16x8.shr_u(v, 4) : v, i8x16.splat(15));
}

/** Sums of 16 columns for 4 rows in 8 × 16 bits: at most 4 · 2 · 127 · 15 in each. */
// @ts-ignore: decorator
@inline function dots16(x: usize, a: v128, b: v128, c: v128, d: v128): v128 {
  const first = i16x8.add(dot2(v128.load32_splat(x), a), dot2(v128.load32_splat(x, 4), b));
  const second = i16x8.add(dot2(v128.load32_splat(x, 8), c), dot2(v128.load32_splat(x, 12), d));
  return i16x8.add(first, second);
}

/** f + scale · xScale · dots (+ min · xSum), where `dots` are sums in pairs of 16 bits. */
// @ts-ignore: decorator
@inline function scaled(
  f: v128, dots: v128, ones: v128, scale: v128, min: v128, withMin: bool, xScale: v128, xSum: v128,
): v128 {
  const whole = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(dots, ones));
  const product = madd(whole, f32x4.mul(scale, xScale), f);
  return withMin ? madd(min, xSum, product) : product;
}

/**
 * Adds the products of 32 columns with n tokens to f [n][8]: `x` is [n][32] bytes, `meta` [n] of 16 bytes, `s` the scales
 * and minima of 8 rows and `p` their numbers. With 8 bits a pass takes one half of every byte.
 */
// @ts-ignore: decorator
@inline function pass32(s: usize, p: usize, bits: i32, which: i32, x: usize, meta: usize, n: i32, f: usize): void {
  // A vector of 4 bits is the numbers of two steps, loaded once: an engine pairs only loads that are pairs throughout.
  const second = bits == Q4 ? HIGH : which;
  const first = bits == Q4 ? LOW : which;
  const next: usize = bits == Q4 ? 32 : 64;
  const p0 = v128.load(p), p1 = v128.load(p, 16);
  const q0 = bits == Q4 ? p0 : v128.load(p, 32), q1 = bits == Q4 ? p1 : v128.load(p, 48);
  const a0 = nibbles(p0, first), a1 = nibbles(p1, first), b0 = nibbles(q0, second), b1 = nibbles(q1, second);
  p += next;
  const p2 = v128.load(p), p3 = v128.load(p, 16);
  const q2 = bits == Q4 ? p2 : v128.load(p, 32), q3 = bits == Q4 ? p3 : v128.load(p, 48);
  const c0 = nibbles(p2, first), c1 = nibbles(p3, first), d0 = nibbles(q2, second), d1 = nibbles(q3, second);
  p += next;
  const p4 = v128.load(p), p5 = v128.load(p, 16);
  const q4 = bits == Q4 ? p4 : v128.load(p, 32), q5 = bits == Q4 ? p5 : v128.load(p, 48);
  const e0 = nibbles(p4, first), e1 = nibbles(p5, first), f0 = nibbles(q4, second), f1 = nibbles(q5, second);
  p += next;
  const p6 = v128.load(p), p7 = v128.load(p, 16);
  const q6 = bits == Q4 ? p6 : v128.load(p, 32), q7 = bits == Q4 ? p7 : v128.load(p, 48);
  const g0 = nibbles(p6, first), g1 = nibbles(p7, first), h0 = nibbles(q6, second), h1 = nibbles(q7, second);
  const factor = f32x4.splat(bits == Q8 && which == HIGH ? 16 : 1);
  const s0 = f32x4.mul(v128.load(s), factor), s1 = f32x4.mul(v128.load(s, 16), factor);
  const m0 = v128.load(s, 32), m1 = v128.load(s, 48);
  const withMin = which == LOW;
  const ones = i16x8.splat(<i16>(n > 0));
  for (let t = 0; t < n; t++) {
    const y0 = i16x8.add(dots16(x, a0, b0, c0, d0), dots16(x + 16, e0, f0, g0, h0));
    const y1 = i16x8.add(dots16(x, a1, b1, c1, d1), dots16(x + 16, e1, f1, g1, h1));
    const xScale = v128.load32_splat(meta), xSum = v128.load32_splat(meta, 4);
    const z0 = v128.load(f), z1 = v128.load(f, 16);
    const r0 = scaled(z0, y0, ones, s0, m0, withMin, xScale, xSum);
    const r1 = scaled(z1, y1, ones, s1, m1, withMin, xScale, xSum);
    v128.store(f, r0);
    v128.store(f, r1, 16);
    x += 32;
    meta += 16;
    f += 32;
  }
}

/** The same for a group of 16 columns, the lower or upper half of the tokens' 32. */
// @ts-ignore: decorator
@inline function pass16(
  s: usize, p: usize, bits: i32, which: i32, half: usize, x: usize, meta: usize, n: i32, f: usize,
): void {
  const second = bits == Q4 ? HIGH : which;
  const first = bits == Q4 ? LOW : which;
  const next: usize = bits == Q4 ? 32 : 64;
  const p0 = v128.load(p), p1 = v128.load(p, 16);
  const q0 = bits == Q4 ? p0 : v128.load(p, 32), q1 = bits == Q4 ? p1 : v128.load(p, 48);
  const a0 = nibbles(p0, first), a1 = nibbles(p1, first), b0 = nibbles(q0, second), b1 = nibbles(q1, second);
  p += next;
  const p2 = v128.load(p), p3 = v128.load(p, 16);
  const q2 = bits == Q4 ? p2 : v128.load(p, 32), q3 = bits == Q4 ? p3 : v128.load(p, 48);
  const c0 = nibbles(p2, first), c1 = nibbles(p3, first), d0 = nibbles(q2, second), d1 = nibbles(q3, second);
  const factor = f32x4.splat(bits == Q8 && which == HIGH ? 16 : 1);
  const s0 = f32x4.mul(v128.load(s), factor), s1 = f32x4.mul(v128.load(s, 16), factor);
  const m0 = v128.load(s, 32), m1 = v128.load(s, 48);
  const withMin = which == LOW;
  const ones = i16x8.splat(<i16>(n > 0));
  x += half << 4;
  for (let t = 0; t < n; t++) {
    const y0 = dots16(x, a0, b0, c0, d0);
    const y1 = dots16(x, a1, b1, c1, d1);
    const xScale = v128.load32_splat(meta), xSum = v128.load32_splat(meta + 8 + (half << 2));
    const z0 = v128.load(f), z1 = v128.load(f, 16);
    const r0 = scaled(z0, y0, ones, s0, m0, withMin, xScale, xSum);
    const r1 = scaled(z1, y1, ones, s1, m1, withMin, xScale, xSum);
    v128.store(f, r0);
    v128.store(f, r1, 16);
    x += 32;
    meta += 16;
    f += 32;
  }
}

/** 8 rows × n ≤ TILE tokens: f [n][8] starts as the bias (or 0) and is added to, or written over, out. */
// @ts-ignore: decorator
@inline function block(
  bits: i32, group: i32, w: usize, columns: i32, x: usize, meta: usize, rows: i32, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  // Masks instead of branches; without a bias the load is from address 0, where there is memory too.
  const hasBias = i32x4.splat(bias ? -1 : 0);
  const keeps = i32x4.splat(accumulate ? -1 : 0);
  const b0 = v128.and(v128.load(bias), hasBias), b1 = v128.and(v128.load(bias, 16), hasBias);
  for (let t = 0, to = f; t < n; t++, to += 32) {
    v128.store(to, b0);
    v128.store(to, b1, 16);
  }
  const numbers = groupBytes(bits, group);
  for (let c = 0; c < columns; c += 32) {
    if (group == 32) {
      if (bits == Q8) pass32(w, w + 64, bits, HIGH, x, meta, n, f);
      pass32(w, w + 64, bits, LOW, x, meta, n, f);
      w += numbers;
    } else {
      if (bits == Q8) pass16(w, w + 64, bits, HIGH, 0, x, meta, n, f);
      pass16(w, w + 64, bits, LOW, 0, x, meta, n, f);
      w += numbers;
      if (bits == Q8) pass16(w, w + 64, bits, HIGH, 1, x, meta, n, f);
      pass16(w, w + 64, bits, LOW, 1, x, meta, n, f);
      w += numbers;
    }
    x += <usize>rows << 5;
    meta += <usize>rows << 4;
  }
  for (let t = 0; t < n; t++) {
    const r0 = v128.load(f), r1 = v128.load(f, 16);
    const o0 = v128.load(out), o1 = v128.load(out, 16);
    v128.store(out, f32x4.add(r0, v128.and(o0, keeps)));
    v128.store(out, f32x4.add(r1, v128.and(o1, keeps)), 16);
    f += 32;
    out += outStride;
  }
}

// @ts-ignore: decorator
@inline function span(
  bits: i32, group: i32, w: usize, first: i32, last: i32, columns: i32, x: usize, meta: usize, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const blockBytes = <usize>(columns / group) * groupBytes(bits, group);
  for (let t = 0; t < n; t += TILE) {
    const count = min(TILE, n - t);
    const xt = x + (<usize>t << 5), mt = meta + (<usize>t << 4);
    for (let b = first; b < last; b++) {
      const at = <usize>b << 5;
      const to = out + <usize>t * outStride + at;
      block(bits, group, w + <usize>b * blockBytes, columns, xt, mt, n, count, to, outStride, bias ? bias + at : 0, accumulate, f);
    }
  }
}

// One instance per layout, with its constants folded in.
function spanQ4by32(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(Q4, 32, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ4by16(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(Q4, 16, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ8by32(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(Q8, 32, w, a, z, c, x, m, n, o, s, b, k, f);
}
function spanQ8by16(
  w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool, f: usize,
): void {
  span(Q8, 16, w, a, z, c, x, m, n, o, s, b, k, f);
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
  const perItem = min(int(args, 11), (blocks + threads - 1) / threads);
  for (;;) {
    const first = take(counter) * perItem;
    if (first >= blocks) return;
    const last = min(first + perItem, blocks);
    if (layout == 0) spanQ4by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 1) spanQ4by16(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 2) spanQ8by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else spanQ8by16(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
  }
}
