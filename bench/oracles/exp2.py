"""The coefficients of `exp2` in packages/kernels/assembly/simd.ts and of weights in attend/bytes.assembly.ts: the polynomials of
degree 6 and 3 that are nearest to 2**r on [-1/2, 1/2] in relative error, by iterated reweighting, and their errors once
coefficients and sums are float32.

    python bench/oracles/exp2.py
"""

import numpy as np

for degree, factor in ((6, 1), (3, 127)):
    r = np.cos(np.linspace(0, np.pi, 4001)) / 2
    target = 2.0**r
    powers = np.vander(r, degree + 1, increasing=True)
    weight = np.ones_like(r)
    for _ in range(300):
        coefficients, *_ = np.linalg.lstsq(powers * (weight / target)[:, None], weight, rcond=None)
        error = np.abs(powers @ coefficients / target - 1)
        weight = np.maximum(weight * (error / error.max()) ** 0.1, 1e-4)

    rounded = (factor * coefficients).astype(np.float32)
    x = np.linspace(-0.5, 0.5, 200001).astype(np.float32)
    value = np.full_like(x, rounded[-1])
    for coefficient in rounded[-2::-1]:
        # A fused multiply-add: exact product and sum, then one rounding.
        value = (value.astype(np.float64) * x + coefficient).astype(np.float32)
    print(f"degree {degree}, times {factor}, highest power first:", [float(c) for c in rounded[::-1]])
    print("error in float64:", error.max())
    print("error in float32:", np.abs(value / factor / 2.0 ** x.astype(np.float64) - 1).max())
