import type { Command } from '@loci/kernels';
import { nodeHost } from '../../engine/platform/node-host.ts';
import type { Room } from '../../kernels/testing/machine.ts';
import { Device, type DeviceHost, Encoder, type WorkerHandle } from '../index.ts';

/** Node's host, which also hands its workers to the test. */
export function killableHost(): { readonly host: DeviceHost; readonly workers: readonly WorkerHandle[] } {
  const workers: WorkerHandle[] = [];
  const host: DeviceHost = {
    kernels: (build) => nodeHost.kernels(build),
    async startWorker(start, events) {
      const worker = await nodeHost.startWorker(start, events);
      workers.push(worker);
      return worker;
    },
  };
  return { host, workers };
}

export const scratchBytes = 2 ** 19;

/** Runs the test with a device that is closed whatever happens. */
export async function withDevice<T>(threads: number, test: (device: Device) => Promise<T>): Promise<T> {
  const device = await Device.create(nodeHost, { threads, scratchBytes });
  try {
    return await test(device);
  } finally {
    await device.close();
  }
}

/** Room in device memory; what nobody wrote is poison. */
export class DeviceRoom implements Room {
  readonly #device: Device;
  readonly #addresses: number[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  input(values: Float32Array | Int32Array | Uint8Array): number {
    return this.output(values.byteLength, values);
  }

  output(bytes: number, values?: Float32Array | Int32Array | Uint8Array): number {
    const address = this.#device.allocate(bytes);
    this.#addresses.push(address);
    const target = this.#device.bytes(address, bytes).fill(255);
    if (values) target.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return address;
  }

  free(): void {
    for (const address of this.#addresses.splice(0)) this.#device.free(address);
  }
}

/** A program of the commands, `times` times over. */
export function programOf(commands: readonly Command[], times = 1): Encoder {
  const encoder = new Encoder();
  for (let i = 0; i < times; i++) encoder.record(commands);
  return encoder;
}
