import type { Platform } from '../session/platform.ts';
import { openFile } from './node-file.ts';
import { defaultThreads, nodeHost } from './node-host.ts';
import { openScratch } from './node-scratch.ts';
import { nodeStore } from './node-store.ts';

/** Files, threads and kernels under Node. */
export const nodePlatform: Platform = {
  device: nodeHost,
  defaultThreads: defaultThreads(),
  files: nodeStore,
  open: openFile,
  scratch: openScratch,
};
