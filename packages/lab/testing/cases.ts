import type { Tensor } from '../arrays/index.ts';
import * as f from '../arrays/index.ts';

/** An expression over float parameters a, b, … for tests of values and derivatives; `ids` are whole numbers below `below`. */
export interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  /** Numbers are drawn from [least, 2); by default from (−2, 2). */
  readonly least?: number;
  readonly ids?: { readonly shape: readonly number[]; readonly below: number; readonly least?: number };
  build(...tensors: readonly [Tensor, Tensor, Tensor]): Tensor;
}

const { exp, log, tanh, sigmoid, silu, gelu, relu, square, sqrt, reciprocal } = f;
const shape = (...sizes: readonly number[]) => sizes;

/** Odd sizes throughout: tiles, vectors and panels all have something left over. */
export const cases: readonly Case[] = [
  { name: 'add', shapes: [shape(3, 5, 7), shape(5, 1)], build: (a, b) => f.add(a, b) },
  { name: 'sub, one axis missing', shapes: [shape(7), shape(3, 7)], build: (a, b) => f.sub(a, b) },
  {
    name: 'mul of a permuted array',
    shapes: [shape(3, 5, 2), shape(2, 3, 5)],
    build: (a, b) => f.mul(f.permute(a, [2, 0, 1]), b),
  },
  {
    name: 'mul of five axes that do not join',
    shapes: [shape(2, 3, 2, 3, 2), shape(2, 3, 2, 3, 2)],
    build: (a, b) => f.mul(f.permute(a, [4, 3, 2, 1, 0]), b),
  },
  { name: 'div', shapes: [shape(3, 4), shape(3, 4)], least: 0.5, build: (a, b) => f.div(a, b) },
  { name: 'mul of something by itself', shapes: [shape(3000)], build: (a) => f.mul(a, a) },
  { name: 'affine', shapes: [shape(9)], build: (a) => f.affine(a, -1.5, 0.25) },
  ...Object.entries({ exp, tanh, sigmoid, silu, gelu, relu, square }).map(([name, of]) => ({
    name,
    shapes: [shape(7, 11)],
    build: (a: Tensor) => of(a),
  })),
  ...Object.entries({ log, sqrt, reciprocal }).map(([name, of]) => ({
    name,
    shapes: [shape(1030)],
    least: 0.5,
    build: (a: Tensor) => of(a),
  })),
  { name: 'matmul', shapes: [shape(5, 7), shape(7, 19)], build: (a, b) => f.matmul(a, b) },
  { name: 'matmul, one row', shapes: [shape(1, 33), shape(33, 16)], build: (a, b) => f.matmul(a, b) },
  {
    name: 'matmul over more than registers add up',
    shapes: [shape(6, 301), shape(301, 17)],
    build: (a, b) => f.matmul(a, b),
  },
  { name: 'matmul of many rows', shapes: [shape(131, 9), shape(9, 33)], build: (a, b) => f.matmul(a, b) },
  {
    name: 'matmul of transposed',
    shapes: [shape(7, 5), shape(18, 7)],
    build: (a, b) => f.matmul(f.transpose(a), f.transpose(b)),
  },
  { name: 'matmul in batches', shapes: [shape(2, 3, 5, 7), shape(2, 3, 7, 4)], build: (a, b) => f.matmul(a, b) },
  { name: 'matmul by one matrix for all', shapes: [shape(2, 3, 5), shape(5, 7)], build: (a, b) => f.matmul(a, b) },
  {
    name: 'matmul of heads',
    shapes: [shape(2, 5, 12), shape(2, 5, 12)],
    build: (a, b) => {
      const heads = (x: Tensor) => f.permute(f.reshape(x, [2, 5, 3, 4]), [0, 2, 1, 3]);
      return f.reshape(
        f.permute(f.matmul(f.matmul(heads(a), f.transpose(heads(b))), heads(b)), [0, 2, 1, 3]),
        [2, 5, 12],
      );
    },
  },
  {
    name: 'matmul of a repeated matrix',
    shapes: [shape(3, 4, 5), shape(1, 5, 6)],
    build: (a, b) => f.matmul(a, f.broadcast(b, [3, 5, 6])),
  },
  {
    name: 'matmul of a sum over nothing',
    shapes: [shape(3, 0), shape(0, 5), shape(3, 5)],
    build: (a, b, c) => f.add(f.matmul(a, b), c),
  },
  { name: 'sum of the last axis', shapes: [shape(3, 21)], build: (a) => f.sum(a, -1) },
  { name: 'sum of the first axis', shapes: [shape(5, 3, 7)], build: (a) => f.sum(a, 0) },
  { name: 'mean of a permuted array', shapes: [shape(5, 37)], build: (a) => f.mean(f.transpose(a), 1) },
  { name: 'cumsum', shapes: [shape(2, 5, 19)], build: (a) => f.cumsum(a, 1) },
  { name: 'cumsum from the end', shapes: [shape(2, 9)], build: (a) => f.cumsum(a, -1, true) },
  { name: 'softmax', shapes: [shape(3, 5, 7)], build: (a) => f.softmax(a, { scale: 1.7 }) },
  { name: 'softmax, causal', shapes: [shape(2, 9, 9)], build: (a) => f.softmax(a, { scale: 0.5, causal: true }) },
  {
    name: 'softmax, causal, fewer queries than keys',
    shapes: [shape(2, 3, 9)],
    build: (a) => f.softmax(a, { causal: true }),
  },
  {
    name: 'softmax over a window',
    shapes: [shape(2, 11, 11)],
    build: (a) => f.softmax(a, { causal: true, window: 3 }),
  },
  { name: 'layer norm', shapes: [shape(5, 13)], build: (a) => f.layerNorm(a) },
  { name: 'root-mean-square norm', shapes: [shape(3, 2, 9)], build: (a) => f.rmsNorm(a) },
  { name: 'gather', shapes: [shape(5, 19)], ids: { shape: [3, 4], below: 5 }, build: (a, ids) => f.gather(a, ids) },
  {
    name: 'cross entropy, some rows without a label',
    shapes: [shape(6, 7)],
    ids: { shape: [6], below: 7, least: -2 },
    build: (a, ids) => f.crossEntropy(a, ids),
  },
  { name: 'convolve', shapes: [shape(2, 9, 20), shape(3, 20)], build: (a, b) => f.convolve(a, b) },
  {
    name: 'convolve, longer than the sequence',
    shapes: [shape(2, 5, 4), shape(8, 4)],
    build: (a, b) => f.convolve(a, b),
  },
  {
    name: 'slice and concat',
    shapes: [shape(3, 8), shape(3, 5)],
    build: (a, b) => f.concat([f.slice(a, 1, 5, 8), b, f.slice(a, 1, 0, 5)], 1),
  },
  { name: 'pad', shapes: [shape(2, 3)], build: (a) => f.pad(a, [4, 5], [1, 2]) },
  {
    name: 'reshape of a permuted array',
    shapes: [shape(4, 3, 2)],
    build: (a) => f.reshape(f.permute(a, [1, 0, 2]), [6, 4]),
  },
  {
    name: 'reshape that splits a permuted axis',
    shapes: [shape(4, 6)],
    build: (a) => f.mul(f.reshape(f.transpose(a), [2, 3, 4]), f.constant([4], [1, 2, 3, 4])),
  },
  {
    name: 'something used three times',
    shapes: [shape(4, 4)],
    build: (a) => f.add(f.mul(a, f.exp(a)), f.matmul(a, a)),
  },
];
