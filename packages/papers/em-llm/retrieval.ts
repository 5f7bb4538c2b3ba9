import { Random } from '@loci/evaluate';
import { highest, neighbours, type Sizes, withinBudget } from './choose.ts';
import type { Settings } from './remember.ts';
import type { Segmentation } from './segmentation.ts';

/** Numbers of events that the rows of a layer read: by similarity, and as neighbours of those. */
export interface Recalled {
  readonly events: readonly number[];
  readonly queue: readonly number[];
}

/** Which events come back to which layer. */
export class Retrieval {
  readonly #settings: Settings;
  /** Events that stay as neighbours of what was chosen, by layer. */
  #queues: readonly (readonly number[])[] = [];
  /** The layers' choices of the program under way, and of the last one. */
  #chosen: (Recalled | undefined)[] = [];

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** By layer, what the last rows read. */
  get chosen(): readonly (Recalled | undefined)[] {
    return this.#chosen;
  }

  /** A program begins. */
  begin(): void {
    this.#chosen = [];
  }

  /** Whether n rows behind `used` tokens may read all events, which then need not be looked up. */
  hasRoomForAll(segmentation: Segmentation, used: number, n: number): boolean {
    return segmentation.tokens <= this.#budget(segmentation, used, n);
  }

  /** @param scores How similar every event is to the rows of the layer; unused where all have room, or chance decides. */
  choose(
    layer: number,
    segmentation: Segmentation,
    used: number,
    n: number,
    scores: () => ArrayLike<number>,
  ): Recalled {
    const { count, sizes } = segmentation;
    const chosen = this.hasRoomForAll(segmentation, used, n)
      ? { events: Array.from({ length: count }, (_, event) => event), queue: [] }
      : this.#among(layer, sizes, this.#budget(segmentation, used, n), () =>
          this.#settings.choose === 'similar' ? scores() : drawn(count, layer, used),
        );
    this.#chosen[layer] = chosen;
    return chosen;
  }

  /** The program has run. */
  commit(): void {
    const queues = [...this.#queues];
    for (const [layer, one] of this.#chosen.entries()) if (one) queues[layer] = one.queue;
    this.#queues = queues;
  }

  fork(): Retrieval {
    const fork = new Retrieval(this.#settings);
    fork.#queues = this.#queues;
    return fork;
  }

  /** JSON that `restore` takes. */
  save(layers: number): number[][] {
    return Array.from({ length: layers }, (_, layer) => [...(this.#queues[layer] ?? [])]);
  }

  restore(queues: readonly (readonly number[])[]): void {
    this.#queues = queues;
  }

  #among(layer: number, sizes: Sizes, budget: number, scores: () => ArrayLike<number>): Recalled {
    const { min, contiguity } = this.#settings;
    const forNeighbours = contiguity * budget;
    const most = Math.ceil((budget - forNeighbours) / min) + 1;
    const events = withinBudget(highest(scores(), most), sizes, budget - forNeighbours);
    return { events, queue: neighbours(events, this.#queues[layer] ?? [], sizes, sizes.length, forNeighbours) };
  }

  /** Tokens of events that n rows may read. */
  #budget({ closed }: Segmentation, used: number, n: number): number {
    const { mem, local } = this.#settings;
    return mem === 0 ? 0 : Math.max(0, mem + n - Math.max(0, used + n - local - closed));
  }
}

/** Numbers by chance: the same for the same layer and place in the text. */
function drawn(count: number, layer: number, used: number): Float64Array {
  const random = new Random(`em-llm ${layer} ${used}`);
  return Float64Array.from({ length: count }, () => random.real());
}
