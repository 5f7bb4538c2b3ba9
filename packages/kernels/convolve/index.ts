import { type Command, command, type StridedRows } from '../command.ts';

export interface Convolve {
  /** [n, channels]; channels divide by 4. */
  readonly x: StridedRows;
  readonly n: number;
  readonly channels: number;
  /** Address of float32 [taps, channels], the newest row's first. */
  readonly filter: number;
  readonly taps: number;
  /** Addresses of the taps − 1 rows before, float32 [taps − 1, channels], and of where those behind go; they do not overlap. */
  readonly from: number;
  readonly to: number;
  /** Address of float32 [n, channels]. */
  readonly out: number;
  readonly join?: boolean;
}

/** Causal convolution per channel, out[t] = Σ filter[j] x[t − j], of further rows of a sequence. */
export function convolve({ x, n, channels, filter, taps, from, to, out, join }: Convolve): Command {
  return command('convolve', [x.address, x.stride, n, channels, filter, taps, from, to, out], join);
}
