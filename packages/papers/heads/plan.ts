import { LociError, type ModelFacts } from 'loci';
import { z } from 'zod';
import { choice, whole } from '../methods/option.ts';
import { namedScores } from './bundled.ts';
import { type HeadSet, kvScores, randomSet, topShare, uniformSet } from './choose.ts';
import { foreign, type HeadScores, type HeadTable } from './scores.ts';

/** Options of methods that keep everything for some heads only; those by chance are for comparison. */
export function planOptions() {
  return {
    plan: z.string().default('induction').describe('a file of head scores, or the method of some that come along'),
    protect: choice(['highest', 'lowest', 'random', 'none', 'all'], 'highest', 'which heads keep everything'),
    seed: whole(0, 1_000_000_000, 0, 'of the heads by chance'),
  };
}

export interface PlanOptions {
  readonly plan: string;
  readonly protect: 'highest' | 'lowest' | 'random' | 'none' | 'all';
  readonly seed: number;
}

/** Which key/value heads of a model keep everything. */
export interface HeadPlan {
  /** Why there is none for a model. */
  refuses(model: ModelFacts): string | undefined;
  of(model: ModelFacts): HeadSet;
}

/**
 * A plan from scores: `choose` says which heads of a table that ranks them, the options which table and what is taken in
 * their place. @throws LociError `bad-option`, `bad-file` when there are no such scores.
 */
export function headPlan(
  { plan, protect, seed }: PlanOptions,
  choose: (ranked: HeadScores, kvHeads: number) => HeadSet,
): HeadPlan {
  const named = namedScores(plan);
  const scoresFor = (model: ModelFacts) => named.find((scores) => foreign(scores, model) === undefined);
  return {
    refuses: (model) => (scoresFor(model) || !named[0] ? undefined : foreign(named[0], model)),
    of(model) {
      const scores = scoresFor(model);
      if (!scores) throw new LociError('bad-option', `plan is "${plan}", which is not one for ${model.name}`);
      const { kvHeads } = model.arch;
      const set = choose(protect === 'lowest' ? turned(scores, kvHeads) : scores, kvHeads);
      if (protect === 'random') return randomSet(set, seed);
      if (protect === 'none' || protect === 'all') return uniformSet(set, protect === 'all');
      return set;
    },
  };
}

/** The share of key/value heads that score highest by a table. */
export function topKvHeads({ of }: HeadScores, table: HeadTable, share: number, kvHeads: number): HeadSet {
  return topShare(kvScores(table, of, kvHeads), share);
}

/** The same ranks of key/value heads with the last first. */
function turned({ scores, others, of, ...rest }: HeadScores, kvHeads: number): HeadScores {
  const negative = (rows: HeadTable) => kvScores(rows, of, kvHeads).map((row) => row.map((score) => -score));
  const turnedOthers = Object.entries(others).map(([name, rows]) => [name, negative(rows)]);
  return { ...rest, of: 'kvHeads', scores: negative(scores), others: Object.fromEntries(turnedOthers) };
}
