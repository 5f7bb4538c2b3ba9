import { loadModel, type Model } from '../../packages/engine/index.ts';
import { serve } from '../protocol.ts';

let model: Model;

serve({
  async load(path, threads) {
    model = await loadModel(path, { threads });
  },
  async open() {
    const session = await model.open();
    return {
      async *generate(ids, tokens) {
        const options = { maxTokens: tokens, temperature: 0, ignoreEnd: true };
        for await (const { id } of session.generate({ ids }, options)) if (id !== undefined) yield id;
      },
      close: async () => session.close(),
    };
  },
});
