import type { Keep } from 'loci';
import { z } from 'zod';
import { budgeters } from '../keeping/budgets.ts';
import { define } from '../methods/define.ts';
import { number } from '../methods/option.ts';
import { windowKeep, windowOptions } from '../snapkv/keep.ts';

/** Ada-SnapKV (Feng et al. 2024, arXiv 2407.11550): SnapKV's votes, for which the heads of a layer compete. */
export const adaSnapKv = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'ada-snapkv',
  summary: "SnapKV's votes, for which the heads of a layer compete",
  options: z.object(options()),
  create: ({ floor, ...options }, base) => windowKeep(base, options, budgeters.ada(floor)),
});

function options() {
  return { ...windowOptions(), floor: number(0, 1, 0.2, 'share of an even budget that every head is sure of') };
}
