// The first and the last step of every product with bytes.
import { madd } from '../assembly/simd';
import { OCTET } from './layout.assembly';

/** Tokens that share the unpacking of weights. */
// @ts-ignore: decorator
@inline export const TILE: i32 = 64;
/** Bytes of the sums [TILE][8] of an octet of rows. */
// @ts-ignore: decorator
@inline export const TILE_BYTES: usize = <usize>TILE << 5;

/** Sums f [2][TILE][8] of nothing, the first n of each octet. */
// @ts-ignore: decorator
@inline export function begin(n: i32, f: usize): void {
  const zero = i32x4.splat(0);
  for (let to = f, end = f + (<usize>n << 5); to < end; to += 32) {
    v128.store(to, zero, 16);
    v128.store(to, zero);
    v128.store(to, zero, TILE_BYTES + 16);
    v128.store(to, zero, TILE_BYTES);
  }
}

/**
 * Writes the sums f [2][TILE][8] of a block, in units of its factors at w, over `out`, or adds them; without the second octet
 * f [TILE][8]. Of them n ≤ TILE.
 */
// @ts-ignore: decorator
@inline export function finish(
  two: bool, w: usize, n: i32, out: usize, outStride: usize, bias: usize, accumulate: bool, f: usize,
): void {
  // Masks instead of branches; without a bias the load is from address 0, where there is memory too.
  const hasBias = i32x4.splat(bias ? -1 : 0), keeps = i32x4.splat(accumulate ? -1 : 0);
  const w0 = v128.load(w), w1 = v128.load(w, 16), w2 = v128.load(w, OCTET), w3 = v128.load(w, OCTET + 16);
  // What is not added to is not read: it may be far away.
  let old = accumulate ? out : f;
  const oldStride = accumulate ? outStride : 0;
  for (let t = 0; t < n; t++) {
    const b0 = v128.and(v128.load(bias), hasBias), b1 = v128.and(v128.load(bias, 16), hasBias);
    const o0 = v128.and(v128.load(old), keeps), o1 = v128.and(v128.load(old, 16), keeps);
    const r0 = f32x4.add(madd(v128.load(f), w0, b0), o0), r1 = f32x4.add(madd(v128.load(f, 16), w1, b1), o1);
    if (two) {
      const b2 = v128.and(v128.load(bias, 32), hasBias), b3 = v128.and(v128.load(bias, 48), hasBias);
      const o2 = v128.and(v128.load(old, 32), keeps), o3 = v128.and(v128.load(old, 48), keeps);
      const r2 = f32x4.add(madd(v128.load(f, TILE_BYTES), w2, b2), o2), r3 = f32x4.add(madd(v128.load(f, TILE_BYTES + 16), w3, b3), o3);
      v128.store(out, r3, 48);
      v128.store(out, r2, 32);
    }
    v128.store(out, r1, 16);
    v128.store(out, r0);
    f += 32;
    old += oldStride;
    out += outStride;
  }
}
