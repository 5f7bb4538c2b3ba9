import { expect, test } from 'vitest';
import { smallAdam, smallBatch, smallModel, smallShape } from '../testing/small.ts';
import { openTrainingDevice } from '../wasm/device.ts';
import golden from './golden/training.json' with { type: 'json' };
import { Learner } from './learner.ts';

test('losses, gradients and parameters of four steps are those of PyTorch in float64', async () => {
  const device = await openTrainingDevice(2);
  try {
    const learner = new Learner(device, smallModel(), smallShape, 0);
    const batch = smallBatch();
    for (const [i, { loss, gradient }] of golden.steps.entries()) {
      expect(await learner.differentiate(batch, 1 / batch.labels.length, false)).toBeCloseTo(loss, 5);
      expect(await learner.update(i + 1, smallAdam)).toBeCloseTo(gradient, 4);
    }
    const { parameters } = learner.state();
    for (const [name, numbers] of Object.entries(golden.parameters)) {
      for (const [i, should] of numbers.entries()) {
        expect(Math.abs((parameters.get(name)?.[i] ?? Number.NaN) - should), `${name}[${i}]`).toBeLessThan(2e-5);
      }
    }
  } finally {
    await device.close();
  }
});
