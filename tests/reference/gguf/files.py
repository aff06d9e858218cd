#!/usr/bin/env python3
"""Writes, for each small model below, NAME.head and NAME.json: what stands before the data in the GGUF file that
llama.cpp's converter makes of it; and for each of that file's tensors, in its order, which of the model's tensors make it
and how ("from", several are stacked; "form", with rows for that of them, and "turned" first, as names.txt has them; or
"values"), with what ../arch/make.py says of the model, or where that is ("golden").

Of quantised ones it writes NAME.gguf, the whole file, whose tensors llama.cpp's library quantised, and NAME.json with
what transformers makes of the numbers in it; "usual" is how far sessions may be from that which keep to the file's types.

usage: files.py LLAMA_CPP LIBGGML_BASE [NAME...]    (its source tree, as for make.py, and what that needs; a
                                                     libggml-base.so of llama.cpp; all)

Models that files can say all of are those of ../arch; others are changed to what the converter writes.
"""
import ctypes
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
    "qwen2_moe": changed("qwen2_moe-each", num_hidden_layers=2, decoder_sparse_step=None, use_sliding_window=None),
    "qwen3_moe": changed("qwen3_moe-each", num_hidden_layers=2, mlp_only_layers=None),
    "smollm3": changed("smollm3-every", num_hidden_layers=5, no_rope_layer_interval=None),
}


# By the ends of names; vectors and routers stay as they are.
QUANTISED = {
    "llama-k": ({**make.LLAMA, "num_hidden_layers": 1, "hidden_size": 256, "intermediate_size": 256, "num_key_value_heads": 2,
                 "head_dim": 32, "rope_theta": 500.0}, {
        "token_embd": "Q6_K", "output": "Q4_1", "attn_q": "Q2_K", "attn_k": "Q3_K", "attn_v": "Q5_K", "attn_output": "IQ4_NL",
        "ffn_gate": "Q4_K", "ffn_up": "IQ4_XS", "ffn_down": "Q3_K"}),
    "llama-books": ({**make.LLAMA, "num_hidden_layers": 1, "hidden_size": 256, "intermediate_size": 256,
                     "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 32, "rope_theta": 500.0}, {
        "token_embd": "IQ3_S", "output": "TQ2_0", "attn_q": "IQ2_XXS", "attn_k": "IQ2_XS", "attn_v": "IQ1_M",
        "attn_output": "IQ2_S", "ffn_gate": "IQ3_XXS", "ffn_up": "IQ1_S", "ffn_down": "TQ1_0"}),
    "gpt_neox-q4_0": ({**make.NEOX, "num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 2, "rotary_pct": 0.25}, {
        "token_embd": "Q8_0", "output": "Q8_0", "attn_qkv": "Q4_0", "attn_output": "Q5_0", "ffn_up": "Q4_0",
        "ffn_down": "Q5_1"}),
    "gpt_oss-mxfp4": ({**make.GPTOSS, "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 32, "head_dim": 16,
                       "num_local_experts": 5, "num_experts_per_tok": 2, "num_key_value_heads": 2, "sliding_window": 7}, {
        "token_embd": "Q8_0", "output": "F16", "attn_q": "Q8_0", "attn_k": "BF16", "attn_v": "Q5_1", "attn_output": "Q8_0",
        "ffn_gate_exps": "MXFP4", "ffn_up_exps": "MXFP4", "ffn_down_exps": "MXFP4"}),
    "gpt_oss-nvfp4": ({**make.GPTOSS, "num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 64, "head_dim": 16,
                       "num_local_experts": 5, "num_experts_per_tok": 2, "num_key_value_heads": 2}, {
        "token_embd": "Q8_0", "output": "NVFP4", "attn_q": "NVFP4", "attn_k": "NVFP4", "attn_v": "Q8_0",
        "attn_output": "NVFP4", "ffn_gate_exps": "NVFP4", "ffn_up_exps": "NVFP4", "ffn_down_exps": "NVFP4"}),
    "qwen3_moe-nvfp4": (changed("qwen3_moe-each", num_hidden_layers=1, mlp_only_layers=None, hidden_size=64,
                                num_experts=3, num_experts_per_tok=2, intermediate_size=64, moe_intermediate_size=64,
                                num_key_value_heads=2, head_dim=16), {
        "token_embd": "Q8_0", "output": "NVFP4", "attn_q": "NVFP4", "attn_k": "NVFP4", "attn_v": "NVFP4",
        "attn_output": "NVFP4", "ffn_gate_exps": "NVFP4", "ffn_up_exps": "NVFP4", "ffn_down_exps": "NVFP4"}),
    "mixtral-q5_0": ({**make.MIXTRAL, "num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 32, "num_local_experts": 5,
                      "num_key_value_heads": 2}, {
        "token_embd": "Q5_0", "output": "Q5_1", "attn_q": "Q5_0", "attn_k": "Q4_1", "attn_v": "Q8_0", "attn_output": "IQ4_NL",
        "ffn_gate_exps": "Q5_0", "ffn_up_exps": "Q5_0", "ffn_down_exps": "Q4_1"}),
}


def quantised(array, kind):
    """As llama.cpp's library does it; the bytes of each row."""
    rows = numpy.ascontiguousarray(array, dtype=numpy.float32).reshape(-1, array.shape[-1])
    block, size = gguf.GGML_QUANT_SIZES[kind]
    out = numpy.zeros((*array.shape[:-1], array.shape[-1] // block * size), dtype=numpy.uint8)
    chunk = ctypes.CDLL(sys.argv[2]).ggml_quantize_chunk
    chunk.restype = ctypes.c_size_t
    chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64,
                      ctypes.c_void_p]
    importance = numpy.ones(rows.shape[1], dtype=numpy.float32)  # without, the smallest types are refused
    given = importance.ctypes.data if kind.name[:3] in ("IQ1", "IQ2", "IQ3") else None
    assert chunk(int(kind), rows.ctypes.data, out.ctypes.data, 0, len(rows), rows.shape[1], given) == out.nbytes
    return out


def factors(writer, name, data, made):
    """Beside a matrix of NVFP4 a factor, and beside experts one for each: what the numbers are times them."""
    stem, n = name.rsplit(".", 1)[0], len(data) if data.ndim > 2 else 1
    by = (0.5 + numpy.random.default_rng(len(name)).random(n)).astype(numpy.float32)
    writer(stem + ".scale", by)
    writer(stem + ".input_scale", numpy.ones(n, dtype=numpy.float32))
    return made * by.reshape(-1, 1, 1) if data.ndim > 2 else made * by[0]


def quantise(writer, types, kept):
    """Tensors become what `types` says, and kept[name] the numbers that they were and that they are."""
    write = writer.add_tensor

    def add(name, data, **_):
        data = numpy.array(data)
        kind = types.get(name.split(".")[-2], "F32") if data.ndim > 1 and name.endswith(".weight") else "F32"
        kind = gguf.GGMLQuantizationType[kind]
        if kind == gguf.GGMLQuantizationType.F32:
            write(name, data)
            kept[name] = data, data
            return
        made = quantised(data, kind) if kind not in (gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16) else \
            gguf.quants.quantize(data, kind)
        write(name, made, raw_dtype=kind)
        numbers = gguf.quants.dequantize(made, kind).reshape(data.shape)
        kept[name] = data, factors(write, name, data, numbers) if kind.name == "NVFP4" else numbers

    writer.add_tensor = add


def converted(values, tensors, types=None):
    """Everything before the data, and name -> array, of the GGUF file; of a quantised one all, and each tensor before and
    after."""
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
        model.hparams = {**values, **model.hparams}  # transformers calls some of them otherwise than publishers
        if types:
            quantise(model.gguf_writer, types, out)
        model.write()
        if types:
            return path.read_bytes(), out
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
        if sorted(row.tobytes() for row in a) == sorted(row.tobytes() for row in b):
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


def changed_as(how, a):
    """What a recipe makes of an array."""
    form = how["form"].split()
    a = a.swapaxes(-1, -2) if how.get("turned") else a
    if form[0] == "rows":
        return a[how["rows"]]
    n = a.shape[1] // 2 if a.ndim > 1 else 0
    i = int(form[1]) if len(form) > 1 else 0
    return {"half": lambda: a[:, i * n:(i + 1) * n], "turn": lambda: a[:, i::2]}.get(form[0], lambda: a)()


def taken_back(tensors, files):
    """The model's tensors from the numbers of the file's."""
    out = {name: t.clone() for name, t in tensors.items()}
    sources = list(stacks(tensors))
    for name, (before, after) in files.items():
        how = recipe(name, before, sources)
        if "values" in how:
            continue
        sizes = [tensors[n].numel() for n in how["from"]]
        places = numpy.stack([numpy.arange(s).reshape(tensors[n].shape) + sum(sizes[:i])
                              for i, (n, s) in enumerate(zip(how["from"], sizes))])
        places = changed_as(how, places if len(sizes) > 1 else places[0])
        flat = numpy.zeros(sum(sizes), dtype=numpy.float32)
        which = numpy.zeros(sum(sizes), dtype=bool)
        flat[places.reshape(-1)] = (after - 1 if how["form"] == "more" else after).reshape(-1)
        which[places.reshape(-1)] = True
        for i, n in enumerate(how["from"]):
            part = slice(sum(sizes[:i]), sum(sizes[:i + 1]))
            values = out[n].numpy().reshape(-1)
            values[which[part]] = flat[part][which[part]]
    return out


def write_quantised(name):
    make.MODELS[name], types = QUANTISED[name]
    values = make.MODELS[name]
    shapes = make.saved(make.make(values), published=True)
    tensors = {n: torch.empty(shape) for n, shape in shapes.items()}
    for n, t in tensors.items():
        make.fill(n, t)
    image, files = converted(values, tensors, types)
    known, fill = taken_back(tensors, files), make.fill
    make.fill = lambda n, t: t.copy_(known[n].double())
    out = make.golden(name)
    make.fill = fill
    out["logits"] = [[float(x) for x in row] for row in out["logits"]]
    out["usual"] = 0.03
    del out["tensors"]
    with open(os.path.join(HERE, name + ".gguf"), "wb") as f:
        f.write(image)
    with open(os.path.join(HERE, name + ".json"), "w") as f:
        f.write("{\n" + ",\n".join("  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in out.items()) + "\n}\n")
    print(name, len(image))


logging.disable(logging.CRITICAL)
for name in sys.argv[3:] or AS_THEY_ARE + list(CHANGED) + list(QUANTISED):
    (write_quantised if name in QUANTISED else write)(name)
