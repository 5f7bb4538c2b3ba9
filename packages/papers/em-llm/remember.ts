import { LociError, type Remember } from 'loci';
import { z } from 'zod';
import { define } from '../methods/define.ts';
import { choice, number, whole } from '../methods/option.ts';
import { lookupOption, refusesLookup } from './lookup.ts';
import { EpisodicMemory } from './memory.ts';

export type Settings = z.output<z.ZodObject<ReturnType<typeof options>>>;

/**
 * EM-LLM (Fountas et al. 2024, arXiv 2407.09450): tokens that leave a local window are remembered as events, which end
 * where the model is surprised. Every layer attends to the first tokens, to the window, and to the events that its queries
 * resemble most and their neighbours, all as if they stood at the window's edge.
 */
export const emLlm = define<Remember, ReturnType<typeof options>>({
  axis: 'remember',
  name: 'em-llm',
  summary: 'events that end where the model is surprised, brought back by similarity and with their neighbours',
  options: z.object(options()),
  create(settings, base) {
    check(settings);
    return {
      ...base,
      losses: true,
      needs: {
        decides: ['slots', 'sight'],
        refuses: ({ arch }) => {
          const { local, lookup } = settings;
          if (local > arch.contextLength)
            return `local is ${local}, and the model was trained on distances below ${arch.contextLength}`;
          return refusesLookup(lookup, arch);
        },
      },
      open: (host) => new EpisodicMemory(host, settings),
    };
  },
});

function options() {
  return {
    init: whole(0, 1_000_000, 16, 'tokens at the beginning that are always seen'),
    local: whole(2, 1_000_000, 512, 'tokens of the local window, the query included'),
    mem: whole(0, 100_000_000, 256, 'tokens of events that are brought back'),
    chunk: whole(1, 512, 128, 'tokens that are read at a time'),
    min: whole(1, 1_000_000, 8, 'tokens of an event at least'),
    max: whole(1, 1_000_000, 64, 'tokens of an event at most'),
    gamma: number(-100, 100, 1, 'deviations beyond the mean loss at which a token surprises'),
    tokens: whole(1, 64, 8, 'tokens that stand for an event, those that most attention was paid to'),
    stands: choice(
      ['best', 'mean'],
      'best',
      'how they do: by the best of their keys for each head, in shares of attention, or by their mean, as in the paper',
    ),
    contiguity: number(0, 1, 0.3, 'share of mem for neighbours of what was chosen'),
    refine: choice(['off', 'modularity', 'conductance'], 'off', 'what cuts are moved by'),
    layers: whole(0, 1_000_000, 20, 'first layer whose keys cuts are moved by'),
    lookup: lookupOption(),
    question: choice(
      ['twice', 'once'],
      'twice',
      'how often the end of a prompt is read: first for what its last token brings back, then with that, or once, as in the paper',
    ),
    hold: whole(
      1,
      1_000_000,
      32,
      'tokens of an answer that read what was brought back for the first of them; 1 is the paper’s',
    ),
    choose: choice(['similar', 'random'], 'similar', 'which events are brought back; random is a control'),
    official: choice(['no', 'yes'], 'no', 'cuts a token earlier and counts tokens twice, as the official code does'),
    fast: whole(0, 1_000_000_000, 16384, 'tokens of events in memory, the others lie in a file'),
  };
}

/** @throws LociError `bad-option` */
function check({ init, local, mem, chunk, min, max }: Settings): void {
  const refuse = (what: string): never => {
    throw new LociError('bad-option', `--remember em-llm: ${what}`);
  };
  if (min > max) refuse(`min is ${min}; it must be at most max, ${max}`);
  if (mem > 0 && max > mem) refuse(`max is ${max}; it must be at most mem, ${mem}`);
  if (chunk > local) refuse(`chunk is ${chunk}; it must be at most local, ${local}`);
  if (init >= local) refuse(`init is ${init}; it must be less than local, ${local}`);
}
