import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LociError, loadModel, type Model, type Steer } from 'loci';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseMethod } from '../registry.ts';
import { AttentionRows } from '../retrieval-head/rows.ts';
import { drawHeads, headList, headsIn, ranked } from './heads.ts';
import { maskHeads } from './mask-heads.ts';
import { measureMeans } from './means.ts';

const folder = mkdtempSync(join(tmpdir(), 'loci-means-'));
let model: Model;
let ids: Int32Array;
beforeAll(async () => {
  model = await loadModel();
  ids = model.tokenizer.encode('The lamp of the harbour is lit at dusk, and the hens are fed at noon.', {
    special: 'text',
  });
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await model.close();
});

async function losses(steer: readonly Steer[]): Promise<Float64Array> {
  const session = await model.open({ steer });
  try {
    return (await session.score({ ids })).losses;
  } finally {
    session.close();
  }
}

const outputs = (steer: readonly Steer[]) => measureMeans(model, ids, { steer });
const d = () => model.arch.headSize;

test('heads are read in order and once each', () => {
  expect(headList(headsIn('10.2+3.5+3.4+3.5'))).toBe('3.4+3.5+10.2');
  expect(maskHeads.with({ heads: '3.5+3.5' }).spec).toBe('mask-heads:heads=3.5,mode=zero,scope=decode');
});

test.each([
  ['mask-heads', /heads is .* it must name heads as layer\.head, such as 3\.5\+10\.2/],
  ['mask-heads:heads=3', /heads is "3"; it must name heads/],
  ['mask-heads:heads=3.5+', /it must name heads/],
  ['mask-heads:heads=3.5,mode=half', /mode is "half"; it must be zero or uniform or mean/],
  ['mask-heads:heads=3.5,mode=mean', /mode is "mean"; it must have means=FILE/],
  ['mask-heads:heads=3.5,means=x.json', /means is "x.json"; it must stand beside mode=mean/],
  ['mask-heads:heads=3.5,mode=mean,means=nowhere.json', /nowhere\.json holds no mean outputs/],
])('%s is refused', (text, message) => {
  expect(() => parseMethod.steer(text)).toThrow(LociError);
  expect(() => parseMethod.steer(text)).toThrow(message);
});

test('heads that do not exist are refused, and so are all of them together', async () => {
  const opening = (heads: string) => model.open({ steer: [maskHeads.with({ heads })] });
  await expect(opening('30.0')).rejects.toThrow('there is no head 30.0; layers go from 0 to 29 and heads from 0 to 8');
  await expect(opening('0.9')).rejects.toThrow('there is no head 0.9');
  const all = Array.from({ length: 270 }, (_, i) => `${Math.floor(i / 9)}.${i % 9}`).join('+');
  await expect(opening(all)).rejects.toThrow(/without any head .* cannot read/);
});

test('zero leaves nothing of a head, and the others of its layer as they were', async () => {
  const plain = await outputs([]);
  const masked = await outputs([maskHeads.with({ heads: '0.2+5.1', scope: 'all' })]);
  expect(masked[0]?.subarray(2 * d(), 3 * d()).every((x) => x === 0)).toBe(true);
  expect(masked[5]?.subarray(d(), 2 * d()).every((x) => x === 0)).toBe(true);
  expect(masked[0]?.subarray(0, 2 * d())).toEqual(plain[0]?.subarray(0, 2 * d()));
  expect(masked[0]?.subarray(3 * d())).toEqual(plain[0]?.subarray(3 * d()));
});

test('uniform gives every token the same weight, for this head only', async () => {
  const rows: (readonly Float32Array[])[] = [];
  const session = await model.open({
    steer: [maskHeads.with({ heads: '4.3', mode: 'uniform' })],
    probes: [
      {
        ...{ axis: 'probe', name: 'rows', spec: 'rows', needs: {} },
        open: (host) =>
          new AttentionRows(host, ({ weights }) => rows.push([3, 4].map((head) => weights(4, head).slice()))),
      },
    ],
  });
  await session.complete({ ids }, { maxTokens: 3, ignoreEnd: true });
  session.close();
  expect(rows).toHaveLength(3);
  for (const [step, [masked, other]] of rows.entries()) {
    for (const weight of masked ?? []) expect(weight).toBeCloseTo(1 / (ids.length + step), 6);
    expect(Math.max(...(other ?? []))).toBeGreaterThan(2 / ids.length);
  }
});

test('mean puts the mean of another text in the place of an output', async () => {
  const { name, fingerprint } = model;
  const means = await measureMeans(model, model.idsOf('Some quite different text.'));
  const file = (more: object) => {
    const path = join(folder, 'means.json');
    const document = { model: { name, fingerprint }, made: {}, means: means.map((row) => [...row]), ...more };
    writeFileSync(path, JSON.stringify(document));
    return maskHeads.with({ heads: '7.8', mode: 'mean', scope: 'all', means: path });
  };
  const masked = await outputs([file({})]);
  for (const [i, mean] of (means[7]?.subarray(8 * d()) ?? []).entries()) {
    expect(masked[7]?.[8 * d() + i]).toBeCloseTo(mean, 5);
  }
  await expect(model.open({ steer: [file({ model: { name: 'other', fingerprint: '0' } })] })).rejects.toThrow(
    'the means were made for other',
  );
  await expect(model.open({ steer: [file({ means: [[1]] })] })).rejects.toThrow('the means are not 30 rows of 576');
});

test('in decode scope a text that is read stays as it is, but for the row that produces a token', async () => {
  const plain = await losses([]);
  const decode = await losses([maskHeads.with({ heads: '18.6+17.3' })]);
  expect(decode.slice(0, -1)).toEqual(plain.slice(0, -1));
  expect(decode.at(-1)).not.toBe(plain.at(-1));
  const all = await losses([maskHeads.with({ heads: '18.6+17.3', scope: 'all' })]);
  expect(all.slice(0, -1)).not.toEqual(plain.slice(0, -1));
});

test('two masks cannot decide the same', async () => {
  const steer = [maskHeads.with({ heads: '1.1' }), maskHeads.with({ heads: '2.2' })];
  await expect(model.open({ steer })).rejects.toThrow("both decide what becomes of heads' outputs");
});

test('random heads are of the layers of the masked ones and none of the best', () => {
  const scores = Array.from({ length: 30 }, (_, layer) =>
    Array.from({ length: 9 }, (_, head) => (layer * 7 + head * 31) % 97),
  );
  const ranking = ranked(scores);
  const masked = ranking.slice(0, 14);
  const best = new Set(ranking.slice(0, 54));
  const layersOf = (heads: readonly { readonly layer: number }[]) =>
    heads.map(({ layer }) => layer).sort((a, b) => a - b);
  for (let seed = 0; seed < 20; seed++) {
    const drawn = drawHeads(ranking, masked, 0.2, seed);
    expect(new Set(drawn).size).toBe(14);
    expect(drawn.some((head) => best.has(head))).toBe(false);
    expect(layersOf(drawn)).toEqual(layersOf(masked));
  }
  expect(headList(drawHeads(ranking, masked, 0.2, 1))).not.toBe(headList(drawHeads(ranking, masked, 0.2, 2)));
});
