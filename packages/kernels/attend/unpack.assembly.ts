// A page's keys and values as floats [d][32] and [32][d].
import {
  F16, groupsOf, keysOf, KV4, minimaK, Q8, scalesK, scalesK4, scalesV, scalesV4, SLOTS, values4, valuesOf,
} from '../append/page.assembly';
import { beyondHalves, halfToFloat, madd, number } from '../assembly/simd';
import * as int4 from './int4.assembly';
import { Tile } from './tile.assembly';

// The lowest byte of a lane.
const LOW_BYTE: usize = memory.data<u32>([255]);

/** Keys of a page that are not floats, into the tile's room for them. */
export function unpackKeys(page: usize, format: i32, d: i32, tile: Tile): void {
  const k = keysOf(page);
  if (format == F16) {
    unpackHalves(k, d * SLOTS, tile.keys);
    restoreNaN(tile.keys);
  } else if (format == Q8) unpackKeyBytes(k, d, scalesK(page, d), minimaK(page, d), tile.keys);
  else if (format == KV4) {
    const scales = tile.values + <usize>(d * SLOTS);
    int4.floatsOf(scalesK4(page, d), 2 * SLOTS, scales);
    int4.unpackKeys(k, d, tile.values);
    unpackKeyBytes(tile.values, d, scales, scales + 4 * SLOTS, tile.keys);
  } else {
    // The bytes and the channels' scales go where the values will be.
    const scales = tile.values + <usize>(d * SLOTS);
    int4.floatsOf(scalesK4(page, d), 2 * d, scales);
    int4.unpackKeys(k, d, tile.values);
    unpackKeyNibbles(tile.values, d, scales, tile.keys);
    // As in half precision, a slot that holds a NaN shows it in its first channel.
    int4.floatsOf(scalesV4(page, d), SLOTS, tile.values);
    for (let s: usize = 0; s < 128; s += 16) {
      const scale = v128.load(tile.values + s);
      v128.store(tile.keys + s, v128.or(v128.load(tile.keys + s), f32x4.ne(scale, scale)));
    }
  }
}

export function unpackValues(page: usize, format: i32, d: i32, tile: Tile): void {
  if (format == F16) unpackHalves(valuesOf(page, d, F16), d * SLOTS, tile.values);
  else if (format == Q8) unpackValueBytes(valuesOf(page, d, Q8), d, scalesV(page, d), tile.values);
  else {
    const scales = tile.keys + <usize>(d * SLOTS);
    const groups = format == KV4 ? 1 : groupsOf(d);
    int4.floatsOf(format == KV4 ? scalesK4(page, d) + 4 * SLOTS : scalesV4(page, d), 2 * groups * SLOTS, scales);
    int4.unpackValues(values4(page, d), d, tile.keys);
    unpackValueNibbles(tile.keys, d, scales, groups, tile.values);
  }
}

/** The four bytes of every lane as floats, each with its scales and minima, to rows of 32. */
// @ts-ignore: decorator
@inline function fourChannels(
  v: v128, s0: v128, s1: v128, s2: v128, s3: v128, m0: v128, m1: v128, m2: v128, m3: v128, out: usize,
): void {
  const low = number(LOW_BYTE, 0);
  v128.store(out, madd(f32x4.convert_i32x4_s(v128.and(v, low)), s0, m0));
  v128.store(out, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 8), low)), s1, m1), 128);
  v128.store(out, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 16), low)), s2, m2), 256);
  v128.store(out, madd(f32x4.convert_i32x4_s(i32x4.shr_u(v, 24)), s3, m3), 384);
}

/** Keys [d / 4][32][4] in bytes as floats [d][32], with scales and minima [2][d]. */
function unpackKeyNibbles(x: usize, d: i32, scales: usize, out: usize): void {
  const minima = scales + (<usize>d << 2);
  for (let c: usize = 0; c < <usize>d << 2; c += 16) {
    const s0 = v128.load32_splat(scales + c), s1 = v128.load32_splat(scales + c, 4);
    const s2 = v128.load32_splat(scales + c, 8), s3 = v128.load32_splat(scales + c, 12);
    const m0 = v128.load32_splat(minima + c), m1 = v128.load32_splat(minima + c, 4);
    const m2 = v128.load32_splat(minima + c, 8), m3 = v128.load32_splat(minima + c, 12);
    for (let s: usize = 0; s < 128; s += 16) {
      fourChannels(v128.load(x + s), s0, s1, s2, s3, m0, m1, m2, m3, out + s);
    }
    x += 128;
    out += 512;
  }
}

/**
 * Values [8][d][4] in bytes as floats [32][d], with scales and minima [2][groups][32], groups of 32 channels or one of all;
 * of a scale that is NaN, zeros.
 */
function unpackValueNibbles(x: usize, d: i32, scales: usize, groups: i32, out: usize): void {
  const row = <usize>d << 2;
  const minima = <usize>groups << 7;
  const width = groups == 1 ? row : 128;
  for (let s: usize = 0; s < 32; s += 4) {
    for (let c: usize = 0; c < row; c += width) {
      const end = min(row, c + width);
      for (let j: usize = 0; j < 4; j++) {
        const at = scales + c + s + (j << 5);
        const scale = v128.load32_splat(at);
        const sound = f32x4.eq(scale, scale);
        const factor = v128.and(scale, sound), minimum = v128.and(v128.load32_splat(at + minima), sound);
        const to = out + 8 * j * row;
        for (let i = c; i < end; i += 16) {
          const level = v128.and(i32x4.shr_u(v128.load(x + i), <i32>(8 * j)), number(LOW_BYTE, 0));
          v128.store(to + i, madd(f32x4.convert_i32x4_s(level), factor, minimum));
        }
      }
    }
    x += row;
    out += row;
  }
}

/** `count` halves as floats; a multiple of 8. */
function unpackHalves(x: usize, count: i32, out: usize): void {
  for (let c = 0; c < count; c += 8) {
    const v = v128.load(x);
    v128.store(out, halfToFloat(i32x4.extend_low_i16x8_s(v)));
    v128.store(out, halfToFloat(i32x4.extend_high_i16x8_s(v)), 16);
    x += 16;
    out += 32;
  }
}

/** Keys that are NaN in their first channel, where `append` leaves it: no half stands for a number above 65504. */
function restoreNaN(k: usize): void {
  for (let s: usize = 0; s < 128; s += 16) {
    const v = v128.load(k + s);
    v128.store(k + s, v128.or(v, beyondHalves(v)));
  }
}

/** Keys of 7 bits [d / 4][32][4] as floats [d][32]. */
function unpackKeyBytes(x: usize, d: i32, scales: usize, minima: usize, out: usize): void {
  for (let c = 0; c < d; c += 4) {
    for (let s: usize = 0; s < 128; s += 16) {
      const z = v128.load(scales + s), m = v128.load(minima + s);
      fourChannels(v128.load(x + s), z, z, z, z, m, m, m, m, out + s);
    }
    x += 128;
    out += 512;
  }
}

/** Values of 8 bits [8][d][4] as floats [32][d]. */
function unpackValueBytes(x: usize, d: i32, scales: usize, out: usize): void {
  const row = <usize>d << 2;
  for (let s: usize = 0; s < 32; s += 4) {
    const s0 = v128.load32_splat(scales + s), s1 = v128.load32_splat(scales + s, 32);
    const s2 = v128.load32_splat(scales + s, 64), s3 = v128.load32_splat(scales + s, 96);
    for (let c: usize = 0; c < row; c += 16) {
      const v = v128.load(x + c);
      const to = out + c;
      v128.store(to, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 24), 24)), s0));
      v128.store(to + 8 * row, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 24)), s1));
      v128.store(to + 16 * row, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 8), 24)), s2));
      v128.store(to + 24 * row, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(v, 24)), s3));
    }
    x += row;
    out += row;
  }
}
