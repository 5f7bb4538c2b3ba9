import { OrderedQueue, orderOf, positionOf } from './ordered-queue.ts';

/** Which neighbouring symbols merge, into what, and which merge goes first. */
export interface MergeTable {
  /** The index of the merge of two symbols, or −1. */
  find(left: number, right: number): number;
  /** [merges], lower goes first; below `MAX_ORDER`. */
  readonly rank: Int32Array;
  /** [merges], the symbol that the two become. */
  readonly result: Int32Array;
}

/** Up to this many symbols a scan for the best pair beats a heap. */
const SHORT = 48;
const REMOVED = -1;

/**
 * Byte-pair encoding (Sennrich et al. 2016, algorithm 1): the neighbours with the lowest rank merge, the leftmost first
 * among equals, until none can. SentencePiece's BPE is the same with ranks from scores.
 */
export class Merger {
  readonly #table: MergeTable;
  readonly #entries = new Int32Array(SHORT);

  constructor(table: MergeTable) {
    this.#table = table;
  }

  /** Merges `symbols[0 … count)` in place and returns how many are left. O(n log n) for long inputs. */
  merge(symbols: Int32Array, count: number): number {
    if (count < 2) return count;
    return count <= SHORT ? this.#mergeShort(symbols, count) : this.#mergeLong(symbols, count);
  }

  #mergeShort(symbols: Int32Array, count: number): number {
    const table = this.#table;
    const { rank, result } = table;
    const entries = this.#entries;
    let pairs = count - 1;
    for (let i = 0; i < pairs; i++) entries[i] = table.find(symbols[i] ?? 0, symbols[i + 1] ?? 0);
    for (;;) {
      let best = -1;
      let bestRank = Infinity;
      for (let i = 0; i < pairs; i++) {
        const entry = entries[i] ?? -1;
        if (entry < 0) continue;
        const entryRank = rank[entry] ?? Infinity;
        if (entryRank < bestRank) {
          bestRank = entryRank;
          best = i;
        }
      }
      if (best < 0) return pairs + 1;
      symbols[best] = result[entries[best] ?? 0] ?? 0;
      for (let i = best + 1; i < pairs; i++) {
        symbols[i] = symbols[i + 1] ?? 0;
        entries[i] = entries[i + 1] ?? -1;
      }
      pairs--;
      if (best > 0) entries[best - 1] = table.find(symbols[best - 1] ?? 0, symbols[best] ?? 0);
      if (best < pairs) entries[best] = table.find(symbols[best] ?? 0, symbols[best + 1] ?? 0);
    }
  }

  #mergeLong(symbols: Int32Array, count: number): number {
    const table = this.#table;
    const { rank, result } = table;
    const next = new Int32Array(count);
    const previous = new Int32Array(count);
    const queue = new OrderedQueue();
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    const offer = (left: number, right: number): void => {
      const entry = table.find(symbols[left] ?? 0, symbols[right] ?? 0);
      if (entry >= 0) queue.push(rank[entry] ?? 0, left);
    };
    for (let i = 0; i + 1 < count; i++) offer(i, i + 1);

    while (queue.size > 0) {
      const key = queue.pop();
      const left = positionOf(key);
      const right = next[left] ?? count;
      if (symbols[left] === REMOVED || right >= count) continue;
      // The pair may have changed since it was queued: it is still meant only if today's pair has the queued rank.
      const entry = table.find(symbols[left] ?? 0, symbols[right] ?? 0);
      if (entry < 0 || rank[entry] !== orderOf(key)) continue;
      symbols[left] = result[entry] ?? 0;
      symbols[right] = REMOVED;
      const after = next[right] ?? count;
      next[left] = after;
      if (after < count) {
        previous[after] = left;
        offer(left, after);
      }
      const before = previous[left] ?? -1;
      if (before >= 0) offer(before, left);
    }

    let kept = 0;
    for (let i = 0; i < count; i = next[i] ?? count) symbols[kept++] = symbols[i] ?? 0;
    return kept;
  }
}
