import { haystackOf, Random, texts, type Workbench } from '@loci/evaluate';
import type { Model } from 'loci';
import { PassingProbe } from '../keeping/passing.ts';
import { parseMethod } from '../registry.ts';
import { turned } from './brute-force.ts';
import type { Rows } from './refine.ts';
import { surprising } from './surprise.ts';

/** How texts are cut here, with the defaults of the method. */
export const settings = { gamma: 1, local: 512, chunk: 128, first: 16 };

interface Paragraphs {
  readonly ids: number;
  readonly joints: readonly number[];
  readonly cuts: readonly number[];
  /** By token. */
  readonly losses: readonly number[];
  /** Unrotated keys of the last layers. */
  readonly keys: Rows;
}

const read = new WeakMap<Model, Promise<Paragraphs>>();

/** Paragraphs of different books one behind the other, where the model is surprised, and its keys from layer 20 on. */
export async function paragraphs(workbench: Workbench): Promise<Paragraphs> {
  const model = await workbench.model();
  const known = read.get(model) ?? readParagraphs(model, workbench.signal);
  read.set(model, known);
  return known;
}

async function readParagraphs(model: Model, signal: AbortSignal): Promise<Paragraphs> {
  const random = new Random('em-llm paragraphs');
  const all: number[] = [];
  const joints: number[] = [];
  for (let i = 0; i < 40; i++) {
    const { sentences } = haystackOf(texts[i % texts.length] ?? 'moby-dick');
    const first = random.integer(0, sentences.length - 5);
    let text = '';
    for (let at = first; text.length < 250; at++) text += ` ${sentences[at % sentences.length] ?? ''}`;
    if (all.length > 0) joints.push(all.length);
    all.push(...model.tokenizer.encode(text, { special: 'text' }));
  }
  const ids = Int32Array.from(all);
  const { arch } = model;
  const from = Math.min(20, arch.layers.length - 1);
  const probe = new PassingProbe(['keys'], (layer) => layer >= from);
  const session = await model.open({ remember: parseMethod.remember('em-llm'), probes: [probe] });
  try {
    // The last token is predicted, and not read.
    const { losses } = await session.score({ ids: Int32Array.from([...ids, 0]) }, { signal });
    const known = [Number.NaN, ...losses.slice(0, ids.length - 1)];
    const cuts: number[] = [];
    for (let start = 1; start < known.length; start += settings.chunk) {
      cuts.push(...surprising(known.slice(0, start + settings.chunk), start, settings));
    }
    const layers = probe.layers.slice(from);
    const { kvHeads: g, headSize: d } = arch;
    const width = layers.length * g * d;
    const values = new Float64Array(ids.length * width);
    for (const [i, { keys }] of layers.entries()) {
      const frequencies = arch.layers[from + i]?.frequencies ?? [];
      for (const [token, row] of keys.entries()) {
        for (let head = 0; head < g; head++) {
          const still = turned(row.subarray(head * d, (head + 1) * d), -token, frequencies, arch);
          values.set(still, token * width + (i * g + head) * d);
        }
      }
    }
    return { ids: ids.length, joints, cuts, losses: known, keys: { count: ids.length, width, values } };
  } finally {
    session.close();
  }
}
