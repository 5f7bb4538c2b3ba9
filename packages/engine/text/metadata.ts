import { LociError } from '../errors.ts';
import { StringTable } from '../format/string-table.ts';
import type { MetadataValue } from '../format/types.ts';

/** Reads typed values out of GGUF metadata and names the key of whatever is not as it should be. */
export class MetadataReader {
  readonly file: string;
  readonly #metadata: ReadonlyMap<string, MetadataValue>;

  constructor(metadata: ReadonlyMap<string, MetadataValue>, file: string) {
    this.#metadata = metadata;
    this.file = file;
  }

  string(key: string): string {
    const value = this.#required(key);
    if (typeof value !== 'string') throw this.#wrong(key, 'a string');
    return value;
  }

  optionalString(key: string): string | undefined {
    return this.#metadata.has(key) ? this.string(key) : undefined;
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.#metadata.get(key) ?? fallback;
    if (typeof value !== 'boolean') throw this.#wrong(key, 'true or false');
    return value;
  }

  strings(key: string): StringTable {
    const value = this.#required(key);
    if (value instanceof StringTable) return value;
    if (!Array.isArray(value) || !value.every((item): item is string => typeof item === 'string')) {
      throw this.#wrong(key, 'an array of strings');
    }
    return StringTable.of(value);
  }

  numbers(key: string, length: number): readonly number[] | Float32Array | Int32Array | Uint32Array | Uint8Array {
    const value = this.#required(key);
    const isTyped =
      value instanceof Float32Array ||
      value instanceof Int32Array ||
      value instanceof Uint32Array ||
      value instanceof Uint8Array;
    if (!isTyped && !(Array.isArray(value) && value.every((item): item is number => typeof item === 'number'))) {
      throw this.#wrong(key, 'an array of numbers');
    }
    if (value.length !== length) {
      throw new LociError('bad-file', `${this.file}: ${key} has ${value.length} entries for ${length} tokens`);
    }
    return value;
  }

  optionalNumbers(key: string, length: number): ArrayLike<number> | undefined {
    return this.#metadata.has(key) ? this.numbers(key, length) : undefined;
  }

  /** A token id. Converters write ids beyond the vocabulary for "none", so these count as absent. */
  optionalId(key: string, vocabularySize: number): number | undefined {
    const value = this.#metadata.get(key);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' && typeof value !== 'bigint') throw this.#wrong(key, 'a token id');
    const id = Number(value);
    return Number.isInteger(id) && id >= 0 && id < vocabularySize ? id : undefined;
  }

  #required(key: string): MetadataValue {
    const value = this.#metadata.get(key);
    if (value === undefined) throw new LociError('bad-file', `${this.file}: the metadata lack ${key}`);
    return value;
  }

  #wrong(key: string, expected: string): LociError {
    return new LociError('bad-file', `${this.file}: ${key} is not ${expected}`);
  }
}
