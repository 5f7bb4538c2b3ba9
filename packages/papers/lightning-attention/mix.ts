import { multiply, norm, recur } from '@loci/kernels';
import { type Mixer, type Parameters, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { choice, whole } from '../methods/option.ts';
import { checkHeads, perHead } from '../mixing/heads.ts';
import { recurrence, stateLayer } from '../mixing/layer.ts';
import { chunked, parallel, slopesOf } from './forms.ts';

/** Queries, keys and values by a form of the mixer, a norm over all heads, and the gate. */
export function gated(
  x: f.Tensor,
  parameters: Parameters,
  heads: number,
  form: (q: f.Tensor, k: f.Tensor, v: f.Tensor) => f.Tensor,
): f.Tensor {
  const y = f.rmsNorm(perHead(x, parameters, heads, (q, k, v) => form(f.silu(q), f.silu(k), v)));
  return f.matmul(f.mul(y, f.matmul(x, parameters('gate'))), parameters('out'));
}

/**
 * Gated linear attention of TransNormerLLM (Qin et al. 2024, section 4): silu on queries and keys, decay per head and layer, a
 * norm in the place of a denominator, and a gate.
 */
export const lightning = define<
  Mixer,
  Record<'heads' | 'chunk', ReturnType<typeof whole>> & { decay: ReturnType<typeof choice<readonly ['yes', 'no']>> }
>({
  axis: 'mix',
  name: 'lightning',
  summary: 'linear attention with decay',
  options: z.object({
    heads: whole(1, 1024, 1, 'heads; they divide the width'),
    chunk: whole(0, 2 ** 20, 0, 'tokens of a block; 0 takes all at once'),
    decay: choice(['yes', 'no'], 'yes', 'whether what is far counts less'),
  }),
  create: ({ heads, chunk, decay }, base) => ({
    ...base,
    parameters({ width: c, layers }) {
      checkHeads(base.spec, heads, c);
      const square = weights([c, c]);
      const out = weights([c, c], 0.02 / Math.sqrt(2 * layers));
      return { query: square, key: square, value: square, gate: square, out };
    },
    mix(x, parameters, { layer, layers }) {
      const slopes = slopesOf(heads, layer, layers).map((slope) => (decay === 'yes' ? slope : 0));
      const all = chunk === 0 || chunk >= f.dimension(x, 1);
      return gated(x, parameters, heads, (q, k, v) =>
        all ? parallel(q, k, v, slopes) : chunked(q, k, v, slopes, chunk),
      );
    },
    stateBytes: ({ width: c }) => 4 * heads * (c / heads) ** 2,
    layer({ width: c, layer, layers }) {
      const shape = { heads, width: c / heads, columns: c / heads, map: 'silu', divides: false } as const;
      const square = { rows: c };
      const decays = Float32Array.from(slopesOf(heads, layer, layers), (slope) => Math.exp(-slope));
      return stateLayer(base.spec, shape, {
        products: { query: square, key: square, value: square, gate: square },
        ...(decay === 'yes' && { numbers: { decays } }),
        output: 'out',
        record(encoder, view) {
          const { mixed, n } = view;
          const faded = decay === 'yes' ? { decays: view.tensor('decays') } : {};
          const rows = { x: mixed.address, stride: mixed.stride, rows: n, columns: c };
          encoder.record(
            recur({ ...recurrence(shape, view), ...faded }),
            norm({ ...rows, epsilon: 1e-6, out: mixed.address, outStride: mixed.stride }),
            multiply({ a: mixed, b: view.product('gate'), out: mixed, n, columns: c }),
          );
        },
      });
    },
  }),
});
