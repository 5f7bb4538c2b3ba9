/**
 * The control block: one cache line per word, near the start of device memory (below it lie the kernels' tables of
 * numbers). `kernels/assembly/walk.ts` knows the same offsets. All are int32.
 */
export const control = {
  address: 1024,
  bytes: 1024,
  /** Raised by one for every run: workers wait for it to change. */
  generation: 0,
  arrived: 64,
  phase: 128,
  sleepers: 192,
  /** Not 0 tells the workers to leave the program at the next barrier. */
  stop: 256,
  /** Workers that have finished the run. */
  done: 320,
  /** Address of the program. */
  program: 384,
  /** Workers whose kernel trapped in this run. */
  trapped: 448,
  /** Address of the threads' scratch memory, and how much of it each has. */
  scratch: 512,
  scratchBytes: 576,
} as const;

export const stop = { go: 0, abort: 1, failed: 2, quit: 3 } as const;

/** Index into an Int32Array over all of device memory. */
export function word(offset: number): number {
  return (control.address + offset) >> 2;
}
