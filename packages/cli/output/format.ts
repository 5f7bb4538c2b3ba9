const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** A whole number with its thousands apart: 7,512. */
export function count(n: number): string {
  return grouped.format(n);
}

/** A number and its noun: 1 token, 7,512 tokens. */
export function counted(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** A size with three digits at most, in powers of ten: 98.4 MB. */
export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let scaled = n;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? n : significant(scaled)} ${units[unit]}`;
}

/** A time as people say it: 850 ms, 26.2 s, 2 min 5 s. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 99_950) return `${significant(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A speed with three digits at most. */
export function rate(perSecond: number): string {
  return perSecond >= 99.95 ? count(perSecond) : significant(perSecond);
}

/** Three digits at most, and one behind the point at most. */
export function significant(x: number): string {
  return x >= 99.95 ? x.toFixed(0) : x.toFixed(1);
}

/** Names and values in two columns. */
export function twoColumns(rows: readonly (readonly [string, string])[], indent = '  '): string {
  const left = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${indent}${name.padEnd(left)}  ${value}`.trimEnd()).join('\n');
}

/** Rows under a head in columns; the first `texts` of them are texts, which begin at the left, the others numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], texts = 1): string {
  const lines = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => (column < texts ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .replace(/^/, '  ')
        .trimEnd(),
    )
    .join('\n');
}
