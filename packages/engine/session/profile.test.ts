import { expect, test } from 'vitest';
import { Profile } from '../index.ts';
import { loadModel } from '../load.ts';

test('a profile changes no result, and its kernels have every layer and every weight in them', async () => {
  const profile = new Profile();
  const model = await loadModel(undefined, { threads: 2, observer: profile.observer });
  try {
    const ids = Array.from({ length: 40 }, (_, i) => 100 + 7 * i);
    for (const store of ['f16', 'q8'] as const) {
      const results: Float32Array[] = [];
      for (const isProfiled of [false, true]) {
        const session = await model.open({ store });
        profile.keys = isProfiled ? 30 : undefined;
        await session.prefill({ ids: ids.slice(0, 30) });
        profile.keys = isProfiled ? 40 : undefined;
        results.push((await session.prefill({ ids })).logits);
        profile.keys = undefined;
        session.close();
      }
      expect(results[1]).toEqual(results[0]);
      const { programMs, kernels } = profile.take();
      expect(programMs).toBeGreaterThan(0);
      const layers = model.arch.layers.length;
      const attend = kernels.find(({ kernel }) => kernel === 'attend');
      expect(attend).toMatchObject({ shape: store, calls: layers });
      expect(attend?.work?.ops).toBeGreaterThan(0);
      const matrices = kernels.filter(({ kernel }) => kernel === 'matmul');
      const bytes = matrices.reduce((sum, { work }) => sum + (work?.bytes ?? 0), 0);
      // All weights but the norms pass through a product once: the embedding is the output head.
      expect(bytes / model.weightBytes).toBeGreaterThan(0.99);
      expect(bytes / model.weightBytes).toBeLessThanOrEqual(1);
    }
    expect(profile.take().kernels).toEqual([]);
  } finally {
    await model.close();
  }
});
