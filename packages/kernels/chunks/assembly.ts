// Chunks of consecutive tokens, what their keys are on average, and which of them a block of queries reads. Positions are
// what heads have in common: where slots were dropped, every head has others of them.
import { ALL_SLOTS, F32, headOf, keysOf, pageOf, SLOTS, tableOf, usedOf } from '../append/page.assembly';
import { address, float, int, take } from '../assembly/args';
import { within } from '../assembly/bits';
import { heapify, ranked, takeBest } from '../assembly/heap';
import { madd, sum } from '../assembly/simd';
import { addPage } from '../attend/list.assembly';
import { Tile } from '../attend/tile.assembly';
import { unpackKeys } from '../attend/unpack.assembly';

// @ts-ignore: decorator
@inline function positionOf(page: usize, slot: i32): i32 {
  return load<i32>(page + (<usize>slot << 2));
}

/** The first of `used` slots, whose positions ascend, at `position` or behind it. */
function firstFrom(table: usize, used: i32, position: i32): i32 {
  let low = 0, high = used;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (positionOf(pageOf(table, middle), middle & (SLOTS - 1)) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Sums of the keys of every chunk, over all heads. Chunk c holds the positions from ends[c − 1], 0 for the first, up to
 * ends[c]. Arguments: 0 heads [g], 1 g, 2 d, 3 format, 4 slots behind the used ones of every head that count too, 5 ends,
 * 6 address of the number of chunks, 7 the first chunk that is summed up, 8 out: sums [chunks, d], 9 out: slots [chunks] of
 * all heads that are in a sum.
 */
export function chunkSums(args: usize, counter: usize, scratch: usize): void {
  const heads = address(args, 0);
  const g = int(args, 1);
  const d = int(args, 2);
  const format = int(args, 3);
  const appended = int(args, 4);
  const ends = address(args, 5);
  const chunks = load<i32>(address(args, 6));
  const first = int(args, 7);
  const sums = address(args, 8);
  const counts = address(args, 9);
  const tile = Tile.at(scratch, 4, d, 1);
  for (let c = first + take(counter); c < chunks; c = first + take(counter)) {
    const from = c > 0 ? load<i32>(ends + (<usize>(c - 1) << 2)) : 0;
    const to = load<i32>(ends + (<usize>c << 2));
    const out = sums + <usize>c * (<usize>d << 2);
    memory.fill(out, 0, <usize>d << 2);
    let count = 0;
    for (let head = 0; head < g; head++) {
      const entry = headOf(heads, head), table = tableOf(entry), used = usedOf(entry) + appended;
      for (let slot = firstFrom(table, used, from); slot < used; ) {
        const page = pageOf(table, slot);
        const s0 = slot & (SLOTS - 1), all = min(SLOTS, used - slot + s0);
        let s1 = s0;
        while (s1 < all && positionOf(page, s1) < to) s1++;
        if (s1 > s0) addKeys(page, format, d, tile, s0, s1, out);
        count += s1 - s0;
        slot += s1 - s0;
        if (s1 < SLOTS) break;
      }
    }
    store<i32>(counts + (<usize>c << 2), count);
  }
}

/** Adds the keys of slots s0 up to s1 of a page to `out` [d]. */
function addKeys(page: usize, format: i32, d: i32, tile: Tile, s0: i32, s1: i32, out: usize): void {
  if (format != F32) unpackKeys(page, format, d, tile);
  let keys = format == F32 ? keysOf(page) : tile.keys;
  const masks = tile.scales;
  for (let s = 0; s < SLOTS; s++) store<i32>(masks + (<usize>s << 2), s >= s0 && s < s1 ? -1 : 0);
  for (let c = 0; c < d; c++) {
    let a = f32x4.splat(0), b = a;
    for (let s: usize = 0; s < 128; s += 32) {
      a = f32x4.add(a, v128.and(v128.load(keys + s), v128.load(masks + s)));
      b = f32x4.add(b, v128.and(v128.load(keys + s, 16), v128.load(masks + s, 16)));
    }
    const at = out + (<usize>c << 2);
    store<f32>(at, load<f32>(at) + sum(f32x4.add(a, b)));
    keys += 128;
  }
}

/**
 * What every block of query rows reads: at most so many positions, the same for all heads: the nearest, the first, and
 * those of the chunks whose keys are most like the queries. Positions that no head holds do not count.
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g], 6 slots behind the used ones of every head that count
 * too, 7 positions [n], 8 rows of a block, 9 window (0: none), 10 positions read at most, 11 of them the nearest, 12 of them
 * the first, 13 the first row whose block reads everything, 14 ends of the chunks, 15 address of their number, 16 sums
 * [chunks, d], 17 slots [chunks] in them, 18 whether chunks are as long as the square root of what they hold, or as 1,
 * 19 out: lists [blocks, g] as `attend` reads them, 20 bytes from list to list, 21 room, 22 bytes of it for a block,
 * 23 counts i64 [3].
 */
export function chunkLists(args: usize, counter: usize): void {
  const n = int(args, 1);
  const g = int(args, 3);
  const d = int(args, 4);
  const heads = address(args, 5);
  const appended = int(args, 6);
  const positions = address(args, 7);
  const rows = int(args, 8);
  const window = int(args, 9);
  const budget = int(args, 10);
  const ends = address(args, 14);
  const chunks = load<i32>(address(args, 15));
  const blocks = (n + rows - 1) / rows;
  // One word more than there are, so that 32 positions from any on lie in two words.
  const words = (positionOf(positions, n - 1) >> 5) + 2;
  for (let block = take(counter); block < blocks; block = take(counter)) {
    const t0 = block * rows, t1 = min(t0 + rows, n);
    const end = positionOf(positions, t1 - 1) + 1;
    // The first row of the block sees furthest back.
    const low = window ? max(0, positionOf(positions, t0) - window + 1) : 0;
    const mean = address(args, 21) + <usize>block * <usize>int(args, 22);
    const heap = mean + (<usize>d << 2);
    const held = heap + (<usize>chunks << 3);
    const chosen = held + (<usize>words << 2);
    memory.fill(held, 0, <usize>words << 3);
    for (let head = 0; head < g; head++) hold(headOf(heads, head), appended, end, held);

    let left = countBits(held, low, end);
    if (left <= budget || t1 > int(args, 13)) moveFirst(held, chosen, low, end, left);
    else {
      left = budget;
      left -= moveLast(held, chosen, low, end, min(left, int(args, 11)));
      left -= moveFirst(held, chosen, low, end, min(left, int(args, 12)));
      if (left > 0) {
        meanQuery(address(args, 0), t0, t1, int(args, 2), d, mean);
        let size = rank(args, chunks, mean, heap, low, end);
        atomic.add<i64>(address(args, 23), size, 16);
        heapify(heap, size);
        while (left > 0 && size > 0) {
          const c = takeBest(heap, size--);
          const from = c > 0 ? load<i32>(ends + (<usize>(c - 1) << 2)) : 0;
          const to = load<i32>(ends + (<usize>c << 2));
          left -= moveFirst(held, chosen, max(low, from), min(end, to), left);
        }
      }
    }
    for (let head = 0; head < g; head++) {
      const list = address(args, 19) + <usize>(block * g + head) * <usize>int(args, 20);
      write(headOf(heads, head), appended, end, chosen, list);
    }
  }
}

/** Mean of queries over rows and heads, times the square root of the number of rows. */
function meanQuery(queries: usize, t0: i32, t1: i32, h: i32, d: i32, out: usize): void {
  const row = <usize>d << 2;
  const count = <usize>((t1 - t0) * h);
  const factor = f32x4.splat(sqrt<f32>(<f32>(t1 - t0)) / <f32>count);
  for (let c: usize = 0; c < row; c += 16) {
    let a = f32x4.splat(0);
    let q = queries + <usize>(t0 * h) * row + c;
    for (let i: usize = 0; i < count; i++, q += row) a = f32x4.add(a, v128.load(q));
    v128.store(out + c, f32x4.mul(a, factor));
  }
}

/**
 * Puts the chunks that begin before `end` and are not below `low` where a heap will be, and returns how many there are.
 */
function rank(args: usize, chunks: i32, mean: usize, heap: usize, low: i32, end: i32): i32 {
  const g = int(args, 3);
  const d = int(args, 4);
  const ends = address(args, 14);
  const byRoot = int(args, 18) != 0;
  let size = 0, from = 0;
  for (let c = 0; c < chunks && from < end; c++) {
    const to = load<i32>(ends + (<usize>c << 2));
    const count = load<i32>(address(args, 17) + (<usize>c << 2));
    from = to;
    if (to <= low || count == 0) continue;
    const keys = address(args, 16) + <usize>c * (<usize>d << 2);
    let a = f32x4.splat(0);
    for (let i: usize = 0; i < <usize>d << 2; i += 16) a = madd(v128.load(mean + i), v128.load(keys + i), a);
    // √length · mean, where a length is that of a head: count / g.
    const factor: f32 = byRoot ? <f32>1 / sqrt<f32>(<f32>count * <f32>g) : <f32>1 / <f32>count;
    store<i64>(heap + (<usize>size << 3), ranked(sum(a) * factor, c));
    size++;
  }
  return size;
}

/** Whether a page's 32 slots are at positions one behind the other. */
// @ts-ignore: decorator
@inline function isRun(page: usize, count: i32): bool {
  const oldest = positionOf(page, 0);
  return count == SLOTS && oldest >= 0 && positionOf(page, SLOTS - 1) - oldest == SLOTS - 1;
}

/** Sets the positions below `end` that a head holds. */
function hold(entry: usize, appended: i32, end: i32, bits: usize): void {
  const table = tableOf(entry), used = usedOf(entry) + appended;
  for (let slot = 0; slot < used; slot += SLOTS) {
    const page = pageOf(table, slot);
    const count = min(SLOTS, used - slot);
    const oldest = positionOf(page, 0);
    if (oldest >= end) return;
    // What is set beyond `end` is never moved.
    if (isRun(page, count) && positionOf(page, SLOTS - 1) < end) {
      const at = bits + (<usize>(oldest >> 5) << 2);
      const both = load<u64>(at) | (<u64>0xffffffff << <u64>(oldest & 31));
      store<u64>(at, both);
      continue;
    }
    for (let s = 0; s < count; s++) {
      const position = positionOf(page, s);
      if (position < 0) continue;
      if (position >= end) return;
      const at = bits + (<usize>(position >> 5) << 2);
      store<i32>(at, load<i32>(at) | (1 << (position & 31)));
    }
  }
}

function countBits(bits: usize, from: i32, to: i32): i32 {
  let count = 0;
  for (let i = from >> 5; i << 5 < to; i++) count += popcnt(load<i32>(bits + (<usize>i << 2)) & within(i, from, to));
  return count;
}

/** Moves the first of the positions from `from` up to `to`, at most so many; returns how many they are. */
function moveFirst(held: usize, chosen: usize, from: i32, to: i32, most: i32): i32 {
  let left = most;
  for (let i = from >> 5; i << 5 < to && left > 0; i++) {
    let some = load<i32>(held + (<usize>i << 2)) & within(i, from, to);
    let rest = some;
    if (popcnt(some) > left) {
      for (let k = 0; k < left; k++) rest &= rest - 1;
      some ^= rest;
    }
    left -= move(held, chosen, i, some);
  }
  return most - left;
}

/** The same for the last of them. */
function moveLast(held: usize, chosen: usize, from: i32, to: i32, most: i32): i32 {
  let left = most;
  for (let i = (to - 1) >> 5; i >= from >> 5 && left > 0; i--) {
    let some = load<i32>(held + (<usize>i << 2)) & within(i, from, to);
    for (let excess = popcnt(some) - left; excess > 0; excess--) some &= some - 1;
    left -= move(held, chosen, i, some);
  }
  return most - left;
}

// @ts-ignore: decorator
@inline function move(held: usize, chosen: usize, i: i32, some: i32): i32 {
  const at = <usize>i << 2;
  store<i32>(held + at, load<i32>(held + at) & ~some);
  store<i32>(chosen + at, load<i32>(chosen + at) | some);
  return popcnt(some);
}

/** The list of a head: pages with slots whose positions are chosen. A slot that stands for others always is. */
function write(entry: usize, appended: i32, end: i32, chosen: usize, list: usize): void {
  const table = tableOf(entry), used = usedOf(entry) + appended;
  store<i32>(list, 0);
  for (let slot = 0; slot < used; slot += SLOTS) {
    const page = pageOf(table, slot);
    const count = min(SLOTS, used - slot);
    const oldest = positionOf(page, 0);
    if (oldest >= end) break;
    let set = 0;
    if (isRun(page, count)) {
      set = <i32>(load<u64>(chosen + (<usize>(oldest >> 5) << 2)) >> <u64>(oldest & 31));
    } else {
      for (let s = 0; s < count; s++) {
        const position = positionOf(page, s);
        if (position >= end) break;
        const isChosen = position < 0 || (load<i32>(chosen + (<usize>(position >> 5) << 2)) >> (position & 31)) & 1;
        if (isChosen) set |= 1 << s;
      }
    }
    if (set == 0) continue;
    addPage(list, slot >> 5, set);
  }
}
