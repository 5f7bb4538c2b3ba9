/**
 * Blocks of 32 elements, taken apart four elements at a time: a 32-bit word of the file holds four packed bytes, and a
 * mask and a shift move all four at once. Every function fills `q` (as words of four bytes), `scale` and `min` so that
 * `scale * q + min` is exactly the value that blocks-reference.ts defines.
 */
import { nonLinearLevels } from './blocks-reference.ts';
import { halfToFloat } from './half.ts';

export interface Unpacked {
  /** [count / 4] words; bytes are 0 … 15, or signed. */
  readonly q: Uint32Array;
  /** [count / group] */
  readonly scale: Float32Array;
  /** [count / group], zeros on entry. */
  readonly min: Float32Array;
}

export type Unpack = (from: DataView, blocks: number, to: Unpacked) => void;

const lowHalves = 0x0f0f0f0f;

/** Four bits to the lowest bits of four bytes. */
export function spread(bits: number): number {
  return Math.imul(bits & 15, 0x00204081) & 0x01010101;
}

export const unpackQ4_0: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 18, to += 8) {
    const d = halfToFloat[from.getUint16(at, true)]!;
    scale[b] = d;
    min[b] = 0 - 8 * d;
    unpackNibbles(from, at + 2, q, to);
  }
};

export const unpackQ4_1: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 20, to += 8) {
    scale[b] = halfToFloat[from.getUint16(at, true)]!;
    min[b] = halfToFloat[from.getUint16(at + 2, true)]!;
    unpackNibbles(from, at + 4, q, to);
  }
};

function unpackNibbles(from: DataView, at: number, q: Uint32Array, to: number): void {
  for (let i = 0; i < 4; i++) {
    const word = from.getUint32(at + 4 * i, true);
    q[to + i] = word & lowHalves;
    q[to + i + 4] = (word >>> 4) & lowHalves;
  }
}

export const unpackQ5_0: Unpack = (from, blocks, { q, scale }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 22, to += 8) {
    scale[b] = halfToFloat[from.getUint16(at, true)]!;
    const fifth = from.getUint32(at + 2, true);
    for (let i = 0; i < 4; i++) {
      const word = from.getUint32(at + 6 + 4 * i, true);
      q[to + i] = centre5((word & lowHalves) | (spread(fifth >>> (4 * i)) << 4));
      q[to + i + 4] = centre5(((word >>> 4) & lowHalves) | (spread(fifth >>> (4 * i + 16)) << 4));
    }
  }
};

/** Subtracts 16 from each of four 5-bit numbers: flips the fifth bit and repeats it upwards as the sign. */
function centre5(word: number): number {
  const flipped = word ^ 0x10101010;
  const sign = flipped & 0x10101010;
  return flipped | (sign << 1) | (sign << 2) | (sign << 3);
}

export const unpackQ5_1: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 24, to += 8) {
    scale[b] = halfToFloat[from.getUint16(at, true)]!;
    min[b] = halfToFloat[from.getUint16(at + 2, true)]!;
    const fifth = from.getUint32(at + 4, true);
    for (let i = 0; i < 4; i++) {
      const word = from.getUint32(at + 8 + 4 * i, true);
      q[to + i] = (word & lowHalves) | (spread(fifth >>> (4 * i)) << 4);
      q[to + i + 4] = ((word >>> 4) & lowHalves) | (spread(fifth >>> (4 * i + 16)) << 4);
    }
  }
};

export const unpackQ8_0: Unpack = (from, blocks, { q, scale }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 34, to += 8) {
    scale[b] = halfToFloat[from.getUint16(at, true)]!;
    for (let i = 0; i < 8; i++) q[to + i] = from.getUint32(at + 2 + 4 * i, true);
  }
};

/** The levels are themselves 8-bit integers, so they are the numbers and the scale stays as it is. */
export const unpackIQ4_NL: Unpack = (from, blocks, { q, scale }) => {
  const bytes = new Int8Array(q.buffer, q.byteOffset, q.byteLength);
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 18, to += 32) {
    scale[b] = halfToFloat[from.getUint16(at, true)]!;
    for (let i = 0; i < 16; i++) {
      const packed = from.getUint8(at + 2 + i);
      bytes[to + i] = nonLinearLevels[packed & 15]!;
      bytes[to + i + 16] = nonLinearLevels[packed >> 4]!;
    }
  }
};
