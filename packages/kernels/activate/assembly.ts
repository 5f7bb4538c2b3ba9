import { address, int, rowsAtOnce, take } from '../assembly/args';
import { exp, number, store4 } from '../assembly/simd';
import { quantizeRow } from '../norm/assembly';

// @ts-ignore: decorator
@inline const SILU: i32 = 0;
// @ts-ignore: decorator
@inline const GELU: i32 = 1;

/** Columns an item: a multiple of 32, small enough that one token's row is shared by several threads. */
// @ts-ignore: decorator
@inline const SPAN: i32 = 1024;

/**
 * out = act(gate) · up, or act(gate) where up is 0. Arguments: gate, up (both [n, stride]), stride in floats, n, columns (a multiple of 4),
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
  const step = rowsAtOnce(n);
  const items = ((n + step - 1) / step) * spans;
  for (let item = take(counter); item < items; item = take(counter)) {
    const first = (item / spans) * step;
    const from = (item % spans) * SPAN;
    const count = min(SPAN, columns - from);
    for (let t = first, end = min(first + step, n); t < end; t++) {
      const at = <usize>t * stride + (<usize>from << 2);
      const index = <usize>t * columns + from;
      const target = out ? out + (index << 2) : scratch;
      if (!up) plainRow(gate + at, count, target, kind);
      else if (kind == GELU) geluRow(gate + at, up + at, count, target);
      else siluRow(gate + at, up + at, count, target);
      if (!q) continue;
      const group = <usize>(from >> 5) * n + t;
      quantizeRow(target, count, n, q + (group << 5), meta + (group << 4));
    }
  }
}

// One instance of each kind: a branch in a loop would keep an engine from joining its vectors.
function siluRow(gate: usize, up: usize, count: i32, out: usize): void {
  activateRow(gate, up, count, out, SILU);
}
function geluRow(gate: usize, up: usize, count: i32, out: usize): void {
  activateRow(gate, up, count, out, GELU);
}

function plainRow(gate: usize, count: i32, out: usize, kind: i32): void {
  const ones = number(NUMBERS, 0);
  for (const end = out + (<usize>count << 2); out < end; out += 16, gate += 16) {
    v128.store(out, kind == GELU ? gated(v128.load(gate), ones, GELU) : gated(v128.load(gate), ones, SILU));
  }
}

// @ts-ignore: decorator
@inline function activateRow(gate: usize, up: usize, count: i32, out: usize, kind: i32): void {
  const end = out + (<usize>(count & ~15) << 2), all = out + (<usize>count << 2);
  for (; out < end; out += 64, gate += 64, up += 64) {
    const a = gated(v128.load(gate), v128.load(up), kind), b = gated(v128.load(gate, 16), v128.load(up, 16), kind);
    const c = gated(v128.load(gate, 32), v128.load(up, 32), kind), d = gated(v128.load(gate, 48), v128.load(up, 48), kind);
    store4(out, a, b, c, d);
  }
  for (; out < all; out += 16, gate += 16, up += 16) v128.store(out, gated(v128.load(gate), v128.load(up), kind));
}

// 1, 0.044715, 2 √(2/π).
const NUMBERS: usize = memory.data<f32>([1, 0.044715, 1.5957691216]);

/** Both are x · σ(y): SiLU with y = x, the tanh form of GELU with y = 2 √(2/π) (x + 0.044715 x³). */
// @ts-ignore: decorator
@inline function gated(x: v128, up: v128, kind: i32): v128 {
  let y = x;
  if (kind == GELU) {
    const cube = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, number(NUMBERS, 1)));
    y = f32x4.mul(f32x4.add(x, cube), number(NUMBERS, 2));
  }
  const e = exp(f32x4.sub(f32x4.splat(0), y));
  return f32x4.mul(f32x4.div(x, f32x4.add(number(NUMBERS, 0), e)), up);
}
