import { address, float, int, take } from '../assembly/args';
import { magic, rounded, sum } from '../assembly/simd';

/**
 * Quantises one of n rows, `count` floats (a multiple of 32) of it, to bytes with a scale per 32: q = round(x / scale),
 * scale = max|x| / 127. Meta is 16 bytes per 32: the scale, then scale · Σq over all 32, over the first 16, over the last
 * 16. The next 32 of a row lie behind those of all other rows: q is [count / 32, n, 32].
 */
// In two passes: a division and a sum across lanes are long chains, which the processor overlaps in short loops.
export function quantizeRow(x: usize, count: i32, n: i32, q: usize, meta: usize): void {
  // Not constants to the compiler, which would build those again at every use.
  const round = magic();
  const ones = i16x8.splat(<i16>(count > 0));
  const most = f32x4.splat(count > 0 ? 127 : 0);
  const least = f32x4.splat(count > 0 ? 1e-36 : 0);
  const qStep = <usize>n << 5, metaStep = <usize>n << 4;
  const end = x + (<usize>count << 2);
  for (let from = x, to = q, s = meta; from < end; from += 128) {
    const largest = largestOf32(from);
    // Not finite, not even zero times something, where a number of the group is not.
    const scale = f32x4.add(f32x4.div(largest, most), f32x4.sub(largest, largest));
    // A group so small that 127 / largest overflows is zero for every purpose.
    const inverse = v128.andnot(f32x4.div(most, largest), f32x4.le(largest, least));
    v128.store(s, v128.shuffle<i32>(scale, inverse, 0, 4, 1, 5));
    to += qStep;
    s += metaStep;
  }
  for (; x < end; x += 128) {
    const scale = v128.load32_splat(meta), inverse = v128.load32_splat(meta, 4);
    const first = pack(x, inverse, q, round, ones), second = pack(x + 64, inverse, q + 16, round, ones);
    const quarters = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(first, second), ones);
    const halves = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(i16x8.narrow_i32x4_s(quarters, quarters), ones));
    const whole = f32x4.add(halves, v128.shuffle<i32>(halves, halves, 1, 0, 3, 2));
    const sums = f32x4.mul(scale, v128.shuffle<i32>(whole, halves, 0, 1, 6, 7));
    v128.store(meta, v128.shuffle<i32>(scale, sums, 0, 5, 6, 7));
    q += qStep;
    meta += metaStep;
  }
}

/** The largest magnitude of 32 floats in every lane, or NaN. */
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

/** Rounds 16 scaled floats to bytes and returns sums of them in four lanes. */
// @ts-ignore: decorator
@inline function pack(x: usize, inverse: v128, q: usize, round: v128, ones: v128): v128 {
  const i0 = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), inverse), round), round);
  const i1 = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x, 16), inverse), round), round);
  const i2 = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x, 32), inverse), round), round);
  const i3 = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x, 48), inverse), round), round);
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
  for (let r = take(counter); r < rows; r = take(counter)) {
    quantizeRow(x + <usize>r * stride, columns, rows, q + (<usize>r << 5), meta + (<usize>r << 4));
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
  for (let r = take(counter); r < rows; r = take(counter)) {
    const target = out ? out + <usize>r * outStride : scratch;
    normRow(x + <usize>r * stride, columns, weight, epsilon, residual ? residual + <usize>r * outStride : 0, target);
    if (q) quantizeRow(target, columns, rows, q + (<usize>r << 5), meta + (<usize>r << 4));
  }
}

function normRow(x: usize, columns: i32, weight: usize, epsilon: f32, residual: usize, out: usize): void {
  const end = (<usize>columns & ~3) << 2;
  const all = <usize>columns << 2;
  let squares = f32x4.splat(0);
  for (let k: usize = 0; k < end; k += 16) {
    const v = v128.load(x + k);
    squares = f32x4.add(squares, f32x4.mul(v, v));
  }
  let total = sum(squares);
  for (let k = end; k < all; k += 4) total += load<f32>(x + k) * load<f32>(x + k);
  const factor = <f32>1 / sqrt<f32>(total / <f32>columns + epsilon);
  const factors = f32x4.splat(factor);
  for (let k: usize = 0; k < end; k += 16) {
    let v = f32x4.mul(v128.load(x + k), factors);
    if (weight) v = f32x4.mul(v, v128.load(weight + k));
    if (residual) v = f32x4.add(v, v128.load(residual + k));
    v128.store(out + k, v);
  }
  for (let k = end; k < all; k += 4) {
    let v = load<f32>(x + k) * factor;
    if (weight) v *= load<f32>(weight + k);
    if (residual) v += load<f32>(residual + k);
    store<f32>(out + k, v);
  }
}
