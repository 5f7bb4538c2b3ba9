// Integer products of progressive 4-bit weights (Lin et al. 2024, QServe, arXiv 2405.04532): no weight is expanded, a group's
// partial sum is multiplied by its step instead. Numbers of 4 bits are the unsigned operand, activations the signed one.
import { address, int, take } from '../assembly/args';
import { dot4 } from '../assembly/simd';
import { blockBytes, finish, ROWS, tileBytes } from './block.assembly';

/** Tokens that share the unpacking of a group. */
// @ts-ignore: decorator
@inline const TILE: i32 = 64;
/** Up to this many tokens numbers are unpacked as they are multiplied. */
// @ts-ignore: decorator
@inline const FEW: i32 = 3;

/**
 * Arguments: 0 blocks (see index.ts), 1 rows, 2 columns, 3 columns of a group, 4 activations in bytes [n, columns], 5 their
 * sums [n, groups], 6 n, 7 out [n, stride], 8 stride, 9 scales of the activations [n], or 0 where out is to be the integers,
 * 10 bias or 0, 11 1 to add to out, 12 blocks an item.
 */
export function progressive(args: usize, counter: usize, scratch: usize): void {
  const matrix = address(args, 0);
  const blocks = int(args, 1) / ROWS;
  const columns = int(args, 2);
  const group = int(args, 3);
  const x = address(args, 4);
  const sums = address(args, 5);
  const n = int(args, 6);
  const out = address(args, 7);
  const stride = <usize>int(args, 8) << 2;
  const scales = address(args, 9);
  const bias = address(args, 10);
  const accumulate = int(args, 11) != 0;
  const perItem = int(args, 12);
  const bytes = blockBytes(columns, group);
  for (;;) {
    const first = take(counter) * perItem;
    if (first >= blocks) return;
    const last = min(first + perItem, blocks);
    for (let b = first; b < last; b++) {
      const at = <usize>b << 4;
      const block = matrix + <usize>b * bytes, to = out + at, biased = bias ? bias + at : 0;
      if (n <= FEW) few(block, columns, group, x, sums, n, to, stride, scales, biased, accumulate);
      else many(block, columns, group, x, sums, n, to, stride, scales, biased, accumulate, scratch);
    }
  }
}

function few(
  block: usize, columns: i32, group: i32, x: usize, sums: usize, n: i32,
  out: usize, stride: usize, scales: usize, bias: usize, accumulate: bool,
): void {
  const half = <usize>(group >> 1), steps = half << 2;
  const next = tileBytes(group);
  for (let t = 0; t < n; t++, out += stride) {
    let tile = block + 16;
    let a = i32x4.splat(0), b = a, c = a, d = a, zeros = a;
    for (const end = x + <usize>columns; x < end; x += group, sums += 4, tile += next) {
      a = i32x4.add(a, i32x4.mul(packed(tile, x, half), i32x4.splat(load<u8>(tile + steps))));
      b = i32x4.add(b, i32x4.mul(packed(tile + half, x, half), i32x4.splat(load<u8>(tile + steps, 1))));
      c = i32x4.add(c, i32x4.mul(packed(tile + 2 * half, x, half), i32x4.splat(load<u8>(tile + steps, 2))));
      d = i32x4.add(d, i32x4.mul(packed(tile + 3 * half, x, half), i32x4.splat(load<u8>(tile + steps, 3))));
      zeros = i32x4.add(zeros, i32x4.mul(bytes4(tile + steps + 4), v128.load32_splat(sums)));
    }
    write(block, across(a, b, c, d, zeros), t, out, scales, bias, accumulate);
  }
}

/** As above, with a group of four rows unpacked once for up to `TILE` tokens, whose sums wait in scratch memory. */
function many(
  block: usize, columns: i32, group: i32, x: usize, sums: usize, n: i32,
  out: usize, stride: usize, scales: usize, bias: usize, accumulate: bool, scratch: usize,
): void {
  const groups = columns / group;
  const row = <usize>group, steps = row << 1;
  const held = scratch, room = scratch + <usize>(TILE * 80);
  for (let t0 = 0; t0 < n; t0 += TILE) {
    const count = min(TILE, n - t0);
    memory.fill(held, 0, <usize>(count * 80));
    let tile = block + 16;
    for (let g = 0; g < groups; g++, tile += tileBytes(group)) {
      unpack(tile, steps, room);
      const s0 = i32x4.splat(load<u8>(tile + steps)), s1 = i32x4.splat(load<u8>(tile + steps, 1));
      const s2 = i32x4.splat(load<u8>(tile + steps, 2)), s3 = i32x4.splat(load<u8>(tile + steps, 3));
      const zero = bytes4(tile + steps + 4);
      let at = x + <usize>(t0 * columns + g * group), sum = sums + (<usize>(t0 * groups + g) << 2);
      for (let to = held, end = held + <usize>(count * 80); to < end; to += 80) {
        let a = i32x4.splat(0), b = a, c = a, d = a;
        for (let k: usize = 0; k < row; k += 16) {
          const y = v128.load(at + k), w = room + k;
          a = dot4(a, y, v128.load(w));
          b = dot4(b, y, v128.load(w + row));
          c = dot4(c, y, v128.load(w + 2 * row));
          d = dot4(d, y, v128.load(w + 3 * row));
        }
        v128.store(to, i32x4.add(v128.load(to), i32x4.mul(a, s0)));
        v128.store(to, i32x4.add(v128.load(to, 16), i32x4.mul(b, s1)), 16);
        v128.store(to, i32x4.add(v128.load(to, 32), i32x4.mul(c, s2)), 32);
        v128.store(to, i32x4.add(v128.load(to, 48), i32x4.mul(d, s3)), 48);
        v128.store(to, i32x4.add(v128.load(to, 64), i32x4.mul(zero, v128.load32_splat(sum))), 64);
        at += columns;
        sum += <usize>groups << 2;
      }
    }
    for (let t = 0, own = held; t < count; t++, own += 80) {
      const all = across(v128.load(own), v128.load(own, 16), v128.load(own, 32), v128.load(own, 48), v128.load(own, 64));
      write(block, all, t0 + t, out + <usize>(t0 + t) * stride, scales, bias, accumulate);
    }
  }
}

/** Numbers of 4 bits as bytes, in the order of their columns. */
function unpack(tile: usize, bytes: usize, to: usize): void {
  const low = i8x16.splat(15);
  for (const end = tile + bytes; tile < end; tile += 16, to += 32) {
    const v = v128.load(tile);
    v128.store(to, v128.and(v, low));
    v128.store(to, v128.and(i16x8.shr_u(v, 4), low), 16);
  }
}

/** One row's products with a group, in four partial sums. */
// @ts-ignore: decorator
@inline function packed(q: usize, x: usize, bytes: usize): v128 {
  const low = i8x16.splat(15);
  let sum = i32x4.splat(0);
  for (const end = q + bytes; q < end; q += 16, x += 32) {
    const v = v128.load(q);
    sum = dot4(sum, v128.load(x), v128.and(v, low));
    sum = dot4(sum, v128.load(x, 16), v128.and(i16x8.shr_u(v, 4), low));
  }
  return sum;
}

/** Four bytes as whole numbers. */
// @ts-ignore: decorator
@inline function bytes4(from: usize): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(from)));
}

/** Four rows' lanes become four neighbouring sums, less what their zeros add. */
// @ts-ignore: decorator
@inline function across(a: v128, b: v128, c: v128, d: v128, zeros: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
  const all = i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
  return i32x4.sub(all, zeros);
}

// @ts-ignore: decorator
@inline function write(block: usize, all: v128, t: i32, out: usize, scales: usize, bias: usize, accumulate: bool): void {
  if (!scales) v128.store(out, all);
  else finish(block, f32x4.convert_i32x4_s(all), v128.load32_splat(scales + (<usize>t << 2)), out, bias, accumulate);
}
