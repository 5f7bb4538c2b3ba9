import { Random } from '@loci/evaluate';

/** A statement that no book has, and the question for it. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  readonly text: string;
  readonly question: string;
  /** How an answer begins, up to the value. */
  readonly opening: string;
}

/** Things that a novel may well speak of, with no two words in common but the smallest. */
const things: readonly string[] = [
  'door code of the lighthouse',
  'catalogue number of the silver flute',
  'telephone number of the bakery',
  'weight in grams of the Siberian meteorite',
  'balance of the violinist at the Lisbon bank',
  'registration of the yellow airship',
  'ticket that won the orphanage lottery',
  'distance in yards to the frozen waterfall',
  'serial of the stolen typewriter',
  'population of the island of penguins',
  'combination for the vault under the theatre',
  'library card of the beekeeper',
  'height in inches of the bronze elephant',
  'membership of the chess champion',
  'price in roubles of the emerald crown',
  'licence plate of the circus wagon',
  'locker that holds the submarine maps',
  'tally of bricks in the observatory tower',
  'passport of the Peruvian botanist',
  'page where the alchemist wrote his recipe',
];

/** So many facts, in an order by chance. */
export function drawFacts(seed: string, count: number): readonly Fact[] {
  const random = new Random(seed);
  return random
    .shuffled(things)
    .slice(0, count)
    .map((thing) => {
      const value = String(random.integer(1_000_000, 9_999_999));
      return {
        ...{ name: thing, value },
        text: `The ${thing} is ${value}.`,
        question: `What is the ${thing}?`,
        opening: `The ${thing} is`,
      };
    });
}

export const instruction =
  'Read the following book, and remember the numbers in it. I will ask you about them afterwards.\n\n';

/** The sentences with each fact between two of them, at even depths from the first to the last. */
export function planted(sentences: readonly string[], facts: readonly Fact[]): string {
  const last = Math.max(1, facts.length - 1);
  const at = facts.map((_, i) => Math.round((i * sentences.length) / last));
  const out: string[] = [];
  for (let i = 0; i <= sentences.length; i++) {
    for (const [f, fact] of facts.entries()) if (at[f] === i) out.push(fact.text);
    const sentence = sentences[i];
    if (sentence !== undefined) out.push(sentence);
  }
  return out.join(' ');
}
