import { type Limits, measureLimits as measure } from '@loci/device';
import { nodePlatform } from './platform/node.ts';

/**
 * Measures what this machine does at best from WebAssembly: reading memory, dot products of bytes, float32 arithmetic.
 * @throws DeviceError `aborted`, and `memory` where there is no room for 512 MiB.
 */
export function measureLimits(threads: number = nodePlatform.defaultThreads, signal?: AbortSignal): Promise<Limits> {
  return measure(nodePlatform.device, threads, signal);
}
