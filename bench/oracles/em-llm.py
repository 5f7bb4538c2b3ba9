"""What EM-LLM's official code says of splits of random keys into two communities, and where it moves cuts.

    pip install torch
    python bench/oracles/em-llm.py PATH/TO/EM-LLM-model > packages/papers/em-llm/golden/refinement.json

The path is a clone of em-llm/EM-LLM-model (MIT) at e911d1f.
"""
import importlib.util
import json
import math
import os
import sys
import types

import torch

folder = os.path.join(sys.argv[1], "em_llm", "attention", "similarity_refinement")
package = types.ModuleType("refinement")
package.__path__ = [folder]
sys.modules["refinement"] = package


def module(name):
    spec = importlib.util.spec_from_file_location(f"refinement.{name}", os.path.join(folder, f"{name}.py"))
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[f"refinement.{name}"] = loaded
    spec.loader.exec_module(loaded)
    return loaded


similarity = module("similarity")
segmentation = module("segmentation")


def numbers(seed, *shape):
    """Uniform from -2 to 2 by a hash of the index, which any language can do: snapkv/oracle.ts does the same."""
    x = (torch.arange(math.prod(shape), dtype=torch.int64) + seed) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    x = x ^ (x >> 16)
    return (x.double() / 2**32 * 4 - 2).float().reshape(shape)


cases = []
for number, (T, dim, least, block, cuts) in enumerate([(96, 32, 4, 13, [17, 30, 44, 61, 75, 90]), (64, 16, 8, 20, [24, 45])]):
    # Blocks of keys have a mean of their own, so that there is something to find.
    keys = numbers(100_000 * number, T, dim) + numbers(100_000 * number + 50_000, T // block + 1, dim)[torch.arange(T) // block]
    keys = keys.double()
    A = keys @ keys.T
    case = {"T": T, "dim": dim, "min": least, "block": block, "cuts": cuts}
    for name in ("modularity", "conductance"):
        of = similarity.modularity if name == "modularity" else lambda a, c: similarity.conductance(a, c)[0]
        case[name] = [float(of(A, [list(range(t)), list(range(t, T))])) for t in range(1, T)]
        moved = segmentation.events_with_similarity_adjustment([torch.tensor(c) for c in cuts], A, name, least, torch.tensor(0))
        case[f"{name}Cuts"] = [int(one) for one in moved]
    cases.append(case)
print(json.dumps({"source": "em-llm/EM-LLM-model e911d1f", "cases": cases}))
