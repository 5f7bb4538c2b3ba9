import type { Keep } from 'loci';
import { z } from 'zod';
import { pyramid } from '../keeping/budgets.ts';
import { define } from '../methods/define.ts';
import { number } from '../methods/option.ts';
import { windowKeep, windowOptions } from '../snapkv/keep.ts';

/** PyramidKV (Cai et al. 2024, arXiv 2406.02069): SnapKV's votes, with budgets that fall from layer to layer. */
export const pyramidKv = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'pyramidkv',
  summary: "SnapKV's votes, more slots in lower layers",
  options: z.object(options()),
  create: ({ beta, ...options }, base) => windowKeep(base, options, pyramid(beta)),
});

function options() {
  return {
    ...windowOptions(),
    beta: number(1, 1000, 20, 'the last layer keeps this many times less than the mean'),
  };
}
