import { bookTokens, haystackOf, median, Random, type TextName } from '@loci/evaluate';
import type { Model } from 'loci';
import { type CapturedText, withCaptured } from './captured.ts';
import { type Making, recallOf, type Searched, Trial } from './trial.ts';

/** How recall grows with what a search scores: for pools that hold more and more. */
export type Curve = readonly { readonly pool: number; readonly recall: number; readonly scans: number }[];

/** What graphs of one query head do, that are made of different queries. */
export interface HeadCurves {
  readonly layer: number;
  readonly head: number;
  /** Keys that are indexed. */
  readonly keys: number;
  /** Of its own queries; of the keys; of the queries of another head of its group; of another text's. */
  readonly own: Curve;
  readonly ofKeys: Curve;
  readonly otherHead: Curve;
  readonly otherText: Curve;
  /** Of its own, over the last quarter of the keys. */
  readonly quarter: Curve;
  readonly reachable: number;
  /** Softmax weight that all keys but the 32 best have, on average over the queries that were asked. */
  readonly dropped: number;
}

export const wanted = 32;
const pools = [32, 48, 64, 96, 128, 192, 256, 384, 512];
const making = { neighbours: 64, degree: 16, build: 32 } as const;
/** Of the last positions of the prompt every fourth is a query to learn of; those behind it ask. */
const [learning, every, asking, window, sinks] = [4096, 4, 48, 256, 16];

/** Curves of three heads of some layers, over a book of so many tokens. */
export async function headCurves(
  model: Model,
  tokens: number,
  layers: readonly number[],
  progress: (share: number) => void = () => {},
): Promise<readonly HeadCurves[]> {
  const { headSize: d, heads: h, kvHeads: g, attentionScale } = model.arch;
  const prompt = tokens - asking;
  const train = Array.from(
    { length: Math.floor(Math.min(learning, prompt) / every) },
    (_, i) => prompt - every * (i + 1),
  ).reverse();
  const behind = Array.from({ length: asking }, (_, i) => prompt + i);
  const textOf = (name: TextName) => bookTokens(model, haystackOf(name), new Random(`curves ${name}`), tokens);
  const positions = { positions: [...train, ...behind], layers };
  const read = <T>(name: TextName, work: (text: CapturedText) => Promise<T>) =>
    withCaptured(model, textOf(name), positions, work);
  const others = await read(
    'dracula',
    async ({ layers: found }) =>
      new Map(
        Array.from(found, ([layer, { queries }]) => [layer, queries.map((rows) => rows.slice(0, train.length * d))]),
      ),
  );
  progress(0.2);
  return await read('moby-dick', async ({ host, layers: found }) => {
    const end = prompt - window;
    const curves: HeadCurves[] = [];
    for (const [layer, { queries, keys }] of found) {
      for (const head of [0, Math.floor(h / 2), h - 1]) {
        const kvHead = Math.floor((head * g) / h);
        const own = (keys[kvHead] ?? new Float32Array()).slice(sinks * d, end * d);
        const count = own.length / d;
        const first = count - Math.floor(count / 4);
        const of = (other: number) => (queries[other] ?? new Float32Array()).slice(0, train.length * d);
        const seen = (from: number, size: number) =>
          Int32Array.from(train, (position) => Math.min(size, Math.max(0, position + 1 - sinks - from)));
        const group = h / g;
        const neighbour = kvHead * group + ((head + 1) % group);
        const made = (taught: Float32Array): Making => ({
          keys: own,
          queries: taught,
          limits: seen(0, count),
          ...making,
        });
        const trials = await Trial.make(host, [
          made(of(head)),
          { keys: own, queries: own, ofKeys: true, ...making },
          made(of(neighbour)),
          made(others.get(layer)?.[head] ?? of(head)),
          { keys: own.slice(first * d), queries: of(head), limits: seen(first, count - first), ...making },
        ]);
        const asked = (queries[head] ?? new Float32Array()).slice(train.length * d);
        const [ownCurve = [], ofKeys = [], otherHead = [], otherText = [], quarter = []] = await Promise.all(
          trials.map((trial) => curveOf(trial, asked)),
        );
        const exact = await trials[0]?.search(asked, wanted, wanted, true);
        curves.push({
          ...{ layer, head, keys: count, own: ownCurve, ofKeys, otherHead, otherText, quarter },
          reachable: trials[0]?.reachable ?? 0,
          dropped: exact ? droppedWeight(asked, own, exact, d, attentionScale) : Number.NaN,
        });
        for (const trial of trials) trial.close();
      }
      progress(0.2 + (0.8 * curves.length) / (3 * layers.length));
    }
    return curves;
  });
}

async function curveOf(trial: Trial, asked: Float32Array): Promise<Curve> {
  const exact = await trial.search(asked, wanted, wanted, true);
  const curve: { pool: number; recall: number; scans: number }[] = [];
  for (const pool of pools) {
    const found = await trial.search(asked, wanted, pool);
    curve.push({ pool, recall: recallOf(found, exact), scans: found.scans });
  }
  return curve;
}

/** Mean over queries of the softmax weight, among these keys, that is not on those found. */
function droppedWeight(asked: Float32Array, keys: Float32Array, { found }: Searched, d: number, scale: number): number {
  const count = keys.length / d;
  const shares = found.map((own, row) => {
    const scores = new Float64Array(count);
    for (let key = 0; key < count; key++) {
      let sum = 0;
      for (let c = 0; c < d; c++) sum += (asked[row * d + c] ?? 0) * (keys[key * d + c] ?? 0);
      scores[key] = sum * scale;
    }
    const top = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
    return 1 - own.reduce((sum, key) => sum + Math.exp((scores[key] ?? 0) - top), 0) / total;
  });
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

/** Keys that are scored for a recall, between the pools that were tried; undefined where none gets there. */
export function scansAt(curve: Curve, recall: number): number | undefined {
  for (const [i, point] of curve.entries()) {
    if (point.recall < recall) continue;
    const before = curve[i - 1];
    if (!before) return point.scans;
    const share = (recall - before.recall) / (point.recall - before.recall);
    return before.scans + share * (point.scans - before.scans);
  }
  return undefined;
}

/** Recall when so many keys are scored, between the pools that were tried. */
export function recallAt(curve: Curve, scans: number): number {
  for (const [i, point] of curve.entries()) {
    if (point.scans < scans) continue;
    const before = curve[i - 1];
    if (!before) return point.recall;
    const share = (scans - before.scans) / (point.scans - before.scans);
    return before.recall + share * (point.recall - before.recall);
  }
  return curve.at(-1)?.recall ?? 0;
}

/** Median over heads of a number; heads without it count as infinite. */
export function medianOf(values: readonly (number | undefined)[]): number {
  return median(values.map((value) => value ?? Number.POSITIVE_INFINITY));
}
