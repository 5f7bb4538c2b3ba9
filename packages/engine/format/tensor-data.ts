import { LociError } from '../errors.ts';
import { tensorBytes } from './block-types.ts';
import type { StoredTensor, TensorType } from './types.ts';

/** A tensor to be written. */
export interface TensorData {
  readonly name: string;
  readonly type: TensorType;
  /** Row-major, the last dimension contiguous. */
  readonly shape: readonly number[];
  /** Its bytes in the format of `type`: at hand, or made in pieces when their turn comes. */
  readonly data: Uint8Array | (() => AsyncIterable<Uint8Array>);
}

const pieceBytes = 2 ** 22;

/** A tensor of a file that is open, to be copied into another. */
export function copyOf(tensor: StoredTensor): TensorData {
  const { name, type, shape, source, offset, byteLength } = tensor;
  async function* data() {
    for (let at = 0; at < byteLength; at += pieceBytes) {
      yield await source.read(offset + at, Math.min(pieceBytes, byteLength - at));
    }
  }
  return { name, type, shape, data };
}

/** Bytes of every tensor. @throws LociError `bad-option` for names that are there twice and for impossible shapes. */
export function tensorLengths(tensors: readonly TensorData[]): readonly number[] {
  const names = new Set<string>();
  return tensors.map(({ name, type, shape, data }) => {
    if (names.has(name)) throw new LociError('bad-option', `there are two tensors named "${name}"`);
    names.add(name);
    if (shape.some((size) => !Number.isSafeInteger(size) || size < 0)) {
      throw new LociError('bad-option', `tensor "${name}" has the shape ${shape.join(' × ')}`);
    }
    const length = tensorBytes(type, shape);
    if (typeof length === 'string') throw new LociError('bad-option', `tensor "${name}": ${length}`);
    if (data instanceof Uint8Array) checkLength(name, data.byteLength, length);
    return length;
  });
}

/** The bytes of a tensor in pieces. @throws LociError `bad-option` when they are not `length` in all. */
export async function* dataPieces({ name, data }: TensorData, length: number): AsyncGenerator<Uint8Array> {
  if (data instanceof Uint8Array) {
    yield data;
    return;
  }
  let done = 0;
  for await (const piece of data()) {
    done += piece.byteLength;
    if (done > length) break;
    yield piece;
  }
  checkLength(name, done, length);
}

function checkLength(name: string, found: number, wanted: number): void {
  if (found !== wanted) {
    throw new LociError('bad-option', `tensor "${name}" comes with ${found} bytes, and its shape needs ${wanted}`);
  }
}

/** All pieces in one array. */
export async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  for await (const piece of pieces) parts.push(piece);
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
