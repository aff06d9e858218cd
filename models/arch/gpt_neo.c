/* gpt_neo.c: GPT-Neo, TinyStories. Black et al., doi:10.5281/zenodo.5297715 (2021); Hugging Face's GPTNeo classes are
 * the reference. */
#include "models/arch.h"

#include <stdio.h>
#include <string.h>

/* attention_types lists [[kinds, times], ...]: the kinds in turn, so many times, and then the next. NULL: layer i is
 * beyond the list. */
static const char *kind_of(weft_net *x, uint32_t i)
{
    static const char *const usual[] = { "global", "local" };
    double times;
    char key[64];
    if (!x->c->number(x->c->ctx, "attention_types", &times)) return i < 24 ? usual[i % 2] : NULL;
    for (uint32_t group = 0, n = 0;; group++, n = 0) {
        const char *kind;
        for (;; n++) {
            snprintf(key, sizeof key, "attention_types.%u.0.%u", group, n);
            if (n > 64 || x->c->text(x->c->ctx, key, &kind) != 1) break;
        }
        snprintf(key, sizeof key, "attention_types.%u.1", group);
        if (!n || x->c->number(x->c->ctx, key, &times) != 1 || !(times >= 1 && times <= 4096)) return NULL;
        if (i < n * (uint32_t)times) {
            snprintf(key, sizeof key, "attention_types.%u.0.%u", group, i % n);
            return x->c->text(x->c->ctx, key, &kind) == 1 ? kind : NULL;
        }
        i -= n * (uint32_t)times;
    }
}

static weft_ref attention(weft_net *x, weft_ref in, uint32_t i)
{
    const char *kind = kind_of(x, i);
    uint32_t window = weft_config_u32(x->g, x->c, "window_size", 1, 1 << 30);
    if (!kind || (strcmp(kind, "local") && strcmp(kind, "global")))
        weft_graph_fail(x->g, WEFT_FORMAT, "%s: 'attention_types' must say global or local for each of %u layers",
                        x->c->origin, x->L);
    window = kind && !strcmp(kind, "local") ? window : 0;
    const weft_block_attention_desc how = { .window = window, .scale = 1, .scope = "attn.attention", .out = "out_proj",
                                            .out_bias = true };
    return weft_block_self_attention(x, in, &how);
}

static weft_ref layer(weft_net *x, weft_ref in, uint32_t i)
{
    weft_ref r = weft_add(x->g, in, attention(x, weft_block_norm(x, in, "ln_1"), i));
    return weft_add(x->g, r, weft_block_mlp(x, weft_block_norm(x, r, "ln_2"), "c_fc", "c_proj", true));
}

static weft_ref trunk(weft_net *x, weft_graph *g, const weft_config *c, const weft_model_inputs *in)
{
    weft_net_read(x, g, c, in, WEFT_NORM_LAYER, "layer_norm_eps");
    weft_net_equal_heads(x);
    weft_scope_begin(g, "transformer");
    weft_ref h = weft_block_embed(x, "wte");
    h = weft_add(g, h, weft_block_positions(x, "wpe", 0));
    return weft_scope_end(g, weft_block_layers(x, h, "h", layer, "ln_f"));
}

static const weft__config_key keys[] = {
    { "vocab_size", NUMBER(50257) }, { "hidden_size", NUMBER(2048) }, { "max_position_embeddings", NUMBER(2048) },
    { "num_hidden_layers", { "num_hidden_layers", "num_layers" }, NUMBER(24) },
    { "num_attention_heads", { "num_attention_heads", "num_heads" }, NUMBER(16) },
    { "hidden_act", { "activation_function" }, TEXT("gelu_new") },
    { "layer_norm_eps", { "layer_norm_epsilon" }, NUMBER(1e-5) }, { "initializer_range", NUMBER(0.02) },
    { "window_size", NUMBER(256) }, { "tie_word_embeddings", NUMBER(true) }, { "bos_token_id", NUMBER(50256) },
    { "eos_token_id", NUMBER(50256) },
};

const weft__arch weft__arch_gpt_neo = {
    .family = "GPTNeo", .trunk = trunk, KEYS("gpt_neo", keys), GPT_NAMES,
    .classes = { { "GPTNeoForCausalLM", WEFT_HEAD_LOGITS, NULL, false }, { "GPTNeoModel", WEFT_HEAD_NONE, NULL, false },
                 { "GPTNeoForSequenceClassification", WEFT_HEAD_SEQUENCE, "score", false },
                 { "GPTNeoForTokenClassification", WEFT_HEAD_TOKENS, "classifier", true },
                 { "GPTNeoForQuestionAnswering", WEFT_HEAD_SPAN, "qa_outputs", true } },
    .bounded = true,
};
