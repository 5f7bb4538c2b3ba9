import type { Encoder } from '@loci/device';
import { boundaries, type Chunks, gapFeatures, gapWidth, type Matrix, matmulFloat, packFloats } from '@loci/kernels';
import { type Host, type LayerView, LociError, type ModelFacts } from 'loci';
import type { Cutting, PromptRows } from '../cutting.ts';
import type { PredictorFile } from './file.ts';

export interface Predicting {
  /** Tokens of a chunk on average: of n tokens at most n / chunk gaps are taken. */
  readonly chunk: number;
  /** A logit is to be above this. */
  readonly threshold: number;
  /** Gaps this close to one that was taken are not. */
  readonly reach: number;
  /** Layers that are cut where the first of them is. */
  readonly share: number;
}

/** Why a predictor is of no use for a model; undefined when it is. */
export function mismatchOf(
  { shape, model }: PredictorFile,
  { name, fingerprint, arch }: ModelFacts,
): string | undefined {
  const c = arch.kvHeads * arch.headSize;
  const made = `its predictor of boundaries was trained for ${model.name}, with keys of ${shape.c} numbers`;
  if (shape.c !== c) return `${made}, and those of ${name} have ${c}; cut=equal needs none`;
  if (model.fingerprint !== fingerprint) return `${made}, and ${name} has other weights; cut=equal needs none`;
  return undefined;
}

/** Rows of a program, at most. */
const mostRows = 512;

/**
 * Cuts prompts where a predictor finds boundaries in the keys of a layer, each program by itself: a chunk ends where a
 * program does.
 * @throws LociError `bad-option` when the predictor was trained for another model or width of keys.
 */
export class PredictedCutting implements Cutting {
  readonly groups: number;
  readonly #host: Host;
  readonly #file: PredictorFile;
  readonly #given: Predicting;
  readonly #address: number;
  readonly #at: Places;

  constructor(host: Host, file: PredictorFile, given: Predicting) {
    const reason = mismatchOf(file, host);
    if (reason) throw new LociError('bad-option', reason);
    const { layers } = host.arch;
    this.groups = Math.ceil(layers.length / given.share);
    this.#host = host;
    this.#file = file;
    this.#given = given;
    this.#at = placesOf(file);
    this.#address = host.device.allocate(4 * this.#at.floats);
    this.#upload();
  }

  groupOf(layer: number): number {
    return Math.floor(layer / this.#given.share);
  }

  /** As the keys of a program are cut: those that are chosen, what stays together, and the end. */
  most(n: number): number {
    return Math.floor(n / this.#given.chunk) + 2;
  }

  record(encoder: Encoder, view: LayerView, { start, n, together }: PromptRows, chunks: Chunks, before: number): void {
    const { c, heads, w, hidden } = this.#file.shape;
    const { chunk, threshold, reach } = this.#given;
    const at = (name: keyof Places) => this.#address + 4 * this.#at[name];
    const float32 = (rows: number, columns: number, address: number): Matrix => ({
      layout: 'f32',
      rows,
      columns,
      address,
    });
    const stride = (2 + heads) * c;
    const rows = { rows: at('projected'), n, stride, c, heads, w };
    const norm = { bias: at('bias'), normWeight: at('normWeight'), normBias: at('normBias'), epsilon: 1e-5 };
    encoder.record(
      matmulFloat(view.keys, {
        ...{
          matrix: float32(stride, c, at('projection')),
          n,
          out: at('projected'),
          stride,
          bias: at('projectionBias'),
        },
      }),
      gapFeatures({ ...rows, ...norm, out: at('features') }),
      matmulFloat(at('features'), {
        ...{ matrix: float32(hidden, gapWidth(c), at('first')), n, out: at('hidden'), stride: hidden },
        bias: at('firstBias'),
      }),
      boundaries({
        ...{ hidden: at('hidden'), n, units: hidden, weights: at('second'), w, threshold, reach, together },
        ...{ bias: this.#file.parameters['mlp.2.bias'][0] ?? 0, most: Math.floor(n / chunk), position: start, before },
        ...{ ends: chunks.ends, count: chunks.count, logits: at('logits'), room: at('room') },
      }),
    );
  }

  /** Logits of the gaps of the last program, of the last group of layers. */
  logits(n: number): Float32Array {
    return Float32Array.from(this.#host.device.floats(this.#address + 4 * this.#at.logits, n));
  }

  /**
   * Puts the weights where kernels read them. What a head puts out is linear in a token, so that values and the matrix
   * behind the heads become one matrix [c, c] of every head.
   */
  #upload(): void {
    const { c, heads, hidden } = this.#file.shape;
    const p = this.#file.parameters;
    const place = (name: keyof Places, values: ArrayLike<number>) =>
      this.#host.device.floats(this.#address + 4 * this.#at[name], values.length).set(values);
    const pack = (name: keyof Places, values: Float32Array, rows: number, columns: number) => {
      const out = this.#host.device.floats(this.#address + 4 * this.#at[name], Math.ceil(rows / 8) * 8 * columns);
      packFloats(values, rows, columns, out);
    };
    const input = p['enc.mha.in_proj_weight'];
    const output = p['enc.mha.out_proj.weight'];
    const size = c / heads;
    const projection = new Float32Array((2 + heads) * c * c);
    projection.set(input.subarray(0, 2 * c * c));
    const bias = Float64Array.from(p['enc.mha.out_proj.bias']);
    for (let head = 0; head < heads; head++) {
      for (let i = 0; i < c; i++) {
        const row = new Float64Array(c);
        for (let k = head * size; k < (head + 1) * size; k++) {
          const weight = output[i * c + k]!;
          bias[i]! += weight * p['enc.mha.in_proj_bias'][2 * c + k]!;
          for (let j = 0; j < c; j++) row[j]! += weight * input[(2 * c + k) * c + j]!;
        }
        projection.set(row, ((2 + head) * c + i) * c);
      }
    }
    const projectionBias = new Float32Array((2 + heads) * c);
    projectionBias.set(p['enc.mha.in_proj_bias'].subarray(0, 2 * c));
    pack('projection', projection, (2 + heads) * c, c);
    place('projectionBias', projectionBias);
    place('bias', bias);
    place('normWeight', p['enc.norm.weight']);
    place('normBias', p['enc.norm.bias']);
    pack('first', Float32Array.from(p['mlp.0.weight']), hidden, gapWidth(c));
    place('firstBias', p['mlp.0.bias']);
    place('second', p['mlp.2.weight']);
  }

  close(): void {
    this.#host.device.free(this.#address);
  }
}

type Places = ReturnType<typeof placesOf>;

/** Where what the kernels need lies in one piece of memory, in floats. */
function placesOf({ shape: { c, heads, hidden } }: PredictorFile) {
  let floats = 0;
  const take = (count: number) => {
    const at = floats;
    floats += Math.ceil(count / 16) * 16;
    return at;
  };
  const places = {
    projection: take((2 + heads) * c * c),
    projectionBias: take((2 + heads) * c),
    bias: take(c),
    normWeight: take(c),
    normBias: take(c),
    first: take(hidden * gapWidth(c)),
    firstBias: take(hidden),
    second: take(hidden),
    projected: take(mostRows * (2 + heads) * c),
    features: take(mostRows * gapWidth(c)),
    hidden: take(mostRows * hidden),
    logits: take(mostRows),
    room: take(mostRows),
  };
  return { ...places, floats };
}
