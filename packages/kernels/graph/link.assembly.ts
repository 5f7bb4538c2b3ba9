import { at, Graph, keyOf, product, ranked, scoreOf, sort, walkGraph } from './graph.assembly';

/** What linking the keys of one head works in. */
@unmanaged
class Work {
  graph: Graph;
  degree: i32;
  /** Ranks: candidates, and those that a search holds. */
  candidates: usize;
  pool: usize;
  /** i32 [degree], [degree] and [capacity]: keys that a prune kept, those that it rejected, and a copy of a list. */
  kept: usize;
  rejected: usize;
  list: usize;
}

// @ts-ignore: decorator
@inline function nth(list: usize, i: i32): i32 {
  return load<i32>(list + (<usize>i << 2));
}

/**
 * Of candidates for x, the highest first, keeps those that are nearer to x than to all that are kept, up to `degree` of them,
 * and fills up with the best of the others. Returns how many there are in `work.kept`.
 */
function prune(work: Work, candidates: usize, n: i32): i32 {
  const graph = work.graph, degree = work.degree;
  let kept = 0, rejected = 0;
  for (let i = 0; i < n && kept < degree; i++) {
    const rank = at(candidates, i);
    const c = keyOf(rank), score = scoreOf(rank);
    let near = true;
    for (let r = 0; r < kept && near; r++) {
      near = product(graph.row(c), graph.row(nth(work.kept, r)), graph.rowBytes) <= score;
    }
    if (near) store<i32>(work.kept + (<usize>(kept++) << 2), c);
    else if (rejected < degree) store<i32>(work.rejected + (<usize>(rejected++) << 2), c);
  }
  for (let r = 0; r < rejected && kept < degree; r++) store<i32>(work.kept + (<usize>(kept++) << 2), nth(work.rejected, r));
  return kept;
}

// @ts-ignore: decorator
@inline function rankOf(graph: Graph, x: i32, to: i32): u64 {
  return ranked(product(graph.row(x), graph.row(to), graph.rowBytes), to);
}

/** Prunes the neighbours of x, and one more where `more` is a key. */
function shorten(work: Work, x: i32, more: i32): void {
  const graph = work.graph;
  let n = 0;
  for (const count = graph.degree(x); n < count; n++) {
    store<u64>(work.candidates + (<usize>n << 3), rankOf(graph, x, graph.neighbour(x, n)));
  }
  if (more >= 0) store<u64>(work.candidates + (<usize>(n++) << 3), rankOf(graph, x, more));
  sort(work.candidates, n);
  const kept = prune(work, work.candidates, n);
  graph.clear(x);
  for (let i = 0; i < kept; i++) graph.link(x, nth(work.kept, i));
}

/**
 * Links keys [from, count) of a head. From the first on, the graph begins: keys that are the nearest of a query get links to the
 * query's other nearest keys, and these to them. Then every key is searched for, and linked with what is found.
 */
export function linkHead(
  graph: Graph, room: i32, from: i32, degree: i32, most: i32, nearest: usize, queries: i32, neighbours: i32, place: usize,
  starts: usize,
): void {
  if (graph.count == 0) return;
  const work = changetype<Work>(place);
  work.graph = graph;
  work.degree = degree;
  work.kept = place + 64;
  work.rejected = work.kept + (<usize>degree << 2);
  work.list = work.rejected + (<usize>degree << 2);
  const mean = place + 2048;
  work.candidates = place + 4096;
  work.pool = work.candidates + (<usize>(room + 64) << 3);
  const heads = work.pool + (<usize>most << 3);
  const nexts = heads + (<usize>room << 2);
  graph.visited = nexts + (<usize>queries << 2);

  for (let x = from; x < graph.count; x++) graph.clear(x);
  if (from == 0) {
    graph.start = nearestToMean(graph, mean);
    store<i32>(starts, graph.start);
    project(work, nearest, queries, neighbours, heads, nexts);
    reverse(work);
  }
  for (let x = from; x < graph.count; x++) connect(work, x, most);
}

/** The key with the largest product with the mean of all. */
function nearestToMean(graph: Graph, mean: usize): i32 {
  for (let c: usize = 0; c < graph.rowBytes; c += 2) {
    let sum: i64 = 0;
    for (let x = 0; x < graph.count; x++) sum += <i64>load<i16>(graph.row(x) + c);
    // Rounded towards 0, as whole numbers are.
    store<i16>(mean + c, <i16>(sum / graph.count));
  }
  let best: u64 = 0;
  for (let x = 0; x < graph.count; x++) {
    const one = ranked(product(mean, graph.row(x), graph.rowBytes), x);
    if (one > best) best = one;
  }
  return keyOf(best);
}

/** Every query links its nearest key, the pivot, to its others; queries with one pivot do it together. */
function project(work: Work, nearest: usize, queries: i32, neighbours: i32, heads: usize, nexts: usize): void {
  const graph = work.graph;
  memory.fill(heads, 0xff, <usize>graph.count << 2);
  for (let q = 0; q < queries; q++) {
    const first = at(nearest, q * neighbours);
    if (first == 0) continue;
    const head = heads + (<usize>keyOf(first) << 2);
    store<i32>(nexts + (<usize>q << 2), load<i32>(head));
    store<i32>(head, q);
  }
  for (let x = 0; x < graph.count; x++) {
    let q = nth(heads, x);
    if (q < 0) continue;
    graph.forget();
    graph.visit(x);
    let n = 0;
    for (; q >= 0; q = nth(nexts, q)) {
      for (let i = 1; i < neighbours; i++) {
        const to = keyOf(at(nearest, q * neighbours + i));
        if (graph.visit(to)) store<u64>(work.candidates + (<usize>(n++) << 3), rankOf(graph, x, to));
      }
    }
    sort(work.candidates, n);
    const kept = prune(work, work.candidates, n);
    for (let i = 0; i < kept; i++) graph.link(x, nth(work.kept, i));
  }
}

/** Links run both ways; a key without room is pruned at once, and one with more than it should have in the end. */
function reverse(work: Work): void {
  const graph = work.graph;
  for (let x = 0; x < graph.count; x++) {
    const n = graph.degree(x);
    // A prune works elsewhere in this list.
    for (let i = 0; i < n; i++) store<i32>(work.list + (<usize>i << 2), graph.neighbour(x, i));
    for (let i = 0; i < n; i++) {
      const y = nth(work.list, i);
      if (graph.isLinked(y, x)) continue;
      if (graph.degree(y) < graph.capacity) graph.link(y, x);
      else shorten(work, y, x);
    }
  }
  for (let x = 0; x < graph.count; x++) if (graph.degree(x) > work.degree) shorten(work, x, -1);
}

/** Searches for a key and links it with what it finds, both ways where there is room. */
function connect(work: Work, x: i32, most: i32): void {
  const graph = work.graph;
  const found = walkGraph(graph, graph.row(x), work.pool, most);
  let n = 0;
  for (let i = 0; i < found; i++) {
    const one = at(work.pool, i);
    const to = keyOf(one);
    if (to != x && !graph.isLinked(x, to)) store<u64>(work.candidates + (<usize>(n++) << 3), one);
  }
  const kept = prune(work, work.candidates, n);
  for (let i = 0; i < kept && graph.degree(x) < graph.capacity; i++) {
    const y = nth(work.kept, i);
    graph.link(x, y);
    if (graph.degree(y) < graph.capacity && !graph.isLinked(y, x)) graph.link(y, x);
  }
}
