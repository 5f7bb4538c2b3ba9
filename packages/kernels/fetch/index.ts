import { type PageFormat, pageFormats } from '../append/index.ts';
import { type Command, command } from '../command.ts';

export interface Fetch {
  /** Address of the head's entry. */
  readonly head: number;
  /** Address of int32 [count]: which slots, in the order wanted. */
  readonly slots: number;
  readonly count: number;
  readonly d: number;
  readonly format: PageFormat;
  /** Addresses of float32 [count, d]. */
  readonly keys: number;
  readonly values: number;
  /** Address of int32 [count]. */
  readonly positions: number;
  readonly join?: boolean;
}

/** Reads slots of one head as float32 rows. */
export function fetch({ head, slots, count, d, format, keys, values, positions, join }: Fetch): Command {
  return command('fetch', [head, slots, count, d, pageFormats.indexOf(format), keys, values, positions], join);
}
