import { mean, recall, type TaskCase } from '@loci/evaluate';
import type { Model, Session, Steer } from 'loci';
import type { HeadName } from '../masking/heads.ts';
import { HeadMask, type MaskOptions } from '../masking/mask.ts';
import { complete } from './measure.ts';

/** What masks do to the answers of a case. */
export interface MaskedCase {
  /** Mean loss of the right answer under every mask, in nats per token. */
  readonly losses: readonly number[];
  /** Whether a free answer has the value word for word, under every mask; absent where it was not asked. */
  readonly exact?: readonly boolean[];
}

export interface MaskedOptions {
  readonly mode: MaskOptions['mode'];
  readonly signal?: AbortSignal | undefined;
  /** Let the model answer freely, too. */
  readonly answers?: boolean;
}

/**
 * Answers of a case with each of some sets of heads switched off. The prompt is read once and unmasked, but for its last
 * token: the step that produces the answer's first token is a decode step, as in the paper's code.
 */
export async function masked(
  model: Model,
  one: TaskCase,
  masks: readonly (readonly HeadName[])[],
  { mode, signal, answers = false }: MaskedOptions,
): Promise<MaskedCase> {
  const ids = Int32Array.from([...one.context, ...one.question]);
  const before = { ids: ids.subarray(0, -1) };
  const mask = switchable(mode);
  const session = await model.open({ steer: [mask.steer] });
  try {
    await session.prefill(before, { signal });
    const losses: number[] = [];
    const exact: boolean[] = [];
    for (const heads of masks) {
      mask.set(heads);
      const [all] = await session.scoreContinuations(before, [[...ids.subarray(-1), ...one.answer]], { signal });
      losses.push(mean([...(all ?? [])].slice(1)));
      if (answers) exact.push(await isExact(session, ids, one, signal));
    }
    return { losses, ...(answers && { exact }) };
  } finally {
    session.close();
  }
}

async function isExact(session: Session, ids: Int32Array, one: TaskCase, signal?: AbortSignal): Promise<boolean> {
  const fork = session.fork();
  try {
    return recall((await complete(fork, ids, one, signal)).text, one.accepted) === 1;
  } finally {
    fork.close();
  }
}

/** A mask whose heads change between two calls of the session that it was opened for; none at first. */
function switchable(mode: MaskOptions['mode']): { readonly steer: Steer; set(heads: readonly HeadName[]): void } {
  let open: HeadMask | undefined;
  return {
    steer: {
      ...{ axis: 'steer', name: 'mask-heads', spec: 'mask-heads', needs: { decides: ['outputs'] } },
      open(host) {
        open = new HeadMask(host, { mode, scope: 'decode' }, []);
        return open;
      },
    },
    set: (heads) => open?.set(heads),
  };
}
