/** Contestants by turns on the same work: every comparison is made in one run in which all sides alternate. */
import { setTimeout } from 'node:timers/promises';
import { mean } from '@loci/evaluate/statistics';
import { Child, type Contestant } from './child.ts';
import type { Timing } from './protocol.ts';
import { type Summary, summary } from './statistics.ts';

export interface Workload {
  /** Length of the prompt. */
  readonly tokens: number;
  /** Tokens to generate after the first. */
  readonly decode: number;
  readonly sequences: number;
}

/** `kept` processes are warmed up and measured again and again; `fresh` ones are started for every measurement. */
export type Processes = 'kept' | 'fresh';

export interface Grid {
  readonly contestants: readonly Contestant[];
  readonly workloads: readonly Workload[];
  readonly processes: Processes;
  /** Fewer rounds than usual are enough. */
  readonly rounds?: number;
}

export interface Turns {
  readonly repeats: number;
  /** The ids that prompts begin. */
  readonly ids: readonly number[];
  say(line: string): void;
}

/** One contestant under one workload. */
export interface Cell extends Workload {
  readonly contestant: string;
  /** Of all sequences together. */
  readonly prefillTokensPerSecond: Summary;
  /** One step of all sequences together. */
  readonly decodeMsPerStep: Summary;
  /** From the start of the process to the first token; of fresh processes. */
  readonly firstTokenMs?: Summary;
  readonly peakBytes: Summary;
  /** How many of the generated tokens are the first contestant's too, from the first on. */
  readonly sameTokens: number;
  /** Of every step the least of all runs: what is left of a step when nothing else disturbs it. */
  readonly leastStepsMs: readonly number[];
}

interface Run extends Timing {
  readonly firstTokenMs: number | undefined;
}

/** After a turn, threads that wait for more work may spin for a moment before they sleep. */
const restMs = 300;
/** Who has used up this much of a workload sits out its later rounds: its median is one of fewer runs. */
const patienceMs = 240_000;
/** Compiles what is compiled on first use. */
const warmUp = { tokens: 64, decode: 8 } as const;

/** Measures every contestant under every workload, `repeats` times unless its patience ends. */
export async function measureGrid(grid: Grid, usual: Turns): Promise<readonly Cell[]> {
  const { contestants, workloads, processes, rounds = usual.repeats } = grid;
  const turns = { ...usual, repeats: Math.min(rounds, usual.repeats) };
  const kept = new Map<Contestant, Child>();
  try {
    if (processes === 'kept') {
      for (const contestant of contestants) {
        turns.say(`starting ${contestant.name}`);
        const child = await Child.start(contestant);
        kept.set(contestant, child);
        await child.measure({ ids: turns.ids.slice(0, warmUp.tokens), decode: warmUp.decode, sequences: 1 });
      }
    }
    const cells: Cell[] = [];
    for (const [i, workload] of workloads.entries()) {
      const part = workloads.length > 1 ? `${i + 1} of ${workloads.length}, ` : '';
      cells.push(...(await measureWorkload(contestants, workload, kept, turns, part)));
    }
    return cells;
  } finally {
    await Promise.all(Array.from(kept.values(), (child) => child.stop()));
  }
}

async function measureWorkload(
  contestants: readonly Contestant[],
  workload: Workload,
  kept: ReadonlyMap<Contestant, Child>,
  turns: Turns,
  part: string,
): Promise<Cell[]> {
  const runs = new Map(contestants.map((contestant) => [contestant, [] as Run[]]));
  const spent = new Map<Contestant, number>();
  for (let repeat = 0; repeat < turns.repeats; repeat++) {
    // Who begins changes, so that a machine that slows down or warms up favours nobody.
    const order = repeat % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      if ((spent.get(contestant) ?? 0) > patienceMs) continue;
      await setTimeout(restMs);
      const started = performance.now();
      const run = await measureOnce(contestant, workload, kept.get(contestant), turns);
      spent.set(contestant, (spent.get(contestant) ?? 0) + performance.now() - started);
      runs.get(contestant)?.push(run);
      const speed = ((workload.tokens * workload.sequences) / run.prefillMs) * 1000;
      const step = workload.decode > 0 ? `, ${mean(run.stepsMs).toFixed(1)} ms per token` : '';
      const what = `${part}${workload.tokens} tokens, round ${repeat + 1} of ${turns.repeats}, ${contestant.name}`;
      turns.say(`${what}: ${speed.toFixed(0)} tokens/s${step}`);
    }
  }
  const [first = []] = runs.values();
  return Array.from(runs, ([{ name }, all]) => cellOf(name, workload, all, first));
}

async function measureOnce(
  contestant: Contestant,
  { tokens, decode, sequences }: Workload,
  kept: Child | undefined,
  turns: Turns,
): Promise<Run> {
  const work = { ids: turns.ids.slice(0, tokens), decode, sequences };
  if (kept) return { ...(await kept.measure(work)), firstTokenMs: undefined };
  const started = performance.now();
  const child = await Child.start(contestant);
  try {
    const loadedMs = performance.now() - started;
    const timing = await child.measure(work);
    return { ...timing, firstTokenMs: loadedMs + timing.prefillMs };
  } finally {
    await child.stop();
  }
}

function cellOf(contestant: string, workload: Workload, runs: readonly Run[], first: readonly Run[]): Cell {
  const ids = runs[0]?.ids ?? [];
  const different = ids.findIndex((id, i) => id !== first[0]?.ids[i]);
  const cold = runs.flatMap(({ firstTokenMs }) => firstTokenMs ?? []);
  const { tokens, sequences, decode } = workload;
  return {
    contestant,
    ...workload,
    prefillTokensPerSecond: summary(runs.map(({ prefillMs }) => ((tokens * sequences) / prefillMs) * 1000)),
    decodeMsPerStep: summary(decode > 0 ? runs.map(({ stepsMs }) => mean(stepsMs)) : []),
    ...(cold.length > 0 && { firstTokenMs: summary(cold) }),
    peakBytes: summary(runs.map(({ peakBytes }) => peakBytes)),
    sameTokens: different < 0 ? ids.length : different,
    leastStepsMs: Array.from({ length: decode }, (_, i) =>
      Math.min(...runs.map(({ stepsMs }) => stepsMs[i] ?? Number.NaN)),
    ),
  };
}
