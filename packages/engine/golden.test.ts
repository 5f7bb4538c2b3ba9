/**
 * Whole models against hidden states, losses, logits and text recorded with transformers in float32 on the same weights
 * (golden/*.json). The lists of hidden states leave out what the last block gives before the final norm.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadModel, type Model, type Session } from './index.ts';

interface Golden {
  readonly hidden: {
    readonly ids: readonly number[];
    readonly states: readonly { readonly first8: readonly number[]; readonly norm: number }[];
  };
  readonly prompts: Readonly<Record<'book' | 'code' | 'chat', PromptGolden>>;
}

interface PromptGolden {
  readonly ids: readonly number[];
  readonly nll: readonly number[];
  readonly meanNll: number;
  readonly top: readonly {
    readonly position: number;
    readonly top10: readonly (readonly [id: number, logit: number])[];
  }[];
  readonly greedy: readonly number[];
}

const readGolden = (name: string): Golden =>
  JSON.parse(readFileSync(new URL(`./golden/${name}.json`, import.meta.url), 'utf8'));

const bundled = '../../models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf';
const models = [
  { name: 'smollm2', title: 'SmolLM2 135M', path: fileURLToPath(new URL(bundled, import.meta.url)) },
  { name: 'gemma3-270m', title: 'Gemma 3 270M (LOCI_GEMMA3)', path: process.env['LOCI_GEMMA3'] ?? '' },
] as const;

for (const { name, title, path } of models) {
  describe.skipIf(!existsSync(path))(`${title} in float32 is what transformers computes`, () => {
    const golden = readGolden(name);
    let model: Model;
    let session: Session;
    beforeAll(async () => {
      model = await loadModel(path, { precision: 'float32' });
      session = await model.open({ precision: 'float32' });
    });
    afterAll(() => model.close());

    test('hidden states at every depth', async () => {
      const states = [...(await session.hiddenStates({ ids: golden.hidden.ids }))];
      states.splice(-2, 1);
      expect(states.length).toBe(golden.hidden.states.length);
      for (const [depth, { first8, norm }] of golden.hidden.states.entries()) {
        const state = states[depth] ?? new Float32Array();
        expect(Math.abs(Math.hypot(...state) / norm - 1)).toBeLessThan(1e-4);
        const typical = norm / Math.sqrt(state.length);
        for (const [i, value] of first8.entries()) {
          expect(Math.abs((state[i] ?? Number.NaN) - value) / typical).toBeLessThan(1e-3);
        }
      }
    });

    test.for(['book', 'code', 'chat'] as const)('losses, logits and greedy text of "%s"', async (prompt) => {
      const { ids, nll, meanNll, top, greedy } = golden.prompts[prompt];
      const scores = await session.score({ ids });
      for (const [i, loss] of scores.losses.entries())
        expect(Math.abs(loss - (nll[i] ?? Number.NaN))).toBeLessThan(2e-3);
      expect(scores.losses.length).toBe(nll.length);
      expect(Math.abs(scores.meanNll - meanNll)).toBeLessThan(5e-4);
      for (const { position, top10 } of top) {
        const { logits } = await session.prefill({ ids: ids.slice(0, position + 1) });
        const best = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0)).slice(0, 10);
        expect(best).toEqual(top10.map(([id]) => id));
        for (const [id, logit] of top10) expect(Math.abs((logits[id] ?? Number.NaN) - logit)).toBeLessThan(2e-3);
      }
      const { ids: generated } = await session.complete({ ids }, { maxTokens: 48, temperature: 0, ignoreEnd: true });
      expect(generated).toEqual(greedy);
    });
  });
}

test('SmolLM2 as users load it loses at most 0.02 nats on "book"', async () => {
  const model = await loadModel(models[0].path);
  try {
    const { ids, meanNll } = readGolden('smollm2').prompts.book;
    const scores = await (await model.open()).score({ ids });
    expect(Math.abs(scores.meanNll - meanNll)).toBeLessThan(0.02);
  } finally {
    await model.close();
  }
});
