// Products in float32: the definition in single precision, for every layout. Weights are expanded to floats a slab of
// columns at a time.
import { address, int, take } from '../assembly/args';
import { halfToFloat, madd } from '../assembly/simd';
import {
  bitsOf, blockBytes, FACTORS, FLOATS, groupBytes, groupOf, hasMinima, middleOf, minimum, OCTET, Q4, scaleBytes,
} from './layout.assembly';

/** Columns that `matmulFloat` expands at a time: 8 rows of 1024 floats stay in the first-level cache. */
// @ts-ignore: decorator
@inline const SLAB: i32 = 1024;

/** Writes columns [from, to) of an octet, 0 or 1, of a block as floats, [to − from][8]. */
function expand(layout: i32, w: usize, octet: usize, from: i32, to: i32, out: usize): void {
  const mask = i8x16.splat(15);
  const middle = f32x4.splat(middleOf(layout));
  const bits = bitsOf(layout);
  const group = groupOf(layout);
  const step = bits == Q4 ? 8 : 4;
  const bytes = groupBytes(layout);
  let s = w + FACTORS + (<usize>(from / group) * 2 + octet) * bytes;
  w += octet * OCTET;
  for (let c = from; c < to; c += group) {
    let p = s + scaleBytes(layout);
    for (let k = 0; k < group; k += step) {
      for (let four: usize = 0; four < 32; four += 16) {
        const factor = v128.load(w + four);
        const inUnits = halfToFloat(v128.load16x4_s(s + (four >> 1)));
        const stored = hasMinima(layout) ? halfToFloat(v128.load16x4_s(s + (four >> 1), 16)) : inUnits;
        const scale = f32x4.mul(inUnits, factor), min = f32x4.mul(minimum(layout, stored, inUnits, middle), factor);
        const v = v128.load(p + four);
        if (bits == Q4) {
          expandFour(v128.and(v, mask), scale, min, out + four);
          expandFour(v128.and(i16x8.shr_u(v, 4), mask), scale, min, out + four + 128);
        } else {
          expandFour(v, scale, min, out + four);
        }
      }
      p += 32;
      out += <usize>step << 5;
    }
    s += bytes << 1;
  }
}

/** Where columns [from, to) of an octet, 0 or 1, of a block are floats [to − from][8]: in place, or expanded to `scratch`. */
// @ts-ignore: decorator
@inline export function slabOf(
  layout: i32, block: usize, octet: usize, columns: i32, from: i32, to: i32, scratch: usize,
): usize {
  if (layout == FLOATS) return block + ((octet * columns + from) << 5);
  expand(layout, block, octet, from, to, scratch);
  return scratch;
}

/** 4 rows × 4 columns of bytes 0 … 255; column j goes to out + 32 j. */
// @ts-ignore: decorator
@inline function expandFour(v: v128, scale: v128, minimum: v128, out: usize): void {
  const low = i32x4.splat(255);
  v128.store(out, madd(f32x4.convert_i32x4_s(v128.and(v, low)), scale, minimum));
  v128.store(out, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 8), low)), scale, minimum), 32);
  v128.store(out, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 16), low)), scale, minimum), 64);
  v128.store(out, madd(f32x4.convert_i32x4_s(i32x4.shr_u(v, 24)), scale, minimum), 96);
}

/** 8 rows × 1 token in float32. `w` is [count][8]. */
// @ts-ignore: decorator
@inline function floatTile1(w: usize, x: usize, count: i32, out: usize): void {
  let f0 = v128.load(out), f1 = v128.load(out, 16);
  for (let c = 0; c < count; c++) {
    const xx = v128.load32_splat(x);
    f0 = madd(v128.load(w), xx, f0);
    f1 = madd(v128.load(w, 16), xx, f1);
    x += 4;
    w += 32;
  }
  v128.store(out, f0);
  v128.store(out, f1, 16);
}

/** 8 rows × 4 tokens in float32, in the same order of additions. */
// @ts-ignore: decorator
@inline function floatTile4(w: usize, x: usize, xStride: usize, count: i32, out: usize, outStride: usize): void {
  let x0 = x, x1 = x + xStride, x2 = x1 + xStride, x3 = x2 + xStride;
  const o1 = out + outStride, o2 = o1 + outStride, o3 = o2 + outStride;
  let f00 = v128.load(out), f10 = v128.load(out, 16), f01 = v128.load(o1), f11 = v128.load(o1, 16);
  let f02 = v128.load(o2), f12 = v128.load(o2, 16), f03 = v128.load(o3), f13 = v128.load(o3, 16);
  for (let c = 0; c < count; c++) {
    const w0 = v128.load(w), w1 = v128.load(w, 16);
    let xx = v128.load32_splat(x0);
    f00 = madd(w0, xx, f00);
    f10 = madd(w1, xx, f10);
    xx = v128.load32_splat(x1);
    f01 = madd(w0, xx, f01);
    f11 = madd(w1, xx, f11);
    xx = v128.load32_splat(x2);
    f02 = madd(w0, xx, f02);
    f12 = madd(w1, xx, f12);
    xx = v128.load32_splat(x3);
    f03 = madd(w0, xx, f03);
    f13 = madd(w1, xx, f13);
    x0 += 4;
    x1 += 4;
    x2 += 4;
    x3 += 4;
    w += 32;
  }
  v128.store(out, f00);
  v128.store(out, f10, 16);
  v128.store(o1, f01);
  v128.store(o1, f11, 16);
  v128.store(o2, f02);
  v128.store(o2, f12, 16);
  v128.store(o3, f03);
  v128.store(o3, f13, 16);
}

/** Arguments as `matmul`, with x in float32 and no meta; the last layout is float32 weights. */
export function matmulFloat(args: usize, counter: usize, scratch: usize): void {
  const w = address(args, 0);
  const layout = int(args, 1);
  const octets = (int(args, 2) + 7) >> 3;
  const columns = int(args, 3);
  const x = address(args, 4);
  const n = int(args, 6);
  const out = address(args, 7);
  const stride = <usize>int(args, 8) << 2;
  const bias = address(args, 9);
  const accumulate = int(args, 10) != 0;
  const xStride = <usize>columns << 2;
  const bytes = blockBytes(layout, columns);
  for (;;) {
    const o = take(counter);
    if (o >= octets) return;
    const block = w + <usize>(o >> 1) * bytes, octet = <usize>(o & 1);
    const ob = out + (<usize>o << 5);
    if (!accumulate || bias) {
      const b = bias ? bias + (<usize>o << 5) : 0;
      const f0 = b ? v128.load(b) : f32x4.splat(0);
      const f1 = b ? v128.load(b, 16) : f32x4.splat(0);
      const keeps = i32x4.splat(accumulate ? -1 : 0);
      for (let t = 0; t < n; t++) {
        const to = ob + <usize>t * stride;
        const o0 = v128.load(to), o1 = v128.load(to, 16);
        v128.store(to, f32x4.add(f0, v128.and(o0, keeps)));
        v128.store(to, f32x4.add(f1, v128.and(o1, keeps)), 16);
      }
    }
    for (let from = 0; from < columns; from += SLAB) {
      const to = min(from + SLAB, columns);
      const slab = slabOf(layout, block, octet, columns, from, to, scratch);
      let t = 0;
      for (; t + 4 <= n; t += 4) {
        floatTile4(slab, x + <usize>t * xStride + (<usize>from << 2), xStride, to - from, ob + <usize>t * stride, stride);
      }
      for (; t < n; t++) floatTile1(slab, x + <usize>t * xStride + (<usize>from << 2), to - from, ob + <usize>t * stride);
    }
  }
}
