import type { Claim, Workbench } from '@loci/evaluate';
import { type Trained, trained } from './setting.ts';

/** Item 3: capacity against state, and what happens to keys that are assigned again. */
export const trainedClaims: readonly Claim[] = [
  {
    id: '3a',
    claimed:
      '128 tokens, 2000 steps: softmax ≥ 0.95 with 4, 8 and 16 pairs, while with 16 pairs Taylor features of width 2 reach ≤ 0.40 and of width 4 ≤ 0.90',
    async run(workbench) {
      const full = workbench.scale === 'full';
      // With 1000 steps, whose rate falls to 0 by then, softmax does not start with 16 pairs (0.04).
      const steps = 2000;
      const run = (mixer: string, pairs: number) => trained(workbench, { mixer, steps, task: { length: 128, pairs } });
      const runs: (Trained & { readonly pairs: number })[] = [];
      for (const pairs of full ? [4, 8, 16] : [16]) {
        for (const mixer of ['attention', 'taylor:features=2', 'taylor:features=4'])
          runs.push({ ...(await run(mixer, pairs)), pairs });
      }
      const accuracies = (mixer: string, pairs?: number) =>
        runs
          .filter((one) => one.mixer === mixer && (pairs === undefined || one.pairs === pairs))
          .map(({ accuracy }) => accuracy);
      return {
        measured: { steps, runs },
        holds:
          accuracies('attention').every((accuracy) => accuracy >= 0.95) &&
          accuracies('taylor:features=2', 16).every((accuracy) => accuracy <= 0.4) &&
          accuracies('taylor:features=4', 16).every((accuracy) => accuracy <= 0.9),
        note: `${full ? '' : 'Quick: 16 pairs only. '}One seed. State bytes count what the layer under test and the convolution before it would keep of a sequence; attention keeps every token.`,
      };
    },
  },
  {
    id: '3b',
    claimed:
      'half the keys assigned again: mixers without an order of their own (Taylor, softmax without positions) lose ≥ 0.15',
    async run(workbench) {
      const measured = [];
      for (const mixer of ['attention', 'taylor']) measured.push(await reassignment(workbench, mixer));
      return {
        measured,
        holds: measured.every(({ loss }) => loss >= 0.15),
        note: 'Setting S; 4 of 8 keys have a second value, which is the one that counts. Trained and tested with and without.',
      };
    },
  },
  {
    id: '3c',
    claimed: 'half the keys assigned again: a delta-rule mixer loses ≤ 0.05',
    async run(workbench) {
      const measured = await reassignment(workbench, 'delta');
      return { measured, holds: measured.loss <= 0.05, note: 'As 3b, with one seed.' };
    },
  },
];

async function reassignment(workbench: Workbench, mixer: string) {
  // At either scale: after 800 steps softmax is done with one value for each key (1.00) and not with two (0.20).
  const steps = 2500;
  const once = await trained(workbench, { mixer, steps });
  const again = await trained(workbench, { mixer, steps, task: { reassigned: 4 } });
  return {
    mixer,
    once: once.accuracy,
    again: again.accuracy,
    loss: once.accuracy - again.accuracy,
    curves: [once.curve, again.curve],
  };
}
