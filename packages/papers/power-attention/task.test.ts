import { describe, expect, test } from 'vitest';
import { trainingParts } from '../mixers.ts';
import { passkeyTask } from './task.ts';

const task = passkeyTask({ name: 'passkey' }, 3);

describe.each(['train', 'validation', 'test'] as const)('%s examples', (split) => {
  test('have one marker, and every question behind it wants the key', () => {
    for (let index = 0; index < 200; index++) {
      const { ids, positions, labels } = task.example(split, index);
      const markers = [...ids.keys()].filter((at) => ids[at] === 8);
      expect(markers).toHaveLength(1);
      const [at = -1] = markers;
      const key = ids[at + 1];
      expect(key).toBeLessThan(8);
      expect(Math.floor(at / 4)).toBe(Math.floor((at + 1) / 4));
      if (split !== 'train') expect(Math.floor(at / 4)).toBe(index % 64);
      const questions = [...ids.keys()].filter((position) => ids[position] === 9);
      expect(questions).toEqual([31, 63, 95, 127, 159, 191, 223, 255]);
      expect([...positions]).toEqual(split === 'train' ? questions.filter((position) => position > at) : [255]);
      expect(new Set(labels)).toEqual(new Set([key]));
      expect([...ids].filter((id) => id < 8)).toHaveLength(1);
    }
  });
});

test('sizes that leave no whole blocks are refused', () => {
  expect(() => trainingParts.task({ name: 'passkey', length: 258 }, 0)).toThrow('no whole blocks');
  expect(() => trainingParts.task({ name: 'passkey', keys: 1 }, 0)).toThrow('keys');
});
