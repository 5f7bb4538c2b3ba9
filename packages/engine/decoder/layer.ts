import type { Encoder } from '@loci/device';
import {
  type Attend,
  activate,
  append,
  attend,
  type Command,
  gate,
  mergeParts,
  norm,
  partialFloats,
  partsOf,
  rope,
  scale,
} from '@loci/kernels';
import type { Beside } from '../axes/attend.ts';
import type { LayerView } from '../axes/hook.ts';
import type { Architecture, LayerShape } from '../families/architecture.ts';
import { linear, normFor, rounded, roundRows } from './linear.ts';
import type { Placed } from './segment.ts';
import type { Vector } from './weight-loader.ts';
import type { AttentionWeights, LayerWeights } from './weights.ts';
import { inputForms, type Precision, type Workspace } from './workspace.ts';

/** One block of the transformer. */
export interface Layer {
  readonly index: number;
  readonly shape: LayerShape;
  readonly weights: LayerWeights;
}

/** A block that attends. */
export interface AttentionLayer extends Layer {
  readonly mixing: AttentionWeights;
  /** Addresses of its cos and sin [n, rotated / 2], where it rotates. */
  readonly table: { readonly cos: number; readonly sin: number } | undefined;
}

export interface LayerContext {
  readonly arch: Architecture;
  readonly workspace: Workspace;
  readonly precision: Precision;
  /** Rows of the program. */
  readonly n: number;
  readonly placed: readonly Placed[];
}

/** Queries, keys and values: norm → q, k, v → rope → append. */
export function recordKeys(encoder: Encoder, context: LayerContext, layer: AttentionLayer): void {
  const { arch, workspace: w, precision, n, placed } = context;
  const { index, weights, mixing, table } = layer;
  const { heads: h, kvHeads: g, headSize: d, normEpsilon: epsilon } = arch;
  const input = [mixing.q, mixing.k, mixing.v];
  encoder.record(
    ...normFor(precision, input, w.x, n, weights.norm, epsilon, w.normed, mixing.rowGate !== undefined),
    linear(precision, w.normed, n, mixing.q, { out: w.q, bias: mixing.qBias, join: false }),
    linear(precision, w.normed, n, mixing.k, { out: w.k, bias: mixing.kBias, join: false }),
    linear(precision, w.normed, n, mixing.v, { out: w.v, bias: mixing.vBias }),
  );
  const headNorm = (x: number, heads: number, weight: Vector, join: boolean) =>
    norm({ x, stride: d, rows: n * heads, columns: d, weight: weight.address, epsilon, out: x, join });
  if (mixing.qNorm && mixing.kNorm) {
    encoder.record(headNorm(w.q, h, mixing.qNorm, false), headNorm(w.k, g, mixing.kNorm, true));
  }
  if (table) {
    const rotate = { n, d, rotated: arch.rotated, ...table, pairs: arch.pairs };
    encoder.record(rope({ ...rotate, x: w.q, heads: h, join: false }), rope({ ...rotate, x: w.k, heads: g }));
  }
  callHooks('rotated', encoder, context, layer);
  for (const [i, { segment, first, n: rows }] of placed.entries()) {
    const at = first * g * d * 4;
    encoder.record(
      append({
        keys: w.k + at,
        values: w.v + at,
        n: rows,
        g,
        d,
        heads: segment.cache.headsOf(index),
        positions: w.positions + first * 4,
        format: segment.cache.pool.format,
        join: i === placed.length - 1,
      }),
    );
  }
}

/** Keys of every segment that lie beside its cache, in the order of the segments. */
export type Recalled = readonly (readonly Beside[])[];

/** Whether a method of some segment wants to see what is recorded so far before it brings keys back. */
export function waits(context: LayerContext, layer: Layer): boolean {
  return context.placed.some((placed) => placed.segment.remembering?.waits?.(viewOf(context, layer, placed)));
}

export function recall(context: LayerContext, layer: Layer): Promise<Recalled> {
  const { placed } = context;
  return Promise.all(placed.map((one) => one.segment.remembering?.recall?.(viewOf(context, layer, one)) ?? []));
}

/** x += attention, behind `recordKeys`: attend → out. */
export function recordAttention(
  encoder: Encoder,
  context: LayerContext,
  layer: AttentionLayer,
  recalled: Recalled,
): void {
  const { arch, workspace: w, precision, n } = context;
  const { heads: h, headSize: d } = arch;
  const { mixing } = layer;
  const { attends, merges } = attendsOf(encoder, context, layer, recalled);
  encoder.record(...attends);
  encoder.record(...merges);
  callHooks('attended', encoder, context, layer);
  encoder.record(...rowFactors(context, layer), ...rounded(precision, [mixing.o], n, h * d, w.mixed));
  addBlock(encoder, context, mixing.postNorm, (out, accumulate) =>
    linear(precision, w.mixed, n, mixing.o, { out, accumulate }),
  );
}

/** Multiplies what was attended row by row, where the layer does so. */
function rowFactors({ arch, workspace: w, n }: LayerContext, { shape, mixing }: AttentionLayer): readonly Command[] {
  const { rows } = shape;
  if (!rows) return [];
  const columns = arch.heads * arch.headSize;
  const x = w.mixed.float;
  if (rows.kind === 'repeated') return [scale({ x, n: 1, groups: n, columns, factors: w.repeated })];
  if (mixing.rowGate === undefined) throw new RangeError(`the gate "${rows.name}" was not loaded`);
  const by = { by: w.normed.float, width: arch.width, weights: mixing.rowGate };
  return [gate({ x, n, columns, ...by, least: rows.least })];
}

/** Lets the methods of every segment record what they have to at a place of the layer. */
function callHooks(place: 'rotated' | 'attended', encoder: Encoder, context: LayerContext, layer: Layer): void {
  for (const placed of context.placed) {
    for (const hook of placed.segment.hooks) hook[place]?.(encoder, viewOf(context, layer, placed));
  }
}

function viewOf(
  { arch, workspace: w }: LayerContext,
  { index, shape }: Layer,
  { segment, first, n }: Placed,
): LayerView {
  const { heads: h, kvHeads: g, headSize: d, attentionScale: scale } = arch;
  const { cache, moment, counts } = segment;
  return {
    ...{ layer: index, moment, n, cache, heads: cache.headsOf(index), format: cache.pool.format },
    queries: w.q + first * h * d * 4,
    keys: w.k + first * g * d * 4,
    values: w.v + first * g * d * 4,
    attended: w.mixed.float + first * h * d * 4,
    positions: w.positions + first * 4,
    slots: cache.slotsOf(index) + n,
    scale,
    window: shape.window,
    counts,
  };
}

/**
 * Attention of every segment: over its cache or what is chosen of it, and over what lies beside it. The calls do not depend
 * on one another: only what is in parts must be joined before it is merged.
 */
function attendsOf(
  encoder: Encoder,
  context: LayerContext,
  layer: Layer,
  recalled: Recalled,
): { readonly attends: readonly Command[]; readonly merges: readonly Command[] } {
  const { arch, workspace: w, precision } = context;
  const { heads: h, kvHeads: g, headSize: d } = arch;
  const segments = context.placed.map((placed, i) => {
    const view = viewOf(context, layer, placed);
    const { lists, beside: selected = [] } = placed.segment.attending?.select?.(encoder, view) ?? {};
    const beside = [...selected, ...(recalled[i] ?? [])];
    const { n, positions, scale, attended: out, counts } = view;
    const common = {
      n,
      h,
      g,
      d,
      positions,
      scale,
      out,
      counts,
      mayRound: precision === 'int8',
      partials: 0,
      join: false,
    };
    const calls: Attend[] = [{ ...view, ...common, lists }, ...beside.map((one) => ({ ...common, ...one, window: 0 }))];
    const parts = calls.map(partsOf);
    return { calls, parts, total: parts.reduce((sum, count) => sum + count, 0), n };
  });
  const floats = segments.map(({ n, total }) => partialFloats(n, h, d, total));
  const all = floats.reduce((sum, count) => sum + count, 0);
  let partials = all > 0 ? w.growing('partials', all) : 0;
  const attends: Command[] = [];
  const merges: Command[] = [];
  for (const [i, { calls, parts, total }] of segments.entries()) {
    let first = 0;
    for (const [k, call] of calls.entries()) {
      attends.push(attend({ ...call, partials, share: { first, total } }));
      first += parts[k] ?? 0;
    }
    const [call] = calls;
    const merge = call && mergeParts({ ...call, partials }, total);
    if (merge) merges.push(merge);
    partials += (floats[i] ?? 0) * 4;
  }
  return { attends: joined(attends), merges: joined(merges) };
}

/** Commands that run side by side: all threads meet behind the last. */
export function joined(commands: readonly Command[]): readonly Command[] {
  return commands.map((one, i) => ({ ...one, join: i === commands.length - 1 }));
}

/** x += down(act(gate(norm(x))) · up(norm(x))), or without a gate down(act(up(norm(x)))). */
export function recordFeedForward(encoder: Encoder, context: LayerContext, { weights }: Layer): void {
  const { arch, workspace: w, precision, n } = context;
  if (!weights.feedForward) return;
  const { norm, gate, up, down, postNorm } = weights.feedForward;
  const inner = inputForms(precision, [down]);
  const consumers = gate ? [gate, up] : [up];
  encoder.record(
    ...normFor(precision, consumers, w.x, n, norm, arch.normEpsilon, w.normed),
    linear(precision, w.normed, n, gate ?? up, { out: w.gate, join: gate === undefined }),
    ...(gate ? [linear(precision, w.normed, n, up, { out: w.up })] : []),
    activate({
      gate: w.gate,
      ...(gate && { up: w.up }),
      stride: arch.hidden,
      n,
      columns: arch.hidden,
      activation: arch.activation,
      ...((inner.float || inner.rows !== undefined) && { out: w.inner.float }),
      ...(inner.bytes && { bytes: w.inner.bytes }),
    }),
    ...roundRows(inner.rows, n, arch.hidden, w.inner),
  );
  addBlock(encoder, context, postNorm, (out, accumulate) => linear(precision, w.inner, n, down, { out, accumulate }));
}

/** Adds a block's output to the residual stream, through the block's own norm where the family has one. */
function addBlock(
  encoder: Encoder,
  { arch, workspace: w, n }: LayerContext,
  postNorm: Vector | undefined,
  product: (out: number, accumulate: boolean) => ReturnType<typeof linear>,
): void {
  if (!postNorm) {
    encoder.record(product(w.x, true));
    return;
  }
  encoder.record(
    product(w.block, false),
    norm({
      x: w.block,
      stride: arch.width,
      rows: n,
      columns: arch.width,
      weight: postNorm.address,
      epsilon: arch.normEpsilon,
      out: w.x,
      residual: w.x,
    }),
  );
}
