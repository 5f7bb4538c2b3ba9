import { haystackOf, Random, texts } from '@loci/evaluate';
import { LociError } from 'loci';
import { z } from 'zod';
import type { Example, TrainingTask } from '../training/task.ts';

const schema = z.strictObject({
  name: z.literal('text'),
  books: z
    .array(z.enum(texts))
    .min(1)
    .default([...texts]),
  length: z
    .number()
    .int()
    .min(2)
    .max(2 ** 20)
    .default(256),
  examples: z.number().int().min(1).default(100_000).describe('pieces of the training part, which may overlap'),
  held: z.number().int().min(1).default(64).describe('pieces of the validation part and of the test part'),
});

/** The last share of every book, in halves: for validation, and for the test. */
const heldShare = 0.1;

/**
 * Running text of the bundled books, byte by byte: every byte is to be told from those before it. The parts that are held
 * back are the ends of the books, which no training example touches.
 * @throws ZodError; LociError `bad-option` for pieces that are longer than a part.
 */
export function textTask(given: unknown, seed: number): TrainingTask {
  const { name, books, length, examples, held } = schema.parse(given);
  const parts = books.map((book) => {
    const bytes = new TextEncoder().encode(haystackOf(book).sentences.join(' '));
    const [validation, test] = [1 - heldShare, 1 - heldShare / 2].map((share) => Math.floor(share * bytes.length));
    return {
      train: bytes.subarray(0, validation),
      validation: bytes.subarray(validation, test),
      test: bytes.subarray(test),
    };
  });
  for (const [i, { test }] of parts.entries()) {
    if (test.length <= length)
      throw new LociError(
        'bad-option',
        `task text: ${books[i]} has ${test.length} bytes for the test, too few for ${length}`,
      );
  }
  const positions = Int32Array.from({ length }, (_, i) => i);
  return {
    ...{ name, vocabulary: 256, tokens: 'bytes', length, labelled: length },
    size: (split) => (split === 'train' ? examples : held),
    example(split, index): Example {
      const random = new Random(`text ${seed} ${split} ${index}`);
      const part = random.pick(parts)[split];
      const begin = random.integer(0, part.length - length - 1);
      const bytes = part.subarray(begin, begin + length + 1);
      return { ids: Int32Array.from(bytes.subarray(0, length)), positions, labels: Int32Array.from(bytes.subarray(1)) };
    },
  };
}
