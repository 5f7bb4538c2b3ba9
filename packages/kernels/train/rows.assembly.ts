// Rows of a table by number, their derivative, and the loss of rows of logits.
import { address, int, take } from '../assembly/args';
import { exp, larger, largest, madd, sum } from '../assembly/simd';

// @ts-ignore: decorator
@inline const ROWS: i32 = 16;
/** Columns of the table that a thread takes at a time, for all rows in their order. */
// @ts-ignore: decorator
@inline const SLICE: i32 = 16;

/** Arguments: table, ids, out, count, columns: out[i] = table[ids[i]]. */
export function gather(args: usize, counter: usize): void {
  const count = int(args, 3);
  const bytes = <usize>int(args, 4) << 2;
  for (let t = take(counter); t * ROWS < count; t = take(counter)) {
    for (let i = t * ROWS; i < min(count, t * ROWS + ROWS); i++) {
      memory.copy(address(args, 2) + <usize>i * bytes, address(args, 0) + <usize>int(address(args, 1), i) * bytes, bytes);
    }
  }
}

/** Arguments: rows, ids, out table, count, columns, rows of the table: out[r] = Σ rows[i] over ids[i] = r. */
export function scatter(args: usize, counter: usize): void {
  const x = address(args, 0), ids = address(args, 1), out = address(args, 2);
  const count = int(args, 3), columns = int(args, 4), rows = int(args, 5);
  const row = <usize>columns << 2;
  for (let t = take(counter); t * SLICE < columns; t = take(counter)) {
    const from = <usize>(t * SLICE) << 2, width = <usize>min(SLICE, columns - t * SLICE) << 2, whole = width & ~15;
    for (let r = 0; r < rows; r++) memory.fill(out + <usize>r * row + from, 0, width);
    for (let i = 0; i < count; i++) {
      const to = out + <usize>int(ids, i) * row + from, at = x + <usize>i * row + from;
      for (let c: usize = 0; c < whole; c += 16) v128.store(to + c, f32x4.add(v128.load(to + c), v128.load(at + c)));
      for (let c = whole; c < width; c += 4) store<f32>(to + c, load<f32>(to + c) + load<f32>(at + c));
    }
  }
}

/** The largest of a row, and behind it Σ e^(x − largest); a NaN shows in the second. */
function powers(x: usize, columns: i32, top: usize): void {
  const bytes = <usize>columns << 2, whole = bytes & ~15;
  let most = f32x4.splat(-Infinity);
  for (let i: usize = 0; i < whole; i += 16) most = larger(v128.load(x + i), most);
  let high = largest(most);
  for (let i = whole; i < bytes; i += 4) high = max(high, load<f32>(x + i));
  const shift = f32x4.splat(high);
  let sums = f32x4.splat(0);
  for (let i: usize = 0; i < whole; i += 16) sums = f32x4.add(sums, exp(f32x4.sub(v128.load(x + i), shift)));
  let total = sum(sums);
  for (let i = whole; i < bytes; i += 4) total += f32x4.extract_lane(exp(f32x4.splat(load<f32>(x + i) - high)), 0);
  store<f32>(top, high);
  store<f32>(top, total, 4);
}

/** Arguments: logits, labels, out, rows, columns: −log softmax(logits)[label], and 0 where the label is negative. */
export function crossEntropy(args: usize, counter: usize, scratch: usize): void {
  const rows = int(args, 3), columns = int(args, 4);
  for (let r = take(counter); r < rows; r = take(counter)) {
    const label = int(address(args, 1), r);
    const out = address(args, 2) + (<usize>r << 2);
    if (label < 0) {
      store<f32>(out, 0);
      continue;
    }
    const x = address(args, 0) + (<usize>r * <usize>columns << 2);
    powers(x, columns, scratch);
    store<f32>(out, Mathf.log(load<f32>(scratch, 4)) - (load<f32>(x + (<usize>label << 2)) - load<f32>(scratch)));
  }
}

/** Arguments: logits, labels, dy, out, rows, columns: dy · (softmax − 1 at the label). */
export function crossEntropyGradient(args: usize, counter: usize, scratch: usize): void {
  const rows = int(args, 4), columns = int(args, 5);
  const bytes = <usize>columns << 2, whole = bytes & ~15;
  for (let r = take(counter); r < rows; r = take(counter)) {
    const label = int(address(args, 1), r);
    const out = address(args, 3) + <usize>r * bytes;
    if (label < 0) {
      memory.fill(out, 0, bytes);
      continue;
    }
    const x = address(args, 0) + <usize>r * bytes;
    powers(x, columns, scratch);
    const dy = load<f32>(address(args, 2) + (<usize>r << 2));
    const shift = f32x4.splat(load<f32>(scratch)), factor = f32x4.splat(dy / load<f32>(scratch, 4));
    for (let i: usize = 0; i < whole; i += 16) {
      v128.store(out + i, f32x4.mul(exp(f32x4.sub(v128.load(x + i), shift)), factor));
    }
    for (let i = whole; i < bytes; i += 4) {
      const power = exp(f32x4.sub(f32x4.splat(load<f32>(x + i)), shift));
      store<f32>(out + i, f32x4.extract_lane(f32x4.mul(power, factor), 0));
    }
    const at = out + (<usize>label << 2);
    store<f32>(at, load<f32>(at) - dy);
  }
}
