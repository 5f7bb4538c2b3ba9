export interface SurpriseOptions {
  readonly gamma: number;
  /** Tokens of the local window, and of a chunk: the threshold is that of the surprises between the two. */
  readonly local: number;
  readonly chunk: number;
  /** How many of its own surprises a first chunk has its threshold from. */
  readonly first: number;
}

/**
 * Which tokens of a chunk surprise: their loss is beyond mean + gamma · deviation of those before the chunk (section 3.1,
 * with one threshold for a chunk, as the official code has it).
 * @param losses −ln p of every token from the first on, NaN where it is not known.
 * @param from The first token of the chunk, whose losses end with the array.
 */
export function surprising(losses: ArrayLike<number>, from: number, options: SurpriseOptions): number[] {
  const limit = threshold(losses, from, options);
  const found: number[] = [];
  // A comparison with NaN is false: there is no cut where nothing is known.
  for (let token = from; token < losses.length; token++) if ((losses[token] ?? Number.NaN) > limit) found.push(token);
  return found;
}

/** The loss beyond which tokens of a chunk surprise; none does where there are fewer than two to measure it by. */
export function threshold(losses: ArrayLike<number>, from: number, options: SurpriseOptions): number {
  const { gamma, local, chunk, first } = options;
  let known = finite(losses, Math.max(0, from - Math.max(2, local - chunk)), from);
  if (known.length < 2) known = finite(losses, from, Math.min(losses.length, from + first));
  if (known.length < 2) return Number.POSITIVE_INFINITY;
  const mean = known.reduce((sum, x) => sum + x, 0) / known.length;
  const variance = known.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (known.length - 1);
  // Rounding must not make the same loss again and again a surprise.
  return mean + gamma * Math.sqrt(variance) + 1e-12 * Math.abs(mean);
}

function finite(losses: ArrayLike<number>, from: number, to: number): number[] {
  const found: number[] = [];
  for (let i = from; i < to; i++) {
    const loss = losses[i] ?? Number.NaN;
    if (Number.isFinite(loss)) found.push(loss);
  }
  return found;
}
