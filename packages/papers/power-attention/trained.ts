import { mean, type Workbench } from '@loci/evaluate';
import {
  evaluateOn,
  type LanguageModel,
  openTrainingDevice,
  parametersOf,
  readConfig,
  type TrainResult,
} from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { probeAccuracy } from '../mixing/probe.ts';
import { trainOn } from '../mixing/train-on.ts';
import { passkeyTask } from './task.ts';

export const blocks = 64;
const [length, keys, layers] = [256, 8, 4];

export type Arm = {
  readonly links: string;
  /** Share of right answers with the passkey in each block. */
  readonly byBlock: readonly number[];
  /** With the passkey in block 6: how well it is told from the states of each block behind each layer, the embedding first. */
  readonly probe: readonly (readonly number[])[];
  readonly curve: readonly number[];
  readonly ms: number;
};

/**
 * Four layers of width 64 with four heads and rotary positions, 256 tokens in blocks of 4, trained to answer with the passkey:
 * a third of the steps each on 64, 128 and 256 tokens, of which a batch has as many.
 */
export function trainedArm(workbench: Workbench, links: string, steps: number): Promise<Arm> {
  const mixer = `power-attention:heads=4,block=4,${links}`;
  const configs = [length / 4, length / 2, length].map((tokens) =>
    readConfig({
      task: { name: 'passkey', length: tokens, keys, held: tokens === length ? 32 * blocks : 256 },
      model: { width: 64, layers: Array.from({ length: layers }, () => mixer), feedForward: 4, norm: 'rms' },
      training: { steps: Math.ceil(steps / 3), batch: (8 * length) / tokens, rate: 1e-3, warmUp: 100 },
      evaluateEvery: Math.ceil(steps / 10),
    }),
  );
  return workbench.once(`passkey ${JSON.stringify(configs)}`, async () => {
    let last: TrainResult | undefined;
    const curve: number[] = [];
    for (const [stage, config] of configs.entries()) {
      last = await trainOn(workbench, config, links, {
        ...(last && { from: last.weights }),
        onProgress: ({ step }) => workbench.progress(links, (stage + step / config.training.steps) / configs.length),
      });
      curve.push(...last.validation.map(({ accuracy }) => accuracy));
    }
    if (!last) throw new RangeError('nothing was trained');
    const { testEach, model, weights, ms } = last;
    const byBlock = Array.from({ length: blocks }, (_, block) => mean(testEach.filter((_, i) => i % blocks === block)));
    workbench.progress(`probing ${links}`);
    const probe = await probed(model, weights, workbench.scale === 'full' ? 1200 : 480);
    return { links, byBlock, probe, curve, ms: Math.round(ms) };
  });
}

/** Accuracy of a probe by layer and block; two thirds of the samples are for its training. */
async function probed(model: LanguageModel, weights: ReadonlyMap<string, Float32Array>, samples: number) {
  const [batch, block] = [16, 6];
  const task = passkeyTask({ name: 'passkey', length, keys }, 1);
  const stream = model.residuals(f.input('ids', [batch, length], 'int'), parametersOf(model.specs));
  const pooled = stream.map((x) => f.mean(f.reshape(x, [batch, blocks, length / blocks, -1]), 2));
  const states = pooled.map(() => Array.from({ length: blocks }, () => [] as Float32Array[]));
  const labels: number[] = [];
  const device = await openTrainingDevice(1);
  try {
    for (let from = 0; from < samples; from += batch) {
      const examples = Array.from({ length: batch }, (_, i) => task.example('test', block + blocks * (from + i)));
      const ids = Int32Array.from(examples.flatMap((one) => [...one.ids]));
      labels.push(...examples.map((one) => one.labels[0] ?? 0));
      const outputs = await evaluateOn(device, pooled, { ...Object.fromEntries(weights), ids });
      for (const [layer, output] of outputs.entries()) {
        const width = output.length / (batch * blocks);
        for (let i = 0; i < batch * blocks; i++) {
          states[layer]?.[i % blocks]?.push(Float32Array.from(output.slice(i * width, (i + 1) * width)));
        }
      }
    }
  } finally {
    await device.close();
  }
  const trained = Math.floor((2 * samples) / 3);
  return states.map((layer) => layer.map((rows) => probeAccuracy(rows, labels, keys, trained)));
}
