/** Sizes of events in tokens, by number. */
export type Sizes = ArrayLike<number>;

/** Numbers of the `count` highest scores, highest first; of equal ones the first. NaN comes last. */
export function highest(scores: ArrayLike<number>, count: number): number[] {
  const value = (i: number) => {
    const score = scores[i] ?? Number.NaN;
    return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
  };
  /** Whether a comes behind b in the end: the root of the heap is the one that leaves next. */
  const behind = (a: number, b: number) => value(a) < value(b) || (value(a) === value(b) && a > b);
  const heap: number[] = [];
  const at = (i: number) => heap[i] ?? 0;
  const swap = (i: number, j: number) => ([heap[i], heap[j]] = [at(j), at(i)]);
  for (let i = 0; i < scores.length; i++) {
    if (heap.length < count) {
      heap.push(i);
      for (let child = heap.length - 1; child > 0; ) {
        const parent = (child - 1) >> 1;
        if (!behind(at(child), at(parent))) break;
        swap(child, parent);
        child = parent;
      }
    } else {
      // Of equal ones the first stays, and nearly all of many are behind the root.
      if (count === 0 || !(value(i) > value(at(0)))) continue;
      heap[0] = i;
      for (let parent = 0; ; ) {
        let child = 2 * parent + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && behind(at(child + 1), at(child))) child++;
        if (!behind(at(child), at(parent))) break;
        swap(child, parent);
        parent = child;
      }
    }
  }
  return heap.sort((a, b) => (behind(a, b) ? 1 : -1));
}

/** The first of some events, as many as are nearest to a budget of tokens: the one that crosses it where that is nearer. */
export function withinBudget(ordered: readonly number[], sizes: Sizes, budget: number): number[] {
  const chosen: number[] = [];
  let total = 0;
  for (const event of ordered) {
    const size = sizes[event] ?? 0;
    if (total + size <= budget || total + size - budget < budget - total) chosen.push(event);
    total += size;
    if (total >= budget) break;
  }
  return chosen;
}

/**
 * Neighbours of what was chosen: for every event in the order of similarity the one behind it, then the one before it, within
 * a budget of tokens; those of earlier chunks stay while there is room. The latest come first.
 */
export function neighbours(
  chosen: readonly number[],
  earlier: readonly number[],
  sizes: Sizes,
  count: number,
  budget: number,
): number[] {
  const taken = new Set(chosen);
  const queue: number[] = [];
  let total = 0;
  const near = chosen.flatMap((event) => [event + 1, event - 1]);
  for (const event of [...near, ...earlier]) {
    if (event < 0 || event >= count || taken.has(event)) continue;
    const size = sizes[event] ?? 0;
    if (total + size > budget) break;
    taken.add(event);
    queue.push(event);
    total += size;
  }
  return queue;
}
