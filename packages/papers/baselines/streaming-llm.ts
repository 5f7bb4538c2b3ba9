import type { Host, Keep, Keeper, KvCache, Reading } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { whole } from '../methods/option.ts';

/**
 * StreamingLLM (Xiao et al. 2023, arXiv 2309.17453): the first tokens, which take the attention that is left over, and the
 * last ones. Heads see no more than that while they read either; keys keep the positions that they were written at, where
 * the paper counts positions within the cache.
 */
export const streamingLlm = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'streaming-llm',
  summary: 'the first tokens and the last ones',
  options: z.object(options()),
  create: ({ sinks, recent }, base) => ({
    ...base,
    needs: { decides: ['slots', 'sight'] },
    open: (host) => new Streaming(host, sinks, recent),
  }),
});

function options() {
  return {
    sinks: whole(0, 1_000_000, 4, 'tokens at the beginning that stay'),
    recent: whole(1, 1_000_000, 1020, 'tokens at the end that stay'),
  };
}

class Streaming implements Keeper {
  readonly #host: Host;
  readonly #sinks: number;
  readonly #recent: number;

  constructor(host: Host, sinks: number, recent: number) {
    this.#host = host;
    this.#sinks = sinks;
    this.#recent = recent;
  }

  begin(cache: KvCache): void {
    const { layers, kvHeads } = this.#host.arch;
    for (const layer of layers.keys()) {
      for (let head = 0; head < kvHeads; head++) {
        cache.setSight(layer, head, { sinks: this.#sinks, window: this.#recent });
      }
    }
  }

  settle({ cache, length }: Reading): void {
    cache.trim(length);
  }

  fork(): Keeper {
    return this;
  }

  close(): void {}
}
