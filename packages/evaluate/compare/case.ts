import type { Model, OpenOptions, Session } from 'loci';
import { summarizeLosses } from '../scores/index.ts';
import { exactMatch, recall } from '../scores/recall.ts';
import type { TaskCase } from '../tasks/task.ts';

/** Whether a method knows the question when it chooses what to keep: methods that do look better. */
export type Mode = 'query-aware' | 'query-agnostic';

/** What one case gave with one method. Times are milliseconds, sizes bytes. */
export interface CaseResult {
  /** Share of the accepted texts in the generated answer; NaN is written as null where nothing is accepted. */
  readonly recall: number | null;
  /** Whether the generated answer begins with the right tokens. */
  readonly exact: boolean;
  /** Mean loss of the right answer, and without its first token, in nats per token. */
  readonly nll: number;
  readonly nllAfterFirst: number | null;
  /** Allocated for the cache when the prompt had been read, and at most while it was. */
  readonly kvBytes: number;
  readonly peakKvBytes: number;
  /** Slots that the heads of the model hold behind the prompt, all together: what a token of decode reads. */
  readonly keys: number;
  readonly promptTokens: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/** Reads a case with some methods, scores the right answer behind it and lets the model answer. */
export async function measureCase(
  model: Model,
  methods: OpenOptions,
  { context, question, answer, accepted, maxTokens }: TaskCase,
  mode: Mode,
  signal?: AbortSignal,
): Promise<CaseResult> {
  const session = await model.open(methods);
  try {
    const ids = Int32Array.of(...context, ...question);
    const prefillMs = await read(session, mode === 'query-aware' ? [ids] : [context, ids], signal);
    const { kvBytes, mostKvBytes: peakKvBytes, kept } = session;
    const [losses = new Float64Array()] = await session.scoreContinuations({ ids }, [answer], { signal });
    const { mean, meanAfterFirst } = summarizeLosses(losses);
    const generated = await session.complete({ ids }, { maxTokens, signal });
    return {
      recall: accepted.length > 0 ? recall(generated.text, accepted) : null,
      exact: exactMatch(generated.ids, answer),
      nll: mean,
      nllAfterFirst: Number.isNaN(meanAfterFirst) ? null : meanAfterFirst,
      ...{ kvBytes, peakKvBytes, promptTokens: ids.length, prefillMs },
      keys: kept.flat().reduce((sum, { length }) => sum + length, 0),
      decodeMs: generated.decodeMsPerToken,
    };
  } finally {
    session.close();
  }
}

/** Reads one prompt after the other; returns the time that took. */
async function read(
  session: Session,
  prompts: readonly Int32Array[],
  signal: AbortSignal | undefined,
): Promise<number> {
  let ms = 0;
  for (const ids of prompts) if (ids.length > 0) ms += (await session.prefill({ ids }, { signal })).prefillMs;
  return ms;
}
