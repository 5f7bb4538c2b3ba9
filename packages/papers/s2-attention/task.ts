import { Random } from '@loci/evaluate/random';
import type { Example, TrainingTask } from '@loci/lab';
import { LociError } from 'loci';
import { z } from 'zod';

const whole = (min: number, max = 2 ** 20) => z.number().int().min(min).max(max);
const schema = z.strictObject({
  name: z.literal('scattered-recall'),
  vocabulary: whole(4, 2 ** 24).default(64),
  length: whole(8).default(128),
  pairs: whole(1).default(16),
  fewest: whole(1).optional().describe('training examples have so many pairs, twice as many, … or all; by default all'),
  questions: whole(1).default(8),
  examples: whole(1).default(20_000).describe('of the training split'),
  held: whole(1).default(1024).describe('examples of the validation and of the test split'),
});

/** Where the pair that the n-th question of an example asks for stands: the position of its key. */
export interface Scattered extends Example {
  readonly pairs: readonly number[];
}

/**
 * Recall with pairs of key and value at places chosen by chance in the first three quarters, and questions behind them: keys
 * again, whose values are to follow. The test split asks for one of the questions, each in turn.
 * @throws LociError `bad-option`; ZodError.
 */
export function scatteredRecallTask(given: unknown, seed: number) {
  const { name, vocabulary, length, pairs, questions, examples, held, fewest = pairs } = schema.parse(given);
  const [keys, early] = [Math.floor(vocabulary / 2), 2 * Math.floor((3 * length) / 8)];
  if (pairs >= keys || 2 * pairs > early || questions > pairs || 2 * questions > length - early) {
    throw new LociError(
      'bad-option',
      `task scattered-recall: ${pairs} pairs and ${questions} questions do not fit into ${length} tokens of ${vocabulary}`,
    );
  }
  if (fewest > pairs)
    throw new LociError('bad-option', `task scattered-recall: ${fewest} pairs at least, and ${pairs} at most`);
  const doublings = Math.ceil(Math.log2(pairs / fewest));
  const task = {
    ...{ name, tokens: 'ids' as const, vocabulary, length, labelled: questions },
    size: (split: string) => (split === 'train' ? examples : held),
    example(split: string, index: number): Scattered {
      const random = new Random(`scattered ${seed} ${split} ${index}`);
      const places = (from: number, to: number, count: number) =>
        random.shuffled(Array.from({ length: (to - from) >> 1 }, (_, i) => from + 2 * i)).slice(0, count);
      const ids = new Int32Array(length);
      const some = (from: number, to: number, count: number) =>
        random.shuffled(Array.from({ length: to - from }, (_, i) => from + i)).slice(0, count);
      const count = split === 'train' ? Math.min(pairs, fewest * 2 ** random.integer(0, doublings)) : pairs;
      const [own, values] = [some(1, keys, count), some(keys, vocabulary, count)];
      const told = places(0, early, count);
      for (const [i, at] of told.entries()) ids.set([own[i] ?? 0, values[i] ?? 0], at);
      const asked = places(early, length, questions).toSorted((a, b) => a - b);
      const order = random.shuffled(Array.from({ length: count }, (_, i) => i));
      const chosen = asked.map((_, i) => order[i % count] ?? 0);
      for (const [i, at] of asked.entries()) ids[at] = own[chosen[i] ?? 0] ?? 0;
      const labelled = split === 'test' ? [index % questions] : asked.map((_, i) => i);
      const of = (values: readonly number[]) => labelled.map((i) => values[i] ?? 0);
      return {
        ids,
        positions: Int32Array.from(of(asked)),
        labels: Int32Array.from(of(chosen.map((pair) => values[pair] ?? 0))),
        pairs: of(chosen.map((pair) => told[pair] ?? 0)),
      };
    },
  };
  return task satisfies TrainingTask;
}
