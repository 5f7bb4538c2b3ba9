import type { Random } from '@loci/evaluate/random';

/** One head of a layer whose scores fall by `slope` per token of distance; matrices [width, d], row by row. */
export interface AlibiHead {
  readonly query: Float64Array;
  readonly key: Float64Array;
  readonly slope: number;
}

export interface AlibiLayer {
  readonly width: number;
  readonly d: number;
  /** Of the norm before it: scale and shift. */
  readonly gamma: Float64Array;
  readonly shift: Float64Array;
  readonly heads: readonly AlibiHead[];
}

/**
 * Tokens after which no weight of a head can exceed epsilon, from the weights alone. With |x| ≤ R for every normed input,
 * |q·k| / √d ≤ ‖Wq Wkᵀ‖ R² / √d = S, and weight(m → n) ≤ exp(score(m, n) − score(m, m)) ≤ exp(2 S − slope (m − n)).
 */
export function alibiReach({ width, d, gamma, shift }: AlibiLayer, head: AlibiHead, epsilon: number): number {
  const radius = Math.max(...gamma.map(Math.abs)) * Math.sqrt(width) + Math.hypot(...shift);
  const most = (normOfProduct(head.query, head.key, width, d) * radius ** 2) / Math.sqrt(d);
  return (2 * most - Math.log(epsilon)) / head.slope;
}

/**
 * ‖A Bᵀ‖₂ from above, to 3 %: the largest eigenvalue of a matrix M of d × d that has those of (A Bᵀ)(A Bᵀ)ᵀ is at most
 * trace(M^128)^(1/128), and no less than that over d^(1/128).
 */
function normOfProduct(a: Float64Array, b: Float64Array, width: number, d: number): number {
  // (A Bᵀ)(A Bᵀ)ᵀ = A (BᵀB) Aᵀ has the eigenvalues of (AᵀA)(BᵀB).
  let power = multiply(gram(a, width, d), gram(b, width, d), d);
  let log = 0;
  const squarings = 7;
  for (let i = 0; i < squarings; i++) {
    const size = Math.hypot(...power);
    if (size === 0) return 0;
    power = power.map((value) => value / size);
    log += Math.log(size) / 2 ** i;
    power = multiply(power, power, d);
  }
  let trace = 0;
  for (let i = 0; i < d; i++) trace += power[i * d + i] ?? 0;
  return Math.exp((log + Math.log(trace) / 2 ** squarings) / 2);
}

function gram(a: Float64Array, width: number, d: number): Float64Array {
  return Float64Array.from({ length: d * d }, (_, at) => {
    let sum = 0;
    for (let r = 0; r < width; r++) sum += (a[r * d + Math.floor(at / d)] ?? 0) * (a[r * d + (at % d)] ?? 0);
    return sum;
  });
}

function multiply(a: Float64Array, b: Float64Array, d: number): Float64Array {
  return Float64Array.from({ length: d * d }, (_, at) => {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += (a[Math.floor(at / d) * d + i] ?? 0) * (b[i * d + (at % d)] ?? 0);
    return sum;
  });
}

/** The largest weight of a head on any key farther away than `reach`, over a text of normed inputs [n, width]. */
export function weightBeyond({ width, d }: AlibiLayer, head: AlibiHead, inputs: Float64Array, reach: number): number {
  const n = inputs.length / width;
  const project = (matrix: Float64Array) =>
    Float64Array.from({ length: n * d }, (_, at) => {
      let sum = 0;
      for (let r = 0; r < width; r++) {
        sum += (inputs[Math.floor(at / d) * width + r] ?? 0) * (matrix[r * d + (at % d)] ?? 0);
      }
      return sum;
    });
  const [queries, keys] = [project(head.query), project(head.key)];
  let most = 0;
  for (let m = 0; m < n; m++) {
    const scores = Float64Array.from({ length: m + 1 }, (_, at) => {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += (queries[m * d + c] ?? 0) * (keys[at * d + c] ?? 0);
      return sum / Math.sqrt(d) - head.slope * (m - at);
    });
    const top = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - top), 0);
    for (let at = 0; at < m - reach; at++) most = Math.max(most, Math.exp((scores[at] ?? 0) - top) / sum);
  }
  return most;
}

/** A layer by chance with ALiBi's slopes: 2^(−8 i / heads). */
export function randomLayer(random: Random, { width = 32, heads = 8, d = 4, spread = 0.05 } = {}): AlibiLayer {
  const floats = (count: number, scale: number, centre = 0) =>
    Float64Array.from({ length: count }, () => centre + scale * random.normal());
  return {
    ...{ width, d, gamma: floats(width, 0.2, 1), shift: floats(width, 0.1) },
    heads: Array.from({ length: heads }, (_, i) => ({
      query: floats(width * d, spread),
      key: floats(width * d, spread),
      slope: 2 ** ((-8 * (i + 1)) / heads),
    })),
  };
}

/** A text of n inputs by chance, as they leave the layer's norm: [n, width]. */
export function normedInputs({ width, gamma, shift }: AlibiLayer, random: Random, n: number): Float64Array {
  const out = new Float64Array(n * width);
  for (let row = 0; row < n; row++) {
    const x = Array.from({ length: width }, () => random.normal());
    const mean = x.reduce((sum, value) => sum + value, 0) / width;
    const deviation = Math.sqrt(x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width);
    for (const [c, value] of x.entries()) {
      out[row * width + c] = ((value - mean) / deviation) * (gamma[c] ?? 0) + (shift[c] ?? 0);
    }
  }
  return out;
}
