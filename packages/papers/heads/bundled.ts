import { existsSync, readdirSync } from 'node:fs';
import { LociError } from 'loci';
import { type HeadScores, readHeadScores } from './scores.ts';

const folder = new URL('./assets/', import.meta.url);

/** Scores that come along, each `MODEL.METHOD.json`. */
export function bundledScores(): readonly HeadScores[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.sort().map((file) => readHeadScores(new URL(file, folder)));
}

/**
 * The scores that an option names: a file, or the method that made some that come along.
 * @throws LociError `bad-option` when there are no such scores, `bad-file` when the file holds none.
 */
export function namedScores(plan: string): readonly HeadScores[] {
  const bundled = bundledScores();
  const named = bundled.filter(({ made }) => made.method === plan);
  if (named.length > 0) return named;
  if (existsSync(plan)) return [readHeadScores(plan)];
  const names = [...new Set(bundled.map(({ made }) => made.method))].join(', ');
  throw new LociError('bad-option', `plan is "${plan}"; it must be a file of head scores or one of ${names}`);
}
