#!/usr/bin/env python3
"""Writes NAME.json for each base model below: adapters as PEFT saves them (configuration, names and shapes of tensors)
and the logits that PEFT gives with each, with the first two at once, and with all weights merged where PEFT can merge,
in double precision. No weights: an element is a hash of its tensor's name and place, as ../arch/make.py has it, whose
models these are.

usage: make.py [NAME...]        (all; peft 0.21.2, transformers 5.24.0 and torch 2.15.0 made what is there)
"""
import importlib.util
import json
import os
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("arch", os.path.join(HERE, "..", "arch", "make.py"))
arch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(arch)

# Of each base: arguments of LoraConfig. Numbers of A and B are large (up to 1/4), so alphas are small.
ADAPTERS = {
    "gpt_neox-parallel": [
        dict(r=4, lora_alpha=1, target_modules=["query_key_value", "dense"], layers_to_transform=[1],
             layers_pattern="layers"),
        dict(r=16, lora_alpha=2, target_modules="all-linear", use_rslora=True, bias="all"),
        dict(r=8, lora_alpha=2, target_modules=r".*\.[01]\.mlp\.dense_.*|.*embed_in|embed_out|lm_head",
             rank_pattern={"dense_4h_to_h": 12, "^gpt_neox.layers.1.mlp.dense_h_to_4h": 5},
             alpha_pattern={"layers.1.mlp.dense_4h_to_h": 3}),
    ],
    "llama-biases": [
        dict(r=8, lora_alpha=1, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
        dict(r=64, lora_alpha=0.5, target_modules="all-linear", use_rslora=True),
        dict(r=6, lora_alpha=1, target_modules=["gate_proj", "up_proj", "lm_head", "embed_tokens"], lora_bias=False,
             exclude_modules=r".*layers\.0\.mlp\.up_proj"),
    ],
    "llama-linear": [
        dict(r=4, lora_alpha=1, target_modules=["down_proj", "q_proj"], lora_bias=True),
        dict(r=20, lora_alpha=1, target_modules=["k_proj", "v_proj", "gate_proj"]),
    ],
    "gpt2-usual": [
        dict(r=8, lora_alpha=1, target_modules=["c_attn"], fan_in_fan_out=True, bias="all"),
        dict(r=16, lora_alpha=1, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True),
        dict(r=4, lora_alpha=1, target_modules=["c_fc", "wte", "wpe"], fan_in_fan_out=True),
    ],
    "llava-tied": [  # what sees has such modules, too
        dict(r=4, lora_alpha=1, target_modules=["q_proj", "up_proj"]),
    ],
    "phi3-short": [
        dict(r=8, lora_alpha=1, target_modules="all-linear"),
        dict(r=4, lora_alpha=1, target_modules=["qkv_proj", "gate_up_proj"], bias="none"),
    ],
}


def golden_of(base):
    with open(os.path.join(HERE, "..", "arch", base + ".json"), encoding="utf-8") as file:
        return json.load(file)


def model_of(golden):
    return arch.load(arch.make(golden["config"]), golden["tensors"])


def save(golden, config, folder, base):
    """What PEFT saves, with the numbers of fill in it."""
    get_peft_model(model_of(golden), LoraConfig(task_type="CAUSAL_LM", **config)).save_pretrained(
        folder, save_embedding_layers=False)
    path = os.path.join(folder, "adapter_model.safetensors")
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}
    for name, tensor in tensors.items():
        arch.fill(name, tensor)
    save_file(tensors, path)
    with open(os.path.join(folder, "adapter_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config["base_model_name_or_path"] = base
    return config, {name: list(tensors[name].shape) for name in sorted(tensors)}


def rows(golden, model):
    with torch.no_grad():
        logits = arch.logits_of(model, golden["prompt"])
    return [[float(f"{x:.10g}") for x in logits[row].tolist()] for row in golden["rows"]]


def load(golden, folders):
    model = PeftModel.from_pretrained(model_of(golden), folders[0], adapter_name="a0", autocast_adapter_dtype=False)
    for i, folder in enumerate(folders[1:], 1):
        model.load_adapter(folder, f"a{i}", autocast_adapter_dtype=False)
    return model.double().eval()


def far(x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    return float((x - y).norm() / y.norm())


def text_of(value, depth=0):
    """A line for each part of what has parts of its own."""
    deep = isinstance(value, (dict, list)) and any(isinstance(x, (dict, list)) for x in
                                                   (value.values() if isinstance(value, dict) else value))
    if not deep or depth > 3:
        return json.dumps(value)
    indent = "\n" + "  " * (depth + 1)
    if isinstance(value, dict):
        parts = (f"{json.dumps(key)}: {text_of(x, depth + 1)}" for key, x in value.items())
        return "{" + indent + ("," + indent).join(parts) + indent[:-2] + "}"
    return "[" + indent + ("," + indent).join(text_of(x, depth + 1) for x in value) + indent[:-2] + "]"


def tied(config):
    """An embedding that is also the head: what merges into it changes the head, too, which running beside it does not."""
    return "wte" in config["target_modules"]


def write(base):
    golden = golden_of(base)
    out = {"golden": f"arch/{base}.json", "adapters": []}
    with tempfile.TemporaryDirectory() as top, arch.in_double():
        folders = [os.path.join(top, str(i)) for i in range(len(ADAPTERS[base]))]
        plain = rows(golden, model_of(golden))
        assert far(plain, [[float(x) for x in row] for row in golden["logits"]]) < 1e-9
        for config, folder in zip(ADAPTERS[base], folders):
            saved, tensors = save(golden, config, folder, base)
            logits = rows(golden, load(golden, [folder]))
            if not (config.get("bias", "none") != "none" or config.get("lora_bias") or tied(config)):
                merged = rows(golden, load(golden, [folder]).merge_and_unload())
                assert far(merged, logits) < 1e-9, far(merged, logits)
            print(f"{base}: {config}: {far(logits, plain):.3f} of the logits", file=sys.stderr)
            assert far(logits, plain) > 0.01
            out["adapters"].append({"config": saved, "tensors": tensors, "adapted": logits})
        if len(folders) > 1 and all(config.get("bias", "none") == "none" for config in ADAPTERS[base][:2]):
            model = load(golden, folders[:2])
            model.base_model.set_adapter(["a0", "a1"])
            out["both"] = rows(golden, model)
    with open(os.path.join(HERE, base + ".json"), "w", encoding="utf-8") as file:
        file.write(text_of(out) + "\n")


for name in sys.argv[1:] or ADAPTERS:
    write(name)
