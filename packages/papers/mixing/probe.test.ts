import { Random } from '@loci/evaluate/random';
import { expect, test } from 'vitest';
import { probeAccuracy } from './probe.ts';

function samples(signal: number) {
  const random = new Random(`probe ${signal}`);
  const labels = Array.from({ length: 600 }, () => random.integer(0, 3));
  const rows = labels.map((label) =>
    Float32Array.from({ length: 12 }, (_, c) => random.normal() + (c % 4 === label ? signal : 0)),
  );
  return { rows, labels };
}

test('a probe finds what is there, and nothing where nothing is', () => {
  const clear = samples(5);
  expect(probeAccuracy(clear.rows, clear.labels, 4, 400)).toBeGreaterThan(0.98);
  const none = samples(0);
  expect(probeAccuracy(none.rows, none.labels, 4, 400)).toBeLessThan(0.35);
});

test('states that are all the same are told apart by nothing', () => {
  const { labels } = samples(0);
  const rows = labels.map(() => new Float32Array(12).fill(3));
  expect(probeAccuracy(rows, labels, 4, 400)).toBeLessThan(0.35);
});
