import { Random } from '@loci/evaluate/random';
import type { Example } from '@loci/lab';
import { LociError } from 'loci';

export interface MqarOptions {
  readonly vocabulary: number;
  /** Tokens of an example. */
  readonly length: number;
  readonly pairs: number;
  /** How far from the pairs queries come: 1 is anywhere, 0.01 mostly soon. */
  readonly power: number;
  /** How many keys are given a second value, which is then the one that counts. */
  readonly reassigned: number;
  /** What stands where nothing else does: token 0, any token, or any but the example's keys. */
  readonly filler: 'zero' | 'random' | 'other';
}

/** @throws LociError `bad-option` for options that leave no room. */
export function checkMqar({ vocabulary, length, pairs, power, reassigned }: MqarOptions): void {
  const refuse = (why: string) => new LociError('bad-option', `mqar: ${why}`);
  if (length % 2 !== 0) throw refuse(`the length is ${length}; it must be even`);
  if (vocabulary <= length) throw refuse(`the vocabulary is ${vocabulary}; it must be above the length, ${length}`);
  if (vocabulary / 2 - 1 < pairs + reassigned)
    throw refuse(
      `${vocabulary} tokens are too few for ${pairs + reassigned} pairs; ${2 * (pairs + reassigned + 1)} are enough`,
    );
  if (reassigned > pairs) throw refuse(`${reassigned} of ${pairs} keys cannot be assigned again`);
  if (4 * pairs + 2 * reassigned > length)
    throw refuse(`${pairs} pairs and their queries do not fit into ${length} tokens; ${4 * pairs + 2 * reassigned} do`);
  if (!(power > 0)) throw refuse(`the power is ${power}; it must be above 0`);
}

/**
 * Multi-query associative recall (Arora et al. 2023): pairs of keys and values, then keys again at places that grow rarer
 * with their distance; the label at a key is the value it was given. The same name gives the same example.
 */
export function mqar(options: MqarOptions, name: string): Example & { readonly slots: readonly number[] } {
  const { vocabulary, length, pairs, power, reassigned, filler } = options;
  const random = new Random(name);
  const half = Math.floor(vocabulary / 2);
  const keys = distinct(random, 1, half - 1, pairs);
  const values = distinct(random, half, vocabulary - 1, pairs + reassigned);
  const again = distinct(random, 0, pairs - 1, reassigned);
  const begin = 2 * (pairs + reassigned);
  const slots = weighted(random, (length - begin) / 2, pairs, power - 1);
  const ids = new Int32Array(length);
  if (filler !== 'zero') {
    const taken = new Set(filler === 'other' ? keys : []);
    for (let i = begin; i < length; i++) {
      do ids[i] = random.integer(0, vocabulary - 1);
      while (taken.has(ids[i] ?? 0));
    }
  }
  const answers = keys.map((_, k) => values[k] ?? 0);
  keys.forEach((key, k) => {
    ids.set([key, values[k] ?? 0], 2 * k);
  });
  again.forEach((k, i) => {
    answers[k] = values[pairs + i] ?? 0;
    ids.set([keys[k] ?? 0, answers[k] ?? 0], 2 * (pairs + i));
  });
  const asked = slots.map((slot, k) => ({ at: begin + 2 * slot, key: keys[k] ?? 0, label: answers[k] ?? 0 }));
  for (const { at, key } of asked) ids[at] = key;
  asked.sort((a, b) => a.at - b.at);
  return {
    ids,
    positions: Int32Array.from(asked, ({ at }) => at),
    labels: Int32Array.from(asked, ({ label }) => label),
    slots,
  };
}

/** Different numbers from `least` to `most`: Fisher and Yates, over a list of which only what moved is written down. */
function distinct(random: Random, least: number, most: number, count: number): number[] {
  const moved = new Map<number, number>();
  return Array.from({ length: count }, (_, i) => {
    const from = least + i;
    const other = random.integer(from, most);
    const chosen = moved.get(other) ?? other;
    moved.set(other, moved.get(from) ?? from);
    return chosen;
  });
}

/** Different slots drawn one after the other with weights (slot + 1)^exponent: Efraimidis and Spirakis 2006. */
function weighted(random: Random, slots: number, count: number, exponent: number): number[] {
  const waits = Array.from({ length: slots }, (_, slot) => ({
    slot,
    wait: -Math.log(1 - random.real()) / (slot + 1) ** exponent,
  }));
  return waits
    .sort((a, b) => a.wait - b.wait)
    .slice(0, count)
    .map(({ slot }) => slot);
}
