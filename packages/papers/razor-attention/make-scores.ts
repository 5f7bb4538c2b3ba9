// Writes the scores of the embedded model that come along: node packages/papers/razor-attention/make-scores.ts
import { writeFileSync } from 'node:fs';
import { loadModel } from 'loci';
import { inductionScores } from './probe.ts';

const model = await loadModel();
const scores = await inductionScores(model);
const file = new URL(`../heads/assets/${scores.model.name}.${scores.made.method}.json`, import.meta.url);
writeFileSync(file, `${JSON.stringify(scores)}\n`);
await model.close();
