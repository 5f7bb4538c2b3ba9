/** Whether query block I reads key block J ≤ I. */
export type BlockPattern = (queryBlock: number, keyBlock: number) => boolean;

/**
 * The links of Chen et al. 2025 (PowerAttention, arXiv 2503.03588, section 3) and of the patterns that it is compared with,
 * all in blocks. `window` counts the query's own block, `sinks` are blocks that all read; with 128 blocks each of the defaults reads 10 of them at most.
 */
export const patterns = {
  /** Distances that are powers of two: one set bit of a distance is one hop. */
  power: (window = 5, sinks = 1): BlockPattern => {
    return (i, j) => j < sinks || i - j < window || ((i - j) & (i - j - 1)) === 0;
  },
  window: (window = 9, sinks = 1): BlockPattern => {
    return (i, j) => j < sinks || i - j < window;
  },
  stride: (window = 6, sinks = 1, stride = 32): BlockPattern => {
    return (i, j) => j < sinks || i - j < window || (i - j) % stride === 0;
  },
  dilated: (window = 10): BlockPattern => {
    return (i, j) => (i - j) % 2 === 0 && i - j < 2 * window;
  },
  /** Segments of growing length, each with growing gaps (Ding et al. 2023, LongNet, arXiv 2307.02486). */
  longnet: (): BlockPattern => {
    return (i, j) => {
      const [apart, either] = [i ^ j, i | j];
      return [0, 1, 2, 3, 4].some((k) => apart < 8 << k && either % (1 << k) === 0);
    };
  },
} as const;

export type PatternName = keyof typeof patterns;

/** Blocks of `blocks` that have reached the last one after 1, 2, … layers, until nothing is added. */
export function reach(pattern: BlockPattern, blocks: number, layers = blocks): ReadonlySet<number>[] {
  const steps: ReadonlySet<number>[] = [];
  let reached: ReadonlySet<number> = new Set([blocks - 1]);
  for (let layer = 0; layer < layers; layer++) {
    const next = new Set<number>();
    for (const i of reached) for (let j = 0; j <= i; j++) if (pattern(i, j)) next.add(j);
    if (next.size === reached.size && layer > 0) break;
    steps.push(next);
    reached = next;
  }
  return steps;
}
