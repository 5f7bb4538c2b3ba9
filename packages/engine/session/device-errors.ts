import { DeviceError } from '@loci/device';
import { type ErrorCode, LociError } from '../errors.ts';

const codes = {
  aborted: 'aborted',
  memory: 'out-of-memory',
  build: 'unsupported',
  trap: 'device-failed',
  dead: 'device-failed',
} as const satisfies Record<DeviceError['reason'], ErrorCode>;

/** What a device could not do, in the engine's words; other errors as they are. */
export function asLociError(error: unknown): unknown {
  if (!(error instanceof DeviceError)) return error;
  return new LociError(codes[error.reason], error.message, { cause: error });
}
