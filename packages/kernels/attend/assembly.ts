// Attention of a block of queries over the pages of one key/value head. A page is unpacked to floats once for all
// queries and all query heads that share it; the softmax is accumulated page by page (max, denominator, output).
import { F16, F32, keysOf, minimaK, pageOf, Q8, scalesK, scalesV, SLOTS, valuesOf } from '../append/page.assembly';
import { address, float, int, take } from '../assembly/args';
import { exp, halfToFloat, larger, largest, madd, sum } from '../assembly/simd';
import { accumulateIntegers, packQuery, packWeights, scoreIntegers } from './integer.assembly';

// @ts-ignore: decorator
@inline const NONE: f32 = -Infinity;

/**
 * Arguments: 0 queries [n, h, d], 1 n, 2 h, 3 g, 4 d, 5 heads [g] of { page table, used slots before these n },
 * 6 positions [n], 7 out [n, h, d], 8 scale, 9 window (a key is seen when position − key position < window; 0: all),
 * 10 store, 11 tokens a tile, 12 pages a split (0: no split), 13 splits, 14 partials [n, h, splits, d + 2],
 * 15 whether products over 8-bit pages may be taken in integers.
 */
export function attend(args: usize, counter: usize, scratch: usize): void {
  const q = address(args, 0);
  const n = int(args, 1);
  const h = int(args, 2);
  const g = int(args, 3);
  const d = int(args, 4);
  const heads = address(args, 5);
  const positions = address(args, 6);
  const out = address(args, 7);
  const scale = float(args, 8);
  const window = int(args, 9);
  const format = int(args, 10);
  const tokens = int(args, 11);
  const splitPages = int(args, 12);
  const splits = int(args, 13);
  const partials = address(args, 14);
  const mayRound = int(args, 15) != 0;

  const group = h / g;
  const integers = mayRound && format == Q8;
  const tiles = (n + tokens - 1) / tokens;
  const items = g * tiles * splits;
  const rowBytes = <usize>d << 2;
  const most = (tokens * group + 3) & ~3;
  const qs = scratch;
  const o = qs + <usize>most * rowBytes;
  const p = o + <usize>most * rowBytes;
  const state = p + (<usize>(most * SLOTS) << 2); // [rows] of { max, denominator }
  const kFloats = state + (<usize>most << 3);
  const vFloats = kFloats + <usize>SLOTS * rowBytes;
  // In integers: the rows of queries and of weights as bytes with their scales.
  const qBytes = vFloats + <usize>SLOTS * rowBytes;
  const qMeta = qBytes + <usize>(most * d);
  const pBytes = qMeta + (<usize>most << 3);
  const pScales = pBytes + <usize>(most * SLOTS);

  for (let item = take(counter); item < items; item = take(counter)) {
    const head = item % g;
    const split = (item / g) % splits;
    // The last tiles see the most keys: they go first, so that no thread is left with a long one at the end.
    const tile = tiles - 1 - item / (g * splits);
    const t0 = tile * tokens;
    const t1 = min(t0 + tokens, n);
    const rows = (t1 - t0) * group;
    const padded = (rows + 3) & ~3;

    for (let r = 0; r < padded; r++) {
      const to = qs + <usize>r * rowBytes;
      const from = q + (<usize>(t0 + r / group) * h + head * group + (r % group)) * rowBytes;
      for (let c: usize = 0; c < rowBytes; c += 4) {
        store<f32>(to + c, r < rows ? load<f32>(from + c) * scale : 0);
        store<f32>(o + <usize>r * rowBytes + c, 0);
      }
      store<f32>(state + (<usize>r << 3), NONE);
      store<f32>(state + (<usize>r << 3), 0, 4);
    }

    if (integers) {
      for (let r = 0; r < padded; r++) packQuery(qs + <usize>r * rowBytes, d, qBytes + <usize>(r * d), qMeta + (<usize>r << 3));
    }

    const entry = heads + (<usize>head << 3);
    const table = <usize>load<u32>(entry);
    const used = load<i32>(entry, 4) + n;
    const firstQuery = load<i32>(positions + (<usize>t0 << 2));
    const lastQuery = load<i32>(positions + (<usize>(t1 - 1) << 2));
    let page = split * splitPages;
    let end = (used + SLOTS - 1) / SLOTS;
    if (splitPages) end = min(end, page + splitPages);
    for (; page < end; page++) {
      const at = pageOf(table, page << 5);
      const count = min(SLOTS, used - (page << 5));
      const oldest = load<i32>(at);
      const newest = load<i32>(at + (<usize>(count - 1) << 2));
      if (oldest > lastQuery) break; // positions ascend: nothing further is visible
      if (window && newest <= firstQuery - window) continue;
      let k = keysOf(at);
      let v = valuesOf(at, d, format);
      const vScales = scalesV(at, d);
      if (integers) {
        const kScales = scalesK(at, d);
        const kMinima = minimaK(at, d);
        for (let r = 0; r < padded; r += 4) {
          scoreIntegers(qBytes + <usize>(r * d), qMeta + (<usize>r << 3), k, kScales, kMinima, d, p + (<usize>r << 7));
        }
      } else {
        if (format == F16) {
          unpackHalves(k, d * SLOTS, kFloats);
          restoreNaN(kFloats);
          unpackHalves(v, d * SLOTS, vFloats);
        } else if (format == Q8) {
          unpackKeys(k, d, scalesK(at, d), minimaK(at, d), kFloats);
          unpackValues(v, d, vScales, vFloats);
        }
        if (format != F32) {
          k = kFloats;
          v = vFloats;
        }
        for (let r = 0; r < padded; r += 4) score(qs + <usize>r * rowBytes, k, d, p + (<usize>r << 7));
      }
      const masked = count < SLOTS || newest > firstQuery || (window && oldest <= lastQuery - window);
      if (masked) {
        for (let r = 0; r < rows; r++) {
          mask(p + (<usize>r << 7), at, count, load<i32>(positions + (<usize>(t0 + r / group) << 2)), window);
        }
      }
      for (let r = 0; r < rows; r++) {
        soften(p + (<usize>r << 7), state + (<usize>r << 3), o + <usize>r * rowBytes, d);
      }
      if (integers) {
        for (let r = 0; r < padded; r++) {
          const scale = packWeights(p + (<usize>r << 7), vScales, pBytes + (<usize>r << 5));
          store<f32>(pScales + (<usize>r << 2), scale);
        }
        for (let r = 0; r < padded; r += 4) {
          accumulateIntegers(pBytes + (<usize>r << 5), pScales + (<usize>r << 2), v, d, o + <usize>r * rowBytes);
        }
      } else {
        for (let r = 0; r < padded; r += 4) accumulate(p + (<usize>r << 7), v, count, d, o + <usize>r * rowBytes);
      }
    }

    for (let r = 0; r < rows; r++) {
      const row = <usize>(t0 + r / group) * h + head * group + (r % group);
      const from = o + <usize>r * rowBytes;
      const m = load<f32>(state + (<usize>r << 3));
      const l = load<f32>(state + (<usize>r << 3), 4);
      if (splitPages) {
        const to = partials + (row * splits + split) * (rowBytes + 8);
        store<f32>(to, m);
        store<f32>(to, l, 4);
        memory.copy(to + 8, from, rowBytes);
      } else {
        const factor: f32 = l == 0 ? 0 : <f32>1 / l;
        for (let c: usize = 0; c < rowBytes; c += 4) store<f32>(out + row * rowBytes + c, load<f32>(from + c) * factor);
      }
    }
  }
}

/** Scores of 4 query rows against the 32 slots of a page: [4][32]. */
function score(q: usize, k: usize, d: i32, out: usize): void {
  const rowBytes = <usize>d << 2;
  for (let s: usize = 0; s < 128; s += 32) {
    let q0 = q, kp = k + s;
    let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
    for (let c = 0; c < d; c++) {
      const k0 = v128.load(kp), k1 = v128.load(kp, 16);
      let qq = v128.load32_splat(q0);
      a0 = madd(k0, qq, a0);
      a1 = madd(k1, qq, a1);
      qq = v128.load32_splat(q0 + rowBytes);
      b0 = madd(k0, qq, b0);
      b1 = madd(k1, qq, b1);
      qq = v128.load32_splat(q0 + 2 * rowBytes);
      c0 = madd(k0, qq, c0);
      c1 = madd(k1, qq, c1);
      qq = v128.load32_splat(q0 + 3 * rowBytes);
      d0 = madd(k0, qq, d0);
      d1 = madd(k1, qq, d1);
      q0 += 4;
      kp += 128;
    }
    v128.store(out + s, a0);
    v128.store(out + s, a1, 16);
    v128.store(out + s, b0, 128);
    v128.store(out + s, b1, 144);
    v128.store(out + s, c0, 256);
    v128.store(out + s, c1, 272);
    v128.store(out + s, d0, 384);
    v128.store(out + s, d1, 400);
  }
}

/** Sets the scores of slots that a query at `position` must not see to −∞. */
function mask(p: usize, page: usize, count: i32, position: i32, window: i32): void {
  for (let s = 0; s < SLOTS; s++) {
    const at = load<i32>(page + (<usize>s << 2));
    if (s >= count || at > position || (window && at <= position - window)) store<f32>(p + (<usize>s << 2), NONE);
  }
}

/** One step of the running softmax: scores become weights relative to the new maximum, and what stood before is rescaled. */
function soften(p: usize, state: usize, o: usize, d: i32): void {
  let top = v128.load(p);
  for (let s: usize = 16; s < 128; s += 16) top = larger(v128.load(p + s), top);
  const before = load<f32>(state);
  const seen = largest(top);
  const m = seen > before ? seen : before;
  // Where nothing is seen every weight is 0, and a NaN among the scores still shows.
  const mm = f32x4.splat(m == NONE ? 0 : m);
  let total = f32x4.splat(0);
  for (let s: usize = 0; s < 128; s += 16) {
    const e = exp(f32x4.sub(v128.load(p + s), mm));
    v128.store(p + s, e);
    total = f32x4.add(total, e);
  }
  let l = load<f32>(state, 4);
  if (m != before) {
    const factor = exp(f32x4.splat(before - m));
    l *= f32x4.extract_lane(factor, 0);
    const bytes = <usize>d << 2;
    for (let c: usize = 0; c < bytes; c += 16) v128.store(o + c, f32x4.mul(v128.load(o + c), factor));
    store<f32>(state, m);
  }
  store<f32>(state, l + sum(total), 4);
}

/** o [4][d] += p [4][count] · v [count][d]; d is a multiple of 8. Slots behind `count` may hold anything, NaN included. */
function accumulate(p: usize, v: usize, count: i32, d: i32, o: usize): void {
  const rowBytes = <usize>d << 2;
  const end = <usize>count << 2;
  const o1 = o + rowBytes, o2 = o1 + rowBytes, o3 = o2 + rowBytes;
  for (let c: usize = 0; c < rowBytes; c += 32) {
    let vp = v + c;
    let a0 = v128.load(o + c), a1 = v128.load(o + c, 16), b0 = v128.load(o1 + c), b1 = v128.load(o1 + c, 16);
    let c0 = v128.load(o2 + c), c1 = v128.load(o2 + c, 16), d0 = v128.load(o3 + c), d1 = v128.load(o3 + c, 16);
    for (let s: usize = 0; s < end; s += 4) {
      const v0 = v128.load(vp), v1 = v128.load(vp, 16);
      let pp = v128.load32_splat(p + s);
      a0 = madd(v0, pp, a0);
      a1 = madd(v1, pp, a1);
      pp = v128.load32_splat(p + s, 128);
      b0 = madd(v0, pp, b0);
      b1 = madd(v1, pp, b1);
      pp = v128.load32_splat(p + s, 256);
      c0 = madd(v0, pp, c0);
      c1 = madd(v1, pp, c1);
      pp = v128.load32_splat(p + s, 384);
      d0 = madd(v0, pp, d0);
      d1 = madd(v1, pp, d1);
      vp += rowBytes;
    }
    v128.store(o + c, a0);
    v128.store(o + c, a1, 16);
    v128.store(o1 + c, b0);
    v128.store(o1 + c, b1, 16);
    v128.store(o2 + c, c0);
    v128.store(o2 + c, c1, 16);
    v128.store(o3 + c, d0);
    v128.store(o3 + c, d1, 16);
  }
}

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
    v128.store(k + s, v128.or(v, f32x4.gt(f32x4.abs(v), f32x4.splat(65504))));
  }
}

/** Keys [d / 4][32][4] as floats [d][32]. */
function unpackKeys(x: usize, d: i32, scales: usize, minima: usize, out: usize): void {
  const low = i32x4.splat(255);
  for (let c = 0; c < d; c += 4) {
    for (let s: usize = 0; s < 128; s += 16) {
      const v = v128.load(x + s);
      const scale = v128.load(scales + s);
      const minimum = v128.load(minima + s);
      v128.store(out + s, madd(f32x4.convert_i32x4_s(v128.and(v, low)), scale, minimum));
      v128.store(out + s, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 8), low)), scale, minimum), 128);
      v128.store(out + s, madd(f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(v, 16), low)), scale, minimum), 256);
      v128.store(out + s, madd(f32x4.convert_i32x4_s(i32x4.shr_u(v, 24)), scale, minimum), 384);
    }
    x += 128;
    out += 512;
  }
}

/** Values [8][d][4] as floats [32][d]. */
function unpackValues(x: usize, d: i32, scales: usize, out: usize): void {
  const row = <usize>d << 2;
  for (let s: usize = 0; s < 128; s += 16) {
    const s0 = v128.load32_splat(scales + s), s1 = v128.load32_splat(scales + s, 4);
    const s2 = v128.load32_splat(scales + s, 8), s3 = v128.load32_splat(scales + s, 12);
    for (let c: usize = 0; c < row; c += 16) {
      const v = v128.load(x + c);
      v128.store(out + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 24), 24)), s0));
      v128.store(out + row + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 16), 24)), s1));
      v128.store(out + 2 * row + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(v, 8), 24)), s2));
      v128.store(out + 3 * row + c, f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(v, 24)), s3));
    }
    x += row;
    out += 4 * row;
  }
}

/** Joins the partial softmaxes of splits. Arguments: partials [rows, splits, d + 2], rows, splits, d, out [rows, d]. */
export function merge(args: usize, counter: usize): void {
  const partials = address(args, 0);
  const rows = int(args, 1);
  const splits = int(args, 2);
  const d = int(args, 3);
  const out = address(args, 4);
  const rowBytes = <usize>d << 2;
  const partBytes = rowBytes + 8;
  for (let r = take(counter); r < rows; r = take(counter)) {
    const first = partials + <usize>(r * splits) * partBytes;
    const to = out + <usize>r * rowBytes;
    let m = NONE;
    for (let s = 0; s < splits; s++) m = max<f32>(m, load<f32>(first + <usize>s * partBytes));
    let l: f32 = 0;
    memory.fill(to, 0, rowBytes);
    for (let s = 0; s < splits; s++) {
      const part = first + <usize>s * partBytes;
      if (load<f32>(part, 4) == 0) continue;
      const factor = f32x4.extract_lane(exp(f32x4.splat(load<f32>(part) - m)), 0);
      l += load<f32>(part, 4) * factor;
      for (let c: usize = 0; c < rowBytes; c += 4) {
        store<f32>(to + c, load<f32>(to + c) + load<f32>(part + c, 8) * factor);
      }
    }
    const inverse: f32 = l == 0 ? 0 : <f32>1 / l;
    for (let c: usize = 0; c < rowBytes; c += 4) store<f32>(to + c, load<f32>(to + c) * inverse);
  }
}
