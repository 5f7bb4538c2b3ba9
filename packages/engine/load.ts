import type { OnProgress } from './format/hub-progress.ts';
import { locateModel } from './format/locate.ts';
import type { ModelFiles } from './format/locate-choose.ts';
import { type ListedModel, listModels as list } from './format/locate-list.ts';
import { nodePlatform } from './platform/node.ts';
import { nodePlaces } from './platform/node-places.ts';
import { type LoadOptions, Model } from './session/model.ts';
import { openFiles, openTokenizer } from './session/open-files.ts';
import type { Tokenizer } from './text/types.ts';

/** The bundled model. */
export const defaultModel = 'smollm2-135m-instruct';

/** Where models come from. */
export interface LocateModelOptions {
  /** Never fetches anything; also set by the environment variable LOCI_OFFLINE. */
  readonly offline?: boolean;
  /** Where fetched models are kept; by default LOCI_CACHE, or ~/.cache/loci. */
  readonly cacheDir?: string;
  readonly onDownload?: OnProgress;
  readonly signal?: AbortSignal;
}

export interface LoadModelOptions extends LoadOptions, LocateModelOptions {}

/**
 * Loads a model: a path to a GGUF or safetensors file, a directory, the name of a bundled model, or `owner/name[:file]`
 * on the hub, which is fetched once.
 * @throws LociError `not-found`, `bad-file`, `unsupported`, `bad-option`, `download-failed`, `out-of-memory`, `aborted`.
 */
export async function loadModel(reference: string = defaultModel, options: LoadModelOptions = {}): Promise<Model> {
  const files = await locate(reference, options);
  return Model.load(nodePlatform, () => openFiles(nodePlatform, reference, files), options);
}

/**
 * Loads the tokenizer of a model and nothing else: of a GGUF file only the header is read, of a directory only
 * tokenizer.json and tokenizer_config.json, and of safetensors on the hub only these two are fetched.
 * @throws LociError `not-found`, `bad-file`, `unsupported`, `bad-option`, `download-failed`, `aborted`.
 */
export async function loadTokenizer(
  reference: string = defaultModel,
  options: LocateModelOptions = {},
): Promise<Tokenizer> {
  return openTokenizer(nodePlatform, await locate(reference, options, 'tokenizer'));
}

function locate(
  reference: string,
  options: LocateModelOptions,
  part: 'all' | 'tokenizer' = 'all',
): Promise<ModelFiles> {
  const { offline, cacheDir, onDownload, signal } = options;
  return locateModel(reference, {
    ...nodePlaces(),
    part,
    ...(offline !== undefined && { offline }),
    ...(cacheDir !== undefined && { cacheDir }),
    ...(onDownload && { onProgress: onDownload }),
    ...(signal && { signal }),
  });
}

/** The models on this machine: bundled ones and those fetched before. */
export function listModels(): Promise<readonly ListedModel[]> {
  return list(nodePlaces());
}
