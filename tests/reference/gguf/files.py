#!/usr/bin/env python3
"""Writes, for each small model below, NAME.head and NAME.json: what stands before the data in the GGUF file that
llama.cpp's converter makes of it; and for each of that file's tensors, in its order, which of the model's tensors make it
and how ("from", several are stacked; "form", with rows for that of them, and "turned" first, as names.txt has them; or
"values"), with what ../arch/make.py says of the model, or where that is ("golden").

usage: files.py LLAMA_CPP [NAME...]     (its source tree, as for make.py, and what that needs; all)

Models that files can say all of are those of ../arch; others are changed to what the converter writes.
"""
import itertools
import json
import logging
import os
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
import make  # noqa: E402

AS_THEY_ARE = [
    "bloom-usual", "cohere-plain", "gemma-one", "gpt2-usual", "gpt_bigcode-one", "gpt_neox-parallel", "granite-biases",
    "granite-factors", "llama-3", "llama-linear", "mistral-yarn", "mpt-plain", "olmo-biases", "olmo-clip", "olmo2-biases",
    "olmo2-grouped", "olmo3-listed", "olmo3-usual", "phi3-long", "phi3-short", "qwen2-full", "qwen3-norms",
    "stablelm-sequential", "starcoder2-plain",
]
# What published configurations have, and transformers' classes give by other names.
PUBLISHED = {"gpt2": {"n_ctx": 64}, "gpt_neox": {"rotary_pct": 0.25}, "cohere2": {"rotary_pct": 1.0}}


def changed(name, **more):
    values = {k: v for k, v in make.MODELS[name].items() if k not in more or more[k] is not None}
    return {**values, **{k: v for k, v in more.items() if v is not None}}


YARN = {k: v for k, v in make.MODELS["llama-yarn"]["rope_parameters"].items() if k not in (
    "mscale", "mscale_all_dim", "truncate")}

CHANGED = {
    "cohere-norms": changed("cohere-norms", tie_word_embeddings=None),
    "gpt_neox-sequential": changed("gpt_neox-sequential", rotary_emb_base=None, rope_scaling=None, hidden_act=None),
    "gpt_oss": changed("gpt_oss-usual", swiglu_limit=None),
    "llama-biases": changed("llama-biases", hidden_act=None),
    "llama-yarn": changed("llama-yarn", rope_parameters=YARN),
    "olmoe": changed("olmoe-each", clip_qkv=None),
    "cohere2": changed("cohere2-pattern", num_hidden_layers=5, sliding_window_pattern=None),
    "falcon": changed("falcon-40b", rope_scaling=None),
    "gemma2": changed("gemma2-caps", query_pre_attn_scalar=16),
    "gemma3": changed("gemma3_text-old", query_pre_attn_scalar=16, num_hidden_layers=7, sliding_window_pattern=None),
    "mixtral": changed("mixtral-each", sliding_window=None),
    "phi": changed("phi-partial", intermediate_size=192),
    "qwen2_moe": changed("qwen2_moe-each", mlp_only_layers=None, decoder_sparse_step=None, norm_topk_prob=None,
                         use_sliding_window=None),
    "qwen3_moe": changed("qwen3_moe-each", mlp_only_layers=None, decoder_sparse_step=None, norm_topk_prob=True,
                         use_sliding_window=None),
    "smollm3": changed("smollm3-every", num_hidden_layers=5, no_rope_layer_interval=None),
}


def converted(values, tensors):
    """Everything before the data, and name -> array, of the GGUF file."""
    out = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in ("config", values), ("tokenizer", {"model": {"vocab": dict.fromkeys(
                map(str, range(values["vocab_size"])), 0)}, "added_tokens": []}):
            with open(os.path.join(folder, name + ".json"), "w") as f:
                json.dump({**PUBLISHED.get(content.get("model_type"), {}), **content}, f)
        save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        name = values["architectures"][0].replace("MptFor", "MPTFor")
        path = Path(folder) / "x.gguf"
        model = conversion.get_model_class(name)(Path(folder), gguf.LlamaFileType.ALL_F32, path, eager=True)
        model.set_vocab = lambda: model.gguf_writer.add_tokenizer_model("none")
        model.metadata_override = None
        model.write()
        reader = gguf.GGUFReader(path)
        for t in reader.tensors:
            assert t.tensor_type == gguf.GGMLQuantizationType.F32, t.name
            out[t.name] = numpy.array(t.data).reshape([int(n) for n in reversed(t.shape)])
        with open(path, "rb") as f:
            return f.read(reader.data_offset), out


def forms(a, b):
    """How b may lie in a."""
    if a.shape == b.shape:
        if numpy.array_equal(a, b):
            yield {"form": "same"}
        if numpy.array_equal(a, b + numpy.float32(1)):
            yield {"form": "more"}
        place = {row.tobytes(): i for i, row in enumerate(b)}
        if len(place) == len(b) and all(row.tobytes() in place for row in a):
            yield {"form": "rows", "rows": [place[row.tobytes()] for row in a]}
    for i in range(2):
        if b.ndim > 1 and b.shape[1] % 2 == 0:
            n = b.shape[1] // 2
            if numpy.array_equal(a, b[:, i * n:(i + 1) * n]):
                yield {"form": "half %d" % i}
            if numpy.array_equal(a, b[:, i::2]):
                yield {"form": "turn %d" % i}


def stacks(tensors):
    """Names, and what they are together: of each by itself, and of the experts of a layer."""
    for name, t in tensors.items():
        yield [name], t.numpy()
        if ".experts.0." in name:
            each = (name.replace(".experts.0.", ".experts.%d." % i) for i in itertools.count())
            all_of = list(itertools.takewhile(lambda other: other in tensors, each))
            yield all_of, numpy.stack([tensors[other].numpy() for other in all_of])


def recipe(name, a, sources):
    for names, b in sources:
        for how in forms(a, b):
            return {"name": name, "from": names, **how}
        for how in forms(a, b.swapaxes(-1, -2)) if b.ndim > 1 else ():
            return {"name": name, "from": names, "turned": True, **how}
    assert name.startswith("rope_f"), name
    return {"name": name, "values": [float(x) for x in a]}


def described(name):
    """What ../arch says, or would."""
    if name in AS_THEY_ARE:
        with open(os.path.join(ARCH, name + ".json")) as f:
            return json.load(f), {"golden": "arch/%s.json" % name}
    make.MODELS[name] = CHANGED[name]
    golden = make.golden(name)
    golden["logits"] = [[float(x) for x in row] for row in golden["logits"]]
    return golden, golden


def write(name):
    golden, out = described(name)
    tensors = {}
    for tensor, shape in golden["tensors"].items():
        tensors[tensor] = torch.empty(shape)
        make.fill(tensor, tensors[tensor])
    head, arrays = converted(golden["config"], tensors)
    sources = list(stacks(tensors))
    recipes = [recipe(n, a, sources) for n, a in arrays.items()]
    with open(os.path.join(HERE, name + ".head"), "wb") as f:
        f.write(head)
    parts = ["  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in out.items()]
    parts.append('  "files": [\n    ' + ",\n    ".join(map(json.dumps, recipes)) + "\n  ]")
    with open(os.path.join(HERE, name + ".json"), "w") as f:
        f.write("{\n" + ",\n".join(parts) + "\n}\n")
    print(name, len(head))


logging.disable(logging.CRITICAL)
for name in sys.argv[2:] or AS_THEY_ARE + list(CHANGED):
    write(name)
