// Where a text is to be cut: what a small network sees of the tokens around every gap, and the gaps that are chosen by it.
import { address, float, int, take } from '../assembly/args';
import { exp, largest, larger, madd, sum } from '../assembly/simd';

/** Tokens around a gap, at most. */
// @ts-ignore: decorator
@inline const WINDOW: i32 = 16;

/**
 * Features of every gap: of gap i, behind row i, the rows from i − w + 1 to i + w attend to one another, the results are
 * normed, and the means of the first and of the last w, their distance, their product and their cosine are what stays.
 * Rows that have no whole window get zeros.
 * Arguments: 0 rows [n, stride] of { queries c, keys c, what every head puts out for the row c each }, 1 n, 2 stride,
 * 3 c, 4 heads, 5 w, 6 bias [c], 7 weight and 8 bias of the norm [c], 9 its epsilon, 10 out [n, 4 c + 1].
 */
export function gapFeatures(args: usize, counter: usize, scratch: usize): void {
  const n = int(args, 1);
  const c = int(args, 3);
  const w = int(args, 5);
  const row = <usize>c << 2;
  const outRow = 4 * row + 4;
  for (let i = take(counter); i < n; i = take(counter)) {
    const out = address(args, 10) + <usize>i * outRow;
    memory.fill(out, 0, outRow);
    if (i < w - 1 || i >= n - w) continue;
    for (let t = 0; t < 2 * w; t++) {
      mixed(args, i - w + 1, t, scratch);
      addNormed(args, scratch, t < w ? out : out + row);
    }
    compare(out, row);
  }
}

/** What row t of the window from `first` on gets from the window: [c], at the start of scratch memory. */
function mixed(args: usize, first: i32, t: i32, out: usize): void {
  const stride = <usize>int(args, 2) << 2;
  const c = int(args, 3), heads = int(args, 4), size = 2 * int(args, 5);
  const row = <usize>c << 2;
  const headRow = row / heads;
  const window = address(args, 0) + <usize>first * stride;
  const weights = out + row;
  const factor = <f32>1 / sqrt<f32>(<f32>c / <f32>heads);
  memory.copy(out, address(args, 6), row);
  for (let head: usize = 0; head < <usize>heads; head++) {
    const query = window + <usize>t * stride + head * headRow;
    for (let j = 0; j < WINDOW; j++) {
      let score: f32 = -Infinity;
      if (j < size) score = dot(query, window + <usize>j * stride + row + head * headRow, headRow) * factor;
      store<f32>(weights + (<usize>j << 2), score);
    }
    soften(weights);
    for (let j = 0; j < size; j++) {
      const weight = v128.load32_splat(weights + (<usize>j << 2));
      const from = window + <usize>j * stride + (2 + head) * row;
      for (let k: usize = 0; k < row; k += 16) v128.store(out + k, madd(v128.load(from + k), weight, v128.load(out + k)));
    }
  }
}

// @ts-ignore: decorator
@inline function dot(a: usize, b: usize, bytes: usize): f32 {
  let s = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) s = madd(v128.load(a + k), v128.load(b + k), s);
  return sum(s);
}

/** Softmax of WINDOW scores. */
function soften(p: usize): void {
  let most = v128.load(p), total = f32x4.splat(0);
  for (let s: usize = 16; s < <usize>(WINDOW << 2); s += 16) most = larger(most, v128.load(p + s));
  const m = f32x4.splat(largest(most));
  for (let s: usize = 0; s < <usize>(WINDOW << 2); s += 16) {
    const e = exp(f32x4.sub(v128.load(p + s), m));
    total = f32x4.add(total, e);
    v128.store(p + s, e);
  }
  const factor = f32x4.splat(<f32>1 / sum(total));
  for (let s: usize = 0; s < <usize>(WINDOW << 2); s += 16) v128.store(p + s, f32x4.mul(v128.load(p + s), factor));
}

/** Adds 1 / w of the normed x [c] to `out`. */
function addNormed(args: usize, x: usize, out: usize): void {
  const c = int(args, 3), row = <usize>c << 2;
  let s = f32x4.splat(0);
  for (let k: usize = 0; k < row; k += 16) s = f32x4.add(s, v128.load(x + k));
  const mean = f32x4.splat(sum(s) / <f32>c);
  s = f32x4.splat(0);
  for (let k: usize = 0; k < row; k += 16) {
    const from = f32x4.sub(v128.load(x + k), mean);
    s = madd(from, from, s);
  }
  const factor = f32x4.splat(<f32>1 / sqrt<f32>(sum(s) / <f32>c + float(args, 9)));
  const share = f32x4.splat(<f32>1 / <f32>int(args, 5));
  const weight = address(args, 7), bias = address(args, 8);
  for (let k: usize = 0; k < row; k += 16) {
    const normed = madd(f32x4.mul(f32x4.sub(v128.load(x + k), mean), factor), v128.load(weight + k), v128.load(bias + k));
    v128.store(out + k, madd(normed, share, v128.load(out + k)));
  }
}

/** Behind two vectors of a row each their distance, their product and their cosine. */
function compare(a: usize, row: usize): void {
  let ab = f32x4.splat(0), aa = ab, bb = ab;
  for (let k: usize = 0; k < row; k += 16) {
    const x = v128.load(a + k), y = v128.load(a + row + k);
    v128.store(a + 2 * row + k, f32x4.abs(f32x4.sub(x, y)));
    v128.store(a + 3 * row + k, f32x4.mul(x, y));
    ab = madd(x, y, ab), aa = madd(x, x, aa), bb = madd(y, y, bb);
  }
  // As PyTorch's cosine_similarity: neither length is less than epsilon.
  const lengths = max<f32>(sqrt<f32>(sum(aa)), 1e-6) * max<f32>(sqrt<f32>(sum(bb)), 1e-6);
  store<f32>(a + 4 * row, sum(ab) / lengths);
}

/**
 * Logits of gaps and the chunks that they cut. Gaps above the threshold are taken in falling order, none within reach of
 * one that has been taken; a chunk ends behind each, before the last rows that are to stay together, and at the end.
 * Arguments: 0 hidden [n, units], 1 n, 2 units, 3 weights [units], 4 bias, 5 w: gaps without w rows on either side are not
 * taken, 6 threshold, 7 reach, 8 gaps taken at most, 9 rows that stay together (0: none), 10 position of the first row,
 * 11 ends, 12 chunks that are there already, 13 out: number of chunks, 14 out: logits [n], 15 room for n words.
 */
export function boundaries(args: usize, counter: usize): void {
  if (take(counter) != 0) return;
  const n = int(args, 1);
  const units = int(args, 2);
  const w = int(args, 5);
  const reach = int(args, 7);
  const logits = address(args, 14), open = address(args, 15);
  for (let i = 0; i < n; i++) {
    const logit = unitsOf(address(args, 0) + (<usize>(i * units) << 2), address(args, 3), units) + float(args, 4);
    store<f32>(logits + (<usize>i << 2), logit);
    const isWhole = i >= w - 1 && i < n - w;
    store<i32>(open + (<usize>i << 2), isWhole && logit > float(args, 6) ? 1 : 0);
  }
  const together = int(args, 9);
  const last = together > 0 && together < n ? n - together - 1 : -1;
  if (last >= 0) {
    for (let i = max(0, last - reach); i < n; i++) store<i32>(open + (<usize>i << 2), 0);
    store<i32>(open + (<usize>last << 2), 2);
  }
  for (let left = int(args, 8); left > 0; left--) {
    let best = -1;
    for (let i = 0; i < n; i++) {
      if (load<i32>(open + (<usize>i << 2)) != 1) continue;
      if (best < 0 || load<f32>(logits + (<usize>i << 2)) > load<f32>(logits + (<usize>best << 2))) best = i;
    }
    if (best < 0) break;
    for (let i = max(0, best - reach); i <= min(n - 1, best + reach); i++) {
      if (load<i32>(open + (<usize>i << 2)) == 1) store<i32>(open + (<usize>i << 2), 0);
    }
    store<i32>(open + (<usize>best << 2), 2);
  }
  let chunks = int(args, 12);
  for (let i = 0; i < n; i++) {
    if (load<i32>(open + (<usize>i << 2)) != 2 && i < n - 1) continue;
    store<i32>(address(args, 11) + (<usize>chunks << 2), int(args, 10) + i + 1);
    chunks++;
  }
  store<i32>(address(args, 13), chunks);
}

/** Σ max(0, x) · weight */
function unitsOf(x: usize, weights: usize, units: i32): f32 {
  let s = f32x4.splat(0);
  for (let k: usize = 0; k < <usize>units << 2; k += 16) {
    s = madd(larger(f32x4.splat(0), v128.load(x + k)), v128.load(weights + k), s);
  }
  return sum(s);
}
