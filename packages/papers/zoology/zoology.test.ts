import { Random } from '@loci/evaluate/random';
import * as f from '@loci/lab/arrays';
import { evaluate } from '@loci/lab/arrays';
import { describe, expect, test } from 'vitest';
import { trainingParts } from '../mixers.ts';
import { hitsOf, PairCounts } from './ar-hits.ts';
import { type MqarOptions, mqar } from './mqar.ts';
import { largest, occurredBefore } from './selective.ts';
import { mqarTask } from './task.ts';

const settings: MqarOptions = { vocabulary: 64, length: 40, pairs: 5, power: 0.01, reassigned: 0, filler: 'zero' };

describe('multi-query associative recall', () => {
  test.each(['zero', 'random', 'other'] as const)('labels are what keys were given, with filler %s', (filler) => {
    for (let i = 0; i < 200; i++) {
      const { ids, positions, labels, slots } = mqar({ ...settings, filler, reassigned: i % 3 }, `${i}`);
      const given = new Map<number, number>();
      const end = 2 * (settings.pairs + (i % 3));
      for (let at = 0; at < end; at += 2) given.set(ids[at] ?? -1, ids[at + 1] ?? -1);
      expect(given.size).toBe(settings.pairs);
      expect([...given.keys()].every((key) => key >= 1 && key < 32)).toBe(true);
      expect([...given.values()].every((value) => value >= 32 && value < 64)).toBe(true);
      expect(new Set(slots).size).toBe(settings.pairs);
      expect([...labels]).toEqual(Array.from(positions, (at) => given.get(ids[at] ?? -1)));
      expect(Array.from(positions, (at) => ids[at]).toSorted()).toEqual([...given.keys()].toSorted());
      if (filler === 'zero') expect(ids.subarray(end).filter((id) => id !== 0)).toHaveLength(settings.pairs);
    }
  });

  test('a key that is assigned again has two values, and the second counts', () => {
    const { ids, positions, labels } = mqar({ ...settings, reassigned: 5 }, 'again');
    const first = new Map(Array.from({ length: 5 }, (_, k) => [ids[2 * k], ids[2 * k + 1]]));
    positions.forEach((at, i) => {
      expect(labels[i]).not.toBe(first.get(ids[at]));
    });
  });

  test('options that leave no room are refused', () => {
    const refused = (change: object) => () => mqarTask({ name: 'mqar', ...settings, ...change }, 0);
    expect(refused({ length: 41 })).toThrow('the length is 41; it must be even');
    expect(refused({ vocabulary: 40 })).toThrow('it must be above the length, 40');
    expect(refused({ pairs: 11 })).toThrow('11 pairs and their queries do not fit into 40 tokens; 44 do');
    expect(refused({ vocabulary: 41, pairs: 20, length: 40 })).toThrow('are too few for 20 pairs');
    expect(() => trainingParts.task({ name: 'mqar', power: 0 }, 0)).toThrow('task mqar is wrong at power');
    expect(() => trainingParts.task({ name: 'sort' }, 0)).toThrow('there is no task "sort"; there are mqar, text');
  });
});

test('rows are selected by what came before them, or by the size of their gate', () => {
  const [chosen] = evaluate([occurredBefore({ ids: f.input('ids', [2, 11], 'int'), vocabulary: 13 })], {
    ids: [3, 1, 3, 3, 0, 1, 2, 0, 4, 5, 12, ...Array(11).fill(7)],
  });
  expect([...(chosen ?? [])]).toEqual([0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0, ...Array(10).fill(1)]);
  const gates = { g: [0.5, 0.9, 0.5, 0.1, 0.7] };
  const rows = (m: number) => [...(evaluate([largest(f.parameter('g', [1, 5, 1]), m)], gates)[0] ?? [])];
  expect([0, 1, 3, 4, 5].map(rows)).toEqual([
    [0, 0, 0, 0, 0],
    [0, 1, 0, 0, 0],
    [1, 1, 0, 0, 1],
    [1, 1, 1, 0, 1],
    [1, 1, 1, 1, 1],
  ]);
});

test('AR hits are what a search through all earlier pairs finds', () => {
  const random = new Random('hits');
  const tokens = Array.from({ length: 300 }, () => random.integer(0, 11));
  const brute = tokens.flatMap((token, at) => {
    if (at === 0) return [];
    for (let earlier = at - 1; earlier > 0; earlier--) {
      if (tokens[earlier] === token && tokens[earlier - 1] === tokens[at - 1]) return [{ at, earlier }];
    }
    return [];
  });
  expect(hitsOf(tokens)).toEqual(brute);
  const counts = new PairCounts();
  counts.add(tokens);
  for (const [a, b] of [
    [3, 4],
    [0, 0],
    [11, 2],
  ] as const) {
    expect(counts.of(a, b)).toBe(tokens.filter((token, i) => i > 0 && tokens[i - 1] === a && token === b).length);
  }
});
