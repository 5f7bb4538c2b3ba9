import { createHash } from 'node:crypto';
import { LociError } from 'loci';
import { z } from 'zod';
import { schedules } from './schedule.ts';

const whole = (min: number, max = 2 ** 31 - 1) => z.number().int().min(min).max(max);

const schema = z.strictObject({
  seed: whole(0).default(0).describe('of the first parameters, the data and their order'),
  task: z.looseObject({ name: z.string() }).describe('what is learned; the other members are its own'),
  model: z.strictObject({
    width: whole(4, 2 ** 16),
    layers: z.array(z.string()).min(1).max(1000).describe('a mixer per layer, as name:option=value,…'),
    feedForward: z
      .number()
      .min(0)
      .max(64)
      .default(0)
      .describe('width of the feed-forward part over that of the model; 0 is none'),
    positions: z.enum(['none', 'learned']).default('none'),
    norm: z.enum(['layer', 'rms']).default('layer'),
  }),
  training: z.strictObject({
    steps: whole(0),
    batch: whole(1, 2 ** 20),
    accumulate: whole(1, 2 ** 16)
      .default(1)
      .describe('parts that a batch is computed in'),
    rate: z.number().positive(),
    schedule: z.enum(schedules).default('cosine'),
    warmUp: whole(0).default(0),
    least: z.number().min(0).max(1).default(0).describe('what the rate ends at, over its highest'),
    decay: z.number().min(0).default(0.1),
    clip: z.number().min(0).default(1).describe('length that the gradient is cut to; 0 leaves it'),
    beta1: z.number().min(0).lt(1).default(0.9),
    beta2: z.number().min(0).lt(1).default(0.999),
    epsilon: z.number().positive().default(1e-8),
  }),
  evaluateEvery: whole(0).default(0).describe('steps between evaluations on the validation split; 0 is never'),
  until: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('accuracy on the validation split at which training ends early, if below 1'),
  saveEvery: whole(1).default(200).describe('steps between checkpoints'),
});

/** What is trained, on what, and how: the content of a configuration file, with its defaults filled in. */
export type TrainConfig = z.output<typeof schema>;
export type TrainConfigInput = z.input<typeof schema>;

/** @throws LociError `bad-option` naming the member, what it is and what it must be. */
export function readConfig(value: unknown): TrainConfig {
  const read = schema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new LociError(
      'bad-option',
      `the configuration is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`,
    );
  }
  const { batch, accumulate } = read.data.training;
  if (batch % accumulate !== 0)
    throw new LociError(
      'bad-option',
      `training.accumulate is ${accumulate}; it must divide training.batch, which is ${batch}`,
    );
  return read.data;
}

/** Names everything that decides about the course of training. */
export function configHash({ evaluateEvery, saveEvery, ...rest }: TrainConfig): string {
  // Evaluating decides about the course only where it may end it.
  const decides = rest.until < 1 ? { ...rest, evaluateEvery } : rest;
  return createHash('sha256').update(JSON.stringify(decides)).digest('hex').slice(0, 32);
}
