import { LociError } from 'loci';
import { type HeadProbe, openedWith } from '../heads/head-probe.ts';
import { type Instance, leastRecall, measure } from './measure.ts';
import type { AnswerScores } from './score.ts';

/** Answers that must have succeeded for free answers to be the measure. */
const enoughAnswers = 20;
const defaultCount = 36;
const lengths = [256, 512, 1024];
const haystack = 'moby-dick';

/** Retrieval scores of every query head: the paper's protocol with needles, lengths and a haystack for small models. */
export const retrievalScores: HeadProbe = {
  name: 'retrieval-head',
  summary: 'how much of a needle each head copies into the answer',
  async measure(model, { cases: count = defaultCount, seed, open = {}, signal, onProgress }) {
    const run = { count, lengths, haystack, seed, open, signal, ...(onProgress && { onProgress }) } as const;
    const { mode, instances, answered, scores, official, soft, frequency } = summarize(await measure(model, run));
    const table = (values: readonly number[]) => rowsOf(values.map(rounded), model.arch.heads);
    return {
      model: { name: model.name, fingerprint: model.fingerprint },
      made: {
        method: 'retrieval-head',
        settings: { count, lengths, haystack, ...openedWith(open), mode, instances, answered },
        seed,
      },
      of: 'heads',
      scores: table(scores),
      others: { official: table(official), soft: table(soft), frequency: table(frequency) },
    };
  },
};

function rounded(score: number): number {
  return Number(score.toPrecision(5));
}

export interface Summary {
  /** Whether the scores are of answers that the model gave freely, or of right ones that it was given. */
  readonly mode: 'free-running' | 'teacher-forced';
  readonly instances: number;
  /** Of them, how many had half of the needle in their free answer. */
  readonly answered: number;
  /** Means over the instances that count, of every head through all layers. */
  readonly scores: readonly number[];
  readonly official: readonly number[];
  readonly soft: readonly number[];
  /** Share of the instances in which the head copied anything. */
  readonly frequency: readonly number[];
}

/**
 * Free answers are the measure where enough of them succeeded, else teacher-forced ones. @throws LociError `bad-option` when
 * nothing was measured.
 */
export function summarize(found: readonly Instance[], mode?: Summary['mode']): Summary {
  const answered = found.filter(({ rouge }) => rouge > leastRecall);
  const chosen = mode ?? (answered.length >= enoughAnswers ? 'free-running' : 'teacher-forced');
  const counted = chosen === 'free-running' ? answered : found;
  if (counted.length === 0) {
    throw new LociError('bad-option', `not measurable: none of ${found.length} answers had half of the needle in it`);
  }
  const of = (one: Instance): AnswerScores => (chosen === 'free-running' ? one.free : one.forced);
  const means = (get: (scores: AnswerScores) => Float64Array) => meansOf(counted.map((one) => get(of(one))));
  return {
    ...{ mode: chosen, instances: found.length, answered: answered.length },
    ...{ scores: means(({ score }) => score), official: means(({ official }) => official) },
    ...{ soft: means(({ soft }) => soft), frequency: means(({ score }) => score.map((one) => (one > 0 ? 1 : one))) },
  };
}

/** NaN only where no row has a number. */
function meansOf(rows: readonly Float64Array[]): readonly number[] {
  return Array.from(rows[0] ?? [], (_, head) => {
    const known = rows.map((row) => row[head] ?? Number.NaN).filter((value) => !Number.isNaN(value));
    return known.reduce((sum, value) => sum + value, 0) / known.length;
  });
}

export function rowsOf<T>(values: readonly T[], heads: number): T[][] {
  return Array.from({ length: values.length / heads }, (_, layer) => values.slice(layer * heads, (layer + 1) * heads));
}
