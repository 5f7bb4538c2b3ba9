import type { Family, ModelDescription } from './architecture.ts';
import { uniformArchitecture } from './common.ts';

/** Llama 1 to 3 and what is built like them (SmolLM2, Mistral without its window). */
export const llama: Family = {
  names: ['llama'],
  architecture: (model) =>
    uniformArchitecture(model, {
      family: 'llama',
      parts: { biases: hasBiases(model) },
      // GGUF files of this family hold query and key rows reordered, so that neighbouring channels form a pair.
      pairs: model.kind === 'gguf' ? 'neighbours' : 'halves',
    }),
};

/** Neither format has to say it, and a few models built on Llama have them. */
function hasBiases(model: ModelDescription): boolean {
  return model.tensors.has(model.kind === 'gguf' ? 'blk.0.attn_q.bias' : 'model.layers.0.self_attn.q_proj.bias');
}
