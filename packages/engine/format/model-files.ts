import type { ModelDescription } from '../families/architecture.ts';
import type { ByteSource } from '../platform/types.ts';
import type { Tokenizer } from '../text/types.ts';

/** A model's files, opened and understood, before its weights are read. */
export interface ModelFiles {
  readonly name: string;
  readonly description: ModelDescription;
  readonly tokenizer: Tokenizer;
  /** A Jinja template that turns messages into a prompt. */
  readonly chatTemplate: string | undefined;
  /** SHA-256 over the tensor list and samples of the weights. */
  readonly fingerprint: string;
  readonly sources: readonly ByteSource[];
}
