// Matrix products with weights in the packed layouts of layout.ts. Eight rows are interleaved so that one 32-bit lane
// holds four columns of one row: a dot product of bytes leaves one row's sum in each lane and nothing is added across
// lanes. Each output is computed by one thread in one order, whatever the number of threads.
import { address, int, take } from '../assembly/args';
import { dot4, madd } from '../assembly/simd';

// @ts-ignore: decorator
@inline const Q4: i32 = 0;
// @ts-ignore: decorator
@inline const Q8: i32 = 1;

/** Bytes of one group of `group` columns of 8 rows: 8 scales, 8 minima, the numbers. */
// @ts-ignore: decorator
@inline function groupBytes(bits: i32, group: i32): usize {
  return 64 + <usize>(bits == Q4 ? group << 2 : group << 3);
}

/** f + scale · xScale · dots + min · xSum */
// @ts-ignore: decorator
@inline function scaled(f: v128, dots: v128, scale: v128, min: v128, xScale: v128, xSum: v128): v128 {
  return madd(min, xSum, madd(f32x4.convert_i32x4_s(dots), f32x4.mul(scale, xScale), f));
}

// The sum over a group that belongs to a weight group: all 32 columns, or its half of them.
// @ts-ignore: decorator
@inline function groupSum(meta: usize, group: i32, half: i32): v128 {
  return v128.load32_splat(group == 32 ? meta + 4 : meta + 8 + (<usize>half << 2));
}

// @ts-ignore: decorator
@inline function finish(out: usize, value: v128, accumulate: bool): void {
  v128.store(out, accumulate ? f32x4.add(value, v128.load(out)) : value);
}

/** 8 rows × 4 tokens. `x` holds 4 rows of `columns` bytes, `meta` their scales and sums, 16 bytes per 32 columns. */
// @ts-ignore: decorator
@inline function tile4(
  bits: i32, group: i32, w: usize, columns: i32, x: usize, meta: usize, metaStride: usize,
  out: usize, outStride: usize, bias: usize, accumulate: bool,
): void {
  const mask = i8x16.splat(15);
  let x0 = x;
  let x1 = x0 + columns;
  let x2 = x1 + columns;
  let x3 = x2 + columns;
  let m = meta;
  let f00 = bias ? v128.load(bias) : f32x4.splat(0);
  let f10 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  let f01 = f00, f02 = f00, f03 = f00;
  let f11 = f10, f12 = f10, f13 = f10;
  for (let c = 0; c < columns; c += 32) {
    for (let half = 0; half < 32 / group; half++) {
      let a00 = i32x4.splat(0), a01 = a00, a02 = a00, a03 = a00, a10 = a00, a11 = a00, a12 = a00, a13 = a00;
      let p = w + 64;
      if (bits == Q4) {
        for (let k = 0; k < group; k += 8) {
          const v0 = v128.load(p);
          const v1 = v128.load(p, 16);
          let w0 = v128.and(v0, mask);
          let w1 = v128.and(v1, mask);
          let xx = v128.load32_splat(x0);
          a00 = dot4(a00, xx, w0);
          a10 = dot4(a10, xx, w1);
          xx = v128.load32_splat(x1);
          a01 = dot4(a01, xx, w0);
          a11 = dot4(a11, xx, w1);
          xx = v128.load32_splat(x2);
          a02 = dot4(a02, xx, w0);
          a12 = dot4(a12, xx, w1);
          xx = v128.load32_splat(x3);
          a03 = dot4(a03, xx, w0);
          a13 = dot4(a13, xx, w1);
          w0 = v128.and(i16x8.shr_u(v0, 4), mask);
          w1 = v128.and(i16x8.shr_u(v1, 4), mask);
          xx = v128.load32_splat(x0, 4);
          a00 = dot4(a00, xx, w0);
          a10 = dot4(a10, xx, w1);
          xx = v128.load32_splat(x1, 4);
          a01 = dot4(a01, xx, w0);
          a11 = dot4(a11, xx, w1);
          xx = v128.load32_splat(x2, 4);
          a02 = dot4(a02, xx, w0);
          a12 = dot4(a12, xx, w1);
          xx = v128.load32_splat(x3, 4);
          a03 = dot4(a03, xx, w0);
          a13 = dot4(a13, xx, w1);
          x0 += 8;
          x1 += 8;
          x2 += 8;
          x3 += 8;
          p += 32;
        }
      } else {
        // A byte is two planes of four bits, each within the seven bits that the dot product takes: the upper plane
        // goes first and is shifted up before the lower one is added.
        for (let k = 0; k < group; k += 4) {
          const w0 = v128.and(i16x8.shr_u(v128.load(p), 4), mask);
          const w1 = v128.and(i16x8.shr_u(v128.load(p, 16), 4), mask);
          let xx = v128.load32_splat(x0 + k);
          a00 = dot4(a00, xx, w0);
          a10 = dot4(a10, xx, w1);
          xx = v128.load32_splat(x1 + k);
          a01 = dot4(a01, xx, w0);
          a11 = dot4(a11, xx, w1);
          xx = v128.load32_splat(x2 + k);
          a02 = dot4(a02, xx, w0);
          a12 = dot4(a12, xx, w1);
          xx = v128.load32_splat(x3 + k);
          a03 = dot4(a03, xx, w0);
          a13 = dot4(a13, xx, w1);
          p += 32;
        }
        a00 = i32x4.shl(a00, 4), a01 = i32x4.shl(a01, 4), a02 = i32x4.shl(a02, 4), a03 = i32x4.shl(a03, 4);
        a10 = i32x4.shl(a10, 4), a11 = i32x4.shl(a11, 4), a12 = i32x4.shl(a12, 4), a13 = i32x4.shl(a13, 4);
        p = w + 64;
        for (let k = 0; k < group; k += 4) {
          const w0 = v128.and(v128.load(p), mask);
          const w1 = v128.and(v128.load(p, 16), mask);
          let xx = v128.load32_splat(x0);
          a00 = dot4(a00, xx, w0);
          a10 = dot4(a10, xx, w1);
          xx = v128.load32_splat(x1);
          a01 = dot4(a01, xx, w0);
          a11 = dot4(a11, xx, w1);
          xx = v128.load32_splat(x2);
          a02 = dot4(a02, xx, w0);
          a12 = dot4(a12, xx, w1);
          xx = v128.load32_splat(x3);
          a03 = dot4(a03, xx, w0);
          a13 = dot4(a13, xx, w1);
          x0 += 4;
          x1 += 4;
          x2 += 4;
          x3 += 4;
          p += 32;
        }
      }
      const s0 = v128.load(w), s1 = v128.load(w, 16), m0 = v128.load(w, 32), m1 = v128.load(w, 48);
      let mm = m;
      let xScale = v128.load32_splat(mm);
      let xSum = groupSum(mm, group, half);
      f00 = scaled(f00, a00, s0, m0, xScale, xSum);
      f10 = scaled(f10, a10, s1, m1, xScale, xSum);
      mm += metaStride;
      xScale = v128.load32_splat(mm);
      xSum = groupSum(mm, group, half);
      f01 = scaled(f01, a01, s0, m0, xScale, xSum);
      f11 = scaled(f11, a11, s1, m1, xScale, xSum);
      mm += metaStride;
      xScale = v128.load32_splat(mm);
      xSum = groupSum(mm, group, half);
      f02 = scaled(f02, a02, s0, m0, xScale, xSum);
      f12 = scaled(f12, a12, s1, m1, xScale, xSum);
      mm += metaStride;
      xScale = v128.load32_splat(mm);
      xSum = groupSum(mm, group, half);
      f03 = scaled(f03, a03, s0, m0, xScale, xSum);
      f13 = scaled(f13, a13, s1, m1, xScale, xSum);
      w = p;
    }
    m += 16;
  }
  finish(out, f00, accumulate);
  finish(out + 16, f10, accumulate);
  out += outStride;
  finish(out, f01, accumulate);
  finish(out + 16, f11, accumulate);
  out += outStride;
  finish(out, f02, accumulate);
  finish(out + 16, f12, accumulate);
  out += outStride;
  finish(out, f03, accumulate);
  finish(out + 16, f13, accumulate);
}

/** 8 rows × 1 token, in the same order of additions as `tile4`, so that a token's result does not depend on its neighbours. */
// @ts-ignore: decorator
@inline function tile1(
  bits: i32, group: i32, w: usize, columns: i32, x: usize, meta: usize, out: usize, bias: usize, accumulate: bool,
): void {
  const mask = i8x16.splat(15);
  let m = meta;
  let f0 = bias ? v128.load(bias) : f32x4.splat(0);
  let f1 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  for (let c = 0; c < columns; c += 32) {
    for (let half = 0; half < 32 / group; half++) {
      let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0;
      let p = w + 64;
      if (bits == Q4) {
        for (let k = 0; k < group; k += 8) {
          const v0 = v128.load(p);
          const v1 = v128.load(p, 16);
          let xx = v128.load32_splat(x);
          a0 = dot4(a0, xx, v128.and(v0, mask));
          a1 = dot4(a1, xx, v128.and(v1, mask));
          xx = v128.load32_splat(x, 4);
          b0 = dot4(b0, xx, v128.and(i16x8.shr_u(v0, 4), mask));
          b1 = dot4(b1, xx, v128.and(i16x8.shr_u(v1, 4), mask));
          x += 8;
          p += 32;
        }
      } else {
        for (let k = 0; k < group; k += 4) {
          const v0 = v128.load(p);
          const v1 = v128.load(p, 16);
          const xx = v128.load32_splat(x);
          a0 = dot4(a0, xx, v128.and(v0, mask));
          a1 = dot4(a1, xx, v128.and(v1, mask));
          b0 = dot4(b0, xx, v128.and(i16x8.shr_u(v0, 4), mask));
          b1 = dot4(b1, xx, v128.and(i16x8.shr_u(v1, 4), mask));
          x += 4;
          p += 32;
        }
        b0 = i32x4.shl(b0, 4);
        b1 = i32x4.shl(b1, 4);
      }
      const xScale = v128.load32_splat(m);
      const xSum = groupSum(m, group, half);
      f0 = scaled(f0, i32x4.add(a0, b0), v128.load(w), v128.load(w, 32), xScale, xSum);
      f1 = scaled(f1, i32x4.add(a1, b1), v128.load(w, 16), v128.load(w, 48), xScale, xSum);
      w = p;
    }
    m += 16;
  }
  finish(out, f0, accumulate);
  finish(out + 16, f1, accumulate);
}

// @ts-ignore: decorator
@inline function span(
  bits: i32, group: i32, w: usize, first: i32, last: i32, columns: i32, x: usize, meta: usize, n: i32,
  out: usize, outStride: usize, bias: usize, accumulate: bool,
): void {
  const metaStride = <usize>columns >> 1;
  const blockBytes = <usize>(columns / group) * groupBytes(bits, group);
  for (let block = first; block < last; block++) {
    const wb = w + <usize>block * blockBytes;
    const b = bias ? bias + (<usize>block << 5) : 0;
    let t = 0;
    for (; t + 4 <= n; t += 4) {
      tile4(
        bits, group, wb, columns, x + <usize>t * columns, meta + <usize>t * metaStride, metaStride,
        out + <usize>t * outStride + (<usize>block << 5), outStride, b, accumulate,
      );
    }
    for (; t < n; t++) {
      tile1(
        bits, group, wb, columns, x + <usize>t * columns, meta + <usize>t * metaStride,
        out + <usize>t * outStride + (<usize>block << 5), b, accumulate,
      );
    }
  }
}

// One instance of the tiles per layout, with its constants folded in.
function spanQ4by32(w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool): void {
  span(Q4, 32, w, a, z, c, x, m, n, o, s, b, k);
}
function spanQ4by16(w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool): void {
  span(Q4, 16, w, a, z, c, x, m, n, o, s, b, k);
}
function spanQ8by32(w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool): void {
  span(Q8, 32, w, a, z, c, x, m, n, o, s, b, k);
}
function spanQ8by16(w: usize, a: i32, z: i32, c: i32, x: usize, m: usize, n: i32, o: usize, s: usize, b: usize, k: bool): void {
  span(Q8, 16, w, a, z, c, x, m, n, o, s, b, k);
}

/** Arguments: weights, layout, rows, columns, x, x's meta, n, out, out stride in floats, bias or 0, 1 to add to out, blocks an item. */
export function matmul(args: usize, counter: usize): void {
  const w = address(args, 0);
  const layout = int(args, 1);
  const blocks = (int(args, 2) + 7) >> 3;
  const columns = int(args, 3);
  const x = address(args, 4);
  const meta = address(args, 5);
  const n = int(args, 6);
  const out = address(args, 7);
  const stride = <usize>int(args, 8) << 2;
  const bias = address(args, 9);
  const accumulate = int(args, 10) != 0;
  const perItem = int(args, 11);
  for (;;) {
    const first = take(counter) * perItem;
    if (first >= blocks) return;
    const last = min(first + perItem, blocks);
    if (layout == 0) spanQ4by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate);
    else if (layout == 1) spanQ4by16(w, first, last, columns, x, meta, n, out, stride, bias, accumulate);
    else if (layout == 2) spanQ8by32(w, first, last, columns, x, meta, n, out, stride, bias, accumulate);
    else spanQ8by16(w, first, last, columns, x, meta, n, out, stride, bias, accumulate);
  }
}

/** Columns that `matmulFloat` expands at a time: 8 rows of 1024 floats stay in the first-level cache. */
// @ts-ignore: decorator
@inline const SLAB: i32 = 1024;

/** Writes columns [from, to) of a block of 8 rows as floats, [to − from][8]. */
export function expand(layout: i32, w: usize, columns: i32, from: i32, to: i32, out: usize): void {
  const mask = i8x16.splat(15);
  const bits = layout < 2 ? Q4 : Q8;
  const group = layout == 0 || layout == 2 ? 32 : 16;
  const step = bits == Q4 ? 8 : 4;
  w += <usize>(from / group) * groupBytes(bits, group);
  for (let c = from; c < to; c += group) {
    let p = w + 64;
    for (let k = 0; k < group; k += step) {
      for (let four: usize = 0; four < 32; four += 16) {
        const scale = v128.load(w + four);
        const minimum = v128.load(w + four, 32);
        const v = v128.load(p + four);
        if (bits == Q4) {
          expandFour(v128.and(v, mask), scale, minimum, out + four);
          expandFour(v128.and(i16x8.shr_u(v, 4), mask), scale, minimum, out + four + 128);
        } else {
          expandFour(v, scale, minimum, out + four);
        }
      }
      p += 32;
      out += <usize>step << 5;
    }
    w = p;
  }
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

/** Arguments as `matmul`, with x in float32 and no meta; layout 4 is float32 weights. */
export function matmulFloat(args: usize, counter: usize, scratch: usize): void {
  const w = address(args, 0);
  const layout = int(args, 1);
  const blocks = (int(args, 2) + 7) >> 3;
  const columns = int(args, 3);
  const x = address(args, 4);
  const n = int(args, 6);
  const out = address(args, 7);
  const stride = <usize>int(args, 8) << 2;
  const bias = address(args, 9);
  const accumulate = int(args, 10) != 0;
  const xStride = <usize>columns << 2;
  let blockBytes = xStride << 3;
  if (layout < 4) {
    const group = layout == 0 || layout == 2 ? 32 : 16;
    blockBytes = <usize>(columns / group) * groupBytes(layout < 2 ? Q4 : Q8, group);
  }
  for (;;) {
    const block = take(counter);
    if (block >= blocks) return;
    const wb = w + <usize>block * blockBytes;
    const ob = out + (<usize>block << 5);
    if (!accumulate || bias) {
      const b = bias ? bias + (<usize>block << 5) : 0;
      const f0 = b ? v128.load(b) : f32x4.splat(0);
      const f1 = b ? v128.load(b, 16) : f32x4.splat(0);
      for (let t = 0; t < n; t++) {
        finish(ob + <usize>t * stride, f0, accumulate);
        finish(ob + <usize>t * stride + 16, f1, accumulate);
      }
    }
    for (let from = 0; from < columns; from += SLAB) {
      const to = min(from + SLAB, columns);
      let slab = wb + (<usize>from << 5);
      if (layout < 4) {
        slab = scratch;
        expand(layout, wb, columns, from, to, slab);
      }
      let t = 0;
      for (; t + 4 <= n; t += 4) {
        floatTile4(slab, x + <usize>t * xStride + (<usize>from << 2), xStride, to - from, ob + <usize>t * stride, stride);
      }
      for (; t < n; t++) floatTile1(slab, x + <usize>t * xStride + (<usize>from << 2), to - from, ob + <usize>t * stride);
    }
  }
}
