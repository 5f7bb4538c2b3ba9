import type { Model } from 'loci';
import type { Json } from '../results/store.ts';

/** A paper as the table of results shows it. */
export interface Paper {
  /** Name of its folder. */
  readonly slug: string;
  readonly title: string;
  readonly authors: string;
  readonly year: number;
  readonly url: string;
  readonly claims: readonly Claim[];
}

/** Something that must show, as a program. */
export interface Claim {
  /** Number of the item in the paper's list, with a letter where an item has parts: 3, 4b. */
  readonly id: string;
  /** In a sentence, with the numbers that decide. */
  readonly claimed: string;
  run(workbench: Workbench): Promise<Finding>;
}

export interface Finding {
  readonly measured: Json;
  /** Worked out from what was measured. */
  readonly holds: boolean;
  /** What was found out where it does not hold, or what the reader must know. */
  readonly note?: string;
}

/** What a claim runs on. */
export interface Workbench {
  /** `quick`: all claims of a paper take minutes; `full`: as long as it takes. */
  readonly scale: 'quick' | 'full';
  readonly signal: AbortSignal;
  /** The model that the results are about, loaded once. */
  model(): Promise<Model>;
  /** What is being done, and how much of it is done (0 … 1). @throws LociError `aborted` when the run is to stop. */
  progress(what: string, share?: number): void;
  /**
   * The result of a piece of work, kept under its name: a run that was interrupted goes on behind it. Pieces may be made of
   * pieces. @throws LociError `aborted` when the run is to stop.
   */
  once<T extends Json>(name: string, work: () => Promise<T>): Promise<T>;
}
