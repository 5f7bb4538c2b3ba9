import { DeviceError } from '@loci/device';
import { LociError } from '../errors.ts';

/** What a device could not do, in the engine's words; other errors as they are. */
export function asLociError(error: unknown): unknown {
  if (!(error instanceof DeviceError)) return error;
  const code = error.reason === 'aborted' ? 'aborted' : error.reason === 'memory' ? 'out-of-memory' : 'device-failed';
  return new LociError(code, error.message, { cause: error });
}
