import { readFileSync } from 'node:fs';
import { z } from 'zod';

const curve = z.array(z.object({ recall: z.number(), scans: z.number() }));
const schema = z.object({
  sizes: z.object({ keys: z.number(), queries: z.number(), d: z.number(), k: z.number() }),
  nearest: z.array(z.array(z.number())),
  others: z.object({ ivf: curve, hnsw: curve }),
});

/** What faiss found (bench/oracles/retrieval-attention.py), and the vectors that it was asked about. */
export function golden() {
  const file = schema.parse(JSON.parse(readFileSync(new URL('golden/nearest.json', import.meta.url), 'utf8')));
  const { keys, queries, d } = file.sizes;
  return { ...file, keys: rows(2, keys, d, 0.5), queries: rows(4, queries, d, -0.5), training: rows(6, 1000, d, -0.5) };
}

/** Uniform in [−1, 1). */
function numbers(seed: number, count: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Vectors near a subspace of 8 dimensions; every third channel is shifted. */
function rows(seed: number, count: number, d: number, shift: number): Float32Array {
  const basis = numbers(1, 8 * d);
  const weights = numbers(seed, count * 8);
  const noise = numbers(seed + 1, count * d);
  return Float32Array.from({ length: count * d }, (_, at) => {
    const [row, c] = [Math.floor(at / d), at % d];
    let sum = 0.3 * (noise[at] ?? 0) + (c % 3 === 0 ? shift : 0);
    for (let b = 0; b < 8; b++) sum += (weights[row * 8 + b] ?? 0) * (basis[b * d + c] ?? 0);
    return sum;
  });
}
