import { openPeer, type PeerModel } from '../peer.ts';
import { serve } from '../protocol.ts';

let model: PeerModel;
let threadCount: number;

serve({
  async load(path, threads) {
    threadCount = threads;
    model = await (await openPeer(threads)).loadModel({ modelPath: path });
  },
  async open(tokens) {
    const context = await model.createContext({
      contextSize: tokens,
      threads: threadCount,
      flashAttention: true,
      experimentalKvCacheKeyType: 'F16',
      experimentalKvCacheValueType: 'F16',
    });
    return {
      generate: (ids) => context.getSequence().evaluate(ids, { yieldEogToken: true }),
      close: () => context.dispose(),
    };
  },
});
