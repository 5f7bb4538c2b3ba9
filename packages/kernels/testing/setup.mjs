// Vitest's global setup: tests run on the kernels as they are in the sources.
import { buildKernels } from '../../../scripts/build-kernels.mjs';

export async function setup() {
  await buildKernels(console.log);
}
