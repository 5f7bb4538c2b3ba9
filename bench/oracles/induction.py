"""Records induction and echo scores of SmolLM2's 270 heads from whole attention matrices, in float32.

    node bench/oracles/induction.ts > ids.json
    python bench/oracles/induction.py models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf ids.json \
        > packages/papers/razor-attention/golden/induction.json

Needs: transformers 5.24.0, torch 2.14.1 (CPU), gguf 0.19.0
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM


def main(gguf, text):
    said = json.loads(Path(text).read_text())
    k, ids = said["k"], said["ids"]
    model = AutoModelForCausalLM.from_pretrained(
        Path(gguf).parent, gguf_file=Path(gguf).name, dtype=torch.float32, attn_implementation="eager"
    )
    with torch.no_grad():
        layers = model(torch.tensor([ids]), output_attentions=True).attentions
    rows = torch.arange(1 + k, 1 + 4 * k)
    scores = {"induction": [], "echo": []}
    for attention in layers:
        for name, shift in (("induction", 1), ("echo", 0)):
            total = torch.zeros(attention.shape[1], dtype=torch.double)
            for m in rows.tolist():
                for n in range(m - k, 0, -k):
                    total += attention[0, :, m, n + shift].double()
            scores[name].append([round(value, 6) for value in (total / len(rows)).tolist()])
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    print(json.dumps({"madeBy": made_by, "k": k, "seed": 0, **scores}, separators=(",", ":")))


main(*sys.argv[1:])
