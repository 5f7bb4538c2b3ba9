// Writes the text that induction.py reads: ordinary tokens by chance, four times over.
//   node bench/oracles/induction.ts > ids.json
import { loadModel } from '../../packages/engine/index.ts';
import { repeatedTokens } from '../../packages/papers/razor-attention/probe.ts';

const k = 128;
const model = await loadModel();
process.stdout.write(`${JSON.stringify({ k, ids: [...repeatedTokens(model, k, 0)] })}\n`);
await model.close();
