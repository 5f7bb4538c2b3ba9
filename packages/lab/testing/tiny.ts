import { Random } from '@loci/evaluate/random';
import * as f from '../arrays/index.ts';
import type { Mixer } from '../model/mixer.ts';
import { weights } from '../model/parameters.ts';
import type { Parts } from '../training/train.ts';

/** A mixer that shows each token the one before it. */
const previous: Mixer = {
  ...{ axis: 'mix', name: 'previous', spec: 'previous' },
  parameters: ({ width }) => ({ filter: weights([2, width], 0.5), matrix: weights([width, width], 0.2) }),
  mix: (x, parameters) => f.matmul(f.convolve(x, parameters('filter')), parameters('matrix')),
  stateBytes: ({ width }) => 4 * width,
};

/** Learn to say the token before the last one; the second half of the positions is asked about. */
export const countingParts: Parts = {
  mixer: () => previous,
  task: (_, seed) => ({
    ...{ name: 'previous', tokens: 'ids', vocabulary: 12, length: 9, labelled: 5 },
    size: (split) => (split === 'train' ? 200 : 70),
    example(split, index) {
      const random = new Random(`${seed} ${split} ${index}`);
      const ids = Int32Array.from({ length: 9 }, () => random.integer(0, 11));
      // Not all examples have as many labels.
      const positions = Int32Array.from([4, 5, 6, 7, 8]).subarray(index % 3);
      return { ids, positions, labels: positions.map((at) => ids[at - 1] ?? 0) };
    },
  }),
};

export const tinyConfig = {
  task: { name: 'previous' },
  model: { width: 12, layers: ['previous'] },
  training: { steps: 60, batch: 32, rate: 0.03 },
  saveEvery: 7,
  evaluateEvery: 20,
};
