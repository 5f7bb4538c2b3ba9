// Attention in 8-bit integers for many queries over pages of halves or of 4 bits, which are packed to bytes once for a whole
// tile. Channels of keys lie around values of their own that hardly change from token to token: what is packed is a key's
// distance from the mean of the page before (Zhang et al. 2024, SageAttention, section 4.2, smooth over all keys), so that
// a step is fine where it matters. Query · mean is the same for all slots of a page and goes into the softmax as a float.
import { SLOTS } from '../append/page.assembly';
import { exp2, larger, largest, madd, number, smaller, store4, sum } from '../assembly/simd';
import { softenBytes } from './bytes.assembly';
import { addBytes, scoreKeys } from './int8.assembly';
import { logarithmAbove, nearest, together } from './scaled.assembly';
import { Tile } from './tile.assembly';
import { unpackKeys, unpackValues } from './unpack.assembly';

/** Scores against a page behind `previous`, a full page, or 0. */
export function scorePage(tile: Tile, page: usize, previous: usize, format: i32): void {
  const d = tile.d;
  const row = <usize>d << 2;
  if (previous == 0) memory.fill(tile.means, 0, row);
  else if (tile.meansOf != previous) {
    unpackKeys(previous, format, d, tile);
    means(tile.keys, d, tile.means);
  }
  unpackKeys(page, format, d, tile);
  // The bytes go where the values will be as floats, and the other way round.
  packKeys(tile.keys, tile.means, d, tile.scales, tile.scales + 128, tile.scales + 256, tile.values);
  scoreKeys(tile, tile.values, tile.scales, tile.scales + 128);
  for (let r = 0; r < tile.padded; r += 4) shift4(tile.query(r), tile.means, row, tile.shifts + (<usize>r << 2), tile.scales + 256);
  // For the page behind this one, if there can be one.
  tile.meansOf = tile.count == SLOTS ? page : 0;
  if (tile.meansOf) means(tile.keys, d, tile.means);
}

/** Products of 4 rows of queries with the means; `spare` has room for 32 floats. */
function shift4(q: usize, means: usize, row: usize, to: usize, spare: usize): void {
  const zero = f32x4.splat(0);
  let a0 = zero, a1 = zero, b0 = zero, b1 = zero, c0 = zero, c1 = zero, d0 = zero, d1 = zero;
  for (const end = q + row; q < end; q += 32, means += 32) {
    const m0 = v128.load(means), m1 = v128.load(means, 16);
    const r1 = q + row, r2 = r1 + row, r3 = r2 + row;
    a0 = madd(v128.load(q), m0, a0), a1 = madd(v128.load(q, 16), m1, a1);
    b0 = madd(v128.load(r1), m0, b0), b1 = madd(v128.load(r1, 16), m1, b1);
    c0 = madd(v128.load(r2), m0, c0), c1 = madd(v128.load(r2, 16), m1, c1);
    d0 = madd(v128.load(r3), m0, d0), d1 = madd(v128.load(r3, 16), m1, d1);
  }
  store4(spare, a0, a1, b0, b1);
  store4(spare + 64, c0, c1, d0, d1);
  for (let i: usize = 0; i < 4; i++, spare += 32) {
    store<f32>(to + (i << 2), sum(f32x4.add(v128.load(spare), v128.load(spare, 16))));
  }
}

/** Weights of the scores, and the values they weigh. */
export function addPage(tile: Tile, page: usize, format: i32): void {
  const d = tile.d;
  unpackValues(page, format, d, tile);
  packValues(tile.values, d, tile.scales, tile.scales + 128, tile.keys);
  softenBytes(tile, tile.scales, tile.scales + 128);
  addBytes(tile, tile.keys, 0, d);
}

/** Mean of every channel of keys [d][32]; a NaN counts as 0. */
function means(k: usize, d: i32, to: usize): void {
  for (let c = 0; c < d; c++) {
    let a = f32x4.splat(0), b = a;
    for (let s: usize = 0; s < 128; s += 32) {
      const x = v128.load(k + s), y = v128.load(k + s, 16);
      a = f32x4.add(a, v128.and(x, f32x4.eq(x, x)));
      b = f32x4.add(b, v128.and(y, f32x4.eq(y, y)));
    }
    store<f32>(to + (<usize>c << 2), sum(f32x4.add(a, b)) / <f32>SLOTS);
    k += 128;
  }
}

/**
 * Keys [d][32] less the means [d] to numbers of 7 bits [d / 4][32][4] with a scale and a minimum per slot. A slot whose
 * first channel is NaN gets a scale that is. `inverses` has room for 64 floats.
 */
function packKeys(k: usize, means: usize, d: i32, scales: usize, minima: usize, inverses: usize, out: usize): void {
  const end = k + (<usize>d << 7);
  for (let s: usize = 0; s < 128; s += 64) {
    let l0 = f32x4.splat(Infinity), l1 = l0, l2 = l0, l3 = l0;
    let h0 = f32x4.splat(-Infinity), h1 = h0, h2 = h0, h3 = h0;
    for (let x = k + s, m = means; x < end; x += 128, m += 4) {
      const mean = v128.load32_splat(m);
      const a = f32x4.sub(v128.load(x), mean), b = f32x4.sub(v128.load(x, 16), mean);
      const c = f32x4.sub(v128.load(x, 32), mean), e = f32x4.sub(v128.load(x, 48), mean);
      l0 = smaller(l0, a), l1 = smaller(l1, b), l2 = smaller(l2, c), l3 = smaller(l3, e);
      h0 = larger(h0, a), h1 = larger(h1, b), h2 = larger(h2, c), h3 = larger(h3, e);
    }
    slotScales(l0, h0, v128.load(k + s), scales + s, minima + s, inverses + s);
    slotScales(l1, h1, v128.load(k + s, 16), scales + s + 16, minima + s + 16, inverses + s + 16);
    slotScales(l2, h2, v128.load(k + s, 32), scales + s + 32, minima + s + 32, inverses + s + 32);
    slotScales(l3, h3, v128.load(k + s, 48), scales + s + 48, minima + s + 48, inverses + s + 48);
  }
  for (let c = 0; c < d; c += 4) {
    const m0 = v128.load32_splat(means), m1 = v128.load32_splat(means, 4);
    const m2 = v128.load32_splat(means, 8), m3 = v128.load32_splat(means, 12);
    for (let s: usize = 0; s < 128; s += 32) {
      const x = k + s, i = inverses + s;
      const i0 = v128.load(i), i1 = v128.load(i, 16), z0 = v128.load(i, 128), z1 = v128.load(i, 144);
      const a0 = level(v128.load(x), m0, i0, z0), a1 = level(v128.load(x, 16), m0, i1, z1);
      const b0 = level(v128.load(x, 128), m1, i0, z0), b1 = level(v128.load(x, 144), m1, i1, z1);
      const c0 = level(v128.load(x, 256), m2, i0, z0), c1 = level(v128.load(x, 272), m2, i1, z1);
      const d0 = level(v128.load(x, 384), m3, i0, z0), d1 = level(v128.load(x, 400), m3, i1, z1);
      const p0 = together(a0, b0, c0, d0), p1 = together(a1, b1, c1, d1);
      v128.store(out, p0);
      v128.store(out, p1, 16);
      out += 32;
    }
    k += 512;
    means += 16;
  }
}

/** Scale, minimum, 1 / scale and −minimum / scale of four slots. */
// @ts-ignore: decorator
@inline function slotScales(low: v128, high: v128, first: v128, scale: usize, minimum: usize, inverse: usize): void {
  const range = f32x4.sub(high, low);
  const factor = v128.and(f32x4.div(f32x4.splat(127), range), f32x4.gt(range, f32x4.splat(1e-30)));
  v128.store(scale, v128.or(f32x4.mul(range, f32x4.splat(1 / 127)), f32x4.ne(first, first)));
  v128.store(minimum, low);
  v128.store(inverse, factor);
  v128.store(inverse, f32x4.mul(f32x4.neg(low), factor), 128);
}

/** Whole numbers nearest to (x − mean) · factor + offset. */
// @ts-ignore: decorator
@inline function level(x: v128, mean: v128, factor: v128, offset: v128): v128 {
  return nearest(madd(f32x4.sub(x, mean), factor, offset));
}

// Bits of a magnitude; the least scale that is told from 0; 1/127; 1.5 · 2²³ + 128, and 127 more; the highest bit of every byte.
const MAGNITUDE: usize = memory.data<u32>([0x7fffffff]);
const SCALES: usize = memory.data<f32>([4.6566129e-10, 1 / 127, 12583040, 12583167]);
const HIGHEST: usize = memory.data<u32>([0x80808080]);

/** The whole number nearest to x · factor, and 128, as `nearest` gives it; a NaN gives 255. */
// @ts-ignore: decorator
@inline function raised(x: v128, factor: v128): v128 {
  return smaller(number(SCALES, 3), madd(x, factor, number(SCALES, 2)));
}

/**
 * Values [32][d] to signed bytes [8][d][4] with a scale per slot: log₂ of it and 1 / scale. A slot's scale hangs on no other
 * slot, so that what is behind a token cannot change what it sees.
 */
function packValues(v: usize, d: i32, logs: usize, inverses: usize, out: usize): void {
  const row = <usize>d << 2;
  const magnitude = number(MAGNITUDE, 0);
  for (let s: usize = 0; s < <usize>SLOTS; s++) {
    const from = v + s * row;
    let a = f32x4.splat(0), b = a;
    for (let c: usize = 0; c < row; c += 32) {
      a = larger(a, v128.and(v128.load(from + c), magnitude));
      b = larger(b, v128.and(v128.load(from + c, 16), magnitude));
    }
    store<f32>(logs + (s << 2), largest(larger(a, b)));
  }
  for (let s: usize = 0; s < 128; s += 32) {
    const a = larger(number(SCALES, 0), f32x4.mul(v128.load(logs + s), number(SCALES, 1)));
    const b = larger(number(SCALES, 0), f32x4.mul(v128.load(logs + s, 16), number(SCALES, 1)));
    const x = logarithmAbove(a), y = logarithmAbove(b);
    v128.store(logs + s, x);
    v128.store(logs + s, y, 16);
    const i = exp2(f32x4.neg(x)), j = exp2(f32x4.neg(y));
    v128.store(inverses + s, i);
    v128.store(inverses + s, j, 16);
  }
  for (let s: usize = 0; s < 32; s += 4) {
    const i = v128.load32_splat(inverses + s), j = v128.load32_splat(inverses + s, 32);
    const k = v128.load32_splat(inverses + s, 64), l = v128.load32_splat(inverses + s, 96);
    const w = v + 8 * row, x = w + 8 * row, y = x + 8 * row;
    for (let c: usize = 0; c < row; c += 32) {
      const a0 = raised(v128.load(v + c), i), a1 = raised(v128.load(v + c, 16), i);
      const b0 = raised(v128.load(w + c), j), b1 = raised(v128.load(w + c, 16), j);
      const c0 = raised(v128.load(x + c), k), c1 = raised(v128.load(x + c, 16), k);
      const d0 = raised(v128.load(y + c), l), d1 = raised(v128.load(y + c, 16), l);
      const p0 = v128.xor(together(a0, b0, c0, d0), number(HIGHEST, 0)), p1 = v128.xor(together(a1, b1, c1, d1), number(HIGHEST, 0));
      v128.store(out, p0);
      v128.store(out, p1, 16);
      out += 32;
    }
    v += row;
  }
}
