import { readFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel, type Model, type OpenOptions, type Session } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { largestGap } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { golden } from './golden.ts';
import { withHost } from './host.ts';
import { packLinks, unpackLinks } from './saved.ts';
import { recallOf, Trial } from './trial.ts';

let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  const book = readFileSync(new URL('../../../data/moby-dick.txt', import.meta.url), 'utf8').slice(40_000, 42_400);
  ids = model.tokenizer.encode(book, { special: 'text' }).slice(0, 340);
});
afterAll(() => model.close());

const small = 'sinks=4,window=40,degree=6,neighbours=12,build=16,queries=100,every=2,tail=20';
/** A graph, and a scan of all keys. */
const all = [
  `retrieval-attention:k=1000,pool=1000,from=0,${small}`,
  `retrieval-attention:k=1000,pool=1000,${small}`,
] as const;
const tight = [
  `retrieval-attention:k=16,pool=24,from=0,${small}`,
  `retrieval-attention:k=16,pool=24,${small}`,
] as const;

const opened = <T>(options: OpenOptions, work: (session: Session) => Promise<T>) => inSession(model, options, work);

const attendOf = (text: string): OpenOptions => ({ attend: parseMethod.attend(text) });
const prompt = () => ({ ids: ids.slice(0, 300) });
const rest = () => ids.slice(300);
const losses = (options: OpenOptions) =>
  opened(options, async (session) => (await session.scoreContinuations(prompt(), [rest()]))[0] ?? new Float64Array());
describe('with room for everything', () => {
  test.each([
    {},
    { from: 0 },
    { from: 0, keep: 'snapkv:budget=100' },
    { from: 0, keep: 'streaming-llm:sinks=4,recent=100', store: 'q4' },
  ] as const)(
    'it is dense attention, over %o',
    async ({ from, keep, store }: { from?: number; keep?: string; store?: 'q4' }) => {
      const spec = all[from === 0 ? 0 : 1];
      const kept = keep === undefined ? undefined : parseMethod.keep(keep);
      const rest = { precision: 'float32', ...(kept && { keep: kept }), ...(store && { store }) } as const;
      expect(largestGap(await losses({ ...rest, ...attendOf(spec) }), await losses(rest))).toBeLessThan(1e-3);
    },
  );
});

describe.each(tight)('%s', (spec) => {
  test('reads what it finds and what is near, and says how many keys it compared', async () => {
    await opened(attendOf(spec), async (session) => {
      await session.prefill(prompt());
      const before = session.reads;
      await session.complete(prompt(), { maxTokens: 5, ignoreEnd: true });
      const after = session.reads;
      const heads = 4 * model.arch.layers.length * model.arch.heads;
      const slots = (after.slots - before.slots) / heads;
      expect(slots).toBeGreaterThan(4 + 40 + 16);
      expect(slots).toBeLessThan(4 + 40 + 16 + 5);
      const scans = (after.choosing - before.choosing) / heads;
      if (spec.includes('from=0')) expect(scans).toBeLessThan(0.9 * 256);
      else expect(scans).toBe(256);
    });
  });
});

describe('with a tight budget', () => {
  const spec = tight[0];

  test('keys that leave the window are added', async () => {
    await opened(attendOf(spec), async (session) => {
      await session.complete(prompt(), { maxTokens: 50, ignoreEnd: true });
      expect(session.attended).toMatchObject({ indexed: model.arch.layers.map(() => [296, 296, 296]) });
    });
  });

  test('a saved session goes on as if it had never been closed, and so does a fork', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'loci-retrieval-'));
    const path = join(folder.path, 'session');
    const session = await model.open(attendOf(spec));
    await session.prefill(prompt());
    await session.save(path);
    const next = { ids: ids.slice(0, 302) };
    const generated = (one: Session) => one.complete(next, { maxTokens: 12, ignoreEnd: true });
    const [fork, restored] = [session.fork(), await model.restore(path, attendOf(spec))];
    const straight = await generated(session);
    // The index is all of theirs.
    session.close();
    expect((await generated(restored)).ids).toEqual(straight.ids);
    restored.close();
    expect((await generated(fork)).ids).toEqual(straight.ids);
    fork.close();
  });

  test('a text that begins otherwise gets an index of its own, and a keep method leaves its slots', async () => {
    const keep = parseMethod.keep('snapkv:budget=100,window=16');
    const options = { ...attendOf(spec), ...(keep && { keep }) };
    const other = Int32Array.from([...ids.slice(0, 150), 50, ...ids.slice(151, 300)]);
    const fresh = await opened(options, (session) =>
      session.complete({ ids: other }, { maxTokens: 8, ignoreEnd: true }),
    );
    await opened(options, async (session) => {
      await session.complete(prompt(), { maxTokens: 8, ignoreEnd: true });
      expect(session.attended).toMatchObject({ indexed: model.arch.layers.map(() => [56, 56, 56]) });
      const { ids: generated } = await session.complete({ ids: other }, { maxTokens: 8, ignoreEnd: true });
      expect(generated).toEqual(fresh.ids);
    });
  });

  test('sequences in one batch do not disturb one another', async () => {
    const alone = await losses(attendOf(spec));
    const [a, b, c] = await Promise.all([losses(attendOf(spec)), losses({ store: 'q8' }), losses(attendOf(tight[1]))]);
    expect(largestGap(a, alone)).toBeLessThan(1e-6);
    expect([...b, ...c].every(Number.isFinite)).toBe(true);
  });
});

test('an index is shown as it grows, and may be stopped', async () => {
  await opened(attendOf(tight[0]), async (session) => {
    const shares: number[] = [];
    const stop = new AbortController();
    const onProgress = ({ work }: { work?: { what: string; share: number } }) => {
      if (work) shares.push(work.share);
      if (work && work.share > 0.3) stop.abort();
    };
    await expect(session.prefill(prompt(), { onProgress, signal: stop.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(shares.length).toBeGreaterThan(2);
    expect(session.attended).toBeNull();
    // What was read is there: the end is read again, and the index made.
    await session.prefill(prompt());
    expect(session.attended).not.toBeNull();
  });
});

test('links come back as they were, and foreign ones are refused', () => {
  const links = [[[1, 2], [], [0]], [], [[1], [0]]];
  expect(unpackLinks(packLinks(links), [3, 0, 2], 2)).toEqual(links);
  expect(() => unpackLinks(packLinks(links), [3, 0, 1], 2)).toThrow(RangeError);
  expect(() => unpackLinks(packLinks(links), [3, 0, 3], 2)).toThrow('other links');
  expect(() => unpackLinks(packLinks(links), [3, 0, 2], 1)).toThrow('other links');
  expect(() => unpackLinks(packLinks(links).subarray(1), [3, 0, 2], 2)).toThrow('half a link');
  const many = [Array.from({ length: 65_537 }, (_, key) => [65_536 - key])];
  expect(unpackLinks(packLinks(many), [65_537], 1)).toEqual(many);
  expect(() => parseMethod.attend('retrieval-attention:k=64,pool=32')).toThrow('pool is 32; it must be at least k, 64');
});

test('an exact scan finds what faiss finds, and a graph nearly so with fewer keys than a clustered index', async () => {
  const { sizes, keys, queries, training, nearest, others } = golden();
  await withHost(model, async (host) => {
    const [trial] = await Trial.make(host, [{ keys, queries: training, neighbours: 64, degree: 16, build: 64 }]);
    if (!trial) throw new Error('no trial');
    const exact = { found: nearest, scans: sizes.keys };
    // Rounding to 16 bits may swap the last of a list with the next.
    expect(recallOf(await trial.search(queries, sizes.k, sizes.k, true), exact)).toBeGreaterThan(0.998);
    const found = await trial.search(queries, sizes.k, 64);
    expect(recallOf(found, exact)).toBeGreaterThan(0.95);
    const clustered = others.ivf.find(({ recall }) => recall >= 0.95);
    expect(found.scans).toBeLessThan(clustered?.scans ?? 0);
    expect(trial.reachable).toBeGreaterThan(0.99);
    trial.close();
  });
});
