import { type Claim, mean, Random, type Workbench } from '@loci/evaluate';
import type { Model, OpenOptions } from 'loci';
import { chunkKey } from '../../kernels/chunks/reference.ts';
import { largestGap } from '../keeping/logits.ts';
import { inSession } from '../methods/in-session.ts';
import { dhsa } from './attend.ts';
import { firstLayerOf } from './chosen.ts';
import { type GapExamples, gapExamples } from './predictor/examples.ts';
import { namedPredictor } from './predictor/file.ts';
import { deviceMultiply } from './predictor/multiply.ts';
import { initialParameters } from './predictor/network.ts';
import { hostOf, logitsOf, topOverlap } from './predictor/train.ts';
import { lossGaps, masses, needleGains, type Way, ways, words } from './quality.ts';

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed: 'A budget of the whole text equals dense attention within 1e-4 in every layer, in decode too',
    async run(workbench) {
      const model = await workbench.model();
      const text = words(model, 320);
      const attend = dhsa.with({ budget: 320, instruction: 0, block: 64 });
      const hidden = (await hiddenOf(model, { attend }, text)).map((rows, depth) => ({ rows, depth }));
      const dense = await hiddenOf(model, {}, text);
      const gaps = hidden.map(({ rows, depth }) => {
        const truth = dense[depth] ?? new Float32Array();
        return largestGap(rows, truth) / Math.max(...truth.map(Math.abs));
      });
      const losses = async (options: OpenOptions) =>
        lossesBehind(model, { precision: 'float32', ...options }, text, 288);
      const measured = {
        layers: gaps.length,
        largestOfLayers: Math.max(...gaps),
        decode: largestGap(await losses({ attend }), await losses({})),
        tight: largestGap(await losses({ attend: dhsa.with({ budget: 64, local: 16, global: 4 }) }), await losses({})),
      };
      return {
        measured,
        holds: measured.largestOfLayers <= 1e-4 && measured.decode <= 1e-4 && measured.tight > 1e-2,
        note: 'residual stream behind every layer, relative to its largest number; losses of 31 decoded rows; a tight budget must differ',
      };
    },
  },
  {
    id: '2',
    claimed: 'Chunks and blocks of 1 and no local or global keys: the set is the brute-force top of mean q · mean k',
    async run(workbench) {
      const model = await workbench.model();
      const [n, budget] = [200, 24];
      const given = { budget, block: 1, chunk: 1, cut: 'equal', local: 0, global: 0, instruction: 0 } as const;
      const { heads: h, kvHeads: g, headSize: d } = model.arch;
      const { queries, keys, chosen } = await firstLayerOf(model, dhsa.with(given), words(model, n));
      const averaged = (rows: Float32Array, t: number, heads: number) =>
        Float64Array.from({ length: d }, (_, c) => {
          let sum = 0;
          for (let head = 0; head < heads; head++) sum += rows[(t * heads + head) * d + c] ?? 0;
          return sum / heads;
        });
      const keyMeans = Array.from({ length: n }, (_, t) => averaged(keys, t, g));
      let wrong = 0;
      let heads = 0;
      for (let t = 0; t < n; t++) {
        const query = averaged(queries, t, h);
        const scores = keyMeans.slice(0, t + 1).map((key) => key.reduce((sum, x, c) => sum + x * (query[c] ?? 0), 0));
        const order = scores.map((score, j) => ({ score, j })).sort((a, b) => b.score - a.score || a.j - b.j);
        const best = order.slice(0, budget).map(({ j }) => j);
        const wanted = String(best.sort((a, b) => a - b));
        for (const positions of chosen[t] ?? []) {
          heads++;
          if (String(positions) !== wanted) wrong++;
        }
      }
      return { measured: { rows: n, budget, sets: heads, wrong }, holds: heads === n * g && wrong === 0 };
    },
  },
  {
    id: '3',
    claimed:
      'Chunks of 4 and of 64 independent normal keys: deviations of similarity differ by 4 ± 10 % with plain means, by 1 ± 10 % with the root',
    async run() {
      const random = new Random('dhsa lengths');
      const vector = () => Float64Array.from({ length: 64 }, () => random.normal());
      const deviation = (size: number, length: 'root' | 'none') => {
        const products = Array.from({ length: 2000 }, () => {
          const slots = Array.from({ length: size }, (_, position) => ({ position, key: vector() }));
          const key = chunkKey([slots], 0, size, length) ?? new Float64Array();
          return vector().reduce((sum, x, c) => sum + x * (key[c] ?? 0), 0);
        });
        return Math.sqrt(mean(products.map((x) => x * x)));
      };
      const measured = {
        plain: deviation(4, 'none') / deviation(64, 'none'),
        root: deviation(4, 'root') / deviation(64, 'root'),
      };
      return {
        measured,
        holds: Math.abs(measured.plain / 4 - 1) <= 0.1 && Math.abs(measured.root - 1) <= 0.1,
        note: '2,000 chunks of each length with a query of its own; the definition that the kernels are tested against',
      };
    },
  },
  {
    id: '4',
    claimed:
      'On a book that was not trained on, the predictor’s top n gaps overlap with the label’s (n = L / 16) ≥ 1.5 × as much as chance; untrained within ± 20 % of chance',
    async run(workbench) {
      const model = await workbench.model();
      const found = await workbench.once('overlaps', () => overlaps(model, workbench));
      const trained = mean(found.trained.map((share, i) => share / (found.chance[i] ?? Number.NaN)));
      const untrained = mean(found.untrained.map((share, i) => share / (found.chance[i] ?? Number.NaN)));
      const distance = mean(found.distance.map((share, i) => share / (found.chance[i] ?? Number.NaN)));
      const draws = Array.from({ length: untrainedDraws }, (_, draw) =>
        mean(found.byDraw.map((shares, i) => (shares[draw] ?? Number.NaN) / (found.chance[i] ?? Number.NaN))),
      );
      const { made } = namedPredictor('bundled');
      return {
        measured: {
          layers: found.layers,
          ofChance: trained,
          untrainedOfChance: untrained,
          boundaries: found.boundaries,
        },
        holds: trained >= 1.5 && Math.abs(untrained - 1) <= 0.2,
        note: `Made by ${made}. Untrained are ${untrainedDraws} draws of PyTorch's initial numbers; by draw, over layers, they have ${Math.min(...draws).toFixed(2)} to ${Math.max(...draws).toFixed(2)} times the overlap of chance: a function by chance is no choice by chance. The distance between the mean keys of both sides, which takes no training, has ${distance.toFixed(1)} times that of chance`,
      };
    },
  },
  {
    id: '5a',
    claimed:
      'L = 4K, budget L / 8, local and global 64: dense mass held ≥ that of 64-token mean-pooled blocks + 3 points, and ≥ equal chunks of the same count − 1 point',
    async run(workbench) {
      const model = await workbench.model();
      const { n, rows } = await workbench.once('mass', () => masses(model, workbench));
      const average = (way: Way) => mean(rows.map((row) => row.mass[way]));
      const mass = Object.fromEntries(ways.map((way) => [way, average(way)]));
      const chunks = Object.fromEntries(rows.map(({ layer, chunks }) => [`layer ${layer}`, chunks]));
      const labelsHelp = average('label') > average('equal');
      return {
        measured: { n, ...mass, chunks, layers: rows.map(({ layer, mass }) => ({ layer, ...mass })) },
        holds: average('predicted') >= average('blocks') + 0.03 && average('predicted') >= average('equal') - 0.01,
        note: `Means over heads, rows of some blocks of 128 queries, and layers, each cut by its own keys${
          workbench.scale === 'quick' ? '; 2,048 tokens and four layers' : ''
        }. Cut where the label maker itself would, from the dense map, chunks hold ${
          labelsHelp ? 'more' : 'no more'
        } than equal ones of about the same number, and chunks of single tokens hold ${(100 * average('tokens')).toFixed(0)} %. With plain means predicted chunks hold ${
          average('plainMeans') > average('predicted') ? 'more' : 'no more'
        }. At a threshold of 1.1 the predictor, whose focal loss keeps logits small, cuts so little that the mass is ${(100 * average('threshold11')).toFixed(0)} %; hence 0 by default, which was chosen on this text`,
      };
    },
  },
  {
    id: '5b',
    claimed: 'L = 4K, budget L / 8, local and global 64: loss ≤ dense + 0.10 nat',
    async run(workbench) {
      const model = await workbench.model();
      const found = await workbench.once('loss', () => lossGaps(model, workbench));
      return {
        measured: found,
        holds: found.predicted - found.dense <= 0.1,
        note: `mean over the last three quarters of 4,096 tokens of a book; the last 64 read everything. With equal chunks ${above(found.equal, found.dense)}, with predicted ones and plain means ${above(found.plainMeans, found.dense)}, with those that the first layer predicts for all ${above(found.shared, found.dense)}`,
      };
    },
  },
  {
    id: '5c',
    claimed:
      'Needle gain (log-probability of the answer with less without it) ≥ 70 % of dense; a sliding window ≤ 15 %',
    async run(workbench) {
      const model = await workbench.model();
      const { length, dense, predicted, window, equal, plainMeans } = await workbench.once('needles', () =>
        needleGains(model, workbench),
      );
      const [ofDense, ofWindow] = [predicted / dense, window / dense];
      return {
        measured: { length, dense, predicted, window, equal, plainMeans, ofDense, ofWindow },
        holds: ofDense >= 0.7 && ofWindow <= 0.15,
        note: 'budget L / 8, local and global 64; nats of the whole answer; the question is part of the prompt’s last 64 tokens, which read everything, so that the gain is what the sparse rows let through. Also measured: equal chunks, and predicted ones with plain means',
      };
    },
  },
  {
    id: '6',
    claimed: 'Pairs scored to choose keys: (L / b) · N_c a layer in place of L² / 2, at b = 128 at least 8 times fewer',
    async run(workbench) {
      const model = await workbench.model();
      const [n, block, chunk] = [1536, 128, 16];
      const attend = dhsa.with({ cut: 'equal', budget: 256, local: 64, global: 64, block, chunk, instruction: 0 });
      return inSession(model, { attend }, async (session) => {
        await session.prefill({ ids: words(model, n) });
        const { choosing, pairs } = session.reads;
        const layers = model.arch.layers.length;
        const perLayer = choosing / layers;
        const bound = (n / block) * (n / chunk);
        return {
          measured: {
            n,
            block,
            perLayer,
            bound,
            ofTokenPairs: (n * n) / 2 / perLayer,
            attendedPairs: pairs / (layers * model.arch.heads),
          },
          holds: perLayer <= bound && perLayer > 0 && (n * n) / 2 / perLayer >= 8,
          note: 'chunks ahead of a block are not scored, and blocks that may read all of their budget score none, so that about half of the bound is counted; it is a chunk for a block, not a key for a query, hence far more than 8 times fewer',
        };
      });
    },
  },
];

/** Networks that are compared with the trained one. */
const untrainedDraws = 8;

function above(loss: number, dense: number): string {
  return `${(loss - dense).toFixed(3)} nat above dense`;
}

function hiddenOf(model: Model, options: OpenOptions, ids: Int32Array): Promise<readonly Float32Array[]> {
  return inSession(model, { precision: 'float32', ...options }, (session) => session.hiddenStates({ ids }));
}

function lossesBehind(model: Model, options: OpenOptions, text: Int32Array, prompt: number): Promise<Float64Array> {
  return inSession(model, options, async (session) => {
    const [losses] = await session.scoreContinuations({ ids: text.slice(0, prompt) }, [text.slice(prompt)]);
    return losses ?? new Float64Array();
  });
}

async function overlaps(model: Model, workbench: Workbench) {
  const n = 1024;
  const { shape, parameters } = namedPredictor('bundled');
  const multiply = deviceMultiply((await hostOf(model)).device);
  const step = workbench.scale === 'quick' ? 6 : 1;
  const layers = Array.from(model.arch.layers.keys()).filter((layer) => layer % step === step - 1);
  const found = {
    layers,
    trained: [] as number[],
    untrained: [] as number[],
    chance: [] as number[],
    distance: [] as number[],
    byDraw: [] as number[][],
    boundaries: 0,
  };
  const passages = workbench.scale === 'quick' ? 1 : 4;
  for (let i = 0; i < passages; i++) {
    const examples = await gapExamples(model, words(model, n, 20_000 + 9000 * i), layers, { w: shape.w });
    for (const [k, one] of examples.entries()) {
      workbench.progress('overlap by layer', (i + k / examples.length) / passages);
      const top = Math.floor(n / 16);
      found.chance.push(top / one.gaps.length);
      found.trained.push(topOverlap(await logitsOf(shape, parameters, one, multiply), one.ratios, top));
      found.distance.push(topOverlap(distancesOf(one, shape), one.ratios, top));
      const draws: number[] = [];
      for (let draw = 0; draw < untrainedDraws; draw++) {
        const random = new Random(`dhsa untrained ${draw}`);
        const initial = initialParameters(shape, () => random.real());
        draws.push(topOverlap(await logitsOf(shape, initial, one, multiply), one.ratios, top));
      }
      found.untrained.push(mean(draws));
      found.byDraw.push(draws);
      found.boundaries += mean([...one.labels]) / (examples.length * passages);
    }
  }
  return found;
}

/** Distances between the mean keys of both sides of gaps. */
function distancesOf({ gaps, windows }: GapExamples, { c, w }: { readonly c: number; readonly w: number }): number[] {
  return Array.from(gaps, (_, i) => {
    let square = 0;
    for (let k = 0; k < c; k++) {
      let difference = 0;
      for (let t = 0; t < 2 * w; t++) difference += (t < w ? 1 : -1) * (windows[(i * 2 * w + t) * c + k] ?? 0);
      square += difference ** 2;
    }
    return Math.sqrt(square);
  });
}
