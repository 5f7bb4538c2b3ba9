import type { Device } from '@loci/device';
import { LociError } from '../errors.ts';
import type { Architecture } from '../families/architecture.ts';
import type { ScratchFile } from '../platform/types.ts';

/** What can be decided about a session, each by one method at most. */
export type Decision =
  /** Which slots of the cache stay. */
  | 'slots'
  /** How far heads see. */
  | 'sight'
  /** Which bytes a page holds. */
  | 'format'
  /** What becomes of heads' outputs. */
  | 'outputs';

const decisions: Readonly<Record<Decision, string>> = {
  slots: 'which slots of the cache stay',
  sight: 'how far heads see',
  format: 'the number format of the cache',
  outputs: "what becomes of heads' outputs",
};

export interface Needs {
  /** What the method decides; nobody else may. */
  readonly decides?: readonly Decision[];
  /** What nobody at all may decide beside it. */
  readonly excludes?: readonly Decision[];
  /** Why the method makes no sense for a model; undefined when it does. */
  readonly refuses?: (model: ModelFacts) => string | undefined;
}

export interface ModelFacts {
  readonly name: string;
  readonly arch: Architecture;
  /** Identifies the weights: plans belong to it. */
  readonly fingerprint: string;
}

/** A method of one of the axes, with its options. */
export interface Method {
  readonly axis: 'attend' | 'keep' | 'store' | 'remember' | 'steer' | 'probe';
  readonly name: string;
  /** The method with all its options as a command line would write it; the same text means the same behaviour. */
  readonly spec: string;
  readonly needs: Needs;
}

/** What a method of an open session may use. */
export interface Host extends ModelFacts {
  readonly device: Device;
  /** A file for what memory has no room for; it is gone when it is closed, or with the process. */
  scratch(): Promise<ScratchFile>;
}

/** @throws LociError `bad-option` naming the two methods that clash and why, or the method and what it lacks. */
export function checkMethods(methods: readonly Method[], model: ModelFacts): void {
  for (const [i, one] of methods.entries()) {
    const reason = one.needs.refuses?.(model);
    if (reason !== undefined)
      throw new LociError('bad-option', `${written(one)} does not go with ${model.name}: ${reason}`);
    for (const other of methods.slice(i + 1)) {
      const both = one.needs.decides?.find((decision) => other.needs.decides?.includes(decision));
      if (both) {
        throw new LociError(
          'bad-option',
          `${written(one)} and ${written(other)} both decide ${decisions[both]}: choose one of them`,
        );
      }
      for (const [a, b] of [
        [one, other],
        [other, one],
      ] as const) {
        const clash = a.needs.excludes?.find((decision) => b.needs.decides?.includes(decision));
        if (!clash) continue;
        throw new LociError(
          'bad-option',
          `${written(a)} does not go with ${written(b)}, which decides ${decisions[clash]}`,
        );
      }
    }
  }
}

function written({ axis, spec }: Method): string {
  return `--${axis} ${spec}`;
}

/** What a method at work writes into a saved session. */
export interface Saved {
  /** JSON; it stands in the header of the file. */
  readonly state: unknown;
  /** What is too large for that. */
  readonly blocks?: SavedBlocks;
}

/** So many blocks of bytes. */
export interface SavedBlocks {
  readonly count: number;
  read(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}
