import { describe, expect, test } from 'vitest';
import { type ChatMessage, type RenderChatOptions, renderChat } from './chat-template.ts';

const user = (content: string): ChatMessage => ({ role: 'user', content });

function render(template: string, options: Partial<RenderChatOptions> = {}): string {
  return renderChat(template, { messages: [user('Hi')], addGenerationPrompt: true, ...options });
}

const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Tells the <weather> in a café',
    parameters: { type: 'object', properties: {} },
  },
};

/** The constructs of Llama 3.1's template: a date, system text taken off the list, tools as JSON. */
const LIKE_LLAMA = `{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|system|>" + date_string + "|" + system_message }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|' + message['role'] + '|>' + message['content'] | trim + eos_token }}
    {%- elif 'tool_calls' in message %}
        {%- if message.tool_calls|length != 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", ' + '"parameters": ' }}{{ call.arguments | tojson }}{{ "}" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{%- endif %}`;

/** The constructs of Qwen 3's: a namespace, the list read backwards, text taken apart around a tag. */
const LIKE_QWEN = `{%- set ns = namespace(last=messages|length - 1, found=false) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if not ns.found and message.role == "user" and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.found = true %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" and '</think>' in content %}
        {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {{- '[' + loop.index0|string + (':' + reasoning if loop.index0 > ns.last else '') + ']' }}
    {%- endif %}
    {{- message.role + '=' + content + ';' }}
{%- endfor %}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think></think>' }}{%- endif %}`;

/** The constructs of Gemma's: roles that must alternate, content in parts, a conditional expression. */
const LIKE_GEMMA = `{{ bos_token }}
{%- for message in messages -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("roles must alternate") }}
    {%- endif -%}
    {%- set role = "model" if message['role'] == 'assistant' else message['role'] -%}
    {{ '<start>' + role + '\n' + ("first " if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {{ item['text'] | trim if item['type'] == 'text' else '<image>' }}
        {%- endfor -%}
    {%- endif -%}
    {{ '<end>\n' }}
{%- endfor -%}`;

describe('a template like that of', () => {
  test('Llama 3.1', () => {
    const messages = [
      { role: 'system', content: ' Be brief. ' },
      user(' Hi '),
      { role: 'assistant', tool_calls: [{ function: { name: 'weather', arguments: { city: 'Köln' } } }] },
    ];
    const options = { messages, bosToken: '<s>', eosToken: '</s>', now: new Date(2024, 6, 4) };
    expect(render(LIKE_LLAMA, options)).toBe(
      '<s><|system|>04 Jul 2024|Be brief.<|user|>Hi</s>{"name": "weather", "parameters": {"city": "Köln"}}<|assistant|>',
    );
    expect(
      render(LIKE_LLAMA, { ...options, messages: [user('Hi')], tools: [weather], extra: { date_string: 'today' } }),
    ).toBe(`<s><|system|>today|${JSON.stringify(weather, undefined, 4)}<|user|>Hi</s><|assistant|>`);
    const calls = [{ role: 'assistant', tool_calls: [] }];
    expect(() => render(LIKE_LLAMA, { messages: calls })).toThrow('refuses these messages: one call at a time');
  });

  test('Qwen 3', () => {
    const messages = [
      user('a'),
      { role: 'assistant', content: '<think>\nold\n</think>\n\n  A' },
      user('b'),
      user('<r>tool</r>'),
      { role: 'assistant', content: '<think>\nnew\n</think>\n\nB' },
    ];
    // As in Python, lstrip('\n') leaves the blanks that follow.
    expect(render(LIKE_QWEN, { messages, extra: { enable_thinking: false } })).toBe(
      'user=a;[1]assistant=  A;user=b;user=<r>tool</r>;[4:new]assistant=B;<think></think>',
    );
  });

  test('Gemma 3', () => {
    const messages = [
      { role: 'user', content: [{ type: 'image' }, { type: 'text', text: ' what? ' }] },
      { role: 'assistant', content: 'a cat' },
    ];
    expect(render(LIKE_GEMMA, { messages, bosToken: '<bos>' })).toBe(
      '<bos><start>user\nfirst <image>what?<end>\n<start>model\na cat<end>\n',
    );
    expect(() => render(LIKE_GEMMA, { messages: [user('a'), user('b')] })).toThrow('roles must alternate');
  });
});

describe('what templates are given', () => {
  test.each([
    ['{{ bos_token }}{{ eos_token }}', ''],
    ['{{ tools is none }},{{ documents is none }}', 'true,true'],
    ['{{ add_generation_prompt }}', 'true'],
    ['{% for i in range(3) %}{{ i }}{% endfor %}', '012'],
    ['{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}', '531'],
    ['{{ range(2, 2)|length }}', '0'],
    [
      "{{ strftime_now('%Y-%m-%d %H:%M:%S %I%p %A %a %B %b %y %% %Q') }}",
      '2024-07-04 15:06:07 03PM Thursday Thu July Jul 24 % %Q',
    ],
    ['{{ "é<&>" | tojson }}', '"é<&>"'],
    ["{{ {'b': [1, 2.5, none, true], 'a': {}} | tojson }}", '{"b": [1, 2.5, null, true], "a": {}}'],
    ["{{ '--a--'.strip('-') }}|{{ 'xya'.lstrip('yx') }}|{{ ' a '.rstrip() }}|{{ 'a'.rstrip('b') }}", 'a|a| a|a'],
    ["{{ 'abc'['up' ~ 'per']() }}{{ 'abc'[1] }}{{ 'abc'[::-1] }}", 'ABCbcba'],
    ["{{ ['b', 'a']|sort|join(', ') }}{{ [{'n': 'x'}]|map(attribute='n')|join }}", 'a, bx'],
    ["{% filter replace('a', 'b') %}aa{% endfilter %}", 'bb'],
    ["{{ 'aaa'.replace('a', 'b', 2) }}{{ 'aaa'|replace('a', 'b', count=1) }}", 'bbabaa'],
    ["{{ 'a\n\nb'|indent(2, first=true) }}", '  a\n\n  b'],
    ["{% macro m(x, y='d') %}{{ x }}{{ y }}{{ caller() }}{% endmacro %}{% call m('a') %}c{% endcall %}", 'adc'],
    [
      '{% for x in [1, 2, 3, 4] %}{% if x == 2 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}',
      '13',
    ],
    ['{% for k, v in {"a": 1}.items() %}{{ k }}{{ v }}{% else %}none{% endfor %}', 'a1'],
    ['{% set ns = namespace(n=0) %}{% for x in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}', '1'],
    ['{% generation %}{{ messages|first|tojson }}{% endgeneration %}', '{"role": "user", "content": "Hi"}'],
    ['{{ [] | first is defined }}', 'false'],
    ['{{ messages[-1].content ~ 1 ~ [1] }}', 'Hi11'],
  ])('%s', (template, expected) => {
    expect(render(template, { now: new Date(2024, 6, 4, 15, 6, 7) })).toBe(expected);
  });

  test('further variables, but not under a name that is taken', () => {
    expect(render('{{ x.y }}{{ documents|length }}', { extra: { x: { y: 1 }, documents: [1, 2] } })).toBe('12');
    for (const name of ['messages', 'tools', 'range', 'bos_token', 'namespace', 'true']) {
      expect(() => render('', { extra: { [name]: 1 } })).toThrow(expect.objectContaining({ code: 'bad-option' }));
    }
  });
});

describe('protected texts', () => {
  const protect = (text: string) => text.replaceAll('<', '!<');

  test("are those of messages, tools and further variables at any depth, and not the template's", () => {
    const template = "<{{ messages | tojson }}<{{ tools[0]['a<'] }}{{ tools[0]['a!<'] }}<{{ x[0].y }}{{ bos_token }}";
    const given = {
      messages: [{ role: 'us<er', content: [{ type: 'text', text: '<b' }], n: 1, none: null }],
      tools: [{ 'a<': '<c' }],
      extra: { x: [{ y: '<d' }] },
      bosToken: '<s>',
    };
    const messages = '[{"role": "us!<er", "content": [{"type": "text", "text": "!<b"}], "n": 1, "none": null}]';
    expect(render(template, { ...given, protect })).toBe(`<${messages}<!<c<!<d<s>`);
  });
});

describe('a template that is wrong is refused', () => {
  test.each([
    '{{',
    '{% if %}',
    '{% for x in y %}',
    '{{ 1 | nonsense }}',
    '{{ x.y.z() }}',
    '{% break %}',
    '{{ "a" * 3 }}',
  ])('%s', (template) => {
    expect(() => render(template)).toThrow(expect.objectContaining({ code: 'bad-template' }));
  });
});
