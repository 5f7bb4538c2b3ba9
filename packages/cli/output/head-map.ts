import { label, svg } from './svg.ts';

/** Numbers of heads, [layer][head]; NaN or null where there is none. */
export type HeadMap = readonly (readonly (number | null)[])[];

const shades = ['·', '░', '▒', '▓', '█'] as const;
/** The least score of each shade but the first. */
const steps = [0.02, 0.1, 0.3, 0.6] as const;

/** The map for a terminal: a column for every layer, a row for every head, two characters each. */
export function headMapText(scores: HeadMap): string {
  const heads = Math.max(0, ...scores.map(({ length }) => length));
  const margin = '      ';
  const numbers = scores.map((_, layer) => (layer % 5 === 0 ? String(layer).padEnd(2) : '  ')).join('');
  const rows = Array.from({ length: heads }, (_, head) => {
    const cells = scores.map((row) => shade(row[head]).repeat(2)).join('');
    return `${String(head).padStart(margin.length - 1)} ${cells}`;
  });
  const key = steps.map((least, i) => `${shades[i + 1]} ${least} or more`).join('   ');
  return ['head  layer', `${margin}${numbers.trimEnd()}`, ...rows, '', `${margin}${key}`, ''].join('\n');
}

function shade(score: number | null | undefined): string {
  if (!isNumber(score)) return ' ';
  return shades[steps.filter((least) => score >= least).length] ?? ' ';
}

/** Sizes of the drawing in pixels. */
const cell = 18;
const left = 44;
const top = 56;
/** A score of 0 and one of 1, in red, green and blue. */
const colours = { none: [238, 241, 245], full: [20, 70, 140] } as const;

/** The map as an SVG document; the pointer shows each head's name and score. */
export function headMapSvg(title: string, scores: HeadMap): string {
  const heads = Math.max(0, ...scores.map(({ length }) => length));
  const width = left + scores.length * cell + 16;
  const height = top + heads * cell + 16;
  const cells = scores.flatMap((row, layer) =>
    row.map((score, head) => {
      const said = isNumber(score) ? score.toFixed(3) : 'n/a';
      const at = `x="${left + layer * cell}" y="${top + head * cell}" width="${cell - 2}" height="${cell - 2}"`;
      return `<rect ${at} rx="2" fill="${colour(score)}"><title>${layer}.${head}: ${said}</title></rect>`;
    }),
  );
  const layerNumbers = scores.flatMap((_, layer) =>
    layer % 5 === 0 ? [label(left + layer * cell + cell / 2 - 1, top - 6, String(layer), 'middle')] : [],
  );
  const headNumbers = Array.from({ length: heads }, (_, head) =>
    label(left - 8, top + head * cell + cell - 6, String(head), 'end'),
  );
  return svg(width, height, [
    label(8, 18, title, 'start', 'font-size="13"'),
    label(8, top - 6, 'head'),
    label(left, top - 22, 'layer'),
    ...layerNumbers,
    ...headNumbers,
    ...cells,
  ]);
}

/** Square roots, so that the many small scores can be told apart. */
function colour(score: number | null): string {
  if (!isNumber(score)) return 'none';
  const share = Math.sqrt(Math.min(1, Math.max(0, score)));
  const mixed = colours.none.map((none, i) => Math.round(none + share * ((colours.full[i] ?? 0) - none)));
  return `rgb(${mixed.join(' ')})`;
}

function isNumber(score: number | null | undefined): score is number {
  return typeof score === 'number' && !Number.isNaN(score);
}
