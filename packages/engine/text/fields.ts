import { LociError } from '../errors.ts';

/** A JSON object whose fields are not known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads fields out of a parsed JSON file and names the path of whatever is not as it should be. */
export class FieldReader {
  readonly #value: JsonObject;
  readonly #path: string;

  /** @throws LociError `bad-file` when the value is not an object. */
  constructor(value: unknown, path: string) {
    if (!isObject(value)) throw new LociError('bad-file', `${path} is not an object`);
    this.#value = value;
    this.#path = path;
  }

  /** The field as it is; `undefined` also for null, which these files use for "none". */
  get(name: string): unknown {
    return Object.hasOwn(this.#value, name) ? (this.#value[name] ?? undefined) : undefined;
  }

  entries(): [name: string, value: unknown][] {
    return Object.entries(this.#value);
  }

  object(name: string): FieldReader {
    return new FieldReader(this.get(name), `${this.#path}.${name}`);
  }

  array(name: string): readonly unknown[] {
    const value = this.get(name);
    if (!Array.isArray(value)) throw this.wrong(name, 'an array');
    return value;
  }

  objects(name: string): FieldReader[] {
    return this.array(name).map((value, index) => new FieldReader(value, `${this.#path}.${name}[${index}]`));
  }

  string(name: string): string {
    const value = this.get(name);
    if (typeof value !== 'string') throw this.wrong(name, 'a string');
    return value;
  }

  optionalString(name: string): string | undefined {
    return this.get(name) === undefined ? undefined : this.string(name);
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'boolean') throw this.wrong(name, 'true or false');
    return value;
  }

  count(name: string): number {
    const value = this.get(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw this.wrong(name, 'a count');
    return value;
  }

  wrong(name: string, expected: string): LociError {
    return new LociError('bad-file', `${this.#path}.${name} is not ${expected}`);
  }

  unsupported(name: string): LociError {
    const shown = JSON.stringify(this.get(name))?.slice(0, 200);
    return new LociError('unsupported', `${this.#path}.${name} is ${shown}, which Loci does not know`);
  }
}
