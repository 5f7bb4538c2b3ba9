import type { Mixer } from '@loci/lab';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { maskedMixer } from '../mixing/masked.ts';
import { linkOptions, patternOf } from './options.ts';

/** Attention that is trained with the links of PowerAttention (Chen et al. 2025, arXiv 2503.03588), or those it is compared with. */
export const powerMix = define<Mixer, ReturnType<typeof options>>({
  axis: 'mix',
  name: 'power-attention',
  summary: 'softmax attention to the first block, near ones, and those at distances that are powers of two',
  options: z.object(options()),
  create({ heads, block, links, ...sizes }, base) {
    const isLinked = patternOf(links, sizes);
    const reads = (query: number, key: number) => isLinked(Math.floor(query / block), Math.floor(key / block));
    return maskedMixer(base, heads, () => ({ heads, reads, same: true }));
  },
});

function options() {
  return { heads: whole(1, 1024, 1, 'heads; they divide the width'), ...linkOptions() };
}
