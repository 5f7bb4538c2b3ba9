// The inner loops of attention in floats, over pages that are, or have been unpacked to, keys [d][32] and values [32][d].
// A vector's neighbour goes through the same instructions beside it: see ../matmul/assembly.ts.
import { F32, keysOf, valuesOf } from '../append/page.assembly';
import { madd, store4 } from '../assembly/simd';
import { Tile } from './tile.assembly';
import { unpackKeys, unpackValues } from './unpack.assembly';

/** Scores of a tile against a page of any format. */
export function scorePage(tile: Tile, page: usize, format: i32): void {
  if (format != F32) unpackKeys(page, format, tile.d, tile);
  scoreKeys(tile, format == F32 ? keysOf(page) : tile.keys);
}

/** Scores against keys [d][32]. */
export function scoreKeys(tile: Tile, k: usize): void {
  for (let r = 0; r < tile.padded; r += 4) score(tile.query(r), k, tile.d, tile.weight(r), tile.weightRow);
}

/** Adds a page's values as they are weighted. */
export function addPage(tile: Tile, page: usize, format: i32): void {
  const d = tile.d;
  const v = format == F32 ? valuesOf(page, d, F32) : tile.values;
  if (format != F32) unpackValues(page, format, d, tile);
  for (let r = 0; r < tile.padded; r += 4) accumulate(tile.weight(r), v, tile.count, d, tile.sum(r));
}

/** Scores of 4 query rows (`rowBytes` apart) against the 32 slots of a page: 4 × [32], `stride` bytes apart. */
function score(q: usize, k: usize, d: i32, out: usize, stride: usize): void {
  const rowBytes = <usize>d << 2;
  const zero = f32x4.splat(0);
  for (let s: usize = 0; s < 128; s += 64) {
    let q0 = q, kp = k + s;
    let a0 = zero, a1 = zero, a2 = zero, a3 = zero, b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    let c0 = zero, c1 = zero, c2 = zero, c3 = zero, d0 = zero, d1 = zero, d2 = zero, d3 = zero;
    for (let c = 0; c < d; c++) {
      const k0 = v128.load(kp), k1 = v128.load(kp, 16), k2 = v128.load(kp, 32), k3 = v128.load(kp, 48);
      let x = v128.load32_splat(q0);
      a0 = madd(k0, x, a0), a1 = madd(k1, x, a1), a2 = madd(k2, x, a2), a3 = madd(k3, x, a3);
      x = v128.load32_splat(q0 + rowBytes);
      b0 = madd(k0, x, b0), b1 = madd(k1, x, b1), b2 = madd(k2, x, b2), b3 = madd(k3, x, b3);
      x = v128.load32_splat(q0 + 2 * rowBytes);
      c0 = madd(k0, x, c0), c1 = madd(k1, x, c1), c2 = madd(k2, x, c2), c3 = madd(k3, x, c3);
      x = v128.load32_splat(q0 + 3 * rowBytes);
      d0 = madd(k0, x, d0), d1 = madd(k1, x, d1), d2 = madd(k2, x, d2), d3 = madd(k3, x, d3);
      q0 += 4;
      kp += 128;
    }
    const to = out + s;
    store4(to, a0, a1, a2, a3);
    store4(to + stride, b0, b1, b2, b3);
    store4(to + 2 * stride, c0, c1, c2, c3);
    store4(to + 3 * stride, d0, d1, d2, d3);
  }
}

/** o [4][d] += p [4][count] · v [count][d]; d is a multiple of 16. Slots behind `count` may hold anything, NaN included. */
function accumulate(p: usize, v: usize, count: i32, d: i32, o: usize): void {
  const rowBytes = <usize>d << 2;
  const end = <usize>count << 2;
  for (let c: usize = 0; c < rowBytes; c += 64) {
    let vp = v + c;
    const o0 = o + c, o1 = o0 + rowBytes, o2 = o1 + rowBytes, o3 = o2 + rowBytes;
    let a0 = v128.load(o0), a1 = v128.load(o0, 16), a2 = v128.load(o0, 32), a3 = v128.load(o0, 48);
    let b0 = v128.load(o1), b1 = v128.load(o1, 16), b2 = v128.load(o1, 32), b3 = v128.load(o1, 48);
    let c0 = v128.load(o2), c1 = v128.load(o2, 16), c2 = v128.load(o2, 32), c3 = v128.load(o2, 48);
    let d0 = v128.load(o3), d1 = v128.load(o3, 16), d2 = v128.load(o3, 32), d3 = v128.load(o3, 48);
    for (let s: usize = 0; s < end; s += 4) {
      const v0 = v128.load(vp), v1 = v128.load(vp, 16), v2 = v128.load(vp, 32), v3 = v128.load(vp, 48);
      let x = v128.load32_splat(p + s);
      a0 = madd(v0, x, a0), a1 = madd(v1, x, a1), a2 = madd(v2, x, a2), a3 = madd(v3, x, a3);
      x = v128.load32_splat(p + s, 128);
      b0 = madd(v0, x, b0), b1 = madd(v1, x, b1), b2 = madd(v2, x, b2), b3 = madd(v3, x, b3);
      x = v128.load32_splat(p + s, 256);
      c0 = madd(v0, x, c0), c1 = madd(v1, x, c1), c2 = madd(v2, x, c2), c3 = madd(v3, x, c3);
      x = v128.load32_splat(p + s, 384);
      d0 = madd(v0, x, d0), d1 = madd(v1, x, d1), d2 = madd(v2, x, d2), d3 = madd(v3, x, d3);
      vp += rowBytes;
    }
    store4(o0, a0, a1, a2, a3);
    store4(o1, b0, b1, b2, b3);
    store4(o2, c0, c1, c2, c3);
    store4(o3, d0, d1, d2, d3);
  }
}
