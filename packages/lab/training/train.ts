import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LociError } from 'loci';
import { sizeOf } from '../arrays/index.ts';
import type { Mixer } from '../model/mixer.ts';
import { LanguageModel } from '../model/model.ts';
import { isKnownToEngine, writeModel } from '../model/write.ts';
import { openTrainingDevice } from '../wasm/device.ts';
import { type Checkpoint, readCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { configHash, type TrainConfig } from './config.ts';
import { evaluate, type Score } from './evaluate.ts';
import { Learner } from './learner.ts';
import { type Accuracy, type LogRow, TrainingLog } from './log.ts';
import { rateAt } from './schedule.ts';
import { batchOf, batchShape, Order, type TrainingTask } from './task.ts';

/** What a configuration's names stand for. */
export interface Parts {
  /** @throws LociError `bad-option` for a text that names no mixer. */
  mixer(text: string): Mixer;
  /** @throws LociError `bad-option` for a task that is not known, or wrong. */
  task(options: TrainConfig['task'], seed: number): TrainingTask;
}

export interface TrainOptions {
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
  /** Where the log, checkpoints, the result and the model go; a run that was stopped goes on there. Without it nothing is kept. */
  readonly folder?: string;
  readonly onProgress?: (progress: TrainProgress) => void;
  /** Parameters to begin with, all of a model with the same layers, in place of those of the seed. */
  readonly from?: ReadonlyMap<string, Float32Array>;
}

export interface TrainProgress extends LogRow {
  readonly steps: number;
  /** Mean of this process's steps so far. */
  readonly msPerStep: number;
}

export interface TrainResult {
  readonly config: TrainConfig;
  /** Steps done, fewer than asked for where `until` was reached. */
  readonly steps: number;
  readonly parameters: number;
  /** Bytes of the state that a sequence of the task's length leaves. */
  readonly stateBytes: number;
  /** On the validation split, step by step. */
  readonly validation: readonly Accuracy[];
  readonly test: Score;
  /** Share of labels that were named, of every example of the test split. */
  readonly testEach: readonly number[];
  /** Of this process; evaluation included. */
  readonly ms: number;
  readonly model: LanguageModel;
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/**
 * Trains a model. The same configuration gives the same bits, on any number of threads, at one go or in pieces.
 * @throws LociError `bad-option`, `bad-file` for a checkpoint that is damaged or of something else, `bad-numbers` when
 * the loss is no number, `aborted`; DeviceError.
 */
export async function train(config: TrainConfig, parts: Parts, options: TrainOptions): Promise<TrainResult> {
  const { threads, signal, folder, onProgress } = options;
  const { seed, training } = config;
  const task = parts.task(config.task, seed);
  const model = modelOf(config, task, parts);
  const partBatch = training.batch / training.accumulate;
  const shape = batchShape(task, partBatch);
  const device = await openTrainingDevice(threads);
  try {
    const learner = new Learner(device, model, shape, seed);
    const file = folder === undefined ? undefined : new RunFolder(folder, configHash(config), model);
    if (options.from) learner.restore({ parameters: options.from, first: new Map(), second: new Map() });
    const begun = await file?.open();
    if (begun) learner.restore(begun.state);
    const order = new Order(task.size('train'), seed);
    const scores: Accuracy[] = [];
    const started = performance.now();
    const first = begun?.step ?? 0;
    let step = first;
    let done = (begun?.notes['reached'] ?? 0) === 1;
    while (step < training.steps && !done) {
      signal?.throwIfAborted();
      const from = step * training.batch;
      const examples = Array.from({ length: training.batch }, (_, i) => task.example('train', order.at(from + i)));
      const labels = examples.reduce((sum, example) => sum + example.labels.length, 0);
      let loss = 0;
      for (let part = 0; part < training.accumulate; part++) {
        const batch = batchOf(examples.slice(part * partBatch, (part + 1) * partBatch), shape);
        loss += await learner.differentiate(batch, labels === 0 ? 0 : 1 / labels, part > 0, signal);
      }
      if (!Number.isFinite(loss))
        throw new LociError('bad-numbers', `the loss of step ${step + 1} is ${loss}; a lower rate may help`);
      const rate = rateAt(step, { ...training, kind: training.schedule });
      step++;
      const gradient = await learner.update(step, { ...training, rate });
      const evaluates = config.evaluateEvery > 0 && (step % config.evaluateEvery === 0 || step === training.steps);
      const score = evaluates ? (await evaluate(learner, task, 'validation', step, signal)).score : undefined;
      if (score) scores.push({ step, accuracy: score.accuracy });
      done = config.until < 1 && (score?.accuracy ?? 0) >= config.until;
      const row = { step, loss, rate, gradient, ...(score && { accuracy: score.accuracy }) };
      file?.log?.add(row);
      if (file && (done || step % config.saveEvery === 0 || step === training.steps))
        await file.save({ step, state: learner.state(), notes: { reached: done ? 1 : 0 } });
      onProgress?.({ ...row, steps: training.steps, msPerStep: (performance.now() - started) / (step - first) });
    }
    const { score: test, each } = await evaluate(learner, task, 'test', step, signal);
    const result = {
      ...{ config, steps: step, parameters: learner.parameterCount, stateBytes: model.stateBytes(task.length) },
      ...{ validation: file?.log?.accuracies ?? scores, test, ms: performance.now() - started },
    };
    const weights = learner.state().parameters;
    await file?.end(result, weights, task.tokens);
    return { ...result, testEach: each, model, weights };
  } catch (error) {
    if (signal?.aborted) throw new LociError('aborted', 'stopped', { cause: error });
    throw error;
  } finally {
    await device.close();
  }
}

export function modelOf({ model }: TrainConfig, { vocabulary, length }: TrainingTask, parts: Parts): LanguageModel {
  const { width, positions, norm, feedForward } = model;
  const layers = model.layers.map((text) => ({ mixer: parts.mixer(text), feedForward }));
  return new LanguageModel({ vocabulary, length, width, positions, norm, layers });
}

/** The files of a run: checkpoint.safetensors, log.csv and, at the end, result.json and a model that the engine opens. */
class RunFolder {
  readonly #folder: string;
  readonly #config: string;
  readonly #model: LanguageModel;
  log: TrainingLog | undefined;

  constructor(folder: string, config: string, model: LanguageModel) {
    this.#folder = folder;
    this.#config = config;
    this.#model = model;
  }

  get #checkpoint(): string {
    return join(this.#folder, 'checkpoint.safetensors');
  }

  async open(): Promise<Checkpoint | undefined> {
    await mkdir(this.#folder, { recursive: true });
    const sizes = Object.entries(this.#model.specs).map(([name, { shape }]) => [name, sizeOf(shape)] as const);
    const found = await readCheckpoint(this.#checkpoint, new Map(sizes));
    if (found && found.config !== this.#config) {
      throw new LociError(
        'bad-option',
        `${this.#checkpoint} belongs to another configuration; give another folder, or remove it to begin anew`,
      );
    }
    this.log = await TrainingLog.open(join(this.#folder, 'log.csv'), found?.step ?? 0);
    return found;
  }

  async save(at: Omit<Checkpoint, 'config'>): Promise<void> {
    // The log first: rows that a checkpoint does not know are dropped, those it knows must be there.
    await this.log?.flush();
    await saveCheckpoint(
      this.#checkpoint,
      { ...at, config: this.#config },
      (name) => this.#model.specs[name]?.shape ?? [],
    );
  }

  async end(result: object, weights: ReadonlyMap<string, Float32Array>, tokens: TrainingTask['tokens']): Promise<void> {
    if (isKnownToEngine(this.#model)) {
      await writeModel(join(this.#folder, 'model.safetensors'), this.#model, weights, tokens);
    }
    await writeFile(join(this.#folder, 'result.json'), `${JSON.stringify(result, null, 2)}\n`);
  }
}
