// Attention of a block of queries over the pages of one key/value head. A page is unpacked once for all queries and all
// query heads that share it; the softmax is accumulated page by page (max, denominator, output).
import { F16, F32, keysOf, minimaK, pageOf, Q8, scalesK, scalesV, SLOTS, valuesOf } from '../append/page.assembly';
import { address, float, int, take } from '../assembly/args';
import { exp2 } from '../assembly/simd';
import * as floats from './float.assembly';
import * as int16 from './int16.assembly';
import { levels } from './int16.assembly';
import * as int8 from './int8.assembly';
import { mask, multiply, NONE, soften } from './softmax.assembly';

/** How products over pages are taken. */
// @ts-ignore: decorator
@inline const FLOATS: i32 = 0;
// @ts-ignore: decorator
@inline const BYTES: i32 = 1;
// @ts-ignore: decorator
@inline const SHORTS: i32 = 2;

// @ts-ignore: decorator
@inline const SMALLEST: i32 = 8;
// @ts-ignore: decorator
@inline const ITEMS: i32 = 6;

/** From this many rows of queries on, a page of halves is worth packing to integers. */
// @ts-ignore: decorator
@inline const MANY: i32 = 16;

/**
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g] of { page table, used slots before these n },
 * 6 positions [n], 7 out [n, h, d], 8 scale, 9 window (a key is seen when position − key position < window; 0: all),
 * 10 store, 11 the most tokens a tile, 12 pages a split (0: no split), 13 splits, 14 partials [n, h, splits, d + 2],
 * 15 whether products over 8-bit pages may be taken in integers.
 */
export function attend(args: usize, counter: usize, scratch: usize, threads: i32): void {
  const q = address(args, 0);
  const n = int(args, 1);
  const h = int(args, 2);
  const g = int(args, 3);
  const d = int(args, 4);
  const heads = address(args, 5);
  const positions = address(args, 6);
  const out = address(args, 7);
  const scale = f32x4.splat(float(args, 8));
  const window = int(args, 9);
  const format = int(args, 10);
  // Fewer where every thread would not get several.
  const tokens = min(int(args, 11), max(SMALLEST, (n * g) / (ITEMS * threads)));
  const splitPages = int(args, 12);
  const splits = int(args, 13);
  const partials = address(args, 14);
  const mayRound = int(args, 15) != 0;

  const group = h / g;
  const kind = !mayRound ? FLOATS : format == Q8 ? BYTES : format == F16 && n * group >= MANY ? SHORTS : FLOATS;
  const level = levels(d);
  const tiles = (n + tokens - 1) / tokens;
  const items = g * tiles * splits;
  const rowBytes = <usize>d << 2;
  const pRow = <usize>SLOTS << 2;
  const most = (tokens * group + 3) & ~3;
  const qs = scratch;
  const o = qs + <usize>most * rowBytes;
  const p = o + <usize>most * rowBytes;
  const state = p + (<usize>(most * SLOTS) << 2); // [rows] of { max, denominator }
  const spare = state + (<usize>most << 3);
  // A page as floats, or in 16 bits with the scales of keys and values.
  const kPage = spare + 64;
  const vPage = kPage + <usize>SLOTS * rowBytes;
  const kScales16 = spare + 64 + 2 * <usize>SLOTS * rowBytes;
  const vScales16 = kScales16 + 128;
  const inverses = vScales16 + 128;
  // Rows of queries and of weights in integers with their scales.
  const qInts = inverses + 128;
  const qScales = qInts + <usize>(most * d << 1);
  const pInts = qScales + (<usize>most << 3);
  const pScales = pInts + <usize>(most << 6);

  for (let item = take(counter); item < items; item = take(counter)) {
    const head = item % g;
    const split = (item / g) % splits;
    // The last tiles see the most keys: they go first, so that no thread is left with a long one at the end.
    const tile = tiles - 1 - item / (g * splits);
    const t0 = tile * tokens;
    const t1 = min(t0 + tokens, n);
    const rows = (t1 - t0) * group;
    const padded = (rows + 3) & ~3;

    for (let r = 0; r < padded; r++) {
      const to = qs + <usize>r * rowBytes;
      if (r < rows) multiply(q + (<usize>(t0 + r / group) * h + head * group + (r % group)) * rowBytes, to, d, scale);
      else memory.fill(to, 0, rowBytes);
      store<f32>(state + (<usize>r << 3), NONE);
      store<f32>(state + (<usize>r << 3), 0, 4);
      if (kind == BYTES) int8.packQuery(to, d, qInts + <usize>(r * d), qScales + (<usize>r << 3));
      else if (kind == SHORTS) {
        store<f32>(qScales + (<usize>r << 2), int16.packQuery(to, d, level, qInts + <usize>(r * d << 1)));
      }
    }
    memory.fill(o, 0, <usize>padded * rowBytes);

    const entry = heads + (<usize>head << 3);
    const table = <usize>load<u32>(entry);
    const used = load<i32>(entry, 4) + n;
    const firstQuery = load<i32>(positions + (<usize>t0 << 2));
    const lastQuery = load<i32>(positions + (<usize>(t1 - 1) << 2));
    let page = split * splitPages;
    let end = (used + SLOTS - 1) / SLOTS;
    if (splitPages) end = min(end, page + splitPages);
    for (; page < end; page++) {
      const at = pageOf(table, page << 5);
      const count = min(SLOTS, used - (page << 5));
      const oldest = load<i32>(at);
      const newest = load<i32>(at + (<usize>(count - 1) << 2));
      if (oldest > lastQuery) break; // positions ascend: nothing further is visible
      if (window && newest <= firstQuery - window) continue;
      let k = keysOf(at);
      let v = valuesOf(at, d, format);
      const vScales = kind == BYTES ? scalesV(at, d) : vScales16;
      if (kind == BYTES) {
        for (let r = 0; r < padded; r += 4) {
          const to = p + (<usize>r << 7);
          int8.score(qInts + <usize>(r * d), qScales + (<usize>r << 3), k, scalesK(at, d), minimaK(at, d), d, to, pRow);
        }
      } else if (kind == SHORTS) {
        int16.packKeys(k, d, level, kScales16, inverses, kPage);
        for (let r = 0; r < padded; r += 4) {
          int16.score(qInts + <usize>(r * d << 1), qScales + (<usize>r << 2), kPage, kScales16, d, p + (<usize>r << 7), pRow);
        }
      } else {
        if (format != F32) {
          if (format == F16) {
            floats.unpackHalves(k, d * SLOTS, kPage);
            floats.restoreNaN(kPage);
            floats.unpackHalves(v, d * SLOTS, vPage);
          } else {
            floats.unpackKeys(k, d, scalesK(at, d), minimaK(at, d), kPage);
            floats.unpackValues(v, d, scalesV(at, d), vPage);
          }
          k = kPage;
          v = vPage;
        }
        for (let r = 0; r < padded; r += 4) floats.score(qs + <usize>r * rowBytes, k, d, p + (<usize>r << 7), pRow);
      }
      const masked = count < SLOTS || newest > firstQuery || (window && oldest <= lastQuery - window);
      if (masked) {
        for (let r = 0; r < rows; r++) {
          mask(p + (<usize>r << 7), at, count, load<i32>(positions + (<usize>(t0 + r / group) << 2)), window);
        }
      }
      for (let r = 0; r < rows; r++) {
        soften(p + (<usize>r << 7), state + (<usize>r << 3), o + <usize>r * rowBytes, d, spare);
      }
      if (kind == FLOATS) {
        for (let r = 0; r < padded; r += 4) floats.accumulate(p + (<usize>r << 7), v, count, d, o + <usize>r * rowBytes);
        continue;
      }
      if (kind == SHORTS) int16.packValues(v, d, vScales16, inverses, vPage);
      for (let r = 0; r < padded; r++) {
        const from = p + (<usize>r << 7);
        const scale = kind == SHORTS
          ? int16.packWeights(from, vScales, pInts + (<usize>r << 6))
          : int8.packWeights(from, vScales, pInts + (<usize>r << 5));
        store<f32>(pScales + (<usize>r << 2), scale);
      }
      for (let r = 0; r < padded; r += 4) {
        const scales = pScales + (<usize>r << 2);
        const to = o + <usize>r * rowBytes;
        if (kind == SHORTS) int16.accumulate(pInts + (<usize>r << 6), scales, vPage, d, to);
        else int8.accumulate(pInts + (<usize>r << 5), scales, v, d, to);
      }
    }

    for (let r = 0; r < rows; r++) {
      const row = <usize>(t0 + r / group) * h + head * group + (r % group);
      const from = o + <usize>r * rowBytes;
      const m = load<f32>(state + (<usize>r << 3));
      const l = load<f32>(state + (<usize>r << 3), 4);
      if (splitPages) {
        const to = partials + (row * splits + split) * (rowBytes + 8);
        store<f32>(to, m);
        store<f32>(to, l, 4);
        memory.copy(to + 8, from, rowBytes);
      } else multiply(from, out + row * rowBytes, d, f32x4.splat(l == 0 ? 0 : <f32>1 / l));
    }
  }
}

/** Joins the partial softmaxes of splits. Arguments: partials [rows, splits, d + 2], rows, splits, d, out [rows, d]. */
export function merge(args: usize, counter: usize): void {
  const partials = address(args, 0);
  const rows = int(args, 1);
  const splits = int(args, 2);
  const d = int(args, 3);
  const out = address(args, 4);
  const rowBytes = <usize>d << 2;
  const partBytes = rowBytes + 8;
  for (let r = take(counter); r < rows; r = take(counter)) {
    const first = partials + <usize>(r * splits) * partBytes;
    const to = out + <usize>r * rowBytes;
    let m = NONE;
    for (let s = 0; s < splits; s++) m = max<f32>(m, load<f32>(first + <usize>s * partBytes));
    let l: f32 = 0;
    memory.fill(to, 0, rowBytes);
    for (let s = 0; s < splits; s++) {
      const part = first + <usize>s * partBytes;
      if (load<f32>(part, 4) == 0) continue;
      const factor = f32x4.extract_lane(exp2(f32x4.splat(load<f32>(part) - m)), 0);
      l += load<f32>(part, 4) * factor;
      for (let c: usize = 0; c < rowBytes; c += 4) {
        store<f32>(to + c, load<f32>(to + c) + load<f32>(part + c, 8) * factor);
      }
    }
    multiply(to, to, d, f32x4.splat(l == 0 ? 0 : <f32>1 / l));
  }
}
