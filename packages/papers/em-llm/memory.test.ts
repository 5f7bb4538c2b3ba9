import { readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Host,
  type KvCache,
  loadModel,
  type Model,
  type Moment,
  type OpenOptions,
  type Probe,
  type Session,
} from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { largestGap } from '../keeping/logits.ts';
import { PassingProbe } from '../keeping/passing.ts';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { gapToBruteForce } from './brute-force.ts';
import { EpisodicMemory, memoryOf } from './memory.ts';
import type { Settings } from './remember.ts';
import { Retrieval } from './retrieval.ts';
import { Segmentation } from './segmentation.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 44_000);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 700);
});
afterAll(() => model.close());

const opened = <T>(options: OpenOptions, work: (session: Session) => Promise<T>, of = model) =>
  inSession(of, options, work);

const settings: Settings = {
  ...{ init: 4, local: 64, mem: 48, chunk: 32, min: 8, max: 24, gamma: 1, tokens: 4, contiguity: 0.3, layers: 20 },
  ...{ refine: 'off', lookup: 'each', stands: 'best', question: 'twice', hold: 1, choose: 'similar' },
  ...{ official: 'no', fast: 64 },
};

const remember = (options: string) => ({ remember: parseMethod.remember(`em-llm:${options}`) });
const logits = (options: OpenOptions, of: Int32Array) =>
  opened({ precision: 'float32', ...options }, async (session) => (await session.prefill({ ids: of })).logits);

describe('everything that left the window', () => {
  test('is nothing where a text is no longer: attention is dense', async () => {
    const text = ids.slice(0, 200);
    expect(largestGap(await logits(remember('local=256,chunk=128'), text), await logits({}, text))).toBeLessThan(1e-4);
  });

  test('is attended to as if it stood at the edge of the window', async () => {
    const probe = new PassingProbe(['queries', 'keys', 'values', 'attended'], (layer) => layer % 10 === 0);
    const { arch } = model;
    await logits({ ...remember('local=24,init=4,mem=10000,max=16,chunk=20'), probes: [probe] }, ids.slice(0, 64));
    for (const [i, layer] of probe.layers.entries()) {
      if (i % 10 !== 0) continue;
      expect(layer.queries).toHaveLength(64);
      expect(gapToBruteForce(layer, arch.layers[i]?.frequencies ?? [], 24, arch)).toBeLessThan(1e-4);
    }
  });

  test('is seen once, whatever chunks the text is read in', async () => {
    const all = 'local=48,init=4,mem=10000,max=16';
    const text = ids.slice(0, 110);
    const whole = await logits(remember(`${all},chunk=24`), text);
    expect(largestGap(whole, await logits(remember(`${all},chunk=1`), text))).toBeLessThan(1e-4);
    // The official code shows some twice.
    const official = await logits(remember(`${all},chunk=24,official=yes`), text);
    expect(largestGap(whole, official)).toBeGreaterThan(1e-2);
  });
});

const tight = 'local=64,init=4,mem=48,chunk=32,max=24';
const prompt = () => ({ ids: ids.slice(0, 400) });

describe('a small memory', () => {
  test('beginning, events, remainder and window are the text, each token once', async () => {
    await opened(remember(tight), async (session) => {
      await session.prefill(prompt());
      const { events, closed, tokens, recalled } = memoryOf(session);
      expect(tokens).toBe(400);
      expect(events[0]?.start).toBe(4);
      for (const [i, { start, end }] of events.entries()) {
        expect(end).toBe(events[i + 1]?.start ?? closed);
        expect(end - start).toBeGreaterThanOrEqual(8);
        expect(end - start).toBeLessThanOrEqual(24);
      }
      expect(closed).toBeLessThanOrEqual(400 - 64);
      expect(400 - 64 - closed).toBeLessThan(24 + 8);
      for (const { similar, neighbours } of recalled) {
        const both = [...similar, ...neighbours];
        expect(new Set(both.map(({ start }) => start)).size).toBe(both.length);
        // The budget of the last chunk, and half an event by which the last may go beyond it.
        expect(both.reduce((sum, { start, end }) => sum + end - start, 0)).toBeLessThanOrEqual(48 + 32 + 12);
      }
    });
  });

  test('one layer looks up for all: those behind it read the same, those before it what it chose for the rows before', async () => {
    await opened(remember(`${tight},lookup=12,question=once`), async (session) => {
      await session.prefill({ ids: ids.slice(0, 399) });
      const before = memoryOf(session);
      const { choosing } = session.reads;
      await session.prefill(prompt());
      const { recalled, vectorBytes } = memoryOf(session);
      expect(before.recalled[12]?.similar.length).toBeGreaterThan(0);
      expect(recalled.slice(0, 12)).toEqual(new Array(12).fill(before.recalled[12]));
      expect(recalled.slice(12)).toEqual(new Array(18).fill(recalled[12]));
      expect(session.reads.choosing - choosing).toBe(8 * before.events.length);
      await opened(remember(`${tight},lookup=each`), async (each) => {
        await each.prefill(prompt());
        expect(memoryOf(each).vectorBytes).toBe(30 * vectorBytes);
      });
    });
  });

  test('the end of a prompt is read twice: all its layers read what its last token found, and an answer does for a while', async () => {
    const [beginning, whole] = [300, 332].map((end) => ({ ids: ids.slice(0, end) }));
    const readBy = (options: string) =>
      opened(remember(`${tight},lookup=12,${options}`), async (session) => {
        await session.prefill(beginning ?? prompt());
        const looked = session.reads.choosing;
        const known = memoryOf(session).events.length;
        await session.prefill(whole ?? prompt());
        const { recalled, events } = memoryOf(session);
        // The rows look up, and then their last one, on a fork or not; events may be added between.
        expect(session.reads.choosing - looked).toBeGreaterThanOrEqual(2 * 8 * known);
        expect(session.reads.choosing - looked).toBeLessThanOrEqual(2 * 8 * events.length);
        const fork = session.fork();
        const { choosing } = fork.reads;
        await fork.complete(whole ?? prompt(), { maxTokens: 8, ignoreEnd: true });
        const lookups = (fork.reads.choosing - choosing) / 8 / events.length;
        fork.close();
        return { recalled, lookups };
      });
    const once = await readBy('question=once,hold=1');
    const twice = await readBy('hold=3');
    expect(once.recalled[12]).not.toEqual(once.recalled[0]);
    expect(twice.recalled).toEqual(new Array(30).fill(twice.recalled[12]));
    expect(twice.recalled[12]?.similar.length).toBeGreaterThan(0);
    // Seven of the eight tokens are read, events may be added meanwhile.
    expect(once.lookups).toBeGreaterThanOrEqual(7);
    expect(Math.floor(twice.lookups)).toBe(2);
  });

  test('probes see every row once, and a reading that is stopped while the fork reads leaves the session as it was', async () => {
    const probe = new PassingProbe(['attended'], (layer) => layer === 29);
    const stop = new AbortController();
    const straight = await logits(remember(tight), ids.slice(0, 300));
    await opened({ precision: 'float32', probes: [probe], ...remember(tight) }, async (session) => {
      // The last 32 rows are read on a fork behind the first 268.
      const onProgress = ({ doneTokens }: { readonly doneTokens: number }) => doneTokens === 268 && stop.abort();
      const reading = session.prefill({ ids: ids.slice(0, 300) }, { signal: stop.signal, onProgress });
      await expect(reading).rejects.toMatchObject({ code: 'aborted' });
      expect(session.ids).toHaveLength(268);
      const { logits: found } = await session.prefill({ ids: ids.slice(0, 300) });
      expect(found).toEqual(straight);
      expect(probe.layers[29]?.attended).toHaveLength(300);
    });
  });

  test('rows whose losses are asked for are read once, since what they bring back must not know what follows', async () => {
    const [twice, once] = await Promise.all(
      ['twice', 'once'].map((question) =>
        opened(remember(`${tight},question=${question}`), (session) => session.score(prompt())),
      ),
    );
    expect(twice?.losses).toEqual(once?.losses);
  });

  test('the near cache stays small, and heads hold the window', async () => {
    await opened(remember(tight), async (session) => {
      await session.prefill(prompt());
      for (const positions of session.kept.flat()) {
        expect(positions.at(-1)).toBe(399);
        expect(positions.length).toBeLessThanOrEqual(64 + 32);
      }
    });
  });

  test('what lies in a file comes back as it was', async () => {
    const answers = await Promise.all(
      ['fast=100000', 'fast=32', 'fast=0'].map((fast) =>
        opened(remember(`${tight},${fast}`), async (session) => {
          const { ids: generated } = await session.complete(prompt(), { maxTokens: 10, ignoreEnd: true });
          const [nll] = await session.scoreContinuations(prompt(), [ids.slice(400, 420)]);
          const { fileBytes, fetched, memoryBytes } = memoryOf(session);
          return { generated, nll: [...(nll ?? [])], fileBytes, fetched, memoryBytes };
        }),
      ),
    );
    const [all, some, none] = answers;
    expect(some?.generated).toEqual(all?.generated);
    expect(none?.nll).toEqual(all?.nll);
    expect(all?.fileBytes).toBe(0);
    expect(some?.fileBytes).toBeGreaterThan(0);
    expect(none?.fetched).toBeGreaterThan(some?.fetched ?? 0);
    expect(none?.memoryBytes).toBeLessThan((all?.memoryBytes ?? 0) / 2);
  });

  test.each(['f16', 'q8', 'q4'] as const)('works in %s, with any sampling of several texts', async (store) => {
    const alone = await opened({ store, ...remember(tight) }, (session) =>
      session.complete(prompt(), { maxTokens: 4 }),
    );
    const [a, b] = await Promise.all([
      opened({ store, ...remember(tight) }, (session) => session.complete(prompt(), { maxTokens: 4 })),
      opened({ store, ...remember(tight) }, (session) =>
        session.complete({ ids: ids.slice(100, 260) }, { maxTokens: 4 }),
      ),
    ]);
    expect(a.ids).toEqual(alone.ids);
    expect(b.ids).toHaveLength(4);
  });

  test('forks go on by themselves, and the one they come from stays as it was', async () => {
    await opened(remember(`${tight},fast=64`), async (session) => {
      await session.prefill(prompt());
      const before = memoryOf(session);
      const rests = [ids.slice(400, 520), ids.slice(500, 620)];
      const together = await session.scoreContinuations(prompt(), rests);
      expect(memoryOf(session).events).toEqual(before.events);
      const again = await session.scoreContinuations(prompt(), rests.toReversed());
      expect(again[1]?.map((loss, i) => Math.abs(loss - (together[0]?.[i] ?? 0))).every((gap) => gap < 1e-6)).toBe(
        true,
      );
    });
  });

  test.each(['', ',lookup=each'])('a saved session goes on as if it had never been closed%s', async (more) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-em-llm-'));
    const path = join(folder.path, 'session');
    const how = remember(`${tight},fast=64${more}`);
    await opened({ store: 'q8', ...how }, async (session) => {
      await session.prefill(prompt());
      await session.save(path);
      const restored = await model.restore(path, how);
      expect({ ...memoryOf(restored), recalled: 0, fetched: 0, memoryBytes: 0, fileBytes: 0 }).toEqual({
        ...memoryOf(session),
        ...{ recalled: 0, fetched: 0, memoryBytes: 0, fileBytes: 0 },
      });
      const longer = { ids: ids.slice(0, 500) };
      const straight = await session.complete(longer, { maxTokens: 8, ignoreEnd: true });
      const { ids: generated, reusedTokens } = await restored.complete(longer, { maxTokens: 8, ignoreEnd: true });
      expect(reusedTokens).toBe(400);
      expect(generated).toEqual(straight.ids);
      restored.close();
    });
    await expect(model.restore(path)).rejects.toThrow(/saved with .* for remember, and is opened without any/);
  });

  test('goes with methods that choose among the keys of the window', async () => {
    const attend = parseMethod.attend('power-attention:block=16,window=2');
    const [both, alone] = [remember(tight), { ...remember(tight), attend }];
    const read = (options: OpenOptions) =>
      opened(options, async (session) => (await session.scoreContinuations(prompt(), [ids.slice(400, 440)]))[0]!);
    const [all, some] = [await read(both), await read(alone)];
    expect(some.every(Number.isFinite)).toBe(true);
    expect(some.some((loss, i) => Math.abs(loss - (all[i] ?? 0)) > 1e-3)).toBe(true);
  });

  test('what was saved under another rotation or format, or is nothing of it, is refused', async () => {
    let found: { host: Host; cache?: KvCache } | undefined;
    const probe: Probe = {
      ...{ axis: 'probe', name: 'host', spec: 'host', needs: {} },
      open: (host: Host) => {
        const held: { host: Host; cache?: KvCache } = { host };
        found = held;
        const ran = ({ cache }: { cache: KvCache }) => {
          held.cache = cache;
        };
        return { ran, result: () => null, close: () => {} };
      },
    };
    await opened({ probes: [probe], ...remember(tight) }, async (session) => {
      await session.prefill({ ids: ids.slice(0, 20) });
      const { host, cache } = found ?? {};
      if (!host || !cache) throw new Error('no host');
      const memory = new EpisodicMemory(host, settings);
      memory.begin(cache);
      const { state } = memory.save();
      const restored = (changed: object) =>
        memory.restore({ ...(typeof state === 'object' && state), ...changed }, cache, async () => new Uint8Array());
      await expect(restored({ rotation: '1 2 3' })).rejects.toThrow('rotated otherwise');
      await expect(restored({ format: 'q4' })).rejects.toThrow('is in q4, not f16');
      await expect(restored({ starts: ['x'] })).rejects.toThrow('cannot be read');
      await expect(restored({})).rejects.toThrow(RangeError);
      memory.close();
    });
  });

  test('reading that is stopped goes on where it was', async () => {
    const straight = await opened(remember(tight), (session) => session.complete(prompt(), { maxTokens: 6 }));
    await opened(remember(tight), async (session) => {
      const stop = new AbortController();
      const stopped = session.prefill(prompt(), {
        signal: stop.signal,
        onProgress: ({ doneTokens }) => doneTokens >= 200 && stop.abort(),
      });
      await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
      const read = session.ids.length;
      expect(read).toBeGreaterThanOrEqual(200);
      expect(read).toBeLessThan(400);
      const result = await session.complete(prompt(), { maxTokens: 6 });
      expect(result.reusedTokens).toBe(read);
      expect(result.ids).toEqual(straight.ids);
    });
  });

  test('texts are longer than the window only where something is remembered', async () => {
    const long = Int32Array.from({ length: model.contextLength + 100 }, (_, i) => ids[i % ids.length] ?? 0);
    await expect(opened({}, (session) => session.prefill({ ids: long }))).rejects.toMatchObject({ code: 'too-long' });
    await opened({ ...remember(tight), contextLength: 20_000 }, async (session) => {
      const stop = new AbortController();
      const onProgress = () => stop.abort();
      await expect(session.prefill({ ids: long }, { signal: stop.signal, onProgress })).rejects.toMatchObject({
        code: 'aborted',
      });
    });
  });
});

test('what the rehearsal of a prompt found holds for its rows, and no longer when reading them is given up', () => {
  const segmentation = new Segmentation(settings);
  const starts = Array.from({ length: 40 }, (_, event) => 4 + 8 * event);
  segmentation.restore({ ...{ closed: 324, starts, cuts: [], losses: [], firstLoss: 400, surprises: 0, scored: 0 } });
  const asking = (moment: Moment) => ({ segmentation, used: 400, n: 4, moment });
  const liking = (event: number) => () => Float32Array.from({ length: 40 }, (_, other) => -Math.abs(event - other));
  const lookup = 1;
  const retrieval = new Retrieval(settings, [lookup]);
  const chosen = (layer: number) => retrieval.choose(layer, asking('prompt end'), liking(20)).events;
  retrieval.choose(lookup, asking('prompt'), liking(3));
  retrieval.commit('prompt', 400);
  const rehearsal = retrieval.fork();
  rehearsal.choose(lookup, asking('prompt end'), liking(30));
  rehearsal.commit('prompt end', 404);
  retrieval.recollect(rehearsal, 404);
  expect(retrieval.looksUp(asking('prompt end'))).toBe(false);
  for (const layer of [0, lookup, 2]) expect(chosen(layer)[0]).toBe(30);
  retrieval.recollect(undefined, 0);
  expect(retrieval.looksUp(asking('prompt end'))).toBe(true);
  expect([0, lookup, 2].map((layer) => chosen(layer)[0])).toEqual([3, 20, 20]);
});

describe('options', () => {
  test.each([
    ['min=40,max=20', 'min is 40; it must be at most max, 20'],
    ['mem=32,max=64', 'max is 64; it must be at most mem, 32'],
    ['chunk=300,local=200', 'chunk is 300; it must be at most local, 200'],
    ['init=512,local=512', 'init is 512; it must be less than local, 512'],
  ])('%s is refused', (options, message) => {
    expect(() => parseMethod.remember(`em-llm:${options}`)).toThrow(message);
  });
  test('a window beyond what the model was trained on is refused, and so is another method that decides the same', async () => {
    await expect(model.open(remember('local=9000'))).rejects.toThrow('local is 9000');
    await expect(model.open(remember('lookup=30'))).rejects.toThrow('lookup is layer 30, and the model has 30');
    expect(() => parseMethod.remember('em-llm:lookup=some')).toThrow('it must be each, auto or the number of a layer');
    const keep = parseMethod.keep('snapkv');
    await expect(model.open({ ...remember(tight), ...(keep && { keep }) })).rejects.toThrow(
      'both decide which slots of the cache stay',
    );
  });
});
