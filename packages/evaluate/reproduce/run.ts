import { setImmediate } from 'node:timers/promises';
import { LociError, type Model } from 'loci';
import { codeVersion } from '../results/code.ts';
import { type Json, type ResultStore, resultKey } from '../results/index.ts';
import type { Claim, Paper, Workbench } from './claim.ts';
import { itemsOf } from './items.ts';

/** A paper's claims beside what was measured, as it stands in docs/results. */
export interface Reproduction {
  readonly paper: string;
  readonly title: string;
  readonly model: string;
  readonly machine: Json;
  readonly scale: Workbench['scale'];
  readonly date: string;
  readonly claims: readonly JudgedClaim[];
}

export interface JudgedClaim {
  readonly id: string;
  readonly claimed: string;
  readonly measured: Json;
  readonly holds: boolean;
  readonly note?: string;
  readonly ms: number;
}

export interface ReproduceOptions {
  readonly scale: Workbench['scale'];
  /** Numbers of the claims to run; all by default. */
  readonly only?: readonly string[];
  readonly machine: Json;
  readonly store: ResultStore;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: {
    readonly claim: Claim;
    readonly index: number;
    readonly total: number;
    readonly what: string;
    readonly share: number | undefined;
  }) => void;
  readonly onJudged?: (claim: JudgedClaim) => void;
}

/**
 * Runs the claims of a paper, one after the other. What a claim throws becomes its note.
 * @throws LociError `aborted`, where a claim says how far it is or begins with a piece; what was measured is kept.
 */
export async function reproduce(paper: Paper, model: Model, options: ReproduceOptions): Promise<Reproduction> {
  const { scale, only, machine, store, signal, onProgress, onJudged } = options;
  const code = codeVersion();
  const wanted = paper.claims.filter(({ id }) => !only || only.includes(id) || only.includes(id.replace(/\D+$/, '')));
  const claims: JudgedClaim[] = [];
  const stopWhenTold = () => {
    if (signal.aborted) throw new LociError('aborted', 'the run was stopped; what was measured is kept');
  };
  for (const [index, claim] of wanted.entries()) {
    const workbench: Workbench = {
      scale,
      signal,
      model: async () => model,
      progress(what, share) {
        stopWhenTold();
        onProgress({ claim, index, total: wanted.length, what, share });
      },
      once: async <T extends Json>(name: string, work: () => Promise<T>): Promise<T> => {
        const key = resultKey({ case: `${paper.slug}/${name}`, method: scale, model: model.fingerprint, code });
        const known = store.get(key);
        // The key says that it is one of these.
        if (known !== undefined) return known as T;
        // Where pieces follow upon one another without a pause, a signal could not arrive.
        await setImmediate();
        stopWhenTold();
        const result = await work();
        store.put(key, result);
        return result;
      },
    };
    workbench.progress('begins');
    const started = performance.now();
    const finding = await claim.run(workbench).catch((error: unknown) => {
      // Whatever it stumbled over when it was stopped.
      if (signal.aborted) stopWhenTold();
      return {
        measured: null,
        holds: false,
        note: `failed: ${error instanceof Error ? error.message : String(error)}`,
      };
    });
    const { measured, holds, note } = finding;
    const { id, claimed } = claim;
    const judged = {
      id,
      claimed,
      measured,
      holds,
      ...(note !== undefined && { note }),
      ms: Math.round(performance.now() - started),
    };
    claims.push(judged);
    onJudged?.(judged);
  }
  return {
    ...{ paper: paper.slug, title: paper.title, model: model.name, machine, scale },
    date: new Date().toISOString().slice(0, 10),
    claims: itemsOf(claims),
  };
}
