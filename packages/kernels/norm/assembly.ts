import { address, float, int, rowsAtOnce, take } from '../assembly/args';
import { madd, number, ROUND, rounded, sum } from '../assembly/simd';

// The largest byte, and the largest number of a group that is zero for every purpose.
const LIMITS: usize = memory.data<f32>([127, 1e-36]);

// Bytes of a row between the two passes, so that the few groups' memory is still near: with n a power of two theirs falls
// on the same sets of a cache.
// @ts-ignore: decorator
@inline const BLOCK: usize = 1024;

/**
 * Quantises one of n rows, `count` floats (a multiple of 32) of it, to bytes with a scale per 32: q = round(x / scale),
 * scale = max|x| / 127. Meta is 16 bytes per 32: the scale, then scale · Σq over all 32, over the first 16, over the last
 * 16. The next 32 of a row lie behind those of all other rows: q is [count / 32, n, 32].
 */
// In two passes: divisions and sums across lanes take long one after the other, and a processor overlaps short rounds.
export function quantizeRow(x: usize, count: i32, n: i32, q: usize, meta: usize): void {
  const end = x + (<usize>count << 2);
  const most = number(LIMITS, 0), tiny = number(LIMITS, 1), round = number(ROUND, 0);
  // A splat that is no constant to the compiler: see `number`.
  const ones = i16x8.splat(<i16>(count > 0));
  const stepQ = <usize>n << 5, stepMeta = <usize>n << 4;
  while (x < end) {
    const stop = min(x + BLOCK, end);
    for (let from = x, to = meta; from < stop; from += 128, to += stepMeta) {
      const largest = largestOf32(from);
      // Not finite, not even zero times something, where a number of the group is not.
      const scale = f32x4.add(f32x4.div(largest, most), f32x4.sub(largest, largest));
      // 127 over something tiny would overflow.
      const inverse = v128.andnot(f32x4.div(most, largest), f32x4.le(largest, tiny));
      v128.store(to, v128.shuffle<i32>(scale, inverse, 0, 4, 1, 5));
    }
    for (; x < stop; x += 128, q += stepQ, meta += stepMeta) {
      const scale = v128.load32_splat(meta), inverse = v128.load32_splat(meta, 4);
      const first = pack16(x, inverse, q, round, ones), second = pack16(x + 64, inverse, q + 16, round, ones);
      const quarters = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(first, second), ones);
      const halves = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(quarters, quarters), ones));
      const whole = f32x4.add(halves, v128.shuffle<i32>(halves, halves, 1, 0, 3, 2));
      const sums = f32x4.mul(scale, v128.shuffle<i32>(whole, halves, 0, 1, 6, 7));
      v128.store(meta, v128.shuffle<i32>(scale, sums, 0, 5, 6, 7));
    }
  }
}

/** The largest magnitude of 32 floats, in every lane; NaN where one is. */
// @ts-ignore: decorator
@inline function largestOf32(x: usize): v128 {
  // Without their sign floats compare as whole numbers, NaN above all.
  const a = i32x4.max_u(i32x4.shl(v128.load(x), 1), i32x4.shl(v128.load(x, 16), 1));
  const b = i32x4.max_u(i32x4.shl(v128.load(x, 32), 1), i32x4.shl(v128.load(x, 48), 1));
  const c = i32x4.max_u(i32x4.shl(v128.load(x, 64), 1), i32x4.shl(v128.load(x, 80), 1));
  const d = i32x4.max_u(i32x4.shl(v128.load(x, 96), 1), i32x4.shl(v128.load(x, 112), 1));
  let m = i32x4.max_u(i32x4.max_u(a, b), i32x4.max_u(c, d));
  m = i32x4.max_u(m, v128.shuffle<i32>(m, m, 2, 3, 0, 1));
  m = i32x4.max_u(m, v128.shuffle<i32>(m, m, 1, 0, 3, 2));
  return i32x4.shr_u(m, 1);
}

/** Rounds 16 scaled floats to bytes and returns their sums over four each. */
// @ts-ignore: decorator
@inline function pack16(x: usize, inverse: v128, q: usize, round: v128, ones: v128): v128 {
  const i0 = rounded(f32x4.mul(v128.load(x), inverse), round);
  const i1 = rounded(f32x4.mul(v128.load(x, 16), inverse), round);
  const i2 = rounded(f32x4.mul(v128.load(x, 32), inverse), round);
  const i3 = rounded(f32x4.mul(v128.load(x, 48), inverse), round);
  // Crossed, so that neighbours go through the same instructions: an engine may join them.
  const a = i16x8.narrow_i32x4_s(i0, i2), b = i16x8.narrow_i32x4_s(i1, i3);
  const bytes = i8x16.narrow_i16x8_s(a, b);
  v128.store(q, v128.shuffle<i32>(bytes, bytes, 0, 2, 1, 3));
  return i32x4.dot_i16x8_s(i16x8.add(a, b), ones);
}

/** Arguments: x, x stride in floats, rows, columns, out bytes, out meta. */
export function quantize(args: usize, counter: usize): void {
  const x = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const rows = int(args, 2);
  const columns = int(args, 3);
  const q = address(args, 4);
  const meta = address(args, 5);
  const step = rowsAtOnce(rows);
  for (let first = take(counter) * step; first < rows; first = take(counter) * step) {
    for (let r = first, end = min(first + step, rows); r < end; r++) {
      quantizeRow(x + <usize>r * stride, columns, rows, q + (<usize>r << 5), meta + (<usize>r << 4));
    }
  }
}

/**
 * Arguments: x, x stride in floats, rows, columns, weight or 0, epsilon, out or 0, out stride in floats,
 * out bytes or 0, out meta, residual or 0 (added to the result, with out's stride).
 */
export function norm(args: usize, counter: usize, scratch: usize): void {
  const x = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const rows = int(args, 2);
  const columns = int(args, 3);
  const weight = address(args, 4);
  const epsilon = float(args, 5);
  const out = address(args, 6);
  const outStride = <usize>int(args, 7) << 2;
  const q = address(args, 8);
  const meta = address(args, 9);
  const residual = address(args, 10);
  const step = rowsAtOnce(rows);
  for (let first = take(counter) * step; first < rows; first = take(counter) * step) {
    for (let r = first, end = min(first + step, rows); r < end; r++) {
      const target = out ? out + <usize>r * outStride : scratch;
      normRow(x + <usize>r * stride, columns, weight, epsilon, residual ? residual + <usize>r * outStride : 0, target);
      if (q) quantizeRow(target, columns, rows, q + (<usize>r << 5), meta + (<usize>r << 4));
    }
  }
}

function normRow(x: usize, columns: i32, weight: usize, epsilon: f32, residual: usize, out: usize): void {
  const end = (<usize>columns & ~7) << 2;
  const all = <usize>columns << 2;
  let a = f32x4.splat(0), b = a, c = a, d = a;
  let k: usize = 0;
  for (; k + 64 <= all; k += 64) {
    const v0 = v128.load(x + k), v1 = v128.load(x + k, 16), v2 = v128.load(x + k, 32), v3 = v128.load(x + k, 48);
    a = madd(v0, v0, a), b = madd(v1, v1, b), c = madd(v2, v2, c), d = madd(v3, v3, d);
  }
  let total = sum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (; k < all; k += 4) total += load<f32>(x + k) * load<f32>(x + k);
  const factor = <f32>1 / sqrt<f32>(total / <f32>columns + epsilon);
  // One loop for each case: a branch in a loop would keep an engine from joining its vectors.
  if (weight && residual) scaleRow(x, factor, end, weight, residual, out, true, true);
  else if (weight) scaleRow(x, factor, end, weight, residual, out, true, false);
  else if (residual) scaleRow(x, factor, end, weight, residual, out, false, true);
  else scaleRow(x, factor, end, weight, residual, out, false, false);
  for (k = end; k < all; k += 4) {
    let v = load<f32>(x + k) * factor;
    if (weight) v *= load<f32>(weight + k);
    if (residual) v += load<f32>(residual + k);
    store<f32>(out + k, v);
  }
}

// @ts-ignore: decorator
@inline function scaleRow(
  x: usize, factor: f32, bytes: usize, weight: usize, residual: usize, out: usize, hasWeight: bool, hasResidual: bool,
): void {
  const factors = f32x4.splat(factor);
  for (let k: usize = 0; k < bytes; k += 32) {
    let a = f32x4.mul(v128.load(x + k), factors), b = f32x4.mul(v128.load(x + k, 16), factors);
    if (hasWeight) a = f32x4.mul(a, v128.load(weight + k)), b = f32x4.mul(b, v128.load(weight + k, 16));
    if (hasResidual) a = f32x4.add(a, v128.load(residual + k)), b = f32x4.add(b, v128.load(residual + k, 16));
    v128.store(out + k, a);
    v128.store(out + k, b, 16);
  }
}
