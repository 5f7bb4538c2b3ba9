import { type Anchor, escaped, label, svg } from './svg.ts';

/** One method at one length: what it costs, and what is lost by it, with the ends of its interval. */
export interface QualityPoint {
  readonly method: string;
  /** Tokens of a prompt. */
  readonly length: number;
  readonly bytes: number;
  readonly gap: { readonly value: number; readonly low: number; readonly high: number };
}

export interface QualityPanel {
  readonly title: string;
  readonly points: readonly QualityPoint[];
}

/** Where data lie in pixels, from their two ends, and where an axis is marked. */
interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

const colours = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#17becf', '#8c564b', '#e377c2', '#7f7f7f'];
/** Drawings of a mark around the origin, one for each length. */
const shapes = [
  '<circle r="4.5"/>',
  '<path d="M-4-4h8v8h-8z"/>',
  '<path d="M0-6 6 0 0 6-6 0z"/>',
  '<path d="M0-5.5 5.5 4h-11z"/>',
  '<path d="M0 5.5 5.5-4h-11z"/>',
] as const;

/** Sizes in pixels: of a panel's frame, of what is around it, and of a line of the legend. */
const frame = { width: 400, height: 260 } as const;
const margin = { left: 56, top: 56, right: 16, bottom: 46 } as const;
const legendLine = 18;

/**
 * What methods lose against the first of them, over the bytes of their caches, as an SVG document. Colours are methods, shapes
 * are lengths; bars are the intervals. Panels lie side by side on the same axes.
 */
export function qualityPlotSvg(title: string, reference: string, panels: readonly QualityPanel[]): string {
  const points = panels.flatMap((panel) => panel.points);
  const methods = [...new Set(points.map(({ method }) => method))];
  const lengths = [...new Set(points.map(({ length }) => length))].sort((a, b) => a - b);
  const pitch = margin.left + frame.width + margin.right;
  const legend = legendOf(methods, lengths.length > 1 ? lengths : []);
  const legendTop = margin.top + frame.height + margin.bottom + 8;
  const x = logScale(points.map(({ bytes }) => bytes / 1e6));
  const y = linearScale(points.flatMap(({ gap }) => [gap.value, gap.low, gap.high]));
  const drawn = panels.map((panel, i) =>
    at(
      i * pitch + margin.left,
      margin.top,
      label(0, -10, panel.title),
      ...axes(x, y, reference),
      ...methods.flatMap((method) => {
        const own = panel.points.filter((point) => point.method === method);
        return [line(own, x, y, colourOf(methods, method)), ...own.map((point) => mark(point, x, y, methods, lengths))];
      }),
    ),
  );
  return svg(panels.length * pitch, legendTop + legend.length * legendLine + 8, [
    label(8, 20, title, 'start', 'font-size="13"'),
    ...drawn,
    ...legend.map((row, i) => at(margin.left, legendTop + i * legendLine, ...row)),
  ]);
}

function at(x: number, y: number, ...parts: readonly string[]): string {
  return `<g transform="translate(${round(x)} ${round(y)})">${parts.join('\n')}</g>`;
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

function axes(x: Scale, y: Scale, reference: string): readonly string[] {
  const { width, height } = frame;
  const rule = (path: string, stroke: string, more = '') => `<path d="${path}" fill="none" stroke="${stroke}"${more}/>`;
  const zero = round(y.at(0));
  return [
    ...y.ticks.flatMap((tick) => [
      rule(`M0 ${round(y.at(tick))}h${width}`, '#e6e8eb'),
      label(-8, round(y.at(tick)) + 4, said(tick), 'end'),
    ]),
    ...x.ticks.flatMap((tick) => [
      rule(`M${round(x.at(tick))} 0v${height}`, '#e6e8eb'),
      label(round(x.at(tick)), height + 16, said(tick), 'middle'),
    ]),
    rule(`M0 0v${height}h${width}`, '#666'),
    rule(`M0 ${zero}h${width}`, '#333', ' stroke-dasharray="5 4"'),
    label(4, zero - 5, `as ${reference}`),
    label(width / 2, height + 34, 'allocated for keys and values, MB', 'middle'),
    label(-height / 2, -42, `loss beyond ${reference}, nats per token`, 'middle', 'transform="rotate(-90)"'),
  ];
}

function line(points: readonly QualityPoint[], x: Scale, y: Scale, colour: string): string {
  if (points.length < 2) return '';
  const along = [...points].sort((a, b) => a.length - b.length);
  const corners = along.map(({ bytes, gap }) => `${round(x.at(bytes / 1e6))} ${round(y.at(gap.value))}`);
  return `<path d="M${corners.join('L')}" fill="none" stroke="${colour}" stroke-opacity="0.35"/>`;
}

function mark(
  { method, length, bytes, gap }: QualityPoint,
  x: Scale,
  y: Scale,
  methods: readonly string[],
  lengths: readonly number[],
): string {
  const colour = colourOf(methods, method);
  const [up, down] = [y.at(gap.high) - y.at(gap.value), y.at(gap.low) - y.at(gap.value)].map(round);
  const name = `${method}, ${length} tokens: ${(bytes / 1e6).toFixed(1)} MB, ${gap.value.toFixed(3)}`;
  return at(
    x.at(bytes / 1e6),
    y.at(gap.value),
    `<title>${escaped(`${name} (${gap.low.toFixed(3)} to ${gap.high.toFixed(3)})`)}</title>`,
    `<path d="M0 ${up}V${down}M-3 ${up}h6M-3 ${down}h6" fill="none" stroke="${colour}"/>`,
    shape(lengths.indexOf(length), colour, fillOf(methods, method)),
  );
}

function shape(index: number, colour: string, fill: string): string {
  return `<g fill="${fill}" stroke="${colour}" stroke-width="1.5">${shapes[index % shapes.length]}</g>`;
}

/** Rows of methods, and a last one of lengths. */
function legendOf(methods: readonly string[], lengths: readonly number[]): readonly (readonly string[])[] {
  const entry = (x: number, drawn: string, text: string, anchor: Anchor = 'start') => [
    at(x, -4, drawn),
    label(x + 12, 0, text, anchor),
  ];
  const rows = methods.map((method) => entry(0, shape(0, colourOf(methods, method), fillOf(methods, method)), method));
  if (lengths.length === 0) return rows;
  return [...rows, lengths.flatMap((length, i) => entry(i * 110, shape(i, '#333', '#fff'), `${length} tokens`))];
}

function colourOf(methods: readonly string[], method: string): string {
  return colours[methods.indexOf(method) % colours.length] ?? '#333';
}

/** Where colours have to come again, marks are hollow. */
function fillOf(methods: readonly string[], method: string): string {
  return methods.indexOf(method) < colours.length ? colourOf(methods, method) : '#fff';
}

/** A tick as people write it, whatever the sum that led to it. */
function said(value: number): string {
  return String(Number(value.toPrecision(6))).replace('-', '−');
}

/** All values and zero, and some room beside them; ticks are 1, 2 or 5 times a power of ten apart. */
function linearScale(values: readonly number[]): Scale {
  const known = values.filter(Number.isFinite);
  const [least, most] = [Math.min(0, ...known), Math.max(0, ...known)];
  // Below this, ticks could no longer be told apart from zero.
  const span = most - least > 1e-99 ? most - least : 1;
  const power = 10 ** Math.floor(Math.log10(span / 5));
  const step = ([1, 2, 5].find((times) => span / (times * power) <= 6) ?? 10) * power;
  const [low, high] = [least - span / 25, least + span * (1 + 1 / 25)];
  const first = Math.ceil(low / step);
  return {
    at: (value) => (frame.height * (high - value)) / (high - low),
    ticks: Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step),
  };
}

/** Digits with which ticks of a logarithmic axis begin, from few to many. */
const firstDigits = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], Array.from({ length: 90 }, (_, i) => 1 + i / 10)];

function logScale(values: readonly number[]): Scale {
  const known = values.filter((value) => value > 0);
  const [low, high] = [0.8 * Math.min(...known, Number.MAX_VALUE), 1.25 * Math.max(...known, Number.MIN_VALUE)];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const ticksOf = (digits: readonly number[]) =>
    Array.from({ length: last - first + 1 }, (_, i) => digits.map((digit) => digit * 10 ** (first + i)))
      .flat()
      .filter((tick) => tick >= low && tick <= high);
  return {
    at: (value) => (frame.width * Math.log(value / low)) / Math.log(high / low),
    ticks: firstDigits.map(ticksOf).find(({ length }) => length >= 3) ?? [],
  };
}
