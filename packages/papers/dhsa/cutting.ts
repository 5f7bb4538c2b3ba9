import type { Encoder } from '@loci/device';
import type { Chunks } from '@loci/kernels';
import type { Host, LayerView } from 'loci';

/** Rows of a prompt that are to be cut into chunks. */
export interface PromptRows {
  /** Position of the first. */
  readonly start: number;
  readonly n: number;
  /** Rows at the end that stay together. */
  readonly together: number;
}

/** Where prompts are cut into chunks. */
export interface Cutting {
  /** Which groups of layers are cut in the same places. */
  readonly groups: number;
  groupOf(layer: number): number;
  /** Chunks that n rows become, at most. */
  most(n: number): number;
  /** Positions behind the last of every chunk, where they are known beforehand. */
  ends?(group: number, rows: PromptRows): readonly number[];
  /** Records what finds them in the keys of a layer, and writes them behind the first `before` chunks. */
  record?(encoder: Encoder, view: LayerView, rows: PromptRows, chunks: Chunks, before: number): void;
  close?(): void;
}

/** How a sequence comes by its cutting. */
export type OpenCutting = (host: Host) => Cutting;

/** Ends of chunks of `size` tokens from a position on; the last may have fewer. */
export function endsOfEqual(from: number, to: number, size: number): number[] {
  const ends: number[] = [];
  for (let end = from + size; end < to; end += size) ends.push(end);
  return [...ends, to];
}

/** Ends of the chunks of a prompt's rows, of which the last ones are a chunk by themselves. */
function withInstruction(
  { start, n, together }: PromptRows,
  before: (to: number) => readonly number[],
): readonly number[] {
  const first = start + n - (together < n ? together : 0);
  return first < start + n ? [...before(first), start + n] : before(first);
}

/** Chunks of `size` tokens; the last ones of a prompt are another. */
export function equalCutting(size: number): Cutting {
  return {
    groups: 1,
    groupOf: () => 0,
    most: (n) => Math.ceil(n / size) + 1,
    ends: (_, rows) => withInstruction(rows, (to) => endsOfEqual(rows.start, to, size)),
  };
}

/** Cuts of a text that are known for every layer: positions at which a chunk begins, ascending. */
export function knownCutting(cuts: readonly (readonly number[])[]): Cutting {
  return {
    groups: cuts.length,
    groupOf: (layer) => layer,
    most: (n) => n,
    ends: (group, rows) =>
      withInstruction(rows, (to) => [...(cuts[group] ?? []).filter((cut) => cut > rows.start && cut < to), to]),
  };
}
