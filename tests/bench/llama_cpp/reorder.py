#!/usr/bin/env python3
"""Another model that computes the same, for quality.py: which numbers share a block, and so how well a file does, is
partly luck.

    tests/bench/llama_cpp/reorder.py MODEL OUT SEED

MODEL is a folder of a GPT-NeoX with one model.safetensors. In OUT the channels of its hidden state, the heads, the
channels of values within a head and the units of its layers are in a random order of that seed.
"""
import json
import os
import shutil
import struct
import sys

import numpy

TYPES = {"F16": numpy.float16, "F32": numpy.float32}


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8:start])
    head.pop("__metadata__", None)
    return {name: numpy.frombuffer(data[start + t["data_offsets"][0] : start + t["data_offsets"][1]],
                                   TYPES[t["dtype"]]).reshape(t["shape"]) for name, t in head.items()}


def write(path, tensors):
    names = {v: k for k, v in TYPES.items()}
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, t in tensors.items():
        head[name] = {"dtype": names[t.dtype.type], "shape": list(t.shape), "data_offsets": [at, at + t.nbytes]}
        at += t.nbytes
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for t in tensors.values():
            f.write(numpy.ascontiguousarray(t).tobytes())


def reorder(tensors, heads, seed):
    random = numpy.random.default_rng(seed)
    hidden = random.permutation(tensors["gpt_neox.embed_in.weight"].shape[1])
    width = len(hidden) // heads
    out = {}
    for name, t in tensors.items():
        if name.startswith(("gpt_neox.embed_in", "embed_out")):
            t = t[:, hidden]
        elif "norm" in name:
            t = t[hidden]
        out[name] = t
    for prefix in sorted({name.split(".attention.")[0] for name in tensors if ".attention." in name}):
        order = random.permutation(heads)[:, None] * width
        values = order + random.permuted(numpy.tile(numpy.arange(width), (heads, 1)), axis=1)
        keys = order * 3 + numpy.arange(2 * width)
        mixed = numpy.concatenate([keys, values + order * 2 + 2 * width], axis=1).ravel()
        units = random.permutation(tensors[f"{prefix}.mlp.dense_h_to_4h.bias"].shape[0])
        for name, rows, columns in (("attention.query_key_value", mixed, hidden), ("mlp.dense_h_to_4h", units, hidden),
                                    ("attention.dense", hidden, values.ravel()), ("mlp.dense_4h_to_h", hidden, units)):
            out[f"{prefix}.{name}.weight"] = tensors[f"{prefix}.{name}.weight"][rows][:, columns]
            out[f"{prefix}.{name}.bias"] = tensors[f"{prefix}.{name}.bias"][rows]
    return out


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    model, out, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    shutil.copytree(model, out)
    with open(f"{model}/config.json", encoding="utf-8") as f:
        heads = json.load(f)["num_attention_heads"]
    os.remove(f"{out}/model.safetensors")
    write(f"{out}/model.safetensors", reorder(read(f"{model}/model.safetensors"), heads, seed))


if __name__ == "__main__":
    main()
