import { LociError } from '../errors.ts';
import type { ModelDescription } from './architecture.ts';

/** Typed access to a model's metadata, whichever file it comes from; every error names the file and the key. */
export interface Numbers {
  /** @throws LociError `bad-file` when the key is missing (and there is no fallback) or is not a finite number. */
  number(key: MetadataKey, fallback?: number): number;
  string(key: MetadataKey): string | undefined;
  /** Per-layer or single value: `head_count_kv` may be an array in GGUF. */
  uniform(key: MetadataKey, fallback?: number): number;
}

/** The key in GGUF (without the architecture's prefix) and in config.json (dots go into nested objects). */
export interface MetadataKey {
  readonly gguf: string;
  readonly config: string;
}

export function numbersOf(model: ModelDescription, prefix: string): Numbers {
  const name = (key: MetadataKey) => (model.kind === 'gguf' ? `${prefix}.${key.gguf}` : key.config);
  const get = (key: MetadataKey): unknown =>
    model.kind === 'gguf' ? model.metadata.get(name(key)) : dig(model.config, key.config.split('.'));
  const fail = (key: MetadataKey, problem: string): never => {
    throw new LociError('bad-file', `${model.file}: "${name(key)}" ${problem}`);
  };
  const finite = (key: MetadataKey, value: unknown): number => {
    if (typeof value === 'bigint') return Number(value);
    if (typeof value !== 'number' || !Number.isFinite(value)) return fail(key, `is ${String(value)}, not a number`);
    return value;
  };
  const number = (key: MetadataKey, fallback?: number): number => {
    const value = get(key) ?? undefined;
    if (value === undefined) return fallback ?? fail(key, 'is missing; the file does not describe a whole model');
    return finite(key, value);
  };
  return {
    number,
    string(key) {
      const value = get(key) ?? undefined;
      return value === undefined || typeof value === 'string' ? value : fail(key, 'is not a string');
    },
    uniform(key, fallback) {
      const value = get(key);
      if (!isList(value)) return number(key, fallback);
      const all = Array.from(value, (one) => finite(key, one));
      if (all.length === 0 || all.some((one) => one !== all[0])) {
        return fail(key, `differs from layer to layer (${all.join(', ')}), which is not supported`);
      }
      return all[0] ?? 0;
    },
  };
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function dig(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? Object.entries(at).find(([k]) => k === key)?.[1] : undefined),
    value,
  );
}
