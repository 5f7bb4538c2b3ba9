// Attention of a tile of query rows over the pages of one key/value head. A page is unpacked once for the whole tile; the
// softmax is accumulated page by page (max, denominator, output).
import { ALL_SLOTS, biasOf, headOf, pageOf, sinksOf, sizeOf, SLOTS, tableOf, usedOf, windowOf } from '../append/page.assembly';
import { address, float, int, take } from '../assembly/args';
import { touch } from '../assembly/memory';
import { exp2 } from '../assembly/simd';
import { beginBytes, endBytes } from './bytes.assembly';
import * as centred from './centred.assembly';
import * as floats from './float.assembly';
import * as half from './half.assembly';
import * as int4 from './int4.assembly';
import * as int8 from './int8.assembly';
import * as kv4 from './kv4.assembly';
import { begin, mask, multiply, NONE, raise, soften } from './softmax.assembly';
import { Tile } from './tile.assembly';

// How products over pages are taken, in the order of `attendKinds` (index.ts).
// @ts-ignore: decorator
@inline const FLOATS: i32 = 0;
// @ts-ignore: decorator
@inline const HALVES: i32 = 1;
// @ts-ignore: decorator
@inline const INT8: i32 = 2;
// @ts-ignore: decorator
@inline const INT4: i32 = 3;
// @ts-ignore: decorator
@inline const CENTRED: i32 = 4;
// @ts-ignore: decorator
@inline const KV4: i32 = 5;

// @ts-ignore: decorator
@inline const SMALLEST_TILE: i32 = 8;
/** Items that every thread should find. */
// @ts-ignore: decorator
@inline const ITEMS: i32 = 12;

/** How many of the first `count` slots are set. */
// @ts-ignore: decorator
@inline function among(slots: i32, count: i32): i32 {
  return popcnt(count < SLOTS ? slots & ((1 << count) - 1) : slots);
}

/**
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g] (see ../append/page.assembly.ts; used slots are those before these n),
 * 6 positions [n], 7 out [n, h, d], 8 scale, 9 window (a key is seen when position − key position < window; 0: all),
 * 10 store, 11 the most tokens a tile, 12 pages a split (0: no split), 13 splits, 14 partials [n, h, splits, d + 2],
 * 15 kind,
 * 16 lists [ceil(n / rows), heads that have lists] of { i32 count, count of { i32 page, u32 slots } } (0: every page is read),
 * 17 rows of queries that share a list, 18 heads that have lists, 19 bytes from list to list, 20 counts i64 [2] of slots
 * read and of pairs scored (0: not counted), 21 the first of these partials, 22 partials of a row in all,
 * 23 pages whose scores are taken together (1, but for few rows over 8 or 4 bits).
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
  const scale = float(args, 8);
  const window = int(args, 9);
  const format = int(args, 10);
  const splitPages = int(args, 12);
  const splits = int(args, 13);
  const partials = address(args, 14);
  const kind = int(args, 15);
  const lists = address(args, 16);
  const listRows = int(args, 17);
  const listHeads = int(args, 18);
  const listBytes = <usize>int(args, 19);
  const counts = address(args, 20);
  const firstPart = int(args, 21);
  const parts = int(args, 22);
  const stepPages = int(args, 23);

  // Query heads of a tile: those that share a list, and with it a key/value head.
  const group = h / listHeads;
  // Fewer where every thread would not get several.
  const tokens = min(min(int(args, 11), min(listRows, n)), max(SMALLEST_TILE, (n * g) / (ITEMS * threads)));
  const listTiles = (listRows + tokens - 1) / tokens;
  const tiles = (n / listRows) * listTiles + ((n % listRows) + tokens - 1) / tokens;
  const items = listHeads * tiles * splits;
  const rowBytes = <usize>d << 2;
  const tile = Tile.at(scratch, (tokens * group + 3) & ~3, d, stepPages);
  const weights = tile.weights;
  // Few rows over bytes or less. A step's pages are read in one go first: their products would fetch them in an order that the
  // processor does not foresee. That of halves it does, and reading them twice costs.
  const few = stepPages > 1;
  // Weights of many rows become bytes at once.
  const inBytes = kind == CENTRED || (kind == INT8 && !few);
  const pageBytes = sizeOf(d, format);
  const factor = f32x4.splat(kind == HALVES ? scale * half.LIFT : scale);

  for (let item = take(counter); item < items; item = take(counter)) {
    const head = item % listHeads;
    const split = (item / listHeads) % splits;
    // The last tiles see the most keys: they go first, so that no thread is left with a long one at the end.
    const t = tiles - 1 - item / (listHeads * splits);
    const list = t / listTiles;
    const t0 = list * listRows + (t % listTiles) * tokens;
    const t1 = min(min(t0 + tokens, (list + 1) * listRows), n);
    const rows = (t1 - t0) * group;
    begin(tile, q, t0, t1, h, head, group, factor);
    memory.fill(tile.sums, 0, <usize>tile.padded * rowBytes);
    if (kind == INT8 || kind == CENTRED || kind == KV4) int8.packQueries(tile);
    if (inBytes) beginBytes(tile);

    const entry = headOf(heads, (head * g) / listHeads);
    const table = tableOf(entry);
    const used = usedOf(entry) + n;
    const sinks = sinksOf(entry), near = windowOf(entry, window), bias = biasOf(entry);
    const firstQuery = load<i32>(positions + (<usize>t0 << 2));
    const lastQuery = load<i32>(positions + (<usize>(t1 - 1) << 2));
    const first = split * splitPages;
    const all = (used + SLOTS - 1) / SLOTS;
    const listed = lists ? lists + <usize>(list * listHeads + head) * listBytes : 0;
    const pages = listed ? load<i32>(listed) : all;
    const end = splitPages ? min(pages, first + splitPages) : pages;
    let before: usize = 0;
    let reads = 0;
    for (let e = first; e < end; ) {
      // A step's pages, then their scores, then their weights, then the weighted values.
      let scored = 0;
      for (; e < end && scored < stepPages; e++) {
        const i = listed ? load<i32>(listed + (<usize>e << 3), 4) : e;
        const page = i < all ? pageOf(table, i << 5) : 0;
        // Positions ascend: nothing further is visible.
        if (page == 0 || load<i32>(page) > lastQuery) {
          e = end;
          break;
        }
        const count = min(SLOTS, used - (i << 5));
        if (near && load<i32>(page + (<usize>(count - 1) << 2)) <= firstQuery - near && load<i32>(page) >= sinks) continue;
        if (few) touch(page, pageBytes, tile.spare);
        tile.step(scored++, page, count, i, listed ? load<i32>(listed + (<usize>e << 3), 8) : ALL_SLOTS);
      }

      tile.weights = weights;
      for (let s = 0; s < scored; s++) {
        const page = tile.again(s), i = tile.index(s), slots = tile.slots(s), count = tile.count;
        reads += among(slots, count);
        if (kind == HALVES) half.scorePage(tile, page);
        else if (kind == CENTRED) centred.scorePage(tile, page, before ? before : i > 0 ? pageOf(table, (i - 1) << 5) : 0, format);
        else if (kind == INT8) int8.scorePage(tile, page);
        else if (kind == INT4) int4.scorePage(tile, page);
        else if (kind == KV4) kv4.scorePage(tile, page);
        else floats.scorePage(tile, page, format);

        if (i == 0 && bias != 0) raise(tile, bias);
        const oldest = load<i32>(page), newest = load<i32>(page + (<usize>(count - 1) << 2));
        if (count < SLOTS || newest > firstQuery || (near && oldest <= lastQuery - near) || slots != ALL_SLOTS) {
          for (let r = 0; r < rows; r++) {
            mask(tile.weight(r), page, count, slots, load<i32>(positions + (<usize>(t0 + r / group) << 2)), sinks, near);
          }
        }
        if (listed) before = page;
        tile.weights += 4 * SLOTS;
      }

      tile.weights = weights;
      if (!inBytes) {
        for (let r = 0; r < rows; r++) soften(tile.weight(r), <usize>scored << 7, tile.state(r), tile.sum(r), d, tile.spare);
      }

      if (kind == INT4) int4.beginStep(tile);
      else if (kind == KV4) kv4.beginStep(tile);
      for (let s = 0; s < scored; s++) {
        const page = tile.again(s);
        if (kind == HALVES) half.addPage(tile, page);
        else if (kind == CENTRED) centred.addPage(tile, page, format);
        else if (kind == INT8 && few) int8.addPage(tile, page);
        else if (kind == INT8) int8.addPageOfMany(tile, page);
        else if (kind == INT4) int4.addPage(tile, page);
        else if (kind == KV4) kv4.addPage(tile, page);
        else floats.addPage(tile, page, format);
        tile.weights += 4 * SLOTS;
      }
      if (kind == INT4) int4.endStep(tile);
      else if (kind == KV4) kv4.endStep(tile);
    }
    if (counts) {
      atomic.add<i64>(counts, <i64>reads);
      atomic.add<i64>(counts, <i64>reads * <i64>rows, 8);
    }

    if (inBytes) endBytes(tile);
    for (let r = 0; r < rows; r++) {
      const row = <usize>(t0 + r / group) * h + head * group + (r % group);
      const m = load<f32>(tile.state(r));
      const l = load<f32>(tile.state(r), 4);
      if (splitPages) {
        const to = partials + (row * parts + firstPart + split) * (rowBytes + 8);
        store<f32>(to, m);
        store<f32>(to, l, 4);
        memory.copy(to + 8, tile.sum(r), rowBytes);
      } else multiply(tile.sum(r), out + row * rowBytes, d, f32x4.splat(l == 0 ? 0 : <f32>1 / l));
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
      const factors = exp2(f32x4.splat(load<f32>(part) - m));
      l += load<f32>(part, 4) * f32x4.extract_lane(factors, 0);
      for (let c: usize = 0; c < rowBytes; c += 32) {
        const a = f32x4.add(v128.load(to + c), f32x4.mul(v128.load(part + c, 8), factors));
        const b = f32x4.add(v128.load(to + c, 16), f32x4.mul(v128.load(part + c, 24), factors));
        v128.store(to + c, a);
        v128.store(to + c, b, 16);
      }
    }
    multiply(to, to, d, f32x4.splat(l == 0 ? 0 : <f32>1 / l));
  }
}
