/** Work that several processes share. */
export interface Job<T> {
  /** The same work has the same id, whoever adds it. */
  readonly id: string;
  readonly work: T;
}

export type JobState = 'waiting' | 'running' | 'done' | 'failed';

export interface JobReport<T, R> extends Job<T> {
  readonly state: JobState;
  readonly result?: R;
  /** Why it failed. */
  readonly error?: string;
}

/**
 * A queue with leases: a job belongs to who took it for as long as that one renews the lease; then others may take it. In one
 * file here (sqlite-queue.ts); other queues for several machines have the same face.
 */
export interface Queue<T, R> {
  /** Adds what is not there yet. */
  add(jobs: readonly Job<T>[]): Promise<void>;
  /** A job that waits, or whose lease is over; undefined when there is none now. */
  take(owner: string, leaseMs: number): Promise<Job<T> | undefined>;
  /** Whether the job still belongs to its owner, for so long from now on. */
  renew(id: string, owner: string, leaseMs: number): Promise<boolean>;
  /** Ends a job; false, and nothing happens, when it belongs to somebody else by now. */
  finish(id: string, owner: string, end: { readonly result: R } | { readonly error: string }): Promise<boolean>;
  /** Gives a job back unfinished. */
  release(id: string, owner: string): Promise<void>;
  /** All jobs in the order in which they were added. */
  list(): Promise<readonly JobReport<T, R>[]>;
  close(): void;
}
