import { type Claim, mean, type Workbench } from '@loci/evaluate';
import { type BlockPattern, patterns, reach } from './patterns.ts';
import { type Arm, blocks, trainedArm } from './trained.ts';

const [layers, chance, asked] = [4, 1 / 8, 6];
/** Each reads at most ten blocks. */
const arms = {
  power: { links: 'links=power', pattern: patterns.power() },
  window: { links: 'links=window,window=9', pattern: patterns.window() },
  dilated: { links: 'links=dilated,window=10', pattern: patterns.dilated() },
} as const;
const every = Array.from({ length: blocks }, (_, block) => block);

function trained(workbench: Workbench, arm: keyof typeof arms): Promise<Arm> {
  return trainedArm(workbench, arms[arm].links, workbench.scale === 'full' ? 3000 : 1500);
}

/** Blocks whose content can have come to a block within so many layers. */
function reached(pattern: BlockPattern, block: number, within: number): ReadonlySet<number> {
  return reach(pattern, block + 1, within).at(-1) ?? new Set();
}

/** Items 4 and 5: models that are trained with the links. */
export const trainedClaims: readonly Claim[] = [
  {
    id: '4',
    claimed:
      'trained, 64 blocks of 4, a passkey of 8: power answers ≥ 80 % at depths within reach, a window of equal degree ≥ 80 % within its and ≤ 22.5 % beyond, dilated links ≤ 22.5 % at odd distances; power − window ≥ 25 points over all depths',
    async run(workbench) {
      const [power, window, dilated] = [
        await trained(workbench, 'power'),
        await trained(workbench, 'window'),
        await trained(workbench, 'dilated'),
      ];
      const over = (arm: Arm, of: readonly number[]) => mean(of.map((block) => arm.byBlock[block] ?? 0));
      const within = (arm: keyof typeof arms) =>
        every.filter((one) => reached(arms[arm].pattern, blocks - 1, layers).has(one));
      const [near, nearWindow] = [within('power'), within('window')];
      const beyond = every.filter((block) => !nearWindow.includes(block));
      const odd = every.filter((block) => (blocks - 1 - block) % 2 === 1);
      const measured = {
        ...{ power: over(power, near), reachable: near.length },
        ...{ window: over(window, nearWindow), windowReaches: nearWindow.length, windowBeyond: over(window, beyond) },
        ...{ dilatedOdd: over(dilated, odd), difference: over(power, every) - over(window, every) },
        byBlock: [power, window, dilated].map(({ byBlock }) => byBlock),
        curves: [power, window, dilated].map(({ curve }) => curve),
      };
      return {
        measured,
        holds:
          measured.power >= 0.8 &&
          measured.window >= 0.8 &&
          Math.max(measured.windowBeyond, measured.dilatedOdd) <= chance + 0.1 &&
          measured.difference >= 0.25,
        note: 'Trained on 64, 128 and 256 tokens, a third of the steps each.',
      };
    },
  },
  {
    id: '5',
    claimed:
      'a linear probe for a passkey in block 6: power ≥ 2 × chance in the last block behind the last layer; with a window, within 5 points of chance beyond its reach behind every layer',
    async run(workbench) {
      const [power, window] = [await trained(workbench, 'power'), await trained(workbench, 'window')];
      const last = power.probe[layers]?.[blocks - 1] ?? 0;
      const beyond = Array.from({ length: layers }, (_, i) => {
        const far = every.filter((block) => block > asked && !reached(arms.window.pattern, block, i + 1).has(asked));
        return mean(far.map((block) => window.probe[i + 1]?.[block] ?? Number.NaN));
      });
      return {
        measured: { last, windowBeyond: beyond, power: power.probe, window: window.probe },
        holds: last >= 2 * chance && beyond.every((accuracy) => accuracy <= chance + 0.05),
        note: 'Ridge regression on states averaged over a block; beyond the reach the mean over its blocks, layer by layer.',
      };
    },
  },
];
