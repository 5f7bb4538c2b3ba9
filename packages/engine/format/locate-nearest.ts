/** Up to three of `names` that `wanted` may be a slip of: a few edits away from the name, its beginning or a part of it. */
export function nearestNames(wanted: string, names: readonly string[]): readonly string[] {
  const target = wanted.toLowerCase();
  const ranked: { readonly name: string; readonly distance: number }[] = [];
  for (const name of new Set(names)) {
    const other = name.toLowerCase();
    const { whole, beginning } = editDistances(target, other);
    const contained = Math.min(target.length, other.length) > 2 && (other.includes(target) || target.includes(other));
    const close = whole <= Math.max(2, target.length / 3) || beginning <= Math.max(1, target.length / 4);
    if (contained || (close && beginning < target.length / 2)) ranked.push({ name, distance: whole });
  }
  return ranked
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
}

/**
 * Levenshtein's distance (the fewest insertions, deletions and substitutions) from `a` to `b`, and to the beginning of
 * `b` that is nearest; by one row of the table at a time.
 */
function editDistances(a: string, b: string): { readonly whole: number; readonly beginning: number } {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return { whole: row[b.length] ?? 0, beginning: Math.min(...row) };
}
