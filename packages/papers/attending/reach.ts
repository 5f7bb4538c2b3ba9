import type { Attend, Model } from 'loci';
import { bookText } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';

/**
 * Which blocks of a text the last token's residual stream depends on after each of some numbers of layers, bit by bit: a token in
 * the middle of every block is replaced in turn. float32, whole text in one program.
 * @returns [layers] of the blocks whose token shows.
 */
export function dependencies(
  model: Model,
  attend: Attend,
  { block, blocks, layers, progress }: ReachOptions,
): Promise<readonly ReadonlySet<number>[]> {
  return inSession(model, { precision: 'float32', attend }, async (session) => {
    const ids = bookText(model, block * blocks);
    const was = await session.hiddenStates({ ids });
    const found = layers.map(() => new Set<number>());
    for (let at = 0; at < blocks; at++) {
      progress?.(at / blocks);
      const changed = ids.slice();
      const token = at === blocks - 1 ? ids.length - 1 : at * block + Math.floor(block / 2);
      changed[token] = (ids[token] ?? 0) === 1234 ? 1235 : 1234;
      const is = await session.hiddenStates({ ids: changed });
      for (const [i, layer] of layers.entries()) {
        const [before, after] = [was[layer], is[layer]];
        if (before?.some((value, c) => value !== after?.[c])) found[i]?.add(at);
      }
    }
    return found;
  });
}

export interface ReachOptions {
  /** Tokens of a block, and blocks of the text. */
  readonly block: number;
  readonly blocks: number;
  readonly layers: readonly number[];
  readonly progress?: (share: number) => void;
}
