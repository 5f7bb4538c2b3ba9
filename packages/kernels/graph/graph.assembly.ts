// A graph over the keys of one head, as every thread sees it, and the search in it. Whatever is ranked is a number of 64 bits:
// the score above, then the key's number, lower ones first, then a bit for "has been looked at". So ties are settled
// in one way, whatever the order in which keys come.

/** 0 where there is no key. */
@unmanaged
export class Graph {
  /** int16 [count, d] and the bytes of a row. */
  rows: usize;
  rowBytes: usize;
  count: i32;
  /** The neighbours of every key behind their number, each of 1 << shift bytes, and how many there is room for. */
  links: usize;
  capacity: i32;
  shift: i32;
  start: i32;
  /** Bits of the keys that a search has scored, and how many these are. */
  visited: usize;
  scans: i32;
  /** Room for as many keys, i32, and for as many ranks, as a key has neighbours. */
  fresh: usize;
  batch: usize;

  /** The graph at the start of scratch memory; `graphScratch` (index.ts) is what it takes. */
  static at(scratch: usize): Graph {
    const graph = changetype<Graph>(scratch);
    graph.fresh = scratch + 128;
    graph.batch = scratch + 1024;
    return graph;
  }

  @inline row(key: i32): usize {
    return this.rows + <usize>key * this.rowBytes;
  }

  @inline private list(key: i32): usize {
    return this.links + ((<usize>key * <usize>(this.capacity + 1)) << <usize>this.shift);
  }

  @inline private word(key: i32, i: i32): i32 {
    const at = this.list(key) + (<usize>i << <usize>this.shift);
    return this.shift == 1 ? <i32>load<u16>(at) : load<i32>(at);
  }

  @inline private put(key: i32, i: i32, value: i32): void {
    const at = this.list(key) + (<usize>i << <usize>this.shift);
    if (this.shift == 1) store<u16>(at, <u16>value);
    else store<i32>(at, value);
  }

  @inline degree(key: i32): i32 {
    return this.word(key, 0);
  }

  @inline neighbour(key: i32, i: i32): i32 {
    return this.word(key, i + 1);
  }

  clear(key: i32): void {
    this.put(key, 0, 0);
  }

  /** Adds a neighbour; there must be room. */
  link(key: i32, to: i32): void {
    const degree = this.degree(key);
    this.put(key, degree + 1, to);
    this.put(key, 0, degree + 1);
  }

  isLinked(key: i32, to: i32): bool {
    for (let i = 0, n = this.degree(key); i < n; i++) if (this.neighbour(key, i) == to) return true;
    return false;
  }

  forget(): void {
    memory.fill(this.visited, 0, <usize>((this.count + 31) >> 5) << 2);
  }

  /** Marks a key; returns 1 when it is visited for the first time, else 0. */
  @inline visit(key: i32): i32 {
    const at = this.visited + (<usize>(key >> 5) << 2);
    const was = load<u32>(at);
    store<u32>(at, was | (<u32>1 << (key & 31)));
    return <i32>(~(was >> (key & 31)) & 1);
  }
}

/** Σ of the products of two rows of integers. */
// @ts-ignore: decorator
@inline export function product(a: usize, b: usize, bytes: usize): i32 {
  let even = i32x4.splat(0), odd = i32x4.splat(0);
  for (const end = a + bytes; a < end; a += 32) {
    even = i32x4.add(even, i32x4.dot_i16x8_s(v128.load(a), v128.load(b)));
    odd = i32x4.add(odd, i32x4.dot_i16x8_s(v128.load(a, 16), v128.load(b, 16)));
    b += 32;
  }
  even = i32x4.add(even, odd);
  even = i32x4.add(even, v128.shuffle<i32>(even, even, 2, 3, 0, 1));
  return i32x4.extract_lane(even, 0) + i32x4.extract_lane(even, 1);
}

// @ts-ignore: decorator
@inline export function ranked(score: i32, key: i32): u64 {
  return (<u64>(<u32>score ^ 0x80000000) << 32) | (<u64>(0x7fffffff - key) << 1);
}

// @ts-ignore: decorator
@inline export function scoreOf(rank: u64): i32 {
  return <i32>(<u32>(rank >> 32) ^ 0x80000000);
}

// @ts-ignore: decorator
@inline export function keyOf(rank: u64): i32 {
  return 0x7fffffff - <i32>((<u32>rank) >> 1);
}

// @ts-ignore: decorator
@inline export function at(ranks: usize, i: i32): u64 {
  return load<u64>(ranks + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline function put(ranks: usize, i: i32, rank: u64): void {
  store<u64>(ranks + (<usize>i << 3), rank);
}

/** Puts a key into a list of at most `most`, the highest first; returns where it stands, or `most` when it is too low. */
// @ts-ignore: decorator
@inline export function insert(ranks: usize, size: i32, most: i32, rank: u64): i32 {
  if (size == most) {
    if (rank < at(ranks, most - 1)) return most;
    size--;
  }
  while (size > 0 && at(ranks, size - 1) < rank) {
    put(ranks, size, at(ranks, size - 1));
    size--;
  }
  put(ranks, size, rank);
  return size;
}

/**
 * The best keys for a query [d] that a walk along the links finds, the highest first, in `pool`; returns how many. What it meets
 * cannot be foreseen: neighbours are taken together, without a branch for each.
 */
export function walkGraph(graph: Graph, query: usize, pool: usize, most: i32): i32 {
  const rowBytes = graph.rowBytes, fresh = graph.fresh, batch = graph.batch;
  graph.forget();
  graph.visit(graph.start);
  graph.scans = 1;
  put(pool, 0, ranked(product(query, graph.row(graph.start), rowBytes), graph.start));
  let size = 1;
  for (let i = 0; i < size; ) {
    const rank = at(pool, i);
    if (rank & 1) {
      i++;
      continue;
    }
    put(pool, i, rank | 1);
    const key = keyOf(rank);
    let n = 0;
    for (let j = 0, degree = graph.degree(key); j < degree; j++) {
      const to = graph.neighbour(key, j);
      store<i32>(fresh + (<usize>n << 2), to);
      n += graph.visit(to);
    }
    graph.scans += n;
    // Rows are asked for before any is needed, so that memory is at work on several.
    let any = i32x4.splat(0);
    for (let j = 0; j < n; j++) {
      const row = graph.row(load<i32>(fresh + (<usize>j << 2)));
      for (let c: usize = 0; c < rowBytes; c += 64) any = v128.or(any, v128.load(row + c));
    }
    v128.store(batch, any);
    const least = size == most ? at(pool, most - 1) : 0;
    let better = 0;
    for (let j = 0; j < n; j++) {
      const to = load<i32>(fresh + (<usize>j << 2));
      const one = ranked(product(query, graph.row(to), rowBytes), to);
      put(batch, better, one);
      better += i32(one > least);
    }
    if (better == 0) {
      i++;
      continue;
    }
    i = min(i + 1, merge(pool, size, most, batch, better));
    size = min(most, size + better);
  }
  return size;
}

/** Puts n more into a list of at most `most`, the highest first; returns where the highest of them stands. */
function merge(pool: usize, size: i32, most: i32, batch: usize, n: i32): i32 {
  for (let i = 1; i < n; i++) insert(batch, i, i + 1, at(batch, i));
  let to = size + n;
  let i = size - 1;
  for (let j = n - 1; j >= 0; ) {
    const one = at(batch, j);
    const other = i >= 0 ? at(pool, i) : u64.MAX_VALUE;
    const moves = other < one;
    to--;
    if (to < most) put(pool, to, moves ? other : one);
    if (moves) i--;
    else j--;
  }
  return to;
}

/** The best keys of all. */
export function scanKeys(graph: Graph, query: usize, pool: usize, most: i32): i32 {
  let size = 0;
  for (let key = 0; key < graph.count; key++) {
    const place = insert(pool, size, most, ranked(product(query, graph.row(key), graph.rowBytes), key));
    if (place != most && size < most) size++;
  }
  graph.scans = graph.count;
  return size;
}

/** Sorts, the highest first. */
export function sort(ranks: usize, n: i32): void {
  // A heap with the lowest on top, whose top goes to the end of what is left of it.
  for (let i = (n >> 1) - 1; i >= 0; i--) sink(ranks, i, n);
  for (let end = n - 1; end > 0; end--) {
    const top = at(ranks, 0);
    put(ranks, 0, at(ranks, end));
    put(ranks, end, top);
    sink(ranks, 0, end);
  }
}

/** Restores the order of a heap with the lowest on top, of which only the i-th may be too high up. */
export function sink(ranks: usize, i: i32, n: i32): void {
  const rank = at(ranks, i);
  for (;;) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && at(ranks, child + 1) < at(ranks, child)) child++;
    if (at(ranks, child) >= rank) break;
    put(ranks, i, at(ranks, child));
    i = child;
  }
  put(ranks, i, rank);
}

/** Row of integers of a vector [d]: at most as long as 32767, and that long where `norm` is 0 or less than its length. */
export function toRow(x: usize, d: i32, norm: f32, out: usize): void {
  let sum: f64 = 0;
  for (let c: usize = 0; c < <usize>d << 2; c += 4) {
    const value = <f64>load<f32>(x + c);
    sum += value * value;
  }
  const length = max<f64>(sqrt<f64>(sum), <f64>norm);
  // What is not a number has no rank: such a row is 0.
  const factor = length > 0 && length < Infinity ? 32767 / length : 0;
  for (let c = 0; c < d; c++) {
    const value = factor == 0 ? 0 : nearest<f64>(<f64>load<f32>(x + (<usize>c << 2)) * factor);
    store<i16>(out + (<usize>c << 1), <i16>value);
  }
}
