import { createHash } from 'node:crypto';
import { LociError } from 'loci';
import { z } from 'zod';
import { readConfig, type TrainConfig } from '../training/config.ts';
import type { Job } from './queue.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

const schema = z.strictObject({
  base: z.record(z.string(), z.json()).describe('a training configuration'),
  grid: z.record(z.string(), z.array(z.json()).min(1)).describe('values by the path of a member: "model.layers.1"'),
});

/** One run of a sweep: its configuration, and what tells it from the others. */
export interface SweepRun {
  readonly config: TrainConfig;
  readonly varied: Readonly<Record<string, Json>>;
}

/**
 * All combinations of a sweep's grid, each a training configuration; the last path varies fastest.
 * @throws LociError `bad-option` naming what is wrong.
 */
export function readSweep(value: unknown): readonly Job<SweepRun>[] {
  const read = schema.safeParse(value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new LociError('bad-option', `the sweep is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`);
  }
  const { base, grid } = read.data;
  let combinations: readonly Readonly<Record<string, Json>>[] = [{}];
  for (const [path, values] of Object.entries(grid)) {
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [path]: value })));
  }
  return combinations.map((varied) => {
    const given = Object.entries(varied).reduce<Json>(
      (config, [path, value]) => changed(config, path.split('.'), value, path),
      base,
    );
    const config = readConfig(given);
    const id = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 16);
    return { id, work: { config, varied } };
  });
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** The same with another value at a path. */
function changed(within: Json, [name, ...rest]: readonly string[], value: Json, path: string): Json {
  if (name === undefined) return value;
  if (isList(within)) {
    const at = Number(name);
    if (!Number.isInteger(at) || at < 0 || at >= within.length)
      throw new LociError(
        'bad-option',
        `the grid's path ${path} is not there: ${name} is no place in a list of ${within.length}`,
      );
    return within.map((item, i) => (i === at ? changed(item, rest, value, path) : item));
  }
  if (typeof within !== 'object' || within === null)
    throw new LociError('bad-option', `the grid's path ${path} is not there: nothing lies behind ${name}`);
  return { ...within, [name]: changed(within[name] ?? {}, rest, value, path) };
}
