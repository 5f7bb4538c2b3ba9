// Item 4 of measure.ts: a number hidden in a long text, in the protocol of RULER's single needles.
import { readFileSync } from 'node:fs';
import type { Model, Session } from 'loci';
import type { Finding } from './finding.ts';

const haystacks = ['moby-dick', 'state-of-the-union-1904'];
const lengths = [512, 1024, 2048, 4096, 7500];
const things = ['river', 'lantern', 'orchard', 'violin', 'harbor', 'compass', 'meadow', 'anvil'];
const answerTokens = 20;

export interface Question {
  readonly prompt: string;
  readonly answer: string;
}

/** Where a question hides its needle, and what the model said; kept for every miss. */
interface Miss {
  readonly haystack: string;
  readonly length: number;
  /** Share of the text that stands before the needle. */
  readonly depth: number;
  readonly answer: string;
  readonly int8: string;
  readonly float32: string;
  readonly foundInFloat32: boolean;
}

/** The sentences of a text without its line breaks, which say how wide a page was and not where a thought ends. */
export function sentences(text: string): readonly string[] {
  const found: string[] = [];
  let open = '';
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text.replace(/\s+/g, ' '))) {
    open += segment;
    // An abbreviation ends no sentence.
    if (/\b(Mr|Mrs|Messrs|Dr|St|Capt|No|Gen|Hon|[A-Z])\.\s*$/.test(open)) continue;
    found.push(open.trim());
    open = '';
  }
  if (open.trim() !== '') found.push(open.trim());
  return found;
}

/** The sentences as one text, with a needle between two of them. */
export function plant(haystack: readonly string[], needle: string, depth: number): string {
  const at = Math.floor(haystack.length * depth);
  return [...haystack.slice(0, at), needle, ...haystack.slice(at)].join(' ');
}

/**
 * A prompt of at most `tokens` tokens, as long as whole sentences make it, that asks for a number planted at a relative
 * depth: Hsieh et al. 2024, "RULER", single needle with words as keys and numbers as values, whose template also begins
 * the answer. RULER draws depths by chance; here the cases of a length share them out evenly.
 */
export function question(model: Model, text: readonly string[], tokens: number, which: number): Question {
  const thing = things[which] ?? '';
  const answer = String(1_000_000 + ((which * 7_919_317 + tokens * 104_729) % 9_000_000));
  const needle = `One of the special magic numbers for ${thing} is: ${answer}.`;
  const count = (part: string) => model.tokenizer.encode(part, { special: 'parse' }).length;
  const asked = (context: string) => {
    const content = [
      'A special magic number is hidden within the following text. Make sure to memorize it. ' +
        'I will quiz you about the number afterwards.',
      context,
      `What is the special magic number for ${thing} mentioned in the provided text?`,
    ].join('\n');
    return `${model.render([{ role: 'user', content }])}The special magic number for ${thing} mentioned in the provided text is`;
  };
  // The cases begin at different places of the text.
  const start = Math.floor((text.length * which) / things.length);
  const haystack: string[] = [];
  for (let room = tokens - answerTokens - count(asked(needle)); ; ) {
    const next = text[(start + haystack.length) % text.length] ?? '';
    room -= count(` ${next}`);
    if (room < 0) break;
    haystack.push(next);
  }
  return { prompt: asked(plant(haystack, needle, depthOf(which))), answer };
}

function depthOf(which: number): number {
  return (which + 0.5) / things.length;
}

/** Single needles, greedy. What 8-bit activations miss is asked again in float32, to tell the model's misses from ours. */
export async function needles(id: string, model: Model, say: (text: string) => void): Promise<Finding> {
  const session = await model.open();
  const ask = async ({ prompt }: Question, where: Session) => {
    const ids = model.tokenizer.encode(prompt, { special: 'parse' });
    return (await where.complete({ ids }, { maxTokens: answerTokens })).text;
  };
  const measured: Record<string, readonly number[]> = {};
  const misses: Miss[] = [];
  for (const name of haystacks) {
    const text = sentences(readFileSync(new URL(`../data/${name}.txt`, import.meta.url), 'utf8'));
    const found: number[] = [];
    for (const length of lengths) {
      const before = misses.length;
      for (const which of things.keys()) {
        const asked = question(model, text, length, which);
        const int8 = await ask(asked, session);
        if (int8.includes(asked.answer)) continue;
        say(`  missed ${asked.answer}: ${JSON.stringify(int8)}; once more in float32 …`);
        const exact = await model.open({ precision: 'float32' });
        const float32 = await ask(asked, exact);
        exact.close();
        const foundInFloat32 = float32.includes(asked.answer);
        misses.push({
          ...{ haystack: name, length, depth: depthOf(which), answer: asked.answer },
          ...{ int8, float32, foundInFloat32 },
        });
        say(`  float32: ${JSON.stringify(float32)}`);
      }
      found.push(things.length - (misses.length - before));
      say(`  ${name}, ${length} tokens: ${found.at(-1)} of ${things.length}`);
    }
    measured[name] = found;
  }
  session.close();
  return {
    id,
    claimed: `single-needle questions at ${lengths.join(', ')} tokens: ${things.length} of ${things.length} each, greedy`,
    measured,
    holds: misses.length === 0,
    note: noteOn(misses, haystacks.length * lengths.length * things.length),
    cases: misses,
  };
}

/** The misses in words: those that float32 finds were lost by rounding, the others are the model's own. */
export function noteOn(misses: readonly Pick<Miss, 'foundInFloat32'>[], asked: number): string {
  if (misses.length === 0) return `none of ${asked} missed`;
  const found = misses.filter(({ foundInFloat32 }) => foundInFloat32).length;
  const again = `with float32 activations and cache the model finds ${found} of them`;
  return `${misses.length} of ${asked} missed; asked again ${again}`;
}
