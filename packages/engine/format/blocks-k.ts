/**
 * Superblocks of 256 elements (ggml's "K" formats): 6-bit or 4-bit scales of 8 or 16 groups under one or two halves.
 * The technique and the promise are those of blocks-legacy.ts.
 */
import type { Unpack } from './blocks-legacy.ts';
import { halfToFloat } from './half.ts';

const pairs = 0x03030303;
const lowHalves = 0x0f0f0f0f;
const lowBits = 0x01010101;

export const unpackQ2_K: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 84, to += 64) {
    const d = halfToFloat[from.getUint16(at + 80, true)]!;
    const dMin = halfToFloat[from.getUint16(at + 82, true)]!;
    for (let g = 0; g < 16; g++) {
      const scales = from.getUint8(at + g);
      scale[b * 16 + g] = d * (scales & 15);
      min[b * 16 + g] = 0 - dMin * (scales >> 4);
    }
    for (let i = 0; i < 16; i++) {
      const word = from.getUint32(at + 16 + 4 * i, true);
      const out = to + (i >> 3) * 32 + (i & 7);
      q[out] = word & pairs;
      q[out + 8] = (word >>> 2) & pairs;
      q[out + 16] = (word >>> 4) & pairs;
      q[out + 24] = (word >>> 6) & pairs;
    }
  }
};

/** Numbers are kept as 0 … 7 (the file means −4 … 3). */
export const unpackQ3_K: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 110, to += 64) {
    const d = halfToFloat[from.getUint16(at + 108, true)]!;
    for (let g = 0; g < 16; g++) {
      const low = (from.getUint8(at + 96 + (g & 7)) >> (g & 8 ? 4 : 0)) & 15;
      const high = (from.getUint8(at + 104 + (g & 3)) >> ((g >> 2) * 2)) & 3;
      const s = d * ((low | (high << 4)) - 32);
      scale[b * 16 + g] = s;
      min[b * 16 + g] = 0 - 4 * s;
    }
    for (let i = 0; i < 16; i++) {
      const word = from.getUint32(at + 32 + 4 * i, true);
      // Each half of the superblock takes four of the eight bits of the same 32 bytes.
      const third = from.getUint32(at + 4 * (i & 7), true) >>> ((i >> 3) * 4);
      const out = to + (i >> 3) * 32 + (i & 7);
      q[out] = (word & pairs) | ((third & lowBits) << 2);
      q[out + 8] = ((word >>> 2) & pairs) | (((third >>> 1) & lowBits) << 2);
      q[out + 16] = ((word >>> 4) & pairs) | (((third >>> 2) & lowBits) << 2);
      q[out + 24] = ((word >>> 6) & pairs) | (((third >>> 3) & lowBits) << 2);
    }
  }
};

export const unpackQ4_K: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 144, to += 64) {
    unpackScales6(from, at, b * 8, scale, min);
    for (let i = 0; i < 32; i++) {
      const word = from.getUint32(at + 16 + 4 * i, true);
      const out = to + (i >> 3) * 16 + (i & 7);
      q[out] = word & lowHalves;
      q[out + 8] = (word >>> 4) & lowHalves;
    }
  }
};

export const unpackQ5_K: Unpack = (from, blocks, { q, scale, min }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 176, to += 64) {
    unpackScales6(from, at, b * 8, scale, min);
    for (let i = 0; i < 32; i++) {
      const word = from.getUint32(at + 48 + 4 * i, true);
      const fifth = from.getUint32(at + 16 + 4 * (i & 7), true) >>> ((i >> 3) * 2);
      const out = to + (i >> 3) * 16 + (i & 7);
      q[out] = (word & lowHalves) | ((fifth & lowBits) << 4);
      q[out + 8] = ((word >>> 4) & lowHalves) | (((fifth >>> 1) & lowBits) << 4);
    }
  }
};

/** The head of Q4_K and Q5_K: two halves, then eight scales and eight minima of 6 bits in 12 bytes. */
function unpackScales6(from: DataView, at: number, group: number, scale: Float32Array, min: Float32Array): void {
  const d = halfToFloat[from.getUint16(at, true)]!;
  const dMin = halfToFloat[from.getUint16(at + 2, true)]!;
  for (let g = 0; g < 4; g++) {
    const a = from.getUint8(at + 4 + g);
    const b = from.getUint8(at + 8 + g);
    const c = from.getUint8(at + 12 + g);
    scale[group + g] = d * (a & 63);
    min[group + g] = 0 - dMin * (b & 63);
    scale[group + g + 4] = d * ((c & 15) | ((a >> 6) << 4));
    min[group + g + 4] = 0 - dMin * ((c >> 4) | ((b >> 6) << 4));
  }
}

export const unpackQ6_K: Unpack = (from, blocks, { q, scale }) => {
  for (let b = 0, at = 0, to = 0; b < blocks; b++, at += 210, to += 64) {
    const d = halfToFloat[from.getUint16(at + 208, true)]!;
    for (let g = 0; g < 16; g++) scale[b * 16 + g] = d * from.getInt8(at + 192 + g);
    for (let i = 0; i < 16; i++) {
      // Words i and i + 8 of a half share the word of upper bits.
      const first = from.getUint32(at + (i >> 3) * 64 + 4 * (i & 7), true);
      const second = from.getUint32(at + (i >> 3) * 64 + 32 + 4 * (i & 7), true);
      const upper = from.getUint32(at + 128 + 4 * i, true);
      const out = to + (i >> 3) * 32 + (i & 7);
      q[out] = centre6((first & lowHalves) | ((upper & pairs) << 4));
      q[out + 8] = centre6((second & lowHalves) | (((upper >>> 2) & pairs) << 4));
      q[out + 16] = centre6(((first >>> 4) & lowHalves) | (((upper >>> 4) & pairs) << 4));
      q[out + 24] = centre6(((second >>> 4) & lowHalves) | (((upper >>> 6) & pairs) << 4));
    }
  }
};

/** Subtracts 32 from each of four 6-bit numbers: flips the sixth bit and repeats it upwards as the sign. */
function centre6(word: number): number {
  const flipped = word ^ 0x20202020;
  const sign = flipped & 0x20202020;
  return flipped | (sign << 1) | (sign << 2);
}
