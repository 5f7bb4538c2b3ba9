import { LociError } from '../errors.ts';
import { StringTable } from '../format/string-table.ts';
import { BpeTokenizer } from './bpe-tokenizer.ts';
import { ByteLevelModel, type Merges, RankedMerges } from './byte-level.ts';
import { FieldReader } from './fields.ts';
import { byteIds, withoutUndefined } from './from-gguf.ts';
import { checkDecoder, type Pipeline, readPipeline } from './json-pipeline.ts';
import type { Model } from './model.ts';
import { SentencePieceModel } from './sentence-piece.ts';
import type { SpecialToken } from './special.ts';
import { END_OF_MESSAGE_NAMES, END_OF_TURN_NAMES, endOfGeneration, firstNamed } from './token-roles.ts';
import type { SpecialTokens, Tokenizer } from './types.ts';
import { MAX_TOKENS, type TokenKind, Vocabulary } from './vocabulary.ts';

const FILE = 'tokenizer.json';
const END_OF_SEQUENCE_NAMES = ['</s>', '<eos>', '<|end_of_text|>', '<|endoftext|>', '<｜end▁of▁sentence｜>'];
const ROLE_NAMES: ReadonlySet<string> = new Set([...END_OF_TURN_NAMES, ...END_OF_MESSAGE_NAMES]);

/** An entry of `added_tokens`. */
interface AddedToken extends SpecialToken {
  readonly isControl: boolean;
}

/**
 * The tokenizer of a Hugging Face tokenizer.json with a BPE model, byte-level (GPT-2, Llama 3, Qwen) or in the manner of
 * SentencePiece (Llama 2, Gemma). Added tokens are found in the raw text, also those marked `normalized`.
 *
 * @param tokenizerJson the parsed file
 * @param tokenizerConfig the parsed tokenizer_config.json, which names the tokens that begin and end a text
 * @throws LociError `unsupported` for another model, normalizer, pre-tokenizer or decoder, naming it; `bad-file` when
 * the file contradicts itself.
 */
export function tokenizerFromJson(tokenizerJson: unknown, tokenizerConfig?: unknown): Tokenizer {
  const root = new FieldReader(tokenizerJson, FILE);
  const config = new FieldReader(tokenizerConfig ?? {}, 'tokenizer_config.json');
  const model = root.object('model');
  if ((model.optionalString('type') ?? 'BPE') !== 'BPE') throw model.unsupported('type');
  for (const field of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    const value = model.get(field);
    if (value !== undefined && value !== 0 && value !== '') throw model.unsupported(field);
  }
  const added = root.get('added_tokens') === undefined ? [] : root.objects('added_tokens').map(readAddedToken);
  const byteFallback = model.boolean('byte_fallback', false);
  const vocabulary = readVocabulary(model, added, byteFallback);
  const pipeline = readPipeline(root);
  checkDecoder(root, pipeline);

  const controls = new Map(added.filter((token) => token.isControl).map((token) => [token.text, token.id]));
  const special = readSpecial(root, config, vocabulary, controls);
  return new BpeTokenizer({
    vocabulary,
    model: createModel(model, vocabulary, pipeline, byteFallback),
    matched: added,
    overlap: 'leftmost',
    special,
    endOfGeneration: endOfGeneration(controls, [special.eos, special.eot, special.eom]),
    addBos: special.bos !== undefined && config.boolean('add_bos_token', templateStart(root) !== undefined),
  });
}

function readAddedToken(token: FieldReader): AddedToken {
  const text = token.string('content');
  return {
    id: token.count('id'),
    text,
    isControl: token.boolean('special', false) || ROLE_NAMES.has(text),
    swallowLeft: token.boolean('lstrip', false),
    swallowRight: token.boolean('rstrip', false),
    wholeWord: token.boolean('single_word', false),
  };
}

function readVocabulary(model: FieldReader, added: readonly AddedToken[], byteFallback: boolean): Vocabulary {
  const texts: string[] = [];
  const kinds: (TokenKind | undefined)[] = [];
  const place = (id: unknown, text: string, kind: TokenKind): void => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= MAX_TOKENS) {
      throw new LociError('bad-file', `${FILE}: the token ${JSON.stringify(text)} has the id ${String(id)}`);
    }
    if (kinds[id] !== undefined && texts[id] !== text) {
      const both = `${JSON.stringify(texts[id])} and ${JSON.stringify(text)}`;
      throw new LociError('bad-file', `${FILE}: the tokens ${both} both have the id ${id}`);
    }
    while (texts.length <= id) {
      texts.push('');
      kinds.push(undefined);
    }
    texts[id] = text;
    kinds[id] = kind;
  };
  for (const [text, id] of model.object('vocab').entries()) {
    const isByte = byteFallback && /^<0x[0-9A-F]{2}>$/.test(text);
    place(id, text, isByte ? 'byte' : 'normal');
  }
  for (const { id, text, isControl } of added) place(id, text, isControl ? 'control' : 'user-defined');
  return new Vocabulary(StringTable.of(texts), kinds, FILE);
}

function createModel(model: FieldReader, vocabulary: Vocabulary, pipeline: Pipeline, byteFallback: boolean): Model {
  const merges = readMerges(model);
  const ignoreMerges = model.boolean('ignore_merges', false);
  const { steps, prepare, spaceBefore } = pipeline;
  if (pipeline.isByteLevel) {
    const normalize = (text: string): string => prepare(text, false);
    return new ByteLevelModel(vocabulary, RankedMerges.of(vocabulary, merges, FILE), {
      steps,
      ignoreMerges,
      normalize,
    });
  }
  const bytes = byteFallback ? byteIds(vocabulary) : undefined;
  const unknownText = model.optionalString('unk_token');
  const unknown = unknownText === undefined ? -1 : vocabulary.id(unknownText);
  return new SentencePieceModel(vocabulary, RankedMerges.of(vocabulary, merges, FILE), {
    steps,
    prepare,
    spaceBefore,
    ignoreMerges,
    byteIds: bytes,
    unknown: unknown < 0 ? undefined : unknown,
    fuseUnknown: bytes === undefined && model.boolean('fuse_unk', false),
  });
}

/** Merges are pairs in newer files and two words in older ones. */
function readMerges(model: FieldReader): Merges {
  const lefts: string[] = [];
  const rights: string[] = [];
  for (const [index, merge] of model.array('merges').entries()) {
    const halves: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    const [left, right]: unknown[] = Array.isArray(halves) && halves.length === 2 ? halves : [];
    if (typeof left !== 'string' || typeof right !== 'string') {
      throw new LociError('bad-file', `${FILE}: model.merges[${index}] is ${JSON.stringify(merge)}, not two tokens`);
    }
    lefts.push(left);
    rights.push(right);
  }
  return { left: StringTable.of(lefts), right: StringTable.of(rights) };
}

function readSpecial(
  root: FieldReader,
  config: FieldReader,
  vocabulary: Vocabulary,
  controls: ReadonlyMap<string, number>,
): SpecialTokens {
  const named = (role: string): number | undefined => {
    const value = config.get(`${role}_token`);
    const text =
      value === undefined || typeof value === 'string' ? value : config.object(`${role}_token`).string('content');
    const id = text === undefined ? -1 : vocabulary.id(text);
    return id < 0 ? undefined : id;
  };
  const unknown = root.object('model').optionalString('unk_token');
  const start = templateStart(root);
  return withoutUndefined({
    bos: named('bos') ?? (start === undefined ? undefined : controls.get(start)),
    eos: named('eos') ?? firstNamed(controls, END_OF_SEQUENCE_NAMES),
    eot: firstNamed(controls, END_OF_TURN_NAMES),
    eom: firstNamed(controls, END_OF_MESSAGE_NAMES),
    unk: named('unk') ?? (unknown === undefined ? undefined : controls.get(unknown)),
    pad: named('pad'),
    sep: named('sep'),
    mask: named('mask'),
  });
}

/** The special token that the post-processor puts before a single text, if any. */
function templateStart(root: FieldReader): string | undefined {
  if (root.get('post_processor') === undefined) return undefined;
  const processor = root.object('post_processor');
  const processors = processor.get('type') === 'Sequence' ? processor.objects('processors') : [processor];
  const template = processors.find((candidate) => candidate.get('type') === 'TemplateProcessing');
  const first = template?.objects('single')[0];
  return first?.get('SpecialToken') === undefined ? undefined : first.object('SpecialToken').string('id');
}
