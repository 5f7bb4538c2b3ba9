import type { BlockType } from './block-types.ts';
import { halfToFloat } from './half.ts';

/**
 * The definition of every block format, one element at a time: the value of element `e` of the block at byte `at`.
 * The layouts are those of ggml's `ggml-common.h`, the arithmetic that of its `dequantize_row_*` functions. Every product
 * here has at most 24 significant bits, so the only rounding is that of the sum to float32, as in ggml.
 */
type Element = (bytes: Uint8Array, at: number, e: number) => number;

/** The 16 levels of IQ4_NL (ggml, `kvalues_iq4nl`). */
export const nonLinearLevels = Int8Array.of(
  ...[-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113],
);

const half = (b: Uint8Array, at: number) => halfToFloat[b[at]! | (b[at + 1]! << 8)]!;
const signed = (byte: number) => (byte << 24) >> 24;
/** Blocks of 32 keep elements 0 … 15 in the low halves of their 16 bytes and 16 … 31 in the high halves. */
const nibble = (b: Uint8Array, at: number, e: number) => (b[at + (e & 15)]! >> (e & 16 ? 4 : 0)) & 15;
/** Q4_K and Q5_K keep two runs of 32 elements in the low and high halves of 32 bytes. */
const nibble64 = (b: Uint8Array, at: number, e: number) => (b[at + (e >> 6) * 32 + (e & 31)]! >> (e & 32 ? 4 : 0)) & 15;
/** Q2_K and Q3_K keep four runs of 32 elements in the bit pairs of 32 bytes. */
const pair = (b: Uint8Array, at: number, e: number) => (b[at + (e >> 7) * 32 + (e & 31)]! >> (((e >> 5) & 3) * 2)) & 3;
/** Bit e of a little-endian bit string. */
const bit = (b: Uint8Array, at: number, e: number) => (b[at + (e >> 3)]! >> (e & 7)) & 1;
/** Bit `e >> 5` of the byte of element e in its run of 32. */
const runBit = (b: Uint8Array, at: number, e: number) => (b[at + (e & 31)]! >> (e >> 5)) & 1;

/** The 6-bit scale of run j in the 12 bytes of Q4_K and Q5_K. */
const scale6 = (b: Uint8Array, at: number, j: number) =>
  j < 4 ? b[at + j]! & 63 : (b[at + j + 4]! & 15) | ((b[at + j - 4]! >> 6) << 4);
/** The 6-bit minimum of run j beside it. */
const min6 = (b: Uint8Array, at: number, j: number) =>
  j < 4 ? b[at + j + 4]! & 63 : (b[at + j + 4]! >> 4) | ((b[at + j]! >> 6) << 4);
/** The 6-bit scale of group j in the 12 bytes of Q3_K, −32 … 31. */
const scale3 = (b: Uint8Array, at: number, j: number) =>
  (((b[at + (j & 7)]! >> (j & 8 ? 4 : 0)) & 15) | (((b[at + 8 + (j & 3)]! >> ((j >> 2) * 2)) & 3) << 4)) - 32;

export const element: Readonly<Record<BlockType, Element>> = {
  Q4_0: (b, at, e) => half(b, at) * (nibble(b, at + 2, e) - 8),
  Q4_1: (b, at, e) => half(b, at) * nibble(b, at + 4, e) + half(b, at + 2),
  Q5_0: (b, at, e) => half(b, at) * (nibble(b, at + 6, e) + 16 * bit(b, at + 2, e) - 16),
  Q5_1: (b, at, e) => half(b, at) * (nibble(b, at + 8, e) + 16 * bit(b, at + 4, e)) + half(b, at + 2),
  Q8_0: (b, at, e) => half(b, at) * signed(b[at + 2 + e]!),
  IQ4_NL: (b, at, e) => half(b, at) * nonLinearLevels[nibble(b, at + 2, e)]!,
  Q2_K: (b, at, e) => {
    const scales = b[at + (e >> 4)]!;
    return half(b, at + 80) * (scales & 15) * pair(b, at + 16, e) - half(b, at + 82) * (scales >> 4);
  },
  Q3_K: (b, at, e) => half(b, at + 108) * scale3(b, at + 96, e >> 4) * (pair(b, at + 32, e) + 4 * runBit(b, at, e) - 4),
  Q4_K: (b, at, e) =>
    half(b, at) * scale6(b, at + 4, e >> 5) * nibble64(b, at + 16, e) - half(b, at + 2) * min6(b, at + 4, e >> 5),
  Q5_K: (b, at, e) =>
    half(b, at) * scale6(b, at + 4, e >> 5) * (nibble64(b, at + 48, e) + 16 * runBit(b, at + 16, e)) -
    half(b, at + 2) * min6(b, at + 4, e >> 5),
  Q6_K: (b, at, e) => {
    const low = (b[at + (e >> 7) * 64 + (e & 63)]! >> (e & 64 ? 4 : 0)) & 15;
    const high = (b[at + 128 + (e >> 7) * 32 + (e & 31)]! >> (((e >> 5) & 3) * 2)) & 3;
    return half(b, at + 208) * signed(b[at + 192 + (e >> 4)]!) * (low + 16 * high - 32);
  },
};
