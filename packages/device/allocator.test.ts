import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Allocator } from './allocator.ts';

const start = 2048;

/** Sizes to allocate, or which of the living blocks to free. */
const steps = fc.array(
  fc.oneof(
    fc.record({ allocate: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(1, 63, 64, 65, 4096, 100_000)) }),
    fc.record({ free: fc.nat() }),
  ),
  { maxLength: 200 },
);

test('blocks are aligned, never overlap and lie in memory that was grown, in any order of allocating and freeing', () => {
  fc.assert(
    fc.property(steps, (script) => {
      let end = start;
      const allocator = new Allocator(start, (to) => {
        expect(to).toBeGreaterThan(end);
        end = to;
      });
      const living: { address: number; bytes: number }[] = [];
      for (const step of script) {
        if ('allocate' in step) {
          const bytes = Math.max(step.allocate, 1);
          const address = allocator.allocate(step.allocate);
          expect(address % 64).toBe(0);
          expect(address).toBeGreaterThanOrEqual(start);
          expect(address + bytes).toBeLessThanOrEqual(end);
          for (const other of living) {
            expect(address + bytes <= other.address || other.address + other.bytes <= address).toBe(true);
          }
          living.push({ address, bytes });
        } else if (living.length > 0) {
          for (const block of living.splice(step.free % living.length, 1)) allocator.free(block.address);
        }
        expect(allocator.bytesInUse).toBe(living.reduce((sum, { bytes }) => sum + Math.ceil(bytes / 64) * 64, 0));
      }
      // Holes have joined: all that was ever grown is one block again.
      for (const { address } of living) allocator.free(address);
      expect(allocator.bytesInUse).toBe(0);
      if (end > start) expect(allocator.allocate(end - start)).toBe(start);
    }),
  );
});

test('a hole is used before memory grows', () => {
  let grown = 0;
  const allocator = new Allocator(start, () => grown++);
  const [first, second, third] = [allocator.allocate(1000), allocator.allocate(1000), allocator.allocate(1000)];
  allocator.free(second);
  expect(allocator.allocate(500)).toBe(second);
  expect(grown).toBe(3);
  allocator.free(first);
  allocator.free(third);
  expect(() => allocator.free(third)).toThrow('not allocated');
});

test('when memory cannot grow, what is there can still be used', () => {
  const allocator = new Allocator(start, (end) => {
    if (end > start + 4096) throw new RangeError('full');
  });
  const block = allocator.allocate(4000);
  expect(() => allocator.allocate(100)).toThrow('full');
  expect(allocator.bytesInUse).toBe(4032);
  allocator.free(block);
  expect(allocator.allocate(4096)).toBe(block);
});
