/**
 * The one error class of Loci. `code` is stable and meant for programs; the message is meant for people: it names
 * the file, the value and the way out.
 */
export type ErrorCode =
  | 'aborted'
  | 'bad-file'
  | 'bad-numbers'
  | 'bad-option'
  | 'bad-template'
  | 'device-failed'
  | 'download-failed'
  | 'not-found'
  | 'out-of-memory'
  | 'too-long'
  | 'unsupported';

export class LociError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LociError';
    this.code = code;
  }
}
