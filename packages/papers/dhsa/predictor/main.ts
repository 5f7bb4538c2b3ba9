/**
 * Trains the predictor of boundaries that comes along, on what the embedded model attends to in three books.
 *
 *   node packages/papers/dhsa/predictor/main.ts OUT.safetensors [passages of a book] [epochs] [seed]
 *
 * Passages of 1,024 tokens, of each every third layer, of each layer some gaps: one of them is a step.
 */
import { writeFileSync } from 'node:fs';
import { Random } from '@loci/evaluate';
import { loadModel } from 'loci';
import { type GapExamples, gapExamples, passage } from './examples.ts';
import { writePredictor } from './file.ts';
import { deviceMultiply } from './multiply.ts';
import { hostOf, logitsOf, PredictorTraining, topOverlap } from './train.ts';

const [out, passages = '4', epochs = '3', seed = '1'] = process.argv.slice(2);
if (!out) throw new Error('usage: main.ts OUT.safetensors [passages of a book] [epochs] [seed]');
const books = ['moby-dick', 'frankenstein', 'state-of-the-union-1904'] as const;
const [n, gaps, rate] = [1024, 240, 1e-3] as const;

const model = await loadModel(undefined, { threads: 1 });
const { layers, kvHeads, headSize } = model.arch;
const shape = { c: kvHeads * headSize, heads: 4, w: 4, hidden: 256 } as const;
const random = new Random(`dhsa examples ${seed}`);
const examples: GapExamples[] = [];
const held: GapExamples[] = [];
const read = async (name: string, from: number, first: number, into: GapExamples[], most?: number) => {
  const wanted = Array.from(layers.keys()).filter((layer) => layer % 3 === first % 3);
  const options = most === undefined ? { w: shape.w } : { w: shape.w, most, random };
  into.push(...(await gapExamples(model, passage(model, name, from, n), wanted, options)));
  console.error(`${name} from token ${from}: ${into.length} layers in all`);
};
for (let i = 0; i < Number(passages); i++) {
  for (const [k, name] of books.entries()) {
    // The shortest of the books has some 20,000 tokens.
    await read(name, random.integer(500, name === 'state-of-the-union-1904' ? 14_000 : 60_000), i + k, examples, gaps);
  }
}
await read('dracula', 30_000, 0, held);
const positives = examples.reduce((sum, { labels }) => sum + labels.reduce((all, label) => all + label, 0), 0);
console.error(
  `${examples.length * gaps} gaps, ${((100 * positives) / (examples.length * gaps)).toFixed(1)} % boundaries`,
);

const multiply = deviceMultiply((await hostOf(model)).device);
const training = new PredictorTraining(shape, multiply, `dhsa weights ${seed}`, rate);
const judge = async () => {
  let sum = 0;
  for (const one of held) {
    const logits = await logitsOf(shape, training.parameters, one, multiply);
    sum += topOverlap(logits, one.ratios, Math.floor(n / 16));
  }
  return sum / held.length;
};
console.error(
  `overlap on a book that is not trained on: ${(await judge()).toFixed(3)} before, ${(1 / 16).toFixed(3)} by chance`,
);
for (let epoch = 1; epoch <= Number(epochs); epoch++) {
  let loss = 0;
  for (const one of random.shuffled(examples)) loss += (await training.step(one)) / examples.length;
  console.error(`epoch ${epoch}: loss ${loss.toFixed(4)}, overlap ${(await judge()).toFixed(3)}`);
  const made = `node packages/papers/dhsa/predictor/main.ts OUT ${passages} ${epochs} ${seed}`;
  const facts = { name: model.name, fingerprint: model.fingerprint };
  writeFileSync(out, writePredictor({ shape, model: facts, made, parameters: training.parameters }));
}
await model.close();
