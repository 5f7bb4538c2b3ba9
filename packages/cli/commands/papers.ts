import { command } from '../command.ts';
import { table } from '../output/format.ts';

export const papers = command({
  name: 'papers',
  summary: 'List the papers that are built in, and the methods that come with them.',
  usage: [''],
  positionals: [],
  options: {},
  async run(_, { reporter }) {
    const { methods, papers: known } = await import('@loci/papers');
    const listed = Object.values(methods).flatMap((axis) =>
      axis.map(({ axis: name, name: method, summary, options }) => ({
        ...{ axis: name, method, summary },
        options: options.map(({ name: option, help, value }) => ({ name: option, help, default: value ?? null })),
      })),
    );
    const about = known.map(({ slug, title, authors, year, url, claims }) => ({
      ...{ slug, title, authors, year, url },
      claims: claims.map(({ id, claimed }) => ({ id, claimed })),
    }));
    reporter.document({ papers: about, methods: listed });
    const paperRows = about.map(({ slug, year, claims, title }) => [slug, String(year), String(claims.length), title]);
    reporter.text(`${table(['paper', 'year', 'claims', 'title'], paperRows, 1)}\n\n`);
    const methodRows = listed.map(({ axis, method, summary }) => [`--${axis} ${method}`, summary]);
    reporter.text(`${table(['method', 'what it does'], methodRows, 2)}\n`);
  },
});
