"""Four steps of AdamW on the small model that training.ts writes, with PyTorch's automatic differentiation in float64.

    python bench/oracles/training.py small.json > packages/lab/training/golden/training.json

Needs: torch 2.14.1 (CPU)
"""
import json
import sys

import torch
import torch.nn.functional as F

given = json.load(open(sys.argv[1]))
p = {
    name: torch.tensor(one["numbers"], dtype=torch.float64).reshape(one["shape"]).requires_grad_()
    for name, one in given["parameters"].items()
}
ids = torch.tensor(given["ids"]).reshape(3, 9)
rows, labels = torch.tensor(given["rows"]), torch.tensor(given["labels"])
adam = given["adam"]


def norm(x, name):
    return F.layer_norm(x, (16,), p[name + ".weight"], p[name + ".bias"])


def mix(x, at):
    gate = F.silu(x @ p[at + "gate"] + p[at + "bias"])
    filters = p[at + "filter"].flip(0).T.unsqueeze(1)
    y = F.conv1d(F.pad(x.transpose(1, 2), (2, 0)), filters, groups=16).transpose(1, 2) * gate
    q, k, v = ((y @ p[at + name]).view(3, 9, 2, 8).transpose(1, 2) for name in ("query", "key", "value"))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(3, 9, 16)


def loss_of():
    x = p["embedding"][ids] + p["positions"]
    for layer in range(2):
        at = f"layers.{layer}."
        x = x + mix(norm(x, at + "norm"), at + "mix.")
        inner = F.gelu(norm(x, at + "feedForwardNorm") @ p[at + "feedForward.up"], approximate="tanh")
        x = x + inner @ p[at + "feedForward.down"]
    logits = norm(x, "norm").reshape(27, 16)[rows] @ p["embedding"].T
    return F.cross_entropy(logits, labels)


groups = [
    {"params": [p[n] for n, one in given["parameters"].items() if one["decays"]], "weight_decay": adam["decay"]},
    {"params": [p[n] for n, one in given["parameters"].items() if not one["decays"]], "weight_decay": 0.0},
]
optimiser = torch.optim.AdamW(groups, lr=adam["rate"], betas=(adam["beta1"], adam["beta2"]), eps=adam["epsilon"])
steps = []
for _ in range(4):
    optimiser.zero_grad()
    loss = loss_of()
    loss.backward()
    length = torch.nn.utils.clip_grad_norm_(list(p.values()), adam["clip"])
    optimiser.step()
    steps.append({"loss": loss.item(), "gradient": length.item()})
# Of every parameter its first numbers.
ends = {name: [round(x, 9) for x in one.detach().flatten()[:6].tolist()] for name, one in p.items()}
print(json.dumps({"steps": steps, "parameters": ends}))
