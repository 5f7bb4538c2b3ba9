// Linear attention token by token: a sum Σ φ(k) vᵀ per head that decays, read by φ(q). Every number of the sum is changed by one
// token after the other in the same order however rows are cut into programs, so that a prompt in any pieces, and decoding,
// give the same bits.
import { address, int, take } from '../assembly/args';
import { madd, silu } from '../assembly/simd';

// @ts-ignore: decorator
@inline const SILU: i32 = 1;
// @ts-ignore: decorator
@inline const TAYLOR: i32 = 2;
/** Rows that a number of the sum is loaded for at a time. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 4;
/** Bytes of a row of the sum that a thread takes: a line of the cache. */
// @ts-ignore: decorator
@inline const SLICE: usize = 64;

function count(map: i32, width: i32): i32 {
  return map == TAYLOR ? 1 + width + width * (width + 1) / 2 : width;
}

/** φ(x) of one row, a number every 16 bytes. */
function features(map: i32, x: usize, width: i32, to: usize): void {
  if (map == TAYLOR) {
    const root = <f32>1 / sqrt<f32>(<f32>width);
    const single = sqrt<f32>(root), half = root * <f32>0.7071067811865476;
    store<f32>(to, 1);
    to += 16;
    for (let a: usize = 0; a < <usize>width; a++, to += 16) store<f32>(to, load<f32>(x + (a << 2)) * single);
    for (let a: usize = 0; a < <usize>width; a++) {
      const one = load<f32>(x + (a << 2)) * root;
      for (let b: usize = 0; b < a; b++, to += 16) store<f32>(to, one * load<f32>(x + (b << 2)));
      store<f32>(to, load<f32>(x + (a << 2)) * half * load<f32>(x + (a << 2)));
      to += 16;
    }
    return;
  }
  for (let a: usize = 0; a < <usize>width; a++, to += 16) {
    const one = load<f32>(x + (a << 2));
    store<f32>(to, map == SILU ? silu(one) : one);
  }
}

/** Takes `rows` rows into a column of four of the sum and gives what they read there. `v` and `out` step by row. */
// @ts-ignore: decorator
@inline function advance(
  rows: i32, decays: bool, decay: v128, count: i32, from: usize, to: usize, step: usize,
  keys: usize, queries: usize, v: usize, vStep: usize, out: usize, outStep: usize, divisors: usize,
): void {
  const v0 = v128.load(v);
  const v1 = rows > 1 ? v128.load(v + vStep) : v0;
  const v2 = rows > 1 ? v128.load(v + 2 * vStep) : v0;
  const v3 = rows > 1 ? v128.load(v + 3 * vStep) : v0;
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  for (let i = 0; i < count; i++, from += step, to += step, keys += 16, queries += 16) {
    let s = v128.load(from);
    if (decays) s = f32x4.mul(s, decay);
    s = madd(v128.load32_splat(keys), v0, s);
    a0 = madd(v128.load32_splat(queries), s, a0);
    if (rows > 1) {
      if (decays) s = f32x4.mul(s, decay);
      s = madd(v128.load32_splat(keys, 4), v1, s);
      a1 = madd(v128.load32_splat(queries, 4), s, a1);
      if (decays) s = f32x4.mul(s, decay);
      s = madd(v128.load32_splat(keys, 8), v2, s);
      a2 = madd(v128.load32_splat(queries, 8), s, a2);
      if (decays) s = f32x4.mul(s, decay);
      s = madd(v128.load32_splat(keys, 12), v3, s);
      a3 = madd(v128.load32_splat(queries, 12), s, a3);
    }
    v128.store(to, s);
  }
  v128.store(out, f32x4.div(a0, v128.load32_splat(divisors)));
  if (rows > 1) {
    v128.store(out + outStep, f32x4.div(a1, v128.load32_splat(divisors, 4)));
    v128.store(out + 2 * outStep, f32x4.div(a2, v128.load32_splat(divisors, 8)));
    v128.store(out + 3 * outStep, f32x4.div(a3, v128.load32_splat(divisors, 12)));
  }
}

/**
 * Arguments: 0 q, 1 its stride in floats, 2 k, 3 stride, 4 v, 5 stride, 6 out, 7 stride, 8 n, 9 heads, 10 width of a head of q and
 * k, 11 width of one of v (a multiple of 4), 12 map, 13 decays f32 [heads] or 0, 14 whether weights are divided by their sum,
 * 15 state before the rows, 16 state behind them. A head's state is f32 [features, width of v] and, where weights are divided,
 * f32 [features]. Scratch: 36 bytes per feature and 16.
 */
export function recur(args: usize, counter: usize, scratch: usize): void {
  const n = int(args, 8), heads = int(args, 9), width = int(args, 10), map = int(args, 12);
  const columns = <usize>int(args, 11) << 2;
  const decayAt = address(args, 13);
  const divides = int(args, 14) != 0;
  const featureCount = count(map, width);
  const featureBytes = <usize>featureCount << 2;
  const headBytes = featureBytes * <usize>int(args, 11) + (divides ? featureBytes : 0);
  const slices = <i32>((columns + SLICE - 1) / SLICE);
  const qStep = <usize>int(args, 1) << 2, kStep = <usize>int(args, 3) << 2;
  const vStep = <usize>int(args, 5) << 2, outStep = <usize>int(args, 7) << 2;
  const divisors = scratch, keys = scratch + 16, queries = keys + 4 * featureBytes, sums = queries + 4 * featureBytes;
  for (let item = take(counter); item < heads * slices; item = take(counter)) {
    const head = <usize>(item / slices);
    const begin = <usize>(item % slices) * SLICE, end = min(columns, begin + SLICE);
    const to = address(args, 16) + head * headBytes;
    let from = address(args, 15) + head * headBytes;
    const decay: f32 = decayAt ? load<f32>(decayAt + (head << 2)) : 1;
    // Each slice has sums of keys of its own, and the first one's are kept.
    if (divides) memory.copy(sums, from + featureBytes * <usize>int(args, 11), featureBytes);
    for (let t = 0; t < n; ) {
      const rows = n - t >= ROWS ? ROWS : 1;
      for (let r: usize = 0; r < <usize>rows; r++) {
        const row = <usize>t + r, at = head * (<usize>width << 2);
        features(map, address(args, 2) + row * kStep + at, width, keys + (r << 2));
        features(map, address(args, 0) + row * qStep + at, width, queries + (r << 2));
        store<f32>(divisors + (r << 2), 1);
        if (!divides) continue;
        let total: f32 = 0;
        for (let i: usize = 0; i < <usize>featureCount; i++) {
          const sum = load<f32>(sums + (i << 2)) * decay + load<f32>(keys + (i << 4) + (r << 2));
          store<f32>(sums + (i << 2), sum);
          total += sum * load<f32>(queries + (i << 4) + (r << 2));
        }
        store<f32>(divisors + (r << 2), total);
      }
      const v = address(args, 4) + <usize>t * vStep + head * columns;
      const out = address(args, 6) + <usize>t * outStep + head * columns;
      const decayed = f32x4.splat(decay);
      for (let c = begin; c < end; c += 16) {
        if (rows > 1) {
          if (decayAt) advance(4, true, decayed, featureCount, from + c, to + c, columns, keys, queries, v + c, vStep, out + c, outStep, divisors);
          else advance(4, false, decayed, featureCount, from + c, to + c, columns, keys, queries, v + c, vStep, out + c, outStep, divisors);
        } else if (decayAt) advance(1, true, decayed, featureCount, from + c, to + c, columns, keys, queries, v + c, vStep, out + c, outStep, divisors);
        else advance(1, false, decayed, featureCount, from + c, to + c, columns, keys, queries, v + c, vStep, out + c, outStep, divisors);
      }
      from = to;
      t += rows;
    }
    if (divides && begin == 0) memory.copy(to + featureBytes * <usize>int(args, 11), sums, featureBytes);
  }
}
