import { Allocator, type Device, Encoder } from '@loci/device';
import { trainScratch } from '@loci/kernels/train';
import { sizeOf, type Tensor } from '../arrays/tensor.ts';
import { type Lowered, lower } from './lower.ts';

export interface ProgramOptions {
  /** What is computed, by name. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Where parameters lie, and outputs that have a place of their own; addresses on the device. */
  readonly places?: ReadonlyMap<Tensor, number>;
}

/**
 * Expressions of fixed shapes, recorded once and run as often as wanted. Intermediate results share memory as far as their
 * lifetimes allow.
 */
export class Program {
  readonly #device: Device;
  readonly #encoder = new Encoder();
  readonly #owned: number[] = [];
  readonly #inputs = new Map<string, { readonly address: number; readonly length: number; readonly type: string }>();
  readonly #outputs = new Map<string, { readonly address: number; readonly length: number }>();

  /** @throws DeviceError `memory`; RangeError for a parameter without a place. */
  constructor(device: Device, { outputs, places = new Map() }: ProgramOptions) {
    this.#device = device;
    const lowered = lower(Object.values(outputs));
    device.reserveScratch(trainScratch(lowered.widest));
    const addresses = this.#place(lowered, Object.values(outputs), places);
    for (const step of lowered.steps) this.#encoder.record(step.commands((buffer) => addresses[buffer] ?? 0));
    for (const [i, [name, { shape }]] of Object.entries(outputs).entries()) {
      const address = addresses[lowered.outputs[i]?.buffer ?? -1] ?? 0;
      this.#outputs.set(name, { address, length: sizeOf(shape) });
    }
  }

  /** The memory of an input of floats, to be filled before a run. */
  floats(name: string): Float32Array {
    const { address, length } = this.#input(name, 'float');
    return this.#device.floats(address, length);
  }

  /** The memory of an input of ids. */
  ints(name: string): Int32Array {
    const { address, length } = this.#input(name, 'int');
    return this.#device.ints(address, length);
  }

  has(input: string): boolean {
    return this.#inputs.has(input);
  }

  /** The memory of an output; the next run overwrites it. */
  output(name: string): Float32Array {
    const found = this.#outputs.get(name);
    if (!found) throw new RangeError(`no output "${name}"; there are ${[...this.#outputs.keys()].join(', ')}`);
    return this.#device.floats(found.address, found.length);
  }

  /** @throws DeviceError as `Device.run`. */
  run(signal?: AbortSignal): Promise<void> {
    return this.#device.run(this.#encoder, signal);
  }

  /** Gives its memory back. */
  free(): void {
    for (const address of this.#owned.splice(0)) this.#device.free(address);
  }

  #input(name: string, type: string) {
    const found = this.#inputs.get(name);
    if (found?.type !== type) throw new RangeError(`no input "${name}" of type ${type}`);
    return found;
  }

  #own(bytes: number): number {
    const address = this.#device.allocate(bytes);
    this.#owned.push(address);
    return address;
  }

  #place({ buffers, steps, outputs: views }: Lowered, outputs: readonly Tensor[], places: ReadonlyMap<Tensor, number>) {
    const addresses = new Array<number | undefined>(buffers.length);
    for (const [i, view] of views.entries()) {
      const [output] = outputs.slice(i, i + 1);
      const length = buffers[view.buffer]?.length ?? 0;
      addresses[view.buffer] = (output && places.get(output)) ?? this.#own(4 * length);
    }
    for (const [i, { length, source }] of buffers.entries()) {
      if (source?.op.kind === 'input') {
        addresses[i] = this.#own(4 * length);
        this.#inputs.set(source.op.name, { address: addresses[i] ?? 0, length, type: source.op.type });
      } else if (source?.op.kind === 'constant') {
        addresses[i] = this.#own(4 * length);
        this.#device.floats(addresses[i] ?? 0, length).set(source.op.values);
      } else if (source?.op.kind === 'parameter') {
        addresses[i] = places.get(source);
        if (addresses[i] === undefined) throw new RangeError(`parameter ${source.op.name} has no place`);
      }
    }
    // The rest live from their first step to the last one that reads them, in one piece of memory.
    const last = new Map<number, number>();
    for (const [i, { reads, writes }] of steps.entries()) for (const buffer of [...reads, writes]) last.set(buffer, i);
    const room: [number, number][] = [];
    let bytes = 0;
    const arena = new Allocator(0, (end) => {
      bytes = Math.max(bytes, end);
    });
    for (const [i, { reads, writes }] of steps.entries()) {
      if (addresses[writes] === undefined && !room.some(([buffer]) => buffer === writes))
        room.push([writes, arena.allocate(4 * (buffers[writes]?.length ?? 0))]);
      for (const buffer of new Set([...reads, writes])) {
        const own = room.find(([other]) => other === buffer);
        if (own && last.get(buffer) === i) arena.free(own[1]);
      }
    }
    const base = this.#own(bytes);
    for (const [buffer, offset] of room) addresses[buffer] = base + offset;
    return addresses;
  }
}
