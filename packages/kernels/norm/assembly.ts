import { address, float, int, take } from '../assembly/args';
import { rounded, sum } from '../assembly/simd';

/**
 * Quantises one of n rows, `count` floats (a multiple of 32) of it, to bytes with a scale per 32: q = round(x / scale),
 * scale = max|x| / 127. Meta is 16 bytes per 32: the scale, then scale · Σq over all 32, over the first 16, over the last
 * 16. The next 32 of a row lie behind those of all other rows: q is [count / 32, n, 32].
 */
export function quantizeRow(x: usize, count: i32, n: i32, q: usize, meta: usize): void {
  for (let c = 0; c < count; c += 32) {
    let largest = f32x4.splat(0);
    for (let k: usize = 0; k < 128; k += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(x + k)));
    const a = max<f32>(
      max<f32>(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
      max<f32>(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
    );
    // Not finite, not even zero times something, where a number of the group is not.
    const scale = a / 127 + (a - a);
    // A group so small that 127 / a overflows is zero for every purpose.
    const inverse = f32x4.splat(a > 1e-36 ? <f32>127 / a : a == a ? 0 : a);
    const first = packSixteen(x, inverse, q);
    const second = packSixteen(x + 64, inverse, q + 16);
    store<f32>(meta, scale);
    store<f32>(meta, scale * <f32>(first + second), 4);
    store<f32>(meta, scale * <f32>first, 8);
    store<f32>(meta, scale * <f32>second, 12);
    x += 128;
    q += <usize>n << 5;
    meta += <usize>n << 4;
  }
}

/** Rounds 16 scaled floats to bytes and returns their sum. */
// @ts-ignore: decorator
@inline function packSixteen(x: usize, inverse: v128, q: usize): i32 {
  const i0 = rounded(f32x4.mul(v128.load(x), inverse));
  const i1 = rounded(f32x4.mul(v128.load(x, 16), inverse));
  const i2 = rounded(f32x4.mul(v128.load(x, 32), inverse));
  const i3 = rounded(f32x4.mul(v128.load(x, 48), inverse));
  v128.store(q, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(i0, i1), i16x8.narrow_i32x4_s(i2, i3)));
  const s = i32x4.add(i32x4.add(i0, i1), i32x4.add(i2, i3));
  return i32x4.extract_lane(s, 0) + i32x4.extract_lane(s, 1) + i32x4.extract_lane(s, 2) + i32x4.extract_lane(s, 3);
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
