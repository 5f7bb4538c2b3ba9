"""Records what the Python package `gguf` (0.19.0, numpy) makes of random blocks of every element format.

    pip install gguf==0.19.0
    python bench/oracles/gguf-blocks.py packages/engine/format/golden/blocks.json

`dequantize`: per type, the bytes of a few random blocks and the float32 values they stand for.
`quantize`: some float32 values and the bytes each type stores them as. All as little-endian hex.
"""

import json
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize, quantize

# Where the half-precision scales of a block lie: random bytes there would be NaN or infinite now and then.
HALVES = {
    "F16": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
QUANTIZABLE = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]


def random_halves(rng, shape):
    """Finite halves of either sign over the whole range of exponents, subnormals among them."""
    bits = rng.integers(0, 0x7C00, shape, dtype=np.uint16) | (rng.integers(0, 2, shape, dtype=np.uint16) << 15)
    return bits.view(np.float16)


def random_blocks(rng, name):
    elements, size = GGML_QUANT_SIZES[Type[name]]
    count = {1: 64, 32: 6, 256: 2}[elements]
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    if name == "F32":
        return rng.standard_normal(count).astype(np.float32).view(np.uint8).reshape(count, size)
    if name == "BF16":
        blocks[:, 1] &= 0xBF  # the exponent stays below that of infinity
    for at in HALVES.get(name, []):
        blocks[:, at : at + 2] = random_halves(rng, count).reshape(count, 1).view(np.uint8)
    return blocks


def main(path):
    rng = np.random.default_rng(20261124)
    golden = {"dequantize": {}, "quantize": {}}
    for name in ["F32", "BF16", *HALVES]:
        blocks = random_blocks(rng, name)
        values = dequantize(blocks.reshape(1, -1), Type[name]).reshape(-1).astype("<f4")
        assert np.isfinite(values).all(), name
        golden["dequantize"][name] = {"bytes": blocks.tobytes().hex(), "values": values.tobytes().hex()}

    # Ordinary weights, a block of zeros, one of equal elements, one that is all negative, ties, and tiny numbers.
    special = [np.zeros(32), np.full(32, 0.75), -1 - rng.random(32), np.arange(32) * 0.5 - 4, rng.random(32) * 1e-6]
    values = np.concatenate([rng.standard_normal(96) * 0.1, *special]).astype("<f4")
    golden["quantize"]["values"] = values.tobytes().hex()
    for name in QUANTIZABLE:
        golden["quantize"][name] = quantize(values.reshape(1, -1), Type[name]).tobytes().hex()

    with open(path, "w") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


main(sys.argv[1])
