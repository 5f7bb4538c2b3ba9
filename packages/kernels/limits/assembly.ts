// Measures the machine instead of a model: how fast memory is read, and how fast the inner operations of the products are
// when nothing else is in their way. A module of its own with the entry that every worker calls.
import { address, int, take } from '../assembly/args';
import { dot2, madd } from '../assembly/simd';

/** Bytes that a thread takes at a time. */
// @ts-ignore: decorator
@inline const PIECE: usize = 1048576;
/** Rows of the operand in scratch memory; each is 256 bytes, so that all of them stay in the first-level cache. */
// @ts-ignore: decorator
@inline const ROWS: i32 = 64;
// @ts-ignore: decorator
@inline const RESULTS: usize = 16384;

/** Reads a piece from one place, or from four at once: of one stream some processors fetch ahead less than memory could give. */
function readPiece(at: usize, streams: i32, out: usize): void {
  let a = v128.splat<i32>(0), b = a, c = a, d = a;
  const gap: usize = streams == 1 ? 32 : PIECE / 4, step: usize = 128 / streams;
  for (const end = at + PIECE / streams; at < end; at += step) {
    const second = at + gap, third = second + gap, fourth = third + gap;
    a = v128.xor(a, v128.xor(v128.load(at), v128.load(at, 16)));
    b = v128.xor(b, v128.xor(v128.load(second), v128.load(second, 16)));
    c = v128.xor(c, v128.xor(v128.load(third), v128.load(third, 16)));
    d = v128.xor(d, v128.xor(v128.load(fourth), v128.load(fourth, 16)));
  }
  // A result that nobody stores would not have to be computed.
  v128.store(out, v128.xor(v128.xor(a, b), v128.xor(c, d)));
}

// @ts-ignore: decorator
@inline function dots(x: usize, y: usize, w: usize): void {
  const a0 = v128.load(w), a1 = v128.load(w, 16), b0 = v128.load(w, 32), b1 = v128.load(w, 48);
  const c0 = v128.load(w, 64), c1 = v128.load(w, 80), d0 = v128.load(w, 96), d1 = v128.load(w, 112);
  const e0 = v128.load(w, 128), e1 = v128.load(w, 144), f0 = v128.load(w, 160), f1 = v128.load(w, 176);
  const g0 = v128.load(w, 192), g1 = v128.load(w, 208), h0 = v128.load(w, 224), h1 = v128.load(w, 240);
  for (let t = 0; t < ROWS; t++) {
    const i0 = i16x8.add(dot2(v128.load(x), a0), dot2(v128.load(x, 32), b0));
    const i1 = i16x8.add(dot2(v128.load(x, 16), a1), dot2(v128.load(x, 48), b1));
    const j0 = i16x8.add(dot2(v128.load(x, 64), c0), dot2(v128.load(x, 96), d0));
    const j1 = i16x8.add(dot2(v128.load(x, 80), c1), dot2(v128.load(x, 112), d1));
    const k0 = i16x8.add(dot2(v128.load(x, 128), e0), dot2(v128.load(x, 160), f0));
    const k1 = i16x8.add(dot2(v128.load(x, 144), e1), dot2(v128.load(x, 176), f1));
    const l0 = i16x8.add(dot2(v128.load(x, 192), g0), dot2(v128.load(x, 224), h0));
    const l1 = i16x8.add(dot2(v128.load(x, 208), g1), dot2(v128.load(x, 240), h1));
    const r0 = i16x8.add(i16x8.add(i0, j0), i16x8.add(k0, l0));
    const r1 = i16x8.add(i16x8.add(i1, j1), i16x8.add(k1, l1));
    v128.store(y, r1, 16);
    v128.store(y, r0);
    x += 256;
    y += 32;
  }
}

// @ts-ignore: decorator
@inline function madds(x: usize, y: usize, w: usize): void {
  const a0 = v128.load(w), a1 = v128.load(w, 16), b0 = v128.load(w, 32), b1 = v128.load(w, 48);
  const c0 = v128.load(w, 64), c1 = v128.load(w, 80), d0 = v128.load(w, 96), d1 = v128.load(w, 112);
  const e0 = v128.load(w, 128), e1 = v128.load(w, 144), f0 = v128.load(w, 160), f1 = v128.load(w, 176);
  const g0 = v128.load(w, 192), g1 = v128.load(w, 208), h0 = v128.load(w, 224), h1 = v128.load(w, 240);
  for (let t = 0; t < ROWS; t++) {
    const i0 = madd(v128.load(x, 32), b0, madd(v128.load(x), a0, v128.load(y)));
    const i1 = madd(v128.load(x, 48), b1, madd(v128.load(x, 16), a1, v128.load(y, 16)));
    const j0 = madd(v128.load(x, 96), d0, madd(v128.load(x, 64), c0, i0));
    const j1 = madd(v128.load(x, 112), d1, madd(v128.load(x, 80), c1, i1));
    const k0 = madd(v128.load(x, 160), f0, f32x4.mul(v128.load(x, 128), e0));
    const k1 = madd(v128.load(x, 176), f1, f32x4.mul(v128.load(x, 144), e1));
    const m0 = madd(v128.load(x, 224), h0, madd(v128.load(x, 192), g0, k0));
    const m1 = madd(v128.load(x, 240), h1, madd(v128.load(x, 208), g1, k1));
    const l0 = f32x4.add(m0, j0), l1 = f32x4.add(m1, j1);
    v128.store(y, l1, 16);
    v128.store(y, l0);
    x += 256;
    y += 32;
  }
}

// Functions of their own: an engine may only replace a function by its optimised form when it is called again.
function dotRounds(scratch: usize, rounds: i32): void {
  for (let r = 0; r < rounds; r++) dots(scratch, scratch + RESULTS, scratch);
}
function maddRounds(scratch: usize, rounds: i32): void {
  for (let r = 0; r < rounds; r++) madds(scratch, scratch + RESULTS, scratch);
}

/**
 * Runs commands as the walk of the real kernels does, without barriers.
 * 1: address, pieces of 1 MiB to read, passes over them, from how many places at once (1 or 4). 2 and 3: rounds of dots or
 * madds a thread takes at a time, and how many times that is taken.
 */
export function walk(program: usize, control: usize, threads: i32, scratch: usize): i32 {
  let opcode = load<i32>(program);
  while (opcode != 0) {
    const counter = program + 12;
    const args = program + 16;
    if (opcode == 1) {
      const from = address(args, 0);
      const pieces = int(args, 1);
      const count = pieces * int(args, 2);
      const streams = int(args, 3);
      for (let i = take(counter); i < count; i = take(counter)) {
        readPiece(from + <usize>(i % pieces) * PIECE, streams, scratch + RESULTS);
      }
    } else {
      const rounds = int(args, 0);
      const count = int(args, 1);
      // Pages that were never written are all the same page, which a first-level cache may not hold at several addresses at once.
      memory.fill(scratch, 0, RESULTS + <usize>ROWS * 32);
      for (let i = take(counter); i < count; i = take(counter)) {
        if (opcode == 2) dotRounds(scratch, rounds);
        else maddRounds(scratch, rounds);
      }
    }
    program = args + (<usize>load<i32>(program, 4) << 2);
    opcode = load<i32>(program);
  }
  return 0;
}
