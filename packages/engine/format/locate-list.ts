import { LociError } from '../errors.ts';
import { formatHubReference, type HubReference } from './hub.ts';
import { type Candidate, chooseFiles, ggufFiles, type ModelFiles, modelPaths } from './locate-choose.ts';
import { filesBelow, filesIn, hubDirectory, type Places, savedListing } from './locate-places.ts';

export interface ListedModel {
  /** What `locateModel` takes. */
  readonly name: string;
  /** The file, or the directory of a model of several files. */
  readonly path: string;
  readonly kind: ModelFiles['kind'];
  /** All its files together. */
  readonly bytes: number;
  readonly source: 'bundled' | 'hub';
}

/** The complete models on this machine: the bundled ones, then what was fetched from the hub. */
export async function listModels(places: Places): Promise<readonly ListedModel[]> {
  return [...(await listBundled(places)), ...(await listCached(places))];
}

async function listBundled({ store, modelsDir }: Places): Promise<readonly ListedModel[]> {
  const models: ListedModel[] = [];
  for (const entry of await store.list(modelsDir)) {
    const path = store.join(modelsDir, entry);
    const found = await store.stat(path);
    if (found?.kind === 'file' && ggufFiles([{ path: entry, bytes: found.bytes }]).length > 0) {
      const name = entry.replace(/\.gguf$/i, '');
      models.push({ name, path, kind: 'gguf', bytes: found.bytes, source: 'bundled' });
    }
    if (found?.kind !== 'directory') continue;
    const files = await filesIn(store, path);
    const nameFile = (file: string) => store.join(path, file);
    for (const model of modelsAmong(files, files, entry, nameFile)) {
      const place = model.kind === 'gguf' ? store.join(path, model.file) : path;
      models.push({ name: model.name, path: place, kind: model.kind, bytes: model.bytes, source: 'bundled' });
    }
  }
  return models;
}

async function listCached(places: Places): Promise<readonly ListedModel[]> {
  const { store } = places;
  const models: ListedModel[] = [];
  for (const reference of await cachedReferences(places)) {
    const directory = hubDirectory(places, reference);
    const files = await filesBelow(store, directory);
    const known = (await savedListing(store, directory))?.files ?? files;
    const nameFile = (file: string) => formatHubReference({ ...reference, file });
    for (const model of modelsAmong(files, known, formatHubReference(reference), nameFile)) {
      const path = model.kind === 'gguf' ? store.join(directory, ...model.file.split('/')) : directory;
      models.push({ name: model.name, path, kind: model.kind, bytes: model.bytes, source: 'hub' });
    }
  }
  return models;
}

async function cachedReferences({ store, cacheDir }: Places): Promise<readonly HubReference[]> {
  const references: HubReference[] = [];
  const hub = store.join(cacheDir, 'hub');
  for (const owner of await store.list(hub)) {
    for (const name of await store.list(store.join(hub, owner))) {
      for (const revision of await store.list(store.join(hub, owner, name))) {
        references.push({ repo: `${owner}/${name}`, revision: decodeRevision(revision) });
      }
    }
  }
  return references;
}

interface Found {
  readonly name: string;
  readonly kind: ModelFiles['kind'];
  /** Of a GGUF model. */
  readonly file: string;
  readonly bytes: number;
}

/**
 * The models that `present` files make up. `known` is what `locateModel` would choose from: a model that it finds by
 * the short name gets that name, the others are named with their file.
 */
function modelsAmong(
  present: readonly Candidate[],
  known: readonly Candidate[],
  shortName: string,
  nameFile: (file: string) => string,
): readonly Found[] {
  const options = { where: shortName, nameFile };
  const usual = attempt(() => chooseFiles(known, options));
  const usualPaths = usual ? modelPaths(usual) : [];
  const found: Found[] = [];
  const weights = attempt(() => chooseFiles(present, options));
  if (weights?.kind === 'safetensors') {
    const paths = modelPaths(weights);
    const bytes = present.reduce((sum, file) => sum + (paths.includes(file.path) ? file.bytes : 0), 0);
    const first = weights.weights[0] ?? '';
    const name = usualPaths.includes(first) ? shortName : nameFile(first);
    found.push({ name, kind: 'safetensors', file: first, bytes });
  }
  for (const { path, bytes } of ggufFiles(present)) {
    if (attempt(() => chooseFiles(present, { ...options, file: path })) === undefined) continue;
    found.push({ name: usualPaths.includes(path) ? shortName : nameFile(path), kind: 'gguf', file: path, bytes });
  }
  return found;
}

/** A set of files that makes no model is left out of the list rather than an error. */
function attempt(choose: () => ModelFiles | undefined): ModelFiles | undefined {
  try {
    return choose();
  } catch (error) {
    if (error instanceof LociError) return undefined;
    throw error;
  }
}

function decodeRevision(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
