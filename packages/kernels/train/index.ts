/** Commands of the kernels that train models (the modules `train-relaxed` and `train-plain`), over float32 arrays. */
import { type Command, floatWord } from '../command.ts';

const opcodes = {
  matmul: 1,
  map: 2,
  total: 3,
  cumulate: 4,
  softmax: 5,
  softmaxGradient: 6,
  norm: 7,
  normGradient: 8,
  gather: 9,
  scatter: 10,
  crossEntropy: 11,
  crossEntropyGradient: 12,
  convolve: 13,
  convolveFilterGradient: 14,
  squares: 15,
  adamW: 16,
} as const;

/** Functions of `map`; those of the last group are derivatives times y, of the value (tanh, sigmoid) or of the argument. */
export const mapFunctions = {
  copy: 0,
  affine: 1,
  exp: 2,
  log: 3,
  tanh: 4,
  sigmoid: 5,
  silu: 6,
  gelu: 7,
  relu: 8,
  square: 9,
  sqrt: 10,
  reciprocal: 11,
  add: 16,
  sub: 17,
  mul: 18,
  div: 19,
  tanhGradient: 24,
  sigmoidGradient: 25,
  siluGradient: 26,
  geluGradient: 27,
  reluGradient: 28,
} as const;

export type MapFunction = keyof typeof mapFunctions;

function trainCommand(kernel: keyof typeof opcodes, words: readonly number[]): Command {
  return { opcode: opcodes[kernel], words, join: true };
}

/** A float32 matrix in memory; distances in floats. */
export interface Matrix {
  readonly address: number;
  readonly row: number;
  readonly column: number;
  /** Distances between matrices of the outer and of the inner batch. */
  readonly batch: readonly [number, number];
}

export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: readonly [number, number];
  readonly a: Matrix;
  readonly b: Matrix;
  /** Its columns lie side by side. */
  readonly c: Omit<Matrix, 'column'>;
  /** Whether the product is added to what c holds. */
  readonly adds?: boolean;
}

/** Rows that a thread takes at a time: enough that packing a panel of B costs little, few enough that all threads have work. */
const rowsAtOnce = 256;

export function product({ m, n, k, batch, a, b, c, adds = false }: Product): Command {
  return trainCommand('matmul', [
    ...[a.address, b.address, c.address, m, n, k, a.row, a.column, b.row, b.column, c.row, adds ? 1 : 0],
    // Rows of A that lie side by side are packed, for several panels at once; see the notebook.
    ...[a.column === 1 ? rowsAtOnce : 128, 1, ...batch, ...a.batch, ...b.batch, ...c.batch],
  ]);
}

export interface Strided {
  readonly address: number;
  readonly strides: readonly number[];
}

/** out = f(x, y) for up to four dimensions; `numbers` are those of `affine`: x · first + second. */
export function map(
  f: MapFunction,
  sizes: readonly number[],
  x: Strided,
  y: Strided | undefined,
  out: Strided,
  numbers: readonly [number, number] = [0, 0],
): Command {
  const four = (values: readonly number[], fill: number) => [...Array(4 - values.length).fill(fill), ...values];
  return trainCommand('map', [
    ...[mapFunctions[f], ...numbers.map(floatWord), x.address, (y ?? x).address, out.address, ...four(sizes, 1)],
    ...[x, y ?? x, out].flatMap(({ strides }) => four(strides, 0)),
  ]);
}

/** out[o, i] = factor · Σ x[o, …, i]. */
export function total(
  x: number,
  out: number,
  [outer, length, inner]: readonly [number, number, number],
  factor = 1,
): Command {
  return trainCommand('total', [x, out, outer, length, inner, floatWord(factor)]);
}

export function cumulate(x: number, out: number, sizes: readonly [number, number, number], reverse: boolean): Command {
  return trainCommand('cumulate', [x, out, ...sizes, reverse ? 1 : 0]);
}

export interface SoftmaxShape {
  readonly rows: number;
  readonly queries: number;
  readonly keys: number;
  readonly factor: number;
  readonly causal: boolean;
  /** Keys that a query sees, its own included; 0 is all. */
  readonly window: number;
}

export function softmax(x: number, out: number, shape: SoftmaxShape): Command {
  const { rows, queries, keys, factor, causal, window } = shape;
  return trainCommand('softmax', [x, out, rows, queries, keys, floatWord(factor), causal ? 1 : 0, window]);
}

export function softmaxGradient(
  y: number,
  dy: number,
  out: number,
  { rows, keys, factor }: Pick<SoftmaxShape, 'rows' | 'keys' | 'factor'>,
): Command {
  return trainCommand('softmaxGradient', [y, dy, out, rows, keys, floatWord(factor)]);
}

export interface NormShape {
  readonly rows: number;
  readonly columns: number;
  readonly epsilon: number;
  readonly centred: boolean;
}

export function norm(x: number, out: number, { rows, columns, epsilon, centred }: NormShape): Command {
  return trainCommand('norm', [x, out, rows, columns, floatWord(epsilon), centred ? 1 : 0]);
}

export function normGradient(x: number, dy: number, out: number, shape: NormShape): Command {
  const { rows, columns, epsilon, centred } = shape;
  return trainCommand('normGradient', [x, dy, out, rows, columns, floatWord(epsilon), centred ? 1 : 0]);
}

export function gather(table: number, ids: number, out: number, count: number, columns: number): Command {
  return trainCommand('gather', [table, ids, out, count, columns]);
}

export function scatter(x: number, ids: number, out: number, count: number, columns: number, rows: number): Command {
  return trainCommand('scatter', [x, ids, out, count, columns, rows]);
}

export function crossEntropy(logits: number, labels: number, out: number, rows: number, columns: number): Command {
  return trainCommand('crossEntropy', [logits, labels, out, rows, columns]);
}

export function crossEntropyGradient(
  [logits, labels, dy]: readonly [number, number, number],
  out: number,
  rows: number,
  columns: number,
): Command {
  return trainCommand('crossEntropyGradient', [logits, labels, dy, out, rows, columns]);
}

export interface ConvolutionShape {
  readonly batch: number;
  readonly n: number;
  readonly channels: number;
  readonly taps: number;
}

export function convolve(x: number, filter: number, out: number, shape: ConvolutionShape, ahead: boolean): Command {
  const { batch, n, channels, taps } = shape;
  return trainCommand('convolve', [x, filter, out, batch, n, channels, taps, ahead ? 1 : 0]);
}

export function convolveFilterGradient(x: number, dy: number, out: number, shape: ConvolutionShape): Command {
  const { batch, n, channels, taps } = shape;
  return trainCommand('convolveFilterGradient', [x, dy, out, batch, n, channels, taps]);
}

/** Numbers whose squares are summed together; `adamW` wants as many sums as there are pieces. */
export const pieceLength = 4096;
/** Floats of `numbers` of `adamW`: rate, β₁, β₂, ε, two corrections, decay, factor and length of the gradient, length found. */
export const adamNumbers = 10;

export interface Adam {
  readonly parameters: number;
  readonly gradient: number;
  readonly first: number;
  readonly second: number;
  /** A multiple of 4. */
  readonly count: number;
  /** How many of them decay, from the first on; a multiple of 4. */
  readonly decays: number;
  /** Room for a float per piece. */
  readonly partial: number;
  readonly numbers: number;
}

export function adamW(adam: Adam): readonly Command[] {
  const { parameters, gradient, first, second, count, decays, partial, numbers } = adam;
  return [
    trainCommand('squares', [gradient, partial, count]),
    trainCommand('adamW', [parameters, gradient, first, second, count, decays, partial, numbers]),
  ];
}

/** Bytes of scratch memory per thread, when no row of a softmax has more than `columns` columns. */
export function trainScratch(columns: number): number {
  const tile = 256;
  const panel = 16384;
  const packedRows = rowsAtOnce * 256 * 4;
  return Math.max(tile + panel + packedRows, 4 * columns + 64);
}
