/**
 * Prompts with a needle for retrieval-head.py, which records what PyTorch's attention looks at while it answers.
 *
 *     node bench/oracles/retrieval-head.ts | python bench/oracles/retrieval-head.py > packages/papers/retrieval-head/golden/smollm2.json
 */
import { loadModel } from '../../packages/loci/index.ts';
import { instances, promptOf } from '../../packages/papers/retrieval-head/instances.ts';

const model = await loadModel();
const cases = [...instances(model, { count: 4, lengths: [256], haystack: 'moby-dick', seed: 1 })].slice(1, 3);
process.stdout.write(
  JSON.stringify(
    cases.map((one) => {
      const { ids, value } = promptOf(one);
      return { id: one.id, ids: [...ids], value: [value.start, value.end], answer: [...one.answer] };
    }),
  ),
);
await model.close();
