import type { Host, Keep, Keeper, Kept, Reading } from 'loci';
import { z } from 'zod';
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
    open: (host) => new StripeKeeper(host, stridedOf(settings, host)),
  }),
});

class StripeKeeper implements Keeper {
  readonly #host: Host;
  readonly #pattern: Strided;
  /** Blocks at the time of the last look. */
  #seen = 0;

  constructor(host: Host, pattern: Strided) {
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
          return blocks - at < local || isOnStripe(this.#pattern, head, layer, at);
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
    const fork = new StripeKeeper(this.#host, this.#pattern);
    fork.#seen = this.#seen;
    return fork;
  }

  close(): void {}
}
