import { type Command, command } from '../command.ts';

/** Which two channels are turned together: (2j, 2j + 1), or (j, j + r/2). */
export type RopePairs = 'neighbours' | 'halves';

interface Rope {
  /** Address of [n, heads, d], changed in place. */
  readonly x: number;
  readonly n: number;
  readonly heads: number;
  readonly d: number;
  /** Channels that are rotated, even and at most d. */
  readonly rotated: number;
  /** Addresses of [n, rotated / 2]. */
  readonly cos: number;
  readonly sin: number;
  readonly pairs: RopePairs;
  readonly join?: boolean;
}

/** Fills tables [positions, frequencies] for `rope`: cosines and sines of position · frequency, times a factor. */
export function ropeTables(
  cos: Float32Array,
  sin: Float32Array,
  positions: Int32Array,
  frequencies: ArrayLike<number>,
  factor = 1,
): void {
  for (const [row, position] of positions.entries()) {
    for (let pair = 0; pair < frequencies.length; pair++) {
      const angle = position * (frequencies[pair] ?? 0);
      cos[row * frequencies.length + pair] = Math.cos(angle) * factor;
      sin[row * frequencies.length + pair] = Math.sin(angle) * factor;
    }
  }
}

/** Rotary position embedding (Su et al. 2021, equation 15) from tables that the host computed for these rows. */
export function rope({ x, n, heads, d, rotated, cos, sin, pairs, join }: Rope): Command {
  return command('rope', [x, n, heads, d, rotated, cos, sin, pairs === 'neighbours' ? 1 : 0], join);
}
