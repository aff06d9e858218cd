#!/usr/bin/env python3
"""Writes names.txt: what llama.cpp's converter makes of the tensors of the small models in ../arch. For each model a
line with what llama.cpp calls its architecture, then one for each tensor of the first layer and beside the layers, if
no model of the type before had it: model, name, name in GGUF, and how it lies there:

    same            as they are
    turned          [in, out] as [out, in]
    more            1 is added to each element
    row J           it is row J of the other
    half J, turn J  the first or the second half of each of its experts; every other row, or element, of them, from J on
    rows R0 R1 ...  row i of the other is row Ri of it

usage: make.py LLAMA_CPP        (its source tree, with conversion/ and gguf-py/: that in the sdist of llama-cpp-python
                                 0.3.36 made what is there; needs what ../arch/make.py needs)

Models that the converter refuses are left out, and tensors that it has no name for.
"""
import itertools
import json
import logging
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
ARCH = os.path.join(HERE, "..", "arch")
sys.path[:0] = [sys.argv[1], os.path.join(sys.argv[1], "gguf-py"), ARCH]
import conversion  # noqa: E402
import gguf  # noqa: E402
from make import fill  # noqa: E402


def converted(values, tensors):
    """The architecture, and name -> array, of the GGUF file."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ("config", values), ("tokenizer", {"model": {"vocab": dict.fromkeys(
                map(str, range(values["vocab_size"])), 0)}, "added_tokens": []}):
            with open(os.path.join(folder, name + ".json"), "w") as f:
                json.dump(content, f)
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        name = values["architectures"][0].replace("MptFor", "MPTFor")  # as its own code calls it
        model = conversion.get_model_class(name)(Path(folder), gguf.LlamaFileType.ALL_F32, Path(folder) / "x", eager=True)
        model.gguf_writer.add_tensor = lambda name, data, **_: out.__setitem__(name, numpy.array(data))
        model.prepare_tensors()
    return gguf.MODEL_ARCH_NAMES[model.model_arch], out


def attempt(values, tensors):
    """What it has no name for is left out: heads of types whose published models share the embedding, dense layers of
    types whose published models have none."""
    while True:
        try:
            arch, out = converted(values, tensors)
            return arch, {name: placed(name, t, out) for name, t in tensors.items() if is_kept(name)}
        except ValueError as fault:
            unknown = re.search(r"Can not map tensor '(lm_head\.weight|.*mlp\.(gate|up|down)_proj\.weight)'", str(fault))
            if not unknown or unknown[1] not in tensors:
                raise
            tensors = {name: t for name, t in tensors.items() if name != unknown[1]}


def equal(a, b):
    return a.shape == b.shape and numpy.array_equal(a, b)


def form(a, b):
    """How b lies in a; None if it does not."""
    turned = b.swapaxes(-1, -2) if b.ndim > 1 else b
    for how, c in ("same", b), ("turned", turned), ("more", b + numpy.float32(1)):
        if equal(a, c):
            return how
    if a.ndim == b.ndim + 1:
        return next(("row %d" % i for i in range(len(a)) if equal(a[i], b)), None)
    for i, whole in itertools.product((0, 1), (b, turned) if b.ndim > 1 else ()):
        n = whole.shape[1] // 2
        if equal(a, whole[:, i * n:(i + 1) * n]):
            return "half %d" % i
        if equal(a, whole[:, i::2]):
            return "turn %d" % i
    if a.shape != b.shape or len(numpy.unique(b, axis=0)) != len(b):
        return None
    place = {row.tobytes(): i for i, row in enumerate(b)}
    rows = [place.get(row.tobytes()) for row in a]
    return None if None in rows else "rows " + " ".join(map(str, rows))


def is_kept(name):
    """Of layers the first, of experts two."""
    layer = re.search(r"\.([0-9]+)\.", name)
    return (not layer or layer[1] == "0") and not re.search(r"\.experts\.([2-9]|[0-9]{2,})\.", name)


def placed(name, tensor, out):
    found = [(other, form(a, tensor.numpy())) for other, a in out.items()]
    found = [" ".join([name, other, how]) for other, how in found if how]
    assert len(found) == 1 or name == "lm_head.weight" or all(" half " in line or " turn " in line for line in found) and len(found) == 2, (name, found)
    return found


def lines(model, seen):
    with open(os.path.join(ARCH, model + ".json")) as f:
        golden = json.load(f)
    tensors = {}
    for name, shape in golden["tensors"].items():
        tensors[name] = torch.empty(shape)
        fill(name, tensors[name])
    arch, places = attempt(golden["config"], tensors)
    yield "%s general.architecture %s\n" % (model, arch)
    for name, place in places.items():
        if (arch, golden["config"]["model_type"], name) not in seen:
            yield from ("%s %s\n" % (model, line) for line in place)
        seen.add((arch, golden["config"]["model_type"], name))


logging.disable(logging.CRITICAL)
written, seen = [], set()
for file in sorted(os.listdir(ARCH)):
    if not file.endswith(".json"):
        continue
    try:
        written += lines(file[:-5], seen)
    except Exception as fault:
        print("%s: %s" % (file[:-5], str(fault)[:200]), file=sys.stderr)
with open(os.path.join(HERE, "names.txt"), "w") as f:
    f.write("".join(written))
