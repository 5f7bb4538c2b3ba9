// Pages of 4 bits slot by slot. No element is ever made a float: a slot's scale and minimum leave the products as they do in 8
// bits (score = scale · (query · numbers) + minimum · Σ query), a value's scale goes into the weight, and the values' minima,
// weighted, are one number for all channels.
import { keysOf, scalesK4, SLOTS, values4 } from '../append/page.assembly';
import { addToAll, floatsOf, weighMinima } from './int4.assembly';
import { soundScales } from './int8.assembly';
import { addNibbles, scoreNibbles } from './nibbles.assembly';
import { Tile } from './tile.assembly';

export function scorePage(tile: Tile, page: usize): void {
  const d = tile.d;
  const scales = tile.keys;
  floatsOf(scalesK4(page, d), 2 * SLOTS, scales);
  scoreNibbles(tile, keysOf(page), scales, scales + 4 * SLOTS);
}

export function addPage(tile: Tile, page: usize): void {
  const d = tile.d;
  const scales = tile.values;
  const minima = scales + 4 * SLOTS;
  const finite = floatsOf(scalesK4(page, d) + 4 * SLOTS, 2 * SLOTS, scales);
  if (tile.count < SLOTS || !finite) {
    soundScales(scales, tile.count, scales);
    soundScales(minima, tile.count, minima);
  }
  addNibbles(tile, values4(page, d), scales, 0, d);
  for (let r = 0; r < tile.rows; r++) weighMinima(tile.weight(r), minima, tile.eighths + (<usize>r << 5));
}

/** Before the pages of a step are added, and behind the last: minima are the same for all channels. */
export function beginStep(tile: Tile): void {
  memory.fill(tile.eighths, 0, <usize>tile.rows << 5);
}

export function endStep(tile: Tile): void {
  for (let r = 0; r < tile.rows; r++) addToAll(tile.eighths + (<usize>r << 5), tile.d, tile.sum(r));
}
