import { type Command, copy } from '@loci/kernels';
import type { Device } from '../index.ts';
import { DeviceRoom, programOf } from './host.ts';

/**
 * A program in which every step shuffles the rows that the step before it wrote: it comes out right only when no thread
 * begins a step before all have finished the last. Each step has few rows, so that threads do little but meet.
 */
export class Chain {
  readonly #device: Device;
  readonly #room: DeviceRoom;
  readonly #buffers: readonly number[];
  readonly #n: number;
  readonly #columns: number;
  readonly commands: readonly Command[];

  constructor(device: Device, steps: number, n = 7, columns = 4) {
    this.#device = device;
    this.#n = n;
    this.#columns = columns;
    this.#room = new DeviceRoom(device);
    this.#buffers = Array.from({ length: steps + 1 }, () => this.#room.output(4 * n * columns));
    // One row on: after n steps every row is back.
    const rows = this.#room.input(Int32Array.from({ length: n }, (_, r) => (r + 1) % n));
    this.commands = this.#buffers
      .slice(1)
      .map((out, i) => copy({ from: this.#buffers[i] ?? 0, stride: columns, rows, n, columns, out }));
  }

  /** Runs it with rows that begin at `seed`, over poison. */
  async run(seed: number, signal?: AbortSignal): Promise<void> {
    const count = this.#n * this.#columns;
    for (const buffer of this.#buffers) this.#device.bytes(buffer, 4 * count).fill(255);
    const first = this.#device.floats(this.#buffers[0] ?? 0, count);
    for (let i = 0; i < count; i++) first[i] = seed + i;
    await this.#device.run(programOf(this.commands), signal);
  }

  /** Whether the last buffer holds what a run with this seed leaves there. */
  isRight(seed: number): boolean {
    const steps = this.#buffers.length - 1;
    const last = this.#device.floats(this.#buffers[steps] ?? 0, this.#n * this.#columns);
    return last.every((value, i) => {
      const row = (Math.floor(i / this.#columns) + steps) % this.#n;
      return value === seed + row * this.#columns + (i % this.#columns);
    });
  }

  free(): void {
    this.#room.free();
  }
}
