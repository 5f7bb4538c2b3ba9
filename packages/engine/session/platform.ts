import type { DeviceHost } from '@loci/device';
import type { ByteSource, FileStore, ScratchFile } from '../platform/types.ts';

/** What a model needs from its host. */
export interface Platform {
  readonly device: DeviceHost;
  readonly defaultThreads: number;
  readonly files: FileStore;
  open(path: string): Promise<ByteSource>;
  scratch(): Promise<ScratchFile>;
}
