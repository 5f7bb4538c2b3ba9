import { LociError } from '../errors.ts';

/** A file that could belong to a model; `path` is relative, with `/`. */
export interface Candidate {
  readonly path: string;
  readonly bytes: number;
}

/** The files that make up one model. */
export type ModelFiles =
  | { readonly kind: 'gguf'; readonly path: string }
  /** Safetensors without anything beside them, which may say themselves what they are; `otherwise` is said where they do not. */
  | { readonly kind: 'alone'; readonly path: string; readonly otherwise: string }
  | {
      readonly kind: 'safetensors';
      /** One file, or all shards in order. */
      readonly weights: readonly string[];
      /** `config.json` */
      readonly config: string;
      /** `tokenizer.json` */
      readonly tokenizer: string;
      /** `tokenizer_config.json` */
      readonly tokenizerConfig?: string;
      /** `generation_config.json` */
      readonly generationConfig?: string;
      /** `chat_template.jinja`, where newer models keep what was a field of the tokenizer's configuration. */
      readonly chatTemplate?: string;
    };

export interface ChooseOptions {
  /** What messages call the set of files: a directory or a repository. */
  readonly where: string;
  /** The file the user named, relative like the candidates. */
  readonly file?: string | undefined;
  /** How the user would name another file of the set. */
  readonly nameFile: (path: string) => string;
  /** Whether files can be looked into: then weights alone may be a model. */
  readonly canOpen?: boolean;
}

/**
 * Picks the model in a set of files: the file that was named; or else safetensors weights with their `config.json` and
 * `tokenizer.json`; or else the only GGUF file. Weights in safetensors files lie in the top directory.
 * @returns `undefined` when the set holds no weights at all.
 * @throws LociError `bad-option` when there are several and none is named, `not-found` when the named one, a shard or a
 * companion is missing, `unsupported` for a GGUF model that is split over files.
 */
export function chooseFiles(files: readonly Candidate[], options: ChooseOptions): ModelFiles | undefined {
  const { where, file } = options;
  const ggufs = ggufFiles(files);
  const sets = weightSets(files);
  if (file !== undefined && !files.some(({ path }) => path === file)) {
    const weights = [...ggufs, ...sets.flat()];
    throw new LociError('not-found', `${where} has no file ${file}${listing('; it has', weights, options)}`);
  }
  if (file !== undefined && /\.gguf$/i.test(file)) return wholeGguf(file, where);

  const weights =
    file === undefined ? usualSet(sets, options) : sets.find((set) => set.some(({ path }) => path === file));
  if (weights !== undefined) {
    const missing = ['config.json', 'tokenizer.json'].filter((name) => !files.some(({ path }) => path === name));
    if (missing.length === 0) return safetensors(files, completeSet(weights, where));
    const [only, ...more] = weights;
    if (
      options.canOpen &&
      only &&
      more.length === 0 &&
      missing.length === 2 &&
      (ggufs.length === 0 || file !== undefined)
    ) {
      return { kind: 'alone', path: only.path, otherwise: incomplete(files, missing, where) };
    }
    if (ggufs.length === 0 || file !== undefined) throw new LociError('not-found', incomplete(files, missing, where));
  } else if (file !== undefined) {
    throw new LociError(
      'bad-option',
      `${options.nameFile(file)} is not a model: neither a .gguf nor a .safetensors file`,
    );
  }
  const [only, ...others] = ggufs;
  if (only === undefined) return undefined;
  if (others.length > 0) {
    throw new LociError('bad-option', `${where} has several models${listing('; name one of', ggufs, options)}`);
  }
  return wholeGguf(only.path, where);
}

/** GGUF files that can be a model by themselves: no vision projectors, no importance matrices. */
export function ggufFiles<T extends Candidate>(files: readonly T[]): readonly T[] {
  return files.filter(
    ({ path }) => /\.gguf$/i.test(path) && !/(^|\/)(mmproj|imatrix)[^/]*$|imatrix\.gguf$/i.test(path),
  );
}

/** Every path of a model, the optional ones included. */
export function modelPaths(model: ModelFiles): readonly string[] {
  if (model.kind !== 'safetensors') return [model.path];
  const { weights, config, tokenizer, tokenizerConfig, generationConfig, chatTemplate } = model;
  const optional = [tokenizerConfig, generationConfig, chatTemplate].filter((path) => path !== undefined);
  // The small files first: a model that turns out to be unusable is noticed before gigabytes have come.
  return [config, tokenizer, ...optional, ...weights];
}

/** The paths of a model that its tokenizer is read from: all of a GGUF file, of which only the header is read. */
export function tokenizerPaths(model: ModelFiles): readonly string[] {
  if (model.kind !== 'safetensors') return [model.path];
  return [model.tokenizer, ...(model.tokenizerConfig === undefined ? [] : [model.tokenizerConfig])];
}

/** The same model with every path replaced. */
export function mapPaths(model: ModelFiles, place: (path: string) => string): ModelFiles {
  if (model.kind !== 'safetensors') return { ...model, path: place(model.path) };
  const { tokenizerConfig, generationConfig, chatTemplate } = model;
  return {
    kind: 'safetensors',
    weights: model.weights.map(place),
    config: place(model.config),
    tokenizer: place(model.tokenizer),
    ...(tokenizerConfig === undefined ? {} : { tokenizerConfig: place(tokenizerConfig) }),
    ...(generationConfig === undefined ? {} : { generationConfig: place(generationConfig) }),
    ...(chatTemplate === undefined ? {} : { chatTemplate: place(chatTemplate) }),
  };
}

/** A size for people, in powers of ten. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${units[power]}`;
}

const shardName = /^(.+)-(\d{5})-of-(\d{5})\.(safetensors|gguf)$/i;

/** @throws LociError `unsupported` for a part of a split model. */
export function wholeGguf(path: string, where: string): ModelFiles {
  const [, , , count] = shardName.exec(path) ?? [];
  if (count === undefined || Number(count) === 1) return { kind: 'gguf', path };
  throw new LociError(
    'unsupported',
    `${where}: ${path} is one of ${Number(count)} parts of a model; join them with llama-gguf-split --merge, or take another file`,
  );
}

/** Safetensors files grouped into single files and sets of shards. */
function weightSets(files: readonly Candidate[]): readonly (readonly Candidate[])[] {
  const sets = new Map<string, Candidate[]>();
  for (const file of files) {
    if (!/^[^/]+\.safetensors$/i.test(file.path)) continue;
    const [, stem, , count] = shardName.exec(file.path) ?? [];
    const key = stem === undefined ? file.path : `${stem}/${count}`;
    const set = sets.get(key);
    if (set) set.push(file);
    else sets.set(key, [file]);
  }
  return [...sets.values()];
}

/** `model.safetensors`, or the shards of that name, or the only set there is. */
function usualSet(sets: readonly (readonly Candidate[])[], options: ChooseOptions): readonly Candidate[] | undefined {
  const usual =
    sets.find(([first]) => first?.path === 'model.safetensors') ??
    sets.find(([first]) => first?.path.startsWith('model-') && shardName.test(first.path));
  if (usual === undefined && sets.length > 1) {
    const several = `${options.where} has several sets of weights`;
    throw new LociError('bad-option', `${several}${listing('; name one of', sets.flat(), options)}`);
  }
  return usual ?? sets[0];
}

/** The paths of a set in the order of its shards. */
function completeSet(set: readonly Candidate[], where: string): readonly string[] {
  const paths = set.map(({ path }) => path).sort();
  const [, stem, , count] = shardName.exec(paths[0] ?? '') ?? [];
  if (stem === undefined || count === undefined) return paths;
  for (let i = 1; i <= Number(count); i++) {
    const wanted = `${stem}-${String(i).padStart(5, '0')}-of-${count}.safetensors`;
    if (!paths.includes(wanted)) {
      throw new LociError('not-found', `${where} lacks ${wanted}, one of ${Number(count)} parts of the model`);
    }
  }
  return paths;
}

function safetensors(files: readonly Candidate[], weights: readonly string[]): ModelFiles {
  const has = (name: string) => files.some(({ path }) => path === name);
  return {
    kind: 'safetensors',
    weights,
    config: 'config.json',
    tokenizer: 'tokenizer.json',
    ...(has('tokenizer_config.json') ? { tokenizerConfig: 'tokenizer_config.json' } : {}),
    ...(has('generation_config.json') ? { generationConfig: 'generation_config.json' } : {}),
    ...(has('chat_template.jinja') ? { chatTemplate: 'chat_template.jinja' } : {}),
  };
}

function incomplete(files: readonly Candidate[], missing: readonly string[], where: string): string {
  const sentencePiece = missing.includes('tokenizer.json') && files.some(({ path }) => path === 'tokenizer.model');
  const hint = sentencePiece ? '; its tokenizer.model is not read, convert it or use a GGUF file of the model' : '';
  return `${where} has weights but no ${missing.join(' and no ')}${hint}`;
}

function listing(lead: string, files: readonly Candidate[], { nameFile }: ChooseOptions): string {
  if (files.length === 0) return '';
  return `${lead}\n${files.map(({ path, bytes }) => `  ${nameFile(path)}  (${formatBytes(bytes)})`).join('\n')}`;
}
