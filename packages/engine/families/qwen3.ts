import type { Family } from './architecture.ts';
import { uniformArchitecture } from './common.ts';
import { qwenWindow } from './qwen2.ts';

/** Qwen 3 (dense): norms over each query and key head in place of Qwen 2's biases. */
export const qwen3: Family = {
  names: ['qwen3'],
  architecture: (model) =>
    uniformArchitecture(model, {
      family: 'qwen3',
      parts: { headNorms: true },
      pairs: 'halves',
      ...(model.kind === 'config' && { window: qwenWindow }),
    }),
};
