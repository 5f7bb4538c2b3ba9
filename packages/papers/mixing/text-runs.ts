import type { Workbench } from '@loci/evaluate';
import { evaluateOn, type LanguageModel, openTrainingDevice, parametersOf, readConfig, textTask } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { trainOn } from './train-on.ts';

/** A language model over the bytes of the bundled books: width 128, about a million parameters with 5 layers. */
export interface TextRun {
  readonly layers: readonly string[];
  readonly positions?: 'none' | 'learned';
  readonly norm?: 'layer' | 'rms';
  readonly seed?: number;
  readonly steps: number;
}

export type TextResult = {
  readonly layers: readonly string[];
  readonly loss: number;
  readonly parameters: number;
  readonly ms: number;
  /** Mean loss by stretches of positions, where asked for. */
  readonly byPosition: readonly number[];
};

/** Trains on 256 bytes at a time; `readLength` also reads test pieces of that length, and gives losses by stretches of 128. */
export function trainedOnText(workbench: Workbench, run: TextRun, readLength = 0): Promise<TextResult> {
  const { layers, positions = 'none', norm = 'rms', seed = 0, steps } = run;
  const config = readConfig({
    seed,
    task: { name: 'text', length: 256 },
    model: { width: 128, layers: [...layers], feedForward: 4, positions, norm },
    training: { steps, batch: 16, rate: 2e-3, warmUp: Math.ceil(steps / 20), least: 0.1 },
  });
  return workbench.once(`text ${readLength} ${JSON.stringify(config)}`, async () => {
    const { test, parameters, ms, model, weights } = await trainOn(
      workbench,
      config,
      `${layers.join(' ')}, seed ${seed}`,
    );
    const byPosition = readLength === 0 ? [] : await lossesByPosition(model, weights, readLength);
    return { layers: [...layers], loss: test.loss, parameters, ms: Math.round(ms), byPosition };
  });
}

async function lossesByPosition(
  model: LanguageModel,
  weights: ReadonlyMap<string, Float32Array>,
  length: number,
): Promise<readonly number[]> {
  const [pieces, stretch] = [16, 128];
  const task = textTask({ name: 'text', length, held: pieces }, 1);
  const logits = model.logits(
    f.input('ids', [1, length], 'int'),
    f.input('rows', [length], 'int'),
    parametersOf(model.specs),
  );
  const loss = f.crossEntropy(logits, f.input('labels', [length], 'int'));
  const sums = new Array<number>(length / stretch).fill(0);
  const device = await openTrainingDevice(1);
  try {
    for (let i = 0; i < pieces; i++) {
      const { ids, positions: rows, labels } = task.example('test', i);
      const [losses = []] = await evaluateOn(device, [loss], { ...Object.fromEntries(weights), ids, rows, labels });
      for (const [at, one] of [...losses].entries()) {
        const where = Math.floor(at / stretch);
        sums[where] = (sums[where] ?? 0) + one / (stretch * pieces);
      }
    }
  } finally {
    await device.close();
  }
  return sums;
}
