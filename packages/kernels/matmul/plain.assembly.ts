// The products where the dot product of bytes is missing: dot products of 16-bit integers instead, half as many at a time.
// A 32-bit lane that holds columns a, b, c, d of a row is split in (a, c) and (b, d), and so are the activations, once for
// all rows of an item, in scratch memory.
import { bitsOf, groupOf, hasMinima, highHalves, loadIf, lowHalves, minimum, Q4, scaleBytes, scaled } from './layout.assembly';

/** Bytes of scratch memory for activations that are split. */
// @ts-ignore: decorator
@inline export const SPLIT: i32 = 131072;

/** x [columns / 32, rows, 32] → [columns / 32, n, 64]: of every 16 columns the pairs (a, c), then the pairs (b, d). */
export function split(x: usize, rows: i32, n: i32, columns: i32, out: usize): void {
  for (let c = 0; c < columns; c += 32) {
    let from = x;
    for (let t = 0; t < n << 1; t++) {
      const v = v128.load(from);
      v128.store(out, i16x8.shr_s(i16x8.shl(v, 8), 8));
      v128.store(out, i16x8.shr_s(v, 8), 16);
      from += 16;
      out += 32;
    }
    x += <usize>rows << 5;
  }
}

/** The columns (a, c) and (b, d) of a vector; with 4 bits, of the lower or `upper` halves of its bytes. */
// @ts-ignore: decorator
@inline function outer(v: v128, bits: i32, upper: bool, mask: v128): v128 {
  return v128.and(bits == Q4 && upper ? i16x8.shr_u(v, 4) : v, mask);
}
// @ts-ignore: decorator
@inline function inner(v: v128, bits: i32, upper: bool, mask: v128): v128 {
  if (bits == Q4) return upper ? i16x8.shr_u(v, 12) : v128.and(i16x8.shr_u(v, 8), mask);
  return i16x8.shr_u(v, 8);
}

// @ts-ignore: decorator
@inline function dots(
  x: usize, a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128,
): v128 {
  const first = i32x4.add(i32x4.dot_i16x8_s(v128.load32_splat(x), a), i32x4.dot_i16x8_s(v128.load32_splat(x, 4), b));
  const second = i32x4.add(i32x4.dot_i16x8_s(v128.load32_splat(x, 8), c), i32x4.dot_i16x8_s(v128.load32_splat(x, 12), d));
  const third = i32x4.add(i32x4.dot_i16x8_s(v128.load32_splat(x, 16), e), i32x4.dot_i16x8_s(v128.load32_splat(x, 20), f));
  const last = i32x4.add(i32x4.dot_i16x8_s(v128.load32_splat(x, 24), g), i32x4.dot_i16x8_s(v128.load32_splat(x, 28), h));
  return i32x4.add(i32x4.add(first, second), i32x4.add(third, last));
}

/**
 * Adds the products of 16 columns, the lower or upper `half` of 32, with n tokens to f [n][8]; the lower half of a group of
 * 32 waits in `sums` for the upper. `s` is the group, `x` [n][64] is split.
 */
// @ts-ignore: decorator
@inline export function passPlain(
  layout: i32, half: i32, s: usize, x: usize, meta: usize, n: i32, f: usize, sums: usize,
  mask: v128, halfMask: v128, unit: v128, middle: v128,
): void {
  const bits = bitsOf(layout);
  const is32 = groupOf(layout) == 32;
  let p = s + scaleBytes(layout);
  if (is32) p += half << (bits == Q4 ? 6 : 7);
  const p0 = v128.load(p), p1 = v128.load(p, 16);
  const q0 = loadIf(bits != Q4, p + 32, p0), q1 = loadIf(bits != Q4, p + 48, p1);
  p += bits == Q4 ? 32 : 64;
  const p2 = v128.load(p), p3 = v128.load(p, 16);
  const q2 = loadIf(bits != Q4, p + 32, p2), q3 = loadIf(bits != Q4, p + 48, p3);
  const a0 = outer(p0, bits, false, mask), a1 = outer(p1, bits, false, mask);
  const b0 = outer(q0, bits, true, mask), b1 = outer(q1, bits, true, mask);
  const c0 = outer(p2, bits, false, mask), c1 = outer(p3, bits, false, mask);
  const d0 = outer(q2, bits, true, mask), d1 = outer(q3, bits, true, mask);
  const e0 = inner(p0, bits, false, mask), e1 = inner(p1, bits, false, mask);
  const f0 = inner(q0, bits, true, mask), f1 = inner(q1, bits, true, mask);
  const g0 = inner(p2, bits, false, mask), g1 = inner(p3, bits, false, mask);
  const h0 = inner(q2, bits, true, mask), h1 = inner(q3, bits, true, mask);
  const halves = v128.load(s);
  const minima = loadIf(hasMinima(layout), s + 16, halves);
  const s0 = lowHalves(halves, halfMask, unit), s1 = highHalves(halves, halfMask, unit);
  const m0 = minimum(layout, lowHalves(minima, halfMask, unit), s0, middle);
  const m1 = minimum(layout, highHalves(minima, halfMask, unit), s1, middle);
  x += half << 5;
  for (let t = 0; t < n; t++) {
    let z0 = dots(x, a0, b0, c0, d0, e0, f0, g0, h0), z1 = dots(x, a1, b1, c1, d1, e1, f1, g1, h1);
    if (is32 && half == 0) {
      v128.store(sums, z0);
      v128.store(sums, z1, 16);
    } else {
      if (is32) {
        const lower0 = v128.load(sums), lower1 = v128.load(sums, 16);
        z0 = i32x4.add(z0, lower0);
        z1 = i32x4.add(z1, lower1);
      }
      const xScale = v128.load32_splat(meta), xSum = v128.load32_splat(is32 ? meta + 4 : meta + 8 + (half << 2));
      const w0 = v128.load(f), w1 = v128.load(f, 16);
      const r0 = scaled(w0, z0, s0, m0, xScale, xSum), r1 = scaled(w1, z1, s1, m1, xScale, xSum);
      v128.store(f, r0);
      v128.store(f, r1, 16);
    }
    x += 64;
    meta += 16;
    f += 32;
    sums += 32;
  }
}
