// Progressive weights with activations in float32: numbers become the 8-bit integers that they stand for (a product of 16
// bits and a difference, as in section 5.2 of the paper), and those become floats.
import { address, int, take } from '../assembly/args';
import { madd } from '../assembly/simd';
import { blockBytes, finish, ROWS } from './block.assembly';

// @ts-ignore: decorator
@inline const TILE: i32 = 64;

/**
 * Arguments: 0 blocks (see index.ts), 1 rows, 2 columns, 3 columns of a group, 4 activations [n, columns], 5 n,
 * 6 out [n, stride], 7 stride, 8 bias or 0, 9 1 to add to out.
 */
export function progressiveFloat(args: usize, counter: usize, scratch: usize): void {
  const matrix = address(args, 0);
  const blocks = int(args, 1) / ROWS;
  const columns = int(args, 2);
  const group = int(args, 3);
  const x = address(args, 4);
  const n = int(args, 5);
  const out = address(args, 6);
  const stride = <usize>int(args, 7) << 2;
  const bias = address(args, 8);
  const accumulate = int(args, 9) != 0;
  const row = <usize>columns << 2;
  const room = scratch + <usize>(TILE * 64);
  for (let b = take(counter); b < blocks; b = take(counter)) {
    const block = matrix + <usize>b * blockBytes(columns, group), at = <usize>b << 4;
    for (let t0 = 0; t0 < n; t0 += TILE) {
      const count = min(TILE, n - t0);
      memory.fill(scratch, 0, <usize>(count << 6));
      let tile = block + 16;
      for (let c = 0; c < columns; ) {
        const steps = tile + <usize>(2 * group);
        for (let k = 0; k < group; k += 32, c += 32) {
          for (let r: usize = 0; r < <usize>ROWS; r++) {
            const from = tile + r * <usize>(group >> 1) + <usize>(k >> 1);
            expand(from, load<u8>(steps + r), load<u8>(steps + r, 4), room + (r << 7));
          }
          let y = x + <usize>t0 * row + (<usize>c << 2);
          for (let to = scratch, end = scratch + <usize>(count << 6); to < end; to += 64, y += row) add32(y, room, to);
        }
        tile = steps + 2 * ROWS;
      }
      for (let t = 0; t < count; t++) {
        const own = scratch + <usize>(t << 6), to = out + <usize>(t0 + t) * stride + at;
        finish(block, fourSums(own), f32x4.splat(1), to, bias ? bias + at : 0, accumulate);
      }
    }
  }
}

/** 32 numbers of a row as float32. */
function expand(from: usize, scale: u8, bias: u8, to: usize): void {
  const v = v128.load(from), s = i16x8.splat(<i16>scale), z = i16x8.splat(<i16>bias), low = i8x16.splat(15);
  expand16(v128.and(v, low), s, z, to);
  expand16(v128.and(i16x8.shr_u(v, 4), low), s, z, to + 64);
}

// @ts-ignore: decorator
@inline function expand16(v: v128, s: v128, z: v128, to: usize): void {
  const a = i16x8.sub(i16x8.mul(i16x8.extend_low_i8x16_u(v), s), z);
  const b = i16x8.sub(i16x8.mul(i16x8.extend_high_i8x16_u(v), s), z);
  v128.store(to, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(a)));
  v128.store(to, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(a)), 16);
  v128.store(to, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(b)), 32);
  v128.store(to, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(b)), 48);
}

/** Adds products of 32 columns of four rows to four partial sums each. */
// @ts-ignore: decorator
@inline function add32(x: usize, w: usize, to: usize): void {
  let a = v128.load(to), b = v128.load(to, 16), c = v128.load(to, 32), d = v128.load(to, 48);
  for (const end = w + 128; w < end; w += 16, x += 16) {
    const y = v128.load(x);
    a = madd(y, v128.load(w), a);
    b = madd(y, v128.load(w, 128), b);
    c = madd(y, v128.load(w, 256), c);
    d = madd(y, v128.load(w, 384), d);
  }
  v128.store(to, a);
  v128.store(to, b, 16);
  v128.store(to, c, 32);
  v128.store(to, d, 48);
}

// @ts-ignore: decorator
@inline function fourSums(from: usize): v128 {
  const a = v128.load(from), b = v128.load(from, 16), c = v128.load(from, 32), d = v128.load(from, 48);
  const ab = f32x4.add(v128.shuffle<i32>(a, b, 0, 4, 2, 6), v128.shuffle<i32>(a, b, 1, 5, 3, 7));
  const cd = f32x4.add(v128.shuffle<i32>(c, d, 0, 4, 2, 6), v128.shuffle<i32>(c, d, 1, 5, 3, 7));
  return f32x4.add(v128.shuffle<i32>(ab, cd, 0, 1, 4, 5), v128.shuffle<i32>(ab, cd, 2, 3, 6, 7));
}
