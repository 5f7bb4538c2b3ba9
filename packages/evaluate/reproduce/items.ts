import type { JudgedClaim } from './run.ts';

/** Claims by the items they are parts of: 4a and 4b become 4, which holds when both do. */
export function itemsOf(claims: readonly JudgedClaim[]): readonly JudgedClaim[] {
  const items = Map.groupBy(claims, ({ id }) => id.replace(/\D+$/, ''));
  return Array.from(items, ([id, parts]) => {
    const [only] = parts;
    if (only && parts.length === 1) return { ...only, id };
    const notes = parts.flatMap((part) => (part.note === undefined ? [] : [`${part.id}: ${part.note}`]));
    return {
      id,
      claimed: parts.map((part) => `${part.id}: ${part.claimed}`).join('; '),
      measured: Object.fromEntries(
        parts.map((part) => [`${part.id} ${part.holds ? 'holds' : 'does not hold'}`, part.measured]),
      ),
      holds: parts.every(({ holds }) => holds),
      ...(notes.length > 0 && { note: notes.join(' ') }),
      ms: parts.reduce((sum, { ms }) => sum + ms, 0),
    };
  });
}
