import { readFileSync } from 'node:fs';
import { Random } from '@loci/evaluate';
import { LociError, loadModel, type Model } from 'loci';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boundaryReference } from '../../../kernels/gaps/reference.ts';
import { parseMethod } from '../../registry.ts';
import { chunkAttend } from '../attend.ts';
import { PredictedCutting } from './cutting.ts';
import { gapExamples } from './examples.ts';
import { namedPredictor, readPredictor, writePredictor } from './file.ts';
import { deviceMultiply } from './multiply.ts';
import { initialParameters, multiplyReference, parameterNames } from './network.ts';
import { hostOf, logitsOf, PredictorTraining, topOverlap } from './train.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel(undefined, { threads: 1 });
  const book = readFileSync(new URL('../../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 43_000);
  ids = model.tokenizer.encode(book, { special: 'text' });
});
afterAll(() => model.close());

const facts = () => ({ name: model.name, fingerprint: model.fingerprint });

test('the kernels find the boundaries of the definition, and sessions are cut there', async () => {
  const random = new Random('predictor on the device');
  const shape = { c: 192, heads: 4, w: 4, hidden: 64 } as const;
  const parameters = initialParameters(shape, () => random.real());
  const [last] = [parameters['mlp.2.weight']];
  for (const i of last.keys()) last[i] = 4 * (last[i] ?? 0);
  const file = { shape, model: facts(), made: 'by chance', parameters };
  const predicting = { chunk: 16, threshold: -0.2, reach: 8, share: 30 };
  const opened: PredictedCutting[] = [];
  const text = ids.slice(0, 150);
  const options = { budget: 5000, block: 64, local: 16, global: 4, instruction: 20, open: 64, length: 'root' } as const;
  const attend = chunkAttend({ axis: 'attend', name: 'predicted', spec: 'predicted' }, options, (host) => {
    const cutting = new PredictedCutting(host, file, predicting);
    opened.push(cutting);
    return cutting;
  });
  const session = await model.open({ attend, store: 'f32' });
  await session.prefill({ ids: text });
  const logits = opened[0]?.logits(text.length) ?? new Float32Array();
  const attended = JSON.parse(JSON.stringify(session.attended));
  session.close();

  const [examples] = await gapExamples(model, text, [0], { w: 4 });
  if (!examples) throw new Error('no examples');
  const expected = await logitsOf(shape, parameters, examples, multiplyReference);
  for (const [i, gap] of examples.gaps.entries()) {
    expect(Math.abs((logits[gap] ?? Number.NaN) - (expected[i] ?? 0)), `gap ${gap}`).toBeLessThan(2e-3);
  }
  const cut = boundaryReference(logits, { w: 4, threshold: -0.2, reach: 8, most: 9, together: 20 });
  expect(attended.ends).toEqual([cut]);
  expect(cut.length).toBeGreaterThan(2);
});

test('products on the device are those of the definition, and a few steps learn a few examples', async () => {
  const multiply = deviceMultiply((await hostOf(model)).device);
  const random = new Random('products');
  const rows = (count: number, columns: number) => {
    return { rows: count, columns, values: Float64Array.from({ length: count * columns }, () => random.real() - 0.5) };
  };
  const [a, b] = [rows(13, 27), rows(21, 27)];
  const [ours, wanted] = [await multiply(a, b), await multiplyReference(a, b)];
  expect(Math.max(...ours.map((value, i) => Math.abs(value - (wanted[i] ?? 0))))).toBeLessThan(1e-5);
  const [examples] = await gapExamples(model, ids.slice(0, 90), [3], { w: 4 });
  if (!examples) throw new Error('no examples');
  const training = new PredictorTraining({ c: 192, heads: 4, w: 4, hidden: 32 }, multiply, 'test', 3e-3);
  const losses: number[] = [];
  for (let step = 0; step < 25; step++) losses.push(await training.step(examples));
  expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] ?? 0));
  const after = await logitsOf(training.shape, training.parameters, examples, multiply);
  expect(topOverlap(after, examples.ratios, 20)).toBeGreaterThan(0.3);
});

test('a predictor is read as it was written, in halves', () => {
  const random = new Random('file');
  const shape = { c: 16, heads: 2, w: 3, hidden: 5 } as const;
  const parameters = initialParameters(shape, () => random.real());
  const read = readPredictor(writePredictor({ shape, model: facts(), made: 'here', parameters }));
  expect({ ...read, parameters: null }).toEqual({ shape, model: facts(), made: 'here', parameters: null });
  for (const name of parameterNames) {
    expect(Math.max(...read.parameters[name].map((x, i) => Math.abs(x - (parameters[name][i] ?? 0))))).toBeLessThan(
      1e-3,
    );
  }
  expect(() => readPredictor(new Uint8Array(40))).toThrow(LociError);
});

test('a predictor of another model is refused by name', async () => {
  const { shape, parameters } = namedPredictor('bundled');
  expect(shape).toEqual({ c: 192, heads: 4, w: 4, hidden: 256 });
  const other = { shape, parameters, made: '', model: { name: 'other-135m', fingerprint: 'x' } };
  const host = await hostOf(model);
  const predicting = { chunk: 16, threshold: 1.1, reach: 8, share: 1 };
  expect(() => new PredictedCutting(host, other, predicting)).toThrow(
    /trained for other-135m, with keys of 192 numbers/,
  );
  const session = await model.open({ attend: parseMethod.attend('dhsa:budget=64,local=16,global=4,share=10') });
  const { ids: answer } = await session.complete({ ids: ids.slice(0, 300) }, { maxTokens: 4, ignoreEnd: true });
  session.close();
  expect(answer).toHaveLength(4);
  expect(() => parseMethod.attend('dhsa:predictor=nowhere')).toThrow(
    /predictor is "nowhere"; it must be bundled or a file/,
  );
});
