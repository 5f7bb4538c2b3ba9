// AssemblyScript. Weights as they lie in a file become the layouts of matmul/layout.ts, a block at a time: two octets of rows
// which are two quads each. In vectors of four lanes every row of a quad has one.
import { address, int, take } from '../assembly/args';
import { floatToHalf, halfToFloat } from '../assembly/simd';
import { blockBytes, FACTORS, groupBytes, scaleBytes } from '../matmul/layout.assembly';

// The numbers of `packable` in index.ts.
// @ts-ignore: decorator
@inline const Q4_0: i32 = 0;
// @ts-ignore: decorator
@inline const Q4_1: i32 = 1;
// @ts-ignore: decorator
@inline const Q8_0: i32 = 2;
// @ts-ignore: decorator
@inline const F16: i32 = 3;

/** The largest half that is a number. */
// @ts-ignore: decorator
@inline const LARGEST: i32 = 0x7bff;
/** Added to a double below 2⁵¹ it leaves the nearest integer, ties to even, in the low bits. */
// @ts-ignore: decorator
@inline const ROUNDER: f64 = 6755399441055744;

/** Bytes of 32 columns in the file. */
// @ts-ignore: decorator
@inline function fileBytes(type: i32): usize {
  return type == Q4_0 ? 18 : type == Q4_1 ? 20 : type == Q8_0 ? 34 : 64;
}

// @ts-ignore: decorator
@inline function layoutOf(type: i32): i32 {
  return type == Q4_0 ? 0 : type == Q4_1 ? 1 : 3;
}

/**
 * Arguments: rows in the file's format, its number, rows, columns (a multiple of 32), the packed matrix, a word that becomes
 * 1 when a scale or an element is not finite. Rows that fill up the last block become zeros.
 */
export function pack(args: usize, counter: usize): void {
  const source = address(args, 0);
  const type = int(args, 1);
  const rows = int(args, 2);
  const groups = int(args, 3) >> 5;
  const out = address(args, 4);
  const fault = address(args, 5);
  const row = <usize>groups * fileBytes(type);
  const block = blockBytes(layoutOf(type), groups << 5);
  for (let b = take(counter); b << 4 < rows; b = take(counter)) {
    const to = out + <usize>b * block;
    for (let q = 0; q < 4; q++) {
      const first = (b << 4) + (q << 2);
      if (type == Q4_0) quad4_0(source, row, rows, groups, to, q, first, fault);
      else if (type == Q4_1) quad4_1(source, row, rows, groups, to, q, first, fault);
      else if (type == Q8_0) quad8_0(source, row, rows, groups, to, q, first, fault);
      else quad16(source, row, rows, groups, to, q, first, fault);
    }
  }
}

// Functions that are called often, since V8 optimises a function from one of its next calls on.
function quad4_0(from: usize, row: usize, rows: i32, groups: i32, to: usize, q: i32, first: i32, fault: usize): void {
  quad(Q4_0, from, row, rows, groups, to, q, first, fault);
}
function quad4_1(from: usize, row: usize, rows: i32, groups: i32, to: usize, q: i32, first: i32, fault: usize): void {
  quad(Q4_1, from, row, rows, groups, to, q, first, fault);
}
function quad8_0(from: usize, row: usize, rows: i32, groups: i32, to: usize, q: i32, first: i32, fault: usize): void {
  quad(Q8_0, from, row, rows, groups, to, q, first, fault);
}
function quad16(from: usize, row: usize, rows: i32, groups: i32, to: usize, q: i32, first: i32, fault: usize): void {
  quad(F16, from, row, rows, groups, to, q, first, fault);
}

/** Packs the rows from `first` on that are quad `q` of the block at `to`; those of the file are at `from`. */
// @ts-ignore: decorator
@inline function quad(
  type: i32,
  from: usize,
  row: usize,
  rows: i32,
  groups: i32,
  to: usize,
  q: i32,
  first: i32,
  fault: usize,
): void {
  // Lanes of rows beyond the last read the last and keep nothing of it.
  const numbers = i32x4.add(i32x4.splat(first), i32x4(0, 1, 2, 3));
  const keep = i32x4.lt_s(numbers, i32x4.splat(rows));
  const index = i32x4.min_s(numbers, i32x4.splat(rows - 1));
  let a = from + <usize>i32x4.extract_lane(index, 0) * row;
  let b = from + <usize>i32x4.extract_lane(index, 1) * row;
  let c = from + <usize>i32x4.extract_lane(index, 2) * row;
  let d = from + <usize>i32x4.extract_lane(index, 3) * row;
  const bytes = fileBytes(type);

  let largest = i32x4.splat(0);
  for (let at: usize = 0; at < row; at += bytes) {
    largest = i16x8.max_u(largest, largestOf(type, a + at, b + at, c + at, d + at));
  }
  if (v128.any_true(i32x4.gt_s(largest, i32x4.splat(LARGEST)))) store<i32>(fault, 1);

  // The power of two under which the largest scale of a row is at the upper end of the halves. A scale has 11 bits, so it
  // stays what it was, and is never too large.
  const exponent = v128.and(scaleOf(type, largest), i32x4.splat(0x7f800000));
  const some = i32x4.ne(largest, i32x4.splat(0));
  const factor = v128.bitselect(i32x4.sub(exponent, i32x4.splat(15 << 23)), f32x4.splat(1), some);
  const inverse = i32x4.sub(i32x4.splat(254 << 23), factor);
  v128.store(to + (<usize>q << 4), v128.and(factor, keep));

  const bytesOfGroup = groupBytes(layoutOf(type));
  to += FACTORS + <usize>(q >> 1) * bytesOfGroup;
  for (let g = 0; g < groups; g++) {
    const halves = to + (<usize>(q & 1) << 3);
    const lines = to + scaleBytes(layoutOf(type)) + (<usize>(q & 1) << 4);
    to += bytesOfGroup << 1;
    if (type == F16) {
      const scale = scaleOf(type, largestOf(type, a, b, c, d));
      storeHalves(halves, f32x4.mul(scale, inverse), keep);
      const ia = inverseOf(f32x4.extract_lane(scale, 0));
      const ib = inverseOf(f32x4.extract_lane(scale, 1));
      const ic = inverseOf(f32x4.extract_lane(scale, 2));
      const id = inverseOf(f32x4.extract_lane(scale, 3));
      for (let i: usize = 0; i < 2; i++) {
        const at = i << 5;
        const to = lines + (i << 7);
        storeLines(to, keep, round16(a + at, ia), round16(b + at, ib), round16(c + at, ic), round16(d + at, id));
      }
    } else {
      storeHalves(halves, f32x4.mul(signed(gather(a, b, c, d)), inverse), keep);
      if (type == Q8_0) {
        storeLines(lines, keep, centre(a + 2), centre(b + 2), centre(c + 2), centre(d + 2));
        storeLines(lines + 128, keep, centre(a + 18), centre(b + 18), centre(c + 18), centre(d + 18));
      } else {
        if (type == Q4_1) {
          storeHalves(halves + 16, f32x4.mul(signed(gather(a + 2, b + 2, c + 2, d + 2)), inverse), keep);
        }
        const at: usize = type == Q4_1 ? 4 : 2;
        storeLines(lines, keep, pairs(a + at), pairs(b + at), pairs(c + at), pairs(d + at));
      }
    }
    a += bytes;
    b += bytes;
    c += bytes;
    d += bytes;
  }
}

/** Four halves, each in a lane of 32 bits. */
// @ts-ignore: decorator
@inline function gather(a: usize, b: usize, c: usize, d: usize): v128 {
  const v = v128.load16_lane(b, v128.load16_lane(a, i32x4.splat(0), 0), 2);
  return v128.load16_lane(d, v128.load16_lane(c, v, 4), 6);
}

// @ts-ignore: decorator
@inline function signed(halves: v128): v128 {
  return halfToFloat(i32x4.shr_s(i32x4.shl(halves, 16), 16));
}

/** The largest magnitude among a group's scale and minimum, or its elements, as a half. */
// @ts-ignore: decorator
@inline function largestOf(type: i32, a: usize, b: usize, c: usize, d: usize): v128 {
  const magnitude = i32x4.splat(0x7fff);
  if (type == F16) return i32x4(largestOf32(a), largestOf32(b), largestOf32(c), largestOf32(d));
  const scale = v128.and(gather(a, b, c, d), magnitude);
  if (type != Q4_1) return scale;
  return i32x4.max_s(scale, v128.and(gather(a + 2, b + 2, c + 2, d + 2), magnitude));
}

// @ts-ignore: decorator
@inline function largestOf32(p: usize): i32 {
  const magnitude = i16x8.splat(0x7fff);
  let v = i16x8.max_u(v128.and(v128.load(p), magnitude), v128.and(v128.load(p, 16), magnitude));
  v = i16x8.max_u(v, v128.and(v128.load(p, 32), magnitude));
  v = i16x8.max_u(v, v128.and(v128.load(p, 48), magnitude));
  v = i16x8.max_u(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  v = i16x8.max_u(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return max<i32>(i16x8.extract_lane_u(v, 0), i16x8.extract_lane_u(v, 1));
}

/** The scale of groups whose largest scale, or element, is given as a half: 127 steps reach an element, rounded to 11 bits. */
// @ts-ignore: decorator
@inline function scaleOf(type: i32, largest: v128): v128 {
  const value = halfToFloat(largest);
  if (type != F16) return value;
  const step = f32x4.div(value, f32x4.splat(127));
  return v128.and(i32x4.add(step, i32x4.splat(0x1000)), i32x4.splat(~0x1fff));
}

/** A group without a scale holds zeros. */
// @ts-ignore: decorator
@inline function inverseOf(scale: f32): f64 {
  return scale > 0 ? 1 / <f64>scale : 0;
}

/** 16 bytes as they are stored: four words of 8 columns whose low halves are those of the first four. */
// @ts-ignore: decorator
@inline function pairs(p: usize): v128 {
  const v = v128.load(p);
  const low = v128.and(v, i8x16.splat(15));
  const high = v128.and(i16x8.shr_u(v, 4), i8x16.splat(15));
  const first = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
  const second = v128.shuffle<i32>(low, high, 1, 3, 5, 7);
  return v128.or(first, i16x8.shl(second, 4));
}

/** 16 signed bytes with 128 added. */
// @ts-ignore: decorator
@inline function centre(p: usize): v128 {
  return v128.xor(v128.load(p), i8x16.splat(-128));
}

/** 16 halves over a scale, rounded in double precision as the reference is, with 128 added. */
// @ts-ignore: decorator
@inline function round16(p: usize, inverse: f64): v128 {
  const first = i16x8.narrow_i32x4_s(round4(p, inverse), round4(p + 8, inverse));
  const second = i16x8.narrow_i32x4_s(round4(p + 16, inverse), round4(p + 24, inverse));
  return v128.xor(i8x16.narrow_i16x8_s(first, second), i8x16.splat(-128));
}

// @ts-ignore: decorator
@inline function round4(p: usize, inverse: f64): v128 {
  const x = halfToFloat(v128.load16x4_s(p));
  const y = v128.shuffle<i32>(x, x, 2, 3, 2, 3);
  const by = f64x2.splat(inverse);
  const rounder = f64x2.splat(ROUNDER);
  const low = f64x2.add(f64x2.mul(f64x2.promote_low_f32x4(x), by), rounder);
  const high = f64x2.add(f64x2.mul(f64x2.promote_low_f32x4(y), by), rounder);
  return v128.shuffle<i32>(low, high, 0, 2, 4, 6);
}

// @ts-ignore: decorator
@inline function storeHalves(to: usize, values: v128, keep: v128): void {
  const halves = v128.and(floatToHalf(values), keep);
  v128.store64_lane(to, i16x8.narrow_i32x4_u(halves, halves), 0);
}

/** Word i of every row to line i. */
// @ts-ignore: decorator
@inline function storeLines(to: usize, keep: v128, a: v128, b: v128, c: v128, d: v128): void {
  const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const AB = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const CD = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.and(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), keep));
  v128.store(to, v128.and(v128.shuffle<i32>(ab, cd, 2, 3, 6, 7), keep), 32);
  v128.store(to, v128.and(v128.shuffle<i32>(AB, CD, 0, 1, 4, 5), keep), 64);
  v128.store(to, v128.and(v128.shuffle<i32>(AB, CD, 2, 3, 6, 7), keep), 96);
}
