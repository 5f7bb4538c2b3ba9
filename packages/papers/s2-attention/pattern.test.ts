import fc from 'fast-check';
import { expect, test } from 'vitest';
import { coverage, isDroppable, isRead, type Strided } from './pattern.ts';

const strided = (some: Partial<Strided>): Strided => ({
  ...{ block: 1, local: 2, stride: 8, heads: 8, same: false, rotate: 0 },
  ...some,
});

test('eight blocks are read as published', () => {
  const one = strided({ stride: 3, heads: 1, same: true });
  const rows = Array.from({ length: 8 }, (_, i) =>
    Array.from({ length: i + 1 }, (_, j) => Number(isRead(one, 0, 0, i, j))).join(''),
  );
  expect(rows).toEqual(['1', '11', '111', '1011', '10011', '100111', '1001011', '10010011']);
});

test('heads together cover what was published', () => {
  const share = (heads: number, kvHeads: number, stride: number) =>
    coverage(strided({ local: 1, heads, stride }), kvHeads, 64);
  expect(share(8, 8, 8)).toBe(1);
  expect(share(8, 8, 16)).toBeCloseTo(0.52, 2);
  expect(share(9, 3, 3)).toBe(1);
  expect(share(12, 12, 16)).toBeCloseTo(0.72, 2);
});

test('what is not read once is never read again, whatever the sizes; at a distance from the query it is', () => {
  const sizes = fc.record({ local: fc.integer({ min: 1, max: 9 }), stride: fc.integer({ min: 1, max: 12 }) });
  fc.assert(
    fc.property(sizes, fc.nat(7), fc.nat(5), (some, head, layer) => {
      const pattern = strided({ ...some, rotate: 3 });
      expect(isDroppable((i, j) => isRead(pattern, head, layer, i, j), 40)).toBe(true);
    }),
  );
  expect(isDroppable((i, j) => i - j < 2 || (i - j) % 8 === 0, 40)).toBe(false);
});
