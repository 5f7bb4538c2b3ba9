export { LociError, type ErrorCode } from './errors.ts';
