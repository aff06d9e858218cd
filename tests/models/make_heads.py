#!/usr/bin/env python3
"""Writes heads_golden.h: what Hugging Face's classes of GPT-NeoX with other heads give for a tiny model, in double
precision. The weights are a formula (test_heads.c has it, too), so the numbers are all that is kept.

usage: make_heads.py >heads_golden.h      (needs transformers and torch; 5.24 and 2.15 made what is there)
"""
import torch
from transformers import (GPTNeoXConfig, GPTNeoXForCausalLM, GPTNeoXForQuestionAnswering,
                          GPTNeoXForSequenceClassification, GPTNeoXForTokenClassification, GPTNeoXModel)

IDS = [3, 36, 0, 17, 17, 5, 5]
PAD = 5


def fill(name, tensor):
    """Element i of a tensor is a small fraction of its place and the sum of its name's bytes."""
    i = torch.arange(tensor.numel(), dtype=torch.float64)
    x = ((i * 37 + sum(name.encode()) * 101) % 127 - 63) / 128
    if "norm" in name and name.endswith("weight"):
        x = 1 + x / 4
    with torch.no_grad():
        tensor.copy_(x.reshape(tensor.shape))


def run(cls, **more):
    config = GPTNeoXConfig(vocab_size=37, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                           intermediate_size=64, max_position_embeddings=64, rotary_pct=0.5, attn_implementation="eager",
                           id2label={0: "bad", 1: "so so", 2: "good"}, **more)
    model = cls(config).double().eval()
    for name, tensor in model.named_parameters():
        name = name.replace("lm_head.", "embed_out.")  # as files have it
        if cls is GPTNeoXModel:
            name = "gpt_neox." + name
        fill(name, tensor)
    with torch.no_grad():
        out = model(torch.tensor([IDS]))
    if cls is GPTNeoXModel:
        return out.last_hidden_state[0, -1]
    if cls is GPTNeoXForQuestionAnswering:
        return torch.stack([out.start_logits[0], out.end_logits[0]], -1)
    return out.logits[0]


def show(name, values):
    numbers = [f"{x:.15g}" for x in values.flatten().tolist()]
    print(f"static const double {name}[] = {{")
    for i in range(0, len(numbers), 5):
        print("    " + ", ".join(numbers[i:i + 5]) + ",")
    print("};")


print("/* heads_golden.h: made by make_heads.py; see there. */")
print(f"static const int32_t golden_ids[] = {{ {', '.join(map(str, IDS))} }};")
show("golden_hidden", run(GPTNeoXModel))
show("golden_tied", run(GPTNeoXForCausalLM, tie_word_embeddings=True)[-1])
show("golden_logits", run(GPTNeoXForCausalLM)[-1])
show("golden_sequence", run(GPTNeoXForSequenceClassification))
show("golden_padded", run(GPTNeoXForSequenceClassification, pad_token_id=PAD))
show("golden_tokens", run(GPTNeoXForTokenClassification))
show("golden_span", run(GPTNeoXForQuestionAnswering))
