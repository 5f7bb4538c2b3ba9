import { Random } from '@loci/evaluate';
import type { Host, Model } from 'loci';
import type { GapExamples } from './examples.ts';
import {
  backward,
  type Focal,
  focalLoss,
  forward,
  initialParameters,
  type Multiply,
  mapParameters,
  type Parameters,
  type PredictorShape,
  parameterNames,
} from './network.ts';

/** Focal cross-entropy with Adam (section 3.2, training). */
export const recipe = { gamma: 2, positiveWeight: 1.3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** A predictor that is being trained. */
export class PredictorTraining {
  readonly shape: PredictorShape;
  readonly parameters: Parameters;
  readonly #multiply: Multiply;
  readonly #rate: number;
  readonly #first: Parameters;
  readonly #second: Parameters;
  #steps = 0;

  constructor(shape: PredictorShape, multiply: Multiply, seed: string, rate: number) {
    const random = new Random(seed);
    this.shape = shape;
    this.parameters = initialParameters(shape, () => random.real());
    this.#multiply = multiply;
    this.#rate = rate;
    this.#first = mapParameters((name) => new Float64Array(this.parameters[name].length));
    this.#second = mapParameters((name) => new Float64Array(this.parameters[name].length));
  }

  /** One step of Adam; returns the loss before it. */
  async step({ windows, labels }: GapExamples, focal: Focal = recipe): Promise<number> {
    const pass = await forward(this.shape, this.parameters, Float64Array.from(windows), this.#multiply);
    const { loss, slopes } = focalLoss(pass.logits, labels, focal);
    const gradients = await backward(this.shape, this.parameters, pass, slopes, this.#multiply);
    this.#steps++;
    const { beta1, beta2, epsilon } = recipe;
    const rate = (this.#rate * Math.sqrt(1 - beta2 ** this.#steps)) / (1 - beta1 ** this.#steps);
    for (const name of parameterNames) {
      const [p, g, m, v] = [this.parameters[name], gradients[name], this.#first[name], this.#second[name]];
      for (let i = 0; i < p.length; i++) {
        m[i] = beta1 * m[i]! + (1 - beta1) * g[i]!;
        v[i] = beta2 * v[i]! + (1 - beta2) * g[i]! ** 2;
        p[i]! -= (rate * m[i]!) / (Math.sqrt(v[i]!) + epsilon);
      }
    }
    return loss;
  }
}

/** Logits of examples, by a predictor. */
export async function logitsOf(
  shape: PredictorShape,
  parameters: Parameters,
  { windows }: GapExamples,
  multiply: Multiply,
): Promise<Float64Array> {
  return (await forward(shape, parameters, Float64Array.from(windows), multiply)).logits;
}

/** How many of the n gaps with the largest logits are among the n with the largest ratios, as a share of n. */
export function topOverlap(logits: ArrayLike<number>, ratios: ArrayLike<number>, n: number): number {
  const top = (values: ArrayLike<number>) =>
    Array.from({ length: values.length }, (_, i) => i)
      .sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b)
      .slice(0, n);
  const wanted = new Set(top(ratios));
  return top(logits).filter((i) => wanted.has(i)).length / n;
}

/** What methods of a model's sessions may use. */
export async function hostOf(model: Model): Promise<Host> {
  const opened: Host[] = [];
  const session = await model.open({
    probes: [
      {
        ...{ axis: 'probe', name: 'host', spec: 'host', needs: {} },
        open(host) {
          opened.push(host);
          return { result: () => null, close: () => {} };
        },
      },
    ],
  });
  session.close();
  const [host] = opened;
  if (!host) throw new Error('no session was opened');
  return host;
}
