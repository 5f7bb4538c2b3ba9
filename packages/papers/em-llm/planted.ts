import { haystackOf, keyValue, mean, passkey, Random, type TaskCase, type Workbench } from '@loci/evaluate';
import type { Model, OpenOptions, Session } from 'loci';
import { inSession } from '../methods/in-session.ts';
import { parseMethod } from '../registry.ts';
import { memoryOf } from './memory.ts';

/** As `open` takes it by default. */
export function asByDefault(em: string): OpenOptions {
  return { remember: parseMethod.remember(`em-llm:${em}`) };
}

/** As in the paper: every layer looks up for itself, by means of keys, for all rows. */
export function asInPaper(em: string, others: OpenOptions = {}): OpenOptions {
  const ours = ['lookup=each,stands=mean,tokens=4,question=once,hold=1', /\bmem=/.test(em) ? '' : 'mem=512', em];
  return { ...others, remember: parseMethod.remember(`em-llm:${ours.filter(Boolean).join()}`) };
}

/** Whether each layer brings back what was planted, and the losses of the answer with it, and with others. */
export async function recallOf(workbench: Workbench, number: number) {
  const model = await workbench.model();
  const one = plantedCase(workbench, model, number);
  const prompt = { ids: [...one.context, ...one.question] };
  const needles = one.spans.filter(({ kind }) => kind === 'needle');
  const loss = (how: OpenOptions, look: (session: Session) => void = () => {}) =>
    inSession(model, how, async (session) => {
      await session.prefill({ ids: one.context }, { signal: workbench.signal });
      await session.prefill(prompt);
      look(session);
      const [losses = new Float64Array()] = await session.scoreContinuations(prompt, [one.answer]);
      return mean([...losses]);
    });
  let layers: number[] = [];
  let share = 0;
  const memory = await loss(asInPaper(''), (session) => {
    const { recalled, closed } = memoryOf(session);
    const found = recalled.map(({ similar, neighbours }) => [...similar, ...neighbours]);
    layers = found.map((events) =>
      events.some(({ start, end }) => needles.some((needle) => needle.start < end && needle.end > start)) ? 1 : 0,
    );
    const tokens = found.map((events) => events.reduce((sum, { start, end }) => sum + end - start, 0));
    share = mean(tokens) / closed;
  });
  return {
    case: one.id,
    back: prompt.ids.length - (needles[0]?.start ?? 0),
    ...{ layers, share, memory },
    dense: await loss({}),
    window: await loss(asInPaper('mem=0')),
    random: await loss(asInPaper('choose=random')),
  };
}

function plantedCase({ scale }: Workbench, model: Model, number: number): TaskCase {
  const length = scale === 'full' ? 6500 : 3400;
  const depth: readonly [number, number] = scale === 'full' ? [0.1, 0.5] : [0.02, 0.1];
  return number % 2 === 0 ? passkey(model, { length, depth }, number) : keyValue(model, { length, depth }, number);
}

const people = ['keeper', 'captain', 'gardener', 'organist', 'baker', 'surgeon', 'painter', 'miller'] as const;
const places = ['lighthouse', 'harbour', 'abbey', 'castle', 'mill', 'island', 'village', 'bridge'] as const;

/** A statement whose cue ends one event and whose answer is in the next: the loss with neighbours and without. */
export async function contiguityOf(workbench: Workbench, number: number, settings: (em: string) => OpenOptions) {
  const model = await workbench.model();
  const random = new Random(`em-llm contiguity ${number}`);
  const who = `${random.pick(people)} of the ${random.pick(places)}`;
  const value = String(random.integer(1_000_000, 9_999_999));
  const planted = `The password of the ${who} was written upon the wall in white chalk. There it read ${value}.`;
  const { sentences } = haystackOf('moby-dick');
  const start = random.integer(0, sentences.length - 200);
  const words = (from: number, characters: number) => {
    let text = '';
    for (let at = from; text.length < characters; at++) text += `${sentences[at % sentences.length] ?? ''} `;
    return text;
  };
  const content = `${words(start, 900)}${planted} ${words(start + 100, 1700)}\nWhat was the password of the ${who}?`;
  const text = `${model.render([{ role: 'user', content }])}The password of the ${who} was`;
  const prompt = { ids: model.tokenizer.encode(text, { special: 'parse' }) };
  const answer = model.tokenizer.encode(` ${value}`, { special: 'text' });
  const tokensBefore = (part: string) =>
    model.tokenizer.encode(text.slice(0, text.indexOf(part)), { special: 'parse' }).length;
  const [cue, told] = [tokensBefore(who), tokensBefore(value)];
  let apart = Number.NaN;
  const loss = (contiguity: number) =>
    inSession(model, settings(`local=128,mem=96,chunk=64,max=16,contiguity=${contiguity}`), async (session) => {
      const { signal } = workbench;
      const [losses = new Float64Array()] = await session.scoreContinuations(prompt, [answer], { signal });
      const { events } = memoryOf(session);
      const eventOf = (token: number) => events.findIndex(({ start, end }) => start <= token && token < end);
      apart = eventOf(told) - eventOf(cue);
      return mean([...losses]);
    });
  return { with: await loss(0.3), without: await loss(0), apart };
}
