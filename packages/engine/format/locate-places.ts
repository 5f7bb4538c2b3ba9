import type { FileStore } from '../platform/types.ts';
import { type HubListing, type HubReference, readListing } from './hub.ts';
import type { Candidate } from './locate-choose.ts';

/** Where models lie. */
export interface Places {
  readonly store: FileStore;
  /** A directory per bundled model, named after it; or `<name>.gguf`. */
  readonly modelsDir: string;
  /** Downloads: `<cacheDir>/hub/<owner>/<name>/<revision>/<file>`. */
  readonly cacheDir: string;
}

const listingName = 'hub-listing.json';
const deepest = 6;

/** The directory of one revision; a slash in its name is written `%2F`. */
export function hubDirectory({ store, cacheDir }: Places, { repo, revision }: HubReference): string {
  return store.join(cacheDir, 'hub', ...repo.split('/'), encodeURIComponent(revision));
}

/** What the hub said about a revision when its first file was fetched. */
export async function savedListing(store: FileStore, directory: string): Promise<HubListing | undefined> {
  return readListing(await store.readText(store.join(directory, listingName)));
}

export function saveListing(store: FileStore, directory: string, listing: HubListing): Promise<void> {
  return store.writeText(store.join(directory, listingName), `${JSON.stringify(listing, null, 1)}\n`);
}

/** Files in a directory, with their sizes. */
export async function filesIn(store: FileStore, directory: string): Promise<readonly Candidate[]> {
  const files: Candidate[] = [];
  for (const name of await store.list(directory)) {
    const found = await store.stat(store.join(directory, name));
    if (found?.kind === 'file') files.push({ path: name, bytes: found.bytes });
  }
  return files;
}

/** Files in a directory and the ones below it; paths are relative, with `/`. */
export async function filesBelow(store: FileStore, directory: string, depth = 0): Promise<readonly Candidate[]> {
  const files: Candidate[] = [];
  for (const name of await store.list(directory)) {
    const path = store.join(directory, name);
    const found = await store.stat(path);
    if (found?.kind === 'file') files.push({ path: name, bytes: found.bytes });
    if (found?.kind !== 'directory' || depth === deepest) continue;
    for (const below of await filesBelow(store, path, depth + 1)) {
      files.push({ path: `${name}/${below.path}`, bytes: below.bytes });
    }
  }
  return files;
}
