import { type Bytes8, type Command, command, floatWord } from '../command.ts';

interface Rows {
  /** Address of [rows, stride] float32. */
  readonly x: number;
  readonly stride: number;
  readonly rows: number;
  readonly columns: number;
  readonly join?: boolean;
}

interface Norm extends Rows {
  /** Address of `columns` factors. */
  readonly weight?: number;
  readonly epsilon: number;
  /** Float32 result, [rows, outStride]. */
  readonly out?: number;
  readonly outStride?: number;
  /** 8-bit result; `columns` is then a multiple of 32. */
  readonly bytes?: Bytes8;
  /** Added to the float32 result; laid out like it. */
  readonly residual?: number;
}

/** Root-mean-square norm: x / √(mean x² + ε) · weight (Zhang and Sennrich 2019, equation 4), as float32, as bytes, or both. */
export function norm({
  x,
  stride,
  rows,
  columns,
  weight,
  epsilon,
  out,
  outStride,
  bytes,
  residual,
  join,
}: Norm): Command {
  return command(
    'norm',
    [
      x,
      stride,
      rows,
      columns,
      weight ?? 0,
      floatWord(epsilon),
      out ?? 0,
      outStride ?? columns,
      bytes?.q ?? 0,
      bytes?.meta ?? 0,
      residual ?? 0,
    ],
    join,
  );
}

/** Rounds rows to 8 bits with a scale per 32 columns. */
export function quantize({ x, stride, rows, columns, join }: Rows, bytes: Bytes8): Command {
  return command('quantize', [x, stride, rows, columns, bytes.q, bytes.meta], join);
}

export interface LayerNorm {
  /** Address of float32 [rows, columns]; columns divide by 4. */
  readonly x: number;
  readonly rows: number;
  readonly columns: number;
  /** Addresses of `columns` factors and offsets. */
  readonly weight: number;
  readonly bias: number;
  readonly epsilon: number;
  /** Laid out like x, which it may be. */
  readonly out: number;
}

/** Layer norm: (x − mean) / √(variance + ε) · weight + bias (Ba et al. 2016). */
export function layerNorm({ x, rows, columns, weight, bias, epsilon, out }: LayerNorm): Command {
  return command('layerNorm', [x, rows, columns, weight, bias, floatWord(epsilon), out]);
}
