import { Random } from '@loci/evaluate';
import type { Moment } from 'loci';
import { z } from 'zod';
import { highest, neighbours, type Sizes, withinBudget } from './choose.ts';
import type { Settings } from './remember.ts';
import type { Segmentation } from './segmentation.ts';

/** Numbers of events that the rows of a layer read: by similarity, and as neighbours of those. */
export interface Recalled {
  readonly events: readonly number[];
  readonly queue: readonly number[];
}

const nothing: Recalled = { events: [], queue: [] };

/** The rows of a program, and what there is for them to read. */
export interface Asking {
  readonly segmentation: Segmentation;
  /** Tokens before the rows. */
  readonly used: number;
  /** Rows. */
  readonly n: number;
  readonly moment: Moment;
}

type Choices = readonly (Recalled | undefined)[];

/**
 * Which events come back to which layer. Every layer looks up for itself, or one for all: those behind it read the same, and
 * those before it what it chose for the rows before.
 */
export class Retrieval {
  readonly #settings: Settings;
  readonly #lookups: readonly number[];
  /** What each layer that looks up chose for the rows before. */
  #before: Choices = [];
  /** Rows of an answer behind fewer tokens than these read that too. */
  #heldTo = 0;
  /** What a fork chose that has read the end of a prompt, and how many tokens there will be when its rows are read. */
  #rehearsed: { readonly choices: Choices; readonly to: number } | undefined;
  /** The layers' choices of the program under way, and of the last one. */
  #chosen: (Recalled | undefined)[] = [];
  /** Whether the program under way has looked events up. */
  #lookedUp = false;

  /** @param lookups Layers that look events up, ascending. */
  constructor(settings: Settings, lookups: readonly number[]) {
    this.#settings = settings;
    this.#lookups = lookups;
  }

  /** By layer, what the last rows read. */
  get chosen(): Choices {
    return this.#chosen;
  }

  /** A program begins. */
  begin(): void {
    this.#chosen = [];
    this.#lookedUp = false;
  }

  /** Whether events must be looked up for the rows: not all have room, and no choice for rows before holds for them. */
  looksUp(asking: Asking): boolean {
    return !this.hasRoomForAll(asking) && !this.#held(asking);
  }

  /** Whether rows may read all events, which then need not be looked up. */
  hasRoomForAll(asking: Asking): boolean {
    return asking.segmentation.tokens <= this.#budget(asking);
  }

  /** @param scores How similar every event is to the rows of the layer (`likeness`); unused where it does not look up. */
  choose(layer: number, asking: Asking, scores: () => ArrayLike<number>): Recalled {
    const chosen = this.#choose(layer, asking, scores);
    this.#chosen[layer] = chosen;
    return chosen;
  }

  /** The program has run, and there are so many tokens now. What was found for an answer's token, or its question's last, holds for some more. */
  commit(moment: Moment, used: number): void {
    if (this.#chosen.length === 0) return;
    this.#before = this.#chosen.map((one, layer) => (this.#lookups.includes(layer) ? one : undefined));
    if (moment !== 'decode' || this.#lookedUp) this.#heldTo = used + this.#settings.hold - 1;
  }

  /** What a fork chose that has read the next rows, up to so many tokens, holds for them; without one, nothing does any longer. */
  recollect(fork: Retrieval | undefined, used: number): void {
    this.#rehearsed = fork && { choices: fork.#before, to: used };
  }

  fork(): Retrieval {
    const fork = new Retrieval(this.#settings, this.#lookups);
    fork.#before = this.#before;
    fork.#heldTo = this.#heldTo;
    return fork;
  }

  /** JSON that `restore` takes. */
  save(): z.input<typeof savedRetrieval> {
    const before = Array.from(this.#before, (one) => (one ? { events: [...one.events], queue: [...one.queue] } : null));
    return { before, heldTo: this.#heldTo };
  }

  restore({ before, heldTo }: z.output<typeof savedRetrieval>): void {
    this.#before = before.map((one) => one ?? undefined);
    this.#heldTo = heldTo;
  }

  #choose(layer: number, asking: Asking, scores: () => ArrayLike<number>): Recalled {
    const { count, sizes } = asking.segmentation;
    const { choose } = this.#settings;
    if (this.hasRoomForAll(asking)) return { events: Array.from({ length: count }, (_, event) => event), queue: [] };
    const own = this.#lookups.includes(layer);
    const [lookup = -1] = own ? [layer] : this.#lookups;
    const held = this.#held(asking);
    if (held) return held[lookup] ?? nothing;
    if (!own) return (layer > lookup ? this.#chosen : this.#before)[lookup] ?? nothing;
    this.#lookedUp = true;
    const of = choose === 'similar' ? scores() : drawn(count, layer, asking.used);
    return this.#among(of, sizes, this.#budget(asking), this.#before[layer]?.queue ?? []);
  }

  /** What was chosen before and holds for these rows. */
  #held({ moment, used }: Asking): Choices | undefined {
    if (moment === 'decode') return used < this.#heldTo ? this.#before : undefined;
    return this.#rehearsed && used < this.#rehearsed.to ? this.#rehearsed.choices : undefined;
  }

  #among(scores: ArrayLike<number>, sizes: Sizes, budget: number, queue: readonly number[]): Recalled {
    const { min, contiguity } = this.#settings;
    const forNeighbours = contiguity * budget;
    const most = Math.ceil((budget - forNeighbours) / min) + 1;
    const events = withinBudget(highest(scores, most), sizes, budget - forNeighbours);
    return { events, queue: neighbours(events, queue, sizes, sizes.length, forNeighbours) };
  }

  /** Tokens of events that the rows may read. */
  #budget({ segmentation: { closed }, used, n }: Asking): number {
    const { mem, local } = this.#settings;
    return mem === 0 ? 0 : Math.max(0, mem + n - Math.max(0, used + n - local - closed));
  }
}

/** Numbers by chance: the same for the same layer and place in the text. */
function drawn(count: number, layer: number, used: number): Float64Array {
  const random = new Random(`em-llm ${layer} ${used}`);
  return Float64Array.from({ length: count }, () => random.real());
}

const numbers = z.array(z.int());

export const savedRetrieval = z.object({
  before: z.array(z.object({ events: numbers, queue: numbers }).nullable()),
  heldTo: z.int(),
});
