import { address, float, int, take } from '../assembly/args';
import { ROUND, sum } from '../assembly/simd';

/**
 * Quantises one of n rows, `count` floats (a multiple of 32) of it, to bytes with a scale per 32: q = round(x / scale),
 * scale = max|x| / 127. Meta is 16 bytes per 32: the scale, then scale · Σq over all 32, over the first 16, over the last
 * 16. The next 32 of a row lie behind those of all other rows: q is [count / 32, n, 32].
 */
// Two groups at a time share the divisions and the sums; a last one alone is done twice.
export function quantizeRow(x: usize, count: i32, n: i32, q: usize, meta: usize): void {
  // Not constants to the compiler, which would build those again at every use.
  const round = f32x4.splat(count > 0 ? ROUND : 0);
  const ones = i16x8.splat(<i16>(count > 0));
  for (let c = 0; c < count; c += 64) {
    const next: usize = c + 32 < count ? 1 : 0;
    const y = x + (next << 7), r = q + ((next * n) << 5), metaY = meta + ((next * n) << 4);
    doubled(x, q);
    doubled(y, r);
    const a = i32x4.max_u(v128.load(q), v128.load(q, 16)), b = i32x4.max_u(v128.load(r), v128.load(r, 16));
    // The largest of the first group twice, then that of the second.
    let largest = i32x4.max_u(v128.shuffle<i32>(a, b, 0, 1, 4, 5), v128.shuffle<i32>(a, b, 2, 3, 6, 7));
    largest = i32x4.max_u(largest, v128.shuffle<i32>(largest, largest, 1, 0, 3, 2));
    largest = i32x4.shr_u(largest, 1);
    // Not finite, not even zero times something, where a number of the group is not.
    const scale = f32x4.add(f32x4.div(largest, f32x4.splat(127)), f32x4.sub(largest, largest));
    // A group so small that 127 / largest overflows is zero for every purpose.
    const tiny = f32x4.le(largest, f32x4.splat(1e-36));
    const inverse = v128.andnot(f32x4.div(f32x4.splat(127), largest), tiny);
    const inverseX = v128.shuffle<i32>(inverse, inverse, 0, 0, 0, 0);
    const inverseY = v128.shuffle<i32>(inverse, inverse, 2, 2, 2, 2);
    const sumsX = i16x8.narrow_i32x4_s(pack(x, inverseX, q, round, ones), pack(x + 64, inverseX, q + 16, round, ones));
    const sumsY = i16x8.narrow_i32x4_s(pack(y, inverseY, r, round, ones), pack(y + 64, inverseY, r + 16, round, ones));
    const pairs = i16x8.narrow_i32x4_s(i32x4.dot_i16x8_s(sumsX, ones), i32x4.dot_i16x8_s(sumsY, ones));
    const halves = f32x4.convert_i32x4_s(i32x4.dot_i16x8_s(pairs, ones));
    const wholes = f32x4.add(halves, v128.shuffle<i32>(halves, halves, 1, 0, 3, 2));
    const scaled = f32x4.mul(scale, halves), all = f32x4.mul(scale, wholes);
    v128.store(meta, v128.shuffle<i32>(v128.shuffle<i32>(scale, all, 0, 4, 1, 5), scaled, 0, 1, 4, 5));
    v128.store(metaY, v128.shuffle<i32>(v128.shuffle<i32>(scale, all, 2, 6, 3, 7), scaled, 0, 1, 6, 7));
    x += 256;
    q += <usize>n << 6;
    meta += <usize>n << 5;
  }
}

/** In eight lanes the largest of the doubled bits of 32 floats: without their sign they compare as whole numbers, NaN above all. */
// @ts-ignore: decorator
@inline function doubled(x: usize, to: usize): void {
  const a = i32x4.max_u(i32x4.shl(v128.load(x), 1), i32x4.shl(v128.load(x, 32), 1));
  const b = i32x4.max_u(i32x4.shl(v128.load(x, 16), 1), i32x4.shl(v128.load(x, 48), 1));
  const c = i32x4.max_u(i32x4.shl(v128.load(x, 64), 1), i32x4.shl(v128.load(x, 96), 1));
  const d = i32x4.max_u(i32x4.shl(v128.load(x, 80), 1), i32x4.shl(v128.load(x, 112), 1));
  v128.store(to, i32x4.max_u(a, c));
  v128.store(to, i32x4.max_u(b, d), 16);
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
