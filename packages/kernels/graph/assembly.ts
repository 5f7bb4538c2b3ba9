// Approximate nearest neighbours under the inner product: rows of integers, exact neighbours of training queries, a graph
// that is linked along them, and the search in it (RoarGraph, Chen et al. 2024, arXiv 2408.08933).
import { headOf, usedOf } from '../append/page.assembly';
import { address, float, int, take } from '../assembly/args';
import { put, putRange } from '../assembly/bits';
import { writeList } from '../attend/list.assembly';
import { at, Graph, keyOf, ranked, scanKeys, sink, toRow, walkGraph } from './graph.assembly';
import { linkHead } from './link.assembly';

/** Rows that one item rounds. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 16;

/**
 * Arguments: 0 x f32 [n, stride], 1 n, 2 heads, 3 d, 4 out i16 [heads, room, d], 5 room, 6 where the first goes, 7 norm, 8 stride.
 */
export function graphRows(args: usize, counter: usize): void {
  const x = address(args, 0);
  const n = int(args, 1);
  const heads = int(args, 2);
  const d = int(args, 3);
  const out = address(args, 4);
  const room = int(args, 5);
  const first = int(args, 6);
  const norm = float(args, 7);
  const stride = <usize>int(args, 8) << 2;
  for (let item = take(counter); item * ROWS < n; item = take(counter)) {
    for (let r = item * ROWS, end = min(n, r + ROWS); r < end; r++) {
      for (let head = 0; head < heads; head++) {
        const to = <usize>head * room + ((first + r) % room);
        toRow(x + <usize>r * stride + (<usize>(head * d) << 2), d, norm, out + ((to * d) << 1));
      }
    }
  }
}

/** Queries that one item compares with all keys. */
// @ts-ignore: decorator
@inline const BLOCK: i32 = 128;
/** Keys that are compared at a time. */
// @ts-ignore: decorator
@inline const KEYS: i32 = 32;

/**
 * Arguments: 0 queries i16 [h, places, d], 1 count, 2 places, 3 h, 4 g, 5 d, 6 rows i16 [g, room, d], 7 room, 8 limits i32
 * [g, places], 9 out u64 [h, places, wanted], 10 wanted.
 */
export function graphNearest(args: usize, counter: usize, scratch: usize): void {
  const count = int(args, 1);
  const places = <usize>int(args, 2);
  const h = int(args, 3);
  const g = int(args, 4);
  const rowBytes = <usize>int(args, 5) << 1;
  const room = <usize>int(args, 7);
  const wanted = int(args, 10);
  const blocks = (count + BLOCK - 1) / BLOCK;
  // Pairs of channels of the keys at hand, [d / 2][KEYS], and how many keys each query holds.
  const pairs = scratch;
  const held = pairs + rowBytes * KEYS;
  for (let item = take(counter); item < h * blocks; item = take(counter)) {
    const head = <usize>(item / blocks);
    const kv = <usize>((<i32>head * g) / h);
    const q0 = (item % blocks) * BLOCK, q1 = min(count, q0 + BLOCK);
    const queries = address(args, 0) + (head * places + q0) * rowBytes;
    const limits = address(args, 8) + ((kv * places + q0) << 2);
    const out = address(args, 9) + (((head * places + q0) * wanted) << 3);
    const rows = address(args, 6) + kv * room * rowBytes;
    const n = q1 - q0;
    memory.fill(held, 0, <usize>n << 2);
    let most = 0;
    for (let q = 0; q < n; q++) most = max(most, load<i32>(limits + (<usize>q << 2)));
    for (let key = 0; key < most; key += KEYS) {
      gather(rows, rowBytes, key, most, pairs);
      for (let q = 0; q < n; q += 4) compare(queries, rowBytes, q, n, key, pairs, limits, held, out, wanted);
    }
    for (let q = 0; q < n; q++) {
      const ranks = out + ((<usize>q * wanted) << 3);
      if (load<i32>(held + (<usize>q << 2)) < wanted) {
        memory.fill(ranks, 0, <usize>wanted << 3);
        continue;
      }
      let best = 0;
      for (let i = 1; i < wanted; i++) if (at(ranks, i) > at(ranks, best)) best = i;
      const first = at(ranks, 0);
      store<u64>(ranks, at(ranks, best));
      store<u64>(ranks + (<usize>best << 3), first);
    }
  }
}

/** Puts the channels of keys side by side, in pairs; what is behind the last key is the last. */
function gather(rows: usize, rowBytes: usize, key: i32, end: i32, pairs: usize): void {
  for (let j = 0; j < KEYS; j++) {
    const row = rows + <usize>min(key + j, end - 1) * rowBytes;
    const to = pairs + (<usize>j << 2);
    for (let c: usize = 0; c < rowBytes; c += 4) store<i32>(to + c * KEYS, load<i32>(row + c));
  }
}

/** Offers KEYS keys to each of four queries. */
function compare(
  queries: usize, rowBytes: usize, q: i32, n: i32, key: i32, pairs: usize, limits: usize, held: usize, out: usize, wanted: i32,
): void {
  const a = queries + <usize>q * rowBytes;
  const b = queries + <usize>min(q + 1, n - 1) * rowBytes;
  const c = queries + <usize>min(q + 2, n - 1) * rowBytes;
  const d = queries + <usize>min(q + 3, n - 1) * rowBytes;
  for (let j = 0; j < KEYS; j += 8) {
    let a0 = i32x4.splat(0), b0 = a0, c0 = a0, d0 = a0, a1 = a0, b1 = a0, c1 = a0, d1 = a0;
    let from = pairs + (<usize>j << 2);
    for (let i: usize = 0; i < rowBytes; i += 4) {
      const low = v128.load(from), high = v128.load(from, 16);
      from += KEYS * 4;
      let one = v128.load32_splat(a + i);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(one, low));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(one, high));
      one = v128.load32_splat(b + i);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(one, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(one, high));
      one = v128.load32_splat(c + i);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(one, low));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(one, high));
      one = v128.load32_splat(d + i);
      d0 = i32x4.add(d0, i32x4.dot_i16x8_s(one, low));
      d1 = i32x4.add(d1, i32x4.dot_i16x8_s(one, high));
    }
    offer(a0, a1, q, key + j, limits, held, out, wanted);
    if (q + 1 < n) offer(b0, b1, q + 1, key + j, limits, held, out, wanted);
    if (q + 2 < n) offer(c0, c1, q + 2, key + j, limits, held, out, wanted);
    if (q + 3 < n) offer(d0, d1, q + 3, key + j, limits, held, out, wanted);
  }
}

// @ts-ignore: decorator
@inline function offer(s: v128, t: v128, q: i32, key: i32, limits: usize, held: usize, out: usize, wanted: i32): void {
  const ranks = out + ((<usize>q * wanted) << 3);
  const full = load<i32>(held + (<usize>q << 2)) == wanted;
  // Keys come in the order of their numbers: one that scores no more than the lowest that is held ranks below it.
  const least = full ? <i32>(<u32>(at(ranks, 0) >> 32) ^ 0x80000000) : i32.MIN_VALUE;
  if (full && !v128.any_true(i32x4.gt_s(i32x4.max_s(s, t), i32x4.splat(least)))) return;
  const limit = load<i32>(limits + (<usize>q << 2));
  hold(i32x4.extract_lane(s, 0), key, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(s, 1), key + 1, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(s, 2), key + 2, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(s, 3), key + 3, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(t, 0), key + 4, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(t, 1), key + 5, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(t, 2), key + 6, limit, ranks, held, q, wanted);
  hold(i32x4.extract_lane(t, 3), key + 7, limit, ranks, held, q, wanted);
}

/** Takes a key into a query's heap, whose top is the lowest of the best so far. */
function hold(score: i32, key: i32, limit: i32, ranks: usize, held: usize, q: i32, wanted: i32): void {
  if (key >= limit) return;
  const rank = ranked(score, key);
  const n = load<i32>(held + (<usize>q << 2));
  if (n == wanted) {
    if (rank <= at(ranks, 0)) return;
    store<u64>(ranks, rank);
    sink(ranks, 0, n);
    return;
  }
  store<u64>(ranks + (<usize>n << 3), rank);
  store<i32>(held + (<usize>q << 2), n + 1);
  if (n + 1 == wanted) for (let i = (wanted >> 1) - 1; i >= 0; i--) sink(ranks, i, wanted);
}

/** The graph of a query head. Arguments: 0 counts [g], 1 rows, 2 room, 3 h, 4 g, 5 d, 6 links, 7 capacity, 8 shift, 9 starts [h]. */
function graphOf(args: usize, head: i32, graph: Graph): void {
  const room = <usize>int(args, 2);
  const kv = (head * int(args, 4)) / int(args, 3);
  graph.rowBytes = <usize>int(args, 5) << 1;
  graph.rows = address(args, 1) + <usize>kv * room * graph.rowBytes;
  graph.count = load<i32>(address(args, 0) + (<usize>kv << 2));
  graph.capacity = int(args, 7);
  graph.shift = int(args, 8);
  const bytes = (room * <usize>(graph.capacity + 1)) << <usize>graph.shift;
  graph.links = address(args, 6) ? address(args, 6) + <usize>head * bytes : 0;
  graph.start = load<i32>(address(args, 9) + (<usize>head << 2));
}

/**
 * Arguments: 0 … 9 as for `graphOf`, 10 degree, 11 pool, 12 from i32 [g], 13 nearest u64 [h, places, neighbours] (`graphNearest`),
 * 14 queries, 15 places, 16 neighbours, 17 work, 18 bytes of it for every head.
 */
export function graphLink(args: usize, counter: usize, scratch: usize): void {
  const h = int(args, 3);
  for (let head = take(counter); head < h; head = take(counter)) {
    const graph = Graph.at(scratch);
    graphOf(args, head, graph);
    const from = load<i32>(address(args, 12) + (<usize>((head * int(args, 4)) / h) << 2));
    const nearest = address(args, 13) + ((<usize>head * <usize>int(args, 15) * <usize>int(args, 16)) << 3);
    const work = address(args, 17) + <usize>head * <usize>int(args, 18);
    const starts = address(args, 9) + (<usize>head << 2);
    linkHead(graph, int(args, 2), from, int(args, 10), int(args, 11), nearest, int(args, 14), int(args, 16), work, starts);
  }
}

/**
 * Arguments: 0 … 9 as for `graphOf`, 10 queries f32 [n, h, d], 11 n, 12 k, 13 pool, 14 heads [g] (see
 * ../append/page.assembly.ts; used slots are those before these n), 15 slot of the first key, 16 lists [n, h], 17 bytes from
 * list to list, 18 counts i64 [3], 19 work, 20 bytes of it for every row and head.
 */
export function graphSearch(args: usize, counter: usize, scratch: usize): void {
  const h = int(args, 3);
  const g = int(args, 4);
  const d = int(args, 5);
  const n = int(args, 11);
  const k = int(args, 12);
  const most = int(args, 13);
  const first = int(args, 15);
  const graph = Graph.at(scratch);
  let scans: i64 = 0;
  // Rows of one head come one after the other, so that its keys stay in the processor's caches.
  for (let item = take(counter); item < n * h; item = take(counter)) {
    const head = item / n, row = (item % n) * h + head;
    graphOf(args, head, graph);
    const query = address(args, 19) + <usize>row * <usize>int(args, 20);
    const pool = query + (<usize>d << 1);
    const bits = pool + (<usize>most << 3);
    const used = usedOf(headOf(address(args, 14), (head * g) / h)) + n;
    const pages = (used + 31) >> 5;
    let found = 0;
    if (k > 0 && k < graph.count) {
      toRow(address(args, 10) + ((<usize>row * d) << 2), d, 0, query);
      graph.visited = bits;
      found = graph.links ? walkGraph(graph, query, pool, most) : scanKeys(graph, query, pool, k);
      scans += graph.scans;
    }
    memory.fill(bits, 0, <usize>pages << 2);
    for (let i = 0; i < min(k, found); i++) put(bits, first + keyOf(at(pool, i)));
    putRange(bits, 0, min(first, used));
    putRange(bits, k > 0 && k >= graph.count ? first : first + graph.count, pages << 5);
    const list = address(args, 16) + <usize>row * <usize>int(args, 17);
    writeList(bits, pages, list);
  }
  if (scans) atomic.add<i64>(address(args, 18), scans, 16);
}
