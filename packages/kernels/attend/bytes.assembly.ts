// The running softmax of many rows of queries over a page whose values are bytes with a scale per slot. Weights leave it as
// bytes too, times their slots' scales: 2^(score + log₂ scale), relative to the largest of the row in this page, which is
// known before any of them is computed. So no weight is ever written as a float.
import { exp2, larger, madd, number, sum } from '../assembly/simd';
import { largestOf32, nearest, together } from './scaled.assembly';
import { multiply, NONE } from './softmax.assembly';
import { Tile } from './tile.assembly';

/** Nothing has been seen yet. */
export function beginBytes(tile: Tile): void {
  for (let r = 0; r < tile.padded; r++) store<f32>(tile.tops + (<usize>r << 2), NONE);
  memory.fill(tile.eighths, 0, <usize>tile.padded << 5);
}

/** Leaves { what weights are relative to, denominator } of every row where the softmax in floats keeps them: all that a merge asks for. */
export function endBytes(tile: Tile): void {
  for (let r = 0; r < tile.rows; r++) {
    const l = tile.eighths + (<usize>r << 5);
    store<f32>(tile.state(r), load<f32>(tile.tops + (<usize>r << 2)));
    store<f32>(tile.state(r), sum(f32x4.add(v128.load(l), v128.load(l, 16))), 4);
  }
}

/**
 * One step: scores of a page become weights in 7 bits, times the slots' scales, with one scale for a row; sums of values are
 * rescaled where a larger score was seen. `logs` [32] are log₂ of the slots' scales, `inverses` [32] 1 / scale.
 */
export function softenBytes(tile: Tile, logs: usize, inverses: usize): void {
  const rows = <usize>tile.rows, d = tile.d, step = tile.weightRow, spare = tile.spare;
  const seen = tile.seen, falls = tile.falls, scales = tile.weightScales;
  for (let r: usize = 0, p = tile.weights; r < rows; r++, p += step) store<f32>(seen + (r << 2), most(p, logs, spare));
  for (let r: usize = 0; r < rows; r += 8) raise8(tile.tops + (r << 2), seen + (r << 2), tile.shifts + (r << 2), falls + (r << 2), scales + (r << 2));
  let p = tile.weights, sums = tile.sums, out = tile.weightInts, l = tile.eighths;
  for (let r: usize = 0; r < rows << 2; r += 4) {
    const fall = load<f32>(falls + r);
    if (fall != 1) multiply(sums, sums, d, f32x4.splat(fall));
    weights(p, logs, inverses, seen + r, falls + r, scales + r, l, out);
    p += step;
    sums += <usize>d << 2;
    out += 32;
    l += 32;
  }
}

/** The largest of 32 scores with their slots' logarithms. */
// @ts-ignore: decorator
@inline function most(p: usize, logs: usize, spare: usize): f32 {
  const a0 = f32x4.add(v128.load(p), v128.load(logs)), b0 = f32x4.add(v128.load(p, 16), v128.load(logs, 16));
  const a1 = f32x4.add(v128.load(p, 32), v128.load(logs, 32)), b1 = f32x4.add(v128.load(p, 48), v128.load(logs, 48));
  const a2 = f32x4.add(v128.load(p, 64), v128.load(logs, 64)), b2 = f32x4.add(v128.load(p, 80), v128.load(logs, 80));
  const a3 = f32x4.add(v128.load(p, 96), v128.load(logs, 96)), b3 = f32x4.add(v128.load(p, 112), v128.load(logs, 112));
  return largestOf32(a0, b0, a1, b1, a2, b2, a3, b3, spare);
}

/**
 * New largest scores of eight rows, what their sums so far fall by, and the scales of their weights: the page's largest over
 * the row's, in 127ths.
 */
function raise8(tops: usize, seen: usize, shifts: usize, falls: usize, scales: usize): void {
  const none = f32x4.splat(NONE);
  const s0 = v128.load(seen), s1 = v128.load(seen, 16);
  const t0 = f32x4.add(s0, v128.load(shifts)), t1 = f32x4.add(s1, v128.load(shifts, 16));
  const m0 = v128.load(tops), m1 = v128.load(tops, 16);
  const n0 = larger(m0, t0), n1 = larger(m1, t1);
  // Where nothing is seen every weight is 0, and a NaN among the scores still shows.
  const o0 = f32x4.eq(n0, none), o1 = f32x4.eq(n1, none);
  const f0 = exp2(v128.andnot(f32x4.sub(m0, n0), o0)), f1 = exp2(v128.andnot(f32x4.sub(m1, n1), o1));
  const g0 = exp2(v128.andnot(f32x4.sub(t0, n0), o0)), g1 = exp2(v128.andnot(f32x4.sub(t1, n1), o1));
  v128.store(tops, n0);
  v128.store(tops, n1, 16);
  v128.store(falls, f0);
  v128.store(falls, f1, 16);
  v128.store(scales, f32x4.mul(g0, f32x4.splat(1 / 127)));
  v128.store(scales, f32x4.mul(g1, f32x4.splat(1 / 127)), 16);
  v128.store(seen, v128.andnot(s0, f32x4.eq(s0, none)));
  v128.store(seen, v128.andnot(s1, f32x4.eq(s1, none)), 16);
}

// 1.5 · 2²³ + 127, which leaves the exponent of 2ⁿ in the low bits; −127; 127 times the minimax polynomial of degree 3 for 2^r
// on ±½, whose error is a hundredth of a step of 7 bits (bench/oracles/exp2.py).
const WEIGH: usize = memory.data<f32>([12583039, -127, 7.0067967, 30.811615, 88.044143, 126.99087]);

/**
 * 32 scores to weights [8][4] in bytes, slots s, s + 8, s + 16 and s + 24 together; eight denominators fall and grow by theirs.
 */
// @ts-ignore: decorator
@inline function weights(
  p: usize, logs: usize, inverses: usize, top: usize, fall: usize, scale: usize, l: usize, out: usize,
): void {
  const m = v128.load32_splat(top), f = v128.load32_splat(fall), g = v128.load32_splat(scale);
  const a0 = weight(v128.load(p), v128.load(logs), m), b0 = weight(v128.load(p, 16), v128.load(logs, 16), m);
  const a1 = weight(v128.load(p, 32), v128.load(logs, 32), m), b1 = weight(v128.load(p, 48), v128.load(logs, 48), m);
  const a2 = weight(v128.load(p, 64), v128.load(logs, 64), m), b2 = weight(v128.load(p, 80), v128.load(logs, 80), m);
  const a3 = weight(v128.load(p, 96), v128.load(logs, 96), m), b3 = weight(v128.load(p, 112), v128.load(logs, 112), m);
  const w0 = together(nearest(a0), nearest(a1), nearest(a2), nearest(a3)), w1 = together(nearest(b0), nearest(b1), nearest(b2), nearest(b3));
  v128.store(out, w0);
  v128.store(out, w1, 16);
  const c0 = madd(a1, v128.load(inverses, 32), f32x4.mul(a0, v128.load(inverses)));
  const c1 = madd(b1, v128.load(inverses, 48), f32x4.mul(b0, v128.load(inverses, 16)));
  const d0 = madd(a3, v128.load(inverses, 96), f32x4.mul(a2, v128.load(inverses, 64)));
  const d1 = madd(b3, v128.load(inverses, 112), f32x4.mul(b2, v128.load(inverses, 80)));
  const l0 = madd(f32x4.add(c0, d0), g, f32x4.mul(v128.load(l), f));
  const l1 = madd(f32x4.add(c1, d1), g, f32x4.mul(v128.load(l, 16), f));
  v128.store(l, l0);
  v128.store(l, l1, 16);
}

/** 127 · 2^(score + logarithm − m). */
// @ts-ignore: decorator
@inline function weight(score: v128, log: v128, m: v128): v128 {
  const x = larger(f32x4.sub(f32x4.add(score, log), m), number(WEIGH, 1));
  const whole = f32x4.add(x, number(WEIGH, 0));
  const r = f32x4.sub(x, f32x4.sub(whole, number(WEIGH, 0)));
  const y = madd(madd(madd(number(WEIGH, 2), r, number(WEIGH, 3)), r, number(WEIGH, 4)), r, number(WEIGH, 5));
  return f32x4.mul(y, i32x4.shl(whole, 23));
}
