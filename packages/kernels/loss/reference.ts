/** −ln softmax(logits)[target] in nats. */
export function lossReference(logits: ArrayLike<number>, target: number): number {
  const row = Float64Array.from(logits);
  const top = row.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const sum = row.reduce((total, value) => total + Math.exp(value - top), 0);
  return Math.log(sum) + top - (row[target] ?? Number.NaN);
}
