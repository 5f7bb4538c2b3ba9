import { LociError, type MixedConfig, type MixedTensor, writeMixed } from 'loci';
import type { LanguageModel } from './model.ts';
import { writeWhole } from './whole-file.ts';

/**
 * Writes a trained model as a file that the engine opens, in one step.
 * @throws LociError `unsupported` when the engine does not know a mixer of it.
 */
export async function writeModel(
  path: string,
  model: LanguageModel,
  weights: ReadonlyMap<string, Float32Array>,
  tokens: MixedConfig['tokens'],
): Promise<void> {
  const { vocabulary, width, length, positions, norm, layers } = model.shape;
  const config: MixedConfig = {
    ...{ model_type: 'mixed', vocabulary, width, length, positions, norm, tokens },
    layers: layers.map(({ mixer, feedForward }) => ({
      mixer: mixer.spec,
      feedForward: Math.round(feedForward * width),
    })),
  };
  const turned = turnedOf(model);
  const tensors = Object.entries(model.specs).map(([name, { shape }]): MixedTensor => {
    const numbers = Float32Array.from(weights.get(name) ?? []);
    const [rows = 0, columns = 0] = shape;
    return turned.has(name)
      ? { name, shape: [columns, rows], numbers: transposed(numbers, rows, columns) }
      : { name, shape, numbers };
  });
  await writeWhole(path, writeMixed(config, tensors));
}

/** Whether the engine knows all mixers of a model, at its size. */
export function isKnownToEngine(model: LanguageModel): boolean {
  try {
    turnedOf(model);
    return true;
  } catch (error) {
    if (error instanceof LociError && error.code === 'unsupported') return false;
    throw error;
  }
}

/** Names of the matrices that rows are multiplied by: here [from, to], in files [to, from]. */
function turnedOf(model: LanguageModel): ReadonlySet<string> {
  return new Set(
    model.shape.layers.flatMap(({ mixer }, layer) => {
      const made = mixer.layer?.(model.size(layer));
      if (!made) throw new LociError('unsupported', `the engine cannot compute the mixer "${mixer.spec}"`);
      const mixing =
        made.kind === 'attention'
          ? Object.values(made.names)
          : [...Object.keys(made.products), ...(made.output === undefined ? [] : [made.output])];
      return [...mixing.map((name) => `mix.${name}`), 'feedForward.up', 'feedForward.down'].map(
        (name) => `layers.${layer}.${name}`,
      );
    }),
  );
}

function transposed(numbers: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(numbers, (_, i) => numbers[(i % rows) * columns + Math.floor(i / rows)] ?? Number.NaN);
}
