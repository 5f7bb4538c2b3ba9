"""Exact nearest keys under the inner product, and what two other indexes score for them, by faiss:
packages/papers/retrieval-attention/golden/nearest.json.

    pip install numpy faiss-cpu
    python bench/oracles/retrieval-attention.py

Keys and queries are made by the formula of packages/papers/retrieval-attention/golden.ts, so that the file holds answers alone.
"""

import json
import math
from pathlib import Path

import faiss
import numpy as np

keys_count, queries_count, d, k = 3000, 40, 64, 32


def numbers(seed: int, count: int) -> np.ndarray:
    """Uniform in [-1, 1), by a generator that every language has."""
    state = seed
    out = np.empty(count)
    for i in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        out[i] = state / 2**31 - 1
    return out


def rows(seed: int, count: int, shift: float) -> np.ndarray:
    """Vectors near a subspace of 8 dimensions; every third channel is shifted."""
    basis = numbers(1, 8 * d).reshape(8, d)
    mixed = numbers(seed, count * 8).reshape(count, 8) @ basis + 0.3 * numbers(seed + 1, count * d).reshape(count, d)
    mixed[:, ::3] += shift
    return mixed.astype(np.float32)


keys, queries = rows(2, keys_count, 0.5), rows(4, queries_count, -0.5)
flat = faiss.IndexFlatIP(d)
flat.add(keys)
scores, nearest = flat.search(queries, k)
gaps = scores[:, :-1] - scores[:, 1:]
assert (np.argsort(-(queries.astype(np.float64) @ keys.astype(np.float64).T), axis=1)[:, :k] == nearest).all()


def recall(found: np.ndarray) -> float:
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(found, nearest)]))


lists = round(math.sqrt(keys_count))
ivf = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, lists, faiss.METRIC_INNER_PRODUCT)
ivf.train(keys)
ivf.add(keys)
curves = {"ivf": [], "hnsw": []}
for probes in (1, 2, 4, 8, 16, 32):
    ivf.nprobe = probes
    faiss.cvar.indexIVF_stats.reset()
    found = ivf.search(queries, k)[1]
    scans = faiss.cvar.indexIVF_stats.ndis / queries_count + lists
    curves["ivf"].append({"recall": round(recall(found), 4), "scans": round(scans)})
hnsw = faiss.IndexHNSWFlat(d, 16, faiss.METRIC_INNER_PRODUCT)
hnsw.hnsw.efConstruction = 64
hnsw.add(keys)
for pool in (32, 64, 128, 256):
    hnsw.hnsw.efSearch = pool
    faiss.cvar.hnsw_stats.reset()
    found = hnsw.search(queries, k)[1]
    curves["hnsw"].append({"recall": round(recall(found), 4), "scans": round(faiss.cvar.hnsw_stats.ndis / queries_count)})

target = Path(__file__).parents[2] / "packages/papers/retrieval-attention/golden/nearest.json"
target.parent.mkdir(exist_ok=True)
made = {
    "madeBy": f"bench/oracles/retrieval-attention.py with faiss {faiss.__version__}",
    "sizes": {"keys": keys_count, "queries": queries_count, "d": d, "k": k},
    "smallestGap": float(gaps.min()),
    "nearest": np.sort(nearest, axis=1).tolist(),
    "others": curves,
}
target.write_text(json.dumps(made) + "\n")
print(made["smallestGap"], curves)
