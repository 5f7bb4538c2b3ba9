"""Writes a small GGUF file that has every value type and several tensor types, with the Python package `gguf` (0.19.0).

    pip install gguf==0.19.0
    python bench/oracles/gguf-file.py packages/engine/format/golden/python.gguf
"""

import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value
from gguf import GGUFWriter
from gguf.quants import quantize


def main(path):
    writer = GGUFWriter(path, "llama")
    writer.add_uint8("test.u8", 255)
    writer.add_int8("test.i8", -128)
    writer.add_uint16("test.u16", 65535)
    writer.add_int16("test.i16", -32768)
    writer.add_uint32("test.u32", 4294967295)
    writer.add_int32("test.i32", -2147483648)
    writer.add_float32("test.f32", 0.1)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_uint64("test.u64", 2**64 - 1)
    writer.add_uint64("test.u64.small", 2**53 - 1)
    writer.add_key_value("test.i64", -(2**63), Value.INT64)
    writer.add_string("test.string", "Grüße, 世界 \ufeff🦙")
    writer.add_key_value("test.u32s", [0, 1, 4294967295], Value.ARRAY, Value.UINT32)
    writer.add_key_value("test.i32s", [-1, 0, 1], Value.ARRAY, Value.INT32)
    writer.add_key_value("test.f32s", [-1.5, 0.0, 1e30], Value.ARRAY, Value.FLOAT32)
    writer.add_key_value("test.bools", [True, False], Value.ARRAY, Value.BOOL)
    writer.add_key_value("test.i64s", [-1, 2**62], Value.ARRAY, Value.INT64)
    writer.add_key_value("test.strings", ["a", "\ufeff", "Ġthe", "x" * 40], Value.ARRAY, Value.STRING)
    ramp = np.arange(-48, 48, dtype=np.float32).reshape(3, 32) / 8
    writer.add_tensor("ramp.f32", ramp)
    writer.add_tensor("ramp.f16", ramp.reshape(2, 3, 16).astype(np.float16))
    writer.add_tensor("ramp.q8_0", quantize(ramp, Type.Q8_0), raw_dtype=Type.Q8_0)
    writer.add_tensor("ramp.q4_1", quantize(ramp, Type.Q4_1), raw_dtype=Type.Q4_1)
    writer.add_tensor("vector", np.array([1.0, 2.0, 3.0], dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main(sys.argv[1])
