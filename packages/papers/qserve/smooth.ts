import type { Architecture, LayerRows, WeightCodec } from 'loci';

/** What every channel of every key/value head's keys is divided by, and queries multiplied by: [layers][kvHeads · headSize]. */
export type KeyFactors = readonly Float32Array[];

type Heads = Pick<Architecture, 'heads' | 'kvHeads' | 'headSize' | 'pairs' | 'rotated'>;

/** The channel that rotation mixes with channel c of a head; itself beyond what is rotated. */
export function partnerOf(c: number, { pairs, rotated }: Pick<Heads, 'pairs' | 'rotated'>): number {
  if (c >= rotated) return c;
  if (pairs === 'neighbours') return c ^ 1;
  return c < rotated / 2 ? c + rotated / 2 : c - rotated / 2;
}

/**
 * SmoothAttention (Lin et al. 2024, QServe, section 4.2): the largest |key| of a channel and its partner, to the power α, so
 * that factors commute with rotation and the model stays the same function.
 */
export function smoothingFactors(largest: KeyFactors, arch: Heads, alpha: number): KeyFactors {
  return largest.map((row) =>
    row.map((size, i) => {
      const c = i % arch.headSize;
      const most = Math.max(size, row[i - c + partnerOf(c, arch)] ?? 0);
      return most > 0 ? most ** alpha : 1;
    }),
  );
}

/** As `smoothingFactors` from every channel alone, which rotation does not let pass: what must show as wrong. */
export function unpairedFactors(largest: KeyFactors, alpha: number): KeyFactors {
  return largest.map((row) => row.map((size) => (size > 0 ? size ** alpha : 1)));
}

/** Makes the pair with the largest keys of every head larger by `times`. */
export function outlierFactors(mean: KeyFactors, arch: Heads, times: number): KeyFactors {
  return mean.map((row) => {
    const factors = new Float32Array(row.length).fill(1);
    for (let from = 0; from < row.length; from += arch.headSize) {
      const size = (c: number) => (row[from + c] ?? 0) + (row[from + partnerOf(c, arch)] ?? 0);
      let best = 0;
      for (let c = 1; c < arch.rotated; c++) if (size(c) > size(best)) best = c;
      factors[from + best] = 1 / times;
      factors[from + partnerOf(best, arch)] = 1 / times;
    }
    return factors;
  });
}

/** Factors one after the other. */
export function product(a: KeyFactors, b: KeyFactors): KeyFactors {
  return a.map((row, layer) => row.map((x, i) => x * (b[layer]?.[i] ?? 1)));
}

/** Keys' sizes after factors. */
export function divided(sizes: KeyFactors, factors: KeyFactors): KeyFactors {
  return sizes.map((row, layer) => row.map((x, i) => x / (factors[layer]?.[i] ?? 1)));
}

/** Multiplies the rows of query weights by their key/value head's factors, and divides those of key weights. */
export function fold({ layer, role, first, rows, columns, values }: LayerRows, factors: KeyFactors, arch: Heads): void {
  if (role !== 'q' && role !== 'k') return;
  const { heads, kvHeads, headSize } = arch;
  for (let r = 0; r < rows; r++) {
    const head = Math.floor((first + r) / headSize);
    const group = role === 'q' ? Math.floor(head / (heads / kvHeads)) : head;
    const factor = factors[layer]?.[group * headSize + ((first + r) % headSize)] ?? 1;
    const by = role === 'q' ? factor : 1 / factor;
    for (let c = r * columns; c < (r + 1) * columns; c++) values[c] = (values[c] ?? 0) * by;
  }
}

/** The model with factors folded in, its layers in float32. Models with a bias or a norm on queries and keys are none of it. */
export function folded(name: string, factors: KeyFactors, arch: Heads): WeightCodec {
  return {
    name,
    layout: 'f32',
    encode(rows) {
      fold(rows, factors, arch);
      return rows.values;
    },
  };
}
