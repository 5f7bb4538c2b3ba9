import { setImmediate } from 'node:timers/promises';
import { LociError, type Model, type OpenOptions } from 'loci';
import { codeVersion } from '../results/code.ts';
import { resultKey } from '../results/key.ts';
import type { ResultStore } from '../results/store.ts';
import { bootstrap, type Estimate, mean, median, pairedBootstrap } from '../statistics/index.ts';
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
  /** How many cases, and what makes them when their turn comes. */
  readonly cases: number;
  readonly caseOf: (number: number) => TaskCase;
  readonly contenders: readonly Contender[];
  readonly modes: readonly Mode[];
  readonly store: ResultStore;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompareProgress) => void;
}

export interface CompareProgress {
  /** Runs that are done: a run is one method on one case. */
  readonly done: number;
  /** Of them, how many were in the store before. */
  readonly known: number;
  readonly total: number;
  /** The method at work now; none when everything is done. */
  readonly contender: string | undefined;
}

/** One method over all cases: means, but for times, which are medians. */
export interface Row {
  readonly method: string;
  readonly mode: Mode;
  readonly cases: number;
  readonly recall: number | null;
  readonly exact: number;
  readonly nll: number;
  readonly nllAfterFirst: number | null;
  /** Of these means, by bootstrap over the cases. */
  readonly standardErrors: { readonly recall: number | null; readonly exact: number; readonly nll: number };
  /** Difference of the mean loss to the first row of the same mode, by paired bootstrap. */
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
 * @throws LociError `aborted`, what was measured being kept.
 */
export async function compare(model: Model, options: CompareOptions): Promise<readonly Row[]> {
  const { cases, caseOf, contenders, modes, store, signal, onProgress } = options;
  const code = codeVersion();
  const runs = modes.flatMap((mode) =>
    contenders.map((contender) => ({ mode, contender, results: [] as CaseResult[] })),
  );
  const total = cases * runs.length;
  let [done, found] = [0, 0];
  for (let number = 0; number < cases; number++) {
    // Cases that are known take no time in which a signal could arrive.
    await setImmediate();
    if (signal?.aborted) throw new LociError('aborted', 'the comparison was stopped');
    const one = caseOf(number);
    for (const { mode, contender, results } of runs) {
      onProgress?.({ done: done++, known: found, total, contender: contender.name });
      const method = `${contender.spec} ${mode} ${model.threads} threads`;
      const key = resultKey({ case: one, method, model: model.fingerprint, code });
      const known = store.get(key);
      // The key says that it is one of these.
      const result =
        (known as CaseResult | undefined) ?? (await measureCase(model, contender.methods, one, mode, signal));
      if (known === undefined) store.put(key, { ...result });
      else found++;
      results.push(result);
    }
  }
  onProgress?.({ done, known: found, total, contender: undefined });
  return runs.map(({ mode, contender, results }) => {
    const baseline = runs.find((other) => other.mode === mode)?.results ?? results;
    return rowOf(contender.name, mode, results, baseline);
  });
}

function rowOf(method: string, mode: Mode, results: readonly CaseResult[], baseline: readonly CaseResult[]): Row {
  const of = (value: (result: CaseResult) => number) => results.map(value);
  const estimate = (value: (result: CaseResult) => number | null) => {
    const values = results.map(value).filter((one) => one !== null);
    return values.length > 0 ? bootstrap(values, mean) : { value: null, standardError: null };
  };
  const recall = estimate((result) => result.recall);
  const exact = bootstrap(
    of((result) => (result.exact ? 1 : 0)),
    mean,
  );
  const nll = bootstrap(
    of((result) => result.nll),
    mean,
  );
  return {
    method,
    mode,
    cases: results.length,
    recall: recall.value,
    exact: exact.value,
    nll: nll.value,
    nllAfterFirst: estimate((result) => result.nllAfterFirst).value,
    standardErrors: { recall: recall.standardError, exact: exact.standardError, nll: nll.standardError },
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
