import type { Mixer } from '@loci/lab';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { maskedMixer } from '../mixing/masked.ts';
import { stridedOptions } from './options.ts';
import { isRead } from './pattern.ts';

/** Attention that is trained with stripes per head (Lin et al. 2024, S2-Attention, arXiv 2407.17678). */
export const s2Mix = define<Mixer, ReturnType<typeof options>>({
  axis: 'mix',
  name: 's2-attention',
  summary: 'softmax attention to near blocks, and further back to a stripe for every head',
  options: z.object(options()),
  create({ heads, block, local, stride, stripes, rotate }, base) {
    const same = stripes === 'same';
    const pattern = { block, local, stride, heads, same, rotate: rotate === 'yes' ? heads : 0 };
    return maskedMixer(base, heads, (layer) => ({
      ...{ heads, same },
      reads: (query, key, head) => isRead(pattern, head, layer, Math.floor(query / block), Math.floor(key / block)),
    }));
  },
});

function options() {
  return { heads: whole(1, 1024, 1, 'heads; they divide the width'), ...stridedOptions() };
}
