import { describe, expect, test } from 'vitest';
import { renderChat } from './chat-template.ts';

/** Enough for any of these on a slow machine, and far less than each would take unbounded. */
const PATIENCE_MS = 10_000;
/** What only the clock or the count of steps ends should end soon; the rest must not be ended by the clock. */
const SHORT_MS = 700;

function attack(template: string, timeMs: number): unknown {
  try {
    return renderChat(template, {
      messages: [{ role: 'user', content: 'Hi' }],
      addGenerationPrompt: true,
      limits: { timeMs },
    });
  } catch (error) {
    return error;
  }
}

/** A text of 16 · 2^n characters in `a`. */
const text = (doublings: number): string =>
  `{% set a = '0123456789abcdef' %}${'{% set a = a ~ a %}'.repeat(doublings)}`;
/** As many letters "a". */
const sames = (doublings: number): string => `{% set a = 'a' %}${'{% set a = a ~ a %}'.repeat(doublings)}`;
/** Namespaces that come to hold the one before twice, 2^40 values in all, without a step that makes a large value. */
const tower = '{% set n0 = namespace(x=1) %}'.concat(
  ...Array.from({ length: 40 }, (_, i) => {
    const name = `n${i + 1}`;
    return `{% set ${name} = namespace() %}{% set ${name}.a = n${i} %}{% set ${name}.b = n${i} %}`;
  }),
);
/** The same behind a list that was small when it was made. */
const towerInList = `{% set n = namespace() %}{% set l = [n] %}${tower}{% set n.z = n40 %}`;

/** Attacks by the reason for which each must be stopped, so that no limit hides that another is missing. */
const attacks: readonly (readonly [reason: RegExp, ...cases: (readonly [name: string, template: string])[]])[] = [
  [
    /took longer than \d+ ms|took more than \d+ steps/,
    ['loops in loops', '{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}'],
    ['a tree of calls', '{% macro f(n) %}{% if n > 0 %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}'],
    [
      'callers of callers',
      `{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}${'{% call m() %}'.repeat(60)}x${'{% endcall %}'.repeat(60)}`,
    ],
    [
      'defining a long macro often',
      `{% for i in range(99999) %}{% macro m() %}${'{{ a.b.c }}'.repeat(5000)}{% endmacro %}{% endfor %}`,
    ],
    ['looking for what is not there', `{% for i in range(99999) %}${'{{ nowhere }}'.repeat(50)}{% endfor %}`],
  ],
  [
    /makes a value of more than 16777216 characters/,
    ['a long range', '{% for a in range(10 ** 9) %}x{% endfor %}'],
    ['text that doubles', text(60)],
    [
      'text that doubles in a namespace',
      '{% set n = namespace(a="x") %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}',
    ],
    ['a list that doubles', `{% set a = [1] %}${'{% set a = a + a %}'.repeat(60)}`],
    ['lists that hold themselves twice', `{% set a = [1] %}${'{% set a = [a, a] %}'.repeat(60)}`],
    ['namespaces that hold themselves twice, written', `${tower}{{ n40 }}`],
    ['the same in a list, appended', `${towerInList}{{ l ~ '' }}`],
    ['the same in a list, compared', `${towerInList}{{ l == 'x' }}`],
    ['the same in a list, compared from the right', `${towerInList}{{ 'x' == l }}`],
    ['the same in a list, joined', `${towerInList}{% set x = [l] | join %}`],
    ['the same as JSON', `${tower}{% set x = n40 | tojson %}`],
    ['replacing nothing by much', `${text(16)}{{ a | replace('', a) }}`],
    ['replacing by a method', `${text(16)}{{ a.replace('0', a) }}`],
    ['replacing by a method under another name', `${text(16)}{% set f = a.replace %}{{ f('0', a) }}`],
    ['replacing by a computed name', `${text(16)}{{ a['re' ~ 'place']('0', a) }}`],
    ['replacing in a block', `${text(16)}{% filter replace('0', a) %}{{ a }}{% endfilter %}`],
    ['replacing again and again', `{% set a = 'a' %}${"{% set a = a | replace('a', 'aaaaaaaaaa') %}".repeat(30)}`],
    ['splitting into characters', `${sames(24)}{{ a.split('a') | length }}`],
    ['splitting into words', `{% set a = 'a ' %}${'{% set a = a ~ a %}'.repeat(23)}{{ a.split() | length }}`],
    ['slicing a long text', `${text(20)}{% set b = a[::-1] %}`],
    ['joining by much', `${text(16)}{{ range(9999) | join(a) }}`],
    ['joining by a name', `${text(16)}{{ range(9999) | join(separator=a) }}`],
    [
      'joining by unpacked arguments',
      `${text(16)}{{ range(9999) | join(*[a]) }}{{ range(9999) | join(**{'separator': a}) }}`,
    ],
    ['joining characters', `${text(10)}{{ a | join(a) }}`],
    ['indenting far', "{{ 'a\nb' | indent(10 ** 9) }}"],
    ['indenting many lines', `{% set a = '\n' %}${'{% set a = a ~ a %}'.repeat(20)}{{ a | indent(99, true, true) }}`],
  ],
  [
    /made more than 268435456 characters in all/,
    ['writing much often', `${text(19)}{% for i in range(99999) %}{{ a }}{% endfor %}`],
    ['writing lists often', `${text(14)}{% set l = [a, a, a] %}{% for i in range(99999) %}{{ l }}{% endfor %}`],
    ['keeping much', text(19).concat(...Array.from({ length: 300 }, (_, i) => `{% set v${i} = (a ~ ${i}) | upper %}`))],
  ],
  [
    /searches too much text/,
    ['searching for almost the same', `${sames(20)}{% set b = 'b' ~ a %}{{ b in a ~ a }}`],
    ['searching again and again', `${sames(20)}{% for i in range(99999) %}{{ 'aaaaaaaaaab' in a }}{% endfor %}`],
    ['splitting by almost the same', `${sames(20)}{{ (a ~ a).split('b' ~ a) }}`],
    [
      'replacing almost the same',
      `${sames(15)}{% set b = 'b' ~ a %}${'{% set a = a ~ a %}'.repeat(5)}{{ a | replace(b, '') }}`,
    ],
  ],
  [
    /range\(\) takes/,
    ['an endless range', '{{ range(1 // 0) }}'],
    ['a range of text', "{{ range('0', '9') }}"],
    ['a range without progress', '{{ range(0, 9, 0) }}'],
  ],
  [
    /nests lists more than 100 deep/,
    ['a namespace in itself', '{% set n = namespace(x=1) %}{% set n.x = [n, n] %}{{ n }}'],
    ['lists nested deeply', '{% set n = namespace(a=1) %}{% for i in range(999) %}{% set n.a = [n.a] %}{% endfor %}'],
  ],
  [
    /nests calls or expressions more than 400 deep/,
    ['a macro that calls itself', '{% macro m(x) %}{{ m(x) }}{{ m(x) }}{% endmacro %}{{ m(1) }}'],
    ['a long sum', `{{ 1${'+1'.repeat(40_000)} }}`],
    ['many filters', `{{ 'a'${'|upper'.repeat(15_000)} }}`],
    ['a long path', `{{ a${'.a'.repeat(40_000)} }}`],
  ],
  [
    /more than 65536 characters|more than 256 characters|more than 64 /,
    ['replacing a long text', `${text(14)}{{ a | replace(a, '') }}`],
    ['sorting by a long path', `${sames(20)}{{ range(9999) | sort(attribute=a) }}`],
    ['mapping to a long path', `${sames(20)}{{ [{'a': 1}] | map(attribute=a) }}`],
    ['JSON indented far', '{{ [1, [2]] | tojson(indent=10 ** 9) }}'],
    ['JSON separated far', `${text(16)}{{ range(9999) | tojson(separators=(a, a)) }}`],
  ],
  [
    /it has 262144 characters|512 blanks in a row/,
    ['a long template', ' x'.repeat(1 << 17)],
    ['a long run of blanks', `{{ x }}${' '.repeat(100_000)}`],
  ],
  [
    /call stack/,
    ['deep parentheses', `{{ ${'('.repeat(40_000)}1${')'.repeat(40_000)} }}`],
    ['deep blocks', '{% if 1 %}'.repeat(8_000)],
  ],
];

for (const [reason, ...cases] of attacks) {
  const timeMs = reason.source.startsWith('took') ? SHORT_MS : PATIENCE_MS;
  describe(`stopped because it ${reason.source}`, () => {
    test.each(cases)('%s', (_, template) => {
      const started = performance.now();
      expect(attack(template, timeMs)).toMatchObject({
        name: 'LociError',
        code: 'bad-template',
        message: expect.stringMatching(reason),
      });
      expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
    });
  });
}

test('runs of blanks within the limit are no way around it', () => {
  const started = performance.now();
  for (const part of [`${' '.repeat(511)}{%`, `{% ${' '.repeat(500)}`, `${' '.repeat(511)}x`]) {
    attack(part.repeat(Math.floor((1 << 17) / part.length)), PATIENCE_MS);
  }
  expect(performance.now() - started).toBeLessThan(PATIENCE_MS);
});

test('a list passed to raise_exception is not written out', () => {
  expect(
    attack(`{% set a = [1] %}${'{% set a = [a, a] %}'.repeat(10)}{{ raise_exception(a) }}`, SHORT_MS),
  ).toMatchObject({
    code: 'bad-template',
    message: 'the chat template refuses these messages: it does not say why',
  });
});

test('messages that are too large are not the fault of the template', () => {
  const messages = [{ role: 'user', content: 'x'.repeat(2_000) }];
  const options = { messages, addGenerationPrompt: false, limits: { valueLength: 1_000 } };
  expect(() => renderChat('', options)).toThrow(expect.objectContaining({ code: 'too-long' }));
});

test('an honest template with long messages stays within the limits', () => {
  const messages = Array.from({ length: 2_000 }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: 'word '.repeat(500),
  }));
  const template =
    "{% for m in messages %}{% if m.content is string %}{{ '<' + m.role + '>' + m.content.replace('  ', ' ') | trim }}{% endif %}{% endfor %}";
  expect(renderChat(template, { messages, addGenerationPrompt: false }).length).toBeGreaterThan(5_000_000);
});
