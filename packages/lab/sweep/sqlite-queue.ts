import { DatabaseSync } from 'node:sqlite';
import { LociError } from 'loci';
import { z } from 'zod';
import type { Job, JobReport, Queue } from './queue.ts';

/** "LocQ" in ASCII: marks a database as a queue. */
const applicationId = 0x4c6f6351;
/** How long one process waits until another has written. */
const patienceMs = 30_000;

const row = z.object({
  id: z.string(),
  work: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'failed']),
  result: z.string().nullable(),
  error: z.string().nullable(),
});

/** What jobs and their results are, so that what a file says can be trusted. */
export interface QueueSchemas<T, R> {
  readonly work: z.ZodType<T>;
  readonly result: z.ZodType<R>;
}

/** A queue in an SQLite file, which any number of processes of one machine may have open. */
export class SqliteQueue<T, R> implements Queue<T, R> {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #schemas: QueueSchemas<T, R>;
  readonly #now: () => number;

  /** @throws LociError `bad-file` when the file is something else, or cannot be opened. */
  constructor(path: string, schemas: QueueSchemas<T, R>, now: () => number = Date.now) {
    this.#path = path;
    this.#schemas = schemas;
    this.#now = now;
    try {
      this.#database = new DatabaseSync(path, { timeout: patienceMs });
      this.#prepare();
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  async add(jobs: readonly Job<T>[]): Promise<void> {
    const insert = this.#database.prepare('INSERT OR IGNORE INTO job (id, work) VALUES (?, ?)');
    this.#transaction(() => {
      for (const { id, work } of jobs) insert.run(id, JSON.stringify(work));
    });
  }

  async take(owner: string, leaseMs: number): Promise<Job<T> | undefined> {
    // One statement: of two processes that ask at once, one gets the job.
    const found = this.#database
      .prepare(
        `UPDATE job SET state = 'running', owner = ?, until = ? WHERE number = (
           SELECT number FROM job WHERE state = 'waiting' OR (state = 'running' AND until <= ?) ORDER BY number LIMIT 1
         ) RETURNING id, work, state, result, error`,
      )
      .get(owner, this.#now() + leaseMs, this.#now());
    if (!found) return undefined;
    const { id, work } = row.parse(found);
    return { id, work: this.#schemas.work.parse(JSON.parse(work)) };
  }

  async renew(id: string, owner: string, leaseMs: number): Promise<boolean> {
    const statement = this.#database.prepare(
      `UPDATE job SET until = ? WHERE id = ? AND owner = ? AND state = 'running'`,
    );
    return statement.run(this.#now() + leaseMs, id, owner).changes === 1;
  }

  async finish(id: string, owner: string, end: { readonly result: R } | { readonly error: string }): Promise<boolean> {
    const statement = this.#database.prepare(
      `UPDATE job SET state = ?, result = ?, error = ? WHERE id = ? AND owner = ? AND state = 'running'`,
    );
    const values =
      'result' in end ? (['done', JSON.stringify(end.result), null] as const) : (['failed', null, end.error] as const);
    return statement.run(...values, id, owner).changes === 1;
  }

  async release(id: string, owner: string): Promise<void> {
    this.#database
      .prepare(`UPDATE job SET state = 'waiting' WHERE id = ? AND owner = ? AND state = 'running'`)
      .run(id, owner);
  }

  async list(): Promise<readonly JobReport<T, R>[]> {
    const rows = this.#database.prepare('SELECT id, work, state, result, error FROM job ORDER BY number').all();
    return rows.map((found) => {
      const { id, work, state, result, error } = row.parse(found);
      return {
        ...{ id, state, work: this.#schemas.work.parse(JSON.parse(work)) },
        ...(result !== null && { result: this.#schemas.result.parse(JSON.parse(result)) }),
        ...(error !== null && { error }),
      };
    });
  }

  close(): void {
    this.#database.close();
  }

  #prepare(): void {
    this.#transaction(() => {
      const application = Object.values(this.#database.prepare('PRAGMA application_id').get() ?? {})[0];
      const isEmpty = this.#database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
      if (application === applicationId) return;
      if (!isEmpty) throw new Error('it is a database of something else');
      this.#database.exec(`
        CREATE TABLE job (
          number INTEGER PRIMARY KEY,
          id TEXT NOT NULL UNIQUE,
          work TEXT NOT NULL,
          state TEXT NOT NULL DEFAULT 'waiting',
          owner TEXT,
          until INTEGER NOT NULL DEFAULT 0,
          result TEXT,
          error TEXT
        ) STRICT;
        PRAGMA application_id = ${applicationId};
      `);
    });
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #refusal(error: unknown): LociError {
    const reason = error instanceof Error ? error.message : String(error);
    return new LociError('bad-file', `${this.#path} cannot be used as a queue: ${reason}`, { cause: error });
  }
}
