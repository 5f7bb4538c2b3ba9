import { readFileSync } from 'node:fs';
import { pearson } from '@loci/evaluate';
import { loadModel } from 'loci';
import { expect, test } from 'vitest';
import type { HeadScores } from '../heads/scores.ts';
import { retrievalScores } from './head-probe.ts';

const path = new URL('../heads/assets/smollm2-135m-instruct.retrieval-head.json', import.meta.url);
const bundled = JSON.parse(readFileSync(path, 'utf8')) as HeadScores;

test('the scores that come along belong to the embedded model, and are found again in three texts', async () => {
  const model = await loadModel();
  try {
    expect(bundled.model).toEqual({ name: model.name, fingerprint: model.fingerprint });
    expect(bundled.made).toMatchObject({ settings: { command: 'loci heads --probe retrieval-head' }, seed: 0 });
    const { scores } = await retrievalScores.measure(model, { cases: 3, seed: 5 });
    expect(scores.map(({ length }) => length)).toEqual(bundled.scores.map(({ length }) => length));
    expect(pearson(scores.flat(), bundled.scores.flat())).toBeGreaterThan(0.7);
  } finally {
    await model.close();
  }
});
