import { recur } from '@loci/kernels';
import { type Mixer, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';
import { checkHeads, perHead } from '../mixing/heads.ts';
import { recurrence, stateLayer } from '../mixing/layer.ts';
import { chunked, features, parallel } from './forms.ts';

/** The linear attention of BASED (Arora et al. 2024): a state whose size the width of its features sets. */
export const taylor = define<Mixer, Record<'features' | 'heads' | 'chunk', ReturnType<typeof whole>>>({
  axis: 'mix',
  name: 'taylor',
  summary: "linear attention with the exponential's Taylor series",
  options: z.object({
    features: whole(1, 256, 16, 'width of queries and keys'),
    heads: whole(1, 1024, 1, 'heads; they divide the width'),
    chunk: whole(0, 2 ** 20, 0, 'tokens of a chunk; 0 takes all at once'),
  }),
  create: ({ features: width, heads, chunk }, base) => ({
    ...base,
    parameters({ width: c, layers }) {
      checkHeads(base.spec, heads, c);
      const narrow = weights([c, heads * width]);
      return { query: narrow, key: narrow, value: weights([c, c]), out: weights([c, c], 0.02 / Math.sqrt(2 * layers)) };
    },
    mix(x, parameters) {
      const all = chunk === 0 || chunk >= f.dimension(x, 1);
      const y = perHead(x, parameters, heads, (q, k, v) => (all ? parallel(q, k, v) : chunked(q, k, v, chunk)));
      return f.matmul(y, parameters('out'));
    },
    stateBytes: ({ width: c }) => 4 * heads * features(width) * (c / heads + 1),
    layer({ width: c }) {
      const shape = { heads, width, columns: c / heads, map: 'taylor', divides: true } as const;
      return stateLayer(base.spec, shape, {
        products: { query: { rows: heads * width }, key: { rows: heads * width }, value: { rows: c } },
        output: 'out',
        record: (encoder, view) => encoder.record(recur(recurrence(shape, view))),
      });
    },
  }),
});
