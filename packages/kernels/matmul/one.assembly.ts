// One token is bound by memory: its numbers are read once, and those of a block in one stream with its scales (with these apart
// every block waited for memory anew, and took twice the time).
import { dot2, dot4 } from '../assembly/simd';
import { begin, finish, TILE_BYTES } from './finish.assembly';
import {
  bitsOf, blockBytes, FACTORS, groupBytes, groupOf, HALF_MASK, HALF_UNIT, hasMinima, HIGH, highHalves, loadIf, LOW, lowHalves,
  middleOf, minimum, part, Q4, scaleBytes, scaled, STREAMS, unforeseen,
} from './layout.assembly';

/** Products of `blocks` blocks with one token; `two`, if the last has a second octet. */
// @ts-ignore: decorator
@inline export function productsOfOne(
  layout: i32, two: bool, w: usize, blocks: i32, columns: i32, x: usize, meta: usize, rows: i32,
  out: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const bytes = blockBytes(layout, columns);
  const octet = groupBytes(layout);
  const pass = octet << (groupOf(layout) == 32 ? 1 : 2);
  const one = unforeseen(blocks);
  const mask = i32x4.splat(one * HALF_MASK), unit = i32x4.splat(one * HALF_UNIT);
  const middle = f32x4.splat(<f32>one * middleOf(layout));
  const fifteen = i32x4.splat(one * 0x0f0f0f0f);
  const ones = i32x4.splat(one * 0x00010001), sixteens = i32x4.splat(one * 0x00100010);
  for (let first = 0; first < blocks; ) {
    // Streams side by side, `run` blocks of each; then what does not divide, a block of each.
    const streams = min(STREAMS, blocks - first), run = (blocks - first) / streams;
    const gap = <usize>run * bytes;
    for (let b = first; b < first + run; b++) {
      begin(streams, f);
      const wb = w + <usize>b * bytes;
      let s = wb + FACTORS, xc = x, mc = meta;
      for (let c = 0; c < columns; c += 32) {
        if (STREAMS == 1) {
          passOne(layout, s, xc, mc, f, fifteen, ones, sixteens, mask, unit, middle);
          passOne(layout, s + octet, xc, mc, f + TILE_BYTES, fifteen, ones, sixteens, mask, unit, middle);
        } else {
          let at = s;
          for (let to = f, end = f + (<usize>streams << 5); to < end; to += 32) {
            passOne(layout, at, xc, mc, to, fifteen, ones, sixteens, mask, unit, middle);
            passOne(layout, at + octet, xc, mc, to + TILE_BYTES, fifteen, ones, sixteens, mask, unit, middle);
            at += gap;
          }
        }
        s += pass;
        xc += <usize>rows << 5;
        mc += <usize>rows << 4;
      }
      for (let j = 0; j < streams; j++) {
        const nth = b + j * run;
        const at = <usize>nth << 6;
        const wj = wb + <usize>j * gap, to = out + at, bj = bias ? bias + at : 0, fj = f + (<usize>j << 5);
        if (two || nth + 1 < blocks) finish(true, wj, 1, to, 0, bj, accumulate, fj);
        else finish(false, wj, 1, to, 0, bj, accumulate, fj);
      }
    }
    first += streams * run;
  }
}

/** Sums of 16 columns for 4 rows: in 32 bits where products come in fours, else in 8 × 16, at most 4 · 2 · 127 · 15 in each. */
// @ts-ignore: decorator
@inline function dots16(x: usize, a: v128, b: v128, c: v128, d: v128): v128 {
  if (FOURS) {
    const half = dot4(dot4(i32x4.splat(0), v128.load32_splat(x), a), v128.load32_splat(x, 4), b);
    return dot4(dot4(half, v128.load32_splat(x, 8), c), v128.load32_splat(x, 12), d);
  }
  const first = i16x8.add(dot2(v128.load32_splat(x), a), dot2(v128.load32_splat(x, 4), b));
  const second = i16x8.add(dot2(v128.load32_splat(x, 8), c), dot2(v128.load32_splat(x, 12), d));
  return i16x8.add(first, second);
}

/** The same of numbers in 4 bits, and of one half of every byte of numbers in 8 bits. */
// @ts-ignore: decorator
@inline function dots4(x: usize, a: v128, b: v128, fifteen: v128): v128 {
  const a0 = part(a, LOW, fifteen), a1 = part(a, HIGH, fifteen);
  return dots16(x, a0, a1, part(b, LOW, fifteen), part(b, HIGH, fifteen));
}
// @ts-ignore: decorator
@inline function dots8(
  x0: v128, x1: v128, x2: v128, x3: v128, which: i32, a: v128, b: v128, c: v128, d: v128, fifteen: v128,
): v128 {
  const first = i16x8.add(dot2(x0, part(a, which, fifteen)), dot2(x1, part(b, which, fifteen)));
  const second = i16x8.add(dot2(x2, part(c, which, fifteen)), dot2(x3, part(d, which, fifteen)));
  return i16x8.add(first, second);
}

/** Two sums of `dots16` added. */
// @ts-ignore: decorator
@inline function added(a: v128, b: v128): v128 {
  return FOURS ? i32x4.add(a, b) : i16x8.add(a, b);
}

/** Sums of `dots16` in 32 bits. */
// @ts-ignore: decorator
@inline function widened(sums: v128, ones: v128): v128 {
  return FOURS ? sums : i32x4.dot_i16x8_s(sums, ones);
}

/** Adds the products of 32 columns of an octet, with every number loaded once, to f [8]. */
// @ts-ignore: decorator
@inline function passOne(
  layout: i32, s: usize, x: usize, meta: usize, f: usize,
  fifteen: v128, ones: v128, sixteens: v128, mask: v128, unit: v128, middle: v128,
): void {
  const is32 = groupOf(layout) == 32;
  const p = s + scaleBytes(layout);
  const q = is32 ? p + (bitsOf(layout) == Q4 ? 64 : 128) : p + (groupBytes(layout) << 1);
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
      z0 = added(y0, z0);
      z1 = added(y1, z1);
    } else {
      y0 = widened(y0, ones);
      y1 = widened(y1, ones);
    }
    z0 = widened(z0, ones);
    z1 = widened(z1, ones);
  } else if (BYTES) {
    y0 = dots16(x, a0, b0, v128.load(p, 64), v128.load(p, 96));
    y1 = dots16(x, a1, b1, v128.load(p, 80), v128.load(p, 112));
    z0 = dots16(x + 16, v128.load(q), v128.load(q, 32), v128.load(q, 64), v128.load(q, 96));
    z1 = dots16(x + 16, v128.load(q, 16), v128.load(q, 48), v128.load(q, 80), v128.load(q, 112));
    if (is32) {
      z0 = added(y0, z0);
      z1 = added(y1, z1);
    }
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
    s += groupBytes(layout) << 1;
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
