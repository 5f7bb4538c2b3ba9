export const featureMaps = ['none', 'silu', 'taylor'] as const;

/** What queries and keys become: themselves, x σ(x), or what has (1 + s + s²/2) as its products, s = q·k / √width. */
export type FeatureMap = (typeof featureMaps)[number];

export interface RecurShape {
  readonly heads: number;
  /** Channels of a head of queries and keys. */
  readonly width: number;
  /** Channels of a head of values; a multiple of 4. */
  readonly columns: number;
  readonly map: FeatureMap;
  /** Whether the weights of a query are divided by their sum. */
  readonly divides: boolean;
}

/** Numbers of φ of a head. */
export function featureCount(map: FeatureMap, width: number): number {
  return map === 'taylor' ? 1 + width + (width * (width + 1)) / 2 : width;
}

export function featuresOf(map: FeatureMap, x: ArrayLike<number>): number[] {
  const numbers = Array.from(x);
  if (map === 'none') return numbers;
  if (map === 'silu') return numbers.map((one) => one / (1 + Math.exp(-one)));
  const pairs = numbers.flatMap((one, a) =>
    numbers.slice(0, a + 1).map((other, b) => (one * other) / Math.sqrt((a === b ? 2 : 1) * numbers.length)),
  );
  return [1, ...numbers.map((one) => one * numbers.length ** -0.25), ...pairs];
}

export interface RecurNumbers {
  /** [n, heads · width] */
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  /** [n, heads · columns] */
  readonly v: ArrayLike<number>;
  /** [heads]; 1 does not decay. */
  readonly decays: ArrayLike<number>;
  readonly n: number;
}

/**
 * By the definition, without a state: all pairs. `size` is what the terms of each sum add up to without their signs, which
 * bounds rounding.
 */
export function recurReference(
  { heads, width, columns, map, divides }: RecurShape,
  { q, k, v, decays, n }: RecurNumbers,
): { readonly out: Float64Array; readonly size: Float64Array } {
  const out = new Float64Array(n * heads * columns);
  const size = new Float64Array(n * heads * columns);
  const row = (x: ArrayLike<number>, t: number, head: number, length: number) =>
    Array.from({ length }, (_, i) => x[(t * heads + head) * length + i] ?? Number.NaN);
  for (let head = 0; head < heads; head++) {
    const [queries, keys] = [q, k].map((x) =>
      Array.from({ length: n }, (_, t) => featuresOf(map, row(x, t, head, width))),
    );
    for (let t = 0; t < n; t++) {
      let total = 0;
      let totalSize = 0;
      const weights = Array.from({ length: t + 1 }, (_, j) => {
        const faded = (decays[head] ?? Number.NaN) ** (t - j);
        const terms = (queries?.[t] ?? []).map((x, i) => x * (keys?.[j]?.[i] ?? Number.NaN) * faded);
        const weight = terms.reduce((sum, x) => sum + x, 0);
        const weightSize = terms.reduce((sum, x) => sum + Math.abs(x), 0);
        total += weight;
        totalSize += weightSize;
        return { weight, weightSize };
      });
      for (let c = 0; c < columns; c++) {
        const at = (t * heads + head) * columns + c;
        for (const [j, { weight, weightSize }] of weights.entries()) {
          const value = v[(j * heads + head) * columns + c] ?? Number.NaN;
          out[at] = (out[at] ?? 0) + weight * value;
          size[at] = (size[at] ?? 0) + weightSize * Math.abs(value);
        }
        if (!divides) continue;
        size[at] = (size[at] ?? 0) / Math.abs(total) + (Math.abs(out[at] ?? 0) * totalSize) / total ** 2;
        out[at] = (out[at] ?? 0) / total;
      }
    }
  }
  return { out, size };
}
