import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockShapes } from './block-types.ts';
import { dequantize, toAffine } from './blocks.ts';
import { floatToBfloat, floatToHalf } from './half.ts';
import { type QuantizableType, quantizableTypes, quantize } from './quantize.ts';
import type { TensorType } from './types.ts';

/** Made by bench/oracles/gguf-blocks.py with the Python package gguf. */
const golden: {
  readonly dequantize: Readonly<Record<string, { readonly bytes: string; readonly values: string }>>;
  readonly quantize: Readonly<Record<string, string>>;
} = JSON.parse(readFileSync(new URL('./golden/blocks.json', import.meta.url), 'utf8'));

const unhex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
const floats = (hex: string) => new Float32Array(unhex(hex).buffer);
const isTensorType = (name: string): name is TensorType => name in blockShapes;
const types = Object.keys(blockShapes).filter(isTensorType);
const floatTypes: readonly TensorType[] = ['F32', 'F16', 'BF16'];
const blockTypes = types.filter((type) => !floatTypes.includes(type));
/** Where a block keeps its half-precision numbers. */
const halves: Readonly<Partial<Record<TensorType, readonly number[]>>> = {
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  IQ4_NL: [0],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
};

/** Random blocks whose halves are finite. */
function randomBlocks(type: TensorType, count: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const { bytes } = blockShapes[type];
  const half = fc.integer({ min: 0, max: 0x7bff }).chain((h) => fc.constantFrom(h, h | 0x8000));
  const places = halves[type]!.flatMap((at) => Array.from({ length: count }, (_, b) => b * bytes + at));
  return fc
    .tuple(
      fc.uint8Array({ minLength: count * bytes, maxLength: count * bytes, size: 'max' }),
      fc.array(half, { minLength: places.length, maxLength: places.length, size: 'max' }),
    )
    .map(([data, scales]) => {
      const out = Uint8Array.from(data);
      const view = new DataView(out.buffer);
      for (const [i, at] of places.entries()) view.setUint16(at, scales[i]!, true);
      return out;
    });
}

/** The values that an affine matrix stands for, computed in float64. */
function affineValues(affine: ReturnType<typeof toAffine>): Float32Array {
  return Float32Array.from(affine.q, (q, i) => {
    const g = Math.floor(i / affine.group);
    return affine.scale[g]! * q + affine.min[g]!;
  });
}

/** Equal as numbers: the sign of zero does not count. */
function expectSameValues(found: Float32Array, wanted: Float32Array): void {
  expect(found.length).toBe(wanted.length);
  const at = found.findIndex((value, i) => value !== wanted[i]);
  if (at >= 0) expect({ at, value: found[at] }).toEqual({ at, value: wanted[at] });
}

test('the golden file covers every type', () => {
  expect(Object.keys(golden.dequantize).sort()).toEqual([...types].sort());
});

test.each(types)('%s: dequantize equals the gguf package', (type) => {
  const { bytes, values } = golden.dequantize[type]!;
  const wanted = floats(values);
  expectSameValues(dequantize(type, unhex(bytes), wanted.length), wanted);
});

test.each(blockTypes)('%s: the affine form equals the gguf package', (type) => {
  const { bytes, values } = golden.dequantize[type]!;
  const wanted = floats(values);
  expectSameValues(affineValues(toAffine(type, unhex(bytes), 1, wanted.length)), wanted);
});

test.each(blockTypes)('%s: the affine form is exact for any blocks, wherever they lie in memory', (type) => {
  const { elements } = blockShapes[type];
  fc.assert(
    fc.property(randomBlocks(type, 6), fc.integer({ min: 0, max: 3 }), (blocks, shift) => {
      const moved = new Uint8Array(blocks.length + shift).subarray(shift);
      moved.set(blocks);
      const affine = toAffine(type, moved, 3, 2 * elements);
      const span = affine.bits === 4 ? [0, 15] : [-128, 127];
      expect(affine.q.every((q) => q >= span[0]! && q <= span[1]!)).toBe(true);
      expectSameValues(affineValues(affine), dequantize(type, blocks, 6 * elements));
    }),
    { numRuns: 40 },
  );
});

describe('blocks worked out by hand', () => {
  test('Q4_0: scale 0.5, numbers 0 … 15 twice', () => {
    const bytes = Uint8Array.of(0x00, 0x38, ...Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4)));
    const wanted = Array.from({ length: 32 }, (_, i) => (i < 16 ? i - 8 : 7 - (i - 16)) / 2);
    expect([...dequantize('Q4_0', bytes, 32)]).toEqual(wanted);
    const affine = toAffine('Q4_0', bytes, 1, 32);
    expect(affine).toMatchObject({ bits: 4, group: 32, scale: Float32Array.of(0.5), min: Float32Array.of(-4) });
  });

  test('Q8_0: scale 2, numbers −16 … 15', () => {
    const numbers = Array.from({ length: 32 }, (_, i) => i - 16);
    const bytes = Uint8Array.of(0x00, 0x40, ...numbers);
    expect([...dequantize('Q8_0', bytes, 32)]).toEqual(numbers.map((q) => 2 * q));
  });

  test('Q4_K: every group has its own scale and minimum', () => {
    // Scales 1 … 8 and minima 8 … 1 (all below 16, so the upper bit pairs are zero) under d = 1 and dmin = 1; all numbers 3.
    const low = [1, 2, 3, 4, 8, 7, 6, 5, 5 | (4 << 4), 6 | (3 << 4), 7 | (2 << 4), 8 | (1 << 4)];
    const bytes = Uint8Array.of(0x00, 0x3c, 0x00, 0x3c, ...low, ...new Array<number>(128).fill(0x33));
    const wanted = Array.from({ length: 256 }, (_, i) => {
      const group = i >> 5;
      return 3 * (group + 1) - (8 - group);
    });
    expect([...dequantize('Q4_K', bytes, 256)]).toEqual(wanted);
  });
});

describe('floats to 8 bits', () => {
  const matrix = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), {
    minLength: 128,
    maxLength: 128,
    size: 'max',
  });

  test('every element is within half a scale', () => {
    fc.assert(
      fc.property(matrix, (values) => {
        const source = Float32Array.from(values);
        const affine = toAffine('F32', new Uint8Array(source.buffer), 2, 64);
        expect(affine).toMatchObject({ bits: 8, group: 32, min: new Float32Array(4) });
        for (let i = 0; i < source.length; i++) {
          const scale = affine.scale[i >> 5]!;
          // Half a scale, and a hair for the rounding of the scale itself and for groups that became zero.
          const error = Math.abs(scale * affine.q[i]! - source[i]!);
          expect(error).toBeLessThanOrEqual(scale * 0.50001 + 127 * 2 ** -126);
        }
      }),
    );
  });

  test('halves give the same as the float32 they stand for', () => {
    const half = golden.dequantize['F16']!;
    const widened = toAffine('F32', unhex(half.values), 2, 32);
    expect(toAffine('F16', unhex(half.bytes), 2, 32)).toEqual(widened);
    const bfloat = golden.dequantize['BF16']!;
    expect(toAffine('BF16', unhex(bfloat.bytes), 2, 32)).toEqual(toAffine('F32', unhex(bfloat.values), 2, 32));
  });

  test.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
  ])('%s is refused with its place', (name, bad) => {
    const values = new Float32Array(128).fill(1);
    values[70] = bad;
    expect(() => toAffine('F32', new Uint8Array(values.buffer), 2, 64)).toThrow(`${name} at row 1, column 6`);
    const halves = Uint16Array.from(values, floatToHalf);
    expect(() => toAffine('F16', new Uint8Array(halves.buffer), 2, 64)).toThrow(`${name} at row 1, column 6`);
    const bfloats = Uint16Array.from(values, floatToBfloat);
    expect(() => toAffine('BF16', new Uint8Array(bfloats.buffer), 2, 64)).toThrow(`${name} at row 1, column 6`);
  });

  test('zeros, the smallest and the largest floats', () => {
    const values = new Float32Array(96);
    values.fill(2 ** -149, 32, 64).fill(3.4028234663852886e38, 64, 96);
    // 190 / 127 of the smallest float rounds to 1, under which 190 would not fit a byte.
    values[32] = 190 * 2 ** -149;
    const affine = toAffine('F32', new Uint8Array(values.buffer), 1, 96);
    expect([...affine.scale.subarray(0, 2)]).toEqual([0, 0]);
    expect([...affine.q.subarray(0, 64)]).toEqual(new Array(64).fill(0));
    expect(affine.q[95]).toBe(127);
  });
});

test.each(blockTypes)('%s: a scale that is not finite is refused with its place', (type) => {
  const { elements, bytes } = blockShapes[type];
  for (const at of halves[type]!) {
    const data = new Uint8Array(6 * bytes).fill(0x11);
    new DataView(data.buffer).setUint16(3 * bytes + at, 0x7c00, true);
    expect(() => toAffine(type, data, 3, 2 * elements)).toThrow(`the block at row 1, column ${elements} has a scale`);
  }
});

test.each(types)('%s: bytes that are not those of the count are refused', (type) => {
  const { elements, bytes } = blockShapes[type];
  const count = 32 * elements;
  expect(() => dequantize(type, new Uint8Array(32 * bytes - 1), count)).toThrow(`${32 * bytes - 1} bytes are not`);
  expect(() => toAffine(type, new Uint8Array(32 * bytes + 1), 1, count)).toThrow(`${32 * bytes + 1} bytes are not`);
  expect(() => toAffine(type, new Uint8Array(32 * bytes), 1, count - 1)).toThrow('not a whole number');
});

describe('quantize', () => {
  const isQuantizable = (type: string): type is QuantizableType => quantizableTypes.split(', ').includes(type);
  const values = floats(golden.quantize['values']!);

  test.each(Object.keys(golden.quantize).filter(isTensorType))(
    '%s: the bytes are those of the gguf package',
    (type) => {
      expect(Buffer.from(quantize(type, values)).toString('hex')).toBe(golden.quantize[type]);
    },
  );

  test('Q8_0 rounds halves away from zero', () => {
    const values = new Float32Array(32);
    values.set([127, 0.5, -0.5, 1.5, -2.5, 2.4999]);
    expect([...new Int8Array(quantize('Q8_0', values).buffer, 2, 6)]).toEqual([127, 1, -1, 2, -3, 2]);
  });

  /** The worst error over the range of a group, of 256 weights drawn from −1 … 1. */
  const worst: Readonly<Record<QuantizableType, number>> = {
    F32: 0,
    F16: 2 ** -12,
    BF16: 2 ** -9,
    Q4_0: 1 / 7,
    Q4_1: 1 / 14,
    Q5_0: 1 / 15,
    Q5_1: 1 / 30,
    Q8_0: 1 / 250,
    Q4_K: 1 / 8,
    Q6_K: 1 / 30,
  };

  test.each(types.filter(isQuantizable))('%s: what is read back is near what was written', (type) => {
    const weights = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), {
      minLength: 512,
      maxLength: 512,
      size: 'max',
    });
    fc.assert(
      fc.property(weights, (values) => {
        const source = Float32Array.from(values);
        const found = dequantize(type, quantize(type, source), source.length);
        const error = Math.max(...found.map((value, i) => Math.abs(value - source[i]!)));
        expect(error).toBeLessThanOrEqual(worst[type]);
      }),
      { numRuns: 40 },
    );
  });

  test('what halves cannot scale, what is not finite and what is only read is refused', () => {
    expect(() => quantize('Q4_0', new Float32Array(32).fill(1e6))).toThrow('store it as F32');
    expect(() => quantize('Q6_K', new Float32Array(256).fill(Number.NaN))).toThrow('element 0 is NaN');
    expect(() => quantize('Q4_1', new Float32Array(33))).toThrow('not a whole number');
    expect(() => quantize('IQ4_NL', new Float32Array(32))).toThrow('IQ4_NL can be read but not written');
  });
});
