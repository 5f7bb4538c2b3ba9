// The running softmax of one query row over pages of 32 scores. Scores are in bits (query · key · scale · log₂ e), so that a
// weight is a power of two: its exponent is the whole part of the score, and only the rest needs a polynomial.
import { SLOTS } from '../append/page.assembly';
import { larger, largest, madd, sum } from '../assembly/simd';
import { Tile } from './tile.assembly';
import { round, wholeBits } from './whole.assembly';

// @ts-ignore: decorator
@inline export const NONE: f32 = -Infinity;

// The minimax polynomial of degree 6 on ±½ (bench/oracles/exp2.py), the lowest exponent and 1.
// @ts-ignore: decorator
@lazy const TABLE = memory.data<f32>([
  1.534580806e-4, 1.339993207e-3, 9.618489072e-3, 5.550328642e-2, 2.402264625e-1, 6.931471825e-1, 1, -127,
]);

/** 2ˣ per lane for x ≤ 0, relative error below 1.2 · 10⁻⁷; below −126.5 it is 0, and NaN stays NaN. */
// @ts-ignore: decorator
@inline export function exp2(x: v128): v128 {
  const one = v128.load32_splat(TABLE, 24);
  // At −127 the exponent's bits are all 0, and so is the result. In this order, since `larger` keeps a NaN on the left.
  x = larger(x, v128.load32_splat(TABLE, 28));
  const whole = wholeBits(x);
  const r = f32x4.sub(x, f32x4.sub(whole, round()));
  let p = madd(v128.load32_splat(TABLE), r, v128.load32_splat(TABLE, 4));
  p = madd(p, r, v128.load32_splat(TABLE, 8));
  p = madd(p, r, v128.load32_splat(TABLE, 12));
  p = madd(p, r, v128.load32_splat(TABLE, 16));
  p = madd(p, r, v128.load32_splat(TABLE, 20));
  p = madd(p, r, one);
  // The low bits of `whole` are the exponent; what stands above them is shifted out. The bits of 1 are 127 exponents.
  return f32x4.mul(p, i32x4.add(i32x4.shl(whole, 23), one));
}

/** Sets the scores of slots that a query at `position` must not see to −∞. */
export function mask(p: usize, page: usize, count: i32, position: i32, window: i32): void {
  const ahead = i32x4.splat(position);
  // Without a window the furthest position that is out of reach is one that there is not.
  const behind = i32x4.splat(window ? position - window : i32.MIN_VALUE);
  const end = i32x4.splat(count);
  const none = f32x4.splat(NONE);
  let slot = i32x4(0, 1, 2, 3);
  for (let s: usize = 0; s < 128; s += 16) {
    const at = v128.load(page + s);
    const hidden = v128.or(i32x4.gt_s(at, ahead), v128.or(i32x4.le_s(at, behind), i32x4.ge_s(slot, end)));
    v128.store(p + s, v128.bitselect(none, v128.load(p + s), hidden));
    slot = i32x4.add(slot, i32x4.splat(4));
  }
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

/**
 * One step of the running softmax: scores [32] become weights relative to the new maximum, and what stood before is
 * rescaled. `state` is { max, denominator }, `o` [d] the sum of values so far, `spare` 64 bytes of scratch memory.
 */
// Halves of 16 slots go through the same instructions side by side and meet in memory: see ../matmul/assembly.ts.
export function soften(p: usize, state: usize, o: usize, d: i32, spare: usize): void {
  {
    const a = larger(larger(v128.load(p), v128.load(p, 32)), larger(v128.load(p, 64), v128.load(p, 96)));
    const b = larger(larger(v128.load(p, 16), v128.load(p, 48)), larger(v128.load(p, 80), v128.load(p, 112)));
    v128.store(spare, a);
    v128.store(spare, b, 16);
  }
  const seen = largest(larger(v128.load(spare), v128.load(spare, 16)));
  const before = load<f32>(state);
  const now = larger(f32x4.splat(before), f32x4.splat(seen));
  const m = f32x4.extract_lane(now, 0);
  // Where nothing is seen every weight is 0, and a NaN among the scores still shows.
  const mm = v128.andnot(now, f32x4.eq(now, f32x4.splat(NONE)));
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
  v128.store(spare, f32x4.add(f32x4.add(a0, a1), f32x4.add(a2, a3)), 32);
  v128.store(spare, f32x4.add(f32x4.add(b0, b1), f32x4.add(b2, b3)), 48);
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
