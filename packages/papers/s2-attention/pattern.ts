/** What a head of the local-stride pattern reads, in blocks (Lin et al. 2024, S2-Attention, arXiv 2407.17678). */
export interface Strided {
  /** Tokens of a block. */
  readonly block: number;
  /** Blocks at the end, the query's own included. */
  readonly local: number;
  /** Of so many blocks a head reads one, further back; 1 is everything. */
  readonly stride: number;
  /** Query heads, whose number says how far the stripes of neighbouring heads lie apart. */
  readonly heads: number;
  /** All heads have the stripes of the first. */
  readonly same: boolean;
  /** Key/value heads of a layer, by which stripes move on from layer to layer; 0: they do not. */
  readonly rotate: number;
}

/** Whether a query of block I reads key block J ≤ I: it is near, or on the head's stripe, which absolute blocks decide. */
export function isRead(pattern: Strided, kvHead: number, layer: number, queryBlock: number, keyBlock: number): boolean {
  return queryBlock - keyBlock < pattern.local || isOnStripe(pattern, kvHead, layer, keyBlock);
}

/** Whether a head goes on reading a block that is no longer near. Else nothing is lost when its keys are dropped. */
export function isOnStripe(pattern: Strided, kvHead: number, layer: number, keyBlock: number): boolean {
  const { stride, heads, same, rotate } = pattern;
  const step = Math.max(1, Math.floor(stride / heads));
  return (keyBlock + (same ? 0 : kvHead * step) + layer * rotate) % stride === 0;
}

/** Share of causal block pairs that at least one head reads. */
export function coverage(pattern: Strided, kvHeads: number, blocks: number, layers = 1): number {
  let covered = 0;
  for (let i = 0; i < blocks; i++) {
    for (let j = 0; j <= i; j++) {
      const some = (layer: number) =>
        Array.from({ length: kvHeads }, (_, head) => head).some((head) => isRead(pattern, head, layer, i, j));
      if (Array.from({ length: layers }, (_, layer) => layer).some(some)) covered++;
    }
  }
  return covered / ((blocks * (blocks + 1)) / 2);
}

/**
 * Whether keys that one block of queries does not read are never read again (section 4.1, the KV-efficient patterns), so
 * that they can be dropped: mask[I + 1][J] ≤ mask[I][J] for blocks J that lie behind the queries.
 */
export function isDroppable(reads: (queryBlock: number, keyBlock: number) => boolean, blocks: number): boolean {
  for (let i = 0; i + 1 < blocks; i++) {
    for (let j = 0; j < i; j++) if (reads(i + 1, j) && !reads(i, j)) return false;
  }
  return true;
}
