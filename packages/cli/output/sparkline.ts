const bars = '▁▂▃▄▅▆▇█';

/** A curve in one line of so many characters, each the mean of its share of the values, from the lowest to the highest. */
export function sparkline(values: readonly number[], width: number): string {
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, i) => {
    const part = values.slice(
      Math.floor((i * values.length) / columns),
      Math.floor(((i + 1) * values.length) / columns),
    );
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
  const least = Math.min(...means);
  const span = Math.max(...means) - least;
  return means.map((mean) => bars[span > 0 ? Math.round(((mean - least) / span) * (bars.length - 1)) : 0]).join('');
}
