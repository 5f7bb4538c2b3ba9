// Functions of one or two arrays, element by element, over any strides: what is not dense goes through scratch memory, so
// that the loops themselves know dense arrays only.
import { address, float, int, take } from '../assembly/args';
import { exp, larger, madd, smaller } from '../assembly/simd';

/** Elements that go through the loops at a time. */
// @ts-ignore: decorator
@inline const BLOCK: i32 = 1024;
// @ts-ignore: decorator
@inline const BLOCK_BYTES: usize = 4096;
/** Elements that a thread takes at a time. */
// @ts-ignore: decorator
@inline const PIECE: i32 = 8192;

// @ts-ignore: decorator
@inline function one(): v128 {
  return f32x4.splat(1);
}

// @ts-ignore: decorator
@inline function sigmoid(x: v128): v128 {
  return f32x4.div(one(), f32x4.add(one(), exp(f32x4.neg(x))));
}

// @ts-ignore: decorator
@inline function tanh(x: v128): v128 {
  return f32x4.sub(one(), f32x4.div(f32x4.splat(2), f32x4.add(one(), exp(f32x4.add(x, x)))));
}

/** 2 √(2/π) (x + 0.044715 x³): the sigmoid of it times x is the usual approximation of GELU. */
// @ts-ignore: decorator
@inline function geluArgument(x: v128): v128 {
  const inner = madd(f32x4.mul(f32x4.splat(0.07135481282), x), x, f32x4.splat(1.595769122));
  return f32x4.mul(x, inner);
}

function logs(x: v128): v128 {
  const low = f32x4.replace_lane(f32x4.splat(Mathf.log(f32x4.extract_lane(x, 0))), 1, Mathf.log(f32x4.extract_lane(x, 1)));
  const third = f32x4.replace_lane(low, 2, Mathf.log(f32x4.extract_lane(x, 2)));
  return f32x4.replace_lane(third, 3, Mathf.log(f32x4.extract_lane(x, 3)));
}

/** Not below −100, where silu and gelu are 0: what their sigmoid ends at, 10⁻³⁹, is not 0 times a number of 10³⁸. */
// @ts-ignore: decorator
@inline function bounded(x: v128): v128 {
  return larger(x, f32x4.splat(-100));
}

/** The functions, by the numbers of index.ts; those from 24 on are derivatives, times y. */
// @ts-ignore: decorator
@inline function value(code: i32, x: v128, y: v128, p: v128, q: v128): v128 {
  if (code == 0) return x;
  if (code == 1) return madd(x, p, q);
  if (code == 2) return exp(x);
  if (code == 3) return logs(x);
  if (code == 4) return tanh(x);
  if (code == 5) return sigmoid(x);
  if (code == 6) return f32x4.mul(bounded(x), sigmoid(x));
  if (code == 7) return f32x4.mul(bounded(x), sigmoid(geluArgument(bounded(x))));
  if (code == 8) return v128.and(x, f32x4.gt(x, f32x4.splat(0)));
  if (code == 9) return f32x4.mul(x, x);
  if (code == 10) return f32x4.sqrt(x);
  if (code == 11) return f32x4.div(one(), x);
  if (code == 16) return f32x4.add(x, y);
  if (code == 17) return f32x4.sub(x, y);
  if (code == 18) return f32x4.mul(x, y);
  if (code == 19) return f32x4.div(x, y);
  // Of tanh and of the sigmoid, from their values.
  if (code == 24) return f32x4.mul(y, f32x4.sub(one(), f32x4.mul(x, x)));
  if (code == 25) return f32x4.mul(y, f32x4.mul(x, f32x4.sub(one(), x)));
  if (code == 26) {
    const s = sigmoid(x);
    return f32x4.mul(y, madd(f32x4.mul(bounded(x), s), f32x4.sub(one(), s), s));
  }
  if (code == 27) {
    // Beyond, it is 0 and 1, and its parts are too large to be multiplied.
    const b = smaller(bounded(x), f32x4.splat(100));
    const s = sigmoid(geluArgument(b));
    const slope = madd(f32x4.mul(f32x4.splat(0.2140644385), b), b, f32x4.splat(1.595769122));
    return f32x4.mul(y, madd(f32x4.mul(f32x4.mul(b, slope), s), f32x4.sub(one(), s), s));
  }
  return v128.and(y, f32x4.gt(x, f32x4.splat(0)));
}

// Two vectors at a time, which V8 joins (docs/performance.md).
// @ts-ignore: decorator
@inline function run(code: i32, x: usize, y: usize, out: usize, bytes: usize, p: v128, q: v128): void {
  const pairs = bytes & ~31;
  for (let i: usize = 0; i < pairs; i += 32) {
    const x0 = v128.load(x + i), x1 = v128.load(x + i, 16), y0 = v128.load(y + i), y1 = v128.load(y + i, 16);
    const a = value(code, x0, y0, p, q), b = value(code, x1, y1, p, q);
    v128.store(out + i, a);
    v128.store(out + i, b, 16);
  }
  if (pairs < bytes) v128.store(out + pairs, value(code, v128.load(x + pairs), v128.load(y + pairs), p, q));
}

/** `bytes` is a multiple of 16. One loop for each function. */
function apply(code: i32, x: usize, y: usize, out: usize, bytes: usize, p: v128, q: v128): void {
  switch (code) {
    case 0: return run(0, x, y, out, bytes, p, q);
    case 1: return run(1, x, y, out, bytes, p, q);
    case 2: return run(2, x, y, out, bytes, p, q);
    case 3: return run(3, x, y, out, bytes, p, q);
    case 4: return run(4, x, y, out, bytes, p, q);
    case 5: return run(5, x, y, out, bytes, p, q);
    case 6: return run(6, x, y, out, bytes, p, q);
    case 7: return run(7, x, y, out, bytes, p, q);
    case 8: return run(8, x, y, out, bytes, p, q);
    case 9: return run(9, x, y, out, bytes, p, q);
    case 10: return run(10, x, y, out, bytes, p, q);
    case 11: return run(11, x, y, out, bytes, p, q);
    case 16: return run(16, x, y, out, bytes, p, q);
    case 17: return run(17, x, y, out, bytes, p, q);
    case 18: return run(18, x, y, out, bytes, p, q);
    case 19: return run(19, x, y, out, bytes, p, q);
    case 24: return run(24, x, y, out, bytes, p, q);
    case 25: return run(25, x, y, out, bytes, p, q);
    case 26: return run(26, x, y, out, bytes, p, q);
    case 27: return run(27, x, y, out, bytes, p, q);
    case 28: return run(28, x, y, out, bytes, p, q);
    default: unreachable();
  }
}

/** The block's elements side by side: where they lie, or copied to `room`. */
function dense(x: usize, stride: usize, count: i32, room: usize): usize {
  if (stride == 4 && (count & 3) == 0) return x;
  if (stride == 4) memory.copy(room, x, <usize>count << 2);
  else for (let i = 0; i < count; i++) store<f32>(room + (<usize>i << 2), load<f32>(x + <usize>i * stride));
  return room;
}

/**
 * Arguments: function, its two numbers, x, y (or x again), out, four sizes, then four strides each of x, y and out, in
 * floats. Rows of the last dimension are cut into blocks.
 */
export function map(args: usize, counter: usize, scratch: usize): void {
  const code = int(args, 0);
  const p = f32x4.splat(float(args, 1)), q = f32x4.splat(float(args, 2));
  const size1 = int(args, 7), size2 = int(args, 8), columns = int(args, 9);
  const rows = int(args, 6) * size1 * size2;
  const xStep = <usize>int(args, 13) << 2, yStep = <usize>int(args, 17) << 2, outStep = <usize>int(args, 21) << 2;
  const pieces = (columns + PIECE - 1) / PIECE;
  const rowsAtOnce = max(1, PIECE / max(columns, 1));
  const count = ((rows + rowsAtOnce - 1) / rowsAtOnce) * pieces;
  for (let t = take(counter); t < count; t = take(counter)) {
    const begin = (t / pieces) * rowsAtOnce, end = min(rows, begin + rowsAtOnce);
    const from = (t % pieces) * PIECE, to = min(columns, from + PIECE);
    for (let r = begin; r < end; r++) {
      const i2 = r % size2, rest = r / size2, i1 = rest % size1, i0 = rest / size1;
      const x = address(args, 3) + (<usize>(i0 * int(args, 10) + i1 * int(args, 11) + i2 * int(args, 12)) << 2);
      const y = address(args, 4) + (<usize>(i0 * int(args, 14) + i1 * int(args, 15) + i2 * int(args, 16)) << 2);
      const out = address(args, 5) + (<usize>(i0 * int(args, 18) + i1 * int(args, 19) + i2 * int(args, 20)) << 2);
      for (let c = from; c < to; c += BLOCK) {
        const length = min(BLOCK, to - c), at = <usize>c;
        const direct = outStep == 4 && (length & 3) == 0;
        const o = out + at * outStep;
        const room = direct ? o : scratch + 2 * BLOCK_BYTES;
        const xs = dense(x + at * xStep, xStep, length, scratch);
        const ys = code < 16 ? xs : dense(y + at * yStep, yStep, length, scratch + BLOCK_BYTES);
        apply(code, xs, ys, room, (<usize>(length + 3) & ~3) << 2, p, q);
        if (direct) continue;
        if (outStep == 4) memory.copy(o, room, <usize>length << 2);
        else for (let i = 0; i < length; i++) store<f32>(o + <usize>i * outStep, load<f32>(room + (<usize>i << 2)));
      }
    }
  }
}
