import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeStore } from './node-store.ts';
import type { FileStore } from './types.ts';

/** Where models lie and where they come from, as `locateModel` and `listModels` want it. */
export interface ModelPlaces {
  readonly store: FileStore;
  readonly modelsDir: string;
  readonly cacheDir: string;
  readonly offline: boolean;
  readonly endpoint?: string;
  readonly token?: string;
}

/**
 * Reads the environment: `LOCI_CACHE` (default `~/.cache/loci`), `LOCI_OFFLINE` (anything but empty, 0, false, no, off),
 * `HF_ENDPOINT` and `HF_TOKEN`.
 */
export function nodePlaces(env: Readonly<Record<string, string | undefined>> = process.env): ModelPlaces {
  const { LOCI_CACHE, LOCI_OFFLINE, HF_ENDPOINT, HF_TOKEN } = env;
  return {
    store: nodeStore,
    modelsDir: fileURLToPath(new URL('../../../models', import.meta.url)),
    cacheDir: LOCI_CACHE || join(homedir(), '.cache', 'loci'),
    offline: !/^\s*(0|false|no|off)?\s*$/i.test(LOCI_OFFLINE ?? ''),
    ...(HF_ENDPOINT ? { endpoint: HF_ENDPOINT } : {}),
    ...(HF_TOKEN ? { token: HF_TOKEN } : {}),
  };
}
