#!/usr/bin/env python3
"""Writes graph/codebooks.c: the codebooks of ggml's IQ formats, which are facts of the format, out of PyPI's gguf (0.19.0
made what is there; it has them of llama.cpp's ggml-common.h). An entry is a word, as gguf packs it: 8 elements of 2 bits,
or 4 of 3 bits each in a nibble, the first in the lowest bits."""
import os

import gguf
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEAD = """/* codebooks.c: see codebooks.h. Written by tests/graph/make_codebooks.py, which says where the numbers come from;
 * test_blocks compares what blocks come to with them. */
#include "graph/block_words.h"
"""


def main():
    with open(os.path.join(ROOT, "graph/codebooks.c"), "w") as f:
        f.write(HEAD)
        for name in ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"):
            words = np.frombuffer(bytes.fromhex(getattr(gguf.quants, name).grid_hex.decode()), "<u2")
            f.write(f"\nconst uint16_t weft__{name.lower()}_book[{len(words)}] = {{\n")
            for i in range(0, len(words), 14):
                f.write("    " + ", ".join(f"0x{w:04x}" for w in words[i:i + 14]) + ",\n")
            f.write("};\n")


main()
