#!/usr/bin/env python3
"""Writes mixture_golden.h: which type llama.cpp's quantiser gives each matrix of some models.

    python3 make_mixture.py LIBLLAMA > mixture_golden.h

LIBLLAMA is libllama.so of a build of llama.cpp; the package gguf (PyPI) writes the models and reads what becomes of them. The
figures are of PyPI's llama-cpp-python 0.3.36, whose source distribution has llama.cpp's."""
import ctypes
import os
import sys
import tempfile

import gguf
import numpy as np

MIXTURES = {"q2_K_M": 10, "q3_K_S": 11, "q3_K_M": 12, "q3_K_L": 13, "q4_K_S": 14, "q4_K_M": 15, "q5_K_S": 16, "q5_K_M": 17,
            "iq4_nl_M": 25, "iq4_xs_M": 30, "mxfp4_moe": 38}
LETTERS = {"Q4_0": "a", "Q4_1": "b", "Q5_0": "c", "Q5_1": "d", "Q8_0": "8", "Q2_K": "2", "Q3_K": "3", "Q4_K": "4", "Q5_K": "5",
           "Q6_K": "6", "IQ4_NL": "n", "IQ4_XS": "x", "MXFP4": "m", "F16": "h"}
# layers, queries to a head of keys, experts, tied, columns, one tensor of queries, keys and values
CASES = [(32, 1, 0, 0, 256, 0), (19, 4, 0, 1, 256, 0), (8, 4, 8, 0, 256, 0), (24, 1, 0, 0, 256, 1), (6, 2, 0, 0, 160, 0)]
HEADS, ROWS = 8, 2


class Params(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int32), ("ftype", ctypes.c_int), ("output", ctypes.c_int), ("embedding", ctypes.c_int)] + [
        (name, ctypes.c_bool) for name in ("requantize", "quantize_output", "only_copy", "pure", "keep_split", "dry_run")] + [
        (name, ctypes.c_void_p) for name in ("imatrix", "kv", "tensors", "prune")] + [("buffer", ctypes.c_size_t)]


def names(case):
    layers, queries, experts, tied, columns, fused = case
    yield "token_embd.weight", (ROWS, columns)
    if not tied:
        yield "output.weight", (ROWS, columns)
    for i in range(layers):
        keys = columns // queries
        if fused:
            yield "blk.%d.attn_qkv.weight" % i, (columns + 2 * keys, columns)
        else:
            yield "blk.%d.attn_q.weight" % i, (ROWS, columns)
            yield "blk.%d.attn_k.weight" % i, (keys, columns)
            yield "blk.%d.attn_v.weight" % i, (keys, columns)
        yield "blk.%d.attn_output.weight" % i, (ROWS, columns)
        yield "blk.%d.ffn_norm.weight" % i, (columns,)
        for part in ("up", "down"):
            if experts:
                yield "blk.%d.ffn_%s_exps.weight" % (i, part), (experts, ROWS, columns)
            else:
                yield "blk.%d.ffn_%s.weight" % (i, part), (ROWS, columns)
        if experts:
            yield "blk.%d.ffn_gate_inp.weight" % i, (experts, columns)


def write(case, path):
    layers, queries, experts, tied, columns, fused = case
    w = gguf.GGUFWriter(path, "gptneox" if fused else "llama")
    w.add_block_count(layers)
    w.add_context_length(64)
    w.add_embedding_length(columns)
    w.add_feed_forward_length(columns)
    w.add_head_count(HEADS)
    w.add_head_count_kv(HEADS // queries)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_layer_norm_eps(1e-5)
    w.add_rope_dimension_count(columns // HEADS)
    w.add_parallel_residual(True)
    w.add_vocab_size(ROWS)
    if experts:
        w.add_expert_count(experts)
        w.add_expert_used_count(2)
    for name, shape in names(case):
        single = len(shape) == 1 or "gate_inp" in name
        w.add_tensor(name, np.ones(shape, np.float32 if single else np.float16))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    lib = ctypes.CDLL(sys.argv[1])
    lib.llama_model_quantize_default_params.restype = Params
    lib.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Params)]
    log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *a: None)
    lib.llama_log_set(log, None)
    print("/* mixture_golden.h: written by make_mixture.py: the types that llama.cpp's quantiser gives the matrices of the test's\n"
          " * models, in their order, as letters. */")
    print("static const struct { unsigned model; const char *mixture, *types; } golden[] = {")
    with tempfile.TemporaryDirectory() as folder:
        source, target = (os.path.join(folder, name) for name in ("a.gguf", "b.gguf"))
        for number, case in enumerate(CASES):
            write(case, source)
            for mixture, ftype in MIXTURES.items():
                params = lib.llama_model_quantize_default_params()
                params.ftype, params.threads = ftype, 1
                if lib.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)):
                    sys.exit("%s of model %d failed" % (mixture, number))
                types = {t.name: t.tensor_type.name for t in gguf.GGUFReader(target).tensors}
                text = "".join(LETTERS[types[n]] for n, shape in names(case) if "norm" not in n and "gate_inp" not in n)
                pieces = "\n      ".join('"%s"' % text[at:at + 100] for at in range(0, len(text), 100))
                print('    { %d, "%s",\n      %s },' % (number, mixture, pieces))
    print("};")


main()
