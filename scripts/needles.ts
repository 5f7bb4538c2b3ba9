// Item 4 of measure.ts: a number hidden in a long text, in the protocol of RULER's single needles.
import { needle, recall, type TaskCase } from '@loci/evaluate';
import type { Model, Session } from 'loci';
import type { Finding } from './finding.ts';

const haystacks = ['moby-dick', 'state-of-the-union-1904'] as const;
const lengths = [512, 1024, 2048, 4096, 7500];
/** Cases of each text and length, which share the depths out evenly. */
const cases = 8;

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

/** Single needles, greedy. What 8-bit activations miss is asked again in float32, to tell the model's misses from ours. */
export async function needles(id: string, model: Model, say: (text: string) => void): Promise<Finding> {
  const session = await model.open();
  const ask = async ({ context, question, maxTokens }: TaskCase, where: Session) => {
    const ids = [...context, ...question];
    return (await where.complete({ ids }, { maxTokens })).text;
  };
  const measured: Record<string, readonly number[]> = {};
  const misses: Miss[] = [];
  for (const haystack of haystacks) {
    const found: number[] = [];
    for (const length of lengths) {
      const before = misses.length;
      for (let number = 0; number < cases; number++) {
        const depth = (number + 0.5) / cases;
        const asked = needle(model, { length, haystack, depth }, number);
        const answer = asked.accepted.join();
        const int8 = await ask(asked, session);
        if (recall(int8, asked.accepted) === 1) continue;
        say(`  missed ${answer}: ${JSON.stringify(int8)}; once more in float32 …`);
        const exact = await model.open({ precision: 'float32' });
        const float32 = await ask(asked, exact);
        exact.close();
        const foundInFloat32 = recall(float32, asked.accepted) === 1;
        misses.push({ haystack, length, depth, answer, int8, float32, foundInFloat32 });
        say(`  float32: ${JSON.stringify(float32)}`);
      }
      found.push(cases - (misses.length - before));
      say(`  ${haystack}, ${length} tokens: ${found.at(-1)} of ${cases}`);
    }
    measured[haystack] = found;
  }
  session.close();
  return {
    id,
    claimed: `single-needle questions at ${lengths.join(', ')} tokens: ${cases} of ${cases} each, greedy`,
    measured,
    holds: misses.length === 0,
    note: noteOn(misses, haystacks.length * lengths.length * cases),
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
