import type { Attend } from 'loci';
import { z } from 'zod';
import { attendPattern } from '../attending/pattern.ts';
import { define } from '../methods/define.ts';
import { linkOptions, patternOf } from './options.ts';

/** Chen et al. 2025, PowerAttention, arXiv 2503.03588, and the patterns that it is compared with. */
export const powerAttention = define<Attend, ReturnType<typeof linkOptions>>({
  axis: 'attend',
  name: 'power-attention',
  summary: 'the first block, near ones, and those at distances that are powers of two',
  options: z.object(linkOptions()),
  create({ block, links, ...sizes }, base) {
    const isLinked = patternOf(links, sizes);
    return attendPattern(base, {
      block,
      reads: (query, key) => isLinked(Math.floor(query / block), Math.floor(key / block)),
    });
  },
});
