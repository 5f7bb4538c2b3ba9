/**
 * Floats into the formats of weight files: for test models and for files that peers read. Rounding is to nearest with
 * the scales of ggml's reference quantizers (`quantize_row_*_ref`), so that the 32-element formats come out byte for byte
 * as ggml writes them; Q4_K and Q6_K take scales from the range of each group and skip ggml's search for better ones.
 */
import { LociError } from '../errors.ts';
import { blockShapes } from './block-types.ts';
import { floatToBfloat, floatToHalf } from './half.ts';
import { type QuantizeBlock, setHalf } from './quantize-block.ts';
import { quantizeQ4_K, quantizeQ6_K } from './quantize-k.ts';
import type { TensorType } from './types.ts';

export type QuantizableType = 'F32' | 'F16' | 'BF16' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q4_K' | 'Q6_K';

/**
 * Stores a row-major tensor (or any whole number of blocks of one) as `type`.
 * @throws LociError `unsupported` for the formats that are only read, `bad-option` when the values are not whole blocks, not
 * finite, or too large for the half-precision scales of the format.
 */
export function quantize(type: TensorType, values: Float32Array): Uint8Array<ArrayBuffer> {
  const block = blocks[type];
  if (!block)
    throw new LociError('unsupported', `${type} can be read but not written: write one of ${quantizableTypes}`);
  const { elements, bytes } = blockShapes[type];
  if (values.length % elements !== 0) {
    throw new LociError(
      'bad-option',
      `${values.length} values are not a whole number of ${type} blocks of ${elements}`,
    );
  }
  if (elements > 1) checkFinite(values);
  const out = new Uint8Array((values.length / elements) * bytes);
  const view = new DataView(out.buffer);
  for (let start = 0, at = 0; start < values.length; start += elements, at += bytes) block(values, start, view, at);
  return out;
}

const blocks: Readonly<Record<QuantizableType, QuantizeBlock>> & Readonly<Partial<Record<TensorType, QuantizeBlock>>> =
  {
    F32: (values, start, out, at) => out.setFloat32(at, values[start]!, true),
    F16: (values, start, out, at) => out.setUint16(at, floatToHalf(values[start]!), true),
    BF16: (values, start, out, at) => out.setUint16(at, floatToBfloat(values[start]!), true),
    Q4_0: (values, start, out, at) => {
      const inverse = symmetricScale(values, start, -8, out, at);
      for (let i = 0; i < 16; i++) {
        const low = level(values[start + i]!, inverse, 8.5, 15);
        out.setUint8(at + 2 + i, low | (level(values[start + i + 16]!, inverse, 8.5, 15) << 4));
      }
    },
    Q4_1: (values, start, out, at) => {
      const { min, inverse } = rangeScale(values, start, 15, out, at);
      for (let i = 0; i < 16; i++) {
        const low = level(values[start + i]! - min, inverse, 0.5, 15);
        out.setUint8(at + 4 + i, low | (level(values[start + i + 16]! - min, inverse, 0.5, 15) << 4));
      }
    },
    Q5_0: (values, start, out, at) => {
      const inverse = symmetricScale(values, start, -16, out, at);
      setFiveBits(out, at + 2, (i) => level(values[start + i]!, inverse, 16.5, 31));
    },
    Q5_1: (values, start, out, at) => {
      const { min, inverse } = rangeScale(values, start, 31, out, at);
      setFiveBits(out, at + 4, (i) => level(values[start + i]! - min, inverse, 0.5, 31));
    },
    Q8_0: (values, start, out, at) => {
      let largest = 0;
      for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[start + i]!));
      const scale = Math.fround(largest / 127);
      setHalf(out, at, scale);
      const inverse = inverseOf(scale);
      for (let i = 0; i < 32; i++) {
        const x = Math.fround(values[start + i]! * inverse);
        // Halves round away from zero here, as C's roundf does.
        out.setInt8(at + 2 + i, Math.sign(x) * Math.floor(Math.abs(x) + 0.5));
      }
    },
    Q4_K: quantizeQ4_K,
    Q6_K: quantizeQ6_K,
  };

export const quantizableTypes = Object.keys(blocks).join(', ');

/** Writes the scale that takes the element of largest magnitude to `lowest`, and returns its inverse. */
function symmetricScale(values: Float32Array, start: number, lowest: number, out: DataView, at: number): number {
  let extreme = 0;
  for (let i = 0; i < 32; i++) {
    if (Math.abs(values[start + i]!) > Math.abs(extreme)) extreme = values[start + i]!;
  }
  const scale = Math.fround(extreme / lowest);
  setHalf(out, at, scale);
  return inverseOf(scale);
}

/** Writes the scale that spreads the elements over 0 … `highest`, and the minimum after it. */
function rangeScale(values: Float32Array, start: number, highest: number, out: DataView, at: number) {
  let min = values[start]!;
  let max = min;
  for (let i = 1; i < 32; i++) {
    min = Math.min(min, values[start + i]!);
    max = Math.max(max, values[start + i]!);
  }
  const scale = Math.fround(Math.fround(max - min) / highest);
  setHalf(out, at, scale);
  setHalf(out, at + 2, min);
  return { min, inverse: inverseOf(scale) };
}

/** ggml works in float32 throughout; without the same roundings a value on the border would take the other level. */
function level(x: number, inverse: number, offset: number, highest: number): number {
  return Math.min(highest, Math.trunc(Math.fround(Math.fround(Math.fround(x) * inverse) + offset)));
}

function inverseOf(scale: number): number {
  return scale === 0 ? 0 : Math.fround(1 / scale);
}

/** Four bits of every element in 16 bytes, after the fifth bits in a word. */
function setFiveBits(out: DataView, at: number, levelOf: (i: number) => number): void {
  let fifth = 0;
  for (let i = 0; i < 16; i++) {
    const low = levelOf(i);
    const high = levelOf(i + 16);
    fifth |= ((low >> 4) << i) | ((high >> 4) << (i + 16));
    out.setUint8(at + 4 + i, (low & 15) | ((high & 15) << 4));
  }
  out.setInt32(at, fifth, true);
}

function checkFinite(values: Float32Array): void {
  const i = values.findIndex((value) => !Number.isFinite(value));
  if (i >= 0) throw new LociError('bad-option', `element ${i} is ${values[i]}, which a block format cannot hold`);
}
