import type { Mixers } from '../axes/mix.ts';
import { LociError } from '../errors.ts';
import type { Architecture, Family, ModelDescription } from './architecture.ts';
import { gemma3 } from './gemma3.ts';
import { llama } from './llama.ts';
import { isMixed, mixed } from './mixed.ts';
import { qwen2 } from './qwen2.ts';
import { qwen3 } from './qwen3.ts';

const families: readonly Family[] = [llama, qwen2, qwen3, gemma3, mixed];

export { isMixed };

/** Finds the family of a model and lets it describe the architecture. @throws LociError `unsupported`, `bad-file`. */
export function describe(model: ModelDescription, mixers?: Mixers): Architecture {
  const name = model.kind === 'gguf' ? model.metadata.get('general.architecture') : model.config['model_type'];
  const family = families.find(({ names }) => typeof name === 'string' && names.includes(name));
  if (!family) {
    const known = families.flatMap(({ names }) => names).join(', ');
    throw new LociError(
      'unsupported',
      `${model.file}: architecture "${String(name)}" is not supported (known: ${known})`,
    );
  }
  return family.architecture(model, mixers);
}
