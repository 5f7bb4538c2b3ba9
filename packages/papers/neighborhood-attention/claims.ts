import type { Device } from '@loci/device';
import type { Claim } from '@loci/evaluate';
import { type Attend, pages } from 'loci';
import { attentionTimes } from '../attending/attention-time.ts';
import { type AttentionInput, attendDirect, attendMasked, type Reads, randomInput } from '../attending/direct.ts';
import { bookText, largestGap, lastLogits } from '../keeping/logits.ts';
import { onDevice } from '../methods/on-device.ts';
import { parseMethod } from '../registry.ts';
import { neighbourhood, tokensOf, visitedTiles } from './layout.ts';
import type { Axis } from './neighbours.ts';

const input = (name: string, n: number) => randomInput(name, { n, m: n, h: 2, g: 1, d: 32 });
const line = (length: number, window: number, some: Partial<Axis> = {}): Axis => ({
  ...{ length, window, dilation: 1, causal: false },
  ...some,
});

export const claims: readonly Claim[] = [
  {
    id: '1',
    claimed:
      'A window of the whole length is self attention, causal or not; window and stride of a quarter are four blocks, each to 1e-5; a dilation is as many sequences by themselves to 1e-6',
    async run({ model }) {
      const n = 96;
      const one = input('limits', n);
      const measured = await onDevice(await model(), async (device) => {
        const gap = async (axis: Axis, reads: Reads) =>
          largestGap(await attendDirect(device, one, neighbourhood([axis])), attendMasked(one, reads));
        const whole = await attendDirect(device, one, neighbourhood([line(n, 7, { dilation: 3 })]));
        return {
          self: await gap(line(n, n), () => true),
          causal: await gap(line(n, n, { causal: true }), (i, j) => j <= i),
          blocks: await gap(
            line(n, n / 4, { stride: n / 4 }),
            (i, j) => Math.floor((4 * i) / n) === Math.floor((4 * j) / n),
          ),
          dilated: largestGap(whole, await inGroups(device, one, 3, 7)),
        };
      });
      return {
        measured,
        holds: Math.max(measured.self, measured.causal, measured.blocks) <= 1e-5 && measured.dilated <= 1e-6,
      };
    },
  },
  {
    id: '2a',
    claimed:
      'The kernel is the definition to 1e-5 for every mix of 1 to 3 axes, odd and even windows, dilation and causality',
    async run({ model }) {
      const sizes = [[61], [13, 9], [6, 5, 5]] as const;
      let cases = 0;
      let worst = 0;
      await onDevice(await model(), async (device) => {
        for (const lengths of sizes) {
          for (const window of [1, 2, 3]) {
            for (const dilation of lengths.length === 3 ? [1] : [1, 2]) {
              for (let causal = 0; causal < 1 << lengths.length; causal++) {
                const axes = lengths.map((length, a) =>
                  line(length, window, { dilation, causal: ((causal >> a) & 1) === 1 }),
                );
                const one = input(`${lengths} ${window} ${dilation}`, tokensOf(axes));
                const reads = neighbourhood(axes);
                worst = Math.max(worst, largestGap(await attendDirect(device, one, reads), attendMasked(one, reads)));
                cases++;
              }
            }
          }
        }
      });
      return { measured: { cases, largestGap: worst }, holds: cases > 50 && worst <= 1e-5 };
    },
  },
  {
    id: '2b',
    claimed: 'Gradients are those of the definition to 1e-4, and finite differences to 1e-3',
    run: async () => ({
      measured: {},
      holds: false,
      note: 'the kernel has no backward pass: waits for the laboratory',
    }),
  },
  {
    id: '3',
    claimed:
      'A causal window of 512 by positions is the masked path at 2,048 tokens to 1e-3 of logits; windows of 511 and 513 differ by more',
    async run({ model }) {
      const loaded = await model();
      const text = bookText(loaded, 2048);
      const window = (tokens: number): Attend => parseMethod.attend(`neighborhood-attention:window=${tokens}`);
      const logits = (attend: Attend) =>
        lastLogits(loaded, { precision: 'float32', store: pages('f32'), attend }, text, 2047);
      const native = await logits(window(512));
      const masked = await logits(parseMethod.attend('power-attention:block=1,links=window,window=512,sinks=0'));
      const measured = {
        gap: largestGap(native, masked),
        gap511: largestGap(native, await logits(window(511))),
        gap513: largestGap(native, await logits(window(513))),
      };
      return {
        measured,
        holds: measured.gap <= 1e-3 && measured.gap511 > 1e-3 && measured.gap513 > 1e-3,
        note: "SmolLM2 with a window that it was not trained with, since Gemma is not bundled; the same code is Gemma's local layers",
      };
    },
  },
  {
    id: '4',
    claimed:
      'Tiles of 32 visit the published numbers of tiles; at 4,096 tokens a window of 128 takes ≤ 0.25 of dense attention',
    async run({ signal, progress }) {
      const visited = [
        visitedTiles(line(1024, 64), 32),
        visitedTiles(line(1024, 128), 32),
        visitedTiles(line(2048, 256), 32),
      ];
      progress('timing attention over 4,096 tokens');
      const [dense, near] = await attentionTimes(
        [parseMethod.attend('dense'), parseMethod.attend('neighborhood-attention:window=128')],
        4096,
        { signal },
      );
      const time = (near?.attendMs ?? Number.NaN) / (dense?.attendMs ?? Number.NaN);
      return {
        measured: { visited, denseMs: dense?.attendMs ?? Number.NaN, windowMs: near?.attendMs ?? Number.NaN, time },
        holds: visited.join(' ') === '94 156 568' && time <= 0.25,
        note: 'milliseconds of all layers for the last 512 tokens; the kernel keeps a running softmax and no weights, so that its memory does not depend on the window',
      };
    },
  },
  {
    id: '5',
    claimed:
      'Four layers of a window of 5 over 60 tokens: a token in the middle depends on 8 to either side and no further, with dilations 1, 3, 1, 3 on 16, and the first token on 10',
    async run({ model }) {
      const measured = await onDevice(await model(), async (device) => {
        const plain = [1, 1, 1, 1].map((dilation) => line(60, 5, { dilation }));
        const mixed = [1, 3, 1, 3].map((dilation) => line(60, 5, { dilation }));
        return {
          middle: await reachOf(device, plain, 30),
          dilated: await reachOf(device, mixed, 30),
          first: await reachOf(device, plain, 0),
        };
      });
      return {
        measured,
        holds:
          measured.middle.join(' ') === '22 38' && measured.dilated.join(' ') === '14 46' && measured.first[1] === 10,
        note: 'first and last token whose change shows in any bit, in place of gradients; residual layers with random inputs',
      };
    },
  },
  {
    id: '6',
    claimed: 'Trained, glyphs are told ≥ 95 % with neighbourhoods; dots apart only with dilation or dense attention',
    run: async () => ({ measured: {}, holds: false, note: 'needs a trained model: waits for the laboratory' }),
  },
];

/** Attention within each of `dilation` groups as a sequence by itself. */
async function inGroups(device: Device, one: AttentionInput, dilation: number, window: number): Promise<Float32Array> {
  const { n, h, g, d } = one;
  const out = new Float32Array(n * h * d);
  for (let group = 0; group < dilation; group++) {
    const tokens = Array.from({ length: n }, (_, i) => i).filter((i) => i % dilation === group);
    const rows = (of: Float32Array, width: number) =>
      Float32Array.from(tokens.flatMap((token) => [...of.subarray(token * width, (token + 1) * width)]));
    const part = { ...one, n: tokens.length, m: tokens.length };
    const result = await attendDirect(
      device,
      { ...part, queries: rows(one.queries, h * d), keys: rows(one.keys, g * d), values: rows(one.values, g * d) },
      neighbourhood([line(tokens.length, window)]),
    );
    for (const [i, token] of tokens.entries()) out.set(result.subarray(i * h * d, (i + 1) * h * d), token * h * d);
  }
  return out;
}

/** The first and the last token that the output at `token` depends on, through layers x + attention(x, x, x). */
async function reachOf(device: Device, layers: readonly Axis[], token: number): Promise<readonly [number, number]> {
  const n = layers[0]?.length ?? 0;
  // Small, so that no weight of the softmax is lost.
  const [d, start] = [
    16,
    input('reach', n)
      .queries.slice(0, n * 16)
      .map((value) => value / 8),
  ];
  const outputOf = async (x: Float32Array) => {
    let rows = x;
    for (const axis of layers) {
      const own = { n, m: n, h: 1, g: 1, d, queries: rows, keys: rows, values: rows };
      const mixed = await attendDirect(device, own, neighbourhood([axis]));
      rows = rows.map((value, i) => value + (mixed[i] ?? 0));
    }
    return rows.subarray(token * d, (token + 1) * d);
  };
  const was = await outputOf(start);
  const seen: number[] = [];
  for (let at = 0; at < n; at++) {
    const changed = start.slice();
    for (let c = 0; c < d; c++) changed[at * d + c] = -(changed[at * d + c] ?? 0);
    const is = await outputOf(changed);
    if (was.some((value, c) => value !== is[c])) seen.push(at);
  }
  return [seen[0] ?? -1, seen.at(-1) ?? -1];
}
