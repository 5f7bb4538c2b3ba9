import type { Attend } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';

/**
 * The first tokens and the last ones, of everything that the cache holds: the mask of StreamingLLM (Xiao et al. 2023,
 * arXiv 2309.17453), and the A-shape of MInference (Jiang et al. 2024, arXiv 2407.02490) for every head.
 */
export const windowAttention = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'window',
  summary: 'the first tokens and the last ones',
  options: z.object(options()),
  create: ({ sinks, recent }, base) => ({
    ...base,
    needs: { decides: ['sight'] },
    sight: () => ({ sinks, window: recent }),
  }),
});

function options() {
  return {
    sinks: whole(0, 1_000_000, 4, 'tokens at the beginning'),
    recent: whole(1, 1_000_000, 1020, 'tokens at the end, the query included'),
  };
}
