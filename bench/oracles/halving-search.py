"""Sets that the halving search of HiP Attention (arXiv 2406.09827, algorithm 1) ends at, over given scores.

    python bench/oracles/halving-search.py > packages/kernels/descend/golden/sets.json

Positions are counted from 1 and both ends belong to a chunk, as the paper writes them. Scores are whole numbers that
the test makes again: score(i) of seed s is the i-th number of x -> (1103515245 x + 12345) mod 2^31, x0 = s, divided by
`coarse` and rounded down, so that some are equal.
"""
import json
import numpy as np


def scores_of(count, seed, coarse):
    x, out = seed, []
    for _ in range(count):
        x = (1103515245 * x + 12345) % 2**31
        out.append(x // coarse)
    return np.array(out)


def search(scores, k):
    count = len(scores)
    bound = lambda j: (2 * j * count + k) // (2 * k)  # round(j T / k), halves upwards
    chunks = [(bound(j - 1) + 1, bound(j)) for j in range(1, k + 1)]
    while any(f < l for f, l in chunks):
        branches = []
        for f, l in chunks:
            m = (f + l + 1) // 2  # round((f + l) / 2)
            branches += [b for b in ((f, m - 1), (m, l)) if b[0] <= b[1]]
        # The centre of [f, l], counted from 1: f + floor((l - f + 1) / 2).
        s = np.array([scores[f + (l - f + 1) // 2 - 1] for f, l in branches])
        kept = np.sort(np.argsort(-s, kind="stable")[:k])
        chunks = [branches[i] for i in kept]
    return [f - 1 for f, _ in chunks]


cases = []
for count, k, coarse in [(17, 4, 1), (64, 16, 1), (100, 7, 2**27), (1000, 60, 1), (1000, 60, 2**26), (33, 32, 1), (31, 30, 2**28), (4096, 128, 1)]:
    for seed in (1, 2):
        cases.append({"count": count, "k": k, "coarse": coarse, "seed": seed, "set": search(scores_of(count, seed, coarse), k)})
print(json.dumps(cases))
