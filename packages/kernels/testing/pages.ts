import { type Head, headWords, type PageFormat, pageBytes, pageSlots, valueGroups } from '../append/index.ts';
import { type RowFormat, type Stored, stored, storedNibbles } from '../append/reference.ts';
import type { Room } from './machine.ts';

/** What one slot of a page holds. */
export interface Slot {
  readonly position: number;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  /** Magnitudes of the terms that a decoded key and value are sums of: the rounding of what is computed from them is relative to these. */
  readonly sizes?: { readonly key: Float64Array; readonly value: Float64Array };
}

/** A number as pages hold it: scale · number + minimum. */
interface Affine {
  readonly scale: number;
  readonly number: number;
  readonly minimum: number;
}

/** Numbers [d], and the magnitudes of the terms of each. */
function decoded(
  d: number,
  at: (c: number) => Affine,
): { readonly numbers: Float64Array; readonly sizes: Float64Array } {
  const all = Array.from({ length: d }, (_, c) => at(c));
  return {
    numbers: Float64Array.from(all, ({ scale, number, minimum }) => scale * number + minimum),
    sizes: Float64Array.from(all, ({ scale, number, minimum }) => Math.abs(scale * number) + Math.abs(minimum)),
  };
}

function slotOf(position: number, key: ReturnType<typeof decoded>, value: ReturnType<typeof decoded>): Slot {
  return { position, key: key.numbers, value: value.numbers, sizes: { key: key.sizes, value: value.sizes } };
}

/** The first `slots.length` slots of a page as bytes, as `page.assembly.ts` lays them out; the rest is poison. */
export function encodePage(format: PageFormat, d: number, slots: readonly Slot[]): Uint8Array {
  const page = new Uint8Array(pageBytes(format, d)).fill(255);
  const view = new DataView(page.buffer);
  for (const [slot, { position }] of slots.entries()) view.setInt32(4 * slot, position, true);
  if (format === 'q4') encodeNibbles(view, d, slots);
  else if (format === 'kv4') encodeSlotNibbles(view, d, slots);
  else encodeRows(view, format, d, slots);
  return page;
}

function encodeRows(view: DataView, format: RowFormat, d: number, slots: readonly Slot[]): void {
  const at = places(format, d);
  for (const [slot, { key, value }] of slots.entries()) {
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
}

/** What `count` slots of a page stand for, in float64. */
export function decodePage(format: PageFormat, d: number, page: Uint8Array, count: number): Slot[] {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  if (format === 'q4') return decodeNibbles(view, d, count);
  if (format === 'kv4') return decodeSlotNibbles(view, d, count);
  const at = places(format, d);
  return Array.from({ length: count }, (_, slot) => {
    const scaleOf = (address: number) => (format === 'q8' ? view.getFloat32(address, true) : 1);
    const keyScale = scaleOf(at.keyScale(slot));
    const minimum = format === 'q8' ? view.getFloat32(at.keyMinimum(slot), true) : 0;
    const valueScale = scaleOf(at.valueScale(slot));
    return slotOf(
      view.getInt32(4 * slot, true),
      decoded(d, (c) => ({ scale: keyScale, number: get(view, format, at.key(slot, c)), minimum })),
      decoded(d, (c) => ({ scale: valueScale, number: get(view, format, at.value(slot, c)), minimum: 0 })),
    );
  });
}

/** Byte offsets inside a page of 4 bits; two slots share a byte of numbers. */
function nibblePlaces(d: number) {
  const [keys, values, scales] = [128, 128 + 16 * d, 128 + 32 * d];
  const valueScales = scales + 4 * d;
  const valueMinima = valueScales + 64 * valueGroups(d);
  return {
    key: (slot: number, c: number) => keys + 16 * (c & ~3) + 4 * (slot & 15) + (c & 3),
    value: (slot: number, c: number) => values + (slot & 3) * 4 * d + 4 * c + (slot >> 3),
    /** Slot by slot: 0 and 1 are a key's scale and minimum, 2 and 3 a value's. */
    slotHalf: (slot: number, i: number) => scales + 2 * (pageSlots * i + slot),
    keyScale: (c: number) => scales + 2 * c,
    keyMinimum: (c: number) => scales + 2 * (d + c),
    valueScale: (slot: number, c: number) => valueScales + 64 * (c >> 5) + 2 * slot,
    valueMinimum: (slot: number, c: number) => valueMinima + 64 * (c >> 5) + 2 * slot,
  };
}

function encodeNibbles(view: DataView, d: number, slots: readonly Slot[]): void {
  const at = nibblePlaces(d);
  for (let c = 0; c < d; c++) {
    const { numbers, scale, minimum } = storedNibbles(slots.map(({ key }) => key[c] ?? Number.NaN));
    view.setFloat16(at.keyScale(c), scale, true);
    view.setFloat16(at.keyMinimum(c), minimum, true);
    for (const [slot, number] of numbers.entries()) putNibble(view, at.key(slot, c), (slot & 16) !== 0, number);
  }
  for (const [slot, { key, value }] of slots.entries()) {
    const sound = [...Array.from(key), ...Array.from(value)].every((number) => !Number.isNaN(number));
    for (let from = 0; from < d; from += 32) {
      const { numbers, scale, minimum } = storedNibbles(Array.from(value).slice(from, from + 32));
      view.setFloat16(at.valueScale(slot, from), sound ? scale : Number.NaN, true);
      view.setFloat16(at.valueMinimum(slot, from), sound ? minimum : Number.NaN, true);
      for (const [i, number] of numbers.entries()) putNibble(view, at.value(slot, from + i), (slot & 4) !== 0, number);
    }
  }
}

function decodeNibbles(view: DataView, d: number, count: number): Slot[] {
  const at = nibblePlaces(d);
  const half = (address: number) => view.getFloat16(address, true);
  return Array.from({ length: count }, (_, slot) => {
    const value = decoded(d, (c) => ({
      scale: half(at.valueScale(slot, c)),
      number: getNibble(view, at.value(slot, c), (slot & 4) !== 0),
      minimum: half(at.valueMinimum(slot, c)),
    }));
    // A NaN of the slot shows in its value; that its key counts as one too is what attention makes of it.
    const bad = value.numbers.some(Number.isNaN) ? Number.NaN : 0;
    const key = decoded(d, (c) => ({
      scale: half(at.keyScale(c)),
      number: getNibble(view, at.key(slot, c), (slot & 16) !== 0),
      minimum: half(at.keyMinimum(c)) + bad,
    }));
    return slotOf(view.getInt32(4 * slot, true), key, value);
  });
}

function putNibble(view: DataView, address: number, isHigh: boolean, number: number): void {
  const byte = view.getUint8(address);
  view.setUint8(address, isHigh ? (byte & 15) | (number << 4) : (byte & 0xf0) | number);
}

function getNibble(view: DataView, address: number, isHigh: boolean): number {
  return (view.getUint8(address) >> (isHigh ? 4 : 0)) & 15;
}

function encodeSlotNibbles(view: DataView, d: number, slots: readonly Slot[]): void {
  const at = nibblePlaces(d);
  for (const [slot, { key, value }] of slots.entries()) {
    const sound = [...Array.from(key), ...Array.from(value)].every((number) => !Number.isNaN(number));
    const [k, v] = [storedNibbles(key), storedNibbles(value)];
    for (const [i, number] of [k.scale, k.minimum, v.scale, v.minimum].entries()) {
      view.setFloat16(at.slotHalf(slot, i), sound ? number : Number.NaN, true);
    }
    for (let c = 0; c < d; c++) {
      putNibble(view, at.key(slot, c), (slot & 16) !== 0, k.numbers[c] ?? 0);
      putNibble(view, at.value(slot, c), (slot & 4) !== 0, v.numbers[c] ?? 0);
    }
  }
}

function decodeSlotNibbles(view: DataView, d: number, count: number): Slot[] {
  const at = nibblePlaces(d);
  return Array.from({ length: count }, (_, slot) => {
    const half = (i: number) => view.getFloat16(at.slotHalf(slot, i), true);
    return slotOf(
      view.getInt32(4 * slot, true),
      decoded(d, (c) => ({
        scale: half(0),
        number: getNibble(view, at.key(slot, c), (slot & 16) !== 0),
        minimum: half(1),
      })),
      decoded(d, (c) => ({
        scale: half(2),
        number: getNibble(view, at.value(slot, c), (slot & 4) !== 0),
        minimum: half(3),
      })),
    );
  });
}

export interface PlacedHead extends Omit<Head, 'table'> {
  readonly slots: readonly Slot[];
}

/** Lays out the slots of every head in pages, in no order, and returns the address of the [g] head entries. */
export function placeHeads(
  room: Room,
  format: PageFormat,
  d: number,
  heads: readonly PlacedHead[],
  next: () => number,
): number {
  const entries = heads.flatMap(({ slots, ...head }) => {
    const starts = Array.from({ length: Math.ceil(slots.length / pageSlots) }, (_, page) => page);
    const addresses = new Int32Array(starts.length);
    for (const page of starts.toSorted(() => next() - 0.5)) {
      const from = page * pageSlots;
      addresses[page] = room.input(encodePage(format, d, slots.slice(from, from + pageSlots)));
    }
    return headWords({ ...head, table: room.input(addresses) });
  });
  return room.input(Int32Array.from(entries));
}

/** Byte offsets inside a page, as `page.assembly.ts` states them. */
function places(format: RowFormat, d: number) {
  const size = format === 'f32' ? 4 : format === 'f16' ? 2 : 1;
  const keys = 4 * pageSlots;
  const values = keys + size * pageSlots * d;
  const scales = values + size * pageSlots * d;
  const bytes = format === 'q8';
  return {
    key: (slot: number, c: number) =>
      keys + (bytes ? (c & ~3) * pageSlots + 4 * slot + (c & 3) : size * (c * pageSlots + slot)),
    value: (slot: number, c: number) =>
      values + (bytes ? (slot & 7) * 4 * d + 4 * c + (slot >> 3) : size * (slot * d + c)),
    keyScale: (slot: number) => scales + 4 * slot,
    keyMinimum: (slot: number) => scales + 4 * (pageSlots + slot),
    valueScale: (slot: number) => scales + 4 * (2 * pageSlots + slot),
  };
}

function put(view: DataView, format: RowFormat, at: number, { numbers }: Stored, c: number): void {
  const number = numbers[c] ?? Number.NaN;
  if (format === 'f32') view.setFloat32(at, number, true);
  else if (format === 'f16') view.setFloat16(at, number, true);
  else view.setInt8(at, number);
}

function get(view: DataView, format: RowFormat, at: number): number {
  if (format === 'f32') return view.getFloat32(at, true);
  return format === 'f16' ? view.getFloat16(at, true) : view.getInt8(at);
}
