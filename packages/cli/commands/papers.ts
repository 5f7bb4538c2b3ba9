import type { Paper } from '@loci/evaluate';
import type { MethodFactory } from '@loci/papers';
import type { Method } from 'loci';
import { command } from '../command.ts';
import { usage } from '../options/option.ts';
import { table, twoColumns } from '../output/format.ts';

export const papers = command({
  name: 'papers',
  summary: 'List the papers that are built in, and the methods that come with them.',
  usage: ['', 'NAME'],
  positionals: [{ name: 'NAME', help: 'a paper or a method: its claims, its options', optional: true }],
  options: {},
  async run({ positionals: [name] }, { reporter }) {
    const { methods, papers: known } = await import('@loci/papers');
    const all: readonly MethodFactory<Method>[] = Object.values(methods).flat();
    const [shown, factories] = [
      known.filter(({ slug }) => name === undefined || slug === name),
      all.filter((method) => name === undefined || method.name === name),
    ];
    if (shown.length + factories.length === 0) {
      const names = [...new Set([...known.map(({ slug }) => slug), ...all.map((method) => method.name)])];
      throw usage(`there is no paper or method "${name}"; there are ${names.join(', ')}`);
    }
    reporter.document({ papers: shown.map(aboutPaper), methods: factories.map(aboutMethod) });
    if (name !== undefined) {
      reporter.text([...shown.map(paperText), ...factories.map(methodText)].join('\n'));
      return;
    }
    const paperRows = shown.map(({ slug, title, year, claims }) => [slug, title, String(year), String(claims.length)]);
    reporter.text(`${table(['paper', 'title', 'year', 'claims'], paperRows, 2)}\n\n`);
    const methodRows = factories.map(({ axis, name: method, summary }) => [`--${axis} ${method}`, summary]);
    reporter.text(
      `${table(['method', 'what it does'], methodRows, 2)}\n\nloci papers NAME lists claims and options.\n`,
    );
  },
});

function aboutPaper({ slug, title, authors, year, url, claims }: Paper) {
  return { slug, title, authors, year, url, claims: claims.map(({ id, claimed }) => ({ id, claimed })) };
}

function aboutMethod({ axis, name: method, summary, options }: MethodFactory<Method>) {
  const described = options.map(({ name, help, value }) => ({ name, help, default: value ?? null }));
  return { axis, method, summary, options: described };
}

function paperText({ title, authors, year, url, claims }: Paper): string {
  const rows = claims.map(({ id, claimed }) => [id, claimed] as const);
  return `${title}\n${authors} ${year}, ${url}\n\nclaims\n${twoColumns(rows)}\n`;
}

function methodText({ axis, name, summary, options }: MethodFactory<Method>): string {
  const rows = options.map((option) => [option.name, String(option.value ?? '–'), option.help]);
  const list = rows.length === 0 ? '  no options' : table(['option', 'default', 'what it is'], rows, 3);
  return `--${axis} ${name}: ${summary}\n\n${list}\n`;
}
