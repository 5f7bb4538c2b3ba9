import { type Device, Encoder } from '@loci/device';
import { add, type Choice, embed, ropeTables } from '@loci/kernels';
import { LociError } from '../errors.ts';
import type { Architecture, LayerShape } from '../families/architecture.ts';
import { chooseFrom } from './choices.ts';
import { HiddenProbe } from './hidden.ts';
import { type LayerContext, recall, recordAttention, recordFeedForward, recordKeys, rowOf, waits } from './layer.ts';
import { recordMixing } from './mixing.ts';
import { placeOutput, readOutput, recordAdvance, recordOutput, stepsRun } from './output.ts';
import { inputLength, type Placed, ranOf, repeatedOf, type Segment, type SegmentResult } from './segment.ts';
import { signatureOf } from './signature.ts';
import { stepsOf } from './steps.ts';
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
   * call at a time. When it fails or is aborted no cache has changed. Where all segments may go on with what they choose
   * it takes up to `steps` tokens of each.
   */
  async forward(
    segments: readonly Segment[],
    precision: Precision,
    signal?: AbortSignal,
    steps = 1,
  ): Promise<SegmentResult[]> {
    let n = 0;
    const placed = segments.map((segment): Placed => {
      const first = n;
      n += inputLength(segment.input);
      return { segment, first, n: n - first };
    });
    if (n === 0 || n > maxRows) throw new RangeError(`${n} rows in one program`);
    try {
      const possible = this.#wantsRepeated ? 1 : stepsOf(placed, this.weights.layers.length, steps);
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
    steps: number,
  ): Promise<SegmentResult[]> {
    for (const { segment, n: rows } of placed) segment.cache.reserve(rows + steps - 1);
    const context: LayerContext = { arch: this.arch, workspace: this.#workspace, precision, n, placed, step: 0 };
    const contexts = Array.from({ length: steps }, (_, step) => ({ ...context, step }));
    for (const step of contexts) for (const one of placed) this.#placeInput(step, one);
    const output = placeOutput(this.#device, context, steps);
    const probe = new HiddenProbe(this.#device, context);
    const signature = signatureOf(context, output);
    const known = signature !== undefined && signature === this.#last?.signature ? this.#last.encoder : undefined;
    let encoder = known ?? new Encoder();
    if (!known) {
      for (const step of contexts) {
        if (step.step > 0) recordAdvance(encoder, step, output);
        encoder = await this.#record(encoder, step, probe, signal);
        recordOutput(encoder, step, this.weights, output);
      }
      this.#last = signature === undefined ? undefined : { signature, encoder };
    }
    await this.#device.run(encoder, signal);
    const done = stepsRun(this.#device, context, output);
    for (const { segment, n: rows } of placed) {
      segment.cache.commit(rows + done - 1);
      if (done < steps) segment.cache.unreserve();
      for (const hook of segment.hooks) hook.ran?.(ranOf(segment, rows));
    }
    return placed.map((one) => ({ ...readOutput(this.#device, context, output, done, one), hidden: probe.read(one) }));
  }

  /** One step but for its output. What methods wait for has run when it returns, and the rest is in another encoder. */
  async #record(
    encoder: Encoder,
    context: LayerContext,
    probe: HiddenProbe,
    signal: AbortSignal | undefined,
  ): Promise<Encoder> {
    const { placed } = context;
    const remembers = placed.some(({ segment }) => segment.remembering !== undefined);
    for (const one of placed) this.#recordInput(encoder, context, one);
    probe.record(encoder, 0);
    for (const [index, weights] of this.weights.layers.entries()) {
      const shape = this.#layer(index);
      const layer = { index, shape, weights };
      if (weights.mixing.kind === 'state') recordMixing(encoder, context, layer, weights.mixing);
      else {
        const attending = { ...layer, mixing: weights.mixing, table: this.#tableOf(shape, context) };
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
  #placeInput(context: LayerContext, placed: Placed): void {
    const { segment, n } = placed;
    const { step } = context;
    const first = rowOf(context, placed);
    const positions = step === 0 ? segment.positions : segment.positions.map((position) => position + step);
    const { width, rotated } = this.arch;
    const w = this.#workspace;
    this.#device.ints(w.positions + first * 4, n).set(positions);
    if (this.#wantsRepeated) this.#device.floats(w.repeated + first * 4, n).set(repeatedOf(segment));
    const pairs = rotated / 2;
    for (const [i, { frequencies, rotationFactor }] of this.#rotations.entries()) {
      const table = w.table(i);
      const cos = this.#device.floats(table.cos + first * pairs * 4, n * pairs);
      const sin = this.#device.floats(table.sin + first * pairs * 4, n * pairs);
      ropeTables(cos, sin, positions, frequencies, rotationFactor);
    }
    // Later steps read what was chosen.
    if (step > 0) return;
    const { input } = segment;
    if (input.kind === 'ids') this.#device.ints(w.ids + first * 4, n).set(input.ids);
    else this.#device.floats(w.x + first * width * 4, n * width).set(input.rows);
  }

  #recordInput(encoder: Encoder, context: LayerContext, placed: Placed): void {
    const { segment, first, n } = placed;
    if (segment.input.kind === 'embeddings') return;
    const row = rowOf(context, placed);
    const { width, embedFactor: factor } = this.arch;
    const w = this.#workspace;
    const out = w.x + first * width * 4;
    const ids = context.step === 0 ? w.ids + first * 4 : w.chosen + (row - context.n) * 4;
    encoder.record(embed({ table: this.weights.embedding, ids, n, out, factor }));
    const { positions } = this.weights;
    if (!positions) return;
    const rows = (address: number) => ({ address, stride: width });
    const at = w.block + first * width * 4;
    encoder.record(
      embed({ table: positions, ids: w.positions + row * 4, n, out: at, factor: 1 }),
      add({ a: rows(out), b: rows(at), out: rows(out), n, columns: width }),
    );
  }

  #tableOf(shape: LayerShape, { n, step }: LayerContext): { readonly cos: number; readonly sin: number } | undefined {
    if (this.arch.rotated === 0) return undefined;
    const { cos, sin } = this.#workspace.table(this.#rotations.findIndex((other) => sameRotation(other, shape)));
    const skipped = (step * n * this.arch.rotated * 4) / 2;
    return { cos: cos + skipped, sin: sin + skipped };
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
