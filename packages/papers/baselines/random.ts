import { Random } from '@loci/evaluate';
import type { Keep } from 'loci';
import { z } from 'zod';
import { scoredKeep } from '../keeping/scored.ts';
import { define } from '../methods/define.ts';
import { budget, whole } from '../methods/option.ts';

/** Slots drawn by lot, for every head anew: what a method must beat. */
export const random = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'random',
  summary: 'slots drawn by lot',
  options: z.object(options()),
  create: ({ budget, recent, seed }, base) =>
    scoredKeep({
      ...{ base, budget, recent },
      scorer: () => ({
        scores: (_, layer, candidates) => candidates.map((slots, kvHead) => lots(seed, layer, kvHead, slots)),
      }),
    }),
});

function options() {
  return {
    budget: budget(1024, 'slots per head, or a share of the prompt as 25%'),
    recent: whole(0, 1_000_000, 1, 'slots at the end that stay in any case'),
    seed: whole(0, 1_000_000, 0, 'other seeds draw others'),
  };
}

function lots(seed: number, layer: number, kvHead: number, slots: number): Float32Array {
  const drawn = new Random(`keep ${seed} ${layer} ${kvHead}`);
  return Float32Array.from({ length: slots }, () => drawn.real());
}
