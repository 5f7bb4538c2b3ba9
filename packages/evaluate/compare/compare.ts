import type { Model, OpenOptions } from 'loci';
import { codeVersion } from '../results/code.ts';
import { resultKey } from '../results/key.ts';
import type { ResultStore } from '../results/store.ts';
import { type Estimate, mean, median, pairedBootstrap } from '../statistics/index.ts';
import type { TaskCase } from '../tasks/task.ts';
import { type CaseResult, type Mode, measureCase } from './case.ts';

/** Methods under one name. */
export interface Contender {
  /** As it was asked for: `keep=snapkv:budget=512,store=q4`. */
  readonly name: string;
  /** With all options said, the same for the same behaviour. */
  readonly spec: string;
  readonly methods: OpenOptions;
}

export interface CompareOptions {
  readonly cases: readonly TaskCase[];
  readonly contenders: readonly Contender[];
  readonly modes: readonly Mode[];
  readonly store: ResultStore;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: {
    readonly done: number;
    readonly total: number;
    readonly contender: string;
  }) => void;
}

/** One method over all cases; losses and recall are means, gaps are to the first method of the table. */
export interface Row {
  readonly method: string;
  readonly mode: Mode;
  readonly cases: number;
  readonly recall: number | null;
  readonly exact: number;
  readonly nll: number;
  readonly nllAfterFirst: number | null;
  /** Difference of the mean loss to the first row of the same mode, with its standard error. */
  readonly gap: Estimate;
  readonly kvBytes: number;
  readonly peakKvBytes: number;
  readonly keys: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/**
 * Runs every method on every case, case by case, so that what drifts on the machine hits all of them alike. Results are
 * kept in the store, and what is there is not computed again.
 */
export async function compare(model: Model, options: CompareOptions): Promise<readonly Row[]> {
  const { cases, contenders, modes, store, signal, onProgress } = options;
  const code = codeVersion();
  const runs = modes.flatMap((mode) =>
    contenders.map((contender) => ({ mode, contender, results: [] as CaseResult[] })),
  );
  let done = 0;
  for (const one of cases) {
    for (const { mode, contender, results } of runs) {
      const method = `${contender.spec} ${mode} ${model.threads} threads`;
      const key = resultKey({ case: one, method, model: model.fingerprint, code });
      const known = store.get(key);
      // The key says that it is one of these.
      const result =
        (known as CaseResult | undefined) ?? (await measureCase(model, contender.methods, one, mode, signal));
      if (known === undefined) store.put(key, { ...result });
      results.push(result);
      onProgress?.({ done: ++done, total: cases.length * runs.length, contender: contender.name });
    }
  }
  return runs.map(({ mode, contender, results }) => {
    const baseline = runs.find((other) => other.mode === mode)?.results ?? results;
    return rowOf(contender.name, mode, results, baseline);
  });
}

function rowOf(method: string, mode: Mode, results: readonly CaseResult[], baseline: readonly CaseResult[]): Row {
  const of = (value: (result: CaseResult) => number) => results.map(value);
  const some = (value: (result: CaseResult) => number | null) => {
    const values = results.map(value).filter((one) => one !== null);
    return values.length > 0 ? mean(values) : null;
  };
  return {
    method,
    mode,
    cases: results.length,
    recall: some((result) => result.recall),
    exact: mean(of((result) => (result.exact ? 1 : 0))),
    nll: mean(of((result) => result.nll)),
    nllAfterFirst: some((result) => result.nllAfterFirst),
    gap: pairedBootstrap(
      of((result) => result.nll),
      baseline.map((result) => result.nll),
    ),
    kvBytes: mean(of((result) => result.kvBytes)),
    peakKvBytes: mean(of((result) => result.peakKvBytes)),
    keys: mean(of((result) => result.keys)),
    prefillMs: median(of((result) => result.prefillMs)),
    decodeMs: median(of((result) => result.decodeMs)),
  };
}
