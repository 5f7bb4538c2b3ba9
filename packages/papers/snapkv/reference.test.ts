import { expect, test } from 'vitest';
import { compareWithOracle } from './oracle.ts';
import { snapkvReference } from './reference.ts';

test('the definition chooses what the official class and kvpress choose', () => {
  for (const { official, kvpress } of compareWithOracle()) {
    expect(kvpress).toMatchObject({ ties: 0, wrong: 0 });
    for (const { pooling, ties, wrong, gatheredGap } of official) {
      expect(wrong).toBe(0);
      if (pooling === 'avg') expect(ties).toBe(0);
      expect(gatheredGap).toBeLessThan(1e-6);
    }
  }
});

test('a prompt that is shorter than the budget stays as it is', () => {
  const rows = [Array.from({ length: 5 }, () => [1, 2])];
  const options = { window: 2, budget: 6, kernel: 3, pooling: 'avg', groupReduce: 'mean' } as const;
  expect(snapkvReference({ queries: rows, keys: rows }, options)).toEqual([[0, 1, 2, 3, 4]]);
});
