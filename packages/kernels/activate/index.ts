import { type Bytes8, type Command, command } from '../command.ts';

export type Activation = 'silu' | 'gelu';

interface Activate {
  /** Addresses of float32 [n, stride]; without `up` the activation alone is taken. */
  readonly gate: number;
  readonly up?: number;
  readonly stride: number;
  readonly n: number;
  readonly columns: number;
  readonly activation: Activation;
  /** Float32 result [n, columns]. */
  readonly out?: number;
  /** 8-bit result; `columns` is then a multiple of 32. */
  readonly bytes?: Bytes8;
}

/** act(gate) · up (Shazeer 2020, GLU variants), or act(gate), as float32, as bytes, or both. `columns` is a multiple of 4. */
export function activate({ gate, up, stride, n, columns, activation, out, bytes }: Activate): Command {
  const kind = activation === 'silu' ? 0 : 1;
  return command('activate', [gate, up ?? 0, stride, n, columns, kind, out ?? 0, bytes?.q ?? 0, bytes?.meta ?? 0]);
}
