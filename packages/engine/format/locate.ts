import { LociError } from '../errors.ts';
import {
  formatHubReference,
  type HubListing,
  type HubOptions,
  type HubReference,
  hubFileUrl,
  hubHeaders,
  listRepository,
  parseHubReference,
} from './hub.ts';
import { downloadFile } from './hub-download.ts';
import type { OnProgress } from './hub-progress.ts';
import {
  type Candidate,
  chooseFiles,
  type ModelFiles,
  mapPaths,
  modelPaths,
  tokenizerPaths,
  wholeGguf,
} from './locate-choose.ts';
import { listModels } from './locate-list.ts';
import { nearestNames } from './locate-nearest.ts';
import { filesBelow, filesIn, hubDirectory, type Places, savedListing, saveListing } from './locate-places.ts';

export interface LocateOptions extends Places, HubOptions {
  /** True: nothing is fetched, and what is not on this machine is an error. */
  readonly offline?: boolean | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** What is fetched: `all` (the default), or the files that the tokenizer is read from. */
  readonly part?: 'all' | 'tokenizer' | undefined;
}

/**
 * Finds the files of a model and fetches them when they are on the hub only. A reference is, in this order:
 *
 * - a path to a `.gguf` or `.safetensors` file (the latter with `config.json` and `tokenizer.json` beside it, or from the
 *   laboratory, which writes all into one);
 * - a directory with safetensors weights and those two files, or with exactly one GGUF file;
 * - the name of a bundled model: a directory, or a `.gguf` file, in `modelsDir`;
 * - `owner/name[@revision][:file]` on the hub; `hf:` in front skips the other meanings.
 *
 * A model from the hub stays as it was fetched first: the commit is noted beside the files, and a branch that moves on
 * changes nothing until the directory is deleted.
 *
 * @throws LociError `not-found` with what was tried and similar names; `bad-option` when the reference fits several
 * models, with their sizes; `download-failed`, `aborted` and `unsupported` as `downloadFile` and `chooseFiles` do.
 */
export async function locateModel(reference: string, options: LocateOptions): Promise<ModelFiles> {
  if (reference.trim() === '') {
    throw new LociError('bad-option', 'the model is an empty text; give a path, a name, or owner/name on the hub');
  }
  const local = reference.startsWith('hf:') ? undefined : await locateLocally(reference, options);
  if (local) return local;
  const hub = isPath(reference) ? undefined : parseHubReference(reference);
  if (hub) return locateOnHub(reference, hub, options);
  throw new LociError('not-found', `${await notHere(reference, options)}${await similar(reference, options)}`);
}

async function locateLocally(reference: string, options: LocateOptions): Promise<ModelFiles | undefined> {
  const { store, modelsDir } = options;
  const atPath = await locateAtPath(reference, options);
  if (atPath || /[/\\]/.test(reference) || /^\.+$/.test(reference)) return atPath;
  const bundled = store.join(modelsDir, reference);
  return (await locateAtPath(bundled, options)) ?? (await locateAtPath(`${bundled}.gguf`, options));
}

async function locateAtPath(path: string, { store }: LocateOptions): Promise<ModelFiles | undefined> {
  const found = await store.stat(path);
  if (found?.kind === 'file') {
    if (/\.gguf$/i.test(path)) return wholeGguf(path, path);
    const { directory, name } = store.split(path);
    return chooseIn(directory, await filesIn(store, directory), name, (file) => store.join(directory, file));
  }
  if (found === undefined) return undefined;
  return chooseIn(path, await filesIn(store, path), undefined, (file) => store.join(path, file));
}

function chooseIn(
  where: string,
  files: readonly Candidate[],
  file: string | undefined,
  place: (file: string) => string,
): ModelFiles | undefined {
  const model = chooseFiles(files, { where, file, nameFile: place, canOpen: true });
  return model && mapPaths(model, place);
}

async function locateOnHub(reference: string, hub: HubReference, options: LocateOptions): Promise<ModelFiles> {
  const { store } = options;
  const directory = hubDirectory(options, hub);
  const place = (path: string) => store.join(directory, ...path.split('/'));
  const saved = await savedListing(store, directory);
  const listing = saved ?? (await currentListing(reference, hub, directory, options));
  const model = chooseFiles(listing.files, {
    where: formatHubReference({ repo: hub.repo, revision: hub.revision }),
    file: hub.file,
    nameFile: (file) => formatHubReference({ repo: hub.repo, revision: hub.revision, file }),
  });
  if (model === undefined) {
    throw new LociError('not-found', `${reference}: the repository holds neither GGUF files nor safetensors weights`);
  }
  const paths = options.part === 'tokenizer' ? tokenizerPaths(model) : modelPaths(model);
  const missing = await missingFiles(listing, paths, place, options);
  if (options.offline && missing.length > 0) {
    const names = missing.map(({ path }) => path).join(', ');
    throw new LociError('not-found', `${reference}: ${names} not in ${directory}, and ${offlineHint}`);
  }
  if (missing.length > 0 && saved === undefined) await saveListing(store, directory, listing);
  for (const { path, bytes, sha256, gitBlob } of missing) {
    await downloadFile({
      ...options,
      url: hubFileUrl(listing, path, options),
      headers: hubHeaders(options),
      destination: place(path),
      name: `${hub.repo}/${path}`,
      size: bytes,
      sha256,
      gitBlob,
    });
  }
  return mapPaths(model, place);
}

/** What the repository has: the hub's word, or without it the files that someone has put into the cache. */
async function currentListing(
  reference: string,
  hub: HubReference,
  directory: string,
  options: LocateOptions,
): Promise<HubListing> {
  const here = reference.startsWith('hf:') ? reference : await notHere(reference, options);
  if (options.offline) {
    const files = await filesBelow(options.store, directory);
    if (files.length > 0) return { repo: hub.repo, revision: hub.revision, commit: hub.revision, files };
    const nearest = await similar(reference, options);
    throw new LociError('not-found', `${here}; it is not in ${directory} either, and ${offlineHint}${nearest}`);
  }
  try {
    return await listRepository(hub, options);
  } catch (error) {
    if (!(error instanceof LociError) || error.code === 'aborted') throw error;
    const nearest = error.code === 'not-found' ? await similar(reference, options) : '';
    throw new LociError(error.code, `${here}; as a model on the hub: ${error.message}${nearest}`, { cause: error });
  }
}

async function missingFiles(
  listing: HubListing,
  paths: readonly string[],
  place: (path: string) => string,
  { store }: LocateOptions,
): Promise<HubListing['files']> {
  const missing = [];
  for (const path of paths) {
    const file = listing.files.find((file) => file.path === path);
    if (file && (await store.stat(place(path)))?.bytes !== file.bytes) missing.push(file);
  }
  return missing;
}

const offlineHint = 'nothing is fetched in offline mode (option offline, LOCI_OFFLINE)';

function isPath(reference: string): boolean {
  return /^(\.|\/|~|[A-Za-z]:[/\\])|\\/.test(reference) || /^[^:]*\.(gguf|safetensors)$/i.test(reference);
}

/** Why the reference is nothing on this machine. */
async function notHere(reference: string, { store, modelsDir }: LocateOptions): Promise<string> {
  const found = await store.stat(reference);
  const path =
    found === undefined ? 'no such file or directory' : 'the directory holds no .gguf and no .safetensors file';
  const bundled = /[/\\]/.test(reference) ? '' : `, and no model of that name in ${modelsDir}`;
  return `${reference}: ${path}${bundled}`;
}

async function similar(reference: string, options: LocateOptions): Promise<string> {
  const names = (await listModels(options)).map((model) => model.name);
  const nearest = isPath(reference)
    ? await similarPaths(reference, options)
    : nearestNames(reference.replace(/^hf:/, ''), names);
  return nearest.length === 0 ? '' : `. Did you mean ${nearest.join(' or ')}?`;
}

async function similarPaths(path: string, { store }: LocateOptions): Promise<readonly string[]> {
  const { directory, name } = store.split(path);
  const beside: string[] = [];
  for (const entry of await store.list(directory)) {
    const found = await store.stat(store.join(directory, entry));
    if (found?.kind === 'directory' || /\.(gguf|safetensors)$/i.test(entry)) beside.push(entry);
  }
  return nearestNames(name.replace(/\.(gguf|safetensors)$/i, ''), beside).map((entry) => store.join(directory, entry));
}
