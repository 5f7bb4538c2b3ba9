"""What SnapKV's official class and kvpress keep of random queries, keys and values.

    pip install torch kvpress==0.5.5
    python bench/oracles/snapkv.py PATH/TO/snapkv_utils.py > packages/papers/snapkv/golden/snapkv.json

snapkv_utils.py is FasterDecoding/SnapKV's (Apache-2.0), snapkv/monkeypatch/snapkv_utils.py.
"""
import importlib.util
import json
import sys

import numpy as np
import torch
from kvpress import SnapKVPress

spec = importlib.util.spec_from_file_location("snapkv_utils", sys.argv[1])
official = importlib.util.module_from_spec(spec)
spec.loader.exec_module(official)


def numbers(seed, *shape):
    """Uniform from -2 to 2 by a hash of the index, which any language can do: oracle.ts does the same."""
    with np.errstate(over="ignore"):
        x = np.arange(int(np.prod(shape)), dtype=np.uint32) + np.uint32(seed)
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
        x = x ^ (x >> np.uint32(16))
    return torch.from_numpy((x.astype(np.float64) / 2**32 * 4 - 2).astype(np.float32).reshape(shape))


cases = []
for number, (H, G, n, d, w, B, p) in enumerate([(9, 3, 300, 64, 32, 96, 7), (4, 1, 257, 256, 16, 64, 5), (2, 2, 64, 8, 8, 16, 1)]):
    q, k, v = (numbers(1_000_000 * (3 * number + i), heads, n, d)[None] for i, heads in enumerate((H, G, G)))
    r = H // G
    wide = lambda x: x.repeat_interleave(r, 1)
    case = {"shape": [H, G, n, d, w, B, p], "none": {}}
    for pooling in ("avg", "max"):
        cluster = official.SnapKVCluster(w, B, p, pooling + "pool")
        # Distinct values say which positions were kept.
        marks = torch.arange(n, dtype=torch.float32)[None, None, :, None].expand(1, H, n, d).clone()
        kept_k, kept = cluster.update_kv(wide(k), q, marks, None, r)
        _, kept_v = cluster.update_kv(wide(k), q, wide(v), None, r)
        case["none"][pooling] = {
            "kept": [sorted(int(i) for i in head[:, 0]) for head in kept[0]],
            "keys": [float(x) for x in kept_k[0].double().sum((1, 2))],
            "values": [float(x) for x in kept_v[0].double().sum((1, 2))],
        }
    mask = torch.ones(n, n).tril().bool()
    attention = ((q @ wide(k).transpose(2, 3)) / d**0.5).masked_fill(~mask, float("-inf")).softmax(-1)
    module = type("Module", (), {"config": type("Config", (), {"num_attention_heads": H})})
    press = SnapKVPress(compression_ratio=0.5, window_size=w, kernel_size=p)
    scores = press.score(module, torch.zeros(1, n, 1), k, v, attention, {})
    case["mean"] = [sorted(int(i) for i in head) for head in scores[0].topk(B, -1).indices]
    cases.append(case)
print(json.dumps({"source": "FasterDecoding/SnapKV and kvpress 0.5.5", "cases": cases}))
