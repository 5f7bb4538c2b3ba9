import { dot } from '../keeping/dot.ts';
/** A slot of a head and what is added to its score. */
export interface BiasedSlot {
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  readonly bias: number;
}

/** Attention of one query in float64: softmax(scale · q·k + bias) over the slots. */
export function biasedAttention(query: ArrayLike<number>, slots: readonly BiasedSlot[], scale: number): Float64Array {
  const scores = slots.map(({ key, bias }) => scale * dot(query, key) + bias);
  const top = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - top));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const out = new Float64Array(slots[0]?.value.length ?? 0);
  for (const [i, { value }] of slots.entries()) {
    for (let c = 0; c < out.length; c++) out[c] = (out[c] ?? 0) + ((weights[i] ?? 0) * (value[c] ?? 0)) / sum;
  }
  return out;
}

/** The slot that stands for others (equation 6 of the paper): mean key, mean value, ln of how many they are. */
export function compensation(dropped: readonly BiasedSlot[]): BiasedSlot {
  const mean = (rows: readonly ArrayLike<number>[]) =>
    Float64Array.from({ length: rows[0]?.length ?? 0 }, (_, c) =>
      rows.reduce((sum, row) => sum + (row[c] ?? 0) / rows.length, 0),
    );
  return {
    key: mean(dropped.map(({ key }) => key)),
    value: mean(dropped.map(({ value }) => value)),
    bias: Math.log(dropped.length),
  };
}
