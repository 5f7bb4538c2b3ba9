import { LociError } from '../errors.ts';
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
import { type Token, type TokenKind, Vocabulary } from './vocabulary.ts';

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
const BYTE_SPELLING = /^<0x[0-9A-F]{2}>$/;
const ROLE_NAMES: ReadonlySet<string> = new Set([...END_OF_TURN_NAMES, ...END_OF_MESSAGE_NAMES]);

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
  const tokens = readTokens(reader);
  yield;
  const vocabulary = new Vocabulary(tokens, reader.file);
  yield;
  switch (kind) {
    case 'gpt2': {
      const merges = readMerges(reader);
      yield;
      const ranked = yield* RankedMerges.steps(vocabulary, merges, file);
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

function readTokens(reader: MetadataReader): readonly Token[] {
  const texts = reader.strings('tokenizer.ggml.tokens');
  const types = reader.optionalNumbers('tokenizer.ggml.token_type', texts.length);
  return texts.map((text, id): Token => {
    const type = types?.[id] ?? 1;
    // A model that stops at a token means it as a control token, whatever its converter wrote.
    const kind = ROLE_NAMES.has(text) ? 'control' : (KINDS[type] ?? 'normal');
    if (kind === 'byte' && !BYTE_SPELLING.test(text)) {
      throw new LociError(
        'bad-file',
        `${reader.file}: token ${id}, ${JSON.stringify(text)}, is marked as a byte but is not <0xXX>`,
      );
    }
    return { text: text === '' ? `[EMPTY_${id}]` : text, kind };
  });
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

function readMerges(reader: MetadataReader): Merges {
  return reader.strings('tokenizer.ggml.merges').map((merge, index) => {
    const space = merge.indexOf(' ', 1);
    if (space < 0) {
      throw new LociError(
        'bad-file',
        `${reader.file}: tokenizer.ggml.merges[${index}] is ${JSON.stringify(merge)}, not two tokens`,
      );
    }
    return [merge.slice(0, space), merge.slice(space + 1)] as const;
  });
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
  for (const [id, token] of vocabulary.tokens.entries()) {
    if (token === undefined || !['control', 'user-defined', 'unknown'].includes(token.kind)) continue;
    if (token.kind === 'control') controls.set(token.text, id);
    const swallowRight = isPhi3 && !['<unk>', '<s>', '<|endoftext|>'].includes(token.text);
    matched.push({ id, text: token.text, swallowRight });
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
