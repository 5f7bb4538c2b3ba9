import { expect, test } from 'vitest';
import { sparkline } from './sparkline.ts';

test('a curve falls from the highest bar to the lowest, in as many columns as there is room for', () => {
  expect(sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8)).toBe('█▇▆▅▄▃▂▁');
  expect(sparkline([4, 4, 2, 2, 0, 0], 3)).toBe('█▅▁');
  expect(sparkline([1, 1, 1], 10)).toBe('▁▁▁');
  expect(sparkline([], 10)).toBe('');
});
