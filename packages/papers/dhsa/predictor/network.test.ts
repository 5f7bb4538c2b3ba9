import { Random } from '@loci/evaluate';
import { expect, test } from 'vitest';
import { backward, focalLoss, forward, initialParameters, multiplyReference, parameterNames } from './network.ts';

const shape = { c: 8, heads: 2, w: 2, hidden: 6 } as const;
const focal = { gamma: 2, positiveWeight: 1.3 } as const;

test('gradients are those of central differences', async () => {
  const random = new Random('gradients');
  const next = () => random.real();
  const parameters = initialParameters(shape, next);
  const windows = Float64Array.from({ length: 5 * 4 * shape.c }, () => 2 * next() - 1);
  const labels = [1, 0, 0, 1, 0];
  const lossOf = async () => {
    const { logits } = await forward(shape, parameters, windows, multiplyReference);
    return focalLoss(logits, labels, focal).loss;
  };
  const pass = await forward(shape, parameters, windows, multiplyReference);
  const { slopes } = focalLoss(pass.logits, labels, focal);
  const gradients = await backward(shape, parameters, pass, slopes, multiplyReference);
  for (const name of parameterNames) {
    const values = parameters[name];
    for (let k = 0; k < 12; k++) {
      const i = Math.floor(next() * values.length);
      const was = values[i] ?? 0;
      const step = 1e-5;
      values[i] = was + step;
      const above = await lossOf();
      values[i] = was - step;
      const below = await lossOf();
      values[i] = was;
      expect(Math.abs((gradients[name][i] ?? Number.NaN) - (above - below) / (2 * step)), name).toBeLessThan(1e-7);
    }
  }
});

test('the focal loss of what is known for sure is nothing, and without focus it is cross-entropy', () => {
  expect(focalLoss(Float64Array.of(40, -40), [1, 0], focal).loss).toBeCloseTo(0, 12);
  const { loss } = focalLoss(Float64Array.of(0.3, -0.2), [1, 0], { gamma: 0, positiveWeight: 1 });
  expect(loss).toBeCloseTo((Math.log1p(Math.exp(-0.3)) + Math.log1p(Math.exp(-0.2))) / 2, 12);
});
