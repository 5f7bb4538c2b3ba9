// Activations for products of progressive weights: 8 bits with one scale for a whole row.
import { address, int, rowsAtOnce, take } from '../assembly/args';
import { number, ROUND, rounded } from '../assembly/simd';

// The largest byte, and the least magnitude that a row's largest number is taken for.
const LIMITS: usize = memory.data<f32>([127, 1e-6]);

/**
 * Arguments: x, x stride in floats, rows, columns, columns of a group, out bytes [rows, columns], out scales [rows], out
 * sums of every group [rows, groups]. A scale is not finite where a number of its row is not.
 */
export function quantizeRows(args: usize, counter: usize): void {
  const x = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const rows = int(args, 2);
  const columns = int(args, 3);
  const group = int(args, 4);
  const q = address(args, 5);
  const scales = address(args, 6);
  const sums = address(args, 7);
  const step = rowsAtOnce(rows);
  for (let first = take(counter) * step; first < rows; first = take(counter) * step) {
    for (let r = <usize>first, end = <usize>min(first + step, rows); r < end; r++) {
      quantizeWhole(x + r * stride, columns, group, q + r * columns, scales + (r << 2), sums + ((r * (columns / group)) << 2));
    }
  }
}

function quantizeWhole(x: usize, columns: i32, group: i32, q: usize, scale: usize, sums: usize): void {
  const most = largestOf(x, columns), bounded = most < load<f32>(LIMITS, 4) ? load<f32>(LIMITS, 4) : most;
  store<f32>(scale, bounded / load<f32>(LIMITS));
  // Not zero times infinity: what is not finite becomes some byte, and shows in the scale.
  const inverse = f32x4.splat(load<f32>(LIMITS) / bounded);
  for (const end = x + (<usize>columns << 2); x < end; sums += 4) {
    let all = i32x4.splat(0);
    for (const stop = q + group; q < stop; q += 16, x += 64) all = i32x4.add(all, pack16(x, inverse, q));
    store<i32>(sums, i32x4.extract_lane(all, 0) + i32x4.extract_lane(all, 1) + i32x4.extract_lane(all, 2) + i32x4.extract_lane(all, 3));
  }
}

/** The largest magnitude of a row; NaN where one is. Without their sign floats compare as whole numbers, NaN above all. */
function largestOf(x: usize, columns: i32): f32 {
  let most = i32x4.splat(0);
  for (const end = x + (<usize>columns << 2); x < end; x += 16) most = i32x4.max_u(most, i32x4.shl(v128.load(x), 1));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  return reinterpret<f32>(i32x4.extract_lane(i32x4.shr_u(most, 1), 0));
}

/** Rounds 16 floats to bytes and returns their sums over four each. */
// @ts-ignore: decorator
@inline function pack16(x: usize, inverse: v128, q: usize): v128 {
  const round = number(ROUND, 0);
  const a = rounded(f32x4.mul(v128.load(x), inverse), round), b = rounded(f32x4.mul(v128.load(x, 16), inverse), round);
  const c = rounded(f32x4.mul(v128.load(x, 32), inverse), round), d = rounded(f32x4.mul(v128.load(x, 48), inverse), round);
  const ab = i16x8.narrow_i32x4_s(a, b), cd = i16x8.narrow_i32x4_s(c, d);
  v128.store(q, i8x16.narrow_i16x8_s(ab, cd));
  return i32x4.dot_i16x8_s(i16x8.add(ab, cd), i16x8.splat(1));
}
