import { expect, describe as group, test } from 'vitest';
import { LociError } from '../errors.ts';
import type { MetadataValue } from '../format/types.ts';
import type { Architecture, ModelDescription } from './architecture.ts';
import { describe } from './index.ts';
import { configModel, ggufModel } from './testing/descriptions.ts';

const gguf = {
  block_count: 6,
  embedding_length: 192,
  'attention.head_count': 3,
  'attention.head_count_kv': 1,
  'attention.key_length': 32,
  'attention.value_length': 32,
  feed_forward_length: 256,
  context_length: 8192,
  'attention.layer_norm_rms_epsilon': 1e-6,
  'rope.freq_base': 1_000_000,
};
const config = {
  num_hidden_layers: 6,
  hidden_size: 192,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  head_dim: 32,
  intermediate_size: 256,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
};
const gemmaGguf = { ...gguf, 'attention.sliding_window': 512 };
const gemmaConfig = { ...config, model_type: 'gemma3_text', sliding_window: 512, query_pre_attn_scalar: 32 };

function failure(model: ModelDescription): LociError {
  try {
    describe(model);
  } catch (error) {
    if (error instanceof LociError) return error;
    throw error;
  }
  throw new Error('there was no error');
}

/** What must not depend on the file format: all but names, the order of channels and what norms are stored as. */
function essence({ layers, ...sizes }: Architecture) {
  const { embedding: _, output, outputNorm: __, pairs: ___, normOffset: ____, ...rest } = sizes;
  const optional = (names: object) => Object.keys(names).sort();
  return {
    ...rest,
    tied: output === sizes.embedding,
    layers: layers.map(({ tensors, ...layer }) => ({ ...layer, parts: optional(tensors) })),
  };
}

group('a model is the same in both formats', () => {
  test.each(['llama', 'qwen2', 'qwen3'])('%s', (family) => {
    const scaling = { factor: 4, original_max_position_embeddings: 2048 };
    const yarn = {
      'rope.scaling.type': 'yarn',
      'rope.scaling.factor': 4,
      'rope.scaling.original_context_length': 2048,
    };
    const a = describe(ggufModel(family, { ...gguf, ...yarn }));
    const b = describe(configModel({ ...config, model_type: family, rope_scaling: { type: 'yarn', ...scaling } }));
    expect(essence(a)).toEqual(essence(b));
    expect([a.normOffset, b.normOffset]).toEqual([0, 0]);
    expect(b.pairs).toBe('halves');
    expect(a.pairs).toBe(family === 'llama' ? 'neighbours' : 'halves');
  });

  test('gemma3', () => {
    const a = describe(ggufModel('gemma3', { ...gemmaGguf, 'rope.scaling.type': 'linear', 'rope.scaling.factor': 8 }));
    const b = describe(configModel({ ...gemmaConfig, rope_scaling: { rope_type: 'linear', factor: 8 } }));
    expect(essence(a)).toEqual(essence(b));
    expect([a.normOffset, b.normOffset]).toEqual([0, 1]);
    expect([a.pairs, b.pairs]).toEqual(['halves', 'halves']);
  });

  test('an output matrix of its own is used, unless config.json ties it', () => {
    expect(describe(ggufModel('llama', gguf, { tensors: ['output.weight'] })).output).toBe('output.weight');
    expect(describe(ggufModel('llama', gguf)).output).toBe('token_embd.weight');
    const llama = { ...config, model_type: 'llama' };
    expect(describe(configModel(llama, { tensors: ['lm_head.weight'] })).output).toBe('lm_head.weight');
    const tied = { ...llama, tie_word_embeddings: true };
    expect(describe(configModel(tied, { tensors: ['lm_head.weight'] })).output).toBe('model.embed_tokens.weight');
  });

  test('llama with biases', () => {
    const biases = (name: (part: string) => string) =>
      Array.from({ length: 6 }, (_, i) => ['q', 'k', 'v'].map((part) => name(`${i}.${part}`))).flat();
    const a = describe(ggufModel('llama', gguf, { tensors: biases((at) => `blk.${at.replace('.', '.attn_')}.bias`) }));
    const inConfig = biases((at) => `model.layers.${at.replace('.', '.self_attn.')}_proj.bias`);
    const b = describe(configModel({ ...config, model_type: 'llama' }, { tensors: inConfig }));
    expect(a.layers[5]?.tensors.kBias).toBe('blk.5.attn_k.bias');
    expect(essence(a)).toEqual(essence(b));
  });
});

group('gemma3', () => {
  const windows = (model: ModelDescription) => describe(model).layers.map(({ window }) => window);
  const five = [512, 512, 512, 512, 512, 0];

  test('five layers in six have the window, and rotate by the local base', () => {
    for (const model of [ggufModel('gemma3', gemmaGguf), configModel(gemmaConfig)]) {
      const { layers, embedFactor } = describe(model);
      expect(layers.map(({ window }) => window)).toEqual(five);
      expect(layers.map(({ frequencies }) => frequencies[1])).toEqual(
        five.map((window) => (window > 0 ? 10_000 : 1_000_000) ** (-1 / 16)),
      );
      expect(embedFactor).toBe(Math.sqrt(192));
    }
  });

  test('scaling applies where all keys are seen, and nowhere else', () => {
    const scaled = describe(
      ggufModel('gemma3', { ...gemmaGguf, 'rope.scaling.type': 'linear', 'rope.scaling.factor': 8 }),
    );
    expect(scaled.layers[0]?.frequencies[0]).toBe(1);
    expect(scaled.layers[5]?.frequencies[0]).toBe(1 / 8);
  });

  test('files may have another pattern, another local base, or no window', () => {
    const pattern = { ...gemmaGguf, 'attention.sliding_window_pattern': 3, 'rope.freq_base_swa': 20_000 };
    expect(windows(ggufModel('gemma3', pattern))).toEqual([512, 512, 0, 512, 512, 0]);
    expect(describe(ggufModel('gemma3', pattern)).layers[0]?.frequencies[1]).toBe(20_000 ** (-1 / 16));
    expect(windows(ggufModel('gemma3', gguf))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(windows(configModel({ ...gemmaConfig, sliding_window_pattern: 3 }))).toEqual([512, 512, 0, 512, 512, 0]);
    const types = ['full_attention', ...new Array(5).fill('sliding_attention')];
    expect(windows(configModel({ ...gemmaConfig, layer_types: types }))).toEqual([0, 512, 512, 512, 512, 512]);
  });

  test('scores are scaled by query_pre_attn_scalar; in GGUF by the head size, but for 62 layers by width per head', () => {
    const scale = (model: ModelDescription) => describe(model).attentionScale;
    expect(scale(configModel({ ...gemmaConfig, query_pre_attn_scalar: 168 }))).toBe(1 / Math.sqrt(168));
    expect(scale(ggufModel('gemma3', gemmaGguf))).toBe(1 / Math.sqrt(32));
    expect(scale(ggufModel('gemma3', { ...gemmaGguf, block_count: 62 }, { layers: 62 }))).toBe(1 / 8);
  });

  test('the text part of a model that also sees: its place, and what its config leaves out', () => {
    const text = { model_type: 'gemma3_text', hidden_size: 2560, intermediate_size: 10240, num_hidden_layers: 6 };
    const whole = { model_type: 'gemma3', text_config: { ...text, sliding_window: 1024 }, vision_config: {} };
    for (const root of ['model.language_model.', 'language_model.model.']) {
      const arch = describe(configModel(whole, { root, type: 'gemma3_text' }));
      expect(arch).toMatchObject({ heads: 8, kvHeads: 4, headSize: 256, contextLength: 131_072, normEpsilon: 1e-6 });
      expect(arch.attentionScale).toBe(1 / 16);
      expect(arch.layers[0]?.tensors.q).toBe(`${root}layers.0.self_attn.q_proj.weight`);
    }
  });
});

test('qwen has windows only where config.json turns them on', () => {
  const windows = (more: object) =>
    describe(
      configModel({ ...config, model_type: 'qwen2', sliding_window: 64, max_window_layers: 4, ...more }),
    ).layers.map(({ window }) => window);
  expect(windows({ use_sliding_window: false })).toEqual([0, 0, 0, 0, 0, 0]);
  expect(windows({ use_sliding_window: true })).toEqual([0, 0, 0, 0, 64, 64]);
});

group('what a file does not say, or says wrongly, is named', () => {
  const required = [
    'block_count',
    'embedding_length',
    'attention.head_count',
    'feed_forward_length',
    'context_length',
    'attention.layer_norm_rms_epsilon',
  ] as const;

  test.each(required)('GGUF without %s', (key) => {
    const metadata: Record<string, MetadataValue> = { ...gguf };
    delete metadata[key];
    const error = failure(ggufModel('llama', metadata));
    expect(error.code).toBe('bad-file');
    expect(error.message).toContain(`model.gguf: "llama.${key}" is missing`);
  });

  const absurd: readonly (readonly [string, MetadataValue])[] = [
    ['block_count', 0],
    ['block_count', 2 ** 31],
    ['block_count', 1e6],
    ['embedding_length', 1.5],
    ['embedding_length', -64],
    ['embedding_length', '192'],
    ['attention.head_count', 2n ** 60n],
    ['attention.head_count', []],
    ['attention.head_count_kv', 2],
    ['attention.head_count_kv', ['1', '1']],
    ['attention.key_length', Number.NaN],
    ['rope.dimension_count', 33],
    ['rope.dimension_count', 64],
    ['attention.layer_norm_rms_epsilon', 0],
    ['attention.layer_norm_rms_epsilon', 2],
    ['context_length', true],
    ['rope.freq_base', 0],
    ['rope.freq_base', Number.POSITIVE_INFINITY],
    ['rope.scaling.type', 7],
    ['rope.scaling.factor', -4],
  ];
  test.each(absurd)('GGUF with %s = %s', (key, value) => {
    const error = failure(ggufModel('llama', { ...gguf, [key]: value }));
    expect(error.code).toBe('bad-file');
    // Where sizes contradict the tensors, the tensors are named.
    expect(error.message).toMatch(
      key === 'block_count' && value === 1e6 ? /too few for 1000000 layers/ : `"llama.${key}"`,
    );
  });

  const badConfig: readonly (readonly [string, unknown, string])[] = [
    ['hidden_size', null, 'hidden_size'],
    ['num_attention_heads', '8', 'num_attention_heads'],
    ['num_key_value_heads', 2, 'num_key_value_heads'],
    ['rope_theta', [], 'rope_theta'],
    ['rope_scaling', 'linear', 'rope_scaling'],
    ['rope_scaling', { type: 'linear' }, 'rope_scaling.factor'],
    ['rope_scaling', { type: 3, factor: 2 }, 'rope_scaling.type'],
    ['rope_scaling', { rope_type: 'yarn', factor: 0 }, 'rope_scaling.factor'],
    ['rope_scaling', { rope_type: 'llama3', factor: 2 }, 'rope_scaling.low_freq_factor'],
    ['rope_parameters', { rope_type: 'yarn', factor: 2, truncate: 'no' }, 'rope_parameters.truncate'],
  ];
  test.each(badConfig)('config.json with %s = %j', (key, value, named) => {
    const error = failure(configModel({ ...config, model_type: 'llama', [key]: value }));
    expect(error.code).toBe('bad-file');
    expect(error.message).toContain(`config.json: "${named}"`);
  });

  const unsupported: readonly (readonly [ModelDescription, string])[] = [
    [
      ggufModel('llama', { ...gguf, 'attention.head_count_kv': Int32Array.of(1, 3, 1) }),
      '"llama.attention.head_count_kv"',
    ],
    [ggufModel('llama', { ...gguf, 'attention.value_length': 64 }), '"llama.attention.value_length"'],
    [ggufModel('llama', { ...gguf, 'rope.scaling.type': 'longrope' }), '"llama.rope.scaling.type" is "longrope"'],
    [ggufModel('llama', gguf, { tensors: ['blk.2.ffn_gate_exps.weight'] }), '"blk.2.ffn_gate_exps.weight"'],
    [ggufModel('gemma3', { ...gemmaGguf, final_logit_softcapping: 30 }), '"gemma3.final_logit_softcapping"'],
    [configModel({ ...gemmaConfig, use_bidirectional_attention: true }), '"use_bidirectional_attention"'],
    [configModel({ ...config, model_type: 'llama', hidden_act: 'gelu' }), '"hidden_act" is "gelu"'],
    [configModel({ ...config, model_type: 'llama', partial_rotary_factor: 0.5 }), '"partial_rotary_factor"'],
    [
      configModel({ ...config, model_type: 'qwen3', rope_scaling: { type: 'mrope' } }),
      '"rope_scaling.type" is "mrope"',
    ],
    [ggufModel('rwkv7', gguf), 'architecture "rwkv7" is not supported (known: llama, qwen2, qwen3, gemma3'],
    [configModel({ ...config, model_type: 7 }), 'architecture "7"'],
  ];
  test.each(unsupported)('a variant that is not supported: %#', (model, message) => {
    const error = failure(model);
    expect(error.code).toBe('unsupported');
    expect(error.message).toContain(message);
  });

  test('factors that are not one for each pair', () => {
    for (const factors of [new Float32Array(15).fill(1), new Float32Array(16), new Float32Array(16).fill(Number.NaN)]) {
      expect(failure(ggufModel('llama', gguf, { ropeFactors: factors })).message).toContain('rope_freqs.weight');
    }
  });

  test('a file without an embedding', () => {
    const model = configModel({ ...config, model_type: 'llama' });
    const error = failure({ ...model, tensors: new Map() });
    expect(error.message).toContain('there is no tensor "model.embed_tokens.weight"');
  });

  test('tables that follow from the metadata are left aside, and so are layers behind the last', () => {
    const tensors = ['model.layers.0.self_attn.rotary_emb.inv_freq', 'model.layers.6.enorm.weight'];
    expect(describe(configModel({ ...config, model_type: 'llama' }, { tensors })).layers).toHaveLength(6);
  });
});
