#!/usr/bin/env python3
"""Writes imatrix_golden.h: squares of what the bundled model's matrices are multiplied with, by transformers.

    python3 make_imatrix.py ../../models/bundled/tiny-stories-neox > imatrix_golden.h      (transformers 5.24, torch)"""
import sys

import torch
from transformers import AutoModelForCausalLM

CHUNKS = [[(i * 37 + c * 11) % 4096 for i in range(48)] for c in range(2)]
WATCHED = {"attention.query_key_value": "attn_qkv", "attention.dense": "attn_output", "mlp.dense_h_to_4h": "ffn_up",
           "mlp.dense_4h_to_h": "ffn_down"}
COLUMNS = 6

model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float64)
sums = {}
for name, module in model.named_modules():
    for part, called in WATCHED.items():
        if name.endswith(part):
            key = "blk.%s.%s.weight" % (name.split(".")[2], called)
            module.register_forward_pre_hook(
                lambda m, x, key=key: sums.update({key: sums.get(key, 0) + (x[0].double() ** 2).sum(dim=(0, 1))}))
for ids in CHUNKS:
    with torch.no_grad():
        model(torch.tensor([ids]))
print("/* imatrix_golden.h: written by make_imatrix.py: sums of squares by column, over two pieces of 48 tokens. */")
print("enum { GOLDEN_COLUMNS = %d };" % COLUMNS)
print("static const struct { const char *name; double total, columns[GOLDEN_COLUMNS]; } golden[] = {")
for key in sorted(sums):
    if key.split(".")[1] in "05":
        print('    { "%s", %.9g,\n      { %s } },' % (key, sums[key].sum(), ", ".join("%.9g" % v for v in sums[key][:COLUMNS])))
print("};")
