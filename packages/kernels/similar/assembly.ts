// Which of many stored items the queries at hand resemble, by the best of an item's vectors for each head. Vectors lie in
// 8 bits with a scale per head; the mean query is rounded to 16, so that products are exact integers and no order of
// additions shows.
import { address, int, take } from '../assembly/args';

/** Items that a thread takes at a time. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 32;
// @ts-ignore: decorator
@inline const MOST: f32 = 32767;

/** The mean of the queries as i16 [h, d] at `to`, and behind it the f32 [h] scales. */
function meanOf(queries: usize, n: i32, h: i32, d: i32, to: usize): void {
  const rowBytes = <usize>(h * d) << 2;
  const scales = to + (<usize>(h * d) << 1);
  // A head's mean stands behind the scales while it is rounded.
  const mean = (scales + (<usize>h << 2) + 15) & ~15;
  for (let head = 0; head < h; head++) {
    const from = queries + (<usize>(head * d) << 2);
    let most: f32 = 0;
    for (let c: usize = 0; c < <usize>d << 2; c += 16) {
      let total = f32x4.splat(0);
      for (let r = 0; r < n; r++) total = f32x4.add(total, v128.load(from + <usize>r * rowBytes + c));
      total = f32x4.div(total, f32x4.splat(<f32>n));
      v128.store(mean + c, total);
      for (let i: usize = 0; i < 16; i += 4) most = max<f32>(most, abs<f32>(load<f32>(mean + c + i)));
    }
    const scale = most / MOST;
    store<f32>(scales + (<usize>head << 2), scale);
    const factor: f32 = scale > 0 ? <f32>1 / scale : 0;
    const out = to + (<usize>(head * d) << 1);
    for (let c: usize = 0; c < <usize>d; c++) {
      store<i16>(out + (c << 1), <i16>nearest<f32>(load<f32>(mean + (c << 2)) * factor));
    }
  }
}

/** Σ of the products of i8 [d] and i16 [d]. */
// @ts-ignore: decorator
@inline function dot(bytes: usize, words: usize, d: i32): i32 {
  let products = i32x4.splat(0);
  for (let c: usize = 0; c < <usize>d; c += 16) {
    const numbers = v128.load(bytes + c);
    products = i32x4.add(products, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_s(numbers), v128.load(words + (c << 1))));
    products = i32x4.add(products, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_s(numbers), v128.load(words + (c << 1), 16)));
  }
  return i32x4.extract_lane(products, 0) + i32x4.extract_lane(products, 1) + i32x4.extract_lane(products, 2) + i32x4.extract_lane(products, 3);
}

/**
 * Arguments: 0 queries f32 [n, h, d], 1 n, 2 h, 3 d, 4 addresses i32 of groups of vectors, each i8 [h, d] and f32 [h] scales,
 * 5 items in a group, which divide by 32, 6 bytes from vector to vector, 7 items, 8 vectors of an item, 9 out f32 [items, h],
 * 10 counts i64 [3] or 0.
 */
export function similar(args: usize, counter: usize, scratch: usize): void {
  const h = int(args, 2);
  const d = int(args, 3);
  const groups = address(args, 4);
  const perGroup = int(args, 5);
  const vectorBytes = <usize>int(args, 6);
  const count = int(args, 7);
  const each = int(args, 8);
  const out = address(args, 9);
  const counts = address(args, 10);
  const width = <usize>(h * d);
  const scales = scratch + (width << 1);
  let ready = false;
  for (let item = take(counter); item * ROWS < count; item = take(counter)) {
    if (!ready) meanOf(address(args, 0), int(args, 1), h, d, scratch);
    ready = true;
    const first = item * ROWS, end = min(count, first + ROWS);
    const group = first / perGroup;
    const vectors = <usize>load<u32>(groups + (<usize>group << 2));
    for (let row = first; row < end; row++) {
      const first = vectors + <usize>((row - group * perGroup) * each) * vectorBytes;
      for (let head: usize = 0; head < <usize>h; head++) {
        const query = scratch + ((head * d) << 1);
        let best: f32 = -Infinity;
        for (let i: usize = 0, vector = first; i < <usize>each; i++, vector += vectorBytes) {
          const product = <f32>dot(vector + head * d, query, d) * load<f32>(vector + width + (head << 2));
          best = max<f32>(best, product * load<f32>(scales + (head << 2)));
        }
        store<f32>(out + (<usize>(row * h) + head << 2), best);
      }
    }
    if (counts) atomic.add<i64>(counts, <i64>((end - first) * each), 16);
  }
}
