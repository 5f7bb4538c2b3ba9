// How large a product with the keys of a page can be, from the least and the greatest number of every channel, and which
// pages a query reads by that (Quest, Tang et al. 2024).
import { ALL_SLOTS, F32, headOf, keysOf, pageOf, SLOTS, tableOf, usedOf } from '../append/page.assembly';
import { address, int, take } from '../assembly/args';
import { put } from '../assembly/bits';
import { heapify, ranked, takeBest } from '../assembly/heap';
import { larger, largest, smaller, sum } from '../assembly/simd';
import { addPage } from '../attend/list.assembly';
import { Tile } from '../attend/tile.assembly';
import { unpackKeys } from '../attend/unpack.assembly';

/**
 * The least and the greatest number of every channel of the keys of pages. Arguments: 0 heads [g], 1 g, 2 d, 3 format, 4
 * slots behind the used ones of every head that count too, 5 the first page, 6 the page to end before, 7 out: bounds f32
 * [pages, g, 2, d].
 */
export function pageBounds(args: usize, counter: usize, scratch: usize): void {
  const g = int(args, 1);
  const d = int(args, 2);
  const format = int(args, 3);
  const first = int(args, 5);
  const items = (int(args, 6) - first) * g;
  const tile = Tile.at(scratch, 4, d, 1);
  for (let item = take(counter); item < items; item = take(counter)) {
    const i = first + item / g, head = item % g;
    const entry = headOf(address(args, 0), head);
    const count = min(SLOTS, usedOf(entry) + int(args, 4) - (i << 5));
    if (count <= 0) continue;
    const page = pageOf(tableOf(entry), i << 5);
    if (format != F32) unpackKeys(page, format, d, tile);
    const out = address(args, 7) + <usize>(i * g + head) * (<usize>d << 3);
    bound(format == F32 ? keysOf(page) : tile.keys, d, count, tile.scales, out);
  }
}

/** Least [d] and greatest [d] of the first `count` numbers of rows of 32. */
function bound(rows: usize, d: i32, count: i32, masks: usize, out: usize): void {
  for (let s = 0; s < SLOTS; s++) store<i32>(masks + (<usize>s << 2), s < count ? -1 : 0);
  const none = f32x4.splat(Infinity), below = f32x4.splat(-Infinity);
  for (let c: usize = 0; c < <usize>d << 2; c += 4) {
    let low = none, high = below;
    for (let s: usize = 0; s < 128; s += 16) {
      const row = v128.load(rows + s), mask = v128.load(masks + s);
      low = smaller(low, v128.bitselect(row, none, mask));
      high = larger(high, v128.bitselect(row, below, mask));
    }
    store<f32>(out + c, -largest(f32x4.neg(low)));
    store<f32>(out + c + (<usize>d << 2), largest(high));
    rows += 128;
  }
}

/**
 * The pages that every query head of every row reads: that of its own key, and those whose products with the query can be
 * the largest. Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g], 6 bounds [pages, g, 2, d], 7 pages read at
 * most, 8 out: lists [n, h] as `attend` reads them, 9 bytes from list to list, 10 room, 11 bytes of it for a list, 12 counts
 * i64 [3].
 */
export function boundLists(args: usize, counter: usize): void {
  const h = int(args, 2);
  const g = int(args, 3);
  const d = int(args, 4);
  const most = int(args, 7);
  for (let item = take(counter); item < int(args, 1) * h; item = take(counter)) {
    const head = (item % h) / (h / g);
    const own = (usedOf(headOf(address(args, 5), head)) + item / h) >> 5;
    const list = address(args, 8) + <usize>item * <usize>int(args, 9);
    const heap = address(args, 10) + <usize>item * <usize>int(args, 11);
    const chosen = heap + (<usize>own << 3);
    memory.fill(chosen, own < most ? 255 : 0, <usize>((own >> 5) + 1) << 2);
    if (own >= most) {
      const query = address(args, 0) + <usize>item * (<usize>d << 2);
      for (let i = 0; i < own; i++) {
        const bounds = address(args, 6) + <usize>(i * g + head) * (<usize>d << 3);
        store<i64>(heap + (<usize>i << 3), ranked(greatest(query, bounds, d), i));
      }
      atomic.add<i64>(address(args, 12), 2 * own, 16);
      heapify(heap, own);
      put(chosen, own);
      for (let k = 0; k < most - 1; k++) put(chosen, takeBest(heap, own - k));
    }
    store<i32>(list, 0);
    for (let i = 0; i <= own; i++) {
      if ((load<i32>(chosen + (<usize>(i >> 5) << 2)) >> (i & 31)) & 1) addPage(list, i, ALL_SLOTS);
    }
  }
}

/** The product of a query with a vector that takes in every channel whichever bound makes it larger. */
function greatest(query: usize, bounds: usize, d: i32): f32 {
  const row = <usize>d << 2;
  let total = f32x4.splat(0);
  for (let c: usize = 0; c < row; c += 16) {
    const q = v128.load(query + c);
    const low = f32x4.mul(q, v128.load(bounds + c)), high = f32x4.mul(q, v128.load(bounds + c + row));
    total = f32x4.add(total, larger(low, high));
  }
  return sum(total);
}
