import type { Family } from './architecture.ts';
import { uniformArchitecture } from './common.ts';

/** Llama 1 to 3 and what is built like them (SmolLM2, Mistral without its window). */
export const llama: Family = {
  names: ['llama'],
  architecture: (model) =>
    // GGUF files of this family hold query and key rows reordered, so that neighbouring channels form a pair.
    uniformArchitecture(model, 'llama', 'llama', {}, model.kind === 'gguf' ? 'neighbours' : 'halves'),
};
