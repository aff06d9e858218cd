/* mixtral.c: Mixtral 8x7B, 8x22B: Mistral with experts. Jiang et al., arXiv:2401.04088; Hugging Face's Mixtral classes
 * are the reference. */
#include "models/arch.h"

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    const weft_block_attention_desc attention = { &x->rotary, .window = weft_net_window(x) };
    const weft_block_experts_desc experts = weft_net_experts(x);
    (void)i;
    return weft_block_sparse_layer(x, in, &attention, &experts);
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read_decoder(x, g, c, in);
    return weft_block_decoder(x, layer);
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(32000) }, { "hidden_size", NUMBER(4096) }, { "intermediate_size", NUMBER(14336) },
    { "num_hidden_layers", NUMBER(32) }, { "num_attention_heads", NUMBER(32) }, { "hidden_act", TEXT("silu") },
    { "num_key_value_heads", NUMBER(8) }, { "sliding_window", ABSENT }, { "num_experts_per_tok", NUMBER(2) },
    { "num_experts", { "num_experts", "num_local_experts" }, NUMBER(8) }, { "tie_word_embeddings", NUMBER(false) },
    { "moe_intermediate_size", { "intermediate_size" }, NUMBER(14336) }, { "norm_topk_prob", { "" }, NUMBER(true) },
    { "max_position_embeddings", NUMBER(131072) }, { "rms_norm_eps", NUMBER(1e-5) },
    { "rope_theta", ROPE_OR("rope_theta", "rope_theta"), NUMBER(1000000) }, { "initializer_range", NUMBER(0.02) },
    { "bos_token_id", NUMBER(1) }, { "eos_token_id", NUMBER(2) },
};

static const weft__gguf_name gguf[] = { GGUF_PAIRED };

const weft__arch weft__arch_mixtral = {
    .family = "Mixtral", DECODER_CLASSES("Mixtral"), .trunk = trunk, KEYS("mixtral", keys),
    GGUF("llama", gguf), .gguf.has = "expert_count", DECODER_NAMES,
    .parts = { { ".mlp.experts.gate_up_proj",
                 { ".block_sparse_moe.experts.#.w1.weight", ".block_sparse_moe.experts.#.w3.weight" } },
               { ".mlp.experts.down_proj", { ".block_sparse_moe.experts.#.w2.weight" } },
               { ".mlp.gate.weight", { ".block_sparse_moe.gate.weight" } } },
};
