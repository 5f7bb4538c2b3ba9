import { expect, test } from 'vitest';
import { trainingParts } from '../mixers.ts';
import { scatteredRecallTask } from './task.ts';

const task = scatteredRecallTask({ name: 'scattered-recall' }, 5);

test('questions are keys that stand before their values in the first three quarters', () => {
  for (const split of ['train', 'test'])
    for (let index = 0; index < 200; index++) {
      const { ids, positions, labels, pairs } = task.example(split, index);
      expect(positions).toHaveLength(split === 'train' ? 8 : 1);
      for (const [i, at] of positions.entries()) {
        const pair = pairs[i] ?? -1;
        expect(at).toBeGreaterThanOrEqual(96);
        expect(pair).toBeLessThan(96);
        expect(ids[at]).toBe(ids[pair]);
        expect(ids[pair + 1]).toBe(labels[i]);
      }
      expect([...ids.subarray(0, 96)].filter((id) => id > 0 && id < 32)).toHaveLength(16);
      expect(new Set([...ids.subarray(0, 96)].filter((id) => id >= 32)).size).toBe(16);
      expect([...ids.subarray(96)].filter((id) => id > 0)).toHaveLength(8);
    }
});

test('the test split asks each of the questions in turn', () => {
  const ranks = Array.from({ length: 8 }, (_, index) => {
    const { ids, positions } = task.example('test', index);
    return [...ids.subarray(96, positions[0])].filter((id) => id > 0).length;
  });
  expect(ranks).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('training examples may have from few pairs to all, twice as many from one number to the next', () => {
  const mixed = scatteredRecallTask({ name: 'scattered-recall', fewest: 3 }, 5);
  const counts = (split: string) =>
    Array.from({ length: 100 }, (_, index) => {
      const { ids, positions, labels, pairs } = mixed.example(split, index);
      for (const [i, at] of positions.entries())
        expect([ids[at], labels[i]]).toEqual([...ids.slice(pairs[i], (pairs[i] ?? 0) + 2)]);
      return [...ids.subarray(0, 96)].filter((id) => id >= 32).length;
    });
  expect([...new Set(counts('train'))].toSorted((a, b) => a - b)).toEqual([3, 6, 12, 16]);
  expect(new Set(counts('test'))).toEqual(new Set([16]));
});

test('more pairs than fit are refused', () => {
  expect(() => trainingParts.task({ name: 'scattered-recall', pairs: 40 }, 0)).toThrow('do not fit');
  expect(() => trainingParts.task({ name: 'scattered-recall', fewest: 17 }, 0)).toThrow('17 pairs at least');
});
