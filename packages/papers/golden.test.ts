import { readFileSync } from 'node:fs';
import { loadModel, type Model } from 'loci';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseMethod } from './registry.ts';

/** What kvpress 0.5.5 kept of the embedded model's cache in float32; see golden/README.md. */
const golden: {
  readonly cases: readonly {
    readonly ids: readonly number[];
    readonly methods: Readonly<
      Record<string, { readonly keptPerHead: number; readonly kept: Readonly<Record<string, readonly number[][]>> }>
    >;
  }[];
} = JSON.parse(readFileSync(new URL('golden/kv-keep.json', import.meta.url), 'utf8'));

let model: Model;
beforeAll(async () => {
  model = await loadModel();
});
afterAll(() => model.close());

describe.each(golden.cases.map(({ ids, methods }) => ({ ids, methods, n: ids.length })))(
  '$n tokens in float32',
  (one) => {
    test('snapkv, tova and knorm keep what kvpress keeps', { timeout: 60_000 }, async () => {
      const dense = await model.open({ precision: 'float32' });
      await dense.prefill(one);
      for (const name of ['snapkv', 'tova', 'knorm']) {
        const { kept, keptPerHead } = one.methods[name]!;
        const options = name === 'snapkv' ? ',window=32,kernel=7,pooling=avg' : '';
        const fork = dense.fork({ keep: parseMethod.keep(`${name}:budget=${keptPerHead}${options}`)! });
        await fork.prefill(one);
        const ours = fork.kept;
        fork.close();
        for (const [layer, heads] of Object.entries(kept)) {
          for (const [head, theirs] of heads.entries()) {
            const positions = [...(ours[Number(layer)]?.[head] ?? [])];
            // A key of the first layer is as long as any other of its token: which of them stay is chance.
            const tied = name === 'knorm' && layer === '0';
            const found = tied ? sharedTokens(positions, theirs, one.ids) : overlap(positions, theirs);
            expect(found, `${name}, layer ${layer}, head ${head}`).toBeGreaterThanOrEqual(0.98);
          }
        }
      }
      dense.close();
    });

    test('streaming-llm sees what kvpress keeps', async () => {
      const { kept, keptPerHead } = one.methods['streaming-llm']!;
      const recent = keptPerHead - 4;
      // Which slots they are does not depend on numbers.
      const session = await model.open({ keep: parseMethod.keep(`streaming-llm:sinks=4,recent=${recent}`)! });
      await session.prefill(one);
      const seen = [...(session.kept[14]?.[0] ?? [])].filter((at) => at < 4 || at >= one.n - recent);
      session.close();
      for (const heads of Object.values(kept)) for (const theirs of heads) expect(overlap(seen, theirs)).toBe(1);
    });
  },
);

/** The share of the larger set that both have. */
function overlap(ours: readonly number[], theirs: readonly number[]): number {
  const known = new Set(theirs);
  return ours.filter((position) => known.has(position)).length / Math.max(ours.length, theirs.length);
}

/** The same for the tokens at the positions, of which there may be several. */
function sharedTokens(ours: readonly number[], theirs: readonly number[], ids: readonly number[]): number {
  const left = theirs.map((position) => ids[position]);
  const shared = ours.filter((position) => {
    const at = left.indexOf(ids[position]);
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
  return shared.length / Math.max(ours.length, theirs.length);
}
