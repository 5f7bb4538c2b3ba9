import type { FieldReader } from './fields.ts';
import type { Model } from './model.ts';
import type { Step } from './pretokenize.ts';
import { GPT2_PATTERN } from './pretokenizers.ts';
import { literalRegex, translateRegex } from './regex.ts';
import { SPACE_MARK } from './sentence-piece.ts';

/** What happens to a stretch of text before the model sees it: normalizer and pre-tokenizer in one. */
export interface Pipeline {
  readonly isByteLevel: boolean;
  readonly steps: readonly Step[];
  /** Rewrites the text before it is cut; `first` as for `Model.encode`. */
  readonly prepare: (text: string, first: boolean) => string;
  readonly spaceBefore: Model['spaceBefore'];
}

type Rewrite = Pipeline['prepare'];

/** A pipeline while it is read. */
interface Draft {
  isByteLevel: boolean;
  readonly steps: Step[];
  readonly rewrites: Rewrite[];
  spaceBefore: Model['spaceBefore'];
}

/**
 * Reads `normalizer` and `pre_tokenizer` of a tokenizer.json.
 * @throws LociError `unsupported` for a kind that is not known, `bad-file` for a field of the wrong type.
 */
export function readPipeline(root: FieldReader): Pipeline {
  const draft: Draft = { isByteLevel: false, steps: [], rewrites: [], spaceBefore: 'none' };
  if (root.get('normalizer') !== undefined) addNormalizer(root.object('normalizer'), draft);
  if (root.get('pre_tokenizer') !== undefined) addPretokenizer(root.object('pre_tokenizer'), draft);
  const { rewrites } = draft;
  return {
    isByteLevel: draft.isByteLevel,
    steps: draft.steps,
    prepare: (text, first) => rewrites.reduce((current, rewrite) => rewrite(current, first), text),
    spaceBefore: draft.spaceBefore,
  };
}

function addNormalizer(normalizer: FieldReader, draft: Draft): void {
  const type = normalizer.string('type');
  switch (type) {
    case 'Sequence':
      for (const part of normalizer.objects('normalizers')) addNormalizer(part, draft);
      break;
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      draft.rewrites.push((text) => text.normalize(type));
      break;
    case 'Lowercase':
      draft.rewrites.push((text) => text.toLowerCase());
      break;
    case 'Strip': {
      const left = normalizer.boolean('strip_left', false);
      const right = normalizer.boolean('strip_right', false);
      draft.rewrites.push((text) => {
        const start = left ? text.replace(/^\p{White_Space}+/u, '') : text;
        return right ? start.replace(/(?<!\p{White_Space})\p{White_Space}+$/u, '') : start;
      });
      break;
    }
    case 'Prepend': {
      const prefix = normalizer.string('prepend');
      draft.rewrites.push((text) => (text === '' ? text : prefix + text));
      if (prefix === SPACE_MARK || prefix === ' ') draft.spaceBefore = 'each';
      break;
    }
    case 'Replace': {
      const pattern = readPattern(normalizer);
      const content = normalizer.string('content');
      draft.rewrites.push((text) => text.replace(pattern, () => content));
      break;
    }
    default:
      throw normalizer.unsupported('type');
  }
}

function addPretokenizer(pretokenizer: FieldReader, draft: Draft): void {
  switch (pretokenizer.string('type')) {
    case 'Sequence':
      for (const part of pretokenizer.objects('pretokenizers')) addPretokenizer(part, draft);
      break;
    case 'ByteLevel':
      draft.isByteLevel = true;
      if (pretokenizer.boolean('add_prefix_space', true)) draft.steps.push({ kind: 'prefix-space' });
      if (pretokenizer.boolean('use_regex', true)) draft.steps.push(split(translateRegex(GPT2_PATTERN), 'isolated'));
      break;
    case 'Split':
      draft.steps.push(readSplit(pretokenizer));
      break;
    case 'Digits':
      draft.steps.push(split(pretokenizer.boolean('individual_digits', false) ? /\p{N}/gu : /\p{N}+/gu, 'isolated'));
      break;
    case 'Punctuation':
      draft.steps.push(split(/[!-/:-@[-`{-~\p{P}]/gu, readBehavior(pretokenizer)));
      break;
    case 'Metaspace':
      addMetaspace(pretokenizer, draft);
      break;
    default:
      throw pretokenizer.unsupported('type');
  }
}

/** Spaces become U+2581, one is put before the text unless there is one, and every word begins with one. */
function addMetaspace(metaspace: FieldReader, draft: Draft): void {
  if (metaspace.string('replacement') !== SPACE_MARK || draft.steps.length > 0)
    throw metaspace.unsupported('replacement');
  const legacy = metaspace.boolean('add_prefix_space', true) ? 'always' : 'never';
  const scheme = metaspace.optionalString('prepend_scheme') ?? legacy;
  if (!['always', 'first', 'never'].includes(scheme)) throw metaspace.unsupported('prepend_scheme');
  draft.spaceBefore = scheme === 'always' ? 'each' : scheme === 'first' ? 'first' : 'none';
  draft.rewrites.push((text, first) => {
    const marked = text.replaceAll(' ', SPACE_MARK);
    const prepends = scheme === 'always' || (scheme === 'first' && first);
    return prepends && !marked.startsWith(SPACE_MARK) ? SPACE_MARK + marked : marked;
  });
  if (metaspace.boolean('split', true)) draft.steps.push(split(literalRegex(SPACE_MARK), 'merged-with-next'));
}

type Behavior = Extract<Step, { kind: 'split' }>['behavior'];

const BEHAVIORS: ReadonlyMap<string, Behavior> = new Map([
  ['Isolated', 'isolated'],
  ['Removed', 'removed'],
  ['MergedWithPrevious', 'merged-with-previous'],
  ['MergedWithNext', 'merged-with-next'],
  ['Contiguous', 'contiguous'],
]);

function split(pattern: RegExp, behavior: Behavior): Step {
  return { kind: 'split', pattern, behavior };
}

function readSplit(field: FieldReader): Step {
  const behavior = readBehavior(field);
  // Pieces and matches change places, which makes no difference only where both are kept apart.
  if (field.boolean('invert', false) && behavior !== 'isolated') throw field.unsupported('invert');
  return split(readPattern(field), behavior);
}

function readBehavior(field: FieldReader): Behavior {
  const behavior = BEHAVIORS.get(field.optionalString('behavior') ?? 'Isolated');
  if (behavior === undefined) throw field.unsupported('behavior');
  return behavior;
}

function readPattern(field: FieldReader): RegExp {
  const pattern = field.object('pattern');
  const text = pattern.optionalString('String');
  return text === undefined ? translateRegex(pattern.string('Regex')) : literalRegex(text);
}

/** Decoders that undo what a pipeline of this kind does; their order is always the same. */
const SENTENCE_PIECE_DECODERS = new Set(['Replace', 'ByteFallback', 'Fuse', 'Strip', 'Metaspace']);

/**
 * Decoding follows from the pipeline; a file that wants something else is refused.
 * @throws LociError `unsupported` naming the decoder.
 */
export function checkDecoder(root: FieldReader, pipeline: Pipeline): void {
  if (root.get('decoder') === undefined) return;
  const decoder = root.object('decoder');
  const parts = decoder.string('type') === 'Sequence' ? decoder.objects('decoders') : [decoder];
  for (const part of parts) {
    const type = part.string('type');
    if (pipeline.isByteLevel ? type !== 'ByteLevel' : !SENTENCE_PIECE_DECODERS.has(type))
      throw part.unsupported('type');
  }
}
