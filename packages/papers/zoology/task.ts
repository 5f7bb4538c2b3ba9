import type { Example, TrainingTask } from '@loci/lab';
import { z } from 'zod';
import { checkMqar, type MqarOptions, mqar } from './mqar.ts';

const schema = z.strictObject({
  name: z.literal('mqar'),
  vocabulary: z
    .number()
    .int()
    .min(4)
    .max(2 ** 24)
    .default(256),
  length: z
    .number()
    .int()
    .min(4)
    .max(2 ** 20)
    .default(64),
  pairs: z.number().int().min(1).default(8),
  power: z.number().positive().default(0.01),
  reassigned: z.number().int().min(0).default(0),
  filler: z.enum(['zero', 'random', 'other']).default('zero'),
  examples: z.number().int().min(1).default(20_000).describe('of the training split'),
  held: z.number().int().min(1).default(1000).describe('examples of the validation and of the test split'),
});

export type MqarTask = z.input<typeof schema>;

/** Multi-query associative recall as something to train on. @throws LociError `bad-option`; ZodError. */
export function mqarTask(given: unknown, seed: number): TrainingTask {
  const { examples, held, name, ...options } = schema.parse(given);
  const own: MqarOptions = options;
  checkMqar(own);
  // Every epoch asks for the same examples again.
  const known = new Map<string, Example>();
  const keeps = (examples + 2 * held) * own.length < 2 ** 24;
  return {
    name,
    vocabulary: own.vocabulary,
    tokens: 'ids',
    length: own.length,
    labelled: own.pairs,
    size: (split) => (split === 'train' ? examples : held),
    example(split, index) {
      const key = `mqar ${seed} ${split} ${index}`;
      const example = known.get(key) ?? mqar(own, key);
      if (keeps) known.set(key, example);
      return example;
    },
  };
}
