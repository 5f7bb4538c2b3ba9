import { LociError } from '../errors.ts';
import { StringTable } from '../format/string-table.ts';
import type { MetadataValue } from '../format/types.ts';
import { BpeTokenizer, type TokenizerParts } from './bpe-tokenizer.ts';
import { ByteLevelModel, type Merges, RankedMerges } from './byte-level.ts';
import { MetadataReader } from './metadata.ts';
import type { Model } from './model.ts';
import { findPretokenizer, splitSteps } from './pretokenizers.ts';
import { ScoredMerges, SentencePieceModel, SPACE_MARK } from './sentence-piece.ts';
import type { SpecialToken } from './special.ts';
import { finished, type Steps } from './steps.ts';
import { END_OF_MESSAGE_NAMES, END_OF_TURN_NAMES, endOfGeneration, firstNamed } from './token-roles.ts';
import type { SpecialTokens, Tokenizer } from './types.ts';
import { type TokenKind, Vocabulary } from './vocabulary.ts';

/** `tokenizer.ggml.token_type`, GGUF specification; index 0 is "undefined" and does not stand for a kind. */
const KINDS: readonly (TokenKind | undefined)[] = [
  undefined,
  'normal',
  'unknown',
  'control',
  'user-defined',
  'unused',
  'byte',
];
const SPACE = 0x20;
const BYTE_SPELLING = /^<0x[0-9A-F]{2}>$/;
const ROLE_NAMES: ReadonlySet<string> = new Set([...END_OF_TURN_NAMES, ...END_OF_MESSAGE_NAMES]);
/** The ASCII characters that these names begin with. */
const ROLE_INITIALS: ReadonlySet<number> = new Set(Array.from(ROLE_NAMES, (name) => name.charCodeAt(0)));

/** What differs between the two kinds of vocabulary that GGUF files hold. */
interface Family {
  readonly model: Model;
  readonly addBos: boolean;
  /** Ids that hold when the file does not say. */
  readonly defaults: SpecialTokens;
}

/**
 * The tokenizer that a GGUF file describes in its `tokenizer.ggml.*` metadata: byte-level BPE (`gpt2`) or SentencePiece
 * BPE with scores (`llama`). It gives the ids that llama.cpp gives.
 *
 * @param file what error messages call the source
 * @throws LociError `unsupported` for another kind of vocabulary, naming it; `bad-file` when the metadata contradict
 * themselves.
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, MetadataValue>, file = 'the model file'): Tokenizer {
  return finished(tokenizerSteps(metadata, file));
}

/** The same in steps. */
export function* tokenizerSteps(metadata: ReadonlyMap<string, MetadataValue>, file: string): Steps<Tokenizer> {
  const reader = new MetadataReader(metadata, file);
  const kind = reader.string('tokenizer.ggml.model');
  const vocabulary = readVocabulary(reader);
  yield;
  switch (kind) {
    case 'gpt2': {
      const ranked = yield* RankedMerges.steps(vocabulary, readMerges(reader), file);
      return assemble(reader, vocabulary, byteLevelFamily(reader, vocabulary, ranked));
    }
    case 'llama':
      return assemble(reader, vocabulary, sentencePieceFamily(reader, vocabulary));
    default:
      throw new LociError(
        'unsupported',
        `${file}: tokenizer.ggml.model is '${kind}'; Loci reads 'gpt2' (byte-level BPE) and 'llama' (SentencePiece BPE)`,
      );
  }
}

function readVocabulary(reader: MetadataReader): Vocabulary {
  const given = reader.strings('tokenizer.ggml.tokens');
  const { length } = given;
  const texts = given.starts.some((start, id) => start === given.ends[id])
    ? StringTable.of(Array.from(given, (text, id) => (text === '' ? `[EMPTY_${id}]` : text)))
    : given;
  const types = reader.optionalNumbers('tokenizer.ggml.token_type', length);
  const kinds = Array.from({ length }, (_, id): TokenKind => {
    const kind = KINDS[types?.[id] ?? 1] ?? 'normal';
    // Few tokens are worth a string here.
    const text = kind === 'byte' || ROLE_INITIALS.has(texts.bytes[texts.starts[id]!]!) ? texts.at(id) : '';
    // A model that stops at a token means it as a control token, whatever its converter wrote.
    if (ROLE_NAMES.has(text)) return 'control';
    if (kind === 'byte' && !BYTE_SPELLING.test(text)) {
      const found = `token ${id}, ${JSON.stringify(text)}, is marked as a byte but is not <0xXX>`;
      throw new LociError('bad-file', `${reader.file}: ${found}`);
    }
    return kind;
  });
  return new Vocabulary(texts, kinds, reader.file);
}

function byteLevelFamily(reader: MetadataReader, vocabulary: Vocabulary, merges: RankedMerges): Family {
  const name = reader.optionalString('tokenizer.ggml.pre') ?? 'default';
  const pretokenizer = findPretokenizer(name);
  if (pretokenizer === undefined) {
    throw new LociError(
      'unsupported',
      `${reader.file}: tokenizer.ggml.pre is '${name}', a way to cut words that Loci does not know`,
    );
  }
  const { patterns, ignoreMerges, addBos } = pretokenizer;
  const options = { steps: splitSteps(patterns), ignoreMerges, normalize: (text: string) => text };
  const model = new ByteLevelModel(vocabulary, merges, options);
  return { model, addBos, defaults: {} };
}

/** Merges are two words; the first may begin with a blank. */
function readMerges(reader: MetadataReader): Merges {
  const merges = reader.strings('tokenizer.ggml.merges');
  const { bytes, starts, ends } = merges;
  const blanks = starts.map((start, index) => {
    const end = ends[index]!;
    let at = start + 1;
    while (at < end && bytes[at] !== SPACE) at++;
    return at;
  });
  const whole = blanks.findIndex((blank, index) => blank >= ends[index]!);
  if (whole >= 0) {
    const merge = JSON.stringify(merges.at(whole));
    throw new LociError('bad-file', `${reader.file}: tokenizer.ggml.merges[${whole}] is ${merge}, not two tokens`);
  }
  const left = new StringTable(bytes, starts, blanks);
  const right = new StringTable(
    bytes,
    blanks.map((blank) => blank + 1),
    ends,
  );
  return { left, right };
}

function sentencePieceFamily(reader: MetadataReader, vocabulary: Vocabulary): Family {
  const scores = Float32Array.from(reader.numbers('tokenizer.ggml.scores', vocabulary.size));
  if (scores.some(Number.isNaN))
    throw new LociError('bad-file', `${reader.file}: tokenizer.ggml.scores has a value that is no number`);
  if (reader.boolean('tokenizer.ggml.remove_extra_whitespaces', false)) {
    throw new LociError(
      'unsupported',
      `${reader.file}: tokenizer.ggml.remove_extra_whitespaces is true, which Loci does not do`,
    );
  }
  const prefix = reader.boolean('tokenizer.ggml.add_space_prefix', true) ? SPACE_MARK : '';
  const model = new SentencePieceModel(vocabulary, new ScoredMerges(vocabulary, scores), {
    spaceBefore: prefix === '' ? 'none' : 'each',
    prepare: (text) => prefix + text.replaceAll(' ', SPACE_MARK),
    steps: [],
    ignoreMerges: false,
    byteIds: byteIds(vocabulary),
    unknown: reader.optionalId('tokenizer.ggml.unknown_token_id', vocabulary.size) ?? 0,
    fuseUnknown: false,
  });
  return { model, addBos: true, defaults: { bos: 1, eos: 2, unk: 0 } };
}

/** [256] Ids of `<0x00>` … `<0xFF>`, or undefined when one is missing. */
export function byteIds(vocabulary: Vocabulary): Int32Array | undefined {
  const ids = Int32Array.from({ length: 256 }, (_, byte) =>
    vocabulary.id(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  return ids.includes(-1) ? undefined : ids;
}

function assemble(reader: MetadataReader, vocabulary: Vocabulary, family: Family): Tokenizer {
  const controls = new Map<string, number>();
  const matched: SpecialToken[] = [];
  // The format cannot say that a token swallows the white space after it, as the control tokens of Phi-3 do.
  const isPhi3 = /phi-?3/i.test(reader.optionalString('general.name') ?? '');
  for (let id = 0; id < vocabulary.size; id++) {
    const kind = vocabulary.kind(id);
    if (kind !== 'control' && kind !== 'user-defined' && kind !== 'unknown') continue;
    const text = vocabulary.text(id);
    if (kind === 'control') controls.set(text, id);
    const swallowRight = isPhi3 && !['<unk>', '<s>', '<|endoftext|>'].includes(text);
    matched.push({ id, text, swallowRight });
  }
  const special = readSpecial(reader, vocabulary, controls, family.defaults);
  const parts: TokenizerParts = {
    vocabulary,
    model: family.model,
    matched,
    overlap: 'longest-first',
    special,
    endOfGeneration: endOfGeneration(controls, [special.eos, special.eot, special.eom]),
    addBos: special.bos !== undefined && reader.boolean('tokenizer.ggml.add_bos_token', family.addBos),
  };
  return new BpeTokenizer(parts);
}

function readSpecial(
  reader: MetadataReader,
  vocabulary: Vocabulary,
  controls: ReadonlyMap<string, number>,
  defaults: SpecialTokens,
): SpecialTokens {
  const read = (key: string, fallback: number | undefined): number | undefined =>
    reader.optionalId(`tokenizer.ggml.${key}_token_id`, vocabulary.size) ??
    (fallback !== undefined && fallback < vocabulary.size ? fallback : undefined);
  return withoutUndefined({
    bos: read('bos', defaults.bos),
    eos: read('eos', defaults.eos),
    eot: read('eot', firstNamed(controls, END_OF_TURN_NAMES)),
    eom: read('eom', firstNamed(controls, END_OF_MESSAGE_NAMES)),
    unk: read('unknown', defaults.unk),
    pad: read('padding', undefined),
    sep: read('seperator', undefined) ?? read('separator', undefined),
    mask: read('mask', undefined),
  });
}

/** Only the roles that some token has. */
export function withoutUndefined(roles: { readonly [role in keyof SpecialTokens]: number | undefined }): SpecialTokens {
  return Object.fromEntries(Object.entries(roles).filter(([, id]) => id !== undefined));
}
