import { haystackOf } from '@loci/evaluate';
import { expect, test } from 'vitest';
import { textTask } from './text.ts';

test('every byte is asked about, and what is held back lies behind all that is trained on', () => {
  const task = textTask({ name: 'text', books: ['dracula'], length: 50 }, 3);
  const book = Buffer.from(haystackOf('dracula').sentences.join(' '));
  const places = (split: 'train' | 'validation' | 'test') =>
    Array.from({ length: 40 }, (_, i) => {
      const { ids, positions, labels } = task.example(split, i);
      expect([...positions]).toEqual([...ids.keys()]);
      expect([...labels.subarray(0, -1)]).toEqual([...ids.subarray(1)]);
      expect(task.example(split, i)).toEqual({ ids, positions, labels });
      return book.indexOf(Buffer.from([...ids, labels.at(-1) ?? 0]));
    });
  const [train, validation, held] = [places('train'), places('validation'), places('test')];
  expect(Math.min(...train)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...train) + 51).toBeLessThanOrEqual(0.9 * book.length);
  expect(Math.min(...validation)).toBeGreaterThanOrEqual(Math.floor(0.9 * book.length));
  expect(Math.max(...validation) + 51).toBeLessThanOrEqual(Math.floor(0.95 * book.length));
  expect(Math.min(...held)).toBeGreaterThanOrEqual(Math.floor(0.95 * book.length));
  expect(() => textTask({ name: 'text', books: ['dracula'], length: 2 ** 19 }, 0)).toThrow('too few for');
});
