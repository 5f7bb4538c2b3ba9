import { adaSnapKv } from './ada-snapkv.ts';
import { expectedAttention } from './expected-attention.ts';
import { h2o } from './h2o.ts';
import { knorm } from './knorm.ts';
import { pyramidKv } from './pyramidkv.ts';
import { random } from './random.ts';
import { streamingLlm } from './streaming-llm.ts';
import { tova } from './tova.ts';

export { adaSnapKv, expectedAttention, h2o, knorm, pyramidKv, random, streamingLlm, tova };

/** The methods that every comparison needs. */
export const baselines = [streamingLlm, h2o, tova, knorm, pyramidKv, adaSnapKv, expectedAttention, random] as const;
