import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readGguf } from '../packages/engine/format/gguf-read.ts';
import type { GgufValue } from '../packages/engine/format/gguf-types.ts';
import { writeGguf } from '../packages/engine/format/gguf-write.ts';
import { floatToHalf } from '../packages/engine/format/half.ts';
import type { TensorData } from '../packages/engine/format/tensor-data.ts';
import { openFile } from '../packages/engine/platform/node-file.ts';
import { cacheFolder } from './places.ts';

/** The sizes of Llama 3.2 1B; embedding and output are one matrix. */
const shape = {
  width: 2048,
  layers: 16,
  heads: 32,
  kvHeads: 8,
  headSize: 64,
  hidden: 8192,
  vocabulary: 128256,
  context: 8192,
  frequencyBase: 500_000,
  normEpsilon: 1e-5,
} as const;

/**
 * A GGUF file in the shape of Llama 3.2 1B with random weights, every matrix in Q4_0, written once into bench/.cache: about
 * 700 MB, streamed. Speed does not depend on what the weights say. The vocabulary is that of `tokenizerFile`, padded.
 */
export async function largeModel(tokenizerFile: string, say: (line: string) => void): Promise<string> {
  const file = join(cacheFolder, 'random-1B.Q4_0.gguf');
  if (existsSync(file) && statSync(file).mtimeMs > statSync(tokenizerFile).mtimeMs) return file;
  say('writing a model of 1.2 billion random weights (once; about 700 MB) …');
  mkdirSync(cacheFolder, { recursive: true });
  const source = await openFile(tokenizerFile);
  try {
    const { values } = await readGguf(source);
    const content = { values: metadata(values), tensors: tensors() };
    await pipeline(Readable.from(writeGguf(content)), createWriteStream(`${file}.partial`));
    renameSync(`${file}.partial`, file);
  } finally {
    await source.close();
  }
  return file;
}

function metadata(of: ReadonlyMap<string, GgufValue>): readonly (readonly [string, GgufValue])[] {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const f32 = (value: number): GgufValue => ({ type: 'f32', value });
  return [
    ['general.architecture', { type: 'string', value: 'llama' }],
    ['general.name', { type: 'string', value: 'Random weights in the shape of Llama 3.2 1B' }],
    ['general.file_type', u32(2)],
    ['general.quantization_version', u32(2)],
    ['llama.block_count', u32(shape.layers)],
    ['llama.context_length', u32(shape.context)],
    ['llama.embedding_length', u32(shape.width)],
    ['llama.feed_forward_length', u32(shape.hidden)],
    ['llama.attention.head_count', u32(shape.heads)],
    ['llama.attention.head_count_kv', u32(shape.kvHeads)],
    ['llama.attention.layer_norm_rms_epsilon', f32(shape.normEpsilon)],
    ['llama.rope.dimension_count', u32(shape.headSize)],
    ['llama.rope.freq_base', f32(shape.frequencyBase)],
    ['llama.vocab_size', u32(shape.vocabulary)],
    ...Array.from(of)
      .filter(([key]) => key.startsWith('tokenizer.ggml.'))
      .map(([key, value]) => [key, padded(key, value)] as const),
  ];
}

/** GGUF's token type for tokens that no text contains. */
const unusedToken = 5;

function padded(key: string, value: GgufValue): GgufValue {
  if (value.type !== 'array') return value;
  const missing = shape.vocabulary - value.value.length;
  if (key === 'tokenizer.ggml.tokens' && value.of === 'string') {
    return { ...value, value: [...value.value, ...Array.from({ length: missing }, (_, i) => `<|unused_${i}|>`)] };
  }
  if (key === 'tokenizer.ggml.token_type' && value.of === 'i32') {
    return { ...value, value: [...value.value, ...Array.from({ length: missing }, () => unusedToken)] };
  }
  return value;
}

function tensors(): readonly TensorData[] {
  const { width, heads, kvHeads, headSize, hidden } = shape;
  const layer = (index: number) => {
    const name = (part: string) => `blk.${index}.${part}.weight`;
    return [
      ones(name('attn_norm'), width),
      randomMatrix(name('attn_q'), heads * headSize, width),
      randomMatrix(name('attn_k'), kvHeads * headSize, width),
      randomMatrix(name('attn_v'), kvHeads * headSize, width),
      randomMatrix(name('attn_output'), width, heads * headSize),
      ones(name('ffn_norm'), width),
      randomMatrix(name('ffn_gate'), hidden, width),
      randomMatrix(name('ffn_up'), hidden, width),
      randomMatrix(name('ffn_down'), width, hidden),
    ];
  };
  return [
    randomMatrix('token_embd.weight', shape.vocabulary, width),
    ...Array.from({ length: shape.layers }, (_, index) => layer(index)).flat(),
    ones('output_norm.weight', width),
  ];
}

function ones(name: string, length: number): TensorData {
  return { name, type: 'F32', shape: [length], data: new Uint8Array(new Float32Array(length).fill(1).buffer) };
}

/** A block of Q4_0: a half-precision scale and 32 numbers of −8 … 7 in 16 bytes. */
const block = { columns: 32, bytes: 18 } as const;
/** Numbers are uniform, with a deviation of 4.6 scales: this makes it 0.02, as usual before training. */
const scale = floatToHalf(0.02 / 4.6);
const rowsAtOnce = 256;

function randomMatrix(name: string, rows: number, columns: number): TensorData {
  async function* data() {
    let seed = 0x9e3779b9 ^ rows ^ (name.length << 20);
    for (let first = 0; first < rows; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, rows - first);
      const words = new Uint32Array((count * columns * block.bytes) / block.columns / 4);
      for (let i = 0; i < words.length; i++) {
        // Xorshift (Marsaglia 2003).
        seed ^= seed << 13;
        seed ^= seed >>> 17;
        seed ^= seed << 5;
        words[i] = seed;
      }
      const bytes = new Uint8Array(words.buffer);
      const view = new DataView(words.buffer);
      for (let at = 0; at < bytes.length; at += block.bytes) view.setUint16(at, scale, true);
      yield bytes;
    }
  }
  return { name, type: 'Q4_0', shape: [rows, columns], data };
}
