#!/usr/bin/env python3
"""Writes NAME.json for each small model below: its configuration, the tensors that transformers saves of it, a prompt,
logits and a greedy continuation by transformers in double precision. No weights: an element is a hash of its tensor's
name and its place (fill; tests/models/golden.c has the same), so both sides make them.

usage: make.py [NAME...]        (all; needs transformers and torch: 5.24.0 and 2.15.0 made what is there)

A configuration stands as a publisher would write it: what it leaves out is the class's default. So do the tensors, but
for models whose name says that experts are stacked: those are saved as transformers has them in memory, all experts of
a layer in one tensor.
"""
import contextlib
import json
import os
import sys
import tempfile

import numpy
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTH, STEPS = 40, 6  # of the prompt, and greedy tokens after it
ROWS = [0, 5, 23, LENGTH - 1]  # of the prompt, whose logits are kept
GAP = 0.01  # of every score of an expert that is chosen before the next one's
MARGIN = 0.06  # of each greedy token before the next best: far above what half precision changes

BASE = {"num_hidden_layers": 2, "hidden_size": 48, "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 61,
        "max_position_embeddings": 64, "torch_dtype": "float32"}


def base(**more):
    return {**BASE, **more}


LLAMA = base(architectures=["LlamaForCausalLM"], model_type="llama")
MISTRAL = base(architectures=["MistralForCausalLM"], model_type="mistral")
QWEN2 = base(architectures=["Qwen2ForCausalLM"], model_type="qwen2", num_hidden_layers=3)
QWEN3 = base(architectures=["Qwen3ForCausalLM"], model_type="qwen3", num_hidden_layers=3)
NEOX = base(architectures=["GPTNeoXForCausalLM"], model_type="gpt_neox")

GPT2 = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 2, "n_embd": 48, "n_head": 4, "vocab_size": 61,
        "n_positions": 64}
GPTJ = {**GPT2, "architectures": ["GPTJForCausalLM"], "model_type": "gptj"}
CODEGEN = {**GPT2, "architectures": ["CodeGenForCausalLM"], "model_type": "codegen"}
BIGCODE = {**GPT2, "architectures": ["GPTBigCodeForCausalLM"], "model_type": "gpt_bigcode"}
NEO = {"architectures": ["GPTNeoForCausalLM"], "model_type": "gpt_neo", "num_layers": 3, "hidden_size": 48, "num_heads": 4,
       "vocab_size": 61, "max_position_embeddings": 64}
PHI = base(architectures=["PhiForCausalLM"], model_type="phi")
STABLELM = base(architectures=["StableLmForCausalLM"], model_type="stablelm")
STARCODER2 = base(architectures=["Starcoder2ForCausalLM"], model_type="starcoder2")
PHI3 = base(architectures=["Phi3ForCausalLM"], model_type="phi3", pad_token_id=0)
GEMMA = base(architectures=["GemmaForCausalLM"], model_type="gemma")
GRANITE = base(architectures=["GraniteForCausalLM"], model_type="granite")
OLMO = base(architectures=["OlmoForCausalLM"], model_type="olmo")
OLMO2 = base(architectures=["Olmo2ForCausalLM"], model_type="olmo2")
GEMMA2 = base(architectures=["Gemma2ForCausalLM"], model_type="gemma2", num_hidden_layers=3)
GEMMA3 = base(architectures=["Gemma3ForCausalLM"], model_type="gemma3_text", num_hidden_layers=3)
SMOLLM3 = base(architectures=["SmolLM3ForCausalLM"], model_type="smollm3", num_hidden_layers=3, pad_token_id=0)
COHERE = base(architectures=["CohereForCausalLM"], model_type="cohere")
COHERE2 = base(architectures=["Cohere2ForCausalLM"], model_type="cohere2", num_hidden_layers=3)
OLMO3 = base(architectures=["Olmo3ForCausalLM"], model_type="olmo3", num_hidden_layers=4)
FALCON = base(architectures=["FalconForCausalLM"], model_type="falcon")
MPT = {"architectures": ["MptForCausalLM"], "model_type": "mpt", "d_model": 48, "n_heads": 4, "n_layers": 2, "vocab_size": 61,
       "max_seq_len": 64}
BLOOM = {"architectures": ["BloomForCausalLM"], "model_type": "bloom", "n_embed": 48, "n_head": 4, "n_layer": 2, "vocab_size": 61}
OPT = base(architectures=["OPTForCausalLM"], model_type="opt", ffn_dim=64)
QWEN2MOE = base(architectures=["Qwen2MoeForCausalLM"], model_type="qwen2_moe", num_hidden_layers=4, moe_intermediate_size=20)
QWEN3MOE = base(architectures=["Qwen3MoeForCausalLM"], model_type="qwen3_moe", num_hidden_layers=3, moe_intermediate_size=20)
OLMOE = base(architectures=["OlmoeForCausalLM"], model_type="olmoe", intermediate_size=24)
GPTOSS = base(architectures=["GptOssForCausalLM"], model_type="gpt_oss", num_hidden_layers=3, intermediate_size=20)
MIXTRAL = base(architectures=["MixtralForCausalLM"], model_type="mixtral")


# What sees beside a language model, as small as it may be: nothing of it is read.
CLIP = {"model_type": "clip_vision_model", "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8, "image_size": 8,
        "num_attention_heads": 1, "patch_size": 8, "projection_dim": 8}
SIGLIP = {**CLIP, "model_type": "siglip_vision_model"}
PIXTRAL = {**CLIP, "model_type": "pixtral", "head_dim": 8}
INTERN = {**CLIP, "model_type": "internvl_vision"}


def text(values, **more):
    """Of a wrapper's text_config."""
    return {**{k: v for k, v in values.items() if k not in ("architectures", "torch_dtype")}, **more}


def wrapper(family, model_type, vision, text_config, **more):
    return {"architectures": [family + "ForConditionalGeneration"], "model_type": model_type, "torch_dtype": "float32",
            "vision_config": vision, "text_config": text_config, **more}


MODELS = {
    "gemma3-listed": wrapper("Gemma3", "gemma3", SIGLIP, text(
        GEMMA3, num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=12, sliding_window=7, final_logit_softcapping=2.0,
        layer_types=["full_attention", "sliding_attention", "full_attention"], rope_scaling={
            "rope_type": "linear", "factor": 8.0}, tie_word_embeddings=False), mm_tokens_per_image=1),
    "llava-old": wrapper("Llava", "llava", CLIP, {k: v for k, v in text(
        LLAMA, num_key_value_heads=2, rope_theta=500.0).items() if k != "model_type"}),
    "llava-tied": wrapper("Llava", "llava", CLIP, text(QWEN2, num_key_value_heads=2, tie_word_embeddings=True)),
    "mistral3-untied": wrapper("Mistral3", "mistral3", PIXTRAL, text(MISTRAL, num_key_value_heads=2, head_dim=20), tie_word_embeddings=False),
    "llava_next-mistral": wrapper("LlavaNext", "llava_next", CLIP, text(MISTRAL, num_key_value_heads=2, sliding_window=7)),
    "llava_onevision-qwen": wrapper("LlavaOnevision", "llava_onevision", SIGLIP, text(
        QWEN2, num_key_value_heads=2, tie_word_embeddings=True)),
    "internvl-qwen3": wrapper("InternVL", "internvl", INTERN, text(QWEN3, num_key_value_heads=2, head_dim=16), tie_word_embeddings=False),
    "aya_vision-scale": wrapper("AyaVision", "aya_vision", SIGLIP, text(
        COHERE2, num_key_value_heads=2, sliding_window=7, sliding_window_pattern=2)),
    "idefics3-usual": wrapper("Idefics3", "idefics3", {**SIGLIP, "model_type": "idefics3_vision"}, text(
        LLAMA, num_key_value_heads=2), scale_factor=1),
    "gpt2-usual": GPT2,
    "gpt2-scales": {**GPT2, "n_inner": 72, "activation_function": "gelu", "scale_attn_weights": False,
                    "scale_attn_by_inverse_layer_idx": True, "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
    "gptj-usual": {**GPTJ, "rotary_dim": 8},
    "gptj-tied": {**GPTJ, "n_head": 3, "rotary_dim": 16, "n_inner": 72, "tie_word_embeddings": True},
    "codegen-usual": {**CODEGEN, "rotary_dim": 8},
    "codegen-wide": {**CODEGEN, "n_head": 8, "rotary_dim": 6, "n_inner": 72, "tie_word_embeddings": True},
    "gpt_neo-local": {**NEO, "attention_types": [[["global", "local"], 1], [["local"], 1]], "window_size": 7},
    "gpt_neo-untied": {**NEO, "attention_types": [[["global"], 3]], "intermediate_size": 72, "num_heads": 3,
                       "tie_word_embeddings": False, "activation_function": "relu"},
    "gpt_bigcode-one": BIGCODE,
    "gpt_bigcode-each": {**BIGCODE, "multi_query": False, "scale_attn_weights": False, "tie_word_embeddings": False,
                         "n_inner": 72},
    "phi-partial": {**PHI, "partial_rotary_factor": 0.4},
    "phi-norms": {**PHI, "num_key_value_heads": 2, "qk_layernorm": True, "rope_theta": 500.0, "tie_word_embeddings": True},
    "stablelm-sequential": {**STABLELM, "num_key_value_heads": 2, "use_qkv_bias": True, "partial_rotary_factor": 0.5},
    "stablelm-parallel": {**STABLELM, "num_attention_heads": 3, "num_key_value_heads": 3, "use_parallel_residual": True, "qk_layernorm": True,
                          "tie_word_embeddings": True},
    "phi3-long": {**PHI3, "num_key_value_heads": 2, "original_max_position_embeddings": 16, "rope_scaling": {
        "type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], "long_factor": [1.0, 1.5, 2.0, 3.5, 4.0, 4.5]}},
    "phi3-short": {**PHI3, "original_max_position_embeddings": 64, "partial_rotary_factor": 0.75, "sliding_window": 9,
                   "tie_word_embeddings": True, "num_attention_heads": 3, "rope_scaling": {
                       "type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5],
                       "long_factor": [1.0, 1.5, 2.0, 3.5, 4.0, 4.5]}},
    "gemma-one": {**GEMMA, "num_key_value_heads": 1, "head_dim": 20, "hidden_act": "gelu"},
    "gemma-each": {**GEMMA, "num_key_value_heads": 4, "head_dim": 16, "tie_word_embeddings": False,
                   "attention_bias": True, "rope_theta": 500.0},
    "granite-factors": {**GRANITE, "num_key_value_heads": 2, "embedding_multiplier": 12.0, "attention_multiplier": 0.2,
                        "residual_multiplier": 0.22, "logits_scaling": 8.0, "tie_word_embeddings": True},
    "granite-biases": {**GRANITE, "attention_bias": True, "mlp_bias": True, "attention_multiplier": 0.3},
    "olmo-clip": {**OLMO, "num_key_value_heads": 2, "clip_qkv": 0.7},
    "olmo-biases": {**OLMO, "attention_bias": True, "tie_word_embeddings": True, "rope_theta": 500.0},
    "olmo2-grouped": {**OLMO2, "num_key_value_heads": 2},
    "olmo2-biases": {**OLMO2, "attention_bias": True, "tie_word_embeddings": True, "rope_theta": 500000.0},
    "gemma2-caps": {**GEMMA2, "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 12, "sliding_window": 7,
                    "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    "gemma2-plain": {**GEMMA2, "num_key_value_heads": 4, "head_dim": 20, "query_pre_attn_scalar": 20, "sliding_window": 9,
                     "layer_types": ["full_attention", "sliding_attention", "full_attention"], "attention_bias": True,
                     "attn_logit_softcapping": None, "final_logit_softcapping": None, "tie_word_embeddings": False},
    "gemma3_text-old": {**GEMMA3, "num_key_value_heads": 2, "head_dim": 16, "query_pre_attn_scalar": 12,
                        "sliding_window": 7, "sliding_window_pattern": 2, "rope_theta": 5000.0,
                        "rope_local_base_freq": 300.0, "rope_scaling": {"rope_type": "linear", "factor": 4.0}},
    "gemma3_text-new": {**GEMMA3, "num_key_value_heads": 1, "head_dim": 20, "query_pre_attn_scalar": 20,
                        "sliding_window": 9, "tie_word_embeddings": False, "attention_bias": True,
                        "layer_types": ["full_attention", "sliding_attention", "full_attention"], "rope_parameters": {
                            "full_attention": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
                                               "original_max_position_embeddings": 16},
                            "sliding_attention": {"rope_type": "default", "rope_theta": 200.0}}},
    "smollm3-every": {**SMOLLM3, "num_key_value_heads": 2, "no_rope_layer_interval": 2},
    "smollm3-listed": {**SMOLLM3, "num_key_value_heads": None, "no_rope_layers": [0, 1, 1], "use_sliding_window": True,
                       "sliding_window": 7, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False},
    "cohere-plain": {**COHERE, "num_key_value_heads": 2, "logit_scale": 0.25},
    "cohere-norms": {**COHERE, "num_key_value_heads": 2, "use_qk_norm": True, "attention_bias": True,
                     "tie_word_embeddings": False, "rope_theta": 500.0, "logit_scale": 2.0},
    "cohere2-pattern": {**COHERE2, "num_key_value_heads": 2, "sliding_window": 7, "sliding_window_pattern": 2,
                        "logit_scale": 0.5},
    "cohere2-listed": {**COHERE2, "sliding_window": 9, "attention_bias": True, "tie_word_embeddings": False,
                       "layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "logit_scale": 1.0},
    "olmo3-usual": {**OLMO3, "num_key_value_heads": 2, "sliding_window": 7, "rope_theta": 5000.0, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 32.0, "beta_slow": 1.0,
        "attention_factor": 1.2}},
    "olmo3-listed": {**OLMO3, "sliding_window": 9, "attention_bias": True, "tie_word_embeddings": True, "layer_types": [
        "full_attention", "sliding_attention", "sliding_attention", "full_attention"], "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 2.0}, "sliding_attention": {
                "rope_type": "default", "rope_theta": 300.0}}},
    "falcon-7b": {**FALCON, "num_attention_heads": 3, "num_kv_heads": 3},
    "falcon-40b": {**FALCON, "num_attention_heads": 6, "num_kv_heads": 2, "new_decoder_architecture": True,
                   "multi_query": True, "parallel_attn": True, "rope_scaling": {"type": "linear", "factor": 2.0}},
    "falcon-11b": {**FALCON, "num_kv_heads": 2, "new_decoder_architecture": True, "num_ln_in_parallel_attn": 1,
                   "ffn_hidden_size": 72, "rope_theta": 500042.0, "bias": True, "tie_word_embeddings": False},
    "falcon-rw": {**FALCON, "num_attention_heads": 12, "alibi": True, "bias": True, "multi_query": False,
                  "parallel_attn": False, "activation": "gelu_new"},
    "falcon-alibi": {**FALCON, "num_attention_heads": 16, "alibi": True, "multi_query": True},
    "mpt-plain": {**MPT, "n_heads": 6, "attn_config": {"alibi": True, "clip_qkv": None, "softmax_scale": None}},
    "mpt-clip": {**MPT, "attn_config": {"clip_qkv": 0.7, "alibi_bias_max": 4, "softmax_scale": 0.2},
                 "tie_word_embeddings": False},
    "mpt-bare": {**MPT, "n_heads": 3, "layer_norm_epsilon": 1e-3},
    "bloom-usual": {**BLOOM, "n_head": 6, "seq_length": 64},
    "bloom-normed": {**BLOOM, "hidden_size": 32, "apply_residual_connection_post_layernorm": True,
                     "tie_word_embeddings": False},
    "opt-usual": OPT,
    "opt-350m": {**OPT, "do_layer_norm_before": False, "word_embed_proj_dim": 20, "num_attention_heads": 3},
    "opt-bare": {**OPT, "_remove_final_layer_norm": True, "enable_bias": False, "layer_norm_elementwise_affine": False,
                 "word_embed_proj_dim": 64, "activation_function": "gelu", "tie_word_embeddings": False},
    "starcoder2-window": {**STARCODER2, "sliding_window": 7, "rope_theta": 1e5},
    "starcoder2-plain": {**STARCODER2, "num_key_value_heads": 4, "use_bias": False, "tie_word_embeddings": False},
    "gpt_neox-parallel": {**NEOX, "rotary_pct": 0.25},
    "gpt_neox-sequential": {**NEOX, "use_parallel_residual": False, "attention_bias": False, "hidden_act": "gelu_fast",
                            "tie_word_embeddings": True, "rotary_pct": 0.5, "rotary_emb_base": 500,
                            "rope_scaling": {"type": "linear", "factor": 2.0}},
    # every head its own keys; the embedding is the head
    "llama-3": {**LLAMA, "num_attention_heads": 3, "rope_theta": 50000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
                "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                 "original_max_position_embeddings": 16}},
    "llama-biases": {**LLAMA, "num_key_value_heads": 2, "head_dim": 10, "attention_bias": True, "mlp_bias": True,
                     "hidden_act": "gelu"},
    "llama-linear": {**LLAMA, "num_key_value_heads": 1, "rope_scaling": {"type": "linear", "factor": 2.5}},
    "llama-dynamic": {**LLAMA, "num_key_value_heads": 4, "rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "llama-yarn": {**LLAMA, "num_key_value_heads": 2, "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16,
        "beta_fast": 4, "beta_slow": 1, "mscale": 0.7, "mscale_all_dim": 0.4, "truncate": False}},
    "mistral-window": {**MISTRAL, "num_key_value_heads": 2, "head_dim": 20, "sliding_window": 7, "rope_theta": 1000000.0},
    "mistral-yarn": {**MISTRAL, "num_key_value_heads": 4, "sliding_window": None, "tie_word_embeddings": True,
                     "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
                                         "original_max_position_embeddings": 16}},
    "qwen2-full": {**QWEN2, "num_key_value_heads": 2, "sliding_window": 7, "max_window_layers": 1, "rope_theta": 1e6,
                   "tie_word_embeddings": True},
    "qwen2-window": {**QWEN2, "num_attention_heads": 6, "num_key_value_heads": 2, "use_sliding_window": True,
                     "sliding_window": 7, "max_window_layers": 1},
    "qwen3-norms": {**QWEN3, "num_key_value_heads": 1, "head_dim": 20, "tie_word_embeddings": True},
    "qwen3-window": {**QWEN3, "num_key_value_heads": 2, "head_dim": 16, "attention_bias": True, "use_sliding_window": True,
                     "sliding_window": 5, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
                     "rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 2.0,
                                         "original_max_position_embeddings": 32, "attention_factor": 1.25}},
    "qwen2_moe-each": {**QWEN2MOE, "num_experts": 7, "num_key_value_heads": 2, "shared_expert_intermediate_size": 28,
                       "decoder_sparse_step": 2, "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 2},
    "qwen2_moe-stacked": {**QWEN2MOE, "num_experts": 5, "num_experts_per_tok": 2, "num_key_value_heads": 4,
                          "shared_expert_intermediate_size": 28, "mlp_only_layers": [1, 2], "norm_topk_prob": True,
                          "qkv_bias": False, "tie_word_embeddings": True, "rope_theta": 500.0},
    "qwen3_moe-each": {**QWEN3MOE, "num_experts": 9, "num_key_value_heads": 1, "head_dim": 20, "norm_topk_prob": True,
                       "mlp_only_layers": [1], "tie_word_embeddings": True},
    "qwen3_moe-stacked": {**QWEN3MOE, "num_experts": 6, "num_experts_per_tok": 2, "num_key_value_heads": 2, "head_dim": 16,
                          "attention_bias": True, "decoder_sparse_step": 2, "use_sliding_window": True,
                          "sliding_window": 5},
    "olmoe-each": {**OLMOE, "num_experts": 6, "num_experts_per_tok": 2, "num_key_value_heads": 2, "clip_qkv": 0.9},
    "olmoe-stacked": {**OLMOE, "num_experts": 9, "norm_topk_prob": True, "attention_bias": True,
                      "tie_word_embeddings": True, "rope_theta": 500.0},
    # no word of rotary embeddings; a limit that is met
    "gpt_oss-usual": {**GPTOSS, "num_local_experts": 6, "num_key_value_heads": 2, "head_dim": 20, "sliding_window": 7,
                      "swiglu_limit": 0.7},
    "gpt_oss-listed": {**GPTOSS, "num_local_experts": 5, "num_experts_per_tok": 2, "num_key_value_heads": 1, "head_dim": 16,
                       "layer_types": ["full_attention", "sliding_attention", "sliding_attention"], "sliding_window": 5,
                       "attention_bias": False, "tie_word_embeddings": True, "rope_theta": 10000.0,
                       "swiglu_alpha": 1.2, "rope_scaling": {
                           "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16,
                           "beta_fast": 4.0, "beta_slow": 1.0, "truncate": False}},
    "mixtral-each": {**MIXTRAL, "num_local_experts": 5, "num_key_value_heads": 2, "sliding_window": 7},
    "mixtral-stacked": {**MIXTRAL, "num_local_experts": 12, "num_experts_per_tok": 3, "num_key_value_heads": 4,
                        "intermediate_size": 24, "tie_word_embeddings": True, "head_dim": 10, "rope_theta": 500.0,
                        "hidden_act": "gelu"},
}

GOLDEN = 0x9E3779B97F4A7C15


def mix(z):
    z = (z ^ z >> numpy.uint64(30)) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> numpy.uint64(27)) * numpy.uint64(0x94D049BB133111EB)
    return z ^ z >> numpy.uint64(31)


def fill(name, tensor):
    """Sixteen bits of SplitMix64, from a start that is the name's FNV-1a: -1 to 1 in steps of 2^-15, of which a gain
    is 1 + x / 4, all else x / 4."""
    start = 0xCBF29CE484222325
    for byte in name.encode():
        start = (start ^ byte) * 0x100000001B3 % 2**64
    with numpy.errstate(over="ignore"):
        i = numpy.arange(1, tensor.numel() + 1, dtype=numpy.uint64)
        bits = mix(numpy.uint64(start) + i * numpy.uint64(GOLDEN)) >> numpy.uint64(48)
    x = torch.from_numpy(bits.astype(numpy.float64) / 32768 - 1) / 4
    if tensor.dim() == 1 and name.endswith("weight"):
        x = 1 + x
    with torch.no_grad():
        tensor.copy_(x.reshape(tensor.shape))


@contextlib.contextmanager
def in_double():
    """Whatever asks for single precision in passing gets double."""
    single, name, cast = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = single, name, cast
        torch.set_default_dtype(single)


def attention_of(model_type):
    """Falcon's eager attention adds ALiBi twice, once with the mask; that of a model as it is loaded does not."""
    return "sdpa" if model_type == "falcon" else "eager"


def make(values):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(values, f)
        config = transformers.AutoConfig.from_pretrained(folder)
    config.dtype = None
    config._attn_implementation = attention_of(values["model_type"])
    with in_double():
        return getattr(transformers, values["architectures"][0])(config).eval()


# Whose files have the names that a model has in memory, not the older ones that transformers saves.
NEW_NAMES = ["llava-tied", "mistral3-untied"]


def renamed(name):
    return name.replace("language_model.lm_head", "lm_head").replace("language_model.model", "model.language_model")


def saved(model, published):
    """The tensors of its file."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, save_original_format=published)
        with safe_open(os.path.join(folder, "model.safetensors"), "np") as f:
            return {name: f.get_slice(name).get_shape() for name in f.keys()}


def load(model, tensors):
    """Makes the file's tensors and lets transformers read them, so that its own rules of names hold."""
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        for name, shape in tensors.items():
            made[name] = torch.empty(shape, dtype=torch.float64)
            fill(name, made[name])
        model.config.save_pretrained(folder)
        save_file(made, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        with in_double():
            how = {"dtype": torch.float64, "attn_implementation": attention_of(model.config.model_type),
                   "experts_implementation": "eager"}
            return type(model).from_pretrained(folder, **how).eval()


def logits_of(model, ids):
    with torch.no_grad(), in_double():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


def experts_are_clear(model, ids):
    """Whether no choice of an expert is close."""
    gaps = []

    def look(module, _, scores):
        best = torch.topk(scores[0], module.top_k + 1).values
        gaps.append((best[:, -2] - best[:, -1]).min().item())

    routers = [m for m in model.modules() if type(m).__name__.endswith("TopKRouter")]
    hooks = [m.register_forward_hook(look) for m in routers if m.top_k < m.num_experts]
    logits_of(model, ids)
    for hook in hooks:
        hook.remove()
    return all(gap > GAP for gap in gaps)


def continue_greedily(model, prompt):
    """None if a choice is close."""
    ids = list(prompt)
    for _ in range(STEPS):
        best = torch.topk(logits_of(model, ids)[-1], 2)
        if best.values[0] - best.values[1] < MARGIN:
            return None
        ids.append(int(best.indices[0]))
    return ids[len(prompt):] if experts_are_clear(model, ids) else None


def golden(name):
    values = MODELS[name]
    words = values.get("text_config", values)
    model = make(values)
    tensors = saved(model, published="stacked" not in name)
    if name in NEW_NAMES:
        tensors = {renamed(key): shape for key, shape in tensors.items()}
    model = load(model, tensors)
    for seed in range(1000):
        prompt = [int(x) for x in numpy.random.default_rng(seed).integers(0, words["vocab_size"], LENGTH)]
        greedy = continue_greedily(model, prompt)
        if greedy:
            break
    logits = logits_of(model, prompt)
    assert logits.dtype == torch.float64
    return {"config": values, "tensors": tensors, "prompt": prompt, "greedy": greedy, "rows": ROWS,
            "logits": [["%.10g" % x for x in logits[row].tolist()] for row in ROWS]}


def write(name):
    """A line for each part, and for each row of logits."""
    g = golden(name)
    rows = ",\n    ".join("[" + ", ".join(row) + "]" for row in g.pop("logits"))
    parts = ["  %s: %s" % (json.dumps(k), json.dumps(v)) for k, v in g.items() if k != "tensors"]
    tensors = ",\n    ".join("%s: %s" % (json.dumps(k), json.dumps(v)) for k, v in g["tensors"].items())
    parts += ['  "tensors": {\n    ' + tensors + "\n  }", '  "logits": [\n    ' + rows + "\n  ]"]
    with open(os.path.join(HERE, name + ".json"), "w") as f:
        f.write("{\n" + ",\n".join(parts) + "\n}\n")
    print(name)


if __name__ == "__main__":
    for name in sys.argv[1:] or MODELS:
        write(name)
