import type { Attend, Host, Keep, Keeper, Kept, Reading } from 'loci';
import { z } from 'zod';
import { attendPattern } from '../attending/pattern.ts';
import { define } from '../methods/define.ts';
import { stridedOf, stridedOptions } from './options.ts';
import { isOnStripe, type Strided } from './pattern.ts';

/**
 * The cache rule of S2-Attention (Lin et al. 2024, arXiv 2407.17678, section 4.1): blocks that a head's stripe misses are dropped when they
 * are no longer near. With the attend method of the same options no query ever misses them.
 */
export const s2Keep = define<Keep, ReturnType<typeof stridedOptions>>({
  axis: 'keep',
  name: 's2-attention',
  summary: 'near blocks, and of those further back the stripe of every head',
  options: z.object(stridedOptions()),
  create: (settings, base) => ({
    ...base,
    needs: { decides: ['slots'] },
    open: (host) => {
      const pattern = stridedOf(settings, host);
      return new BlockKeeper(host, { ...pattern, stays: (head, layer, key) => isOnStripe(pattern, head, layer, key) });
    },
  }),
});

/** What a head needs of blocks that are no longer near. */
interface Stays {
  readonly block: number;
  readonly local: number;
  stays(kvHead: number, layer: number, keyBlock: number, queryBlock: number): boolean;
}

/**
 * The same rule where it must not be used: stripes at a distance from the query, which a query does not read and a later one does.
 * It shows what is lost.
 */
export function relativeKeep({ block, local, stride }: Pick<Strided, 'block' | 'local' | 'stride'>): {
  readonly attend: Attend;
  readonly keep: Keep;
} {
  const isFar = (queryBlock: number, keyBlock: number) => (queryBlock - keyBlock) % stride === 0;
  const names = { name: 'relative-stride', spec: 'relative-stride' } as const;
  return {
    attend: attendPattern(
      { axis: 'attend', ...names },
      {
        block,
        reads: (query, key) => {
          const [i, j] = [Math.floor(query / block), Math.floor(key / block)];
          return i - j < local || isFar(i, j);
        },
      },
    ),
    keep: {
      ...{ axis: 'keep', ...names, needs: { decides: ['slots'] } },
      open: (host) => new BlockKeeper(host, { block, local, stays: (_, __, key, query) => isFar(query, key) }),
    },
  };
}

class BlockKeeper implements Keeper {
  readonly #host: Host;
  readonly #pattern: Stays;
  /** Blocks at the time of the last look. */
  #seen = 0;

  constructor(host: Host, pattern: Stays) {
    this.#host = host;
    this.#pattern = pattern;
  }

  begin(): void {
    this.#seen = 0;
  }

  async settle({ cache, length, retain }: Reading): Promise<void> {
    const { block, local } = this.#pattern;
    // Of the next query: its block counts as the first near one.
    const blocks = Math.floor(length / block);
    if (blocks === this.#seen) return;
    this.#seen = blocks;
    const { layers, kvHeads } = this.#host.arch;
    let drops = false;
    const kept = layers.map((_, layer) =>
      Array.from({ length: kvHeads }, (_, head): Kept => {
        const positions = cache.positions(layer, head);
        const stays = (position: number) => {
          const at = Math.floor(position / block);
          return blocks - at < local || this.#pattern.stays(head, layer, at, blocks);
        };
        const slots = Int32Array.from(positions.keys()).filter((slot) => stays(positions[slot] ?? 0));
        drops ||= slots.length < positions.length;
        return { slots };
      }),
    );
    if (drops) await retain(kept);
  }

  save(): unknown {
    return this.#seen;
  }

  restore(state: unknown): void {
    if (typeof state !== 'number') throw new RangeError('not a number of blocks');
    this.#seen = state;
  }

  fork(): Keeper {
    const fork = new BlockKeeper(this.#host, this.#pattern);
    fork.#seen = this.#seen;
    return fork;
  }

  close(): void {}
}
