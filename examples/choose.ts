// Chooses between answers by their probability, without generating: candidates share the prompt's cache.
import { loadModel } from 'loci';

const model = await loadModel();
const session = await model.open();
const candidates = [' Paris', ' London', ' a loaf of bread'];
const ids = candidates.map((candidate) => model.tokenizer.encode(candidate, { special: 'text' }));
const losses = await session.scoreContinuations('The capital of France is', ids);
for (const [i, candidate] of candidates.entries()) {
  const nats = losses[i]?.reduce((sum, loss) => sum + loss, 0) ?? Number.NaN;
  console.log(`${nats.toFixed(2)} nats ${candidate}`);
}
await model.close();
