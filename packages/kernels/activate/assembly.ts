import { address, int, take } from '../assembly/args';
import { exp } from '../assembly/simd';
import { quantizeRow } from '../norm/assembly';

/** Columns an item: a multiple of 32, small enough that one token's row is shared by several threads. */
// @ts-ignore: decorator
@inline const SPAN: i32 = 1024;

/**
 * out = act(gate) · up. Arguments: gate, up (both [n, stride]), stride in floats, n, columns (a multiple of 4),
 * 0 for SiLU and 1 for GELU (tanh form), out or 0 ([n, columns]), out bytes or 0, out meta.
 */
export function activate(args: usize, counter: usize, scratch: usize): void {
  const gate = address(args, 0);
  const up = address(args, 1);
  const stride = <usize>int(args, 2) << 2;
  const n = int(args, 3);
  const columns = int(args, 4);
  const kind = int(args, 5);
  const out = address(args, 6);
  const q = address(args, 7);
  const meta = address(args, 8);
  const spans = (columns + SPAN - 1) / SPAN;
  for (let item = take(counter); item < n * spans; item = take(counter)) {
    const t = item / spans;
    const from = (item % spans) * SPAN;
    const count = min(SPAN, columns - from);
    const at = <usize>t * stride + (<usize>from << 2);
    const index = <usize>t * columns + from;
    const target = out ? out + (index << 2) : scratch;
    const bytes = <usize>count << 2;
    if (kind == 0) {
      for (let k: usize = 0; k < bytes; k += 32) {
        const a = silu(v128.load(gate + at + k), v128.load(up + at + k)), b = silu(v128.load(gate + at + k, 16), v128.load(up + at + k, 16));
        v128.store(target + k, a);
        v128.store(target + k, b, 16);
      }
    } else {
      for (let k: usize = 0; k < bytes; k += 32) {
        const a = gelu(v128.load(gate + at + k), v128.load(up + at + k)), b = gelu(v128.load(gate + at + k, 16), v128.load(up + at + k, 16));
        v128.store(target + k, a);
        v128.store(target + k, b, 16);
      }
    }
    if (!q) continue;
    const group = <usize>(from >> 5) * n + t;
    quantizeRow(target, count, n, q + (group << 5), meta + (group << 4));
  }
}

// @ts-ignore: decorator
@inline function silu(x: v128, up: v128): v128 {
  return f32x4.mul(f32x4.div(x, f32x4.add(f32x4.splat(1), exp(f32x4.sub(i32x4.splat(0), x)))), up);
}

// @ts-ignore: decorator
@inline function gelu(x: v128, up: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, f32x4.splat(0.044715)));
  const y = f32x4.mul(f32x4.add(x, cube), f32x4.splat(1.5957691216));
  return f32x4.mul(f32x4.div(x, f32x4.add(f32x4.splat(1), exp(f32x4.sub(i32x4.splat(0), y)))), up);
}
