import type { CapturedLayer } from '../keeping/captured.ts';
import { dot } from '../keeping/dot.ts';

/** What a head's query gets from attention over everything, and over what a window keeps, in float64. */
export interface Compensated {
  /** ‖o − o_dense‖ / ‖o_dense‖ with the mean of what was dropped, with it as one plain token, and with nothing in its place. */
  readonly mean: number;
  readonly plain: number;
  readonly none: number;
  /** N exp(q·k̂) over Σ exp(q·k) of the dropped keys: never above 1, since exp is convex. */
  readonly share: number;
}

/** Compares for one query head and one captured row, dropping the slots [from, to) of those before the row's own. */
export function compensated(
  layer: CapturedLayer,
  kvHead: number,
  query: Float32Array,
  length: number,
  [from, to]: readonly [number, number],
): Compensated {
  const d = query.length;
  const keys = layer.keys[kvHead] ?? new Float32Array();
  const values = layer.values[kvHead] ?? new Float32Array();
  const row = (rows: Float32Array, slot: number) => rows.subarray(slot * d, (slot + 1) * d);
  const scores = Float64Array.from({ length }, (_, slot) => dot(query, row(keys, slot)) / Math.sqrt(d));
  const [meanKey, meanValue] = [meanOf(keys, d, from, to), meanOf(values, d, from, to)];
  const meanScore = dot(query, meanKey) / Math.sqrt(d);
  const top = Math.max(...scores, meanScore);
  const kept = { sum: 0, out: new Float64Array(d) };
  const dropped = { sum: 0, out: new Float64Array(d) };
  for (let slot = 0; slot < length; slot++) {
    const part = slot >= from && slot < to ? dropped : kept;
    add(part, Math.exp((scores[slot] ?? 0) - top), row(values, slot));
  }
  const dense = joined(kept, dropped.sum, dropped.out);
  const error = (weight: number) => {
    const out = joined(
      kept,
      weight,
      meanValue.map((value) => value * weight),
    );
    return Math.hypot(...out.map((value, c) => value - (dense[c] ?? 0))) / Math.hypot(...dense);
  };
  const one = Math.exp(meanScore - top);
  return {
    ...{ mean: error(one * (to - from)), plain: error(one), none: error(0) },
    share: (one * (to - from)) / dropped.sum,
  };
}

interface Part {
  sum: number;
  readonly out: Float64Array;
}

function add(part: Part, weight: number, value: Float32Array): void {
  part.sum += weight;
  for (let c = 0; c < value.length; c++) part.out[c] = (part.out[c] ?? 0) + weight * (value[c] ?? 0);
}

function joined(kept: Part, sum: number, out: Float64Array): Float64Array {
  return kept.out.map((value, c) => (value + (out[c] ?? 0)) / (kept.sum + sum));
}

function meanOf(rows: Float32Array, d: number, from: number, to: number): Float64Array {
  const mean = new Float64Array(d);
  for (let slot = from; slot < to; slot++) {
    for (let c = 0; c < d; c++) mean[c] = (mean[c] ?? 0) + (rows[slot * d + c] ?? 0) / (to - from);
  }
  return mean;
}
