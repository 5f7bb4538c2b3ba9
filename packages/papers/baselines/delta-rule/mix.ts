import { deltaBytes, delta as deltaRule, deltaScratch, norm } from '@loci/kernels';
import { type Mixer, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { z } from 'zod';
import { define } from '../../methods/define.ts';
import { whole } from '../../methods/option.ts';
import { checkHeads, perHead, splitHeads } from '../../mixing/heads.ts';
import { checkColumns } from '../../mixing/layer.ts';
import { chunked } from './forms.ts';

/**
 * DeltaNet (Yang et al. 2024, arXiv 2406.06484, section 3.3): a state that replaces what a key had stored. SiLU and length 1 for
 * queries and keys, β by a sigmoid, a norm per head; the convolutions before it are layers of their own here.
 */
export const delta = define<Mixer, Record<'heads' | 'chunk', ReturnType<typeof whole>>>({
  axis: 'mix',
  name: 'delta',
  summary: 'linear attention that replaces what a key had stored (DeltaNet)',
  options: z.object({
    heads: whole(1, 1024, 1, 'heads; they divide the width'),
    chunk: whole(1, 2 ** 20, 32, 'tokens of a chunk'),
  }),
  create: ({ heads, chunk }, base) => ({
    ...base,
    parameters({ width: c, layers }) {
      checkHeads(base.spec, heads, c);
      const square = weights([c, c]);
      const out = weights([c, c], 0.02 / Math.sqrt(2 * layers));
      return { query: square, key: square, value: square, beta: weights([c, heads]), out };
    },
    mix(x, parameters) {
      const unit = (y: f.Tensor) => f.div(y, f.sqrt(f.affine(f.sum(f.square(y), -1), 1, 1e-6)));
      const beta = f.sigmoid(splitHeads(f.matmul(x, parameters('beta')), heads));
      const y = perHead(x, parameters, heads, (q, k, v) =>
        f.rmsNorm(chunked(unit(f.silu(q)), unit(f.silu(k)), v, beta, chunk)),
      );
      return f.matmul(y, parameters('out'));
    },
    stateBytes: ({ width: c }) => 4 * heads * (c / heads) ** 2,
    layer({ width: c }) {
      const width = c / heads;
      const shape = { heads, width, columns: width };
      checkColumns(base.spec, width);
      return {
        ...{ kind: 'state', tensors: {}, numbers: {}, output: 'out' },
        products: { query: { rows: c }, key: { rows: c }, value: { rows: c }, beta: { rows: heads } },
        ...{ stateBytes: deltaBytes(shape), scratchBytes: deltaScratch(shape) },
        record(encoder, { n, from, to, mixed, product }) {
          const [q, k, v, beta] = [product('query'), product('key'), product('value'), product('beta')];
          const x = mixed.address;
          encoder.record(
            deltaRule({ ...shape, q, k, v, beta, out: mixed, n, from, to }),
            norm({ x, stride: width, rows: n * heads, columns: width, epsilon: 1e-6, out: x }),
          );
        },
      };
    },
  }),
});
