"""Writes rope_golden.h: what transformers' modeling_rope_utils makes of each kind of rotary embedding.

    python tests/graph/make_rope.py > tests/graph/rope_golden.h      (transformers 5.24, torch)

Frequencies are the reference's own float32; the test allows their rounding. Of kind dynamic and longrope there are rows
below and above the original length."""
import textwrap

from transformers import LlamaConfig, __version__
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

FIELDS = ["factor", "original", "low", "high", "untruncated", "scale", "pairs"]


def default_frequencies(dim, theta):
    import torch
    return 1.0 / theta ** (torch.arange(0, dim, 2, dtype=torch.int64).float() / dim), 1.0


def row(kind, dim, theta, length=0, ours=None, **parameters):
    """One case: the reference's parameters, and ours where they have other names or are worked out by the model."""
    parameters = {"rope_type": kind, "rope_theta": theta, **parameters}
    config = LlamaConfig(hidden_size=4 * dim, num_attention_heads=4, head_dim=dim,
                         max_position_embeddings=parameters.pop("max_position_embeddings", 4096), rope_parameters=parameters)
    if kind == "default":
        w, scale = default_frequencies(dim, theta)
    else:
        w, scale = ROPE_INIT_FUNCTIONS[kind](config, "cpu", seq_len=length or None)
    names = {"original_max_position_embeddings": "original", "low_freq_factor": "low", "high_freq_factor": "high",
             "beta_slow": "low", "beta_fast": "high"}
    fields = {"factor": parameters.get("factor", 0)}
    fields.update({names[k]: v for k, v in parameters.items() if k in names})
    if kind == "dynamic":
        fields["original"] = config.max_position_embeddings
    fields.update(ours or {})
    name = {"proportional": "default", "llama3": "bands"}.get(kind, kind)
    text = ", ".join(f".{k} = {fields[k]:g}" if k not in ("untruncated", "pairs") else f".{k} = {fields[k]}"
                     for k in FIELDS if fields.get(k))
    head = f"{{ {{ .kind = WEFT_ROPE_{name.upper()}, .n_rot = {dim}, .theta = {theta:g}{', ' + text if text else ''} }},"
    print("\n".join(textwrap.wrap(head, 112, initial_indent="    ", subsequent_indent="        ")))
    numbers = ", ".join(f"{float(x):.9g}" for x in w)
    ext = parameters.get("long_factor" if length > parameters.get("original_max_position_embeddings", 0) else
                         "short_factor")
    divided = ", ".join(f"{x:g}" for x in ext) if ext else ""
    print(f"      {length}, {float(scale):.17g}, {{ {divided or 0} }},")
    print("\n".join(textwrap.wrap(f"{{ {numbers} }} }},", 112, initial_indent="      ", subsequent_indent="        ")))


print(f"/* rope_golden.h: written by make_rope.py from transformers {__version__}: attributes, length of the sequence,")
print(" * scale, factors that are data (0: none), and radians per position of each pair. */")
print("/* clang-format off: a table */")
print("static const struct {")
print("    weft_attr_rope_table attrs;")
print("    double length, scale, factors[8], frequency[32];")
print("} golden[] = {")
row("default", 16, 10000.0)
row("linear", 16, 10000.0, factor=4.0)
row("dynamic", 16, 10000.0, length=100, factor=2.0, max_position_embeddings=2048)
row("dynamic", 16, 10000.0, length=2049, factor=2.0, max_position_embeddings=2048)
row("dynamic", 24, 500000.0, length=9000, factor=8.0, max_position_embeddings=2048)
row("llama3", 32, 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
    original_max_position_embeddings=8192)
row("yarn", 32, 1000000.0, factor=4.0, original_max_position_embeddings=32768)
row("yarn", 64, 10000.0, factor=40.0, original_max_position_embeddings=4096, beta_fast=32, beta_slow=1, mscale=0.707,
    mscale_all_dim=0.707, ours={"scale": 1.0})
row("yarn", 64, 150000.0, factor=32.0, original_max_position_embeddings=4096, beta_fast=32.0, beta_slow=1.0,
    truncate=False, ours={"untruncated": 1})
row("yarn", 16, 10000.0, factor=16.0, original_max_position_embeddings=64, attention_factor=1.25, beta_fast=4,
    beta_slow=2, ours={"scale": 1.25})
SHORT = [1.0, 1.05, 1.1, 1.25, 1.5, 1.75, 2.0, 2.25]
LONG = [1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
row("longrope", 16, 10000.0, length=4096, factor=32.0, original_max_position_embeddings=4096, short_factor=SHORT,
    long_factor=LONG)
row("longrope", 16, 10000.0, length=4097, factor=32.0, original_max_position_embeddings=4096, short_factor=SHORT,
    long_factor=LONG)
row("proportional", 32, 1000000.0, partial_rotary_factor=0.25, ours={"pairs": 4, "factor": 0})
print("};")
