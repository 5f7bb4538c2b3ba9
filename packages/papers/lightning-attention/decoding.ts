import { Random } from '@loci/evaluate';
import { evaluateOn, initialNumbers, LanguageModel, type Mixer, openTrainingDevice } from '@loci/lab';
import * as f from '@loci/lab/arrays';
import type { Form } from '../mixing/compare.ts';
import { chunked, parallel, slopesOf } from './forms.ts';
import { gated, lightning } from './mix.ts';

const [prompt, decoded, layers, heads] = [300, 50, 4, 2];

/** Logits of a model of 4 layers that reads a prompt in chunks and then token by token, beside one parallel pass. */
export async function compareDecoding() {
  const random = new Random('decoding');
  const sizes: number[] = [];
  for (let read = 0; read < prompt; read += sizes.at(-1) ?? 0)
    sizes.push(Math.min(random.integer(1, 70), prompt - read));
  const n = prompt + decoded;
  const ids = Int32Array.from({ length: n }, () => random.integer(0, 63));
  const logits = async (form: (slopes: readonly number[]) => Form) => {
    const mixer: Mixer = {
      ...lightning.with({ heads }),
      mix: (x, parameters, { layer }) => gated(x, parameters, heads, form(slopesOf(heads, layer, layers))),
    };
    const model = new LanguageModel({
      ...{ vocabulary: 64, width: 32, length: n, positions: 'none', norm: 'rms' },
      layers: Array.from({ length: layers }, () => ({ mixer, feedForward: 2 })),
    });
    const parameters = new Map<string, f.Tensor>();
    const numbers: Record<string, ArrayLike<number>> = { ids, rows: ids.map((_, i) => i) };
    for (const [name, spec] of Object.entries(model.specs)) {
      parameters.set(name, f.parameter(name, spec.shape));
      const wide = 'value' in spec.initial ? spec : { ...spec, initial: { deviation: 0.2 } };
      numbers[name] = initialNumbers(wide, name, 0);
    }
    const of = (name: string) => parameters.get(name) ?? f.constant([], [Number.NaN]);
    const y = model.logits(f.input('ids', [1, n], 'int'), f.input('rows', [n], 'int'), of);
    const device = await openTrainingDevice(1);
    try {
      const [found = new Float32Array()] = await evaluateOn(device, [y], numbers);
      return found;
    } finally {
      await device.close();
    }
  };
  const whole = await logits((slopes) => (q, k, v) => parallel(q, k, v, slopes));
  const gap = (other: Float32Array) =>
    whole.reduce((most, x, i) => Math.max(most, Math.abs(x - (other[i] ?? Number.NaN)) / (1 + Math.abs(x))), 0);
  const pieces = [...sizes, 1];
  const is = await logits((slopes) => (q, k, v) => chunked(q, k, v, slopes, pieces));
  return { chunks: sizes, decoded, gap: gap(is) };
}
