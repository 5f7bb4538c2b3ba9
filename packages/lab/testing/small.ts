import { Random } from '@loci/evaluate/random';
import * as f from '../arrays/index.ts';
import type { Mixer } from '../model/mixer.ts';
import { LanguageModel } from '../model/model.ts';
import { filled, weights } from '../model/parameters.ts';
import type { AdamSettings, Batch } from '../training/learner.ts';

/** Two heads of causal attention behind a convolution with a gate: every kind of operation that training differentiates. */
const mixer: Mixer = {
  ...{ axis: 'mix', name: 'small', spec: 'small' },
  parameters: () => ({
    filter: weights([3, 16], 0.5),
    gate: weights([16, 16], 0.2),
    bias: filled([16], 0.1),
    query: weights([16, 16], 0.3),
    key: weights([16, 16], 0.3),
    value: weights([16, 16], 0.3),
  }),
  mix(x, parameters) {
    const gate = f.silu(f.add(f.matmul(x, parameters('gate')), parameters('bias')));
    const y = f.mul(f.convolve(x, parameters('filter')), gate);
    const heads = (name: string) => f.permute(f.reshape(f.matmul(y, parameters(name)), [3, 9, 2, 8]), [0, 2, 1, 3]);
    const scores = f.softmax(f.matmul(heads('query'), f.transpose(heads('key'))), { scale: 8 ** -0.5, causal: true });
    return f.reshape(f.permute(f.matmul(scores, heads('value')), [0, 2, 1, 3]), [3, 9, 16]);
  },
  stateBytes: () => 0,
};

/** A small model with everything that the shell has, for comparisons with other implementations. */
export const smallModel = () =>
  new LanguageModel({
    ...{ vocabulary: 11, width: 16, length: 9, positions: 'learned', norm: 'layer' },
    layers: [
      { mixer, feedForward: 2 },
      { mixer, feedForward: 2 },
    ],
  });

export const smallShape = { batch: 3, n: 9, labelled: 20 };

export const smallBatch = (): Batch => {
  const random = new Random('small');
  const many = (count: number, below: number) => Int32Array.from({ length: count }, () => random.integer(0, below - 1));
  return { ids: many(27, 11), rows: many(17, 27), labels: many(17, 11) };
};

export const smallAdam: AdamSettings = { rate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1, clip: 1 };
