import { type Device, Encoder } from '@loci/device';
import { add, type Choice, embed, ropeTables } from '@loci/kernels';
import { LociError } from '../errors.ts';
import type { Architecture, LayerShape } from '../families/architecture.ts';
import { chooseFrom } from './choices.ts';
import { HiddenProbe } from './hidden.ts';
import { type LayerContext, recall, recordAttention, recordFeedForward, recordKeys, waits } from './layer.ts';
import { recordMixing } from './mixing.ts';
import { placeOutput, readOutput, recordOutput } from './output.ts';
import { inputLength, type Placed, ranOf, repeatedOf, type Segment, type SegmentResult } from './segment.ts';
import { signatureOf } from './signature.ts';
import { placeSteps, recordRepeat, type Steps, stepsOf, tokensTaken } from './steps.ts';
import type { Weights } from './weights.ts';
import { maxRows, type Precision, Workspace } from './workspace.ts';

/**
 * The forward pass: records one program for a batch of segments and runs it. Nothing here knows a family or a paper;
 * the architecture says what is there, the caches say where keys and values lie.
 */
export class Decoder {
  readonly arch: Architecture;
  readonly weights: Weights;
  readonly #device: Device;
  readonly #workspace: Workspace;
  readonly #wantsRepeated: boolean;
  /** The distinct rotations of the layers: models alternate between at most two. */
  readonly #rotations: readonly LayerShape[];
  /** The last program that only the model recorded: in decode the next one is mostly the same. */
  #last: { readonly signature: string; readonly encoder: Encoder } | undefined;

  constructor(device: Device, arch: Architecture, weights: Weights) {
    const attends = arch.layers.some(({ mix }) => !mix);
    if ((attends && arch.headSize % 16 !== 0) || arch.hidden % 8 !== 0 || arch.width % 8 !== 0) {
      const sizes = `width ${arch.width}, feed-forward ${arch.hidden}, head ${arch.headSize}`;
      throw new LociError('unsupported', `sizes must divide by 8, the head's by 16: ${sizes}`);
    }
    this.arch = arch;
    this.weights = weights;
    this.#device = device;
    this.#rotations = arch.layers.filter(
      (layer, i) => arch.rotated > 0 && arch.layers.findIndex((one) => sameRotation(one, layer)) === i,
    );
    this.#workspace = new Workspace(device, arch, this.#rotations.length);
    this.#wantsRepeated = arch.layers.some(({ rows }) => rows?.kind === 'repeated');
  }

  /**
   * Appends the segments' tokens to their caches and returns what each asked for. At most `maxRows` tokens in all; one
   * call at a time. When it fails or is aborted no cache has changed. Told how many `steps` it may take, it goes on with the
   * tokens that it chooses where all segments allow it.
   */
  async forward(
    segments: readonly Segment[],
    precision: Precision,
    signal?: AbortSignal,
    steps?: number,
  ): Promise<SegmentResult[]> {
    let n = 0;
    const placed = segments.map((segment): Placed => {
      const first = n;
      n += inputLength(segment.input);
      return { segment, first, n: n - first };
    });
    if (n === 0 || n > maxRows) throw new RangeError(`${n} rows in one program`);
    try {
      const goesOn = steps !== undefined && !this.#wantsRepeated;
      const possible = goesOn ? stepsOf(placed, this.weights.layers.length, steps) : undefined;
      return await this.#run(placed, n, precision, signal, possible);
    } catch (error) {
      for (const { segment } of placed) segment.cache.unreserve();
      throw error;
    }
  }

  /**
   * Chooses a token from logits that were read before; −1 where they hold a NaN or no finite number. May be called while
   * `forward` runs.
   */
  choose(logits: Float32Array, choice: Choice): Promise<number> {
    return chooseFrom(this.#device, logits, choice);
  }

  async #run(
    placed: readonly Placed[],
    n: number,
    precision: Precision,
    signal: AbortSignal | undefined,
    steps: Steps | undefined,
  ): Promise<SegmentResult[]> {
    const count = steps?.count ?? 1;
    for (const { segment, n: rows } of placed) segment.cache.reserve(rows + count - 1);
    const context: LayerContext = { arch: this.arch, workspace: this.#workspace, precision, n, placed };
    for (const one of placed) this.#placeInput(one);
    for (let step = 1; step < count; step++) {
      for (const { segment, first } of placed) {
        this.#placePositions(
          step * n + first,
          segment.positions.map((position) => position + step),
        );
      }
    }
    const output = placeOutput(this.#device, context, count);
    if (steps) placeSteps(this.#device, context, steps);
    const probe = new HiddenProbe(this.#device, context);
    const signature = signatureOf(context, output, steps?.ends.length);
    const known = signature !== undefined && signature === this.#last?.signature ? this.#last.encoder : undefined;
    const encoder = known ?? (await this.#record(context, probe, signal));
    if (!known) {
      recordOutput(encoder, context, this.weights, output);
      if (steps) recordRepeat(encoder, context, steps.ends, this.#rotations.length);
      this.#last = signature === undefined ? undefined : { signature, encoder };
    }
    await this.#device.run(encoder, signal);
    const taken = steps && tokensTaken(this.#device, context);
    const more = taken ? taken.length - 1 : 0;
    for (const { segment, n: rows } of placed) {
      segment.cache.commit(rows + more);
      if (more < count - 1) segment.cache.unreserve();
      for (const hook of segment.hooks) hook.ran?.(ranOf(segment, rows));
    }
    return placed.map((one) => ({
      ...readOutput(this.#device, context, output, one),
      ...(taken && { chosen: taken.map((tokens) => tokens[one.first] ?? -1) }),
      hidden: probe.read(one),
    }));
  }

  /** All but the output. What methods wait for has run when it returns. */
  async #record(context: LayerContext, probe: HiddenProbe, signal: AbortSignal | undefined): Promise<Encoder> {
    const { placed } = context;
    let encoder = new Encoder();
    const remembers = placed.some(({ segment }) => segment.remembering !== undefined);
    for (const one of placed) this.#recordInput(encoder, one);
    probe.record(encoder, 0);
    for (const [index, weights] of this.weights.layers.entries()) {
      const shape = this.#layer(index);
      const layer = { index, shape, weights };
      if (weights.mixing.kind === 'state') recordMixing(encoder, context, layer, weights.mixing);
      else {
        const attending = { ...layer, mixing: weights.mixing, table: this.#tableOf(shape) };
        recordKeys(encoder, context, attending);
        if (remembers && waits(context, attending)) {
          await this.#device.run(encoder, signal);
          encoder = new Encoder();
        }
        recordAttention(encoder, context, attending, remembers ? await recall(context, attending) : []);
      }
      recordFeedForward(encoder, context, layer);
      probe.record(encoder, index + 1);
    }
    probe.record(encoder, this.weights.layers.length + 1, this.weights.outputNorm);
    return encoder;
  }

  /** Puts ids (or embeddings), positions and rotations where the program finds them. */
  #placeInput({ segment, first, n }: Placed): void {
    const w = this.#workspace;
    this.#placePositions(first, segment.positions);
    if (this.#wantsRepeated) this.#device.floats(w.repeated + first * 4, n).set(repeatedOf(segment));
    const { input } = segment;
    if (input.kind === 'ids') this.#device.ints(w.ids + first * 4, n).set(input.ids);
    else this.#device.floats(w.x + first * this.arch.width * 4, n * this.arch.width).set(input.rows);
  }

  /** Positions and their rotations, from a row on. */
  #placePositions(first: number, positions: Int32Array): void {
    const n = positions.length;
    const w = this.#workspace;
    this.#device.ints(w.positions + first * 4, n).set(positions);
    const pairs = this.arch.rotated / 2;
    for (const [i, { frequencies, rotationFactor }] of this.#rotations.entries()) {
      const table = w.table(i);
      const cos = this.#device.floats(table.cos + first * pairs * 4, n * pairs);
      const sin = this.#device.floats(table.sin + first * pairs * 4, n * pairs);
      ropeTables(cos, sin, positions, frequencies, rotationFactor);
    }
  }

  #recordInput(encoder: Encoder, { segment, first, n }: Placed): void {
    if (segment.input.kind === 'embeddings') return;
    const { width, embedFactor: factor } = this.arch;
    const w = this.#workspace;
    const out = w.x + first * width * 4;
    encoder.record(embed({ table: this.weights.embedding, ids: w.ids + first * 4, n, out, factor }));
    const { positions } = this.weights;
    if (!positions) return;
    const rows = (address: number) => ({ address, stride: width });
    const at = w.block + first * width * 4;
    encoder.record(
      embed({ table: positions, ids: w.positions + first * 4, n, out: at, factor: 1 }),
      add({ a: rows(out), b: rows(at), out: rows(out), n, columns: width }),
    );
  }

  #tableOf(shape: LayerShape): { readonly cos: number; readonly sin: number } | undefined {
    if (this.arch.rotated === 0) return undefined;
    return this.#workspace.table(this.#rotations.findIndex((other) => sameRotation(other, shape)));
  }

  #layer(index: number): LayerShape {
    const layer = this.arch.layers[index];
    if (!layer) throw new RangeError(`layer ${index} of ${this.arch.layers.length}`);
    return layer;
  }
}

function sameRotation(a: LayerShape, b: LayerShape): boolean {
  return a.frequencies === b.frequencies && a.rotationFactor === b.rotationFactor;
}
