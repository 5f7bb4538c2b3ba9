// A search for the key blocks that score best, by halving stretches of them (Lee et al. 2024, HiP Attention, arXiv 2406.09827,
// algorithm 1): one block of a stretch stands for it. Keys are read where they lie: whole pages are scored as attention does
// it in floats; of blocks that are less than a page, or of which some keys are skipped, 32 keys are gathered at a time.
import {
  F16, F32, headOf, keysOf, KV4, minimaK, pageOf, Q8, scalesK, scalesK4, scalesV4, SLOTS, slotBytesK, slotK, tableOf, usedOf,
} from '../append/page.assembly';
import { address, int, take } from '../assembly/args';
import { beyondHalves, halfToFloat, largest, larger, madd } from '../assembly/simd';
import * as floats from '../attend/float.assembly';
import { multiply } from '../attend/softmax.assembly';
import { addPage } from '../attend/list.assembly';
import { Tile } from '../attend/tile.assembly';

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
// 2¹¹²: what a half's bits are short of where a float's stand.
// @ts-ignore: decorator
@inline const LIFT: f32 = reinterpret<f32>(0x77800000);

/** What a search works with, at the start of scratch memory; `descendScratch` of index.ts states the same sizes. */
@unmanaged
class Search {
  d: i32;
  format: i32;
  table: usize;
  /** Slots of a key block, and every which of them is scored. */
  block: i32;
  stride: i32;
  representative: i32;
  /** Slots that the last query sees. */
  seen: i32;
  /** The sampled rows of queries, the newest first, and the last slot that each sees, i32 [rows]. */
  tile: Tile;
  lastSlots: usize;
  /** Keys at hand, in the tile as floats [d][32]: their slots and the halves whose block they are of, i32 [32] each. */
  slots: usize;
  owners: usize;
  batch: i32;
  /** Stretches that are left; their halves, and i32 scores of these. */
  stretches: usize;
  halves: usize;
  scores: usize;
  /** Keys scored so far. */
  scored: i32;
}

/** The search at the start of scratch memory for so many rows of queries and stretches. */
function searchAt(scratch: usize, rows: i32, stretches: i32, d: i32): Search {
  const search = changetype<Search>(scratch);
  search.d = d;
  search.slots = scratch + 128;
  search.owners = search.slots + 4 * SLOTS;
  search.lastSlots = search.owners + 4 * SLOTS;
  search.stretches = search.lastSlots + (<usize>rows << 2);
  search.halves = search.stretches + <usize>stretches * STRETCH;
  search.scores = search.halves + <usize>(2 * stretches) * STRETCH;
  // Vectors of scores reach behind the last.
  search.tile = Tile.at((search.scores + (<usize>(2 * stretches) << 2) + 79) & ~63, (rows + 3) & ~3, d, 1);
  search.batch = 0;
  search.scored = 0;
  return search;
}

/**
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g] (used slots are those before these n), 6 format,
 * 7 lists [ceil(n / rows), heads that have lists] of { i32 count, count of { i32 page, u32 slots } }, 8 rows of queries that share
 * a list, 9 heads that have lists, 10 bytes from list to list, 11 blocks to be found, 12 slots of a key block (a power of two),
 * 13 every which slot of a block and 14 every which row of queries is looked at, 15 sinks, 16 window (a query sees so many
 * slots in any case, itself with them; 0: none), 17 which block stands for a stretch, 18 slots to come that lists name as
 * well, 19 counts i64 [3], of which the last is that of keys scored (0: not counted), 20 stretches that are kept for each of 11.
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
  const beam = int(args, 20);
  const search = searchAt(scratch, most, chunks * beam, d);
  search.format = int(args, 6);
  search.block = block;
  search.stride = int(args, 13);
  search.representative = int(args, 17);
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
    halve(search, firstBlock, endBlock, chunks, min(chunks * beam, endBlock - firstBlock));
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
    else addPage(list, page, slots);
    from += end - start;
  }
}

/** Every so many rows of a block of queries, its last with them, of the query heads of a list. */
function gatherQueries(search: Search, q: usize, t0: i32, t1: i32, stride: i32, h: i32, head: i32, group: i32, used: i32): void {
  const tile = search.tile, row = <usize>search.d << 2;
  let r = 0;
  for (let t = t1 - 1; t >= t0; t -= stride) {
    for (let j = 0; j < group; j++, r++) {
      multiply(q + (<usize>(t * h + head + j)) * row, tile.query(r), search.d, f32x4.splat(1));
      store<i32>(search.lastSlots + (<usize>r << 2), used + t);
    }
  }
  tile.rows = r;
  tile.padded = (r + 3) & ~3;
  for (; r < tile.padded; r++) memory.fill(tile.query(r), 0, row);
}

/** Leaves the `chunks` blocks of [from, to), more than there are chunks, that a search with so many stretches ends at, ascending. */
function halve(search: Search, from: i32, to: i32, chunks: i32, stretches: i32): void {
  const size = <i64>(to - from);
  for (let j = 0, at = search.stretches; j < stretches; j++, at += STRETCH) {
    store<i32>(at, from + bound(j, size, stretches));
    store<i32>(at, from + bound(j + 1, size, stretches), 4);
    store<i32>(at, UNKNOWN, 8);
  }
  for (let whole = false; !whole; ) {
    let count = 0;
    for (let i = 0, at = search.stretches; i < stretches; i++, at += STRETCH) {
      const first = load<i32>(at), end = load<i32>(at, 4), score = load<i32>(at, 8);
      const middle = (first + end) >> 1, standsFor = representativeOf(first, end, search.representative);
      if (middle > first) addHalf(search, count++, first, middle, standsFor, score);
      addHalf(search, count++, middle, end, standsFor, score);
    }
    scoreBatch(search);
    whole = keepBest(search, count, stretches);
  }
  if (stretches == chunks) return;
  for (let i = 0, at = search.stretches, to = search.halves; i < stretches; i++, at += STRETCH, to += STRETCH) {
    store<i64>(to, load<i64>(at));
    store<i32>(search.scores + (<usize>i << 2), load<i32>(at, 8));
  }
  keepBest(search, stretches, chunks);
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

/** Half of a stretch, which keeps the score of the whole where the same block stands for both; else its keys are scored. */
function addHalf(search: Search, index: i32, first: i32, end: i32, standsFor: i32, score: i32): void {
  const at = search.halves + <usize>index * STRETCH;
  const chosen = representativeOf(first, end, search.representative);
  const known = score != UNKNOWN && chosen == standsFor;
  store<i32>(at, first);
  store<i32>(at, end, 4);
  store<i32>(search.scores + (<usize>index << 2), known ? score : ranked(-Infinity));
  if (known) return;
  const last = min(search.seen, (chosen + 1) * search.block);
  if (search.stride == 1 && search.block >= SLOTS) {
    for (let slot = chosen * search.block; slot < last; slot += SLOTS) scorePage(search, slot, index);
    return;
  }
  for (let slot = chosen * search.block; slot < last; slot += search.stride) {
    const batch = <usize>search.batch << 2;
    gatherKey(search, slot, search.tile.keys + batch);
    store<i32>(search.slots + batch, slot);
    store<i32>(search.owners + batch, index);
    if (++search.batch == SLOTS) scoreBatch(search);
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

/** Scores the keys at hand: the best product with a query that sees the key counts for the half. */
function scoreBatch(search: Search): void {
  const batch = search.batch;
  if (batch == 0) return;
  floats.scoreKeys(search.tile, search.tile.keys);
  const best = bestOfRows(search);
  for (let at: usize = 0; at < <usize>batch << 2; at += 4) raise(search, load<i32>(search.owners + at), load<f32>(best + at));
  search.scored += batch;
  search.batch = 0;
}

/** The same for all keys of the page that begins with a slot, where blocks are whole pages. */
function scorePage(search: Search, slot: i32, index: i32): void {
  for (let s = 0; s < SLOTS; s++) store<i32>(search.slots + (<usize>s << 2), slot + s);
  search.batch = SLOTS;
  floats.scorePage(search.tile, pageOf(search.table, slot), search.format);
  const best = bestOfRows(search);
  let all = v128.load(best);
  for (let at: usize = 16; at < 4 * SLOTS; at += 16) all = larger(all, v128.load(best + at));
  raise(search, index, largest(all));
  search.scored += min(SLOTS, search.seen - slot);
  search.batch = 0;
}

// @ts-ignore: decorator
@inline function raise(search: Search, index: i32, score: f32): void {
  const at = search.scores + (<usize>index << 2);
  store<i32>(at, max(load<i32>(at), ranked(score)));
}

/** The largest product of each of the 32 keys at hand with a row that sees it, in place of the first row; −∞ where there is none. */
function bestOfRows(search: Search): usize {
  const tile = search.tile, none = f32x4.splat(-Infinity);
  // The row that sees least is the last; keys ascend.
  const hides = load<i32>(search.slots + (<usize>(search.batch - 1) << 2)) > load<i32>(search.lastSlots + (<usize>(tile.rows - 1) << 2));
  for (let at: usize = 0; at < 4 * SLOTS; at += 16) {
    let best = none;
    for (let r = 0; r < tile.rows; r++) {
      let products = v128.load(tile.weight(r) + at);
      if (hides) {
        const seen = v128.load32_splat(search.lastSlots + (<usize>r << 2));
        products = v128.bitselect(none, products, i32x4.gt_s(v128.load(search.slots + at), seen));
      }
      // What is NaN is not taken.
      best = f32x4.pmax(best, products);
    }
    v128.store(tile.weight(0) + at, best);
  }
  return tile.weight(0);
}

/** A key as floats, a number every 128 bytes. A NaN of the slot shows in the first. */
function gatherKey(search: Search, slot: i32, to: usize): void {
  const page = pageOf(search.table, slot), s = slot & (SLOTS - 1), d = search.d, format = search.format;
  const end = to + (<usize>d << 7);
  if (format == F16) {
    let from = slotK(page, s, F16);
    const bad = (<i32>load<u16>(from) & 0x7fff) > 0x7c00;
    for (let at = to; at < end; at += 128, from += 2 * SLOTS) {
      store<f32>(at, reinterpret<f32>((<i32>load<i16>(from) << 13) & 0x8fffe000) * LIFT);
    }
    if (bad) store<f32>(to, NaN);
  } else if (format == F32) {
    for (let at = to, from = slotK(page, s, F32); at < end; at += 128, from += 4 * SLOTS) store<f32>(at, load<f32>(from));
  } else if (format == Q8) {
    const scale = v128.load32_splat(scalesK(page, d) + (<usize>s << 2)), minimum = v128.load32_splat(minimaK(page, d) + (<usize>s << 2));
    for (let at = to, from = slotBytesK(page, s); at < end; at += 512, from += 4 * SLOTS) {
      store4(at, madd(fourFloats(load<u32>(from)), scale, minimum));
    }
  } else {
    const shift: u32 = s & 16 ? 4 : 0;
    let from = keysOf(page) + (<usize>(s & 15) << 2), halves = scalesK4(page, d);
    const spoiling = halfAt(format == KV4 ? halves + (<usize>s << 1) : scalesV4(page, d) + (<usize>s << 1));
    let scale = spoiling, minimum = halfAt(halves + (<usize>(SLOTS + s) << 1));
    for (let at = to; at < end; at += 512, from += 64, halves += 8) {
      if (format != KV4) {
        scale = halfToFloat(v128.load16x4_s(halves));
        minimum = halfToFloat(v128.load16x4_s(halves + (<usize>d << 1)));
      }
      store4(at, madd(fourFloats((load<u32>(from) >> shift) & 0x0f0f0f0f), scale, minimum));
    }
    if (v128.any_true(beyondHalves(spoiling))) store<f32>(to, NaN);
  }
}

/** Four numbers, 128 bytes apart. */
// @ts-ignore: decorator
@inline function store4(to: usize, v: v128): void {
  v128.store32_lane(to, v, 0);
  v128.store32_lane(to, v, 1, 128);
  v128.store32_lane(to, v, 2, 256);
  v128.store32_lane(to, v, 3, 384);
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
