import type { Host, Keep, Keeper, KvCache, Reading } from 'loci';
import { z } from 'zod';
import { type HeadSet, kvScores } from '../heads/choose.ts';
import { headPlan, planOptions, topKvHeads } from '../heads/plan.ts';
import { slotRange } from '../keeping/rows.ts';
import { define } from '../methods/define.ts';
import { anyNumber, choice, number, whole } from '../methods/option.ts';

/**
 * DuoAttention (Xiao et al. 2024, arXiv 2410.10819), as it is deployed: retrieval heads keep everything, streaming heads
 * the first tokens and the last ones. The plan is a file of gates, or of any other scores of heads.
 *
 * `recent` counts the query itself, while a prompt is read as well as afterwards (the official decoding step sees one token
 * more). `mask` reads a prompt as the gates were trained; `chunked` shows a chunk what is kept before it and all of itself,
 * as the official code does; `dense` reads with everything and cuts at the end. Prompts behind the first are masked.
 */
export const duoAttention = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'duo-attention',
  summary: 'everything for retrieval heads; the first and the last tokens for streaming heads',
  options: z.object(options()),
  create(settings, base) {
    const { sparsity, above } = settings;
    const plan = headPlan(settings, (scores, kvHeads) =>
      above === undefined
        ? topKvHeads(scores, scores.scores, 1 - sparsity, kvHeads)
        : kvScores(scores.scores, scores.of, kvHeads).map((gates) => gates.map((gate) => gate > above)),
    );
    return {
      ...base,
      needs: { decides: ['slots', 'sight'], refuses: (model) => plan.refuses(model) },
      exactPrompt: true,
      open: (host) => new Duo(host, plan.of(host), settings),
    };
  },
});

function options() {
  return {
    sparsity: number(0, 1, 0.5, 'share of heads that stream'),
    above: anyNumber().optional().describe('heads stream whose gate is not above this, in place of sparsity'),
    sinks: whole(1, 1_000_000, 64, 'tokens at the beginning that streaming heads keep'),
    recent: whole(1, 1_000_000, 256, 'tokens at the end that they keep, the last included'),
    prefill: choice(['mask', 'chunked', 'dense'], 'mask', 'what streaming heads see of a prompt'),
    chunk: whole(1, 512, 512, 'tokens that are read at a time'),
    ...planOptions(),
  };
}

interface Settings {
  readonly sinks: number;
  readonly recent: number;
  readonly prefill: 'mask' | 'chunked' | 'dense';
  readonly chunk: number;
}

class Duo implements Keeper {
  readonly chunk: number;
  readonly #host: Host;
  readonly #whole: HeadSet;
  readonly #settings: Settings;

  constructor(host: Host, whole: HeadSet, settings: Settings) {
    this.#host = host;
    this.#whole = whole;
    this.#settings = settings;
    this.chunk = settings.chunk;
  }

  begin(cache: KvCache): void {
    this.#look(cache, this.#settings.prefill === 'mask' ? this.#settings.recent : 0);
  }

  async settle({ moment, cache, length, retain }: Reading): Promise<void> {
    const { sinks, recent, prefill } = this.#settings;
    if (moment === 'prompt end') this.#look(cache, recent);
    if (moment === 'decode' || (moment === 'prompt' && prefill === 'mask')) return cache.trim(length);
    if (moment === 'prompt' && prefill === 'dense') return;
    const { layers, kvHeads } = this.#host.arch;
    let drops = false;
    const kept = layers.map((_, layer) =>
      Array.from({ length: kvHeads }, (_, head) => {
        const used = cache.usedOf(layer, head);
        if (this.#whole[layer]?.[head] || used <= sinks + recent) return { slots: slotRange(0, used) };
        drops = true;
        return { slots: Int32Array.from([...slotRange(0, sinks), ...slotRange(used - recent, used)]) };
      }),
    );
    if (drops) await retain(kept);
  }

  /** How far streaming heads see from now on. */
  #look(cache: KvCache, window: number): void {
    for (const [layer, heads] of this.#whole.entries()) {
      for (const [head, isWhole] of heads.entries()) {
        if (!isWhole) cache.setSight(layer, head, { sinks: window > 0 ? this.#settings.sinks : 0, window });
      }
    }
  }

  fork(): Keeper {
    return this;
  }

  close(): void {}
}
