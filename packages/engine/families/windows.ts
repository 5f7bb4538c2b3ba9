import type { MetadataKey, Numbers } from './numbers.ts';

const typesKey: MetadataKey = { gguf: '', config: 'layer_types' };

/**
 * Whether config.json's `layer_types` gives a layer a window; undefined without that list.
 * @throws LociError `bad-file` for a list that does not reach the layer, `unsupported` for other kinds of layers.
 */
export function listedAsWindowed(numbers: Numbers, layer: number): boolean | undefined {
  const types = numbers.list(typesKey);
  if (!types) return undefined;
  const type = types[layer];
  if (type === undefined) throw numbers.error(typesKey, `has ${types.length} entries, and there is a layer ${layer}`);
  if (type === 'sliding_attention') return true;
  if (type === 'full_attention') return false;
  throw numbers.error(typesKey, `has a layer "${String(type)}", which is not supported`, 'unsupported');
}
