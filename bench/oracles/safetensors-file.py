"""Writes a small safetensors file with the Python package `safetensors` (0.8.0).

    pip install safetensors==0.8.0 numpy
    python bench/oracles/safetensors-file.py packages/engine/format/golden/python.safetensors
"""

import sys

import numpy as np
from safetensors import TensorSpec, serialize


def main(path):
    ramp = np.arange(-6, 6, dtype=np.float32).reshape(3, 4) / 8
    # These values are exact in bfloat16, so the upper halves of the float32 words are the numbers themselves.
    upper_halves = (ramp.view(np.uint32) >> 16).astype(np.uint16)
    arrays = {
        "ramp.f32": ("float32", ramp),
        "ramp.f16": ("float16", ramp.astype(np.float16)),
        "ramp.bf16": ("bfloat16", upper_halves),
        "positions": ("int64", np.arange(5, dtype=np.int64).reshape(1, 5)),
        "scalar": ("float32", np.array(2.5, dtype=np.float32)),
        "empty": ("float32", np.zeros((0, 4), dtype=np.float32)),
    }
    specs = {
        name: TensorSpec(dtype=dtype, shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
        for name, (dtype, array) in arrays.items()
    }
    with open(path, "wb") as file:
        file.write(serialize(specs, {"format": "pt", "note": "Grüße"}))


main(sys.argv[1])
