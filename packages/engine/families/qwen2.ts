import type { Family } from './architecture.ts';
import { uniformArchitecture } from './common.ts';
import type { Numbers } from './numbers.ts';
import { listedAsWindowed } from './windows.ts';

/** Qwen 2 and 2.5: query, key and value have biases. */
export const qwen2: Family = {
  names: ['qwen2'],
  architecture: (model) =>
    uniformArchitecture(model, {
      family: 'qwen2',
      parts: { biases: true },
      pairs: 'halves',
      ...(model.kind === 'config' && { window: qwenWindow }),
    }),
};

/** In config.json layers from `max_window_layers` on may have a window; the released models leave it off, and GGUF cannot say it. */
export function qwenWindow(numbers: Numbers, layer: number): number {
  if (!numbers.flag({ gguf: '', config: 'use_sliding_window' })) return 0;
  const first = () => numbers.number({ gguf: '', config: 'max_window_layers' }, 28);
  const windowed = listedAsWindowed(numbers, layer) ?? layer >= first();
  return windowed ? numbers.size({ gguf: '', config: 'sliding_window' }) : 0;
}
