import { Random } from '@loci/evaluate/random';
import type { TrainingTask } from '@loci/lab';
import { LociError } from 'loci';
import { z } from 'zod';

const whole = (min: number, max = 2 ** 20) => z.number().int().min(min).max(max);
const schema = z.strictObject({
  name: z.literal('passkey'),
  length: whole(32).default(256),
  block: whole(3).default(4).describe('tokens of a block'),
  keys: whole(2, 1000).default(8).describe('symbols, of which one is the passkey'),
  every: whole(4).default(32).describe('tokens from question to question in training'),
  examples: whole(1).default(20_000).describe('of the training split'),
  held: whole(1).default(1024).describe('examples of the validation and of the test split'),
});

const vocabulary = 64;

/**
 * A passkey behind a marker, in a block of its own chosen by chance, and what it was asked for at the last token. Training asks
 * now and then on the way too; the other splits ask at the end alone, of every block in turn. Tokens are keys, a marker, a
 * question and filler.
 * @throws LociError `bad-option`; ZodError.
 */
export function passkeyTask(given: unknown, seed: number): TrainingTask {
  const { name, length, block, keys, every, examples, held } = schema.parse(given);
  if (length % block !== 0 || length % every !== 0 || every % block !== 0 || keys + 2 >= vocabulary) {
    throw new LociError(
      'bad-option',
      `task passkey: a length of ${length} has no whole blocks of ${block} or stretches of ${every}, or ${keys} keys leave no filler`,
    );
  }
  const [marker, question, blocks] = [keys, keys + 1, length / block];
  return {
    ...{ name, tokens: 'ids' as const, vocabulary, length, labelled: length / every },
    size: (split) => (split === 'train' ? examples : held),
    example(split, index) {
      const random = new Random(`passkey ${seed} ${split} ${index}`);
      const ids = Int32Array.from({ length }, () => random.integer(question + 1, vocabulary - 1));
      const asked = Array.from({ length: length / every }, (_, i) => (i + 1) * every - 1);
      for (const at of asked) ids[at] = question;
      const key = random.integer(0, keys - 1);
      const inBlock = split === 'train' ? random.integer(0, blocks - 1) : index % blocks;
      // The last token of a block may be a question.
      const at = inBlock * block + random.integer(0, block - 3);
      ids.set([marker, key], at);
      const positions = split === 'train' ? asked.filter((position) => position > at) : [length - 1];
      return { ids, positions: Int32Array.from(positions), labels: new Int32Array(positions.length).fill(key) };
    },
  };
}
