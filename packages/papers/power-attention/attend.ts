import type { Attend } from 'loci';
import { z } from 'zod';
import { attendPattern } from '../attending/pattern.ts';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';

/** Whether query block I reads key block J ≤ I: a sink, a near one, or one at a distance that is a power of two. */
export function isLinked(queryBlock: number, keyBlock: number, window: number): boolean {
  const distance = queryBlock - keyBlock;
  return keyBlock === 0 || distance < window || (distance & (distance - 1)) === 0;
}

/** Chen et al. 2025, PowerAttention, arXiv 2503.03588, section 3: links at powers of two. */
export const powerAttention = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'power-attention',
  summary: 'a sink block, near blocks, and blocks at distances that are powers of two',
  options: z.object(options()),
  create: ({ block, window }, base) =>
    attendPattern(base, {
      block,
      reads: (query, key) => isLinked(Math.floor(query / block), Math.floor(key / block), window),
    }),
});

function options() {
  return {
    block: whole(1, 4096, 64, 'tokens of a block'),
    window: whole(1, 1_000_000, 5, 'blocks of the window, with that of the query'),
  };
}
