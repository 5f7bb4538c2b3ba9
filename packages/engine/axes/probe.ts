import type { Hook } from './hook.ts';
import type { Host, Method } from './method.ts';

/** Reads what passes and changes nothing. */
export interface Probe extends Method {
  readonly axis: 'probe';
  open(host: Host): Probing;
}

/** At work on one session and its forks. */
export interface Probing extends Hook {
  /** What it has found so far: JSON, for `--inspect`. */
  result(): unknown;
  close(): void;
}
