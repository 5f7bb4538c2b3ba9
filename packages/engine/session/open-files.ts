import { LociError } from '../errors.ts';
import type { ModelDescription } from '../families/architecture.ts';
import { dequantize } from '../format/blocks.ts';
import { readGguf } from '../format/gguf-read.ts';
import type { ModelFiles } from '../format/locate-choose.ts';
import type { StoredTensor } from '../format/types.ts';
import type { ByteSource } from '../platform/types.ts';
import { tokenizerFromGguf, tokenizerSteps } from '../text/from-gguf.ts';
import { inTurns } from '../text/steps.ts';
import type { Tokenizer } from '../text/types.ts';
import { openMixed } from './open-mixed.ts';
import { openSafetensors, readTokenizer } from './open-safetensors.ts';
import type { Platform } from './platform.ts';

/**
 * A model's files, opened and understood, before its weights are read. What takes long comes
 * when it is asked for.
 */
export interface OpenedFiles {
  readonly name: string;
  readonly description: ModelDescription;
  /** Builds the tokenizer. @throws LociError `bad-file`, `unsupported`. */
  readonly tokenizer: () => Promise<Tokenizer>;
  /** A Jinja template that turns messages into a prompt. */
  readonly chatTemplate: string | undefined;
  /** SHA-256 over the tensor list and samples of the weights. */
  readonly fingerprint: () => Promise<string>;
  close(): Promise<void>;
}

/** Opens the files of a model and reads everything but the weights. @throws LociError `bad-file`, `unsupported`, `not-found`. */
export async function openFiles(platform: Platform, name: string, files: ModelFiles): Promise<OpenedFiles> {
  const sources: ByteSource[] = [];
  const open = async (path: string) => {
    const source = await platform.open(path);
    sources.push(source);
    return source;
  };
  const close = async () => {
    await Promise.all(sources.map((source) => source.close()));
  };
  try {
    if (files.kind === 'alone') return { name, ...(await openMixed(await open(files.path), files.otherwise)), close };
    const opened =
      files.kind === 'gguf' ? await openGguf(await open(files.path)) : await openSafetensors(platform, files, open);
    return { name, ...opened, fingerprint: () => fingerprint(opened.description.tensors), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The tokenizer of a model; nothing but it, and the header it lies in, is read. @throws LociError as `openFiles`. */
export async function openTokenizer(platform: Platform, files: ModelFiles): Promise<Tokenizer> {
  if (files.kind === 'safetensors') return readTokenizer(platform, files);
  const source = await platform.open(files.path);
  try {
    if (files.kind === 'alone') return await (await openMixed(source, files.otherwise)).tokenizer();
    return tokenizerFromGguf((await readGguf(source)).metadata, source.name);
  } finally {
    await source.close();
  }
}

async function openGguf(source: ByteSource): Promise<Omit<OpenedFiles, 'name' | 'fingerprint' | 'close'>> {
  const { metadata, tensors } = await readGguf(source);
  const factors = tensors.get('rope_freqs.weight');
  const template = metadata.get('tokenizer.chat_template');
  const description: ModelDescription = {
    kind: 'gguf',
    file: source.name,
    metadata,
    tensors,
    ...(factors && { ropeFactors: await readVector(factors) }),
  };
  return {
    description,
    tokenizer: () => inTurns(tokenizerSteps(metadata, source.name)),
    chatTemplate: typeof template === 'string' ? template : undefined,
  };
}

async function readVector({ type, shape, source, offset, byteLength, name }: StoredTensor): Promise<Float32Array> {
  if (shape.length !== 1) throw new LociError('bad-file', `${source.name}: tensor "${name}" is not a vector`);
  return dequantize(type, await source.read(offset, byteLength), shape[0] ?? 0);
}

const sampleBytes = 4096;

/** The same weights give the same fingerprint; all of them are not hashed, since that would take longer than loading. */
async function fingerprint(tensors: ReadonlyMap<string, StoredTensor>): Promise<string> {
  // All reads at once: hundreds of small ones, one after the other, would wait longer than they read.
  const parts = await Promise.all(
    Array.from(tensors.values(), async ({ name, type, shape, source, offset, byteLength }) => [
      new TextEncoder().encode(JSON.stringify([name, type, shape, byteLength])),
      await source.read(offset + Math.floor(byteLength / 2), Math.min(sampleBytes, Math.ceil(byteLength / 2))),
    ]),
  );
  const hash = await crypto.subtle.digest('SHA-256', await new Blob(parts.flat()).arrayBuffer());
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
