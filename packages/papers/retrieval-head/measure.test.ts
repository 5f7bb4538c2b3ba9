import { readFileSync } from 'node:fs';
import type { TaskCase } from '@loci/evaluate';
import { loadModel, type Model } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMethod } from '../registry.ts';
import { measureCase } from './measure.ts';
import { AttentionRows, highestSlot } from './rows.ts';

interface GoldenAnswer {
  readonly tokens: readonly number[];
  readonly top: readonly (readonly number[])[];
  readonly sure: readonly string[];
  readonly score: readonly number[];
  readonly soft: readonly number[];
}
interface GoldenCase {
  readonly id: string;
  readonly ids: readonly number[];
  readonly value: readonly [number, number];
  readonly answer: readonly number[];
  readonly forced: GoldenAnswer;
  readonly free: GoldenAnswer;
}
const cases = JSON.parse(
  readFileSync(new URL('golden/smollm2.json', import.meta.url), 'utf8'),
) as readonly GoldenCase[];

let model: Model;
beforeAll(async () => {
  model = await loadModel(undefined, { precision: 'float32' });
}, 120_000);
afterAll(() => model.close());

function taskCase({ id, ids, value, answer }: GoldenCase): TaskCase {
  const [start, end] = value;
  return {
    ...{ id, context: Int32Array.from(ids), question: new Int32Array(), answer: Int32Array.from(answer) },
    ...{ accepted: ['?'], maxTokens: answer.length, spans: [{ kind: 'value', start, end }] },
  };
}

/** The place every head looks at most, while each token behind a prompt is produced. */
async function tops(ids: readonly number[], answer: readonly number[]): Promise<readonly (readonly number[])[]> {
  const found: number[][] = [];
  const { layers, heads } = model.arch;
  const session = await model.open({
    precision: 'float32',
    probes: [
      {
        ...{ axis: 'probe', name: 'tops', spec: 'tops', needs: {} },
        open: (host) =>
          new AttentionRows(host, ({ weights }) => {
            found.push(
              layers.flatMap((_, layer) =>
                Array.from({ length: heads }, (_, head) => highestSlot(weights(layer, head))),
              ),
            );
          }),
      },
    ],
  });
  await session.scoreContinuations({ ids }, [answer]);
  session.close();
  return found;
}

describe.each(cases)('$id', (one) => {
  test.each(['forced', 'free'] as const)('every head looks where it does in PyTorch, %s', async (way) => {
    const { tokens, top, sure } = one[way];
    const found = await tops(one.ids, tokens);
    expect(found).toHaveLength(top.length);
    let compared = 0;
    for (const [step, heads] of top.entries()) {
      for (const [head, position] of heads.entries()) {
        if (sure[step]?.[head] !== '1') continue;
        compared++;
        expect(found[step]?.[head], `step ${step}, head ${head}`).toBe(position);
      }
    }
    expect(compared).toBeGreaterThan(0.9 * top.length * model.arch.layers.length * model.arch.heads);
  });

  test('scores are those of PyTorch', async () => {
    const { free, forced } = await measureCase(model, taskCase(one), { open: { precision: 'float32' } });
    for (const [ours, theirs] of [
      [forced, one.forced],
      [free, one.free],
    ] as const) {
      expect(Math.max(...theirs.score)).toBeGreaterThan(0.1);
      for (const [head, score] of theirs.score.entries()) {
        expect(ours.score[head], `head ${head}`).toBeCloseTo(score, 3);
        expect(Math.abs((ours.soft[head] ?? Number.NaN) - (theirs.soft[head] ?? 0)), `head ${head}`).toBeLessThan(1e-3);
      }
    }
  });
});

test('scores survive in a cache that has dropped tokens, since places are positions', async () => {
  const one = cases[0];
  if (!one) throw new RangeError('no case');
  const keep = parseMethod.keep('snapkv:budget=128,window=32');
  if (!keep) throw new RangeError('no keep');
  const dense = await measureCase(model, taskCase(one), {});
  const kept = await measureCase(model, taskCase(one), { open: { keep } });
  const best = dense.forced.score.indexOf(Math.max(...dense.forced.score));
  expect(kept.forced.score[best]).toBeGreaterThan(0.5);
});

test('sequences in one batch get their own rows', async () => {
  const [one, other] = cases;
  if (!one || !other) throw new RangeError('no cases');
  const alone = [await measureCase(model, taskCase(one), {}), await measureCase(model, taskCase(other), {})];
  const together = await Promise.all([measureCase(model, taskCase(one), {}), measureCase(model, taskCase(other), {})]);
  expect(together).toEqual(alone);
});

test('a case without a needle is refused', async () => {
  const one = cases[0];
  if (!one) throw new RangeError('no case');
  await expect(measureCase(model, { ...taskCase(one), spans: [] }, {})).rejects.toThrow('there is no needle');
});
