"""Retrieval scores of every head of the embedded model as PyTorch 2.14.1 and transformers 5.24.0 compute them, in float32 with
eager attention, from the dequantised weights of the file.

    pip install torch==2.14.1 transformers==5.24.0 gguf
    node bench/oracles/retrieval-head.ts | python bench/oracles/retrieval-head.py > packages/papers/retrieval-head/golden/smollm2.json

Per case: the prompt's ids, the value's tokens [start, end), the right answer; `forced`: that answer, given token by token;
`free`: the greedy one, as many tokens. Of each: the tokens, per token and head (all layers in order) the position with the
largest attention of the query that produces the token, which of them are certain (ahead of the second by more than 1e-4),
the scores, and the attention on the places of the needle that hold the token.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

folder = Path(__file__).parents[2] / "models" / "smollm2-135m-instruct"
model = AutoModelForCausalLM.from_pretrained(
    folder, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf", dtype=torch.float32, attn_implementation="eager"
).eval()


@torch.no_grad()
def answer(case, given):
    """Decodes step by step; the query of each step is the token before the one that it produces."""
    ids, (start, end) = case["ids"], case["value"]
    cache = model(torch.tensor([ids[:-1]]), use_cache=True).past_key_values
    token, tokens, tops, sure, soft = ids[-1], [], [], [], 0
    copied = None
    for step in range(len(case["answer"])):
        out = model(torch.tensor([[token]]), past_key_values=cache, use_cache=True, output_attentions=True)
        cache = out.past_key_values
        token = given[step] if given else int(out.logits[0, -1].argmax())
        rows = torch.cat([layer[0, :, 0, :] for layer in out.attentions])
        best = rows.topk(2, dim=-1)
        top = best.indices[:, 0]
        copied = copied or [set() for _ in range(rows.shape[0])]
        for head, position in enumerate(top.tolist()):
            if start <= position < end and ids[position] == token:
                copied[head].add(position)
        places = [at for at in range(start, end) if ids[at] == token]
        if places:
            soft = soft + rows[:, places].sum(-1)
        tokens.append(token)
        tops.append(top.tolist())
        sure.append("".join("1" if gap > 1e-4 else "0" for gap in (best.values[:, 0] - best.values[:, 1]).tolist()))
    held = sum(token in ids[start:end] for token in tokens)
    scores = [round(len(one) / (end - start), 6) for one in copied]
    return {"tokens": tokens, "top": tops, "sure": sure, "score": scores, "soft": [round(x, 6) for x in (soft / held).tolist()]}


cases = json.load(sys.stdin)
for case in cases:
    case["forced"] = answer(case, case["answer"])
    case["free"] = answer(case, None)
json.dump(cases, sys.stdout, separators=(",", ":"))
sys.stdout.write("\n")
