// A search for the key blocks that score best, by halving stretches of them (Lee et al. 2024, HiP Attention, arXiv 2406.09827,
// algorithm 1): a key block stands for the stretch it is the middle of. Keys are read where they lie, few of each page, so
// that only those are unpacked.
import {
  F16, F32, headOf, keysOf, KV4, minimaK, pageOf, Q8, scalesK, scalesK4, scalesV4, SLOTS, slotBytesK, slotK, tableOf, usedOf,
} from '../append/page.assembly';
import { address, int, take } from '../assembly/args';
import { beyondHalves, halfToFloat, madd } from '../assembly/simd';
import { LIFT } from '../attend/half.assembly';
import { multiply } from '../attend/softmax.assembly';

// Which block of a stretch stands for it, in the order of `representatives` (index.ts).
// @ts-ignore: decorator
@inline const FIRST: i32 = 0;
// @ts-ignore: decorator
@inline const CENTRE: i32 = 1;

// A stretch: i32 first block, i32 end, i32 score (`ranked`).
// @ts-ignore: decorator
@inline const STRETCH: usize = 12;
/** Below every score: not known yet. */
// @ts-ignore: decorator
@inline const UNKNOWN: i32 = i32.MIN_VALUE;
/** Keys that are scored together. */
// @ts-ignore: decorator
@inline const BATCH: i32 = 4;

/** What a search works with, at the start of scratch memory; `descendScratch` of index.ts states the same sizes. */
@unmanaged
class Search {
  d: i32;
  format: i32;
  table: usize;
  /** Slots that the last query sees. */
  seen: i32;
  /** Sampled rows of queries, the newest first, and the last slot that each sees: floats [rows][d], i32 [rows]. */
  rows: i32;
  queries: usize;
  lastSlots: usize;
  /** Keys at hand: floats [4][d], their slots and the branches they stand for, i32 [4] each, and how many there are. */
  keys: usize;
  slots: usize;
  branches: usize;
  batch: i32;
  /** 128 bytes for anything. */
  spare: usize;
  /** Stretches that are left, and their halves with i32 scores of their own, the number of either. */
  stretches: usize;
  halves: usize;
  scores: usize;
  /** Keys scored so far. */
  scored: i32;
}

/** The search at the start of scratch memory for so many rows of queries and stretches. */
function searchAt(scratch: usize, rows: i32, chunks: i32, d: i32): Search {
  const search = changetype<Search>(scratch);
  const row = <usize>d << 2;
  search.d = d;
  search.slots = scratch + 128;
  search.branches = search.slots + 16;
  search.spare = search.slots + 64;
  search.keys = search.spare + 128;
  search.queries = search.keys + BATCH * row;
  search.lastSlots = search.queries + <usize>rows * row;
  search.stretches = search.lastSlots + (<usize>rows << 2);
  search.halves = search.stretches + <usize>chunks * STRETCH;
  search.scores = search.halves + <usize>(2 * chunks) * STRETCH;
  search.batch = 0;
  search.scored = 0;
  return search;
}

/**
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g] (used slots are those before these n), 6 format,
 * 7 lists [ceil(n / rows), heads that have lists] of { i32 count, count of { i32 page, u32 slots } }, 8 rows of queries that share
 * a list, 9 heads that have lists, 10 bytes from list to list, 11 stretches, 12 slots of a key block (a power of two),
 * 13 every which slot of a block and 14 every which row of queries is looked at, 15 sinks, 16 window (a query sees so many
 * slots in any case, itself with them; 0: none), 17 which block stands for a stretch, 18 slots to come that lists name as
 * well, 19 counts i64 [3], of which the last is that of keys scored (0: not counted).
 */
export function descend(args: usize, counter: usize, scratch: usize): void {
  const n = int(args, 1);
  const h = int(args, 2);
  const g = int(args, 3);
  const d = int(args, 4);
  const lists = address(args, 7);
  const listRows = int(args, 8);
  const listHeads = int(args, 9);
  const chunks = int(args, 11);
  const block = int(args, 12);
  const queryStride = int(args, 14);
  const window = int(args, 16);
  const ahead = int(args, 18);
  const counts = address(args, 19);
  const group = h / listHeads;
  const most = ((min(n, listRows) + queryStride - 1) / queryStride) * group;
  const search = searchAt(scratch, most, chunks, d);
  search.format = int(args, 6);
  const firstBlock = (int(args, 15) + block - 1) / block;
  const items = ((n + listRows - 1) / listRows) * listHeads;
  for (let item = take(counter); item < items; item = take(counter)) {
    const head = item % listHeads, t0 = (item / listHeads) * listRows, t1 = min(n, t0 + listRows);
    const entry = headOf(address(args, 5), (head * g) / listHeads);
    const used = usedOf(entry);
    const list = lists + <usize>item * <usize>int(args, 10);
    search.table = tableOf(entry);
    search.seen = used + t1;
    store<i32>(list, 0);
    const endBlock = window ? (used + t0 + 1 - window) / block : (search.seen + block - 1) / block;
    const end = (search.seen + ahead + SLOTS - 1) & ~(SLOTS - 1);
    if (endBlock - firstBlock <= chunks) {
      addSlots(list, 0, end);
      continue;
    }
    gatherQueries(search, address(args, 0), t0, t1, queryStride, h, head * group, group, used);
    halve(search, firstBlock, endBlock, chunks, block, int(args, 13), int(args, 17));
    addSlots(list, 0, firstBlock * block);
    for (let i = 0; i < chunks; i++) {
      const from = load<i32>(search.stretches + <usize>i * STRETCH) * block;
      addSlots(list, from, min(from + block, end));
    }
    addSlots(list, endBlock * block, end);
    if (counts) atomic.add<i64>(counts, <i64>search.scored, 16);
    search.scored = 0;
  }
}

/** Names the slots [from, to), which lie behind those that a list names already. */
function addSlots(list: usize, from: i32, to: i32): void {
  while (from < to) {
    const page = from >> 5, start = from & (SLOTS - 1), end = min(SLOTS, to - (page << 5));
    const slots = <i32>((end == SLOTS ? <u32>-1 : ((<u32>1 << end) - 1)) & (<u32>-1 << start));
    const count = load<i32>(list);
    const last = list + (<usize>count << 3);
    if (count && load<i32>(last - 4) == page) store<i32>(last, load<i32>(last) | slots);
    else {
      store<i32>(last, page, 4);
      store<i32>(last, slots, 8);
      store<i32>(list, count + 1);
    }
    from += end - start;
  }
}

/** Every so many rows of a block of queries, its last with them, of the query heads of a list. */
function gatherQueries(search: Search, q: usize, t0: i32, t1: i32, stride: i32, h: i32, head: i32, group: i32, used: i32): void {
  const row = <usize>search.d << 2;
  const factor = f32x4.splat(search.format == F16 ? LIFT : 1);
  let r = 0;
  for (let t = t1 - 1; t >= t0; t -= stride) {
    for (let j = 0; j < group; j++, r++) {
      multiply(q + (<usize>t * h + head + j) * row, search.queries + <usize>r * row, search.d, factor);
      store<i32>(search.lastSlots + (<usize>r << 2), used + t);
    }
  }
  search.rows = r;
}

/** Leaves the `chunks` blocks of [from, to), more than there are chunks, that the search ends at, ascending. */
function halve(search: Search, from: i32, to: i32, chunks: i32, block: i32, stride: i32, representative: i32): void {
  const size = <i64>(to - from);
  for (let j = 0, at = search.stretches; j < chunks; j++, at += STRETCH) {
    store<i32>(at, from + bound(j, size, chunks));
    store<i32>(at, from + bound(j + 1, size, chunks), 4);
    store<i32>(at, UNKNOWN, 8);
  }
  for (let whole = false; !whole; ) {
    let count = 0;
    for (let i = 0, at = search.stretches; i < chunks; i++, at += STRETCH) {
      const first = load<i32>(at), end = load<i32>(at, 4), score = load<i32>(at, 8);
      const middle = (first + end) >> 1, standsFor = representativeOf(first, end, representative);
      if (middle > first) addHalf(search, count++, first, middle, standsFor, score, block, stride, representative);
      addHalf(search, count++, middle, end, standsFor, score, block, stride, representative);
    }
    scoreBatch(search);
    whole = keepBest(search, count, chunks);
  }
}

/** round(j · size / chunks), halves upwards. */
// @ts-ignore: decorator
@inline function bound(j: i32, size: i64, chunks: i32): i32 {
  return <i32>((2 * <i64>j * size + <i64>chunks) / (2 * <i64>chunks));
}

// @ts-ignore: decorator
@inline function representativeOf(first: i32, end: i32, representative: i32): i32 {
  return representative == FIRST ? first : representative == CENTRE ? first + ((end - first) >> 1) : end - 1;
}

/** Half of a stretch, which keeps the score of the whole where the same block stands for both; else its keys are to be scored. */
function addHalf(
  search: Search, index: i32, first: i32, end: i32, standsFor: i32, score: i32, block: i32, stride: i32, representative: i32,
): void {
  const at = search.halves + <usize>index * STRETCH;
  const chosen = representativeOf(first, end, representative);
  const known = score != UNKNOWN && chosen == standsFor;
  store<i32>(at, first);
  store<i32>(at, end, 4);
  store<i32>(search.scores + (<usize>index << 2), known ? score : ranked(-Infinity));
  if (known) return;
  const last = min(search.seen, (chosen + 1) * block);
  for (let slot = chosen * block; slot < last; slot += stride) {
    store<i32>(search.slots + (<usize>search.batch << 2), slot);
    store<i32>(search.branches + (<usize>search.batch << 2), index);
    if (++search.batch == BATCH) scoreBatch(search);
  }
}

/** A score as a whole number in the same order; both zeros are one. */
// @ts-ignore: decorator
@inline function ranked(score: f32): i32 {
  const bits = reinterpret<i32>(score + 0);
  return bits < 0 ? bits ^ 0x7fffffff : bits;
}

/** Keeps the best of the halves, of equals the first. Returns whether none of them can be halved. */
function keepBest(search: Search, count: i32, chunks: i32): bool {
  const scores = search.scores;
  for (; count & 3; count++) store<i32>(scores + (<usize>count << 2), UNKNOWN);
  // The greatest bar that enough of them reach.
  let low: i64 = i32.MIN_VALUE, high: i64 = i32.MAX_VALUE;
  while (low < high) {
    const bar = (low + high + 1) >> 1;
    if (reaching(scores, count, <i32>bar) >= chunks) low = bar;
    else high = bar - 1;
  }
  const bar = <i32>low;
  let ties = chunks - (bar == i32.MAX_VALUE ? 0 : reaching(scores, count, bar + 1));
  let whole = true;
  for (let i = 0, kept = 0; kept < chunks; i++) {
    const score = load<i32>(scores + (<usize>i << 2));
    if (score < bar || (score == bar && --ties < 0)) continue;
    const from = search.halves + <usize>i * STRETCH, to = search.stretches + <usize>kept * STRETCH;
    kept++;
    store<i64>(to, load<i64>(from));
    store<i32>(to, score, 8);
    if (load<i32>(from, 4) - load<i32>(from) > 1) whole = false;
  }
  return whole;
}

/** How many scores, a multiple of four, are no less than a bar. */
function reaching(scores: usize, count: i32, bar: i32): i32 {
  let sum = i32x4.splat(0);
  const least = i32x4.splat(bar);
  for (const end = scores + (<usize>count << 2); scores < end; scores += 16) {
    sum = i32x4.sub(sum, i32x4.ge_s(v128.load(scores), least));
  }
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
}

/** Scores the keys at hand: the best product with a query that sees the key counts for its branch. */
function scoreBatch(search: Search): void {
  const batch = search.batch;
  if (batch == 0) return;
  const row = <usize>search.d << 2;
  for (let i = 0; i < BATCH; i++) {
    // Where there are fewer the last one is taken again.
    if (i >= batch) store<i32>(search.slots + (<usize>i << 2), load<i32>(search.slots + (<usize>(batch - 1) << 2)));
    else gatherKey(search, load<i32>(search.slots + (<usize>i << 2)), search.keys + <usize>i * row);
  }
  const best = bestProducts(search);
  v128.store(search.spare, best);
  for (let i = 0; i < batch; i++) {
    const at = search.scores + (<usize>load<i32>(search.branches + (<usize>i << 2)) << 2);
    store<i32>(at, max(load<i32>(at), ranked(load<f32>(search.spare + (<usize>i << 2)))));
  }
  search.scored += batch;
  search.batch = 0;
}

/** The largest product of each of 4 keys with the rows of queries that see it; −∞ where none does, and NaN is none. */
function bestProducts(search: Search): v128 {
  const row = <usize>search.d << 2;
  const slots = v128.load(search.slots), spare = search.spare;
  const none = f32x4.splat(-Infinity), zero = f32x4.splat(0);
  let best = none;
  for (let r = 0, q = search.queries; r < search.rows; r++, q += row) {
    // Vectors in pairs, which meet in memory: see ../matmul/assembly.ts.
    let a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero, d0 = zero, d1 = zero;
    for (let c: usize = 0, k = search.keys; c < row; c += 32, k += 32) {
      const x = v128.load(q + c), y = v128.load(q + c, 16);
      a0 = madd(v128.load(k), x, a0), a1 = madd(v128.load(k, 16), y, a1);
      b0 = madd(v128.load(k + row), x, b0), b1 = madd(v128.load(k + row, 16), y, b1);
      c0 = madd(v128.load(k + 2 * row), x, c0), c1 = madd(v128.load(k + 2 * row, 16), y, c1);
      d0 = madd(v128.load(k + 3 * row), x, d0), d1 = madd(v128.load(k + 3 * row, 16), y, d1);
    }
    v128.store(spare, a0);
    v128.store(spare, a1, 16);
    v128.store(spare, b0, 32);
    v128.store(spare, b1, 48);
    v128.store(spare, c0, 64);
    v128.store(spare, c1, 80);
    v128.store(spare, d0, 96);
    v128.store(spare, d1, 112);
    const a = f32x4.add(v128.load(spare), v128.load(spare, 16)), b = f32x4.add(v128.load(spare, 32), v128.load(spare, 48));
    const e = f32x4.add(v128.load(spare, 64), v128.load(spare, 80)), f = f32x4.add(v128.load(spare, 96), v128.load(spare, 112));
    const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
    const ef = f32x4.add(v128.shuffle<i32>(e, f, 0, 4, 1, 5), v128.shuffle<i32>(e, f, 2, 6, 3, 7));
    const products = f32x4.add(v128.shuffle<i32>(ab, ef, 0, 1, 4, 5), v128.shuffle<i32>(ab, ef, 2, 3, 6, 7));
    const hidden = i32x4.gt_s(slots, v128.load32_splat(search.lastSlots + (<usize>r << 2)));
    // Keeps the best where the product is NaN.
    best = f32x4.pmax(best, v128.bitselect(none, products, hidden));
  }
  return best;
}

/** A key as floats [d], half precision without 2¹¹², which the queries bring. A NaN of the slot shows in the first. */
function gatherKey(search: Search, slot: i32, to: usize): void {
  const page = pageOf(search.table, slot), s = slot & (SLOTS - 1), d = search.d, format = search.format;
  const end = to + (<usize>d << 2);
  if (format == F16) {
    let from = slotK(page, s, F16);
    const bad = (<i32>load<u16>(from) & 0x7fff) > 0x7c00;
    for (let at = to; at < end; at += 4, from += 2 * SLOTS) store<i32>(at, (<i32>load<i16>(from) << 13) & 0x8fffe000);
    if (bad) store<f32>(to, NaN);
  } else if (format == F32) {
    for (let at = to, from = slotK(page, s, F32); at < end; at += 4, from += 4 * SLOTS) store<f32>(at, load<f32>(from));
  } else if (format == Q8) {
    const scale = v128.load32_splat(scalesK(page, d) + (<usize>s << 2)), minimum = v128.load32_splat(minimaK(page, d) + (<usize>s << 2));
    for (let at = to, from = slotBytesK(page, s); at < end; at += 16, from += 4 * SLOTS) {
      v128.store(at, madd(fourFloats(load<u32>(from)), scale, minimum));
    }
  } else {
    const shift: u32 = s & 16 ? 4 : 0;
    let from = keysOf(page) + (<usize>(s & 15) << 2);
    let halves = scalesK4(page, d);
    const spoiling = halfAt(format == KV4 ? halves + (<usize>s << 1) : scalesV4(page, d) + (<usize>s << 1));
    if (format == KV4) {
      const scale = spoiling, minimum = halfAt(halves + (<usize>(SLOTS + s) << 1));
      for (let at = to; at < end; at += 16, from += 64) v128.store(at, madd(fourFloats((load<u32>(from) >> shift) & 0x0f0f0f0f), scale, minimum));
    } else {
      for (let at = to; at < end; at += 16, from += 64, halves += 8) {
        const scale = halfToFloat(v128.load16x4_s(halves)), minimum = halfToFloat(v128.load16x4_s(halves + (<usize>d << 1)));
        v128.store(at, madd(fourFloats((load<u32>(from) >> shift) & 0x0f0f0f0f), scale, minimum));
      }
    }
    if (v128.any_true(beyondHalves(spoiling))) store<f32>(to, NaN);
  }
}

/** Four bytes as floats. */
// @ts-ignore: decorator
@inline function fourFloats(bytes: u32): v128 {
  const v = i32x4.replace_lane(i32x4.splat(0), 0, bytes);
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v)));
}

/** A half in every lane. */
// @ts-ignore: decorator
@inline function halfAt(from: usize): v128 {
  return halfToFloat(i32x4.splat(<i32>load<i16>(from)));
}
