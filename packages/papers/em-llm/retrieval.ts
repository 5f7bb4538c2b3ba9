import { Random } from '@loci/evaluate';
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
}

/**
 * Which events come back to which layer. Every layer looks up for itself, or one for all: those behind it read the same, and
 * those before it what it chose for the rows before.
 */
export class Retrieval {
  readonly #settings: Settings;
  readonly #lookups: readonly number[];
  /** What each layer that looks up chose for the rows before. */
  #before: readonly (Recalled | undefined)[] = [];
  /** The layers' choices of the program under way, and of the last one. */
  #chosen: (Recalled | undefined)[] = [];

  /** @param lookups Layers that look events up, ascending. */
  constructor(settings: Settings, lookups: readonly number[]) {
    this.#settings = settings;
    this.#lookups = lookups;
  }

  /** By layer, what the last rows read. */
  get chosen(): readonly (Recalled | undefined)[] {
    return this.#chosen;
  }

  /** A program begins. */
  begin(): void {
    this.#chosen = [];
  }

  /** Whether rows may read all events, which then need not be looked up. */
  hasRoomForAll(asking: Asking): boolean {
    return asking.segmentation.tokens <= this.#budget(asking);
  }

  /** @param scores How similar every event is to the rows of the layer; unused where it does not look up. */
  choose(layer: number, asking: Asking, scores: () => ArrayLike<number>): Recalled {
    const chosen = this.#choose(layer, asking, scores);
    this.#chosen[layer] = chosen;
    return chosen;
  }

  /** The program has run. */
  commit(): void {
    if (this.#chosen.length === 0) return;
    this.#before = this.#chosen.map((one, layer) => (this.#lookups.includes(layer) ? one : undefined));
  }

  fork(): Retrieval {
    const fork = new Retrieval(this.#settings, this.#lookups);
    fork.#before = this.#before;
    return fork;
  }

  /** JSON that `restore` takes. */
  save(): z.input<typeof savedRetrieval> {
    return Array.from(this.#before, (one) => (one ? { events: [...one.events], queue: [...one.queue] } : null));
  }

  restore(saved: z.output<typeof savedRetrieval>): void {
    this.#before = saved.map((one) => one ?? undefined);
  }

  #choose(layer: number, asking: Asking, scores: () => ArrayLike<number>): Recalled {
    const { count, sizes } = asking.segmentation;
    const { choose } = this.#settings;
    if (this.hasRoomForAll(asking)) return { events: Array.from({ length: count }, (_, event) => event), queue: [] };
    if (!this.#lookups.includes(layer)) {
      const [lookup = -1] = this.#lookups;
      return (layer > lookup ? this.#chosen : this.#before)[lookup] ?? nothing;
    }
    const of = choose === 'similar' ? scores() : drawn(count, layer, asking.used);
    return this.#among(of, sizes, this.#budget(asking), this.#before[layer]?.queue ?? []);
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

export const savedRetrieval = z.array(z.object({ events: numbers, queue: numbers }).nullable());
