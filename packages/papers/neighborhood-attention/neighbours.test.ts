import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { indexOf, neighbourhood, tokensOf, visitedTiles } from './layout.ts';
import { type Axis, checkAxis, isNeighbour, neighboursOn } from './neighbours.ts';

const someAxis = fc
  .record({
    length: fc.integer({ min: 1, max: 40 }),
    window: fc.integer({ min: 1, max: 9 }),
    dilation: fc.integer({ min: 1, max: 4 }),
    causal: fc.boolean(),
  })
  .filter(({ length, window, dilation }) => window * dilation <= length);

function neighbours(axis: Axis, token: number): number[] {
  return Array.from({ length: axis.length }, (_, i) => i).filter((key) => isNeighbour([axis], [token], [key]));
}

describe('on one axis', () => {
  test('a token has as many neighbours as the window says, itself among them; causal ones fewer at the start', () => {
    fc.assert(
      fc.property(someAxis, fc.nat(), (axis, some) => {
        const token = some % axis.length;
        const found = neighbours(axis, token);
        const index = Math.floor(token / axis.dilation);
        expect(found.length).toBe(axis.causal ? Math.min(axis.window, index + 1) : axis.window);
        expect(found).toContain(token);
        expect(found.every((key) => key % axis.dilation === token % axis.dilation)).toBe(true);
        if (axis.causal) expect(found.at(-1)).toBe(token);
        const { from, to } = neighboursOn(axis, token);
        expect([found[0], (found.at(-1) ?? 0) + 1]).toEqual([from, to]);
      }),
    );
  });

  test('the relation is not symmetric near the ends', () => {
    const axis = { length: 9, window: 5, dilation: 1, causal: false };
    const pairs = Array.from({ length: 81 }, (_, i) => [Math.floor(i / 9), i % 9] as const);
    const is = (a: number, b: number) => isNeighbour([axis], [a], [b]);
    expect(pairs.filter(([a, b]) => is(a, b) !== is(b, a))).toHaveLength(12);
  });

  test('a stride of the window gives blocks', () => {
    const axis = { length: 12, window: 4, dilation: 1, causal: false, stride: 4 };
    for (let token = 0; token < 12; token++) {
      expect(neighbours(axis, token)).toEqual([0, 1, 2, 3].map((i) => i + 4 * Math.floor(token / 4)));
    }
  });

  test.each([
    {
      axis: { length: 2, window: 3, dilation: 1, causal: false },
      says: /window 3, dilation 1, stride 1 on an axis of 2 tokens/,
    },
    { axis: { length: 9, window: 0, dilation: 1, causal: false }, says: /at least 1/ },
    { axis: { length: 9, window: 2, dilation: 1, causal: false, stride: 3 }, says: /must not exceed the window/ },
  ])('sizes that make no sense are refused: $says', ({ axis, says }) => {
    expect(() => checkAxis(axis)).toThrow(says);
  });
});

test('on several axes a neighbour is one on each', () => {
  const axes = [
    { length: 5, window: 3, dilation: 1, causal: true },
    { length: 6, window: 2, dilation: 2, causal: false },
  ];
  const reads = neighbourhood(axes);
  for (let query = 0; query < tokensOf(axes); query++) {
    for (let key = 0; key < tokensOf(axes); key++) {
      const [a = 0, b = 0] = indexOf(axes, query);
      const [c = 0, d = 0] = indexOf(axes, key);
      expect(reads(query, key, 0)).toBe(neighbours(axes[0]!, a).includes(c) && neighbours(axes[1]!, b).includes(d));
    }
  }
});

test.each([
  [1024, 64, 94],
  [1024, 128, 156],
  [2048, 256, 568],
])('%i tokens with a window of %i visit %i tiles of 32', (length, window, tiles) => {
  expect(visitedTiles({ length, window, dilation: 1, causal: false }, 32)).toBe(tiles);
});
