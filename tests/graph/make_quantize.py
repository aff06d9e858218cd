#!/usr/bin/env python3
"""Writes quantize_golden.h: the errors of llama.cpp's quantisers on the rows that test_quantize.c makes.

    python3 make_quantize.py LIBGGML > quantize_golden.h

LIBGGML is libggml-base.so of a build of llama.cpp; the package gguf (PyPI) reads the blocks. The figures in the header are of
PyPI's llama-cpp-python 0.3.36, whose source distribution has llama.cpp's."""
import ctypes
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

ROWS, N, GOLDEN, MASK = 12, 1024, 0x9E3779B97F4A7C15, (1 << 64) - 1
TYPES = "Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4".split()


class Drawn:
    """The test's generator: SplitMix64, of which 17 bits are a number of -1..1."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self, n):
        z = (self.state + GOLDEN * np.arange(1, n + 1, dtype=np.uint64)) & np.uint64(MASK)
        self.state = int(z[-1])
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
        return ((z >> np.uint64(47)).astype(np.int64) - 65536).astype(np.float32) * np.float32(2.0**-16)

    def normal(self, n):
        return self.uniform(4 * n).reshape(n, 4).sum(axis=1, dtype=np.float32)


def rows(kind):
    drawn = Drawn(1 + kind)
    x = drawn.normal(ROWS * N)
    if kind:
        x = x * drawn.normal(ROWS * N)
    x = x.reshape(ROWS, N) * np.float32(2) ** np.arange(-8, ROWS - 8, dtype=np.float32)[:, None]
    w = drawn.normal(N)
    w = w * w
    return x, w * w + np.float32(2.0**-8)


def error(x, y, w):
    """Of each row, relative to it; the root of their squares' mean."""
    x, y, w = (a.astype(np.float64) for a in (x, y, w))
    return float(np.sqrt(((w * (x - y) ** 2).sum(axis=1) / (w * x * x).sum(axis=1)).mean()))


def quantised(lib, t, x, w):
    block, size = GGML_QUANT_SIZES[t]
    out = np.zeros((ROWS, N // block * size), np.uint8)
    importance = w.ctypes.data if w is not None else None
    lib.ggml_quantize_chunk(int(t), x.ctypes.data, out.ctypes.data, 0, ROWS, N, importance)
    return quants.dequantize(out, t)


def main():
    lib = ctypes.CDLL(sys.argv[1])
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + 3 * [ctypes.c_int64] + [ctypes.c_void_p]
    print("/* quantize_golden.h: written by make_quantize.py: errors of llama.cpp's quantisers, plain and by importance, of normal\n"
          " * numbers and of products of two. */")
    print("static const struct golden { weft_dtype type; double plain[2], weighted[2]; } golden[] = {")
    for name in TYPES:
        t = GGMLQuantizationType[name]
        plain, weighted = [], []
        for kind in range(2):
            x, w = rows(kind)
            plain.append(error(x, quantised(lib, t, x, None), np.ones(N)))
            weighted.append(error(x, quantised(lib, t, x, w), w))
        figures = ", ".join("{ %.6f, %.6f }" % tuple(f) for f in (plain, weighted))
        print("    { WEFT_%s, %s }," % (name, figures))
    print("};")


main()
