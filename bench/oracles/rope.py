"""Records how transformers rotates under the context extensions that config.json files ask for.

Usage: python bench/oracles/rope.py > packages/engine/golden/rope.json
Needs: transformers 5.23.0, torch 2.13.0 (CPU)
"""
import json
import sys

import torch
import transformers
from transformers import Gemma3TextConfig, LlamaConfig, Qwen2Config, Qwen3Config
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
YARN = {"factor": 4.0, "original_max_position_embeddings": 32768}


def shape(model_type, head_size, context, **more):
    return {
        "model_type": model_type,
        "hidden_size": 4 * head_size,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": head_size,
        "num_hidden_layers": 6,
        "intermediate_size": 256,
        "max_position_embeddings": context,
        "rms_norm_eps": 1e-6,
        **more,
    }


CASES = {
    "default": shape("llama", 64, 2048, rope_theta=10000.0),
    "no theta": shape("llama", 64, 2048),
    "new names, no scaling": shape("llama", 64, 8192, rope_parameters={"rope_type": "default", "rope_theta": 100000.0}),
    "linear": shape("llama", 64, 16384, rope_theta=10000.0, rope_scaling={"type": "linear", "factor": 4.0}),
    "llama 3.1": shape("llama", 128, 131072, rope_theta=500000.0, rope_scaling={"rope_type": "llama3", **LLAMA3}),
    "llama 3.2": shape("llama", 64, 131072, rope_theta=500000.0, rope_scaling={"rope_type": "llama3", **LLAMA3, "factor": 32.0}),
    "llama 3, new names": shape("llama", 64, 131072, rope_parameters={"rope_type": "llama3", "rope_theta": 500000.0, **LLAMA3}),
    "llama 3, original context left out": shape(
        "llama", 64, 4096, rope_theta=500000.0,
        rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    ),
    "dynamic": shape("llama", 64, 4096, rope_theta=10000.0, rope_scaling={"type": "dynamic", "factor": 2.0}),
    "yarn 4": shape("qwen2", 128, 131072, rope_theta=1000000.0, rope_scaling={"type": "yarn", **YARN}),
    "yarn 40": shape("qwen3", 128, 163840, rope_theta=1000000.0, rope_scaling={"rope_type": "yarn", **YARN, "factor": 40.0}),
    "yarn 16, other borders": shape(
        "llama", 64, 65536, rope_theta=10000.0,
        rope_scaling={"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 4096, "beta_fast": 64.0, "beta_slow": 0.5},
    ),
    "yarn, borders not rounded": shape(
        "llama", 64, 65536, rope_theta=150000.0,
        rope_scaling={"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False},
    ),
    "yarn, given attention factor": shape(
        "qwen3", 64, 131072, rope_theta=1000000.0, rope_scaling={"rope_type": "yarn", **YARN, "attention_factor": 0.8}
    ),
    "yarn, mscale": shape(
        "llama", 64, 163840, rope_theta=10000.0,
        rope_scaling={"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 0.707, "mscale_all_dim": 1.0},
    ),
    "yarn, factor left out": shape(
        "llama", 64, 32768, rope_theta=10000.0,
        rope_scaling={"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 4096},
    ),
    "yarn, shrinking": shape(
        "llama", 64, 2048, rope_theta=10000.0,
        rope_scaling={"rope_type": "yarn", "factor": 0.5, "original_max_position_embeddings": 4096},
    ),
    "gemma 3, small": shape("gemma3_text", 64, 32768, sliding_window=512, rope_theta=1000000.0, rope_local_base_freq=10000.0),
    "gemma 3, large": shape(
        "gemma3_text", 128, 131072, sliding_window=1024, rope_theta=1000000.0, rope_local_base_freq=10000.0,
        rope_scaling={"rope_type": "linear", "factor": 8.0},
    ),
    "gemma 3, bases left out": shape("gemma3_text", 64, 32768, sliding_window=512),
    "gemma 3, new names": shape(
        "gemma3_text", 64, 131072, sliding_window=512,
        rope_parameters={
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 2000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0},
        },
    ),
}

CLASSES = {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config, "gemma3_text": Gemma3TextConfig}


def entry(inv_freq, factor):
    return {"frequencies": [float(f"{value:.8g}") for value in inv_freq.tolist()], "factor": factor}


def judge(raw):
    config = CLASSES[raw["model_type"]].from_dict(json.loads(json.dumps(raw)))
    if raw["model_type"] == "gemma3_text":
        rope = Gemma3RotaryEmbedding(config)
        return {
            kind: entry(getattr(rope, f"{kind}_inv_freq"), getattr(rope, f"{kind}_attention_scaling"))
            for kind in ["full_attention", "sliding_attention"]
        }
    # The rotary embeddings of Llama, Qwen 2 and Qwen 3 are the same code.
    rope = LlamaRotaryEmbedding(config)
    return {"full_attention": entry(rope.inv_freq, rope.attention_scaling)}


def main():
    cases = [{"name": name, "config": raw, "expected": judge(raw)} for name, raw in CASES.items()]
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    sys.stdout.write('{\n"madeBy": ' + json.dumps(made_by) + ',\n"cases": [\n')
    sys.stdout.write(",\n".join(json.dumps(case) for case in cases) + "\n]\n}\n")


main()
