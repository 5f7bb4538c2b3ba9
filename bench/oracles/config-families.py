"""Records what transformers computes for the tiny models that config-families.ts writes: log-probabilities of every fourth
token at two places of a prompt, in float32.

    node bench/oracles/config-families.ts FOLDER
    python bench/oracles/config-families.py FOLDER > packages/engine/golden/config-families.json

Needs: transformers 5.23.0, torch 2.13.0 (CPU)
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM


def judge(folder):
    judged = json.loads((folder / "judged.json").read_text())
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        logits = model(torch.tensor([judged["ids"]])).logits[0]
    rows = torch.log_softmax(logits[judged["positions"]].double(), -1)[:, ::4]
    return {
        "name": judged["name"],
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest(),
        "rows": [[round(value, 5) for value in row] for row in rows.tolist()],
    }


def main(path):
    folders = sorted(Path(path).iterdir(), key=lambda folder: int(folder.name))
    made_by = f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}"
    cases = ",\n".join(json.dumps(judge(folder), separators=(",", ":")) for folder in folders)
    print('{\n"madeBy": ' + json.dumps(made_by) + ',\n"cases": [\n' + cases + "\n]\n}")


main(sys.argv[1])
