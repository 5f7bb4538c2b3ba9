import { LociError } from '../errors.ts';
import { isFloatType } from './block-types.ts';
import { dataPieces, type TensorData, tensorLengths } from './tensor-data.ts';

export interface SafetensorsContent {
  readonly metadata?: Readonly<Record<string, string>>;
  /** In the order of the file; put larger element types first to keep all of them aligned. */
  readonly tensors: readonly TensorData[];
}

/**
 * The bytes of a safetensors file (Hugging Face `safetensors`, "Format"), piece by piece.
 * @throws LociError `bad-option` for block formats, names that are there twice and data that does not fit its shape.
 */
export async function* writeSafetensors({ metadata, tensors }: SafetensorsContent): AsyncGenerator<Uint8Array> {
  const lengths = tensorLengths(tensors);
  const members: (readonly [string, unknown])[] = metadata === undefined ? [] : [['__metadata__', metadata]];
  let at = 0;
  for (const [i, { name, type, shape }] of tensors.entries()) {
    if (!isFloatType(type)) {
      throw new LociError(
        'bad-option',
        `tensor "${name}": safetensors hold F32, F16 and BF16, not ${type}: write GGUF`,
      );
    }
    if (name === '__metadata__') throw new LociError('bad-option', 'no tensor can be named "__metadata__"');
    members.push([name, { dtype: type, shape, data_offsets: [at, at + lengths[i]!] }]);
    at += lengths[i]!;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(members)));
  // Spaces fill the header so that the data starts at a multiple of eight.
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  yield header;
  for (const [i, tensor] of tensors.entries()) yield* dataPieces(tensor, lengths[i]!);
}
