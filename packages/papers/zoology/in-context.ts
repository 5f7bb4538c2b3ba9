import { Random } from '@loci/evaluate';
import type { Model } from 'loci';

export interface InContextCase {
  /** The pairs, listed twice, and a passage behind them. */
  readonly context: Int32Array;
  /** A line's beginning: the key that is asked about. */
  readonly question: Int32Array;
  readonly answer: number;
}

const words =
  'apple river stone tiger cloud chair bread glass horse paper light music table water green house north queen ' +
  'sugar train winter garden silver window bridge castle doctor engine forest island market orange planet school ' +
  'summer village wonder yellow circle dragon farmer flower guitar hammer jacket kitchen ladder letter mirror mountain';

const passage =
  'It was late in the day, and nobody was in a hurry. People talked about the weather and about the road, and then about ' +
  'nothing at all. After a while they went home, one by one, and the street was quiet again.\n';

/** MQAR in words: keys and values of one token each, every pair twice, then some text and one of the keys. */
export function inContextCase(model: Pick<Model, 'tokenizer'>, pairs: number, number: number): InContextCase {
  const random = new Random(`mqar in context ${pairs} ${number}`);
  const encode = (text: string) => [...model.tokenizer.encode(text, { special: 'text' })];
  const single = words.split(' ').filter((word) => encode(` ${word}`).length === 1);
  const chosen = random.shuffled(single);
  const [keys, values] = [chosen.slice(0, pairs), chosen.slice(pairs, 2 * pairs)];
  const lines = keys.map((key, i) => ` ${key}: ${values[i] ?? ''}\n`);
  const asked = random.integer(0, pairs - 1);
  return {
    context: Int32Array.from(encode([...lines, ...random.shuffled(lines), passage].join(''))),
    question: Int32Array.from(encode(` ${keys[asked] ?? ''}:`)),
    answer: encode(` ${values[asked] ?? ''}`)[0] ?? -1,
  };
}

/** Whether the model's first choice behind the question is the answer, when the context was read and cut down first. */
export async function recalls(model: Model, one: InContextCase, keep: Parameters<Model['open']>[0]): Promise<boolean> {
  const session = await model.open(keep);
  try {
    await session.prefill({ ids: one.context });
    const { logits } = await session.prefill({ ids: [...one.context, ...one.question] });
    let best = 0;
    for (let i = 1; i < logits.length; i++) if ((logits[i] ?? 0) > (logits[best] ?? 0)) best = i;
    return best === one.answer;
  } finally {
    session.close();
  }
}
