import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LociError } from 'loci';
import { z } from 'zod';
import { type Parts, type TrainProgress, train } from '../training/train.ts';
import type { SweepRun } from './grid.ts';
import type { Job, JobReport, Queue } from './queue.ts';
import { SqliteQueue } from './sqlite-queue.ts';

const resultSchema = z.object({
  accuracy: z.number(),
  loss: z.number(),
  steps: z.number(),
  parameters: z.number(),
  stateBytes: z.number(),
  ms: z.number(),
});

/** What is kept of a run. */
export type SweepResult = z.output<typeof resultSchema>;
export type SweepReport = JobReport<SweepRun, SweepResult>;

export interface SweepOptions {
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Where the queue and the runs' folders lie; processes with the same folder share the work. */
  readonly folder: string;
  /** How long a process may say nothing before others take its run over. */
  readonly leaseMs?: number;
  readonly onProgress?: (run: Job<SweepRun>, progress: TrainProgress) => void;
  readonly onEnd?: (report: SweepReport) => void;
}

/**
 * Trains all runs of a sweep that nobody else has trained or is training, and waits for the others. A run that was left by a
 * process goes on from its last checkpoint.
 * @throws LociError `bad-file` for a folder with another queue, `aborted`; what fails in a run is its result.
 */
export async function sweep(
  jobs: readonly Job<SweepRun>[],
  parts: Parts,
  options: SweepOptions,
): Promise<readonly SweepReport[]> {
  const { folder, signal, leaseMs = 30_000 } = options;
  await mkdir(folder, { recursive: true });
  const queue: Queue<SweepRun, SweepResult> = new SqliteQueue(join(folder, 'queue.sqlite'), {
    // What was put there was read from a configuration of this program.
    work: z.custom<SweepRun>((value) => typeof value === 'object' && value !== null && 'config' in value),
    result: resultSchema,
  });
  const owner = randomUUID();
  const wanted = new Set(jobs.map(({ id }) => id));
  try {
    await queue.add(jobs);
    for (;;) {
      signal?.throwIfAborted();
      const job = await queue.take(owner, leaseMs);
      if (job) {
        await work(job, queue, owner, parts, options, leaseMs);
        continue;
      }
      const reports = (await queue.list()).filter(({ id }) => wanted.has(id));
      if (reports.every(({ state }) => state === 'done' || state === 'failed')) return reports;
      await new Promise((wake) => setTimeout(wake, Math.min(500, leaseMs / 4)));
    }
  } catch (error) {
    if (signal?.aborted) throw new LociError('aborted', 'stopped', { cause: error });
    throw error;
  } finally {
    queue.close();
  }
}

async function work(
  job: Job<SweepRun>,
  queue: Queue<SweepRun, SweepResult>,
  owner: string,
  parts: Parts,
  { threads, signal, folder, onProgress, onEnd }: SweepOptions,
  leaseMs: number,
): Promise<void> {
  const { id } = job;
  const lost = new AbortController();
  // A timer fires between steps, which hand over to the event loop.
  const renewal = setInterval(() => {
    queue.renew(id, owner, leaseMs).then(
      (own) => own || lost.abort(),
      () => lost.abort(),
    );
  }, leaseMs / 3);
  try {
    const result = await train(job.work.config, parts, {
      ...{ threads, folder: join(folder, 'runs', id) },
      signal: AbortSignal.any([lost.signal, ...(signal ? [signal] : [])]),
      onProgress: (progress) => onProgress?.(job, progress),
    });
    const { test, steps, parameters, stateBytes, ms } = result;
    const kept = { accuracy: test.accuracy, loss: test.loss, steps, parameters, stateBytes, ms };
    if (await queue.finish(id, owner, { result: kept })) onEnd?.({ ...job, state: 'done', result: kept });
  } catch (error) {
    if (signal?.aborted) {
      await queue.release(id, owner);
      throw error;
    }
    // Somebody else goes on with it.
    if (lost.signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    if (await queue.finish(id, owner, { error: message })) onEnd?.({ ...job, state: 'failed', error: message });
  } finally {
    clearInterval(renewal);
  }
}
