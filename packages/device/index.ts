/** Device: shared WebAssembly memory, worker threads that walk recorded programs over it, and the recorder. */
export {
  Device,
  DeviceError,
  type DeviceHost,
  type DeviceOptions,
  type KernelBuild,
  type ProgramObserver,
  type WorkerEvents,
  type WorkerHandle,
} from './device.ts';
export { Encoder } from './encoder.ts';
export { serve, type WorkerStart, type WorkerTrap } from './worker.ts';
