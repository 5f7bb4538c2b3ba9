// Integer products of progressive 4-bit weights (Lin et al. 2024, QServe, arXiv 2405.04532): no weight is expanded, a group's
// partial sum is multiplied by its step instead. Numbers of 4 bits are the unsigned operand, activations the signed one.
import { address, int, take } from '../assembly/args';
import { dot4 } from '../assembly/simd';

// @ts-ignore: decorator
@inline const ROWS: i32 = 4;

/**
 * Arguments: 0 tiles (see index.ts), 1 rows, 2 columns, 3 columns of a group, 4 activations in bytes [n, columns], 5 their
 * sums [n, groups], 6 n, 7 out, int32 [n, rows].
 */
export function progressive(args: usize, counter: usize): void {
  const tiles = address(args, 0);
  const rows = int(args, 1);
  const columns = int(args, 2);
  const group = int(args, 3);
  const x = address(args, 4);
  const sums = address(args, 5);
  const n = int(args, 6);
  const out = address(args, 7);
  const groups = columns / group;
  const tileBytes = <usize>(2 * group + 2 * ROWS);
  const blocks = rows / ROWS;
  for (let block = take(counter); block < blocks; block = take(counter)) {
    const first = tiles + <usize>(block * groups) * tileBytes;
    for (let t = 0; t < n; t++) {
      let tile = first, at = x + <usize>(t * columns), sum = sums + (<usize>(t * groups) << 2);
      let a = i32x4.splat(0), b = a, c = a, d = a, zeros = a;
      for (let g = 0; g < groups; g++, tile += tileBytes, at += group, sum += 4) {
        const half = <usize>(group >> 1), steps = tile + <usize>(2 * group);
        a = i32x4.add(a, i32x4.mul(products(tile, at, half), i32x4.splat(load<u8>(steps))));
        b = i32x4.add(b, i32x4.mul(products(tile + half, at, half), i32x4.splat(load<u8>(steps, 1))));
        c = i32x4.add(c, i32x4.mul(products(tile + 2 * half, at, half), i32x4.splat(load<u8>(steps, 2))));
        d = i32x4.add(d, i32x4.mul(products(tile + 3 * half, at, half), i32x4.splat(load<u8>(steps, 3))));
        const four = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(steps, 4)));
        zeros = i32x4.add(zeros, i32x4.mul(four, v128.load32_splat(sum)));
      }
      // Four rows' lanes become four neighbouring sums.
      const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
      const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
      const all = i32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
      v128.store(out + (<usize>(t * rows + block * ROWS) << 2), i32x4.sub(all, zeros));
    }
  }
}

/** One row's products with a group, in four partial sums. */
// @ts-ignore: decorator
@inline function products(q: usize, x: usize, bytes: usize): v128 {
  const low = i8x16.splat(15);
  let sum = i32x4.splat(0);
  for (const end = q + bytes; q < end; q += 16, x += 32) {
    const v = v128.load(q);
    sum = dot4(sum, v128.load(x), v128.and(v, low));
    sum = dot4(sum, v128.load(x, 16), v128.and(i16x8.shr_u(v, 4), low));
  }
  return sum;
}
