// The running softmax of one query row over pages of 32 scores. Scores are in bits (query · key · scale · log₂ e), so that a
// weight is a power of two: its exponent is the whole part of the score, and only the rest needs a polynomial.
import { SLOTS } from '../append/page.assembly';
import { exp2, larger, largest, number, sum } from '../assembly/simd';
import { Tile } from './tile.assembly';

// @ts-ignore: decorator
@inline export const NONE: f32 = -Infinity;

/**
 * Begins with the queries [n, h, d] of the tokens from t0 to t1, of the query heads that share a key/value head, times a
 * factor: nothing has been seen yet.
 */
export function begin(tile: Tile, q: usize, t0: i32, t1: i32, h: i32, head: i32, group: i32, factor: v128): void {
  const rowBytes = <usize>tile.d << 2;
  tile.rows = (t1 - t0) * group;
  tile.padded = (tile.rows + 3) & ~3;
  for (let r = 0; r < tile.padded; r++) {
    const to = tile.query(r);
    if (r < tile.rows) multiply(q + (<usize>(t0 + r / group) * h + head * group + (r % group)) * rowBytes, to, tile.d, factor);
    else memory.fill(to, 0, rowBytes);
    store<f32>(tile.state(r), NONE);
    store<f32>(tile.state(r), 0, 4);
  }
}

/** Sets the scores of slots that a query at `position` must not see, or that are not in the set `slots`, to −∞. */
export function mask(p: usize, page: usize, count: i32, slots: i32, position: i32, sinks: i32, window: i32): void {
  const ahead = i32x4.splat(position);
  // Without a window the furthest position that is out of reach is one that there is not.
  const behind = i32x4.splat(window ? position - window : i32.MIN_VALUE);
  const near = i32x4.splat(sinks);
  const end = i32x4.splat(count);
  const none = f32x4.splat(NONE);
  const wanted = i32x4.splat(slots);
  let slot = i32x4(0, 1, 2, 3), bit = i32x4(1, 2, 4, 8);
  for (let s: usize = 0; s < 128; s += 16) {
    const at = v128.load(page + s);
    const hidden = v128.or(i32x4.gt_s(at, ahead), v128.or(v128.andnot(i32x4.le_s(at, behind), i32x4.lt_s(at, near)), i32x4.ge_s(slot, end)));
    const unwanted = i32x4.eq(v128.and(wanted, bit), i32x4.splat(0));
    v128.store(p + s, v128.bitselect(none, v128.load(p + s), v128.or(hidden, unwanted)));
    slot = i32x4.add(slot, i32x4.splat(4));
    bit = i32x4.shl(bit, 4);
  }
}

/** Adds to the scores of a page's first slot. */
export function raise(tile: Tile, bias: f32): void {
  for (let r = 0; r < tile.rows; r++) store<f32>(tile.weight(r), load<f32>(tile.weight(r)) + bias);
}

/** Scores of the four slots from `slot` on become NaN where `bad` is set, for slots that hold a NaN. */
// @ts-ignore: decorator
@inline export function spoil(tile: Tile, slot: i32, bad: v128): void {
  if (!v128.any_true(bad)) return;
  for (let r = 0; r < tile.padded; r++) {
    const to = tile.weight(r) + (<usize>slot << 2);
    v128.store(to, v128.or(v128.load(to), bad));
  }
}

// Bits of two halves' magnitudes, and the greatest that are finite.
const MAGNITUDES: usize = memory.data<u32>([0x7fff7fff, 0x7bff7bff]);

/** Whether `count` halves (a multiple of 16) are finite numbers. */
export function areFinite(halves: usize, count: i32): bool {
  const magnitude = number(MAGNITUDES, 0), greatest = number(MAGNITUDES, 1);
  let any = i16x8.splat(0), any1 = any;
  for (const end = halves + (<usize>count << 1); halves < end; halves += 32) {
    any = v128.or(any, i16x8.gt_s(v128.and(v128.load(halves), magnitude), greatest));
    any1 = v128.or(any1, i16x8.gt_s(v128.and(v128.load(halves, 16), magnitude), greatest));
  }
  return !v128.any_true(v128.or(any, any1));
}

/** The same where one of 32 halves is NaN. */
export function spoilHalves(tile: Tile, halves: usize): void {
  if (areFinite(halves, SLOTS)) return;
  for (let s = 0; s < tile.count; s += 4) {
    const magnitude = v128.and(v128.load16x4_s(halves + (<usize>s << 1)), i32x4.splat(0x7fff));
    spoil(tile, s, i32x4.gt_s(magnitude, i32x4.splat(0x7c00)));
  }
}

/**
 * One step of the running softmax: `bytes` of scores, 32 for every page, become weights relative to the new maximum, and
 * what stood before is rescaled. `state` is { max, denominator }, `o` [d] the sum of values so far, `spare` 64 bytes of
 * scratch memory.
 */
// Halves of 16 slots go through the same instructions side by side and meet in memory: see ../matmul/assembly.ts.
export function soften(p: usize, bytes: usize, state: usize, o: usize, d: i32, spare: usize): void {
  const end = p + bytes;
  {
    let a = f32x4.splat(NONE), b = a;
    for (let x = p; x < end; x += 128) {
      const c = larger(larger(v128.load(x), v128.load(x, 32)), larger(v128.load(x, 64), v128.load(x, 96)));
      const e = larger(larger(v128.load(x, 16), v128.load(x, 48)), larger(v128.load(x, 80), v128.load(x, 112)));
      a = larger(a, c), b = larger(b, e);
    }
    v128.store(spare, a);
    v128.store(spare, b, 16);
  }
  const seen = largest(larger(v128.load(spare), v128.load(spare, 16)));
  const before = load<f32>(state);
  const now = larger(f32x4.splat(before), f32x4.splat(seen));
  const m = f32x4.extract_lane(now, 0);
  // Where nothing is seen every weight is 0, and a NaN among the scores still shows.
  const mm = v128.andnot(now, f32x4.eq(now, f32x4.splat(NONE)));
  {
    let a = f32x4.splat(0), b = a;
    for (; p < end; p += 128) {
      const a0 = exp2(f32x4.sub(v128.load(p), mm)), b0 = exp2(f32x4.sub(v128.load(p, 16), mm));
      const a1 = exp2(f32x4.sub(v128.load(p, 32), mm)), b1 = exp2(f32x4.sub(v128.load(p, 48), mm));
      const a2 = exp2(f32x4.sub(v128.load(p, 64), mm)), b2 = exp2(f32x4.sub(v128.load(p, 80), mm));
      const a3 = exp2(f32x4.sub(v128.load(p, 96), mm)), b3 = exp2(f32x4.sub(v128.load(p, 112), mm));
      v128.store(p, a0);
      v128.store(p, b0, 16);
      v128.store(p, a1, 32);
      v128.store(p, b1, 48);
      v128.store(p, a2, 64);
      v128.store(p, b2, 80);
      v128.store(p, a3, 96);
      v128.store(p, b3, 112);
      a = f32x4.add(a, f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)));
      b = f32x4.add(b, f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3)));
    }
    v128.store(spare, a, 32);
    v128.store(spare, b, 48);
  }
  let l = load<f32>(state, 4);
  if (m != before) {
    const factor = exp2(f32x4.splat(before - m));
    l *= f32x4.extract_lane(factor, 0);
    multiply(o, o, d, factor);
    store<f32>(state, m);
  }
  store<f32>(state, l + sum(f32x4.add(v128.load(spare, 32), v128.load(spare, 48))), 4);
}

/** to [d] = from [d] · factor; d is a multiple of 8. */
// @ts-ignore: decorator
@inline export function multiply(from: usize, to: usize, d: i32, factor: v128): void {
  for (let c: i32 = 0; c < d; c += 8) {
    const a = f32x4.mul(v128.load(from), factor), b = f32x4.mul(v128.load(from, 16), factor);
    v128.store(to, a);
    v128.store(to, b, 16);
    from += 32;
    to += 32;
  }
}
