#!/usr/bin/env python3
"""Writes the weights of a Hugging Face folder that `weft init` made (llama, qwen3, gpt_neox; f16) as GGUF for llama.cpp.

    tests/bench/llama_cpp/gguf.py FOLDER OUT.gguf f16|q8_0|q4_0

Matrices are in the given type, quantised as weft quantises them; vectors are f32, the embedding's table is f16 unless it is
the head's matrix, too: as weft keeps them. There is no tokenizer in it. Needs numpy.
"""
import json
import struct
import sys

import numpy as np

TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8}
FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7}
LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "attention.query_key_value": "attn_qkv",
    "attention.dense": "attn_output", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
}
OUTSIDE = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "gpt_neox.embed_in": "token_embd", "gpt_neox.final_layer_norm": "output_norm", "embed_out": "output",
}


def name_of(hf):
    stem, kind = hf.rsplit(".", 1)
    if stem in OUTSIDE:
        return f"{OUTSIDE[stem]}.{kind}"
    layer, part = stem.split(".layers.")[1].split(".", 1)
    return f"blk.{layer}.{LAYER[part]}.{kind}"


def tensors(folder):
    with open(f"{folder}/model.safetensors", "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        head = json.loads(f.read(size))
    data = np.memmap(f"{folder}/model.safetensors", np.uint8, "r", 8 + size)
    for name, t in sorted(head.items()):
        if name == "__metadata__":
            continue
        assert t["dtype"] == "F16", f"{name} is {t['dtype']}: make the folder with --dtype f16"
        a, b = t["data_offsets"]
        yield name, data[a:b].view(np.float16).reshape(t["shape"])


def arranged(name, x, c):
    """llama.cpp turns neighbours of a head's rows in llama models, and wants all queries, then keys, then values."""
    heads = c["num_attention_heads"]
    if "query_key_value" in name:
        return x.reshape((heads, 3, -1) + x.shape[1:]).swapaxes(0, 1).reshape(x.shape)
    if c["model_type"] == "llama" and ("q_proj" in name or "k_proj" in name):
        n = c.get("num_key_value_heads", heads) if "k_proj" in name else heads
        return x.reshape((n, 2, x.shape[0] // n // 2) + x.shape[1:]).swapaxes(1, 2).reshape(x.shape)
    return x


def stored(x, kind):
    if kind in ("f32", "f16"):
        return x.astype(np.float32 if kind == "f32" else np.float16).tobytes()
    b = x.astype(np.float32).reshape(-1, 32)
    rows = np.arange(len(b))
    top = b[rows, np.abs(b).argmax(axis=1)]
    d = np.abs(top) / np.float32(127) if kind == "q8_0" else top / np.float32(-8)
    up = np.divide(np.float32(1), d, out=np.zeros_like(d), where=d != 0)[:, None]
    if kind == "q8_0":
        q = np.copysign(np.floor(np.abs(b * up) + np.float32(0.5)), b).astype(np.int8).view(np.uint8)
    else:
        q = np.minimum(15, (b * up + np.float32(8.5)).astype(np.int32)).astype(np.uint8)
        q = q[:, :16] | q[:, 16:] << 4
    return np.concatenate([d.astype(np.float16)[:, None].view(np.uint8), q], axis=1).tobytes()


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def settings(c, kind):
    arch = {"gpt_neox": "gptneox"}.get(c["model_type"], c["model_type"])
    heads, width = c["num_attention_heads"], c["hidden_size"]
    head = c.get("head_dim", width // heads)
    turning = int(head * c.get("rotary_pct", 1.0))
    yield "general.architecture", arch
    yield "general.file_type", FILE_TYPES[kind]
    yield "tokenizer.ggml.model", "none"
    yield f"{arch}.vocab_size", c["vocab_size"]
    yield f"{arch}.context_length", c["max_position_embeddings"]
    yield f"{arch}.embedding_length", width
    yield f"{arch}.block_count", c["num_hidden_layers"]
    yield f"{arch}.feed_forward_length", c["intermediate_size"]
    yield f"{arch}.rope.dimension_count", turning
    yield f"{arch}.rope.freq_base", float(c.get("rope_theta", c.get("rotary_emb_base", 10000)))
    yield f"{arch}.attention.head_count", heads
    if arch == "gptneox":
        yield f"{arch}.use_parallel_residual", bool(c.get("use_parallel_residual", True))
        yield f"{arch}.attention.layer_norm_epsilon", float(c["layer_norm_eps"])
    else:
        yield f"{arch}.attention.head_count_kv", c["num_key_value_heads"]
        yield f"{arch}.attention.key_length", head
        yield f"{arch}.attention.value_length", head
        yield f"{arch}.attention.layer_norm_rms_epsilon", float(c["rms_norm_eps"])


def packed(value):
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    return struct.pack("<If", 6, value) if isinstance(value, float) else struct.pack("<I", 8) + text(value)


def write(folder, path, kind):
    with open(f"{folder}/config.json") as f:
        c = json.load(f)
    keys = [text(k) + packed(v) for k, v in settings(c, kind)]
    entries, plan, at = [], [], 0
    for name, x in tensors(folder):
        own = kind if x.ndim == 2 else "f32"
        if name_of(name) == "token_embd.weight" and not c.get("tie_word_embeddings", False):
            own = "f16"
        size = x.size * {"f32": 4, "f16": 2}.get(own, 0) or x.size // 32 * (34 if own == "q8_0" else 18)
        entries.append(text(name_of(name)) + struct.pack("<I", x.ndim) +
                       struct.pack(f"<{x.ndim}Q", *reversed(x.shape)) + struct.pack("<IQ", TYPES[own], at))
        plan.append((name, x, own, size))
        at += (size + 31) // 32 * 32
    with open(path, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(keys)) + b"".join(keys) + b"".join(entries))
        f.write(bytes(-f.tell() % 32))
        for name, x, own, size in plan:
            data = stored(arranged(name, np.asarray(x), c), own)
            assert len(data) == size, name
            f.write(data + bytes(-size % 32))


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[3] not in FILE_TYPES:
        sys.exit(__doc__)
    write(*sys.argv[1:])
