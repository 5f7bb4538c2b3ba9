import { expect, test } from 'vitest';
import { bestBuild, isRightOn } from './features.ts';

test('products of 8 bits are right only where the machine is known to take them', () => {
  expect(isRightOn('bytes', 'bytes')).toBe(true);
  for (const best of ['relaxed', 'pairs', 'plain'] as const) {
    expect(isRightOn(best, 'bytes')).toBe(false);
    expect(isRightOn(best, 'plain')).toBe(true);
  }
  expect(isRightOn(bestBuild(), bestBuild())).toBe(true);
});
