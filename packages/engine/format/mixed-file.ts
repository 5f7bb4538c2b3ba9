/**
 * A model in one safetensors file: its configuration stands in the metadata (`config`, JSON), and `seal` there is the
 * SHA-256 of it and of all tensors.
 */
import { LociError } from '../errors.ts';
import type { MixedConfig } from '../families/mixed.ts';
import type { ByteSource } from '../platform/types.ts';
import { isRecord } from './json-members.ts';
import { readSafetensors } from './safetensors-read.ts';
import { writeSafetensors } from './safetensors-write.ts';
import type { StoredTensor } from './types.ts';

export interface MixedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly numbers: Float32Array<ArrayBuffer>;
}

export interface MixedFile {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly seal: string;
}

/** The bytes of the file, piece by piece. */
export async function* writeMixed(config: MixedConfig, tensors: readonly MixedTensor[]): AsyncGenerator<Uint8Array> {
  const text = JSON.stringify(config);
  const data = tensors.map(({ name, shape, numbers }) => ({
    ...{ name, shape, type: 'F32' as const },
    data: new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength),
  }));
  const seal = await sealOf(
    text,
    data.map(({ name, data }) => [name, async () => data] as const),
  );
  yield* writeSafetensors({ metadata: { config: text, seal }, tensors: data });
}

/**
 * Reads what `writeMixed` wrote, all of it: such models are small.
 * @returns undefined for safetensors that do not say what model they are.
 * @throws LociError `bad-file` for a file that is damaged.
 */
export async function readMixed(source: ByteSource): Promise<MixedFile | undefined> {
  const { metadata, tensors } = await readSafetensors(source);
  const [text, seal] = [metadata.get('config'), metadata.get('seal')];
  if (text === undefined || !text.startsWith('{')) return undefined;
  const parts = Array.from(
    tensors.values(),
    ({ name, offset, byteLength }) => [name, () => source.read(offset, byteLength)] as const,
  );
  const found = await sealOf(text, parts);
  if (found !== seal) {
    throw new LociError('bad-file', `${source.name}: the file is damaged: its numbers are not those that were written`);
  }
  const config: unknown = JSON.parse(text);
  if (!isRecord(config)) throw new LociError('bad-file', `${source.name}: its configuration is not a JSON object`);
  return { config, tensors, seal: found };
}

type Part = readonly [name: string, bytes: () => Promise<Uint8Array<ArrayBuffer>>];

async function sealOf(config: string, parts: readonly Part[]): Promise<string> {
  const hash = async (bytes: Uint8Array<ArrayBuffer>) =>
    Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('');
  const lines = [config];
  for (const [name, bytes] of [...parts].sort(([a], [b]) => (a < b ? -1 : 1)))
    lines.push(`${name} ${await hash(await bytes())}`);
  return hash(new TextEncoder().encode(lines.join('\n')));
}
