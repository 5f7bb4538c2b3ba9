import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockBytes, matrixBytes, packAffine } from './layout.ts';

/** The scales and minima of rows of q4x32m as they lie in memory, [rows, groups]. */
function packedParts(scale: Float32Array, min: Float32Array, groups: number): { scale: number[]; min: number[] } {
  const columns = 32 * groups;
  const rows = scale.length / groups;
  const packed = new Uint8Array(matrixBytes('q4x32m', rows, columns));
  packAffine({ bits: 4, group: 32, q: new Uint8Array(rows * columns), scale, min }, 'q4x32m', rows, columns, packed);
  const view = new DataView(packed.buffer);
  const part = (offset: number) =>
    Array.from(scale, (_, i) => {
      const [row, group] = [Math.floor(i / groups), i % groups];
      const block = (row >> 4) * blockBytes('q4x32m', columns);
      const at = block + 64 + (2 * group + ((row >> 3) & 1)) * 160 + offset + 2 * (row & 7);
      return view.getFloat32(block + 4 * (row & 15), true) * view.getFloat16(at, true);
    });
  return { scale: part(0), min: part(16) };
}

const rowsOf = (number: fc.Arbitrary<number>) =>
  fc.tuple(fc.constantFrom(1, 8, 11, 16, 29), fc.constantFrom(1, 3)).chain(([rows, groups]) =>
    fc.record({
      groups: fc.constant(groups),
      scale: fc.array(number, { minLength: rows * groups, maxLength: rows * groups }),
      min: fc.array(number, { minLength: rows * groups, maxLength: rows * groups }),
    }),
  );

test('scales and minima that are halves are kept exactly', () => {
  const view = new DataView(new ArrayBuffer(2));
  const half = fc.integer({ min: 0, max: 0x7bff }).chain((h) => {
    view.setUint16(0, h);
    const value = view.getFloat16(0);
    return fc.constantFrom(value, -value);
  });
  fc.assert(
    fc.property(rowsOf(half), ({ groups, scale, min }) => {
      const packed = packedParts(Float32Array.from(scale), Float32Array.from(min), groups);
      expect(packed.scale.every((value, i) => value === scale[i])).toBe(true);
      expect(packed.min.every((value, i) => value === min[i])).toBe(true);
    }),
  );
});

test('other scales keep 11 bits, down to 2^-28 of the largest of their row, whatever their size', () => {
  fc.assert(
    fc.property(rowsOf(fc.float({ noNaN: true, noDefaultInfinity: true })), ({ groups, scale, min }) => {
      const [s, m] = [Float32Array.from(scale), Float32Array.from(min)];
      const packed = packedParts(s, m, groups);
      for (const [i, value] of [...s, ...m].entries()) {
        const row = Math.floor((i % s.length) / groups) * groups;
        const parts = [...s.subarray(row, row + groups), ...m.subarray(row, row + groups)];
        const largest = Math.max(2 ** -112, ...parts.map(Math.abs));
        const error = Math.abs(([...packed.scale, ...packed.min][i] ?? Number.NaN) - value);
        expect(error).toBeLessThanOrEqual(Math.max(Math.abs(value) * 2 ** -11, largest * 2 ** -40));
      }
    }),
  );
});
