import type { Hook } from './hook.ts';
import type { Host, Method } from './method.ts';

/** Changes what passes: factors of heads' outputs, and the like. */
export interface Steer extends Method {
  readonly axis: 'steer';
  open(host: Host): Steering;
}

/** At work on any number of sequences. */
export interface Steering extends Hook {
  close(): void;
}
