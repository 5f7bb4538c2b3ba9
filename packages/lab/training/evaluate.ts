import type { Learner } from './learner.ts';
import { batchOf, batchShape, type Split, type TrainingTask } from './task.ts';

export interface Score {
  readonly step: number;
  /** Mean over examples of the share of labels that the largest logit names. */
  readonly accuracy: number;
  /** Mean over labels, in nats. */
  readonly loss: number;
  readonly examples: number;
}

export interface Evaluation {
  readonly score: Score;
  /** Share of labels that were named, example by example; NaN where there are none. */
  readonly each: readonly number[];
}

/** Examples that are scored together. */
const batch = 64;

/** Scores a split. An example without labels has no accuracy and is left out. */
export async function evaluate(
  learner: Learner,
  task: TrainingTask,
  split: Split,
  step: number,
  signal?: AbortSignal,
): Promise<Evaluation> {
  const shape = batchShape(task, batch);
  let [loss, labelled] = [0, 0];
  const each: number[] = [];
  for (let from = 0; from < task.size(split); from += batch) {
    const count = Math.min(batch, task.size(split) - from);
    const examples = Array.from({ length: count }, (_, i) => task.example(split, from + i));
    const logits = await learner.logits(batchOf(examples, shape), shape, signal);
    let row = 0;
    for (const { labels } of examples) {
      let right = 0;
      for (const label of labels) {
        const own = logits.subarray(row * task.vocabulary, (row + 1) * task.vocabulary);
        const { best, negativeLogLikelihood } = scoreRow(own, label);
        if (best === label) right++;
        loss += negativeLogLikelihood;
        row++;
      }
      labelled += labels.length;
      each.push(right / labels.length);
    }
  }
  const scored = each.filter((share) => !Number.isNaN(share));
  const accuracy = scored.reduce((sum, share) => sum + share, 0) / scored.length;
  return { score: { step, accuracy, loss: loss / labelled, examples: scored.length }, each };
}

function scoreRow(logits: Float32Array, label: number): { best: number; negativeLogLikelihood: number } {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if ((logits[i] ?? 0) > (logits[best] ?? 0)) best = i;
  const top = logits[best] ?? 0;
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - top);
  return { best, negativeLogLikelihood: Math.log(sum) + top - (logits[label] ?? Number.NaN) };
}
