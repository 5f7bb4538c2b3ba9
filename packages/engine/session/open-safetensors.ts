import { LociError } from '../errors.ts';
import { isRecord } from '../format/json-members.ts';
import type { ModelFiles } from '../format/locate-choose.ts';
import { readShards } from '../format/safetensors-shards.ts';
import type { ByteSource } from '../platform/types.ts';
import { tokenizerFromJson } from '../text/from-json.ts';
import type { Tokenizer } from '../text/types.ts';
import type { OpenedFiles } from './open-files.ts';
import type { Platform } from './platform.ts';

type SafetensorsFiles = Extract<ModelFiles, { kind: 'safetensors' }>;

/** A directory in the layout of Hugging Face: weights, config.json, tokenizer.json and what goes with them. */
export async function openSafetensors(
  platform: Platform,
  files: SafetensorsFiles,
  open: (path: string) => Promise<ByteSource>,
): Promise<Omit<OpenedFiles, 'name' | 'fingerprint' | 'close'>> {
  const config = await readJson(platform, files.config);
  if (!isRecord(config)) throw new LociError('bad-file', `${files.config}: this is not a JSON object`);
  const tokenizerConfig = await readTokenizerConfig(platform, files);
  const tokenizer = await readJson(platform, files.tokenizer);
  const tensors = await readShards(files.weights, open);
  return {
    description: { kind: 'config', file: files.config, config, tensors },
    tokenizer: async () => tokenizerFromJson(tokenizer, tokenizerConfig),
    chatTemplate: await chatTemplate(platform, files, tokenizerConfig),
  };
}

/** The tokenizer alone: neither the weights nor config.json need be there. */
export async function readTokenizer(platform: Platform, files: SafetensorsFiles): Promise<Tokenizer> {
  return tokenizerFromJson(await readJson(platform, files.tokenizer), await readTokenizerConfig(platform, files));
}

async function readTokenizerConfig(platform: Platform, files: SafetensorsFiles): Promise<unknown> {
  return files.tokenizerConfig === undefined ? undefined : readJson(platform, files.tokenizerConfig);
}

async function chatTemplate(platform: Platform, files: SafetensorsFiles, config: unknown): Promise<string | undefined> {
  if (files.chatTemplate !== undefined) return platform.files.readText(files.chatTemplate);
  const template = isRecord(config) ? config['chat_template'] : undefined;
  return typeof template === 'string' ? template : undefined;
}

async function readJson(platform: Platform, path: string): Promise<unknown> {
  const text = await platform.files.readText(path);
  if (text === undefined) throw new LociError('not-found', `${path}: there is no such file`);
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LociError('bad-file', `${path}: this is not JSON: ${reason}`, { cause: error });
  }
}
