import type { Reads } from '../attending/direct.ts';
import { type Axis, isNeighbour, neighboursOn } from './neighbours.ts';

/** Tokens of a layout. */
export function tokensOf(axes: readonly Axis[]): number {
  return axes.reduce((count, { length }) => count * length, 1);
}

/** Where a token stands on every axis; the last runs fastest. */
export function indexOf(axes: readonly Axis[], token: number): readonly number[] {
  const index: number[] = [];
  let rest = token;
  for (const { length } of axes.toReversed()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return index;
}

/** Attention of a layout's tokens to their neighbours, for the kernel that takes lists. */
export function neighbourhood(axes: readonly Axis[]): Reads {
  const places = Array.from({ length: tokensOf(axes) }, (_, token) => indexOf(axes, token));
  return (query, key) => isNeighbour(axes, places[query] ?? [], places[key] ?? []);
}

/** Tiles of `tile` keys that tiles of as many queries visit on one axis without dilation: from the first query's start to the last's end. */
export function visitedTiles(axis: Axis, tile: number): number {
  let tiles = 0;
  for (let first = 0; first < axis.length; first += tile) {
    const { from } = neighboursOn(axis, first);
    const { to } = neighboursOn(axis, Math.min(axis.length, first + tile) - 1);
    tiles += Math.floor((to - 1) / tile) - Math.floor(from / tile) + 1;
  }
  return tiles;
}
