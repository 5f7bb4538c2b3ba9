import { type Device, Encoder } from '@loci/device';
import { type Packable, pack, packables } from '@loci/kernels';
import type { StoredTensor, TensorType } from '../format/types.ts';

/** Rows of a matrix as they lie in a file, and where they go. */
export interface Piece {
  readonly tensor: StoredTensor;
  readonly type: Packable;
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
  /** Address of the packed rows. */
  readonly out: number;
}

interface PieceRead {
  readonly piece: Piece;
  /** One word for the kernel to report in. */
  readonly fault: Int32Array;
  readonly source: Uint8Array;
  readonly read: Promise<void>;
}

/** A buffer in device memory for pieces that are packed together. */
interface Batch {
  address: number;
  /** Room, and how much of it is taken. */
  bytes: number;
  used: number;
  pieces: PieceRead[];
  /** What was in it before is packed. */
  done: Promise<void>;
}

const headBytes = 64;
/** Small matrices wait for one another: a turn of the event loop for each would take longer than packing it. */
const batchBytes = 2 ** 21;

/** The type by the kernel's name, if the kernel takes rows of so many columns of it. */
export function packable(type: TensorType, columns: number): Packable | undefined {
  return columns % 32 === 0 ? packables.find((one) => one === type) : undefined;
}

/** Packs pieces on the device's threads, while the next ones are read. */
export class Packer {
  readonly #device: Device;
  readonly #check: (piece: Piece, source: Uint8Array) => void;
  readonly #batches: Batch[];
  #turn = 0;

  /** `check` throws what is to be said of rows in which a scale or an element is not finite. */
  constructor(device: Device, check: (piece: Piece, source: Uint8Array) => void) {
    this.#device = device;
    this.#check = check;
    this.#batches = Array.from({ length: 2 }, () => ({
      address: 0,
      bytes: 0,
      used: 0,
      pieces: [],
      done: Promise.resolve(),
    }));
  }

  /** Begins to read a piece, and some time later to pack it. Rejects with what went wrong with an earlier one. */
  async add(piece: Piece): Promise<void> {
    const { tensor, first, rows } = piece;
    const rowBytes = tensor.byteLength / (tensor.shape[0] ?? 1);
    const length = rows * rowBytes;
    const needed = headBytes + Math.ceil(length / headBytes) * headBytes;
    let batch = this.#batches[this.#turn]!;
    if (batch.used > 0 && batch.used + needed > batch.bytes) {
      this.#pack(batch);
      this.#turn = (this.#turn + 1) % this.#batches.length;
      batch = this.#batches[this.#turn]!;
    }
    await batch.done;
    if (batch.used === 0) this.#fit(batch, Math.max(batchBytes, needed));
    const at = batch.address + batch.used;
    batch.used += needed;
    const fault = this.#device.ints(at, 1);
    const source = this.#device.bytes(at + headBytes, length);
    const read = tensor.source.readInto(tensor.offset + first * rowBytes, source);
    // It is awaited later, when it may have failed long since.
    read.catch(() => {});
    batch.pieces.push({ piece, fault, source, read });
  }

  /** Everything that was added is packed. Rejects with what went wrong first. */
  async finish(): Promise<void> {
    this.#pack(this.#batches[this.#turn]!);
    for (const { done } of this.#batches) await done;
  }

  /** Waits for what is under way, however it ends, and gives the buffers back. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#batches.flatMap(({ done, pieces }) => [done, ...pieces.map(({ read }) => read)]));
    for (const batch of this.#batches) this.#fit(batch, 0);
  }

  #pack(batch: Batch): void {
    const { pieces } = batch;
    batch.pieces = [];
    batch.used = 0;
    batch.done = this.#packed(pieces);
    batch.done.catch(() => {});
  }

  async #packed(pieces: readonly PieceRead[]): Promise<void> {
    await Promise.allSettled(pieces.map(({ read }) => read));
    const encoder = new Encoder();
    for (const { piece, source, fault, read } of pieces) {
      await read;
      fault[0] = 0;
      encoder.record(pack({ ...piece, source: source.byteOffset, fault: fault.byteOffset }));
    }
    await this.#device.run(encoder);
    for (const { piece, source, fault } of pieces) if (fault[0] !== 0) this.#check(piece, source);
  }

  #fit(batch: Batch, bytes: number): void {
    if (bytes > 0 && bytes <= batch.bytes) return;
    if (batch.bytes > 0) this.#device.free(batch.address);
    batch.bytes = 0;
    if (bytes > 0) batch.address = this.#device.allocate(bytes);
    batch.bytes = bytes;
  }
}
