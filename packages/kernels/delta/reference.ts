import type { RecurNumbers, RecurShape } from '../recur/reference.ts';

export type DeltaShape = Pick<RecurShape, 'heads' | 'width' | 'columns'>;

export interface DeltaNumbers extends Omit<RecurNumbers, 'decays'> {
  /** [n, heads] */
  readonly beta: ArrayLike<number>;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** By the definition: what is read [n, heads · columns], and the state at the end [heads, width, columns]. */
export function deltaReference(
  { heads, width, columns }: DeltaShape,
  { q, k, v, beta, n }: DeltaNumbers,
): { readonly out: Float64Array; readonly state: Float64Array } {
  const out = new Float64Array(n * heads * columns);
  const state = new Float64Array(heads * width * columns);
  const direction = (x: ArrayLike<number>, at: number) => {
    const y = Array.from({ length: width }, (_, i) => x[at + i] ?? Number.NaN).map((one) => one * sigmoid(one));
    const length = Math.sqrt(y.reduce((sum, one) => sum + one ** 2, 1e-6));
    return y.map((one) => one / length);
  };
  for (let row = 0; row < n * heads; row++) {
    const [key, query] = [direction(k, row * width), direction(q, row * width)];
    for (let c = 0; c < columns; c++) {
      const cell = (i: number) => ((row % heads) * width + i) * columns + c;
      const read = (by: readonly number[]) => by.reduce((sum, one, i) => sum + one * (state[cell(i)] ?? Number.NaN), 0);
      const change = sigmoid(beta[row] ?? Number.NaN) * ((v[row * columns + c] ?? Number.NaN) - read(key));
      for (const [i, one] of key.entries()) state[cell(i)] = (state[cell(i)] ?? Number.NaN) + one * change;
      out[row * columns + c] = read(query);
    }
  }
  return { out, state };
}
