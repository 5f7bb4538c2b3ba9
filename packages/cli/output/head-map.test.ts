import { expect, test } from 'vitest';
import { headMapSvg, headMapText } from './head-map.ts';

test('a terminal shows a column for every layer and a row for every head', () => {
  const map = headMapText([
    [0, 0.05],
    [0.1, 0.35],
    [0.9, Number.NaN],
  ]);
  expect(map.split('\n').slice(0, 4)).toEqual(['head  layer', '      0', '    0 ··▒▒██', '    1 ░░▓▓  ']);
});

test('a drawing names every head with its score, and obeys no title', () => {
  const svg = headMapSvg('<script> & "x"', [
    [0, 1],
    [null, 0.25],
  ]);
  expect(svg).toContain('<title>0.0: 0.000</title>');
  expect(svg).toContain('fill="rgb(20 70 140)"><title>0.1: 1.000</title>');
  expect(svg).toContain('fill="none"><title>1.0: n/a</title>');
  expect(svg).toContain('<title>1.1: 0.250</title>');
  expect(svg).not.toContain('<script>');
});
