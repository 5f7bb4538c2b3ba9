/** The words of a text, without capitals. */
function words(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/**
 * How well texts fit a question: Okapi BM25 (Robertson and Zaragoza 2009, equation 3.15) with k1 = 1.2 and b = 0.75.
 * @returns A score for each text.
 */
export function bm25(texts: readonly string[], question: string, k1 = 1.2, b = 0.75): number[] {
  const counted = texts.map((text) => {
    const counts = new Map<string, number>();
    const all = words(text);
    for (const word of all) counts.set(word, (counts.get(word) ?? 0) + 1);
    return { counts, length: all.length };
  });
  const meanLength = counted.reduce((sum, { length }) => sum + length, 0) / counted.length;
  const asked = [...new Set(words(question))].map((word) => {
    const n = counted.filter(({ counts }) => counts.has(word)).length;
    return { word, weight: Math.log(1 + (counted.length - n + 0.5) / (n + 0.5)) };
  });
  return counted.map(({ counts, length }) =>
    asked.reduce((sum, { word, weight }) => {
      const f = counts.get(word) ?? 0;
      return sum + (weight * f * (k1 + 1)) / (f + k1 * (1 - b + (b * length) / meanLength));
    }, 0),
  );
}
