import { expect, test } from 'vitest';
import { noteOn } from './needles.ts';

test('the note tells how many misses float32 finds', () => {
  expect(noteOn([], 80)).toBe('none of 80 missed');
  const note = noteOn([{ foundInFloat32: true }, { foundInFloat32: false }, { foundInFloat32: true }], 80);
  expect(note).toMatch(/^3 of 80 missed; asked again .* finds 2 of them$/);
});
