import { LociError, type Steer } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { choice } from '../methods/option.ts';
import { headList, headsIn, isHeadList, unmaskable } from './heads.ts';
import { HeadMask } from './mask.ts';
import { readMeans } from './means.ts';

/**
 * Switches query heads off, to see what they are for (Wu et al. 2024, section 3). `uniform` is what the paper's code does;
 * `zero` leaves nothing; `mean` puts the head's mean output over a text in its place.
 */
export const maskHeads = define<Steer, ReturnType<typeof options>>({
  axis: 'steer',
  name: 'mask-heads',
  summary: 'heads switched off',
  options: z.object(options()),
  create({ heads: list, mode, scope, means: file }, base) {
    if ((mode === 'mean') !== (file !== undefined)) {
      const lacks = 'mode is "mean"; it must have means=FILE beside it, which `loci heads --means FILE` writes';
      const foreign = `means is ${JSON.stringify(file)}; it must stand beside mode=mean`;
      throw new LociError('bad-option', `--steer mask-heads: ${mode === 'mean' ? lacks : foreign}`);
    }
    const means = file === undefined ? undefined : readMeans(file);
    const heads = headsIn(list);
    return {
      ...base,
      needs: {
        decides: ['outputs'],
        refuses: (model) => unmaskable(heads, model) ?? means?.foreign(model),
      },
      open: (host) => new HeadMask(host, { mode: mode === 'mean' ? { means: means?.rows ?? [] } : mode, scope }, heads),
    };
  },
});

function options() {
  return {
    heads: z
      .string()
      .refine(isHeadList, { message: 'it must name heads as layer.head, such as 3.5+10.2' })
      .transform((list) => headList(headsIn(list)))
      .prefault('')
      .describe('which, as layer.head+layer.head'),
    mode: choice(['zero', 'uniform', 'mean'], 'zero', 'what is left of their output'),
    scope: choice(['decode', 'all'], 'decode', 'rows that produce tokens, or all'),
    means: z.string().optional().describe('a file of mean outputs, for mode=mean'),
  };
}
