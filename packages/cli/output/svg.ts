/** What drawings have in common. */

export type Anchor = 'start' | 'middle' | 'end';

/** A document on white, since the pages that show it may be dark. */
export function svg(width: number, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    '  font-family="system-ui, sans-serif" font-size="11" fill="#333">',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** A line of text at a point; `attributes` as they stand in the element. */
export function label(x: number, y: number, text: string, anchor: Anchor = 'start', attributes = ''): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${attributes && ` ${attributes}`}>${escaped(text)}</text>`;
}

/** A text that stays one, whatever it says. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
