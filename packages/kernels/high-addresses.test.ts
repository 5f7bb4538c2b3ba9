import { describe, expect, test } from 'vitest';
import { pageFormats } from './append/index.ts';
import { builds, Machine } from './testing/machine.ts';
import { mixture, mixtureScratch } from './testing/mixture.ts';

describe.each(builds)('%s build', (build) => {
  const low = new Machine(build);

  test.each([
    ['across 2 GiB', 2 ** 31 - 2 ** 20],
    ['below 4 GiB', 2 ** 32 - 2 ** 25],
  ])('every kernel computes the same %s as at low addresses', (_, base) => {
    const high = new Machine(build, base);
    for (const [n, past] of [
      [11, 40],
      [3, 600],
    ] as const) {
      for (const format of pageFormats) {
        const [first, second] = [low, high].map((machine) => {
          const { commands, outputs, losses } = mixture(machine.reset(), 1, n, past, format);
          machine.run(commands, mixtureScratch);
          expect([...machine.floats(losses.address, 2 * n)].every(Number.isFinite)).toBe(true);
          return Buffer.concat(outputs.map(({ address, bytes }) => machine.bytes(address, bytes)));
        });
        expect(first?.equals(second ?? Buffer.of())).toBe(true);
      }
    }
  });
});
