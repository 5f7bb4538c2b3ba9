/** Finds names that a JSON text gives twice in one object, which `JSON.parse` passes over in silence. */

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Members of all objects in a valid JSON text: each has exactly one colon outside strings. */
export function countMembers(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === 0x3a) count++;
    if (character !== 0x22) continue;
    // To the closing quotation mark; a backslash takes the next character with it.
    for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++;
  }
  return count;
}

/** Members of all objects in a parsed value. */
export function memberCount(value: unknown): number {
  let count = 0;
  const open = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    const values = Object.values(next);
    if (!Array.isArray(next)) count += values.length;
    for (const inner of values) open.push(inner);
  }
  return count;
}
