// Matrix products with weights in the packed layouts of layout.ts and activations in bytes. Eight rows, an octet, are interleaved
// so that one 32-bit lane holds four columns of one row: a dot product of bytes leaves one row's sum in each lane and nothing
// is added across lanes. Two octets are a block, in the order in which products read them: then memory is one stream. A
// token's result is the same whatever the number of tokens and threads.
import { address, int, take } from '../assembly/args';
import { touchFour } from '../assembly/memory';
import { begin, finish, TILE, TILE_BYTES } from './finish.assembly';
import {
  bitsOf, blockBytes, FACTORS, groupBytes, groupOf, HALF_MASK, HALF_UNIT, middleOf, Q4, STREAMS, unforeseen,
} from './layout.assembly';
import { FEW, productsOfMany } from './many.assembly';
import { productsOfOne } from './one.assembly';
import { passPlain, SPLIT, split } from './plain.assembly';

/**
 * Products of a block, or of its first octet where there is no second, with n ≤ TILE tokens where the dot product of bytes is
 * missing.
 */
// @ts-ignore: decorator
@inline function plainBlock(
  layout: i32, two: bool, w: usize, columns: i32, x: usize, meta: usize, rows: i32, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const octet = groupBytes(layout), next = octet << 1;
  const sums = f + 2 * TILE_BYTES, octets = two ? 2 : 1;
  begin(n, f);
  const one = unforeseen(n);
  const mask = i32x4.splat(one * HALF_MASK), unit = i32x4.splat(one * HALF_UNIT);
  const middle = f32x4.splat(<f32>one * middleOf(layout));
  const low = i32x4.splat(one * (bitsOf(layout) == Q4 ? 0x000f000f : 0x00ff00ff));
  const upper: usize = groupOf(layout) == 16 ? next : 0;
  let s = w + FACTORS;
  for (let c = 0; c < columns; c += 32) {
    for (let o = 0, at = s, to = f; o < octets; o++, at += octet, to += TILE_BYTES) {
      passPlain(layout, 0, at, x, meta, n, to, sums, low, mask, unit, middle);
      passPlain(layout, 1, at + upper, x, meta, n, to, sums, low, mask, unit, middle);
    }
    s += next + upper;
    x += n << 6;
    meta += <usize>rows << 4;
  }
  if (two) finish(true, w, n, out, outStride, bias, accumulate, f);
  else finish(false, w, n, out, outStride, bias, accumulate, f);
}

/** Products of the octets of rows from `first` to `last`; a `first` begins a block. */
// @ts-ignore: decorator
@inline function span(
  layout: i32, w: usize, first: i32, last: i32, columns: i32, x: usize, meta: usize, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  const bytes = blockBytes(layout, columns);
  const tile = ASC_FEATURE_RELAXED_SIMD ? TILE : min(TILE, max(SPLIT / 2 / columns, 1));
  for (let t = 0; t < n; t += tile) {
    const count = min(tile, n - t);
    const xt = x + (<usize>t << 5), mt = meta + (<usize>t << 4), to = out + <usize>t * outStride;
    const block = first >> 1, blocks = (last - first + 1) >> 1;
    if (!ASC_FEATURE_RELAXED_SIMD) {
      const halves = f + 3 * TILE_BYTES;
      split(xt, n, count, columns, halves);
      for (let b = block; b < block + blocks; b++) {
        const wb = w + <usize>b * bytes, at = <usize>b << 6;
        plainBlock(
          layout, (b << 1) + 1 < last, wb, columns, halves, mt, n, count, to + at, outStride, bias ? bias + at : 0, accumulate, f,
        );
      }
    } else if (count == 1) {
      const wb = w + <usize>block * bytes, at = <usize>first << 5;
      productsOfOne(layout, !(last & 1), wb, blocks, columns, xt, mt, n, to + at, bias ? bias + at : 0, accumulate, f);
    } else {
      // Blocks of few tokens come from as many runs as memory has streams.
      const run = STREAMS > 1 && count <= FEW ? blocks / STREAMS : 0;
      for (let i = 0; i < blocks; i++) {
        const isRun = i < STREAMS * run;
        const b = block + (isRun ? i / STREAMS + (i % STREAMS) * run : i);
        const wb = w + <usize>b * bytes, at = <usize>b << 6;
        if (isRun && i % STREAMS == 0) touchFour(wb, <usize>run * bytes, bytes, f);
        productsOfMany(
          layout, (b << 1) + 1 < last, wb, columns, xt, mt, n, count, to + at, outStride, bias ? bias + at : 0, accumulate, f,
        );
      }
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
  const octets = (int(args, 2) + 7) >> 3, blocks = (octets + 1) >> 1;
  const columns = int(args, 3);
  const x = address(args, 4);
  const meta = address(args, 5);
  const n = int(args, 6);
  const out = address(args, 7);
  const stride = <usize>int(args, 8) << 2;
  const bias = address(args, 9);
  const accumulate = int(args, 10) != 0;
  // Few blocks an item leave no thread idle at the end, but more of them share what is made of the activations.
  const shared = ASC_FEATURE_RELAXED_SIMD ? 1 : min(4, blocks / (threads << 3));
  const perItem = min(max(int(args, 11), shared), (blocks + threads - 1) / threads) << 1;
  for (;;) {
    const first = take(counter) * perItem;
    if (first >= octets) return;
    const last = min(first + perItem, octets);
    if (layout == 0) spanQ4by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 1) spanQ4by32m(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 2) spanQ4by16m(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 3) spanQ8by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else if (layout == 4) spanQ8by32m(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
    else spanQ8by16(w, first, last, columns, x, meta, n, out, stride, bias, accumulate, scratch);
  }
}
