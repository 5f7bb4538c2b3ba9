import { address, int, take } from '../assembly/args';
import { exp, largest, sum } from '../assembly/simd';

/** Bytes of logits summed in float32 before they join the float64 sum. */
// @ts-ignore: decorator
@inline const BLOCK: usize = 1024;

/**
 * What −ln softmax(logits)[target] needs, row by row. Arguments: logits, stride in floats, n, v, targets [n],
 * out [n, 2]: { logit of the target − largest logit, Σ exp(logit − largest) }. The host takes the logarithm.
 */
export function loss(args: usize, counter: usize): void {
  const logits = address(args, 0);
  const stride = <usize>int(args, 1) << 2;
  const n = int(args, 2);
  const v = int(args, 3);
  const targets = address(args, 4);
  const out = address(args, 5);
  const end = (<usize>v & ~3) << 2;
  const all = <usize>v << 2;
  for (let r = take(counter); r < n; r = take(counter)) {
    const row = logits + <usize>r * stride;
    let top = f32x4.splat(-Infinity);
    for (let k: usize = 0; k < end; k += 16) top = f32x4.max(top, v128.load(row + k));
    let m = largest(top);
    for (let k = end; k < all; k += 4) m = max<f32>(m, load<f32>(row + k));
    const mm = f32x4.splat(m);
    // A vocabulary of small terms beside one of size 1 would vanish in a single float32 sum.
    let total: f64 = 0;
    for (let from: usize = 0; from < end; from += BLOCK) {
      const to = min(from + BLOCK, end);
      let part = f32x4.splat(0);
      for (let k = from; k < to; k += 16) part = f32x4.add(part, exp(f32x4.sub(v128.load(row + k), mm)));
      total += sum(part);
    }
    for (let k = end; k < all; k += 4) total += f32x4.extract_lane(exp(f32x4.splat(load<f32>(row + k) - m)), 0);
    const target = load<i32>(targets + (<usize>r << 2));
    const to = out + (<usize>r << 3);
    store<f32>(to, load<f32>(row + (<usize>target << 2)) - m);
    store<f32>(to, <f32>total, 4);
  }
}
