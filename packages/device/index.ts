/** Device: shared WebAssembly memory, worker threads that walk recorded programs over it, and the recorder. */
export { Allocator } from './allocator.ts';
export {
  Device,
  DeviceError,
  type DeviceHost,
  type DeviceOptions,
  type KernelModule,
  type ProgramObserver,
  type WorkerEvents,
  type WorkerHandle,
} from './device.ts';
export { commandsOf, Encoder } from './encoder.ts';
export { type KernelBuild, kernelBuilds } from './features.ts';
export { type Limits, measureLimits } from './roofline/limits.ts';
export { type KernelTime, Profile, type ProgramTime } from './roofline/profile.ts';
export { serve, type WorkerStart, type WorkerTrap } from './worker.ts';
