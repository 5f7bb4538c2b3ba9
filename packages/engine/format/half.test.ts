import fc from 'fast-check';
import { expect, test } from 'vitest';
import { floatToBfloat, floatToHalf, halfToFloat } from './half.ts';

// The platform's own half floats judge ours.
test('every half has the value that the platform gives it', () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  expect(halfToFloat).toEqual(new Float32Array(new Float16Array(patterns.buffer)));
});

test('every half survives the way to float32 and back', () => {
  for (let pattern = 0; pattern < 65536; pattern++) {
    const value = halfToFloat[pattern]!;
    if (Number.isNaN(value)) expect(Number.isNaN(halfToFloat[floatToHalf(value)])).toBe(true);
    else if (floatToHalf(value) !== pattern) expect(floatToHalf(value)).toBe(pattern);
  }
});

test('float32 becomes the half that the platform rounds it to', () => {
  const halves = new Float16Array(1);
  const patterns = new Uint16Array(halves.buffer);
  const agrees = (value: number) => {
    halves[0] = value;
    expect(floatToHalf(value)).toBe(patterns[0]);
  };
  for (const value of [0, -0, 65504, 65519.99609375, 65520, -65520, 2 ** -24, 2 ** -25, 1.5 * 2 ** -25, 2 ** -14]) {
    agrees(value);
  }
  // Ties between neighbours are where rounding goes wrong.
  for (let pattern = 0; pattern < 0x7bff; pattern++) agrees((halfToFloat[pattern]! + halfToFloat[pattern + 1]!) / 2);
  fc.assert(fc.property(fc.float({ noNaN: true }), agrees));
  fc.assert(fc.property(fc.float({ min: -70000, max: 70000, noNaN: true }), agrees));
});

test('bfloat16 is the nearest float32 with 16 low zeros, ties to even', () => {
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  const value = (pattern: number) => {
    bits[0] = pattern << 16;
    return float[0]!;
  };
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, max: 2 ** 126, min: -(2 ** 126) }), (x) => {
      const pattern = floatToBfloat(x);
      const error = Math.abs(value(pattern) - x);
      for (const neighbour of [pattern - 1, pattern + 1]) {
        const other = Math.abs(value(neighbour) - x);
        expect(error < other || (error === other && pattern % 2 === 0) || Number.isNaN(other)).toBe(true);
      }
    }),
  );
  expect(floatToBfloat(Number.NaN) & 0x7fff).toBeGreaterThan(0x7f80);
  expect(floatToBfloat(Number.NEGATIVE_INFINITY)).toBe(0xff80);
});
