import { fc, test as property } from '@fast-check/vitest';
import { expect, test } from 'vitest';
import { Random } from './random.ts';

property.prop([fc.string(), fc.array(fc.integer())])('the same name gives the same choices', (name, items) => {
  const draw = (random: Random) => [random.integer(-5, 5), random.real(), random.shuffled(items), random.uuid()];
  expect(draw(new Random(name))).toEqual(draw(new Random(name)));
});

test('the choices do not change with versions: ids of cases name the same cases for good', () => {
  const random = new Random('loci');
  expect([random.integer(0, 999_999), random.integer(0, 999_999), random.uuid()]).toMatchInlineSnapshot(`
    [
      732226,
      668828,
      "691606ba-35a6-43fb-8bb5-868a28d8531f",
    ]
  `);
});

property.prop([fc.string(), fc.array(fc.integer())])('a shuffle loses nothing', (name, items) => {
  expect(new Random(name).shuffled(items).sort()).toEqual([...items].sort());
});

test('every number of a range comes about as often as the others', () => {
  const random = new Random('fair');
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const drawn = random.integer(0, 9);
    counts[drawn] = (counts[drawn] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
});

test('a UUID has its version and variant', () => {
  expect(new Random('').uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
