import type { OnProgress } from './format/hub-progress.ts';
import { locateModel } from './format/locate.ts';
import { type ListedModel, listModels as list } from './format/locate-list.ts';
import { nodePlatform } from './platform/node.ts';
import { nodePlaces } from './platform/node-places.ts';
import { type LoadOptions, Model } from './session/model.ts';
import { openFiles } from './session/open-files.ts';

/** The bundled model. */
export const defaultModel = 'smollm2-135m-instruct';

export interface LoadModelOptions extends LoadOptions {
  /** Never fetches anything; also set by the environment variable LOCI_OFFLINE. */
  readonly offline?: boolean;
  /** Where fetched models are kept; by default LOCI_CACHE, or ~/.cache/loci. */
  readonly cacheDir?: string;
  readonly onDownload?: OnProgress;
}

/**
 * Loads a model: a path to a GGUF or safetensors file, a directory, the name of a bundled model, or `owner/name[:file]`
 * on the hub, which is fetched once.
 * @throws LociError `not-found`, `bad-file`, `unsupported`, `bad-option`, `download-failed`, `out-of-memory`, `aborted`.
 */
export async function loadModel(reference: string = defaultModel, options: LoadModelOptions = {}): Promise<Model> {
  const { offline, cacheDir, onDownload, signal } = options;
  const files = await locateModel(reference, {
    ...nodePlaces(),
    ...(offline !== undefined && { offline }),
    ...(cacheDir !== undefined && { cacheDir }),
    ...(onDownload && { onProgress: onDownload }),
    ...(signal && { signal }),
  });
  const opened = await openFiles(nodePlatform, reference, files);
  try {
    return await Model.load(nodePlatform, opened, options);
  } finally {
    await opened.close();
  }
}

/** The models on this machine: bundled ones and those fetched before. */
export function listModels(): Promise<readonly ListedModel[]> {
  return list(nodePlaces());
}
