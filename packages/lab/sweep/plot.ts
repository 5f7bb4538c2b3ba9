/** Accuracy over state bytes, as an SVG and in a terminal. */
export interface Point {
  readonly series: string;
  /** Above 0; on a logarithmic axis. */
  readonly x: number;
  /** 0 … 1. */
  readonly y: number;
}

/** Okabe and Ito 2008: told apart by colour-blind people too. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#999999'];
const marks = '●■▲◆○□△◇';

/** Where a point lies along the x axis, 0 … 1. */
function scale(points: readonly Point[]): (x: number) => number {
  const [least, most] = [Math.min(...points.map(({ x }) => x)), Math.max(...points.map(({ x }) => x))];
  return (x) => (most > least ? Math.log(x / least) / Math.log(most / least) : 0.5);
}

const seriesOf = (points: readonly Point[]): readonly string[] => [...new Set(points.map(({ series }) => series))];

/** Points of a series from left to right: [x, mean y] for each x. */
function line(points: readonly Point[], series: string): readonly (readonly [number, number])[] {
  const columns = Map.groupBy(
    points.filter((point) => point.series === series),
    ({ x }) => x,
  );
  return Array.from(columns, ([x, all]) => [x, all.reduce((sum, { y }) => sum + y, 0) / all.length] as const).sort(
    ([a], [b]) => a - b,
  );
}

/** An SVG document; points of one series and place become their mean. */
export function svgPlot(points: readonly Point[], xTitle: string, yTitle: string): string {
  const [left, top, width, height] = [64, 20, 420, 280];
  const along = scale(points);
  const px = (x: number) => (left + along(x) * width).toFixed(1);
  const py = (y: number) => (top + (1 - y) * height).toFixed(1);
  const text = (x: number | string, y: number | string, content: string, more = '') =>
    `<text x="${x}" y="${y}" ${more}>${content.replace(/&/g, '&amp;').replace(/</g, '&lt;')}</text>`;
  const parts = [0, 0.25, 0.5, 0.75, 1].flatMap((y) => [
    `<line x1="${left}" x2="${left + width}" y1="${py(y)}" y2="${py(y)}" stroke="#ddd"/>`,
    text(left - 8, Number(py(y)) + 4, String(y), 'text-anchor="end"'),
  ]);
  const columns = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  for (const x of [columns[0], columns.at(-1)]) {
    if (x !== undefined) parts.push(text(px(x), top + height + 18, String(x), 'text-anchor="middle"'));
  }
  parts.push(text(left + width / 2, top + height + 40, xTitle, 'text-anchor="middle"'));
  parts.push(text(left, top - 6, yTitle));
  for (const [i, series] of seriesOf(points).entries()) {
    const colour = colours[i % colours.length] ?? '#000000';
    const places = line(points, series);
    parts.push(
      `<polyline fill="none" stroke="${colour}" points="${places.map(([x, y]) => `${px(x)},${py(y)}`).join(' ')}"/>`,
    );
    for (const [x, y] of places) parts.push(`<circle cx="${px(x)}" cy="${py(y)}" r="4" fill="${colour}"/>`);
    parts.push(`<circle cx="${left + width + 20}" cy="${top + 10 + 20 * i}" r="4" fill="${colour}"/>`);
    parts.push(text(left + width + 30, top + 14 + 20 * i, series));
  }
  const size = 'width="720" height="350" viewBox="0 0 720 350"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`;
}

/** The same in characters, with a legend below. */
export function terminalPlot(points: readonly Point[], xTitle: string, width = 64, height = 12): string {
  const along = scale(points);
  const grid = Array.from({ length: height }, () => Array<string>(width).fill(' '));
  const names = seriesOf(points);
  for (const [i, series] of names.entries()) {
    for (const [x, y] of line(points, series)) {
      const row = grid[Math.round((1 - Math.min(1, Math.max(0, y))) * (height - 1))];
      if (row) row[Math.round(along(x) * (width - 1))] = marks[i % marks.length] ?? '*';
    }
  }
  const labels = ['1.0', '0.5', '0.0'];
  const lines = grid.map((row, r) => {
    const label = r === 0 ? labels[0] : r === height - 1 ? labels[2] : r === Math.floor(height / 2) ? labels[1] : '';
    return `${(label ?? '').padStart(4)} │${row.join('').trimEnd()}`;
  });
  const columns = points.map(({ x }) => x);
  const [least, most] = [String(Math.min(...columns)), String(Math.max(...columns))];
  const room = width - least.length - most.length;
  const title = xTitle.padStart(Math.floor((room + xTitle.length) / 2)).padEnd(room);
  const legend = names.map((series, i) => `      ${marks[i % marks.length]} ${series}`).join('\n');
  return `${lines.join('\n')}\n     └${'─'.repeat(width)}\n      ${least}${title}${most}\n${legend}\n`;
}
