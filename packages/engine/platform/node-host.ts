import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DeviceHost, WorkerTrap } from '@loci/device';
import { allowWideVectors } from './node-wide.ts';

/** Threads to use by default: what the process may run on, at most 16. */
export function defaultThreads(): number {
  return Math.min(16, availableParallelism());
}

const builds = new URL('../../kernels/build/', import.meta.url);

export const nodeHost: DeviceHost = {
  async kernels(module) {
    allowWideVectors();
    return await readFile(new URL(`${module}.wasm`, builds));
  },
  async startWorker(start, { onTrap, onExit }) {
    const worker = new Worker(new URL('./node-worker.mjs', import.meta.url), { workerData: start, execArgv: [] });
    worker.on('message', (message: WorkerTrap) => onTrap(message));
    worker.on('error', (error) => onExit(error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => onExit(`exit code ${code}`));
    worker.unref();
    return {
      async terminate() {
        await worker.terminate();
      },
      keepAlive(on) {
        if (on) worker.ref();
        else worker.unref();
      },
    };
  },
};
