import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { fill } from './fill.ts';

property.prop([
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 500, maxLength: 500 }),
  fc.integer({ min: 9, max: 400 }),
])('the amount is the largest that is within the limit, however pieces differ', (pieces, limit) => {
  const size = (amount: number) => pieces.slice(0, amount).reduce((sum, piece) => sum + piece, 0);
  const amount = fill(limit, size);
  expect(size(amount)).toBeLessThanOrEqual(limit);
  expect(size(amount + 1)).toBeGreaterThan(limit);
});

test('what cannot be filled is refused', () => {
  expect(() => fill(10, (amount) => 20 + amount)).toThrow('needs at least 21 tokens');
  expect(() => fill(1000, (amount) => amount, { most: 70 })).toThrow('no more than 70 tokens');
  expect(fill(70, (amount) => amount, { most: 71 })).toBe(70);
});
