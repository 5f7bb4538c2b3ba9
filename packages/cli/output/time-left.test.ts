import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { TimeLeft } from './time-left.ts';

const share = fc.double({ min: 0, max: 1, noNaN: true });

test.prop([share, share])('the time of work whose cost grows evenly is foretold exactly', (first, growth) => {
  const cost = (n: number) => (0.1 + first) * n + growth * n * n;
  const left = new TimeLeft();
  const total = 8000;
  left.after(256, cost(256), total);
  for (let done = 512; done <= total; done += 256) {
    const expected = cost(total) - cost(done);
    expect(Math.abs(left.after(done, cost(done), total) - expected)).toBeLessThanOrEqual(1e-6 * cost(total));
  }
});

test('a slow start does not foretell work that becomes cheaper and cheaper', () => {
  const left = new TimeLeft();
  left.after(100, 1000, 1000);
  expect(left.after(200, 1100, 1000)).toBe((1100 / 200) * 800);
});
