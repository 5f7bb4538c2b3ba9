import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { type QualityPoint, qualityPlotSvg } from './quality-plot.ts';

const point = (method: string, length: number, bytes: number, value: number, error = 0.1): QualityPoint => ({
  ...{ method, length, bytes },
  gap: { value, low: value - error, high: value + error },
});

/** Where marks stand: their numbers, and the ends of their bars. */
function marks(drawn: string) {
  const found = drawn.matchAll(/translate\((\S+) (\S+)\)"><title>(.*?)<\/title>\n<path d="M0 (\S+?)V(\S+?)M/g);
  return Array.from(found, ([, x, y, title = '', up, down]) => ({
    ...{ title, x: Number(x), y: Number(y), up: Number(up), down: Number(down) },
  }));
}

const some = fc.record({
  bytes: fc.double({ min: 1e4, max: 1e11, noNaN: true }),
  value: fc.double({ min: -3, max: 20, noNaN: true }),
  error: fc.double({ min: 0, max: 5, noNaN: true }),
});

property.prop([fc.array(some, { minLength: 1, maxLength: 12 })], {
  examples: [[[{ bytes: 1e4, value: 0, error: Number.MIN_VALUE }]]],
})('every mark stands within the frame, its bar too, in the order of bytes and losses', (values) => {
  const points = values.map(({ bytes, value, error }, i) => point(`m${i}`, 512, bytes, value, error));
  const drawn = qualityPlotSvg('title', 'm0', [{ title: 'query-aware', points }]);
  const found = marks(drawn);
  expect(found).toHaveLength(points.length);
  for (const [i, { x, y, up, down }] of found.entries()) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x).toBeLessThanOrEqual(400);
    expect(y + up).toBeGreaterThanOrEqual(-0.2);
    expect(y + down).toBeLessThanOrEqual(260.2);
    for (const [j, other] of found.entries()) {
      const [a, b] = [points[i], points[j]];
      if (a && b && a.bytes > b.bytes) expect(x).toBeGreaterThanOrEqual(other.x);
      if (a && b && a.gap.value > b.gap.value) expect(y).toBeLessThanOrEqual(other.y);
    }
  }
  expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
  expect(drawn.match(/text-anchor="middle">[\d.]+</g)?.length).toBeGreaterThanOrEqual(3);
});

test('a legend names methods and lengths, and panels share their axes', () => {
  const drawn = qualityPlotSvg('needle <8 cases>', 'dense', [
    { title: 'query-aware', points: [point('dense', 512, 1e7, 0, 0), point('keep=a&b', 512, 3e6, 0.5)] },
    { title: 'query-agnostic', points: [point('dense', 512, 1e7, 0, 0), point('keep=a&b', 2048, 3e6, 2)] },
  ]);
  expect(drawn).toContain('>needle &#60;8 cases&#62;<');
  expect(drawn.match(/>keep=a&#38;b</g)).toHaveLength(1);
  expect(drawn).toContain('>512 tokens<');
  expect(drawn).toContain('>2048 tokens<');
  const [first, , second] = marks(drawn);
  expect(first?.y).toBe(second?.y);
  expect(first?.x).toBe(second?.x);
});
