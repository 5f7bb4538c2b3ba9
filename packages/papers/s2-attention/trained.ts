import type { Workbench } from '@loci/evaluate';
import { readConfig } from '@loci/lab';
import { trainOn } from '../mixing/train-on.ts';
import { scatteredRecallTask } from './task.ts';

const [block, length] = [4, 128];
export const blocks = length / block;

export type Arm = {
  readonly layers: readonly string[];
  /** One question after another of the test split: whether it was answered, and the blocks of it and of the value asked for. */
  readonly answers: readonly { readonly right: boolean; readonly from: number; readonly to: number }[];
  readonly accuracy: number;
  readonly curve: readonly number[];
  readonly ms: number;
};

/** Width 64 and rotary positions, 128 tokens in blocks of 4, 16 pairs and 8 questions; no feed-forward parts. */
export function trainedArm(workbench: Workbench, layers: readonly string[], steps: number): Promise<Arm> {
  const task = { name: 'scattered-recall', length } as const;
  const config = readConfig({
    task,
    model: { width: 64, layers: [...layers], norm: 'rms' },
    training: { steps, batch: 16, rate: 1e-3, warmUp: 100 },
    evaluateEvery: Math.ceil(steps / 10),
  });
  return workbench.once(`scattered recall ${JSON.stringify(config)}`, async () => {
    const { testEach, test, validation, ms } = await trainOn(workbench, config, layers.join(' '));
    const asked = scatteredRecallTask(task, config.seed);
    const answers = testEach.map((share, i) => {
      const { positions, pairs } = asked.example('test', i);
      const blockOf = (position = 0) => Math.floor(position / block);
      return { right: share === 1, from: blockOf(positions[0]), to: blockOf((pairs[0] ?? 0) + 1) };
    });
    const curve = validation.map(({ accuracy }) => accuracy);
    return { layers: [...layers], answers, accuracy: test.accuracy, curve, ms: Math.round(ms) };
  });
}
