/**
 * What the engine needs from its host. Everything outside `platform/` is written against these interfaces and imports
 * nothing from `node:`, so that the same engine runs in a web page.
 */

/** Random access to the bytes of one file, wherever it lies. */
export interface ByteSource {
  /** What error messages call it: a path or an address. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * Reads exactly `length` bytes at `offset`.
   * @throws LociError `bad-file` when the range is not inside the file.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Reads as many bytes as `target` has, which may lie in shared memory.
   * @throws LociError `bad-file` when the range is not inside the file.
   */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** What lies at a path. */
export interface FileStat {
  readonly kind: 'file' | 'directory';
  /** Length in bytes; of no meaning for a directory. */
  readonly bytes: number;
}

/** A file that only grows at its end, such as the unfinished part of a download. */
export interface GrowingFile {
  /** Length in bytes. */
  readonly size: number;
  /** Writes the whole chunk at the end. Errors of the host (a full disk, a read-only one) pass through unchanged. */
  append(chunk: Uint8Array): Promise<void>;
  /** The bytes already there, first to last; a chunk is valid until the next one is asked for. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Cuts the file to no bytes. */
  empty(): Promise<void>;
  /** Makes the bytes survive a loss of power. */
  sync(): Promise<void>;
  /** Closing twice is allowed. */
  close(): Promise<void>;
}

/** Bytes beside memory, for as long as the process lives. */
export interface ScratchFile {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * Reads as many bytes as `target` has, which may lie in shared memory.
   * @throws LociError `bad-file` when they were never written.
   */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface StreamingHash {
  update(chunk: Uint8Array): void;
  /** Lower-case hexadecimal; the hash cannot be used afterwards. */
  hex(): string;
}

/** Held by one process at a time; a process that dies gives it up. */
export interface FileLock {
  /** Aborts, with a LociError as its reason, when the lock was taken away after all. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** A tree of files that outlives the process: where models are looked up and downloads are kept. */
export interface FileStore {
  /** Joins parts of a path in the host's own notation. */
  join(...parts: readonly string[]): string;
  /** The opposite: the directory that a path lies in, and its last part. */
  split(path: string): { readonly directory: string; readonly name: string };
  /** `undefined` when nothing is there. */
  stat(path: string): Promise<FileStat | undefined>;
  /** Sorted names of what a directory holds; none when there is no such directory. */
  list(directory: string): Promise<readonly string[]>;
  /** `undefined` when there is no such file. */
  readText(path: string): Promise<string | undefined>;
  /** Replaces the file in one step, so that no reader sees half of it; directories are made as needed. */
  writeText(path: string, text: string): Promise<void>;
  /** Opens a file for appending; it and its directories are made as needed. */
  openGrowing(path: string): Promise<GrowingFile>;
  /** Moves a file in one step, over the one that is there. */
  rename(from: string, to: string): Promise<void>;
  /** Deletes a file; nothing happens when there is none. */
  remove(path: string): Promise<void>;
  hash(algorithm: 'sha1' | 'sha256'): StreamingHash;
  /**
   * Waits until no other process holds `path` and then holds it. `onWait` is called several times a second meanwhile.
   * @throws LociError `aborted` when `signal` fires first.
   */
  lock(path: string, options: LockOptions): Promise<FileLock>;
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onWait?: (() => Promise<void> | void) | undefined;
}
