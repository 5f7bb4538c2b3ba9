import { LociError } from '../errors.ts';
import type { ByteSource } from '../platform/types.ts';

/** A file whose bytes are already in memory: a download of a web page, or a test's. Every read is a copy. */
export function memorySource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    async read(offset, length) {
      checkRange(name, bytes.byteLength, offset, length);
      return new Uint8Array(bytes.subarray(offset, offset + length));
    },
    async readInto(offset, target) {
      checkRange(name, bytes.byteLength, offset, target.byteLength);
      target.set(bytes.subarray(offset, offset + target.byteLength));
    },
    async close() {},
  };
}

/** @throws LociError `bad-file` unless `length` bytes at `offset` are inside a file of `size` bytes. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (whole && offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new LociError(
    'bad-file',
    `${name}: ${length} bytes at byte ${offset} are not inside the file, which has ${size}: it may be cut short`,
  );
}
