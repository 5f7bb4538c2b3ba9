/** Models of the laboratory in the engine: the same logits, whatever the pieces a text is read in. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@loci/evaluate';
import {
  evaluateOn,
  initialNumbers,
  LanguageModel,
  type ModelShape,
  openTrainingDevice,
  readConfig,
  train,
  writeModel,
} from '@loci/lab';
import * as f from '@loci/lab/arrays';
import { type LoadModelOptions, loadModel, type Model, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { streamingLlm } from '../baselines/streaming-llm.ts';
import { mixerLayers, trainingParts } from '../mixers.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loci-mixed-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Kind extends Partial<Omit<ModelShape, 'layers'>> {
  readonly layers: readonly string[];
  readonly feedForward?: number;
}

const kinds: Readonly<Record<string, Kind>> = {
  based: {
    layers: ['base-conv', 'taylor:features=8,heads=2', 'attention:heads=2,window=20'],
    feedForward: 2,
    norm: 'rms',
  },
  lightning: { layers: ['lightning:heads=2', 'lightning:heads=4', 'lightning:decay=no'], feedForward: 1 },
  recall: { layers: ['base-conv', 'attention'] },
  delta: { layers: ['base-conv', 'delta:heads=2', 'delta'], norm: 'rms' },
  selective: { layers: ['base-conv', 'selective', 'selective:by=gate', 'selective:by=gate,least=0.6'], feedForward: 1 },
  convolutions: { layers: ['base-conv:taps=0,skip=no', 'base-conv:taps=5'], feedForward: 1 },
  positions: { layers: ['attention:heads=2', 'taylor:features=3'], positions: 'learned', norm: 'rms' },
};

const [length, vocabulary] = [97, 64];

/** A model with large random weights, and its logits for one text by the form that trains. */
async function made(name: string) {
  const { layers = [], feedForward = 0, ...rest } = kinds[name] ?? {};
  const model = new LanguageModel({
    ...{ vocabulary, width: 32, length, positions: 'none', norm: 'layer', ...rest },
    layers: layers.map((text) => ({ mixer: trainingParts.mixer(text), feedForward })),
  });
  const weights = new Map(
    Object.entries(model.specs).map(([key, spec]) => {
      const wide = { ...spec, initial: { deviation: spec.decays ? 0.2 : 0.5 } };
      return [key, initialNumbers(wide, key, 3)] as const;
    }),
  );
  const path = join(folder, `${name}.safetensors`);
  await writeModel(path, model, weights, 'ids');
  const random = new Random(name);
  const ids = Int32Array.from({ length }, () => random.integer(0, vocabulary - 1));
  const known = new Map(Object.entries(model.specs).map(([key, { shape }]) => [key, f.parameter(key, shape)]));
  const y = model.logits(f.input('ids', [1, length], 'int'), f.input('rows', [length], 'int'), (key) => {
    const found = known.get(key);
    if (!found) throw new RangeError(key);
    return found;
  });
  const device = await openTrainingDevice(1);
  try {
    const rows = ids.map((_, i) => i);
    const [logits = new Float32Array()] = await evaluateOn(device, [y], { ...Object.fromEntries(weights), ids, rows });
    const at = (row: number) => logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    return { path, ids, at, model };
  } finally {
    await device.close();
  }
}

async function withModel(path: string, work: (model: Model) => Promise<void>, options: LoadModelOptions = {}) {
  const mixers = async () => mixerLayers;
  const model = await loadModel(path, { precision: 'float32', threads: 2, mixers, ...options });
  try {
    await work(model);
  } finally {
    await model.close();
  }
}

/** Reads a text in pieces and returns the logits behind each. */
async function readIn(session: Session, ids: Int32Array, pieces: readonly number[]): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  let end = 0;
  for (const piece of pieces) {
    const start = end;
    end += piece;
    const { logits, reusedTokens } = await session.prefill({ ids: ids.subarray(0, end) });
    expect(reusedTokens).toBe(start);
    found.push(logits);
  }
  return found;
}

function gap(a: Float32Array | undefined, b: Float32Array): number {
  return b.reduce((most, x, i) => Math.max(most, Math.abs(x - (a?.[i] ?? Number.NaN)) / (1 + Math.abs(x))), 0);
}

describe.each(Object.keys(kinds))('%s', (name) => {
  test('the engine computes the logits of the form that trains, in any pieces', async () => {
    const { path, ids, at } = await made(name);
    await withModel(path, async (model) => {
      for (const pieces of [[97], [1, 2, 3, 5, 33, 53], [53, 44], Array<number>(97).fill(1)]) {
        const session = await model.open({ precision: 'float32' });
        const found = await readIn(session, ids, pieces);
        let end = 0;
        for (const [i, piece] of pieces.entries()) {
          end += piece;
          expect(gap(found[i], at(end - 1))).toBeLessThan(1e-4);
        }
        session.close();
      }
    });
  });
});

const open = (model: Model) => model.open({ precision: 'float32' });

test('one thread, two, three and eight compute the same bits', async () => {
  const { path, ids } = await made('based');
  const found: Float32Array[] = [];
  for (const threads of [1, 2, 3, 8]) {
    await withModel(
      path,
      async (model) => {
        const session = await open(model);
        found.push(...(await readIn(session, ids, [60, 1, 36])));
      },
      { threads },
    );
  }
  for (const [i, logits] of found.entries()) expect(logits).toEqual(found[i % 3]);
});

test.each(['based', 'delta', 'selective'])(
  'forks, saved sessions and sequences side by side go on as if each were alone: %s',
  async (name) => {
    const { path, ids, at } = await made(name);
    await withModel(path, async (model) => {
      const session = await open(model);
      await session.prefill({ ids: ids.subarray(0, 50) });
      const fork = session.fork();
      const saved = join(folder, 'session');
      await session.save(saved);
      // Something else, so that a state that is shared would be another.
      await fork.prefill({ ids: [...ids.subarray(0, 50), 1, 2, 3] });
      const restored = await model.restore(saved);
      expect(restored.ids).toEqual([...ids.subarray(0, 50)]);
      const other = await open(model);
      const all = await Promise.all([
        session.prefill({ ids: ids.subarray(0, 80) }),
        restored.prefill({ ids: ids.subarray(0, 90) }),
        other.prefill({ ids: ids.subarray(0, 70) }),
      ]);
      for (const [i, row] of [79, 89, 69].entries()) expect(gap(all[i]?.logits, at(row))).toBeLessThan(1e-4);
      expect(all.map(({ reusedTokens }) => reusedTokens)).toEqual([50, 50, 0]);
      // A state cannot be cut back: a text that parts from what was read is read from its start.
      const again = await fork.prefill({ ids: ids.subarray(0, 97) });
      expect(again.reusedTokens).toBe(0);
      expect(gap(again.logits, at(96))).toBeLessThan(1e-4);
      const bytes = await readFile(saved);
      bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
      await writeFile(saved, bytes);
      await expect(model.restore(saved)).rejects.toThrow(/damaged/);
    });
  },
);

test('an aborted step leaves the state as it was', async () => {
  const { path, ids, at } = await made('lightning');
  await withModel(path, async (model) => {
    const session = await open(model);
    await session.prefill({ ids: ids.subarray(0, 30) });
    const stop = new AbortController();
    const reading = session.prefill({ ids: ids.subarray(0, 97) }, { signal: stop.signal });
    stop.abort();
    await expect(reading).rejects.toThrow(/stopped/);
    const { logits } = await session.prefill({ ids: ids.subarray(0, 97) });
    expect(gap(logits, at(96))).toBeLessThan(1e-4);
  });
});

test('what a sequence holds does not grow, and its windows give pages back', async () => {
  const { path } = await made('based');
  await withModel(path, async (model) => {
    const session = await open(model);
    const sizes: number[] = [];
    const ids = Array.from({ length: 3000 }, (_, i) => i % vocabulary);
    for (const end of [200, 1000, 3000]) {
      await session.prefill({ ids: ids.slice(0, end) });
      for (let i = 0; i < 64; i++) ids[end + i] = i;
      sizes.push(session.kvBytes);
    }
    // A page more or less, as the window happens to lie.
    const page = 2 * 2 * 32 * (2 * 16 * 4 + 4);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(page);
    expect(sizes[2]).toBeLessThan(200_000);
  });
});

test('files that are damaged or cannot be computed are refused, and methods that want keys', async () => {
  const { path, model } = await made('based');
  await expect(loadModel(path)).rejects.toThrow(/option mixers/);
  await withModel(path, async (loaded) => {
    await expect(loaded.open({ keep: streamingLlm.with() })).rejects.toThrow(/keep a state/);
  });
  const bytes = await readFile(path);
  const broken = join(folder, 'broken.safetensors');
  const mixers = async () => mixerLayers;
  const changed = Uint8Array.from(bytes);
  changed[bytes.length - 5] = (changed[bytes.length - 5] ?? 0) ^ 1;
  await writeFile(broken, changed);
  await expect(loadModel(broken, { mixers })).rejects.toThrow(/damaged/);
  await writeFile(broken, bytes.subarray(0, bytes.length - 5));
  await expect(loadModel(broken, { mixers })).rejects.toMatchObject({ code: 'bad-file' });
  await writeFile(broken, 'nothing of the kind');
  await expect(loadModel(broken, { mixers })).rejects.toMatchObject({ code: 'bad-file' });
  const unknown = { 's2-attention:heads=2': /cannot compute/, 'selective:by=gate,rows=3': /give least/ };
  for (const [mixer, message] of Object.entries(unknown)) {
    const layers = [{ mixer: trainingParts.mixer(mixer), feedForward: 0 }];
    const other = new LanguageModel({ ...model.shape, layers });
    await expect(writeModel(broken, other, new Map(), 'ids')).rejects.toThrow(message);
  }
});

test('training writes a model that continues text; one without text says so', async () => {
  const config = (task: object) =>
    readConfig({
      task: { length: 32, held: 2, ...task },
      model: { width: 32, layers: ['base-conv', 'taylor:features=4'] },
      training: { steps: 2, batch: 4, rate: 1e-3 },
    });
  const run = async (name: string, task: object) => {
    await train(config({ name, ...task }), trainingParts, { threads: 1, folder: join(folder, name) });
    return join(folder, name);
  };
  await withModel(await run('text', {}), async (model) => {
    const { ids, text } = await (await model.open()).complete('Grüße ', { maxTokens: 5 });
    expect(ids).toHaveLength(5);
    expect(new TextDecoder().decode(Uint8Array.from(ids))).toBe(text);
    expect([...model.idsOf('ü')]).toEqual([0xc3, 0xbc]);
  });
  await withModel(join(await run('mqar', { pairs: 4 }), 'model.safetensors'), async (model) => {
    expect([...model.idsOf('5 130 7')]).toEqual([5, 130, 7]);
    expect(() => model.idsOf('Hello')).toThrow(/knows no text/);
    expect((await (await model.open()).complete('5 130', { maxTokens: 2 })).text).toMatch(/^\d+ \d+ $/);
  });
});
