import { stemmer } from 'stemmer';

/**
 * The share of a reference's words that an answer has too, each as often as it stands in both: Lin 2004, ROUGE-1 recall,
 * with words and stems as in Google's `rouge-score` (runs of letters and digits; Porter's stem of those longer than three).
 * That package stems some words by rules of its own ("boys" and "carefully", 253 of Moby-Dick's 16,861 words), here it is
 * Porter's algorithm throughout. NaN for a reference without words.
 */
export function rouge1Recall(answer: string, reference: string): number {
  const left = new Map<string, number>();
  for (const stem of stems(answer)) left.set(stem, (left.get(stem) ?? 0) + 1);
  const wanted = stems(reference);
  const found = wanted.filter((stem) => {
    const count = left.get(stem) ?? 0;
    if (count > 0) left.set(stem, count - 1);
    return count > 0;
  });
  return found.length / wanted.length;
}

function stems(text: string): readonly string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return words.map((word) => (word.length > 3 ? stemmer(word) : word));
}
