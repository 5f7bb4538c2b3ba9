import { LociError } from 'loci';
import { Random } from '../random.ts';
import { haystackOf, passage, plant, startIn } from './haystack.ts';
import { flatten, type Marked, mark } from './marked.ts';
import { filledCase } from './prompt.ts';
import { type CaseOptions, caseId, type Task } from './task.ts';

export interface VariablesOptions extends CaseOptions {
  /** Chains of assignments, of which the first is asked for; 1 by default. */
  readonly chains?: number;
  /** Assignments of one variable to the next; 4 by default. */
  readonly hops?: number;
}

const instruction = 'Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n';

/**
 * Variables that are given the value of others: RULER (Hsieh et al. 2024), variable tracking in noise, with its worked
 * example in front. The names of an answer are put in order of assignment; the opening leaves out RULER's space at its
 * end, which belongs to the first name's token.
 */
export const variables: Task<VariablesOptions> = (model, options, number) => {
  const { chains = 1, hops = 4 } = options;
  for (const [name, value] of Object.entries({ chains, hops })) {
    if (Number.isInteger(value) && value >= 1 && value <= 20) continue;
    throw new LociError('bad-option', `${name} is ${value}; it must be a whole number from 1 to 20`);
  }
  const id = caseId('variables', { ...options, chains, hops }, number);
  const random = new Random(id);
  const haystack = haystackOf('noise');
  const taken = new Set<string>();
  const draw = (letters: number) => drawNames(random, letters, hops + 1, taken);
  const value = () => String(random.integer(10_000, 99_999));
  const exampleNames = draw(3);
  const exampleValue = value();
  const exampleText = plant(passage(haystack, 0, 5 * 19), placed(random, [assign(exampleNames, exampleValue)]), '\n');
  const example = flatten([instruction, ...exampleText, ...ask(exampleNames, exampleValue), '\n\n']).text;
  const names = draw(5);
  const asked = value();
  const assignments = [
    assign(names, asked, { statement: 'needle', name: 'value' }),
    ...Array.from({ length: chains - 1 }, () => assign(draw(5), value(), { statement: 'distractor' })),
  ];
  const planted = placed(random, assignments);
  const start = startIn(haystack, random);
  const [question = '', opening = '', answer = ''] = ask(names, asked);
  return filledCase(model, id, options.length, (words) => ({
    instruction: example + instruction,
    document: plant(passage(haystack, start, words), planted, '\n'),
    question,
    opening: opening.trimStart(),
    answer,
    accepted: names,
  }));
};

/** Question, opening and answer. */
function ask(names: readonly string[], value: string): readonly string[] {
  return [
    `\nQuestion: Find all variables that are assigned the value ${value} in the text above.`,
    ' Answer: According to the chain(s) of variable assignment in the text above, ' +
      `${names.length} variables are assigned the value ${value}, they are:`,
    ` ${names.join(' ')}`,
  ];
}

function drawNames(random: Random, letters: number, count: number, taken: Set<string>): readonly string[] {
  const names: string[] = [];
  while (names.length < count) {
    const name = Array.from({ length: letters }, () => String.fromCharCode(random.integer(65, 90))).join('');
    if (taken.has(name)) continue;
    taken.add(name);
    names.push(name);
  }
  return names;
}

function assign(
  names: readonly string[],
  value: string,
  marks?: { readonly statement: 'needle' | 'distractor'; readonly name?: 'value' },
): readonly Marked[] {
  return names.map((name, i) => {
    const subject = marks?.name ? mark(marks.name, name) : name;
    const parts = ['VAR ', subject, ` = ${i === 0 ? value : `VAR ${names[i - 1]}`}`];
    return marks ? mark(marks.statement, ...parts) : flatten(parts).text;
  });
}

/** The assignments of each chain in their order, at depths by chance. */
function placed(random: Random, chains: readonly (readonly Marked[])[]) {
  return chains.flatMap((chain) => {
    const depths = chain.map(() => random.real()).sort((a, b) => a - b);
    return chain.map((text, i) => ({ depth: depths[i] ?? 0, text }));
  });
}
