import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builds, Machine } from '../testing/machine.ts';
import { expectClose, expectSame, fills, floats, ints, random, unit } from '../testing/numbers.ts';
import { decodePage, encodePage, type Slot } from '../testing/pages.ts';
import { append, headWords, type PageFormat, pageBytes, pageFormats, pageSlots } from './index.ts';
import { type RowFormat, stored, storedNibbles } from './reference.ts';

const cases = fc.record({
  seed: fc.integer(),
  n: fc.constantFrom(1, 2, 3, 5, 31, 33, 70),
  g: fc.constantFrom(1, 2, 3),
  d: fc.constantFrom(16, 64, 80, 128),
  fill: fc.constantFrom(...fills),
});

const rowFormats = pageFormats.filter((format) => format !== 'q4');

/** A head with `used` slots and room for n more. */
interface Head {
  readonly used: number;
  readonly pages: readonly number[];
}

describe.each(builds)('%s build', (build) => {
  const machine = new Machine(build);

  function newHead(format: PageFormat, d: number, used: number, n: number, next: () => number): Head {
    const count = Math.ceil((used + n) / pageSlots);
    const pages = Array.from({ length: count }, (_, page) => {
      const slots = Array.from(
        { length: Math.max(0, Math.min(pageSlots, used - page * pageSlots)) },
        (_, slot): Slot => {
          return { position: page * pageSlots + slot, key: floats(d, next), value: floats(d, next) };
        },
      );
      // In a new page anything may stand.
      const bytes = slots.length > 0 ? encodePage(format, d, slots) : new Uint8Array(pageBytes(format, d)).fill(255);
      return machine.output(bytes.length, bytes);
    });
    return { used, pages };
  }

  function entries(heads: readonly Head[]): number {
    return machine.input(
      Int32Array.from(
        heads.flatMap(({ used, pages }) => headWords({ table: machine.input(Int32Array.from(pages)), used })),
      ),
    );
  }

  function slotsOf(format: PageFormat, d: number, { pages }: Head): Slot[] {
    return pages.flatMap((page) => decodePage(format, d, machine.bytes(page, pageBytes(format, d)), pageSlots));
  }

  test.each(rowFormats)(
    '%s pages hold the new rows behind the used slots, new ones zeros; nothing else changes',
    (format) => {
      fc.assert(
        fc.property(cases, ({ seed, n, g, d, fill }) => {
          const next = random(seed);
          machine.reset();
          const heads = Array.from({ length: g }, () => newHead(format, d, Math.floor(next() * 100), n, next));
          const before = heads.map((head) => slotsOf(format, d, head));
          const keys = floats(n * g * d, next, fill);
          const values = floats(n * g * d, next, fill);
          const positions = ints(n, next, 0, 2 ** 31);
          const rows = {
            keys: machine.input(keys),
            values: machine.input(values),
            positions: machine.input(positions),
          };
          machine.run([append({ ...rows, n, g, d, heads: entries(heads), format })]);
          for (const [head, { used }] of heads.entries()) {
            const slots = slotsOf(format, d, heads[head]!);
            for (const [slot, { position, key, value }] of slots.entries()) {
              const t = slot - used;
              const old = before[head]?.[slot];
              if (t >= n && slot - (slot % pageSlots) >= used) {
                expectSame([position, ...Array.from(key), ...Array.from(value)], new Float64Array(1 + 2 * d));
              } else if (t < 0 || t >= n) {
                expect(position).toBe(old?.position);
                expectSame(key, old?.key ?? []);
                expectSame(value, old?.value ?? []);
              } else {
                expect(position).toBe(positions[t]);
                const row = [(t * g + head) * d, (t * g + head + 1) * d] as const;
                expectStored(format, 'key', key, keys.subarray(...row));
                expectStored(format, 'value', value, values.subarray(...row));
              }
            }
          }
        }),
        { numRuns: 30 },
      );
    },
  );

  test('pages of 4 bits that are written at once hold numbers between the least and the greatest', () => {
    fc.assert(
      fc.property(cases, ({ seed, n, g, d, fill }) => {
        const next = random(seed);
        machine.reset();
        const heads = Array.from({ length: g }, () => newHead('q4', d, 0, n, next));
        const keys = floats(n * g * d, next, fill);
        const values = floats(n * g * d, next, fill);
        const positions = ints(n, next, 0, 2 ** 31);
        const rows = { keys: machine.input(keys), values: machine.input(values), positions: machine.input(positions) };
        machine.run([append({ ...rows, n, g, d, heads: entries(heads), format: 'q4' })]);
        for (const [head, place] of heads.entries()) {
          const row = (x: Float32Array, t: number) => x.subarray((t * g + head) * d, (t * g + head + 1) * d);
          const slots = Array.from({ length: n }, (_, t): Slot => {
            return { position: positions[t] ?? 0, key: row(keys, t), value: row(values, t) };
          });
          for (let from = 0; from < n; from += pageSlots) {
            const part = slots.slice(from, from + pageSlots);
            const expected = decodePage('q4', d, encodePage('q4', d, part), part.length);
            const page = machine.bytes(place.pages[from / pageSlots] ?? 0, pageBytes('q4', d));
            for (const [i, slot] of decodePage('q4', d, page, part.length).entries()) {
              expect(slot.position).toBe(part[i]?.position);
              expectNibbles(slot.value, expected[i]?.value, part[i]?.value, (c) => range(part[i]?.value, c & ~31, 32));
              const channel = (c: number) => part.map(({ key }) => key[c] ?? Number.NaN);
              expectNibbles(slot.key, expected[i]?.key, part[i]?.key, (c) => range(channel(c), 0, pageSlots));
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('keys of 4 bits that come a few at a time stay near what they were', () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 3, maxLength: 20 });
    fc.assert(
      fc.property(fc.integer(), pieces, (seed, counts) => {
        const next = random(seed);
        const [d, n] = [64, counts.reduce((a, b) => a + b)];
        machine.reset();
        const { pages } = newHead('q4', d, 0, n, next);
        const keys = floats(n * d, next);
        const values = floats(n * d, next);
        let used = 0;
        for (const count of counts) {
          const rows = [keys, values].map((x) => machine.input(x.subarray(used * d, (used + count) * d)));
          const [k = 0, v = 0] = rows;
          const positions = machine.input(Int32Array.from({ length: count }, (_, i) => used + i));
          machine.run([
            append({
              keys: k,
              values: v,
              n: count,
              g: 1,
              d,
              heads: entries([{ used, pages }]),
              positions,
              format: 'q4',
            }),
          ]);
          used += count;
        }
        const slots = slotsOf('q4', d, { used, pages }).slice(0, n);
        expect(slots.map(({ position }) => position)).toEqual(Array.from({ length: n }, (_, i) => i));
        let squares = 0;
        for (const [t, { key }] of slots.entries()) {
          for (let c = 0; c < d; c++) {
            const first = t - (t % pageSlots);
            const all = Array.from(
              { length: Math.min(n - first, pageSlots) },
              (_, i) => keys[(first + i) * d + c] ?? 0,
            );
            // Written at once, an error is at most half a step (and the rounding of a half); every time that a channel widens it
            // may grow by as much.
            const steps = ((key[c] ?? Number.NaN) - (keys[t * d + c] ?? 0)) / (range(all, 0, pageSlots) / 15 + 0.002);
            expect(Math.abs(steps)).toBeLessThan(3);
            squares += steps * steps;
          }
        }
        expect(Math.sqrt(squares / (n * d))).toBeLessThan(0.6);
      }),
      { numRuns: 20 },
    );
  });

  /** Appends one row to an empty page and returns what the page then stands for. */
  function roundTrip(format: PageFormat, row: Float32Array): Slot {
    const d = row.length;
    machine.reset();
    const head = newHead(format, d, 0, 1, random(1));
    const x = machine.input(row);
    const positions = machine.input(Int32Array.of(5));
    machine.run([append({ keys: x, values: x, n: 1, g: 1, d, heads: entries([head]), positions, format })]);
    return slotsOf(format, d, head)[0]!;
  }

  test('half precision is rounded to nearest even for every half, its neighbours and what lies between', () => {
    const half = new DataView(new ArrayBuffer(4));
    const numberOf = (bits: number) => {
      half.setUint16(0, bits);
      return half.getFloat16(0);
    };
    const nudge = (value: number, by: number) => {
      half.setFloat32(0, value);
      half.setInt32(0, half.getInt32(0) + by);
      return half.getFloat32(0);
    };
    const numbers: number[] = [65504, 65519, 65520, 1e6, 3e38, Number.POSITIVE_INFINITY, 1e-45, 2 ** -25, 2 ** -24];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const middle = (numberOf(bits) + numberOf(bits + 1)) / 2;
      numbers.push(numberOf(bits), middle, nudge(middle, 1), nudge(middle, -1));
    }
    const d = 4096;
    for (let from = 0; from < numbers.length; from += d) {
      const row = Float32Array.from({ length: d }, (_, i) => (numbers[from + i] ?? 0) * (i % 3 === 0 ? -1 : 1));
      const expected = stored('f16', row, 'key').numbers;
      const { key, value } = roundTrip('f16', row);
      expectSame(key, expected);
      expectSame(value, expected);
    }
  });

  test.each(pageFormats)('a NaN is NaN in %s pages and not a number of some size', (format) => {
    for (const bits of [0x7fc00000, 0xffc00000, 0x7f800001]) {
      const row = floats(64, random(2));
      new Uint32Array(row.buffer)[40] = bits;
      const { key, value } = roundTrip(format, row);
      expect(key[40]).toBeNaN();
      expect(value[40]).toBeNaN();
      if (format === 'f16') expect(key[0]).toBeNaN();
    }
  });

  test('rows too small for a scale are zeros in 8 bits', () => {
    const { key, value } = roundTrip(
      'q8',
      floats(64, random(3)).map((x) => x * 1e-37),
    );
    expectClose(key, new Float64Array(64), () => 1e-36);
    expectClose(value, new Float64Array(64), () => 0);
  });
});

/** Greatest less least of the numbers from `from` on. */
function range(x: ArrayLike<number> = [], from: number, count: number): number {
  const part = Array.from(x).slice(from, from + count);
  return Math.max(...part) - Math.min(...part);
}

/**
 * The same to a fiftieth of a step and what 15 of the least half come to (a scale between two halves may round either way);
 * or one step apart, where what was written lies that near the middle.
 */
function expectNibbles(
  actual: ArrayLike<number>,
  expected: ArrayLike<number> = [],
  written: ArrayLike<number> = [],
  rangeOf: (c: number) => number,
): void {
  for (let c = 0; c < actual.length; c++) {
    const [is = Number.NaN, should = Number.NaN, was = Number.NaN] = [actual[c], expected[c], written[c]];
    const step = Math.min(rangeOf(c) / 15, 65504) + 1e-6;
    const slack = 0.02 + (15 * 2 ** -24) / step;
    const error = Math.abs(is - should) / step;
    if (error <= slack) continue;
    expect(error).toBeLessThan(1 + slack);
    expect(Math.abs(was - (is + should) / 2) / step).toBeLessThan(slack);
  }
}

function expectStored(
  format: RowFormat | 'kv4',
  part: 'key' | 'value',
  actual: ArrayLike<number>,
  row: Float32Array,
): void {
  if (format === 'kv4') {
    const { numbers, scale, minimum } = storedNibbles(row);
    const expected = numbers.map((number) => scale * number + minimum);
    expectNibbles(actual, expected, row, () => range(row, 0, row.length));
    return;
  }
  const { numbers, scale, minimum } = stored(format, row, part);
  // Half a step of 8 bits, and the roundings of the difference, the inverse, the product and the scale.
  const tolerance = format === 'q8' ? scale * (0.5 + 127 * 6 * unit) + 4 * unit * Math.abs(minimum) + 2e-36 : 0;
  const expected = format === 'q8' ? row : numbers;
  expectClose(actual, expected, () => tolerance);
}
