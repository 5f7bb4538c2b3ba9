import { SLOTS } from '../append/page.assembly';

/**
 * A block of query rows and what attention keeps of them while it goes from page to page, in a thread's scratch memory.
 * Rows are those of several tokens and of all query heads that share a key/value head, padded to a multiple of 4 with
 * rows of zeros.
 */
@unmanaged
export class Tile {
  /** Rows, and with the padding. */
  rows: i32;
  padded: i32;
  /** Channels of a head. */
  d: i32;
  /** Slots of the page at hand that are used. */
  count: i32;
  /** Floats [padded][d]: queries times scale and log₂ e, and the weighted sums of values so far. */
  queries: usize;
  sums: usize;
  /** Floats [32] per row, `weightRow` bytes apart: scores, then weights, of the page at hand. */
  weights: usize;
  weightRow: usize;
  /** [padded] of { largest score, denominator } so far. */
  states: usize;
  /** 64 bytes for anything. */
  spare: usize;
  /** Room for a page's keys and values as floats, [d][32] and [32][d], or in any other form that is no larger. */
  keys: usize;
  values: usize;
  /** Floats [4][32], for scales and what goes with them. */
  scales: usize;
  /** Queries and weights in bytes, with two floats for every query and one for every row of weights. */
  queryInts: usize;
  queryScales: usize;
  weightInts: usize;
  weightScales: usize;
  /** Means of the channels [d] of the page `meansOf`; [padded] numbers to add to a page's scores. */
  means: usize;
  meansOf: usize;
  shifts: usize;
  /**
   * Of the softmax whose weights are bytes (bytes.assembly.ts), [padded] each: the largest score so far with the logarithm of its
   * slot's scale, the page's, and what sums fall by.
   */
  tops: usize;
  seen: usize;
  falls: usize;
  /** [padded][8], sums of a row in eight parts: that softmax's denominator, or weighted minima (kv4.assembly.ts). */
  eighths: usize;
  /** Of the pages of a step { address, used slots, number, which slots are read }. */
  steps: usize;

  /**
   * The tile at the start of scratch memory, with room for `most` rows over `pages` pages at a time; index.ts states the
   * same sizes.
   */
  static at(scratch: usize, most: i32, d: i32, pages: i32): Tile {
    const tile = changetype<Tile>(scratch);
    const row = <usize>d << 2;
    // Room for numbers of the rows, eight of which are taken at once.
    const column = <usize>(most + 4) << 2;
    tile.d = d;
    tile.queries = scratch + 128;
    tile.sums = tile.queries + <usize>most * row;
    tile.weights = tile.sums + <usize>most * row;
    tile.weightRow = <usize>(pages * SLOTS) << 2;
    tile.states = tile.weights + <usize>most * tile.weightRow;
    tile.spare = tile.states + (<usize>most << 3);
    tile.keys = tile.spare + 64;
    tile.values = tile.keys + <usize>SLOTS * row;
    tile.scales = tile.values + <usize>SLOTS * row;
    tile.queryInts = tile.scales + 512;
    tile.queryScales = tile.queryInts + <usize>(most * d);
    tile.weightInts = tile.queryScales + (<usize>most << 3);
    tile.weightScales = tile.weightInts + (<usize>most << 5);
    tile.means = tile.weightScales + column;
    tile.meansOf = 0;
    tile.shifts = tile.means + row;
    tile.tops = tile.shifts + column;
    tile.seen = tile.tops + column;
    tile.falls = tile.seen + column;
    tile.eighths = tile.falls + column;
    tile.steps = tile.eighths + (<usize>most << 5);
    memory.fill(tile.shifts, 0, <usize>most << 2);
    return tile;
  }

  @inline query(r: i32): usize {
    return this.queries + (<usize>(r * this.d) << 2);
  }

  @inline sum(r: i32): usize {
    return this.sums + (<usize>(r * this.d) << 2);
  }

  /** Sets down the n-th page of a step. */
  @inline step(n: i32, page: usize, count: i32, index: i32, slots: i32): void {
    const to = this.steps + (<usize>n << 4);
    store<usize>(to, page);
    store<i32>(to, count, 4);
    store<i32>(to, index, 8);
    store<i32>(to, slots, 12);
  }

  /** Takes up the n-th page of the step, and returns its address. */
  @inline again(n: i32): usize {
    this.count = load<i32>(this.steps + (<usize>n << 4), 4);
    return load<usize>(this.steps + (<usize>n << 4));
  }

  /** Which of its head's pages the n-th of the step is. */
  @inline index(n: i32): i32 {
    return load<i32>(this.steps + (<usize>n << 4), 8);
  }

  /** Which of its slots are read, as a set. */
  @inline slots(n: i32): i32 {
    return load<i32>(this.steps + (<usize>n << 4), 12);
  }

  @inline weight(r: i32): usize {
    return this.weights + <usize>r * this.weightRow;
  }

  @inline state(r: i32): usize {
    return this.states + (<usize>r << 3);
  }
}
