/** What a product of the query with any of these keys can be at most, judged by the bounds of every channel. */
export function greatestProduct(query: ArrayLike<number>, keys: readonly ArrayLike<number>[]): number {
  return Array.from(query, (q, c) => {
    const channel = keys.map((key) => key[c] ?? Number.NaN);
    return Math.max(q * Math.min(...channel), q * Math.max(...channel));
  }).reduce((sum, product) => sum + product, 0);
}

/** Pages of `size` keys that a query reads, whose own key is the last: that one's page, and the best of the others. */
export function pagesOf(
  query: ArrayLike<number>,
  keys: readonly ArrayLike<number>[],
  { size, most }: { readonly size: number; readonly most: number },
): readonly number[] {
  const own = Math.floor((keys.length - 1) / size);
  const others = Array.from({ length: own }, (_, page) => {
    return { page, score: greatestProduct(query, keys.slice(page * size, (page + 1) * size)) };
  });
  others.sort((a, b) => b.score - a.score || a.page - b.page);
  return [...others.slice(0, most - 1).map(({ page }) => page), own].sort((a, b) => a - b);
}
