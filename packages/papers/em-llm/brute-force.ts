import type { Architecture } from 'loci';
import { dot } from '../keeping/dot.ts';
import type { PassedLayer } from '../keeping/passing.ts';

type Shape = Pick<Architecture, 'heads' | 'kvHeads' | 'headSize' | 'rotated' | 'pairs' | 'attentionScale'>;

/** A head [d] turned to where it would stand so many positions further on (Su et al. 2021, equation 15). */
export function turned(
  head: ArrayLike<number>,
  by: number,
  frequencies: ArrayLike<number>,
  { rotated, pairs }: Pick<Shape, 'rotated' | 'pairs'>,
): Float64Array {
  const out = Float64Array.from(head);
  for (let i = 0; i < rotated / 2; i++) {
    const [a, b] = pairs === 'neighbours' ? [2 * i, 2 * i + 1] : [i, i + rotated / 2];
    const angle = by * (frequencies[i] ?? 0);
    const [x, y] = [head[a] ?? 0, head[b] ?? 0];
    out[a] = x * Math.cos(angle) - y * Math.sin(angle);
    out[b] = x * Math.sin(angle) + y * Math.cos(angle);
  }
  return out;
}

/**
 * Attention of every row of a layer over all keys before it, in float64, by the definition: a key that is `local` or more
 * behind is shown at a distance of local − 1. Returns the largest difference to what the layer computed.
 */
export function gapToBruteForce(
  layer: PassedLayer,
  frequencies: ArrayLike<number>,
  local: number,
  arch: Shape,
): number {
  const { heads: h, kvHeads: g, headSize: d, attentionScale } = arch;
  let gap = 0;
  for (let head = 0; head < h; head++) {
    const from = Math.floor((head * g) / h) * d;
    const keys = layer.keys.map((row) => row.subarray(from, from + d));
    const still = keys.map((key, position) => turned(key, -position, frequencies, arch));
    for (const [row, all] of layer.queries.entries()) {
      const query = all.subarray(head * d, (head + 1) * d);
      const far = turned(query, local - 1 - row, frequencies, arch);
      const scores = Array.from({ length: row + 1 }, (_, key) => {
        const isNear = row - key < local;
        return attentionScale * dot(isNear ? query : far, (isNear ? keys : still)[key] ?? []);
      });
      const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
      const weights = scores.map((score) => Math.exp(score - top));
      const sum = weights.reduce((total, weight) => total + weight, 0);
      for (let c = 0; c < d; c++) {
        const exact = weights.reduce((total, w, key) => total + (w * (layer.values[key]?.[from + c] ?? 0)) / sum, 0);
        gap = Math.max(gap, Math.abs(exact - (layer.attended[row]?.[head * d + c] ?? Number.NaN)));
      }
    }
  }
  return gap;
}
