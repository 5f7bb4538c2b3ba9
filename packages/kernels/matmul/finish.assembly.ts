// The last step of every product with bytes.
import { madd } from '../assembly/simd';

/** Tokens that share the unpacking of weights. */
// @ts-ignore: decorator
@inline export const TILE: i32 = 64;
/** Bytes between the sums [TILE][8] of one block of rows and those of another. */
// @ts-ignore: decorator
@inline export const BLOCK: usize = <usize>TILE << 5;

/**
 * Writes f [2][TILE][8], in units of the factors at w and w + gap, over `out` and `outGap` bytes behind it, or adds it; without a
 * second block f [TILE][8]. Of them n ≤ TILE.
 */
// @ts-ignore: decorator
@inline export function finish(
  two: bool, w: usize, gap: usize, n: i32, out: usize, outStride: usize, outGap: usize, bias: usize, accumulate: bool,
  f: usize,
): void {
  // Masks instead of branches; without a bias the load is from address 0, where there is memory too.
  const hasBias = i32x4.splat(bias ? -1 : 0), keeps = i32x4.splat(accumulate ? -1 : 0);
  const w0 = v128.load(w), w1 = v128.load(w, 16), w2 = v128.load(w + gap), w3 = v128.load(w + gap, 16);
  // What is not added to is not read: it may be far away.
  let old = accumulate ? out : f;
  const oldStride = accumulate ? outStride : 0;
  for (let t = 0; t < n; t++) {
    const b0 = v128.and(v128.load(bias), hasBias), b1 = v128.and(v128.load(bias, 16), hasBias);
    const o0 = v128.and(v128.load(old), keeps), o1 = v128.and(v128.load(old, 16), keeps);
    const r0 = f32x4.add(madd(v128.load(f), w0, b0), o0), r1 = f32x4.add(madd(v128.load(f, 16), w1, b1), o1);
    if (two) {
      const b2 = v128.and(v128.load(bias + outGap), hasBias), b3 = v128.and(v128.load(bias + outGap, 16), hasBias);
      const o2 = v128.and(v128.load(old + outGap), keeps), o3 = v128.and(v128.load(old + outGap, 16), keeps);
      const r2 = f32x4.add(madd(v128.load(f, BLOCK), w2, b2), o2), r3 = f32x4.add(madd(v128.load(f, BLOCK + 16), w3, b3), o3);
      v128.store(out + outGap, r3, 16);
      v128.store(out + outGap, r2);
    }
    v128.store(out, r1, 16);
    v128.store(out, r0);
    f += 32;
    old += oldStride;
    out += outStride;
  }
}
