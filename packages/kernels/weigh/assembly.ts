// Attention weights as numbers, for methods that decide by them. Scores are taken twice: once for every row's largest and
// its denominator, then page by page for the weights themselves, so that no row is kept anywhere but in the result.
import { ALL_SLOTS, biasOf, headOf, pageOf, sinksOf, SLOTS, tableOf, usedOf, windowOf } from '../append/page.assembly';
import { address, float, int, take } from '../assembly/args';
import { exp2, largest, larger, sum } from '../assembly/simd';
import * as floats from '../attend/float.assembly';
import { begin, mask, NONE, raise } from '../attend/softmax.assembly';
import { Tile } from '../attend/tile.assembly';

/** Tokens whose rows are scored together. */
// @ts-ignore: decorator
@inline const TOKENS: i32 = 8;
/** Pages of one item of the second pass. */
// @ts-ignore: decorator
@inline const PAGES: i32 = 8;

/** A tile for the rows of some tokens of a call; its arguments are those of `weighStates`. */
function tileOf(args: usize, scratch: usize): Tile {
  return Tile.at(scratch, (TOKENS * (int(args, 2) / int(args, 3)) + 3) & ~3, int(args, 4), 1);
}

/** Puts the queries of the tokens from t0 on, as many as a tile takes, into it. */
function gather(args: usize, tile: Tile, t0: i32, head: i32): void {
  const h = int(args, 2), t1 = min(int(args, 1), t0 + TOKENS);
  begin(tile, address(args, 0), t0, t1, h, head, h / int(args, 3), f32x4.splat(float(args, 8)));
}

/** Slots of a head that count. */
// @ts-ignore: decorator
@inline function slotsOf(args: usize, head: i32): i32 {
  return usedOf(headOf(address(args, 5), head)) + int(args, 11);
}

/** Masked scores, in bits, of the tile's rows, tokens from t0 on, for page `i` of a head. */
function score(args: usize, tile: Tile, t0: i32, head: i32, i: i32): void {
  const entry = headOf(address(args, 5), head);
  const page = pageOf(tableOf(entry), i << 5);
  const group = int(args, 2) / int(args, 3);
  tile.count = min(SLOTS, slotsOf(args, head) - (i << 5));
  floats.scorePage(tile, page, int(args, 10));
  if (i == 0 && biasOf(entry) != 0) raise(tile, biasOf(entry));
  for (let r = 0; r < tile.rows; r++) {
    const position = load<i32>(address(args, 6) + (<usize>(t0 + r / group) << 2));
    mask(tile.weight(r), page, tile.count, ALL_SLOTS, position, sinksOf(entry), windowOf(entry, int(args, 9)));
  }
}

/**
 * The largest score (in bits) and the denominator of every row.
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g], 6 positions [n], 7 states [n, h] of { largest,
 * denominator }, 8 scale, 9 window, 10 format, 11 slots behind the used ones of every head that count too.
 */
export function weighStates(args: usize, counter: usize, scratch: usize): void {
  const n = int(args, 1);
  const h = int(args, 2);
  const g = int(args, 3);
  const states = address(args, 7);
  const group = h / g;
  const items = g * ((n + TOKENS - 1) / TOKENS);
  const tile = tileOf(args, scratch);
  for (let item = take(counter); item < items; item = take(counter)) {
    const head = item % g;
    const t0 = (item / g) * TOKENS;
    gather(args, tile, t0, head);
    for (let i = 0; i << 5 < slotsOf(args, head); i++) {
      score(args, tile, t0, head, i);
      for (let r = 0; r < tile.rows; r++) include(tile.weight(r), tile.state(r));
    }
    for (let r = 0; r < tile.rows; r++) {
      const row = <usize>(t0 + r / group) * h + head * group + (r % group);
      store<u64>(states + (row << 3), load<u64>(tile.state(r)));
    }
  }
}

/** Takes 32 scores into { largest, denominator }. */
function include(p: usize, state: usize): void {
  let most = v128.load(p);
  for (let s: usize = 16; s < 128; s += 16) most = larger(most, v128.load(p + s));
  const before = load<f32>(state);
  const m = f32x4.extract_lane(larger(f32x4.splat(before), f32x4.splat(largest(most))), 0);
  if (m == NONE) return;
  let total = f32x4.splat(0);
  for (let s: usize = 0; s < 128; s += 16) total = f32x4.add(total, exp2(f32x4.sub(v128.load(p + s), f32x4.splat(m))));
  const kept = load<f32>(state, 4) * f32x4.extract_lane(exp2(f32x4.splat(before - m)), 0);
  store<f32>(state, m);
  store<f32>(state, kept + sum(total), 4);
}

/**
 * The weights themselves. Arguments as above, and 12 out, 13 floats of a row of it, 14 whether rows are added up:
 * 0 writes [n, h, stride]; 1 adds the n rows of every query head to what is in [h, stride].
 */
export function weigh(args: usize, counter: usize, scratch: usize): void {
  const n = int(args, 1);
  const h = int(args, 2);
  const g = int(args, 3);
  const states = address(args, 7);
  const out = address(args, 12);
  const stride = <usize>int(args, 13) << 2;
  const sums = int(args, 14) != 0;
  const group = h / g;
  const pages = <i32>(stride >> 7);
  const ranges = (pages + PAGES - 1) / PAGES;
  const tile = tileOf(args, scratch);
  for (let item = take(counter); item < g * ranges; item = take(counter)) {
    const head = item % g;
    const first = (item / g) * PAGES, end = min(first + PAGES, pages);
    for (let t0 = 0; t0 < n; t0 += TOKENS) {
      gather(args, tile, t0, head);
      for (let i = first; i < end; i++) {
        const seen = i << 5 < slotsOf(args, head);
        if (seen) score(args, tile, t0, head, i);
        for (let r = 0; r < tile.rows; r++) {
          const column = head * group + (r % group), row = <usize>(t0 + r / group) * h + column;
          const to = out + (sums ? <usize>column : row) * stride + (<usize>i << 7);
          if (seen) put(tile.weight(r), states + (row << 3), to, sums);
          else if (!sums) memory.fill(to, 0, 128);
        }
      }
    }
  }
}

/** Writes, or adds, 32 weights of a row with { largest, denominator }; a row that sees nothing has none. */
function put(p: usize, state: usize, to: usize, adds: bool): void {
  const m = load<f32>(state), l = load<f32>(state, 4);
  const most = f32x4.splat(m == NONE ? 0 : m);
  const factor = f32x4.splat(l == 0 ? 0 : <f32>1 / l);
  for (let s: usize = 0; s < 128; s += 16) {
    const weight = f32x4.mul(exp2(f32x4.sub(v128.load(p + s), most)), factor);
    v128.store(to + s, adds ? f32x4.add(v128.load(to + s), weight) : weight);
  }
}
