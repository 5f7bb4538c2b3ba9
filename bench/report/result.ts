import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '@loci/evaluate/machine';
import type { Outcome } from '../outcome.ts';

/** In the order in which `all` runs them and the report shows them. */
export const suiteNames = [
  'lengths',
  'stores',
  'sampled',
  'kept',
  'sparse',
  'freed',
  'cold',
  'memory',
  'threads',
  'batch',
  'line',
  'plain',
  'large',
  'roofline',
] as const;
export type SuiteName = (typeof suiteNames)[number];

/** The outcome of one suite as it is kept in a file. */
export interface Result extends Outcome {
  readonly suite: SuiteName;
  readonly title: string;
  readonly date: string;
  readonly revision: string;
  readonly machine: Machine;
  readonly threads: number;
  readonly repeats: number;
  /** Processors that other programs kept busy when the suite began. */
  readonly busyProcessors: number;
}

/** The results that lie in a folder, in the order of the suites. */
export function readResults(folder: string): readonly Result[] {
  return suiteNames.flatMap((suite) => {
    const file = join(folder, `${suite}.json`);
    if (!existsSync(file)) return [];
    const result: Result = JSON.parse(readFileSync(file, 'utf8'));
    return [result];
  });
}
