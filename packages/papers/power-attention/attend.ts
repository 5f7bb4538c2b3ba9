import type { Attend } from 'loci';
import { z } from 'zod';
import { attendPattern } from '../attending/pattern.ts';
import { define } from '../methods/define.ts';
import { choice, whole } from '../methods/option.ts';
import { type BlockPattern, type PatternName, patterns } from './patterns.ts';

/** Chen et al. 2025, PowerAttention, arXiv 2503.03588, and the patterns that it is compared with. */
export const powerAttention = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'power-attention',
  summary: 'the first block, near ones, and those at distances that are powers of two',
  options: z.object(options()),
  create({ block, links, ...sizes }, base) {
    const isLinked = patternOf(links, sizes);
    return attendPattern(base, {
      block,
      reads: (query, key) => isLinked(Math.floor(query / block), Math.floor(key / block)),
    });
  },
});

function options() {
  return {
    block: whole(1, 4096, 32, 'tokens of a block'),
    links: choice(['power', 'window', 'stride', 'dilated', 'longnet'], 'power', 'which blocks are linked'),
    window: whole(1, 1_000_000, 5, 'blocks of the window, the own one included; of dilated, those that are read'),
    sinks: whole(0, 1_000_000, 1, 'blocks at the beginning that are always read'),
    stride: whole(1, 1_000_000, 32, 'blocks between links of stride'),
  };
}

function patternOf(
  links: PatternName,
  { window, sinks, stride }: { readonly window: number; readonly sinks: number; readonly stride: number },
): BlockPattern {
  return patterns[links](window, sinks, stride);
}
