#!/usr/bin/env python3
"""Writes golden/blocks.txt, with which test_blocks compares the rows of graph/block.def: what others read and write.

Values are those of PyPI's gguf (0.19.0 made what is there), bytes those of llama.cpp's library, ggml_quantize_chunk of
libggml-base.so (commit 0c1e570). Both are kept as hashes of many blocks, which the test makes alike.

usage: make_blocks.py libggml-base.so
"""
import ctypes
import os
import re
import sys

import gguf
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HALVES = (0x0000, 0x8000, 0x0001, 0x03ff, 0x8400, 0x3c00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7c01, 0xffff)


def numbers(seed, n):
    """n numbers of 32 bits of a congruential generator"""
    out, state = np.empty(n, np.uint32), seed
    for i in range(n):
        state = (state * 1664525 + 1013904223) & 0xffffffff
        out[i] = state
    return out


def random_bytes(seed, blocks, size):
    return (numbers(seed, blocks * size) >> 24).astype(np.uint8).reshape(blocks, size)


def stored(size):
    """sets of blocks: of any bytes; with every value in every byte; with an extreme f16 at every place"""
    yield "random", random_bytes(7, 200, size)
    yield "bytes", ((np.arange(256)[:, None] + 37 * np.arange(size)[None, :]) & 255).astype(np.uint8)
    halves = random_bytes(9, (size - 1) * len(HALVES), size)
    for k in range(len(halves)):
        at, half = k // len(HALVES), HALVES[k % len(HALVES)]
        halves[k, at:at + 2] = half & 255, half >> 8
    yield "halves", halves


def floats():
    """400 blocks of 32: whole numbers of up to 1, 3, 5, .. 23 bits times powers of two; every eighth begins with a zero,
    and blocks 0 to 3 are zeros, negative zeros, the same number, and zeros but for one"""
    state, blocks = numbers(11, 400 * 32).reshape(400, 32), np.arange(400)
    bits, power = 1 + blocks % 12 * 2, blocks % 31 - 37
    half = (1 << (bits - 1))[:, None]
    x = ((state >> 8).astype(np.int64) % (2 * half + 1) - half).astype(np.float32)
    x *= np.float32(2.0) ** power[:, None].astype(np.float32)
    x[::8, 0] = 0
    x[0], x[1], x[2], x[3] = 0, -0.0, 0.75, 0
    x[3, 5] = -3
    return x


def digest(words):
    h = 0xcbf29ce484222325
    for w in words.tolist():
        h = (h ^ w) * 0x100000001b3 & 0xffffffffffffffff
        h ^= h >> 32
    return f"{h:016x}"


def value_hash(blocks, kind):
    with np.errstate(all="ignore"):
        if kind == gguf.GGMLQuantizationType.Q8_K:  # which gguf does not read: a float and 256 bytes
            x = blocks[:, :4].copy().view(np.float32) * blocks[:, 4:260].view(np.int8).astype(np.float32)
        else:
            x = gguf.quants.dequantize(blocks, kind).astype(np.float32)
        x = x.ravel()
    return digest(np.where(np.isnan(x), np.uint32(0x7fc00000), x.view(np.uint32)))


def byte_hash(lib, kind, size):
    x, block = floats(), 32
    out = np.zeros(x.size // block * size, np.uint8)
    lib.ggml_quantize_chunk(ctypes.c_int(int(kind)), x.ctypes.data_as(ctypes.c_void_p),
                            out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(0), ctypes.c_int64(len(x)),
                            ctypes.c_int64(block), None)
    return digest(out)


def main():
    lib = ctypes.CDLL(sys.argv[1])
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    rows = re.findall(r"^WEFT_BLOCK\(\d+, (\w+), (\w+), \d+, (\d+), \d+, \d+, \d, (\d),",
                      open(os.path.join(ROOT, "graph/block.def")).read(), re.M)
    with open(os.path.join(HERE, "golden/blocks.txt"), "w") as f:
        for name, ours, size, encodes in rows:
            kind = gguf.GGMLQuantizationType[name]
            for what, blocks in stored(int(size)):
                f.write(f"{ours} {what} {value_hash(blocks, kind)}\n")
            if encodes == "1":
                f.write(f"{ours} written {byte_hash(lib, kind, int(size))}\n")


main()
