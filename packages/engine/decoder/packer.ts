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

/** A buffer in device memory: a word for the kernel to report in, and behind it the file's bytes. */
interface Slot {
  address: number;
  bytes: number;
  done: Promise<void>;
}

const headBytes = 64;

/** The type by the kernel's name, if the kernel takes rows of so many columns of it. */
export function packable(type: TensorType, columns: number): Packable | undefined {
  return columns % 32 === 0 ? packables.find((one) => one === type) : undefined;
}

/** Packs pieces on the device's threads, while the next one is read. */
export class Packer {
  readonly #device: Device;
  readonly #check: (piece: Piece, source: Uint8Array) => void;
  readonly #slots: Slot[] = Array.from({ length: 2 }, () => ({ address: 0, bytes: 0, done: Promise.resolve() }));
  #turn = 0;

  /** `check` throws what is to be said of rows in which a scale or an element is not finite. */
  constructor(device: Device, check: (piece: Piece, source: Uint8Array) => void) {
    this.#device = device;
    this.#check = check;
  }

  /** Reads a piece and begins to pack it. Rejects with what went wrong with it or with an earlier one. */
  async add(piece: Piece): Promise<void> {
    const { tensor, first, rows } = piece;
    const slot = this.#slots[this.#turn++ % this.#slots.length]!;
    await slot.done;
    const rowBytes = tensor.byteLength / (tensor.shape[0] ?? 1);
    const length = rows * rowBytes;
    this.#fit(slot, headBytes + length);
    const source = this.#device.bytes(slot.address + headBytes, length);
    await tensor.source.readInto(tensor.offset + first * rowBytes, source);
    slot.done = this.#pack(slot, piece, source);
    // It is awaited later, when it may have failed long since.
    slot.done.catch(() => {});
  }

  /** Everything that was added is packed. Rejects with what went wrong first. */
  async finish(): Promise<void> {
    for (const { done } of this.#slots) await done;
  }

  /** Waits for what is under way, however it ends, and gives the buffers back. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#slots.map(({ done }) => done));
    for (const slot of this.#slots) this.#fit(slot, 0);
  }

  async #pack(slot: Slot, piece: Piece, source: Uint8Array): Promise<void> {
    const fault = this.#device.ints(slot.address, 1).fill(0);
    const encoder = new Encoder();
    encoder.record(pack({ ...piece, source: slot.address + headBytes, fault: slot.address }));
    await this.#device.run(encoder);
    if (fault[0] !== 0) this.#check(piece, source);
  }

  #fit(slot: Slot, bytes: number): void {
    if (bytes > 0 && bytes <= slot.bytes) return;
    if (slot.bytes > 0) this.#device.free(slot.address);
    slot.bytes = 0;
    if (bytes > 0) slot.address = this.#device.allocate(bytes);
    slot.bytes = bytes;
  }
}
