import { type Attend, LociError } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { options } from './options.ts';
import { Retrieving } from './retrieving.ts';

/**
 * Liu et al. 2024, RetrievalAttention, arXiv 2409.10516: an index over the keys of every query head, built of the prompt's
 * own queries when it has been read; what follows reads the keys that a search finds, the first tokens and the last.
 */
export const retrievalAttention = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'retrieval-attention',
  summary: 'behind a prompt, the keys that a search in an index per head finds, and first and last tokens',
  options: z.object(options()),
  create(chosen, base) {
    if (chosen.pool < chosen.k) {
      throw new LociError(
        'bad-option',
        `--attend retrieval-attention: pool is ${chosen.pool}; it must be at least k, ${chosen.k}`,
      );
    }
    return { ...base, needs: { refuses }, open: (host) => new Retrieving(host, chosen) };
  },
});

function refuses({ arch }: Parameters<NonNullable<Attend['needs']['refuses']>>[0]): string | undefined {
  return arch.headSize % 16 === 0 ? undefined : `heads have ${arch.headSize} channels; they must be a multiple of 16`;
}
