import { LociError } from '../errors.ts';
import type { ModelDescription } from './architecture.ts';

/** The key in GGUF (without the architecture's prefix) and in config.json (dots go into nested objects). */
export interface MetadataKey {
  readonly gguf: string;
  readonly config: string;
}

/**
 * Typed access to a model's metadata, whichever file it comes from. A key that is missing or null gives the fallback, or
 * LociError `bad-file` without one; so does a value of another type. Every error names the file and the key.
 */
export interface Numbers {
  has(key: MetadataKey): boolean;
  number(key: MetadataKey, fallback?: number): number;
  /** A number above 0. */
  positive(key: MetadataKey, fallback?: number): number;
  /** A size: a whole number from 1 to 2^24, or a list of equal ones (GGUF may have one per layer). */
  size(key: MetadataKey, fallback?: number): number;
  string(key: MetadataKey): string | undefined;
  flag(key: MetadataKey): boolean | undefined;
  list(key: MetadataKey): readonly unknown[] | undefined;
  /** A LociError about a key. */
  error(key: MetadataKey, problem: string, code?: 'bad-file' | 'unsupported'): LociError;
}

const largestSize = 2 ** 24;

export function numbersOf(model: ModelDescription, prefix: string): Numbers {
  const name = (key: MetadataKey) => (model.kind === 'gguf' ? `${prefix}.${key.gguf}` : key.config);
  const get = (key: MetadataKey): unknown =>
    (model.kind === 'gguf' ? model.metadata.get(name(key)) : dig(key, key.config.split('.'))) ?? undefined;
  const error: Numbers['error'] = (key, problem, code = 'bad-file') =>
    new LociError(code, `${model.file}: "${name(key)}" ${problem}`);
  const dig = (key: MetadataKey, path: readonly string[]): unknown => {
    let at: unknown = model.kind === 'config' ? model.config : undefined;
    for (const [depth, step] of path.entries()) {
      if (at === undefined || at === null) return undefined;
      if (typeof at !== 'object' || Array.isArray(at)) {
        throw error({ ...key, config: path.slice(0, depth).join('.') }, `is ${show(at)}, not an object`);
      }
      at = Object.entries(at).find(([member]) => member === step)?.[1];
    }
    return at;
  };
  const finite = (key: MetadataKey, value: unknown): number => {
    if (typeof value === 'bigint') return Number(value);
    if (typeof value !== 'number' || !Number.isFinite(value)) throw error(key, `is ${show(value)}, not a number`);
    return value;
  };
  const orFallback = (key: MetadataKey, value: unknown, fallback: number | undefined): number => {
    if (value !== undefined) return finite(key, value);
    if (fallback !== undefined) return fallback;
    throw error(key, 'is missing: the file does not describe a whole model');
  };
  const optional = <T>(key: MetadataKey, kind: string, is: (value: unknown) => value is T): T | undefined => {
    const value = get(key);
    if (value === undefined || is(value)) return value;
    throw error(key, `is ${show(value)}, not ${kind}`);
  };
  return {
    has: (key) => get(key) !== undefined,
    number: (key, fallback) => orFallback(key, get(key), fallback),
    positive(key, fallback) {
      const value = orFallback(key, get(key), fallback);
      if (value <= 0) throw error(key, `is ${value}, and must be more than 0`);
      return value;
    },
    size(key, fallback) {
      const value = get(key);
      const all = isList(value) ? Array.from(value, (one) => finite(key, one)) : [orFallback(key, value, fallback)];
      const [first] = all;
      if (first === undefined) throw error(key, 'is an empty list');
      if (all.some((one) => one !== first)) {
        throw error(key, `differs from layer to layer (${all.join(', ')}), which is not supported`, 'unsupported');
      }
      if (!Number.isInteger(first) || first < 1 || first > largestSize) throw error(key, `is ${first}, not a size`);
      return first;
    },
    string: (key) => optional(key, 'a string', (value) => typeof value === 'string'),
    flag: (key) => optional(key, 'true or false', (value) => typeof value === 'boolean'),
    list(key) {
      const list = optional(key, 'a list', isList);
      return list && Array.from(list);
    },
    error,
  };
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** A value in a message; metadata may be long. */
function show(value: unknown): string {
  const text = typeof value === 'object' ? (JSON.stringify(value) ?? '') : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
