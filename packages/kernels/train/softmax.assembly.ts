// Softmax of rows of scores and its derivative; a mask is a range of each row, and what lies outside of it is 0.
import { address, float, int, take } from '../assembly/args';
import { exp, larger, largest, madd, sum } from '../assembly/simd';

/** Rows that a thread takes at a time. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 8;

/**
 * Arguments: x, out, rows, queries (rows that belong together), keys (columns), factor of the scores, whether causal,
 * window (0: none). Query i stands at key i + keys − queries and sees `window` keys up to that one.
 */
export function softmax(args: usize, counter: usize, scratch: usize): void {
  const rows = int(args, 2), queries = int(args, 3), keys = int(args, 4);
  const factor = f32x4.splat(float(args, 5));
  const causal = int(args, 6) != 0;
  const window = int(args, 7);
  const bytes = <usize>keys << 2;
  for (let t = take(counter); t * ROWS < rows; t = take(counter)) {
    for (let r = t * ROWS; r < min(rows, t * ROWS + ROWS); r++) {
      const end = causal ? (r % queries) + keys - queries + 1 : keys;
      const begin = window > 0 ? max(0, end - window) : 0;
      const x = address(args, 0) + <usize>r * bytes, out = address(args, 1) + <usize>r * bytes;
      memory.fill(out, 0, <usize>begin << 2);
      soften(x + (<usize>begin << 2), max(0, end - begin), factor, scratch, out + (<usize>begin << 2));
      if (end < keys) memory.fill(out + (<usize>end << 2), 0, <usize>(keys - end) << 2);
    }
  }
}

function soften(x: usize, count: i32, factor: v128, room: usize, out: usize): void {
  if (count == 0) return;
  const bytes = <usize>count << 2, whole = bytes & ~15;
  const lowest = f32x4.splat(-Infinity);
  let top = lowest;
  for (let i: usize = 0; i < whole; i += 16) {
    const v = f32x4.mul(v128.load(x + i), factor);
    top = larger(v, top);
    v128.store(room + i, v);
  }
  if (whole < bytes) {
    v128.store(room + whole, lowest);
    memory.copy(room + whole, x + whole, bytes - whole);
    // −∞ stays what it is under a positive factor.
    const v = f32x4.mul(v128.load(room + whole), factor);
    top = larger(v, top);
    v128.store(room + whole, v);
  }
  const most = largest(top);
  const shift = f32x4.splat(most == -Infinity ? 0 : most);
  let sums = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = exp(f32x4.sub(v128.load(room + i), shift));
    sums = f32x4.add(sums, v);
    v128.store(room + i, v);
  }
  const all = sum(sums);
  const inverse = f32x4.splat(all == 0 ? 0 : 1 / all);
  for (let i: usize = 0; i < whole; i += 16) v128.store(out + i, f32x4.mul(v128.load(room + i), inverse));
  for (let i = whole; i < bytes; i += 4) store<f32>(out + i, load<f32>(room + i) * f32x4.extract_lane(inverse, 0));
}

/** Arguments: y (the softmax), dy, out, rows, columns, factor: factor · y (dy − Σ y dy). */
export function softmaxGradient(args: usize, counter: usize): void {
  const rows = int(args, 3), columns = int(args, 4);
  const factor = float(args, 5);
  const bytes = <usize>columns << 2, whole = bytes & ~15;
  for (let t = take(counter); t * ROWS < rows; t = take(counter)) {
    for (let r = t * ROWS; r < min(rows, t * ROWS + ROWS); r++) {
      const y = address(args, 0) + <usize>r * bytes, dy = address(args, 1) + <usize>r * bytes;
      const out = address(args, 2) + <usize>r * bytes;
      let products = f32x4.splat(0);
      for (let i: usize = 0; i < whole; i += 16) products = madd(v128.load(y + i), v128.load(dy + i), products);
      let mean = sum(products);
      for (let i = whole; i < bytes; i += 4) mean += load<f32>(y + i) * load<f32>(dy + i);
      const means = f32x4.splat(mean), factors = f32x4.splat(factor);
      const pairs = bytes & ~31;
      for (let i: usize = 0; i < pairs; i += 32) {
        const y0 = v128.load(y + i), y1 = v128.load(y + i, 16), d0 = v128.load(dy + i), d1 = v128.load(dy + i, 16);
        const a0 = f32x4.mul(f32x4.mul(y0, factors), f32x4.sub(d0, means));
        const a1 = f32x4.mul(f32x4.mul(y1, factors), f32x4.sub(d1, means));
        v128.store(out + i, a0);
        v128.store(out + i, a1, 16);
      }
      for (let i = pairs; i < bytes; i += 4) store<f32>(out + i, load<f32>(y + i) * factor * (load<f32>(dy + i) - mean));
    }
  }
}
