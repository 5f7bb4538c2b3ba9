import type { Workbench } from '@loci/evaluate';
import { readConfig } from '@loci/lab';
import { trainOn } from '../mixing/train-on.ts';
import { scatteredRecallTask } from './task.ts';

const [block, length] = [4, 128];

export type Arm = {
  readonly layers: readonly string[];
  /** One question after another of the test split: whether it was answered, the block it stands in and those that tell its value. */
  readonly answers: readonly { readonly right: boolean; readonly from: number; readonly to: readonly number[] }[];
  readonly accuracy: number;
  readonly rate: number;
  readonly steps: number;
  readonly curve: readonly number[];
  readonly ms: number;
};

/** The second is tried where the first does not end in `solved`: a rate that is too high never leaves the plateau of guessing. */
const rates = [4e-3, 2e-3];
const solved = 0.99;

/**
 * 128 tokens in blocks of 4, 16 pairs and 8 questions, at width 128, behind a convolution of two taps that binds a value to its
 * key. Without it, or with 16 pairs in every training example, not even dense attention learns (docs/laboratory.md).
 */
export async function trainedArm(workbench: Workbench, attention: readonly string[], steps: number): Promise<Arm> {
  const arms: Arm[] = [];
  const validated = ({ curve }: Arm) => curve.at(-1) ?? 0;
  for (const rate of rates) {
    const arm = await atRate(workbench, attention, steps, rate);
    if (validated(arm) >= solved) return arm;
    arms.push(arm);
  }
  return arms.reduce((best, arm) => (validated(arm) > validated(best) ? arm : best));
}

function atRate(workbench: Workbench, attention: readonly string[], steps: number, rate: number): Promise<Arm> {
  const task = { name: 'scattered-recall', length, fewest: 1, examples: 1_000_000 } as const;
  const config = readConfig({
    task,
    model: { width: 128, layers: ['base-conv:taps=2', ...attention], norm: 'rms' },
    training: { steps, batch: 16, rate, warmUp: 200, schedule: 'cooldown' },
    evaluateEvery: 500,
    until: solved,
  });
  return workbench.once(`scattered recall ${JSON.stringify(config)}`, async () => {
    const { testEach, test, validation, steps, ms } = await trainOn(
      workbench,
      config,
      `${attention.join(' ')} at ${rate}`,
    );
    const asked = scatteredRecallTask(task, config.seed);
    const answers = testEach.map((share, i) => {
      const { positions, pairs } = asked.example('test', i);
      const blockOf = (position: number) => Math.floor(position / block);
      const [question = 0, key = 0] = [positions[0], pairs[0]];
      // The convolution hands a value on to the token behind it.
      return { right: share === 1, from: blockOf(question), to: [blockOf(key + 1), blockOf(key + 2)] };
    });
    const curve = validation.map(({ accuracy }) => accuracy);
    return { layers: [...attention], answers, accuracy: test.accuracy, rate, steps, curve, ms: Math.round(ms) };
  });
}
