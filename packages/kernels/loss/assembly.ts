import { address, int, take } from '../assembly/args';
import { exp, larger, largest, store4, sum } from '../assembly/simd';

/** Bytes of logits summed in float32 before they join the float64 sum. */
// @ts-ignore: decorator
@inline const BLOCK: usize = 1024;

/**
 * What −ln softmax(logits)[target] needs, row by row. Arguments: logits, stride in floats, n, v, targets [n],
 * out [n, 2]: { logit of the target − largest logit, Σ exp(logit − largest) }. The host takes the logarithm.
 */
export function loss(args: usize, counter: usize, scratch: usize): void {
  const logits = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const n = int(args, 2);
  const v = int(args, 3);
  const targets = address(args, 4);
  const out = address(args, 5);
  for (let r = take(counter); r < n; r = take(counter)) {
    const row = logits + <usize>r * stride;
    const m = largestOf(row, v, scratch);
    const target = load<i32>(targets + (<usize>r << 2));
    const to = out + (<usize>r << 3);
    store<f32>(to, load<f32>(row + (<usize>target << 2)) - m);
    store<f32>(to, <f32>sumOfPowers(row, v, m, 1, scratch), 4);
  }
}

// Sixteen numbers at a time; their four vectors meet in 64 bytes of scratch memory, where an engine may join them.

/** The largest number of a row; a NaN is passed over. */
function largestOf(row: usize, v: i32, spare: usize): f32 {
  const end = row + (<usize>(v & ~15) << 2), all = row + (<usize>v << 2);
  let a = f32x4.splat(-Infinity), b = a, c = a, d = a;
  for (; row < end; row += 64) {
    a = larger(a, v128.load(row)), b = larger(b, v128.load(row, 16));
    c = larger(c, v128.load(row, 32)), d = larger(d, v128.load(row, 48));
  }
  store4(spare, a, b, c, d);
  let m = largest(larger(larger(v128.load(spare), v128.load(spare, 16)), larger(v128.load(spare, 32), v128.load(spare, 48))));
  for (; row < all; row += 4) {
    const x = load<f32>(row);
    if (x > m) m = x;
  }
  return m;
}

/** Σ exp((x − m) · factor), NaN where one is. Needs 64 spare bytes. */
export function sumOfPowers(row: usize, v: i32, m: f32, factor: f32, spare: usize): f64 {
  const end = row + (<usize>(v & ~15) << 2), all = row + (<usize>v << 2);
  const mm = f32x4.splat(m), f = f32x4.splat(factor);
  // A vocabulary of small terms beside one of size 1 would vanish in a single float32 sum.
  let total: f64 = 0;
  while (row < end) {
    const to = min(row + BLOCK, end);
    let a = f32x4.splat(0), b = a, c = a, d = a;
    for (; row < to; row += 64) {
      const x0 = v128.load(row), x1 = v128.load(row, 16), x2 = v128.load(row, 32), x3 = v128.load(row, 48);
      a = f32x4.add(a, exp(f32x4.mul(f32x4.sub(x0, mm), f))), b = f32x4.add(b, exp(f32x4.mul(f32x4.sub(x1, mm), f)));
      c = f32x4.add(c, exp(f32x4.mul(f32x4.sub(x2, mm), f))), d = f32x4.add(d, exp(f32x4.mul(f32x4.sub(x3, mm), f)));
    }
    store4(spare, a, b, c, d);
    total += sum(f32x4.add(f32x4.add(v128.load(spare), v128.load(spare, 16)), f32x4.add(v128.load(spare, 32), v128.load(spare, 48))));
  }
  for (; row < all; row += 4) total += f32x4.extract_lane(exp(f32x4.splat((load<f32>(row) - m) * factor)), 0);
  return total;
}
