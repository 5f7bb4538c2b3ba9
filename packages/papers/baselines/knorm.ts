import type { Keep } from 'loci';
import { z } from 'zod';
import { norms } from '../keeping/dot.ts';
import { readSlots, slotRange } from '../keeping/rows.ts';
import { scoredKeep } from '../keeping/scored.ts';
import { define } from '../methods/define.ts';
import { budget, whole } from '../methods/option.ts';

/** Knorm (Devoto et al. 2024, arXiv 2406.11430): slots whose keys are short, since those are the ones that queries find. */
export const knorm = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'knorm',
  summary: 'the slots with the shortest keys',
  options: z.object(options()),
  create: ({ budget, recent }, base) =>
    scoredKeep({
      ...{ base, budget, recent },
      scorer: (host) => ({
        async scores(cache, layer, candidates) {
          const lists = candidates.map((slots) => slotRange(0, slots));
          const heads = await readSlots(host, cache, layer, lists);
          return heads.map(({ keys }) => norms(keys, host.arch.headSize).map((norm) => -norm));
        },
      }),
    }),
});

function options() {
  return {
    budget: budget(1024, 'slots per head, or a share of the prompt as 25%'),
    recent: whole(0, 1_000_000, 0, 'slots at the end that stay in any case'),
  };
}
