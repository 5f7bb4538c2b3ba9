import type { Encoder } from '@loci/device';
import { type BlockLists, type Chunks, chunkLists, chunkRoom, chunkSums, pageSlots } from '@loci/kernels';
import type { Attend, Attending, Host, LayerView, Saved, Selection } from 'loci';
import { z } from 'zod';
import { ListBuffer } from '../attending/list-buffer.ts';
import { define } from '../methods/define.ts';
import { choice, number, whole } from '../methods/option.ts';
import { Room } from '../methods/room.ts';
import { type Cutting, endsOfEqual, equalCutting, type OpenCutting, type PromptRows } from './cutting.ts';
import { mismatchOf, PredictedCutting } from './predictor/cutting.ts';
import { namedPredictor } from './predictor/file.ts';
import { ChunkTable } from './table.ts';

/**
 * DHSA (Xiong et al. 2025, arXiv 2510.24606): a text is cut into chunks; a block of queries is compared with the mean key
 * of every chunk, and all keys of a chunk are as important to it as the chunk is. The most important ones are read, the
 * same of them by all heads of a layer.
 */
export const dhsa = define<Attend, ReturnType<typeof options>>({
  axis: 'attend',
  name: 'dhsa',
  summary: 'keys of the chunks whose means are most like a block of queries',
  options: z.object(options()),
  create(given, base) {
    const { cut, chunk, threshold, share, predictor } = given;
    if (cut === 'equal') return chunkAttend(base, given, () => equalCutting(chunk));
    const file = namedPredictor(predictor);
    const predicting = { chunk, threshold, share, reach: 8 };
    return {
      ...chunkAttend(base, given, (host) => new PredictedCutting(host, file, predicting)),
      needs: { refuses: (model) => mismatchOf(file, model) },
    };
  },
});

function options() {
  return {
    budget: whole(1, 1_000_000, 1024, 'keys that a block of queries reads at most'),
    block: whole(1, 512, 128, 'queries of a block, while a prompt is read'),
    chunk: whole(1, 4096, 16, 'tokens of a chunk: of each where all are equal, else at least on average'),
    cut: choice(['predicted', 'equal'], 'predicted', 'where prompts are cut: at predicted boundaries, or evenly'),
    predictor: z.string().default('bundled').describe('file of a predictor; bundled is the one that comes along'),
    threshold: number(-100, 100, 0, 'what the logit of a boundary exceeds'),
    share: whole(1, 1000, 1, 'layers that are cut where the first of them is'),
    local: whole(0, 1_000_000, 128, 'nearest keys that are always read, within the budget'),
    global: whole(0, 1_000_000, 128, 'first keys that are always read, within the budget'),
    instruction: whole(0, 512, 64, 'queries at the end of a prompt that read everything'),
    open: whole(1, 4096, 64, 'generated tokens of a chunk'),
    length: choice(
      ['root', 'none'],
      'root',
      'what a mean key is multiplied with: the root of its chunk’s length, or nothing',
    ),
  };
}

export type ChunkOptions = Pick<
  z.output<z.ZodObject<ReturnType<typeof options>>>,
  'budget' | 'block' | 'local' | 'global' | 'instruction' | 'open' | 'length'
>;

/** The method with a cutting of its own. */
export function chunkAttend(
  base: Pick<Attend, 'axis' | 'name' | 'spec'>,
  given: ChunkOptions,
  cutting: OpenCutting,
): Attend {
  return { ...base, needs: {}, open: (host) => new DynamicChunks(host, given, cutting) };
}

/** What a program does to the chunks, which holds when it has run. */
interface Step {
  readonly rows: PromptRows;
  /** Of every group, the chunks that stay as they are; `ends` follow, unless kernels find them. */
  readonly before: readonly number[];
  readonly ends: readonly (readonly number[] | undefined)[];
  /** Where the chunk of generated tokens begins that is to grow. */
  readonly openFrom: number | undefined;
  /** Of every group, the first chunk whose keys are to be summed up. */
  readonly first: readonly number[];
  /** The most chunks that a group can have then. */
  readonly most: number;
}

class DynamicChunks implements Attending {
  /** Rows of instruction are to stay in one program. */
  readonly lastRows: number;
  readonly #host: Host;
  readonly #options: ChunkOptions;
  readonly #openCutting: OpenCutting;
  readonly #cutting: Cutting;
  readonly #lists: ListBuffer;
  #table: ChunkTable;
  readonly #room: Room;
  /** Ends of every group's chunks. */
  #ends: number[][];
  /** Of every group, how many chunks the sums are those of, in the cache's edition. */
  #summed: number[];
  #edition = 0;
  #openFrom: number | undefined;
  #step: Step | undefined;

  constructor(host: Host, given: ChunkOptions, openCutting: OpenCutting) {
    this.lastRows = given.instruction;
    this.#host = host;
    this.#options = given;
    this.#openCutting = openCutting;
    this.#cutting = openCutting(host);
    this.#lists = new ListBuffer(host.device);
    this.#room = new Room(host.device);
    this.#table = new ChunkTable(host, this.#cutting.groups);
    this.#ends = Array.from({ length: this.#cutting.groups }, () => []);
    this.#summed = this.#ends.map(() => 0);
  }

  begin(): void {
    this.#ends = this.#ends.map(() => []);
    this.#summed = this.#ends.map(() => 0);
    this.#openFrom = undefined;
  }

  select(encoder: Encoder, view: LayerView): Selection {
    const { layer } = view;
    if (layer === 0) this.#step = this.#prepare(view);
    const step = this.#step;
    if (!step) throw new RangeError('the first layer comes first');
    const group = this.#cutting.groupOf(layer);
    const chunks = this.#table.of(layer, group);
    const isFirst = layer === 0 || this.#cutting.groupOf(layer - 1) !== group;
    if (isFirst && !step.ends[group]) {
      this.#cutting.record?.(encoder, view, step.rows, chunks, step.before[group] ?? 0);
    }
    const { heads: h, kvHeads: g, headSize: d } = this.#host.arch;
    const common = { heads: view.heads, g, d, appended: view.n, chunks };
    encoder.record(chunkSums({ ...common, format: view.format, first: step.first[group] ?? 0 }));
    return { lists: this.#choose(encoder, view, step, { ...common, h }) };
  }

  #choose(
    encoder: Encoder,
    view: LayerView,
    { rows: { start, together }, most }: Step,
    common: {
      readonly heads: number;
      readonly h: number;
      readonly g: number;
      readonly d: number;
      readonly appended: number;
      readonly chunks: Chunks;
    },
  ): BlockLists {
    const { n, moment, queries, positions, window, counts } = view;
    const { budget, local, global, length, block } = this.#options;
    const rows = moment === 'decode' ? 1 : block;
    const shape = { blocks: Math.ceil(n / rows), heads: common.g, capacity: Math.ceil(view.slots / pageSlots) };
    const lists = this.#lists.reserve(rows, shape);
    const last = start + n - 1;
    const call = { ...common, n, queries, positions, rows, window, budget, local, global, length };
    const bytes = chunkRoom({ ...call, most, last });
    const room = this.#room.reserve(bytes, 2 * bytes);
    encoder.record(chunkLists({ ...call, wholeFrom: n - together, most, lists, room, last, counts }));
    return lists;
  }

  /** Notices what has become of the cache, and says what the rows do to the chunks. */
  #prepare({ cache, moment, n, positions }: LayerView): Step {
    const [start = 0] = this.#host.device.ints(positions, 1);
    if (cache.edition !== this.#edition) this.#summed.fill(0);
    this.#edition = cache.edition;
    if (this.#openFrom !== undefined && this.#openFrom >= start) this.#openFrom = undefined;
    for (const [group, ends] of this.#ends.entries()) {
      const isCut = (ends.at(-1) ?? 0) > start;
      while ((ends.at(-1) ?? 0) > start) {
        const from = ends.at(-2) ?? 0;
        ends.pop();
        if (from < start) ends.push(start);
        this.#summed[group] = Math.min(this.#summed[group] ?? 0, ends.length - (from < start ? 1 : 0));
      }
      if (isCut) this.#table.write(group, 0, ends);
    }
    const together = moment === 'prompt end' ? Math.min(n, this.#options.instruction) : 0;
    const rows = { start, n, together };
    const reopened = moment === 'decode' && this.#openFrom !== undefined;
    const before = this.#ends.map((ends) => ends.length - (reopened ? 1 : 0));
    const from = reopened ? (this.#openFrom ?? start) : start;
    const generated = moment === 'decode' ? endsOfEqual(from, start + n, this.#options.open) : undefined;
    const ends = before.map((_, group) => generated ?? this.#cutting.ends?.(group, rows));
    const lengths = before.map((chunks, group) => chunks + (ends[group]?.length ?? this.#cutting.most(n)));
    const most = Math.max(...lengths);
    this.#table.reserve(most);
    for (const [group, more] of ends.entries()) if (more) this.#table.write(group, before[group] ?? 0, more);
    const isOpen = generated !== undefined && (start + n - from) % this.#options.open !== 0;
    return {
      ...{ rows, before, ends, most },
      openFrom: isOpen ? (generated.at(-2) ?? from) : undefined,
      first: before.map((chunks, group) => Math.min(chunks, this.#summed[group] ?? 0)),
    };
  }

  ran(): void {
    if (!this.#step) return;
    this.#ends = this.#ends.map((_, group) => this.#table.read(group));
    this.#summed = this.#ends.map(({ length }) => length);
    this.#openFrom = this.#step.openFrom;
    this.#step = undefined;
  }

  /** Positions at which chunks end, for every group of layers that are cut in the same places. */
  inspect(): unknown {
    return { ends: this.#ends };
  }

  save(): Saved {
    return { state: { ends: this.#ends, openFrom: this.#openFrom ?? null } };
  }

  restore(state: unknown): void {
    const { ends, openFrom } = savedChunks.parse(state);
    if (ends.length !== this.#ends.length) throw new RangeError(`${ends.length} groups of layers`);
    this.begin();
    this.#ends = ends;
    this.#openFrom = openFrom ?? undefined;
    this.#table.reserve(Math.max(...ends.map(({ length }) => length)));
    for (const [group, all] of ends.entries()) this.#table.write(group, 0, all);
  }

  fork(): Attending {
    const fork = new DynamicChunks(this.#host, this.#options, this.#openCutting);
    fork.#table = this.#table.copy();
    fork.#ends = this.#ends.map((ends) => [...ends]);
    fork.#summed = [...this.#summed];
    fork.#edition = this.#edition;
    fork.#openFrom = this.#openFrom;
    return fork;
  }

  close(): void {
    this.#lists.close();
    this.#table.close();
    this.#cutting.close?.();
    this.#room.close();
  }
}

const savedChunks = z.object({ ends: z.array(z.array(z.number().int())), openFrom: z.number().int().nullable() });
