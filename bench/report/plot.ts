/** Draws plots with Vega-Lite, whose types are stated here as far as they are used: it is installed for the bench alone. */
import type { Axis, Plot } from '../outcome.ts';

interface VegaLite {
  compile(spec: object): { readonly spec: object };
}

interface Vega {
  parse(spec: object): object;
  readonly View: new (runtime: object, options: { readonly renderer: 'none' }) => { toSVG(): Promise<string> };
}

const size = { width: 340, height: 240 } as const;
const [vegaName, vegaLiteName]: readonly [string, string] = ['vega', 'vega-lite'];

/** Plots side by side as one SVG, on white, since the pages that show it may be dark. */
export async function drawn(plots: readonly Plot[]): Promise<string> {
  const vega: Vega = await import(vegaName);
  const vegaLite: VegaLite = await import(vegaLiteName);
  const spec = vegaLite.compile({
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    config: { legend: { orient: 'bottom', columns: 1, labelLimit: 400, title: null } },
    hconcat: plots.map(view),
  });
  return `${await new vega.View(vega.parse(spec.spec), { renderer: 'none' }).toSVG()}\n`;
}

function view({ x, y, series }: Plot): object {
  const values = series.flatMap(({ name, points }) => points.map(([at, value]) => ({ name, at, value })));
  const ticks = [...new Set(values.map(({ at }) => at))];
  const names = series.map(({ name }) => name);
  return {
    ...size,
    data: { values },
    mark: { type: 'line', point: ticks.length <= 12 },
    encoding: {
      x: {
        field: 'at',
        type: 'quantitative',
        scale: scaleOf(x),
        axis: { title: x.title, format: ',.0f', ...(x.scale === 'log' && { values: ticks }) },
      },
      y: { field: 'value', type: 'quantitative', scale: scaleOf(y), axis: { title: y.title } },
      color: { field: 'name', type: 'nominal', sort: names, scale: { domain: names } },
    },
  };
}

function scaleOf({ scale }: Axis): object {
  return scale === 'log' ? { type: 'log', nice: false } : { type: 'linear', zero: true };
}
