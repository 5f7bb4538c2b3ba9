import { type Device, Encoder } from '@loci/device';
import { adamNumbers, adamW, map, pieceLength } from '@loci/kernels/train';
import type { Tensor } from '../arrays/index.ts';
import * as f from '../arrays/index.ts';
import type { Parameters } from '../model/mixer.ts';
import type { LanguageModel } from '../model/model.ts';
import { initialNumbers, parametersOf } from '../model/parameters.ts';
import { Program } from '../wasm/program.ts';

/** Sequences of one size with the positions that are asked about. */
export interface Batch {
  /** [batch, n] */
  readonly ids: Int32Array;
  /** Numbers of the labelled tokens, counted through the batch, and what follows them. Fewer than there is room for are fine. */
  readonly rows: Int32Array;
  readonly labels: Int32Array;
}

export interface BatchShape {
  readonly batch: number;
  readonly n: number;
  /** The most labelled tokens of a batch. */
  readonly labelled: number;
}

export interface AdamSettings {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  /** The gradient is cut to this length; 0 leaves it. */
  readonly clip: number;
}

/** The state of training, as it is saved: everything that the next step depends on beside its data. */
export interface LearnerState {
  readonly parameters: ReadonlyMap<string, Float32Array>;
  readonly first: ReadonlyMap<string, Float32Array>;
  readonly second: ReadonlyMap<string, Float32Array>;
}

/**
 * A model's parameters on a device with what changes them: programs for the loss and its gradient, and AdamW. All parameters
 * lie in one piece of memory, those that decay first, and so do their gradients and moments.
 */
export class Learner {
  readonly model: LanguageModel;
  readonly parameterCount: number;
  readonly #device: Device;
  readonly #places = new Map<string, { readonly offset: number; readonly length: number }>();
  readonly #slab: { readonly [key in (typeof slabs)[number]]: number };
  readonly #count: number;
  readonly #decays: number;
  readonly #numbers: number;
  readonly #partial: number;
  readonly #parameter: Parameters;
  readonly #training: Program;
  readonly #scoring = new Map<string, Program>();
  readonly #shape: BatchShape;

  /** @throws DeviceError `memory`. */
  constructor(device: Device, model: LanguageModel, shape: BatchShape, seed: number) {
    this.#device = device;
    this.model = model;
    this.#shape = shape;
    const specs = Object.entries(model.specs);
    this.#parameter = parametersOf(model.specs);
    let offset = 0;
    const place = (decays: boolean) => {
      for (const [name, spec] of specs) {
        if (spec.decays !== decays) continue;
        const length = f.sizeOf(spec.shape);
        this.#places.set(name, { offset, length });
        // Sixteen floats are a line of the cache.
        offset += Math.ceil(length / 16) * 16;
      }
      return offset;
    };
    this.#decays = place(true);
    this.#count = place(false);
    this.parameterCount = specs.reduce((sum, [, { shape }]) => sum + f.sizeOf(shape), 0);
    const allocate = (floats: number) => {
      const address = device.allocate(4 * floats);
      device.floats(address, floats).fill(0);
      return address;
    };
    const [parameters, gradient, sum, first, second] = slabs.map(() => allocate(this.#count));
    this.#slab = { parameters: parameters!, gradient: gradient!, sum: sum!, first: first!, second: second! };
    this.#numbers = allocate(adamNumbers);
    this.#partial = allocate(Math.ceil(this.#count / pieceLength));
    for (const [name, spec] of specs) {
      this.#slice('parameters', name).set(initialNumbers(spec, name, seed));
    }
    this.#training = this.#compileTraining();
  }

  /** The loss of a batch, summed over `weight` each; its gradient stays on the device, added to what is there or in its place. */
  async differentiate(batch: Batch, weight: number, adds: boolean, signal?: AbortSignal): Promise<number> {
    fill(this.#training, this.#shape, batch);
    this.#training.floats('weights').fill(0).fill(weight, 0, batch.labels.length);
    await this.#training.run(signal);
    const encoder = new Encoder();
    const [from, to] = [this.#slab.gradient, this.#slab.sum];
    const dense = (address: number) => ({ address, strides: [1] });
    if (adds) encoder.record(map('add', [this.#count], dense(to), dense(from), dense(to)));
    else encoder.record(map('copy', [this.#count], dense(from), undefined, dense(to)));
    await this.#device.run(encoder);
    return this.#training.output('loss')[0] ?? Number.NaN;
  }

  /** One step of AdamW along the gradient that was summed; `step` counts from 1. Returns the gradient's length. */
  async update(step: number, { rate, beta1, beta2, epsilon, decay, clip }: AdamSettings): Promise<number> {
    const numbers = this.#device.floats(this.#numbers, adamNumbers);
    numbers.set([rate, beta1, beta2, epsilon, 1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step), decay, 1, clip]);
    const encoder = new Encoder();
    const { parameters, sum: gradient, first, second } = this.#slab;
    const slab = { parameters, gradient, first, second };
    encoder.record(
      adamW({ ...slab, count: this.#count, decays: this.#decays, partial: this.#partial, numbers: this.#numbers }),
    );
    await this.#device.run(encoder);
    return numbers[adamNumbers - 1] ?? Number.NaN;
  }

  /** Logits of the labelled rows, [labelled, vocabulary]; a view that the next call overwrites. */
  async logits(batch: Batch, shape: BatchShape, signal?: AbortSignal): Promise<Float32Array> {
    const key = [shape.batch, shape.n, shape.labelled].join();
    const program = this.#scoring.get(key) ?? this.#compileScoring(shape);
    this.#scoring.set(key, program);
    fill(program, shape, batch);
    await program.run(signal);
    return program.output('logits');
  }

  /** Copies of the parameters and moments. */
  state(): LearnerState {
    const copy = (slab: (typeof slabs)[number]) =>
      new Map([...this.#places.keys()].map((name) => [name, this.#slice(slab, name).slice()]));
    return { parameters: copy('parameters'), first: copy('first'), second: copy('second') };
  }

  /** Continues from a state. Its names and lengths must be those of this model. */
  restore(state: LearnerState): void {
    for (const slab of ['parameters', 'first', 'second'] as const) {
      for (const [name, numbers] of state[slab]) this.#slice(slab, name).set(numbers);
    }
  }

  #slice(slab: (typeof slabs)[number], name: string): Float32Array {
    const { offset, length } = this.#place(name);
    return this.#device.floats(this.#slab[slab] + 4 * offset, length);
  }

  #place(name: string) {
    const found = this.#places.get(name);
    if (!found) throw new RangeError(`the model has no parameter "${name}"`);
    return found;
  }

  #parameterPlaces(): Map<Tensor, number> {
    return new Map(
      [...this.#places].map(([name, { offset }]) => [this.#parameter(name), this.#slab.parameters + 4 * offset]),
    );
  }

  #compileTraining(): Program {
    const { ids, rows, labels } = inputs(this.#shape);
    const logits = this.model.logits(ids, rows, this.#parameter);
    const losses = f.crossEntropy(logits, labels);
    const loss = f.sumAll(f.mul(losses, f.input('weights', [this.#shape.labelled])));
    const names = Object.keys(this.model.specs);
    const gradients = f.gradients(loss, names.map(this.#parameter));
    const places = this.#parameterPlaces();
    const outputs: [string, Tensor][] = [['loss', loss]];
    for (const [i, name] of names.entries()) {
      const gradient = gradients[i];
      if (!gradient) continue;
      places.set(gradient, this.#slab.gradient + 4 * this.#place(name).offset);
      outputs.push([`gradient ${name}`, gradient]);
    }
    return new Program(this.#device, { outputs: Object.fromEntries(outputs), places });
  }

  #compileScoring(shape: BatchShape): Program {
    const { ids, rows } = inputs(shape);
    const logits = this.model.logits(ids, rows, this.#parameter);
    return new Program(this.#device, { outputs: { logits }, places: this.#parameterPlaces() });
  }
}

const slabs = ['parameters', 'gradient', 'sum', 'first', 'second'] as const;

function inputs({ batch, n, labelled }: BatchShape) {
  return {
    ids: f.input('ids', [batch, n], 'int'),
    rows: f.input('rows', [labelled], 'int'),
    labels: f.input('labels', [labelled], 'int'),
  };
}

function fill(program: Program, { batch, n, labelled }: BatchShape, { ids, rows, labels }: Batch): void {
  if (ids.length !== batch * n || rows.length > labelled || labels.length !== rows.length)
    throw new RangeError(
      `a batch of ${ids.length} ids and ${rows.length} labels; there is room for ${batch} × ${n} and ${labelled}`,
    );
  program.ints('ids').set(ids);
  // What is not asked about reads token 0 and counts for nothing.
  program.ints('rows').fill(0).set(rows);
  if (program.has('labels')) program.ints('labels').fill(-1).set(labels);
}
