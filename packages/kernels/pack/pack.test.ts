import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toAffine } from '../../engine/format/blocks.ts';
import { matrixBytes, packAffine } from '../matmul/layout.ts';
import { builds, Machine } from '../testing/machine.ts';
import { random } from '../testing/numbers.ts';
import { type Packable, pack, packables } from './index.ts';

/** Where halves stand in 32 columns of a file, of how many bytes, and the layout they become. */
const forms = {
  Q4_0: { bytes: 18, halves: [0], layout: 'q4x32' },
  Q4_1: { bytes: 20, halves: [0, 2], layout: 'q4x32m' },
  Q8_0: { bytes: 34, halves: [0], layout: 'q8x32' },
  F16: { bytes: 64, halves: Array.from({ length: 32 }, (_, i) => 2 * i), layout: 'q8x32' },
} as const;

/** What the halves of a group are: any number at all, or extremes. */
const halves: Readonly<Record<string, (next: () => number) => number>> = {
  any: (next) => Math.floor(next() * 0x7c00) | (next() < 0.5 ? 0x8000 : 0),
  usual: (next) => (0x2000 + Math.floor(next() * 0x0800)) | (next() < 0.5 ? 0x8000 : 0),
  zero: (next) => (next() < 0.5 ? 0x8000 : 0),
  denormal: (next) => Math.floor(next() * 0x400) | (next() < 0.5 ? 0x8000 : 0),
  largest: (next) => 0x7bff | (next() < 0.5 ? 0x8000 : 0),
  smallest: (next) => 1 | (next() < 0.5 ? 0x8000 : 0),
};
const kinds = Object.keys(halves);

function fileRows(type: Packable, rows: number, groups: number, next: () => number, kind: string): Uint8Array {
  const { bytes, halves: places } = forms[type];
  const data = Uint8Array.from({ length: rows * groups * bytes }, () => next() * 256);
  const view = new DataView(data.buffer);
  for (let at = 0; at < data.length; at += bytes) {
    const one = kind === 'mixed' ? kinds[Math.floor(next() * kinds.length)]! : kind;
    for (const place of places) view.setUint16(at + place, halves[one]!(next), true);
  }
  return data;
}

function expected(type: Packable, data: Uint8Array, rows: number, columns: number): Uint8Array {
  const { layout } = forms[type];
  const out = new Uint8Array(matrixBytes(layout, rows, columns));
  packAffine(toAffine(type, data, rows, columns), layout, rows, columns, out);
  return out;
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);
  const packed = (type: Packable, data: Uint8Array, rows: number, columns: number) => {
    machine.reset();
    const bytes = matrixBytes(forms[type].layout, rows, columns);
    const out = machine.output(bytes);
    const fault = machine.output(4, Int32Array.of(0));
    machine.run([pack({ type, source: machine.input(data), rows, columns, out, fault })]);
    return { bytes: machine.bytes(out, bytes), fault: machine.ints(fault, 1)[0] };
  };

  test.each(packables)('%s: every bit is that of the unpacked and packed rows', (type) => {
    const size = fc.record({
      rows: fc.integer({ min: 1, max: 35 }),
      groups: fc.integer({ min: 1, max: 7 }),
      kind: fc.constantFrom('mixed', ...kinds),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(size, ({ rows, groups, kind, seed }) => {
        const data = fileRows(type, rows, groups, random(seed), kind);
        const found = packed(type, data, rows, 32 * groups);
        expect(found.fault).toBe(0);
        expect(Buffer.compare(found.bytes, expected(type, data, rows, 32 * groups))).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test.each(packables)('%s: a half that is not finite is found wherever it stands', (type) => {
    const [rows, groups] = [11, 3];
    const { bytes, halves: places } = forms[type];
    for (let group = 0; group < rows * groups; group++) {
      for (const [i, place] of places.entries()) {
        const data = fileRows(type, rows, groups, random(group), 'any');
        new DataView(data.buffer).setUint16(group * bytes + place, [0x7c00, 0xfc00, 0x7e01, 0xffff][i % 4]!, true);
        expect(packed(type, data, rows, 32 * groups).fault).toBe(1);
      }
    }
  });
});
