"""What DHSA's own code makes of random queries, keys and weights: label ratios, logits of the predictor, boundaries, chosen keys.

    pip install torch numpy
    python bench/oracles/dhsa.py PATH/TO/DHSA/legacy > packages/papers/dhsa/golden/dhsa.json

The folder is xiongsiheng/DHSA's legacy/, the method of October 2025.
"""
import importlib.util
import json
import math
import sys

import numpy as np
import torch


def module(path):
    spec = importlib.util.spec_from_file_location("m" + str(abs(hash(path))), path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


helper = module(sys.argv[1] + "/utils/helper.py")
models = module(sys.argv[1] + "/boundary_predictor/models.py")
losses = module(sys.argv[1] + "/boundary_predictor/loss.py")


def numbers(seed, *shape):
    """Uniform from -2 to 2 by a hash of the index, which any language can do: oracle.ts does the same."""
    with np.errstate(over="ignore"):
        x = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(seed)
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
        x = x ^ (x >> np.uint32(16))
    return torch.from_numpy((x.astype(np.float64) / 2**32 * 4 - 2).astype(np.float32).reshape(shape))


n, h, g, d, w = 160, 4, 2, 16, 4
q = numbers(1, 1, h, n, d)
k = numbers(100_000, 1, g, n, d)
wide = k.repeat_interleave(h // g, 1)
mask = torch.ones(n, n).tril().bool()
attention = ((q @ wide.transpose(2, 3)) / math.sqrt(d)).masked_fill(~mask, float("-inf")).softmax(-1)
ratios = helper._compute_cumulative_attention_mass_ratio(attention[0].mean(0), w, 1e-6, list(range(n)), False, smooth_ends=True)

torch.manual_seed(0)
predictor = models.BoundarySimilarityAttn(g * d, w, d_h=24, heads=4)
for i, (name, parameter) in enumerate(predictor.named_parameters()):
    scale = 1.0 if "norm" in name else 0.15
    parameter.data = numbers(1_000_000 * (i + 1), *parameter.shape) * scale
features = k.permute(0, 2, 1, 3).reshape(1, n, g * d).permute(0, 2, 1).contiguous()
with torch.no_grad():
    logits = predictor(features)[0]
    cuts, _ = helper.predict_boundaries(predictor, k, 8, w, theta=0.1, nms_window_size=8)

b, budget, local = 32, 48, 16
bounds = torch.tensor([[0, 9, 20, 41, 60, 64, 90, 111, 120, 139, 160]])
blocks = q.view(1, h, n // b, b, d)
chosen = helper._obtain_dhsa_mask(blocks, wide.view(1, h, n, 1, d), budget, n, 0, bounds, None, "avgpool_norm", local)[0, 0]

x = numbers(77, 12)
y = (numbers(78, 12) > 0).float()
mask = torch.ones(12)
x.requires_grad_()
loss = losses.focal_bce_loss(x, y, mask, pos_weight=torch.tensor(1.3), gamma=2.0)
loss.backward()

print(
    json.dumps(
        {
            "source": "xiongsiheng/DHSA, legacy/, with PyTorch " + torch.__version__,
            "shape": [n, h, g, d, w],
            "ratios": [float(r) for r in ratios],
            "parameters": [name for name, _ in predictor.named_parameters()],
            "logits": [float(z) for z in logits],
            "cuts": [int(c) for c in cuts[0]],
            "mask": {"block": b, "budget": budget, "local": local, "ends": bounds[0, 1:].tolist(),
                     "chosen": [sorted(set(int(c) for c in row)) for row in chosen]},
            "focal": {"loss": float(loss), "slopes": [float(z) for z in x.grad]},
        }
    )
)
