import type { Claim } from '@loci/evaluate';
import { chiSquare } from './chi-square.ts';
import { pretrainedClaims } from './claims-pretrained.ts';
import { trainedClaims } from './claims-trained.ts';
import { mqar } from './mqar.ts';
import { compareSelection } from './selection.ts';
import { trained } from './setting.ts';

const settingS = { vocabulary: 256, length: 64, pairs: 8, power: 0.01, reassigned: 0, filler: 'zero' } as const;

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      '1000 examples: every key once among the pairs, keys and values from disjoint ranges, labels are what follows the key, D of them, slots distinct and spread by the power law (p > 0.01); the same seed gives the same bytes; no row is in both splits',
    async run() {
      const draw = (split: string, i: number) => mqar(settingS, `mqar 0 ${split} ${i}`);
      const first: number[] = Array(24).fill(0);
      const rows = { train: new Set<string>(), test: new Set<string>() };
      let wrong = 0;
      for (let i = 0; i < 1000; i++) {
        const { ids, positions, labels, slots } = draw('train', i);
        const pairs = new Map(Array.from({ length: 8 }, (_, k) => [ids[2 * k] ?? -1, ids[2 * k + 1] ?? -1]));
        const right =
          pairs.size === 8 &&
          [...pairs].every(([key, value]) => key >= 1 && key < 128 && value >= 128 && value < 256) &&
          labels.length === 8 &&
          positions.every((at, j) => pairs.get(ids[at] ?? -1) === labels[j]) &&
          new Set(slots).size === 8 &&
          ids.every((id, at) => id === draw('train', i).ids[at]);
        if (!right) wrong++;
        rows.train.add(ids.join());
        rows.test.add(draw('test', i).ids.join());
        const slot = slots[0] ?? 0;
        first[slot] = (first[slot] ?? 0) + 1;
      }
      const weights = first.map((_, slot) => (slot + 1) ** (0.01 - 1));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const { statistic, p } = chiSquare(
        first,
        weights.map((weight) => (1000 * weight) / total),
      );
      const shared = [...rows.train].filter((row) => rows.test.has(row)).length;
      return {
        measured: { wrong, shared, chiSquare: statistic, p, slots: first },
        holds: wrong === 0 && shared === 0 && p > 0.01,
        note: 'The histogram is that of the first key, which is drawn from the law itself; later ones may not take a slot again.',
      };
    },
  },
  {
    id: '2',
    claimed:
      'setting S: softmax ≥ 0.95, gated long convolution ≤ 0.30, a window of 8 keys ≤ 0.10, untrained ≤ 8/V, 3 seeds each',
    async run(workbench) {
      const full = workbench.scale === 'full';
      const seeds = full ? [0, 1, 2] : [0];
      const steps = full ? 2500 : 800;
      const runs = async (mixer: string, most = steps) => {
        const results = [];
        for (const seed of seeds) results.push(await trained(workbench, { mixer, seed, steps: most }));
        return results;
      };
      const softmax = await runs('attention');
      const convolution = await runs('base-conv:taps=0');
      const window = await runs('attention:window=8');
      const untrained = await runs('attention', 0);
      const below = (some: typeof softmax, most: number) => some.every(({ accuracy }) => accuracy <= most);
      return {
        measured: {
          steps,
          seeds,
          floors: { noIdea: 1 / 128, whichValues: 1 / 8 },
          softmax,
          convolution,
          window,
          untrained,
        },
        holds:
          softmax.every(({ accuracy }) => accuracy >= 0.95) &&
          below(convolution, 0.3) &&
          below(window, 0.1) &&
          below(untrained, 8 / 256),
        note: `${full ? '' : 'Quick: one seed and 800 of the 2500 steps; full has 3 seeds. '}One learning rate, 0.002, as the setting says: the paper takes the best of four.`,
      };
    },
  },
  ...trainedClaims,
  ...pretrainedClaims,
  {
    id: '6',
    claimed:
      'selection by token equals full attention at the selected rows (≤ 1e-5) and adds nothing elsewhere; the m rows of the largest gates: m = n equals full attention, m = n − 1 leaves one row of each sequence out, m = 0 adds nothing',
    async run() {
      const measured = await compareSelection();
      return {
        measured,
        holds:
          measured.selectedRows > 0 &&
          Math.max(measured.selectedGap, measured.everyGap) <= 1e-5 &&
          Math.max(measured.elsewhere, measured.none) === 0 &&
          measured.rowsLeftOut === 16,
        note: 'The filler, token 0, counts as a token that occurred before.',
      };
    },
  },
];
