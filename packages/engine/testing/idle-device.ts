import { readFile } from 'node:fs/promises';
import { Device } from '@loci/device';

/** A device with memory and no threads, for tests of what lies in it. */
export function idleDevice(): Promise<Device> {
  return Device.create(
    {
      kernels: (build) => readFile(new URL(`../../kernels/build/${build}.wasm`, import.meta.url)),
      startWorker: async () => ({ terminate: async () => {}, keepAlive: () => {} }),
    },
    { threads: 1, scratchBytes: 64 },
  );
}
