import { isPeerStore, openPeer, type PeerModel, type PeerStore } from '../peer.ts';
import { type Sampling, serve } from '../protocol.ts';

let model: PeerModel;
let threadCount: number;
let cache: PeerStore;
let drawing: Sampling | undefined;

serve({
  async load({ file, threads, store, sampling }) {
    if (!isPeerStore(store)) throw new Error(`the peer has no cache in "${store}"`);
    [threadCount, cache, drawing] = [threads, store, sampling];
    model = await (await openPeer(threads)).loadModel({ modelPath: file });
  },
  async open(tokens) {
    const context = await model.createContext({
      contextSize: tokens,
      threads: threadCount,
      flashAttention: true,
      experimentalKvCacheKeyType: cache,
      experimentalKvCacheValueType: cache,
    });
    return {
      generate: (ids) => context.getSequence().evaluate(ids, { yieldEogToken: true, ...drawing }),
      close: () => context.dispose(),
    };
  },
});
