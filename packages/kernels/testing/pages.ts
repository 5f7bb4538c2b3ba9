import { type PageFormat, pageBytes, pageSlots } from '../append/index.ts';
import { type Stored, stored } from '../append/reference.ts';
import type { Room } from './machine.ts';

/** What one slot of a page holds. */
export interface Slot {
  readonly position: number;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
}

/** The first `slots.length` slots of a page as bytes, as `page.assembly.ts` lays them out; the rest is poison. */
export function encodePage(format: PageFormat, d: number, slots: readonly Slot[]): Uint8Array {
  const page = new Uint8Array(pageBytes(format, d)).fill(255);
  const view = new DataView(page.buffer);
  const at = places(format, d);
  for (const [slot, { position, key, value }] of slots.entries()) {
    view.setInt32(4 * slot, position, true);
    const k = stored(format, key, 'key');
    const v = stored(format, value, 'value');
    for (let c = 0; c < d; c++) {
      put(view, format, at.key(slot, c), k, c);
      put(view, format, at.value(slot, c), v, c);
    }
    const sound = [...Array.from(key), ...Array.from(value)].every((number) => !Number.isNaN(number));
    if (format === 'f16' && !sound) view.setFloat16(at.key(slot, 0), Number.NaN, true);
    if (format !== 'q8') continue;
    view.setFloat32(at.keyScale(slot), k.scale, true);
    view.setFloat32(at.keyMinimum(slot), k.minimum, true);
    view.setFloat32(at.valueScale(slot), v.scale, true);
  }
  return page;
}

/** What `count` slots of a page stand for, in float64. */
export function decodePage(format: PageFormat, d: number, page: Uint8Array, count: number): Slot[] {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const at = places(format, d);
  return Array.from({ length: count }, (_, slot) => {
    const scaleOf = (address: number) => (format === 'q8' ? view.getFloat32(address, true) : 1);
    const keyScale = scaleOf(at.keyScale(slot));
    const minimum = format === 'q8' ? view.getFloat32(at.keyMinimum(slot), true) : 0;
    const valueScale = scaleOf(at.valueScale(slot));
    return {
      position: view.getInt32(4 * slot, true),
      key: Float64Array.from({ length: d }, (_, c) => keyScale * get(view, format, at.key(slot, c)) + minimum),
      value: Float64Array.from({ length: d }, (_, c) => valueScale * get(view, format, at.value(slot, c))),
    };
  });
}

/** Lays out the slots of every head in pages, in no order, and returns the address of the [g] head entries. */
export function placeHeads(
  room: Room,
  format: PageFormat,
  d: number,
  heads: readonly { readonly used: number; readonly slots: readonly Slot[] }[],
  next: () => number,
): number {
  const entries = heads.flatMap(({ used, slots }) => {
    const starts = Array.from({ length: Math.ceil(slots.length / pageSlots) }, (_, page) => page);
    const addresses = new Int32Array(starts.length);
    for (const page of starts.toSorted(() => next() - 0.5)) {
      const from = page * pageSlots;
      addresses[page] = room.input(encodePage(format, d, slots.slice(from, from + pageSlots)));
    }
    return [room.input(addresses), used];
  });
  return room.input(Int32Array.from(entries));
}

/** Byte offsets inside a page, as `page.assembly.ts` states them. */
function places(format: PageFormat, d: number) {
  const size = format === 'f32' ? 4 : format === 'f16' ? 2 : 1;
  const keys = 4 * pageSlots;
  const values = keys + size * pageSlots * d;
  const scales = values + size * pageSlots * d;
  const bytes = format === 'q8';
  return {
    key: (slot: number, c: number) =>
      keys + (bytes ? (c & ~3) * pageSlots + 4 * slot + (c & 3) : size * (c * pageSlots + slot)),
    value: (slot: number, c: number) => values + (bytes ? (slot & ~3) * d + 4 * c + (slot & 3) : size * (slot * d + c)),
    keyScale: (slot: number) => scales + 4 * slot,
    keyMinimum: (slot: number) => scales + 4 * (pageSlots + slot),
    valueScale: (slot: number) => scales + 4 * (2 * pageSlots + slot),
  };
}

function put(view: DataView, format: PageFormat, at: number, { numbers }: Stored, c: number): void {
  const number = numbers[c] ?? Number.NaN;
  if (format === 'f32') view.setFloat32(at, number, true);
  else if (format === 'f16') view.setFloat16(at, number, true);
  else view.setInt8(at, number);
}

function get(view: DataView, format: PageFormat, at: number): number {
  if (format === 'f32') return view.getFloat32(at, true);
  return format === 'f16' ? view.getFloat16(at, true) : view.getInt8(at);
}
