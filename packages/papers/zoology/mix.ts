import { add, convolve, multiply } from '@loci/kernels';
import { filled, type Mixer, weights } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { choice, whole } from '../methods/option.ts';
import { checkHeads, perHead } from '../mixing/heads.ts';

const heads = whole(1, 1024, 1, 'heads; they divide the width');

/** Causal softmax attention over everything, or over the last keys only. */
export const attention = define<Mixer, { heads: typeof heads; window: ReturnType<typeof whole> }>({
  axis: 'mix',
  name: 'attention',
  summary: 'softmax attention',
  options: z.object({ heads, window: whole(0, 2 ** 30, 0, 'keys that a query sees, its own included; 0 is all') }),
  create: ({ heads: h, window }, base) => ({
    ...base,
    parameters({ width, layers }) {
      checkHeads(base.spec, h, width);
      const square = [width, width];
      const out = weights(square, 0.02 / Math.sqrt(2 * layers));
      return { query: weights(square), key: weights(square), value: weights(square), out };
    },
    mix(x, parameters) {
      const scale = Math.sqrt(h / f.dimension(x, 2));
      const y = perHead(x, parameters, h, (q, k, v) =>
        f.matmul(f.softmax(f.matmul(q, f.transpose(k)), { scale, causal: true, window }), v),
      );
      return f.matmul(y, parameters('out'));
    },
    stateBytes: ({ width }, n) => 4 * 2 * width * (window > 0 ? Math.min(window, n) : n),
    layer: () => ({ kind: 'attention', heads: h, window, names: { q: 'query', k: 'key', v: 'value', o: 'out' } }),
  }),
});

/**
 * BaseConv (Arora et al. 2023, section 4): y = (x W + b) ⊙ (filter ∗ x), plus x where it is to carry its input along. A filter
 * of a few taps binds neighbours; one as long as the sequence stands for Hyena and H3.
 */
export const baseConv = define<
  Mixer,
  { taps: ReturnType<typeof whole>; skip: ReturnType<typeof choice<readonly ['yes', 'no']>> }
>({
  axis: 'mix',
  name: 'base-conv',
  summary: 'gated convolution',
  options: z.object({
    taps: whole(0, 2 ** 20, 3, 'length of the filter; 0 is that of the sequence'),
    skip: choice(['yes', 'no'], 'yes', 'whether the input is added'),
  }),
  create: ({ taps, skip }, base) => {
    const length = (n: number) => (taps === 0 ? n : Math.min(taps, n));
    return {
      ...base,
      parameters: ({ width, length: n }) => ({
        gate: weights([width, width]),
        bias: filled([width], 0),
        // As a linear layer of so many inputs would begin.
        filter: { ...weights([length(n), width], 1 / Math.sqrt(3 * length(n))), decays: true },
      }),
      mix(x, parameters) {
        const gate = f.add(f.matmul(x, parameters('gate')), parameters('bias'));
        const mixed = f.mul(gate, f.convolve(x, parameters('filter')));
        return skip === 'yes' ? f.add(mixed, x) : mixed;
      },
      stateBytes: ({ width, length: n }) => 4 * width * (length(n) - 1),
      layer: ({ width: c, length: n }) => ({
        kind: 'state',
        products: { gate: { rows: c, bias: 'bias' } },
        tensors: { filter: [length(n), c] },
        numbers: {},
        stateBytes: 4 * c * (length(n) - 1),
        scratchBytes: 0,
        record(encoder, view) {
          const { mixed, normed, from, to } = view;
          const rows = { n: view.n, columns: c };
          const filter = { filter: view.tensor('filter'), taps: length(n) };
          encoder.record(
            convolve({ x: normed, n: view.n, channels: c, ...filter, from, to, out: mixed.address }),
            multiply({ a: mixed, b: view.product('gate'), out: mixed, ...rows }),
            ...(skip === 'yes' ? [add({ a: mixed, b: normed, out: mixed, ...rows })] : []),
          );
        },
      }),
    };
  },
});
