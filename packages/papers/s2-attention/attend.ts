import type { Attend } from 'loci';
import { z } from 'zod';
import { attendPattern } from '../attending/pattern.ts';
import { define } from '../methods/define.ts';
import { stridedOf, stridedOptions } from './options.ts';
import { isRead } from './pattern.ts';

/** Lin et al. 2024, S2-Attention, arXiv 2407.17678: heads read stripes of their own, together everything. */
export const s2Attention = define<Attend, ReturnType<typeof stridedOptions>>({
  axis: 'attend',
  name: 's2-attention',
  summary: 'near blocks, and of those further back a stripe for every head',
  options: z.object(stridedOptions()),
  create: (settings, base) =>
    attendPattern(base, (host) => {
      const pattern = stridedOf(settings, host);
      const { block } = pattern;
      return {
        block,
        perLayer: pattern.rotate > 0,
        reads: (query, key, head, layer) =>
          isRead(pattern, head, layer, Math.floor(query / block), Math.floor(key / block)),
      };
    }),
});
