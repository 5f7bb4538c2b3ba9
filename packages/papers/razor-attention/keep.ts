import { pageSlots } from '@loci/kernels';
import type { Host, Keep, Keeper, Kept, Reading } from 'loci';
import { z } from 'zod';
import { type HeadSet, kvHeadsOf, topShare, union } from '../heads/choose.ts';
import { type HeadPlan, headPlan, planOptions, topKvHeads } from '../heads/plan.ts';
import type { HeadScores } from '../heads/scores.ts';
import { readSlots, slotRange } from '../keeping/rows.ts';
import { define } from '../methods/define.ts';
import { choice, number, whole } from '../methods/option.ts';
import { Means } from './means.ts';

/**
 * RazorAttention (Tang et al. 2024, arXiv 2407.15891): heads that retrieve keep everything; the others keep the first
 * tokens, a window, and one slot that stands for all they dropped: the mean key and value, with ln N added to its score.
 *
 * The window is max(s0, N / c) tokens, rounded up so that pages are full. While text is generated, what leaves the window
 * is folded into the mean a page at a time, so that a head holds up to a page more than its window.
 */
export const razorAttention = define<Keep, ReturnType<typeof options>>({
  axis: 'keep',
  name: 'razor-attention',
  summary: 'everything for heads that retrieve; for the others a window and the mean of the rest',
  options: z.object(options()),
  create(settings, base) {
    const plan = headPlan(settings, (scores, kvHeads) => retrievalHeads(scores, kvHeads, settings));
    return {
      ...base,
      needs: { decides: ['slots'], refuses: (model) => plan.refuses(model) },
      exactPrompt: true,
      open: (host) => new Razor(host, plan, settings),
    };
  },
});

function options() {
  return {
    sinks: whole(0, 1_000_000, 4, 'tokens at the beginning that every head keeps'),
    s0: whole(1, 1_000_000, 256, 'tokens of the window, at least'),
    c: number(1, 1_000_000, 5, 'the window is 1/c of the text where that is more'),
    induction: number(0, 1, 0.14, 'share of heads kept whole by induction score'),
    echo: number(0, 1, 0.01, 'share kept whole by echo score beside them'),
    'rank-over': choice(['kv', 'query'], 'kv', 'whether shares are of key/value heads or of query heads'),
    token: choice(
      ['mean', 'plain', 'none'],
      'mean',
      'what stands for dropped tokens; plain: a mean that counts as one',
    ),
    ...planOptions(),
  };
}

interface Settings {
  readonly sinks: number;
  readonly s0: number;
  readonly c: number;
  readonly token: 'mean' | 'plain' | 'none';
}

interface Shares {
  readonly induction: number;
  readonly echo: number;
  readonly 'rank-over': 'kv' | 'query';
}

/** Scores of other methods take the place of induction scores; without echo scores there are no echo heads. */
export function retrievalHeads(scores: HeadScores, kvHeads: number, shares: Shares): HeadSet {
  const echo = scores.others['echo'];
  if (shares['rank-over'] === 'query') {
    const set = topShare(scores.scores, shares.induction);
    return kvHeadsOf(echo ? union(set, topShare(echo, shares.echo)) : set, kvHeads);
  }
  const set = topKvHeads(scores, scores.scores, shares.induction, kvHeads);
  return echo ? union(set, topKvHeads(scores, echo, shares.echo, kvHeads)) : set;
}

/** Slots that a head keeps beside the one for all others, and that one: whole pages. */
export function windowSlots({ sinks, s0, c, token }: Settings, length: number): number {
  const extra = token === 'none' ? 0 : 1;
  return Math.ceil((extra + sinks + Math.max(s0, Math.floor(length / c))) / pageSlots) * pageSlots;
}

class Razor implements Keeper {
  readonly #host: Host;
  readonly #plan: HeadPlan;
  readonly #settings: Settings;
  readonly #whole: HeadSet;
  readonly #means: Means;

  constructor(host: Host, plan: HeadPlan, settings: Settings, means?: Means) {
    const { layers, kvHeads, headSize } = host.arch;
    this.#host = host;
    this.#plan = plan;
    this.#settings = settings;
    this.#whole = plan.of(host);
    this.#means = means ?? new Means(layers.length * kvHeads, headSize);
  }

  begin(): void {
    this.#means.clear();
  }

  async settle({ moment, cache, length, retain }: Reading): Promise<void> {
    const short = this.#shortHead();
    // A prompt is read with everything that is there.
    if (!short || moment === 'prompt') return;
    const { sinks, token } = this.#settings;
    const held = token === 'none' || this.#means.count === 0 ? 0 : 1;
    const before = held + sinks;
    const window = windowSlots(this.#settings, length) - (token === 'none' ? 0 : 1) - sinks;
    const dropped = cache.usedOf(short.layer, short.head) - before - window;
    if (dropped < (moment === 'prompt end' ? 1 : pageSlots)) return;
    const { layers, kvHeads } = this.#host.arch;
    const kept: Kept[][] = [];
    for (const layer of layers.keys()) {
      const isWhole = (head: number) => this.#whole[layer]?.[head] === true;
      const lists = Array.from({ length: kvHeads }, (_, head) =>
        isWhole(head) ? new Int32Array() : slotRange(before, before + dropped),
      );
      const rows = await readSlots(this.#host, cache, layer, lists);
      for (const [head, one] of rows.entries()) if (!isWhole(head)) this.#means.fold(layer * kvHeads + head, one);
      kept.push(
        lists.map((_, head) => {
          const used = cache.usedOf(layer, head);
          if (isWhole(head)) return { slots: slotRange(0, used) };
          const slots = Int32Array.from([...slotRange(held, before), ...slotRange(before + dropped, used)]);
          return token === 'none' ? { slots } : { slots, extra: this.#extra(layer * kvHeads + head, dropped) };
        }),
      );
    }
    this.#means.counted(dropped);
    await retain(kept);
  }

  #extra(index: number, dropped: number) {
    const bias = this.#settings.token === 'mean' ? Math.log(this.#means.count + dropped) : 0;
    return { key: this.#means.key(index), value: this.#means.value(index), bias };
  }

  /** One of the heads that do not keep everything: all of them hold the same slots. */
  #shortHead(): { readonly layer: number; readonly head: number } | undefined {
    const layer = this.#whole.findIndex((heads) => heads.includes(false));
    return layer < 0 ? undefined : { layer, head: this.#whole[layer]?.indexOf(false) ?? 0 };
  }

  save(): unknown {
    return this.#means.save();
  }

  restore(state: unknown): void {
    this.#means.restore(state);
  }

  fork(): Keeper {
    return new Razor(this.#host, this.#plan, this.#settings, this.#means.copy());
  }

  close(): void {}
}
