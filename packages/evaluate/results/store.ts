import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { LociError } from 'loci';

/** What JSON can say. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** "Loci" in ASCII: marks a database as a store of results. */
const applicationId = 0x4c6f6369;
const version = 1;
/** How long one process waits until another has written. */
const patienceMs = 30_000;

/**
 * Results by the key of what they depend on, in a file: a comparison that was stopped goes on where it was. What `put` has
 * returned from stays, whatever happens to the process; several processes may use a file at the same time.
 */
export class ResultStore {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #get: StatementSync;
  readonly #put: StatementSync;

  /**
   * Opens a file of results, or makes one.
   * @throws LociError `bad-file` when the file is damaged or something else, or cannot be opened.
   */
  constructor(path: string) {
    this.path = path;
    this.#database = this.#named(() => new DatabaseSync(path, { timeout: patienceMs }));
    try {
      this.#named(() => this.#prepare());
      this.#get = this.#named(() => this.#database.prepare('SELECT value FROM result WHERE key = ?'));
      this.#put = this.#named(() => this.#database.prepare('INSERT OR REPLACE INTO result (key, value) VALUES (?, ?)'));
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** The result under a key. @throws LociError `bad-file` when the file was damaged meanwhile. */
  get(key: string): Json | undefined {
    return this.#named(() => {
      const value = this.#get.get(key)?.['value'];
      if (typeof value !== 'string') return undefined;
      const parsed: Json = JSON.parse(value);
      return parsed;
    });
  }

  /**
   * Keeps a result, in place of the one that was there. Numbers that JSON lacks (NaN, infinities) become null.
   * @throws LociError `bad-file` when it cannot be written.
   */
  put(key: string, value: Json): void {
    this.#named(() => this.#put.run(key, JSON.stringify(value)));
  }

  close(): void {
    this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(): void {
    // A journal of its own that is gone after each write, and not a write-ahead log: results come seconds apart, and the
    // file is whole at any time, to be copied.
    this.#database.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
    try {
      const found = { application: this.#pragma('application_id'), version: this.#pragma('user_version') };
      const isEmpty = this.#database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
      if (isEmpty && found.application === 0 && found.version === 0) {
        this.#database.exec(`
          CREATE TABLE result (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
          PRAGMA application_id = ${applicationId};
          PRAGMA user_version = ${version};
        `);
      } else if (found.application !== applicationId) {
        throw this.#refusal('it is a database of something else; name another file');
      } else if (found.version !== version) {
        throw this.#refusal(`it has version ${found.version}, this program writes ${version}; name another file`);
      } else if (this.#pragma('quick_check') !== 'ok') {
        throw this.#refusal('it is damaged; delete it to compute the results anew');
      }
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #pragma(name: string): unknown {
    return Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  }

  /** Runs something with the database whose errors name the file. */
  #named<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof LociError) throw error;
      throw this.#refusal(error instanceof Error ? error.message : String(error), { cause: error });
    }
  }

  #refusal(reason: string, options?: ErrorOptions): LociError {
    return new LociError('bad-file', `${this.path} cannot be used as a store of results: ${reason}`, options);
  }
}
