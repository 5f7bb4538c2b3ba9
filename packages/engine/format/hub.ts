import { LociError } from '../errors.ts';
import { getJson, type RequestOptions } from './hub-http.ts';

/** A model on the hub, as users write it: `owner/name[@revision][:file.gguf]`. */
export interface HubReference {
  /** `owner/name` */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  readonly file?: string;
}

export interface HubFile {
  /** Path inside the repository, with `/`; never leaves it. */
  readonly path: string;
  readonly bytes: number;
  /** Of large files. */
  readonly sha256?: string;
  /** Of small files: git's own object name. */
  readonly gitBlob?: string;
}

/** The files of one revision. */
export interface HubListing {
  readonly repo: string;
  readonly revision: string;
  /** What `revision` meant when the listing was made; the revision itself when the hub does not tell. */
  readonly commit: string;
  readonly files: readonly HubFile[];
}

export interface HubOptions extends RequestOptions {
  /** Default: the public hub. */
  readonly endpoint?: string | undefined;
  /** Access token for private and gated models; sent to `endpoint` only. */
  readonly token?: string | undefined;
}

const publicHub = 'https://huggingface.co';
const defaultRevision = 'main';
const mostPages = 1000;

/**
 * Reads `[hf:]owner/name[@revision][:file]`.
 * @returns `undefined` when the text has another form; in particular when a part could lead out of a directory.
 */
export function parseHubReference(text: string): HubReference | undefined {
  const match = /^(?:hf:)?(\w[\w.-]*\/\w[\w.-]*)(?:@(\w[\w.+/-]*))?(?::(.+))?$/.exec(text);
  const [, repo, revision = defaultRevision, file] = match ?? [];
  if (repo === undefined || revision.includes('..') || (file !== undefined && !isInside(file))) return undefined;
  return { repo, revision, ...(file === undefined ? {} : { file }) };
}

/** The shortest text that `parseHubReference` reads as this reference. */
export function formatHubReference({ repo, revision, file }: HubReference): string {
  const at = revision === defaultRevision ? '' : `@${revision}`;
  return `${repo}${at}${file === undefined ? '' : `:${file}`}`;
}

/**
 * Asks the hub which files a revision has (`GET /api/models/{repo}/tree/{revision}?recursive=true`, all pages).
 * @throws LociError `not-found` when there is no such repository or revision; `download-failed` when the hub cannot be
 * reached, refuses, or answers with something else than a listing, such as paths that lead out of the repository.
 */
export async function listRepository(reference: HubReference, options: HubOptions): Promise<HubListing> {
  const { repo, revision } = reference;
  const request = { ...options, headers: hubHeaders(options) };
  const api = `${hubEndpoint(options)}/api/models/${repo}`;
  const commit = (await findCommit(`${api}/revision/${encodeURIComponent(revision)}`, request)) ?? revision;
  const first = `${api}/tree/${encodeURIComponent(commit)}?recursive=true`;
  const files: HubFile[] = [];
  const seen = new Set<string>();
  for (let url: string | undefined = first; url !== undefined; ) {
    if (seen.size === mostPages || seen.has(url))
      throw new LociError('download-failed', `${first}: the list never ends`);
    seen.add(url);
    const { body, headers } = await getJson(url, request);
    if (!Array.isArray(body)) throw new LociError('download-failed', `${url}: the answer is not a list of files`);
    for (const entry of body) {
      const file = readEntry(entry, url);
      if (file) files.push(file);
    }
    url = nextPage(headers.get('link'), url);
  }
  return { repo, revision, commit, files };
}

/** The address of a file's bytes. */
export function hubFileUrl(listing: HubListing, path: string, options: HubOptions): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `${hubEndpoint(options)}/${listing.repo}/resolve/${encodeURIComponent(listing.commit)}/${encoded}`;
}

export function hubHeaders({ token, headers }: HubOptions): Record<string, string> {
  return { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
}

/** @throws LociError `bad-option` when the endpoint is not an http or https address. */
export function hubEndpoint({ endpoint }: HubOptions): string {
  const base = (endpoint || publicHub).replace(/\/+$/, '');
  if (/^https?:/i.test(base) && URL.canParse(base)) return base;
  throw new LociError('bad-option', `the hub's address "${base}" is not an http or https address; correct HF_ENDPOINT`);
}

/** Reads back what `JSON.stringify` made of a listing; `undefined` when the text is anything else. */
export function readListing(text: string | undefined): HubListing | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) return undefined;
    const { repo, revision, commit, files } = value;
    if (typeof repo !== 'string' || typeof revision !== 'string' || typeof commit !== 'string') return undefined;
    if (!Array.isArray(files)) return undefined;
    return { repo, revision, commit, files: files.map((file) => checkedFile(file, 'the listing')) };
  } catch {
    return undefined;
  }
}

/** True when a relative path stays inside its directory on every operating system. */
export function isInside(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\\\u0000-\u001f\u007f]/.test(path) || /^[A-Za-z]:/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

async function findCommit(url: string, request: RequestOptions): Promise<string | undefined> {
  try {
    const { body } = await getJson(url, request);
    const commit = isRecord(body) ? body['sha'] : undefined;
    return typeof commit === 'string' && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined;
  } catch (error) {
    // Simple mirrors have no such address; the listing itself then says whether the revision exists.
    if (error instanceof LociError && error.code === 'not-found') return undefined;
    throw error;
  }
}

function readEntry(entry: unknown, url: string): HubFile | undefined {
  if (isRecord(entry) && entry['type'] === 'directory') return undefined;
  if (!isRecord(entry)) throw new LociError('download-failed', `${url}: an entry of the list is not an object`);
  const { path, size, oid, lfs } = entry;
  if (isRecord(lfs)) {
    const sha256 = typeof lfs['oid'] === 'string' ? lfs['oid'].replace(/^sha256:/, '') : lfs['oid'];
    return checkedFile({ path, bytes: lfs['size'] ?? size, sha256 }, url);
  }
  // Repositories whose git uses SHA-256 have longer names; those are left unchecked.
  const gitBlob = typeof oid === 'string' && oid.length === 40 ? oid : undefined;
  return checkedFile({ path, bytes: size, gitBlob }, url);
}

function checkedFile(value: unknown, where: string): HubFile {
  const { path, bytes, sha256, gitBlob } = isRecord(value) ? value : {};
  if (typeof path !== 'string' || !isInside(path)) {
    throw new LociError(
      'download-failed',
      `${where}: the file name ${JSON.stringify(path)} leads out of the repository`,
    );
  }
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new LociError('download-failed', `${where}: ${path} has the size ${JSON.stringify(bytes)}`);
  }
  if (sha256 !== undefined && !(typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256))) {
    throw new LociError('download-failed', `${where}: ${path} has the sha256 ${JSON.stringify(sha256)}`);
  }
  if (gitBlob !== undefined && !(typeof gitBlob === 'string' && /^[0-9a-f]{40}$/.test(gitBlob))) {
    throw new LociError('download-failed', `${where}: ${path} has the git blob ${JSON.stringify(gitBlob)}`);
  }
  return { path, bytes, ...(sha256 === undefined ? {} : { sha256 }), ...(gitBlob === undefined ? {} : { gitBlob }) };
}

/** Only the query of the next page is taken over: a mirror passes on links to the original, and the token stays here. */
function nextPage(link: string | null, url: string): string | undefined {
  const target = link?.match(/<([^>]+)>\s*;[^,]*\brel="?next"?/)?.[1];
  if (target === undefined || !URL.canParse(target, url)) return undefined;
  const next = new URL(url);
  next.search = new URL(target, url).search;
  return next.href;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
