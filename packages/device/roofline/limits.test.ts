import { expect, test } from 'vitest';
import { nodeHost } from '../../engine/platform/node-host.ts';
import { measureLimits } from './limits.ts';

test('limits are those of a machine that can run this', async () => {
  const { threads, ...rates } = await measureLimits(nodeHost, 2);
  expect(threads).toBe(2);
  for (const rate of Object.values(rates)) {
    expect(rate).toBeGreaterThan(0.1);
    expect(rate).toBeLessThan(1e5);
  }
});

test('a signal ends the measurement', async () => {
  await expect(measureLimits(nodeHost, 1, AbortSignal.timeout(20))).rejects.toMatchObject({ reason: 'aborted' });
});
