import { fc, test as property } from '@fast-check/vitest';
import { LociError } from 'loci';
import { describe, expect, test } from 'vitest';
import { methods, parseMethod, parseMethods } from './registry.ts';

const factories = Object.values(methods).flat();
/** What a command line may say where a value is expected, and almost nowhere makes sense. */
const odd = [
  '',
  ' ',
  'x!',
  '-1',
  '0',
  '0.5',
  '1e99',
  '-1e99',
  'NaN',
  'Infinity',
  '0x10',
  '5 ',
  '%',
  '-5%',
  '0%',
  '101%',
];

const decimals = /^-?[\d.]+(e\d+)?$/;

function refusal(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof LociError && error.code === 'bad-option') return error.message;
    throw error;
  }
  return undefined;
}

describe.each(factories)('$axis $name', ({ axis, name, options, parse }) => {
  // Heads to switch off are the one thing that has no default.
  const least = name === 'mask-heads' ? 'heads=1.2' : '';

  test('with all options said is the method that was meant', () => {
    const { spec } = parse(least);
    expect(parse(spec.slice(name.length + 1)).spec).toBe(spec);
    for (const { help } of options) expect(help).not.toBe('');
  });

  test('names what it does not know', () => {
    const known = options.length === 0 ? 'it has none' : `its options are ${options.map((one) => one.name).join(', ')}`;
    const foreign = [least, 'colour=red'].filter((text) => text !== '').join(',');
    expect(refusal(() => parse(foreign))).toBe(`--${axis} ${name} has no option "colour"; ${known}`);
    expect(refusal(() => parse('budget'))).toBe(`--${axis} ${name}: "budget" is not option=value`);
    expect(refusal(() => parse('=1'))).toBe(`--${axis} ${name}: "=1" is not option=value`);
  });

  test.each(options)('$name names itself, the value and the range', (option) => {
    const rest = option.name === 'heads' || least === '' ? '' : `,${least}`;
    const refused = odd.filter((value) => {
      const message = refusal(() => parse(`${option.name}=${value}${rest}`));
      // What makes no sense beside another option is said with the number that was read.
      const said = decimals.test(value) ? [JSON.stringify(value), String(Number(value))] : [JSON.stringify(value)];
      if (message === undefined) return false;
      expect(
        said.map((one) => `${option.name} is ${one}; it must `).some((start) => message.includes(start)),
        message,
      ).toBe(true);
      return true;
    });
    // Nothing takes an empty text, or a word that is none of its choices.
    expect(refused).toEqual(expect.arrayContaining(['', 'x!']));
    if (typeof option.value === 'number')
      expect(refused).toEqual(expect.arrayContaining(['NaN', '0x10', '5 ', '1e99']));
    const twice = `${option.name}=1,${option.name}=1`;
    expect(refusal(() => parse(twice))).toBe(`--${axis} ${name}: ${option.name} is given twice`);
  });
});

describe('several axes at once', () => {
  const specs = (text: string) => {
    const { attend, keep, store, steer = [] } = parseMethods(text);
    return {
      ...{ attend: attend?.spec, keep: keep?.spec, steer: steer.map(({ spec }) => spec) },
      store: typeof store === 'string' ? store : store?.spec,
    };
  };

  test('options belong to the axis before them', () => {
    expect(parseMethods('dense')).toEqual({});
    expect(specs('keep=snapkv:budget=512,window=16,store=q4,attend=dense')).toEqual({
      ...{ attend: 'dense', store: 'q4', steer: [] },
      keep: parseMethod.keep('snapkv:budget=512,window=16')?.spec,
    });
    expect(specs('store=q8,keep=all')).toEqual({ attend: undefined, keep: undefined, store: 'q8', steer: [] });
    expect(specs('steer=mask-heads:heads=1.2,steer=mask-heads:heads=3.4').steer).toHaveLength(2);
  });

  test.each([
    ['', '"": "" is not axis=method; axes are attend, keep, store, remember, steer'],
    ['dense,store=q4', '"dense,store=q4": "dense" is not axis=method; axes are attend, keep, store, remember, steer'],
    ['hold=snapkv', '"hold=snapkv": "hold=snapkv" is not axis=method'],
    ['keep=snapkv,keep=tova', '"keep=snapkv,keep=tova" names two methods for keep'],
    ['keep=', '--keep is ""; known methods: all, snapkv'],
    ['keep=snapkv:budgte=5', '--keep snapkv has no option "budgte"; its options are budget, window'],
    ['keep=snapkv:window=0,store=q4', '--keep snapkv: window is "0"; it must be at least 1'],
    ['keep=snapkv:budget=0,store=q4', '--keep snapkv: budget is "0"; it must be a number of slots, 1 or more'],
    ['keep=snapkv:kernel=4', 'kernel is 4; it must be odd'],
    ['keep=snapkv:budget=16,window=32', 'window is 32; it must be less than the budget of 16'],
    ['keep=snapkv:pooling=min', 'pooling is "min"; it must be max or avg'],
    ['store=q4:bits=3', '--store is "q4:bits=3"; q4 takes no options'],
    ['store=q5', '--store is "q5"; known methods: f16, q8, q4, f32, kv4'],
    ['attend=hup', '--attend is "hup"; known methods: dense'],
    ['store=q4,window=3', '--store is "q4,window=3"; known methods: '],
  ])('%j is refused', (text, message) => {
    expect(refusal(() => parseMethods(text))).toContain(message);
  });

  const piece = fc.constantFrom(
    ...['keep', 'store', 'steer', 'attend', '=', ',', ':', 'snapkv', 'mask-heads', 'q4', 'dense', 'all', 'budget'],
    ...['heads', '25%', '-1', '1.2', '__proto__', 'constructor', 'é', ''],
  );
  property.prop([fc.array(piece, { maxLength: 12 })])('is read, or refused as a wrong option', (pieces) => {
    refusal(() => parseMethods(pieces.join('')));
  });
});
