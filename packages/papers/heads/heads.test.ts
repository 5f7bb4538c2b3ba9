import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test as property } from '@fast-check/vitest';
import { LociError, loadModel, type Model } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundledScores, namedScores } from './bundled.ts';
import { kvHeadsOf, kvScores, randomSet, sizeOf, topShare } from './choose.ts';
import { headPlan, topKvHeads } from './plan.ts';
import { foreign, type HeadScores, readHeadScores } from './scores.ts';

const table = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 5 })).chain(([layers, heads]) =>
  fc.array(fc.array(fc.constantFrom(0, 0.25, 0.5, 1), { minLength: heads, maxLength: heads }), {
    minLength: layers,
    maxLength: layers,
  }),
);

property.prop([table, fc.double({ min: 0, max: 1, noNaN: true })])(
  'a share of the heads is chosen, none of which scores less than one that is not, and of equals the first',
  (rows, share) => {
    const set = topShare(rows, share);
    const all = rows.flat().map((score, index) => ({ score, index, chosen: set.flat()[index] === true }));
    expect(sizeOf(set)).toBe(Math.round(share * all.length));
    for (const one of all.filter(({ chosen }) => chosen)) {
      for (const other of all.filter(({ chosen }) => !chosen)) {
        expect(one.score > other.score || (one.score === other.score && one.index < other.index)).toBe(true);
      }
    }
    const chance = randomSet(set, 3);
    expect(sizeOf(chance)).toBe(sizeOf(set));
    expect(randomSet(set, 3)).toEqual(chance);
  },
);

test('a key/value head scores as its best query head, and is in a set as soon as one of them is', () => {
  const rows = [[0.1, 0.9, 0.2, 0.3, 0, 0]];
  expect(kvScores(rows, 'heads', 2)).toEqual([[0.9, 0.3]]);
  expect(kvScores(rows, 'kvHeads', 6)).toEqual(rows);
  expect(kvHeadsOf([[false, true, false, false, false, false]], 2)).toEqual([[true, false]]);
});

describe('a plan', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel();
  });
  afterAll(() => model.close());

  const folder = mkdtempDisposableSync(join(tmpdir(), 'loci-heads-'));
  afterAll(() => folder.remove());
  const write = (document: unknown) => {
    const path = join(folder.path, 'scores.json');
    writeFileSync(path, typeof document === 'string' ? document : JSON.stringify(document));
    return path;
  };
  const own = (): HeadScores => bundledScores().find((scores) => foreign(scores, model) === undefined)!;

  test('scores that come along belong to the embedded model', () => {
    for (const scores of bundledScores()) expect(foreign(scores, model)).toBeUndefined();
  });

  test('reads back what was written', () => {
    expect(readHeadScores(write(own()))).toEqual(own());
  });

  test.each([
    ['{', /holds no scores of heads: .*JSON/],
    [{}, /holds no scores of heads: model: /],
    [{ model: { name: 'a', fingerprint: 'b' }, made: { method: 'm', settings: {}, seed: 0 }, of: 'pages' }, /: of: /],
  ])('refuses %j', (document, reason) => {
    const path = write(document);
    expect(() => readHeadScores(path)).toThrow(LociError);
    expect(() => readHeadScores(path)).toThrow(reason);
  });

  test('is refused by name for another model, other layers or other heads', async () => {
    const scores = own();
    const other = { ...scores, model: { name: 'another', fingerprint: '0' } };
    expect(foreign(other, model)).toBe('the scores of heads were made for another, and this is smollm2-135m-instruct');
    expect(foreign({ ...scores, scores: scores.scores.slice(1) }, model)).toBe('the scores are for 29 layers of 30');
    expect(foreign({ ...scores, of: 'kvHeads' }, model)).toBe('layer 0 has 9 scores for 3 kvHeads');
    expect(() => namedScores('nowhere.json')).toThrow(
      /plan is "nowhere.json"; it must be a file .* one of .*induction/,
    );
  });

  test('takes others in place of the best', () => {
    const of = (protect: 'highest' | 'lowest' | 'random' | 'none' | 'all') =>
      headPlan({ plan: 'induction', protect, seed: 1 }, (scores, kvHeads) =>
        topKvHeads(scores, scores.scores, 0.5, kvHeads),
      ).of(model);
    const best = of('highest');
    expect(of('lowest')).toEqual(best.map((heads) => heads.map((chosen) => !chosen)));
    expect([sizeOf(best), sizeOf(of('random')), sizeOf(of('none')), sizeOf(of('all'))]).toEqual([45, 45, 0, 90]);
  });
});
