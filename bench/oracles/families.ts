/**
 * Records what llama.cpp computes for the tiny models of packages/engine/families/testing: log-probabilities of every
 * fourth token at two places of a prompt, with a float32 cache and without flash attention.
 *
 *     node bench/oracles/families.ts
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  floatCases,
  judgedOf,
  judgedPositions,
  promptOf,
  quantisedCases,
  type TinyCase,
} from '../../packages/engine/families/testing/tiny-cases.ts';
import { tinyModel } from '../../packages/engine/families/testing/tiny-model.ts';
import { installPeer, openPeer, type Peer, peerVersion } from '../peer.ts';

async function judge(peer: Peer, folder: string, one: TinyCase): Promise<string> {
  const bytes = await tinyModel(one.model);
  const path = join(folder, 'model.gguf');
  await writeFile(path, bytes);
  const model = await peer.loadModel({ modelPath: path, useMmap: false });
  const context = await model.createContext({
    contextSize: 256,
    threads: 1,
    flashAttention: false,
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
  });
  const positions = judgedPositions(one);
  const output = await context
    .getSequence()
    .controlledEvaluate(
      promptOf(one).map((id, i) => (positions.includes(i) ? [id, { generateNext: { logits: true } }] : id)),
    );
  const rows = positions.map((position) => {
    const logits = output[position]?.next.logits;
    if (!logits) throw new Error(`${one.model.name}: no logits at ${position}`);
    const all = Array.from({ length: logits.size }, (_, id) => logits.get(id) ?? Number.NaN);
    return judgedOf(all).map((value) => Number(value.toFixed(5)));
  });
  await context.dispose();
  await model.dispose();
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return JSON.stringify({ name: one.model.name, sha256, rows });
}

installPeer();
const folder = await mkdtemp(join(tmpdir(), 'loci-families-'));
try {
  const peer = await openPeer(1);
  const cases: string[] = [];
  for (const one of [...floatCases, ...quantisedCases]) cases.push(await judge(peer, folder, one));
  const head = JSON.stringify(`node-llama-cpp ${peerVersion()}`);
  await writeFile(
    new URL('../../packages/engine/golden/families.json', import.meta.url),
    `{\n"madeBy": ${head},\n"cases": [\n${cases.join(',\n')}\n]\n}\n`,
  );
} finally {
  await rm(folder, { recursive: true });
}
