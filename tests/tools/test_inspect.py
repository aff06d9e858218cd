#!/usr/bin/env python3
"""test_inspect.py WEFT FOLDER: what only looks at a model reads headers and no tensor. The files are those of GPT-NeoX-20B
at their full size, 46 shards of safetensors and one GGUF file, but sparse: nothing of their data is in the system's cache
before, so what is there afterwards was read. Exit status 1 if something was, 77 where that cannot be seen."""
import ctypes, json, mmap, os, shutil, struct, subprocess, sys

weft, folder = sys.argv[1], sys.argv[2]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
LAYERS, H, FFN, VOCAB, CONTEXT, SLACK = 44, 6144, 24576, 50432, 2048, 64 << 20  # SLACK: read ahead of a header
CONFIG = {"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_size": H, "num_hidden_layers": LAYERS,
          "num_attention_heads": 64, "intermediate_size": FFN, "vocab_size": VOCAB, "max_position_embeddings": CONTEXT,
          "rotary_pct": 0.25, "rotary_emb_base": 10000, "layer_norm_eps": 1e-5, "hidden_act": "gelu_fast",
          "use_parallel_residual": True, "torch_dtype": "float16", "tie_word_embeddings": False}
NORM = {"weight": [H], "bias": [H]}
LAYER = {"input_layernorm": NORM, "post_attention_layernorm": NORM,
         "attention.query_key_value": {"weight": [3 * H, H], "bias": [3 * H]}, "attention.dense": {"weight": [H, H], "bias": [H]},
         "mlp.dense_h_to_4h": {"weight": [FFN, H], "bias": [FFN]}, "mlp.dense_4h_to_h": {"weight": [H, FFN], "bias": [H]}}
GGUF = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "attention.query_key_value": "attn_qkv",
        "attention.dense": "attn_output", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down"}
failures = 0


def check(what, ok, *seen):
    global failures
    if not ok:
        failures += 1
        print("FAILED:", what, *seen)


def shards():
    yield {"gpt_neox.embed_in.weight": [VOCAB, H]}
    for i in range(LAYERS):
        yield {f"gpt_neox.layers.{i}.{part}.{kind}": dims for part, kinds in LAYER.items() for kind, dims in kinds.items()}
    yield {"gpt_neox.final_layer_norm.weight": [H], "gpt_neox.final_layer_norm.bias": [H], "embed_out.weight": [VOCAB, H]}


def product(dims):
    n = 1
    for d in dims:
        n *= d
    return n


def write(path, header, data):
    with open(path, "wb") as f:
        f.write(header)
        f.truncate(len(header) + data)
    return path, len(header)


def write_folder(path):
    os.makedirs(path)
    files, where = [], {}
    for i, tensors in enumerate(shards()):
        at, header, name = 0, {}, f"model-{i + 1:05}-of-00046.safetensors"
        for tensor, dims in tensors.items():
            header[tensor] = {"dtype": "F16", "shape": dims, "data_offsets": [at, at + 2 * product(dims)]}
            at, where[tensor] = at + 2 * product(dims), name
        text = json.dumps(header).encode()
        files.append(write(os.path.join(path, name), struct.pack("<Q", len(text)) + text, at))
    for name, what in ("config.json", CONFIG), ("model.safetensors.index.json", {"metadata": {}, "weight_map": where}):
        with open(os.path.join(path, name), "w") as f:
            json.dump(what, f)
    return files


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def write_gguf(path):
    """Matrices of q4_0: 11.5 GB."""
    keys = {"block_count": LAYERS, "embedding_length": H, "feed_forward_length": FFN, "context_length": CONTEXT,
            "attention.head_count": 64, "rope.dimension_count": 24}
    kv = [text("general.architecture") + struct.pack("<I", 8) + text("gptneox"),
          text("gptneox.use_parallel_residual") + struct.pack("<IB", 7, 1),
          text("gptneox.attention.layer_norm_epsilon") + struct.pack("<If", 6, 1e-5)]
    kv += [text("gptneox." + k) + struct.pack("<II", 4, v) for k, v in keys.items()]
    tensors = {"token_embd.weight": [VOCAB, H], "output_norm.weight": [H], "output_norm.bias": [H], "output.weight": [VOCAB, H]}
    for i in range(LAYERS):
        tensors.update({f"blk.{i}.{GGUF[p]}.{k}": d for p, kinds in LAYER.items() for k, d in kinds.items()})
    at, infos = 0, b""
    for name, dims in tensors.items():
        infos += text(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in reversed(dims))
        infos += struct.pack("<IQ", 2 if len(dims) == 2 else 0, at)
        at += (product(dims) * 18 // 32 if len(dims) == 2 else product(dims) * 4) + 31 & ~31
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(kv)) + b"".join(kv) + infos
    return write(path, header + bytes(-len(header) % 32), at)


def cached(path, begin):
    """Pages of a file, from a byte on, that the system has in memory."""
    size, page = os.path.getsize(path), mmap.PAGESIZE
    begin = begin // page * page
    if begin >= size:
        return 0
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), size - begin, offset=begin) as m:
        n = (size - begin + page - 1) // page
        vector = (ctypes.c_ubyte * n)()
        first = ctypes.c_char.from_buffer(m)
        address, status = ctypes.addressof(first), 0
        status = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size - begin), vector)
        del first
        if status:
            sys.exit(77)
        return sum(v & 1 for v in bytes(vector)) if any(vector) else 0


libc = ctypes.CDLL(None, use_errno=True)
models = {os.path.join(folder, "shards"): write_folder(os.path.join(folder, "shards")),
          os.path.join(folder, "20b.gguf"): [write_gguf(os.path.join(folder, "20b.gguf"))]}
for model, files in models.items():
    if any(os.stat(path).st_blocks * 512 > (64 << 20) for path, _ in files):
        print("skipped: files are not sparse here")
        shutil.rmtree(folder)
        sys.exit(77)
    for command in ["inspect", "inspect --tensors", "inspect --json", "memory", "graph"]:
        name, *more = command.split()
        p = subprocess.run([weft, name, model, *more, *([] if name == "graph" else ["--device", "cpu"])], capture_output=True,
                           text=True)
        check(command, p.returncode == 0, p.stderr)
        if command == "inspect":
            check("all parameters", "20554567680" in p.stdout, p.stdout)
    read = sum(cached(path, header + SLACK) for path, header in files)
    check(f"{os.path.basename(model)}: {read} pages of tensors were read", read == 0)

# that reading would be seen
path, header = models[os.path.join(folder, "20b.gguf")][0]
with open(path, "rb") as f:
    f.seek(header + (1 << 30))
    f.read(4096)
check("pages that are read are seen", cached(path, header + SLACK) > 0)
shutil.rmtree(folder)
sys.exit(1 if failures else 0)
