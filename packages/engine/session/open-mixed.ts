import { LociError } from '../errors.ts';
import { readMixed } from '../format/mixed-file.ts';
import type { ByteSource } from '../platform/types.ts';
import { byteTokenizer, idTokenizer } from '../text/plain-tokenizers.ts';
import type { Tokenizer } from '../text/types.ts';
import type { OpenedFiles } from './open-files.ts';

/** A safetensors file that says itself what it is. @throws LociError `not-found` with `otherwise` where it does not. */
export async function openMixed(source: ByteSource, otherwise: string): Promise<Omit<OpenedFiles, 'name' | 'close'>> {
  const file = await readMixed(source);
  if (!file) throw new LociError('not-found', otherwise);
  const { config, tensors, seal } = file;
  return {
    description: { kind: 'config', file: source.name, config, tensors },
    tokenizer: async () => tokenizerOf(config, source.name),
    chatTemplate: undefined,
    fingerprint: async () => seal,
  };
}

function tokenizerOf({ tokens, vocabulary }: Readonly<Record<string, unknown>>, file: string): Tokenizer {
  if (tokens === 'bytes') return byteTokenizer();
  if (tokens === 'ids' && typeof vocabulary === 'number') return idTokenizer(vocabulary);
  throw new LociError('bad-file', `${file}: "tokens" is ${JSON.stringify(tokens)}, not "bytes" or "ids"`);
}
