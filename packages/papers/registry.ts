import {
  type Attend,
  dense,
  type Keep,
  LociError,
  type Method,
  type OpenOptions,
  type Probe,
  pages,
  type Remember,
  type Steer,
  type Store,
} from 'loci';
import { baselines } from './baselines/index.ts';
import { quest } from './baselines/quest.ts';
import { verticalSlash } from './baselines/vertical-slash.ts';
import { windowAttention } from './baselines/window.ts';
import { dhsa } from './dhsa/attend.ts';
import { duoAttention } from './duo-attention/keep.ts';
import { emLlm } from './em-llm/remember.ts';
import type { HeadProbe } from './heads/head-probe.ts';
import { hipAttention } from './hip-attention/attend.ts';
import { maskHeads } from './masking/mask-heads.ts';
import type { MethodFactory } from './methods/define.ts';
import { neighborhoodAttention } from './neighborhood-attention/attend.ts';
import { powerAttention } from './power-attention/attend.ts';
import { kv4 } from './qserve/store.ts';
import { razorAttention } from './razor-attention/keep.ts';
import { induction, inductionHeads } from './razor-attention/probe.ts';
import { retrievalAttention } from './retrieval-attention/attend.ts';
import { retrievalScores } from './retrieval-head/head-probe.ts';
import { retrievalHead } from './retrieval-head/probe.ts';
import { s2Attention } from './s2-attention/attend.ts';
import { s2Keep } from './s2-attention/keep.ts';
import { snapkv } from './snapkv/keep.ts';

/** The methods of every axis, by name. */
const attend: readonly MethodFactory<Attend>[] = [
  windowAttention,
  powerAttention,
  s2Attention,
  neighborhoodAttention,
  hipAttention,
  retrievalAttention,
  dhsa,
  quest,
  verticalSlash,
];
const keep: readonly MethodFactory<Keep>[] = [snapkv, razorAttention, duoAttention, s2Keep, ...baselines];
const store: readonly MethodFactory<Store>[] = [kv4];
const remember: readonly MethodFactory<Remember>[] = [emLlm];
const steer: readonly MethodFactory<Steer>[] = [maskHeads];
const probe: readonly MethodFactory<Probe>[] = [retrievalHead, induction];

/** Ways to score the heads of a model. */
export const headProbes: readonly HeadProbe[] = [retrievalScores, inductionHeads];

export const methods = { attend, keep, store, remember, steer, probe } as const;

/** Methods that come with the engine, which have no options. */
const plain = {
  attend: [dense],
  store: (['f16', 'q8', 'q4', 'f32'] as const).map(pages),
} as const;

/** A method as a command line writes it: `name` or `name:option=value,…`. @throws LociError `bad-option` */
export const parseMethod = {
  attend: (text: string): Attend => parse('attend', attend, text, plain.attend),
  /** `all` keeps everything. */
  keep: (text: string): Keep | undefined => (text === 'all' ? undefined : parse('keep', keep, text, [], ['all'])),
  store: (text: string): Store => parse('store', store, text, plain.store),
  remember: (text: string): Remember => parse('remember', remember, text),
  steer: (text: string): Steer => parse('steer', steer, text),
  probe: (text: string): Probe => parse('probe', probe, text),
} as const;

/** Several axes at once, as comparisons write them: `keep=snapkv:budget=512,window=16,store=q4`; `dense` is none of them. */
export function parseMethods(text: string): OpenOptions {
  if (text === 'dense') return {};
  const given = new Map<Axis, string[]>();
  let last: string[] | undefined;
  for (const part of text.split(',')) {
    const axis = axes.find((name) => part.startsWith(`${name}=`));
    if (axis) {
      last = [...(given.get(axis) ?? []), part.slice(axis.length + 1)];
      if (last.length > 1 && axis !== 'steer')
        throw new LociError('bad-option', `"${text}" names two methods for ${axis}`);
      given.set(axis, last);
    } else if (last) last.push(`${last.pop() ?? ''},${part}`);
    else throw new LociError('bad-option', `"${text}": "${part}" is not axis=method; axes are ${axes.join(', ')}`);
  }
  const [attended, kept, stored, remembered] = (['attend', 'keep', 'store', 'remember'] as const).map(
    (axis) => given.get(axis)?.[0],
  );
  const keeps = kept === undefined ? undefined : parseMethod.keep(kept);
  return {
    ...(attended !== undefined && { attend: parseMethod.attend(attended) }),
    ...(keeps && { keep: keeps }),
    ...(stored !== undefined && { store: parseMethod.store(stored) }),
    ...(remembered !== undefined && { remember: parseMethod.remember(remembered) }),
    steer: (given.get('steer') ?? []).map(parseMethod.steer),
  };
}

const axes = ['attend', 'keep', 'store', 'remember', 'steer'] as const;
type Axis = (typeof axes)[number];

function parse<M extends Method>(
  axis: M['axis'],
  known: readonly MethodFactory<M>[],
  text: string,
  plainOnes: readonly M[] = [],
  others: readonly string[] = [],
): M {
  const at = text.indexOf(':');
  const name = at < 0 ? text : text.slice(0, at);
  const found = known.find((factory) => factory.name === name);
  if (found) return found.parse(at < 0 ? '' : text.slice(at + 1));
  const simple = plainOnes.find((method) => method.name === name);
  if (simple && at >= 0) throw new LociError('bad-option', `--${axis} is "${text}"; ${name} takes no options`);
  if (simple) return simple;
  const names = [...others, ...plainOnes, ...known].map((one) => (typeof one === 'string' ? one : one.name));
  throw new LociError('bad-option', `--${axis} is "${text}"; known methods: ${names.join(', ')}`);
}
