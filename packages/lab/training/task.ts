import { Random } from '@loci/evaluate/random';
import type { Batch, BatchShape } from './learner.ts';

/** `validation` is for decisions during training, `test` for the figure that is reported. */
export type Split = 'train' | 'validation' | 'test';

export interface Example {
  readonly ids: Int32Array;
  /** Positions that are asked about, ascending, and what is to follow each. */
  readonly positions: Int32Array;
  readonly labels: Int32Array;
}

/** Where examples come from. The same number gives the same example, whoever asks and when. */
export interface TrainingTask {
  readonly name: string;
  readonly vocabulary: number;
  /** What ids are: the bytes of a text, or nothing but numbers. */
  readonly tokens: 'bytes' | 'ids';
  /** Tokens of every example. */
  readonly length: number;
  /** The most labels of an example. */
  readonly labelled: number;
  size(split: Split): number;
  example(split: Split, index: number): Example;
}

export function batchShape({ length, labelled }: TrainingTask, batch: number): BatchShape {
  return { batch, n: length, labelled: batch * labelled };
}

/** The examples side by side; fewer than `batch` are filled up with empty ones. */
export function batchOf(examples: readonly Example[], { batch, n }: BatchShape): Batch {
  const ids = new Int32Array(batch * n);
  for (const [i, example] of examples.entries()) ids.set(example.ids, i * n);
  return {
    ids,
    rows: Int32Array.from(examples.flatMap(({ positions }, i) => Array.from(positions, (at) => i * n + at))),
    labels: Int32Array.from(examples.flatMap(({ labels }) => Array.from(labels))),
  };
}

/** The order in which training sees its examples: every epoch all of them, each in an order of its own. */
export class Order {
  readonly #size: number;
  readonly #seed: number;
  #epoch = -1;
  #order: readonly number[] = [];

  constructor(size: number, seed: number) {
    this.#size = size;
    this.#seed = seed;
  }

  /** Which example is the n-th that training sees, counted from 0. */
  at(n: number): number {
    const epoch = Math.floor(n / this.#size);
    if (epoch !== this.#epoch) {
      this.#order = new Random(`order ${this.#seed} ${epoch}`).shuffled([...Array(this.#size).keys()]);
      this.#epoch = epoch;
    }
    return this.#order[n % this.#size] ?? 0;
  }
}
