/* gguf_names.c: see gguf_names.h. tests/reference/gguf/names.txt has what llama.cpp's converter makes of every name. */
#include "models/arch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What several architectures have, and all of them for the same. */
static const weft__gguf_name usual[] = {
    SAME("norm", "output_norm"), SAME("ln_f", "output_norm"), SAME("lm_head", "output"), SAME("wpe", "position_embd"),
    SAME("input_layernorm", "attn_norm"), SAME("ln_1", "attn_norm"), SAME("post_attention_layernorm", "ffn_norm"),
    SAME("ln_2", "ffn_norm"), SAME("self_attn.q_proj", "attn_q"), SAME("self_attn.k_proj", "attn_k"),
    SAME("self_attn.v_proj", "attn_v"), SAME("self_attn.o_proj", "attn_output"), SAME("self_attn.dense", "attn_output"),
    SAME("self_attn.q_norm", "attn_q_norm"), SAME("self_attn.k_norm", "attn_k_norm"), SAME("attn.c_attn", "attn_qkv"),
    SAME("attn.c_proj", "attn_output"), GROUPS("self_attention.query_key_value", "attn_qkv"),
    SAME("self_attention.dense", "attn_output"), SAME("mlp.gate_proj", "ffn_gate"), SAME("mlp.up_proj", "ffn_up"),
    SAME("mlp.down_proj", "ffn_down"), SAME("mlp.c_fc", "ffn_up"), SAME("mlp.c_proj", "ffn_down"),
    SAME("mlp.dense_h_to_4h", "ffn_up"), SAME("mlp.dense_4h_to_h", "ffn_down"), SAME("mlp.gate", "ffn_gate_inp"),
    HALVES("mlp.experts.gate_up_proj", "ffn_gate_exps.weight", "ffn_up_exps.weight"),
    SAME("mlp.experts.down_proj", "ffn_down_exps.weight"),
};

/* A weight's name in parts: its layer, what it is called in it, and "weight" or "bias". */
typedef struct parts {
    const char *name, *last; /* last: "" of what has neither */
    int name_length;
    long layer; /* -1: it is of none */
} parts;

/* "layers.3.mlp.up_proj.weight": what follows the first part that is a number. */
static const char *after_layer(const char *name, long *layer)
{
    *layer = -1;
    for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
        char *end;
        if (dot[1] < '0' || dot[1] > '9') continue;
        *layer = strtol(dot + 1, &end, 10);
        if (*end == '.') return end + 1;
    }
    *layer = -1;
    return name;
}

static void split(const weft__arch *a, const char *weight, parts *p)
{
    const char *prefix = a->spellings[0].name;
    if (prefix && !strncmp(weight, prefix, strlen(prefix))) weight += strlen(prefix);
    p->name = after_layer(weight, &p->layer);
    const char *dot = strrchr(p->name, '.');
    bool ends = dot && (!strcmp(dot, ".weight") || !strcmp(dot, ".bias"));
    p->last = ends ? dot + 1 : "";
    p->name_length = ends ? (int)(dot - p->name) : (int)strlen(p->name);
}

/* Whether a row is of it: of its weight and its bias, of the one that the row names, or of what has neither. */
static bool is_of(const weft__gguf_name *row, const parts *p)
{
    if (!*p->last == !strchr(row->in_file, '.')) return false;
    return !strcmp(row->name, p->name) ||
           (*p->last && (int)strlen(row->name) == p->name_length && !strncmp(row->name, p->name, strlen(row->name)));
}

/* Of a row that is of name.J; false: of no such. */
static bool is_of_one(const weft__gguf_name *row, const parts *p, uint32_t *j)
{
    const size_t n = strlen(row->name);
    if (row->form != WEFT__GGUF_ROW || strncmp(row->name, p->name, n) || p->name[n] != '.') return false;
    char *end;
    *j = (uint32_t)strtoul(p->name + n + 1, &end, 10);
    return end == p->name + p->name_length;
}

static const weft__gguf_name *find(const weft__gguf *g, const parts *p, uint32_t *row)
{
    for (size_t i = 0; i < g->n_own; i++)
        if (is_of(&g->own[i], p) || is_of_one(&g->own[i], p, row)) return &g->own[i];
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (is_of(&usual[i], p)) return &usual[i];
    return NULL;
}

static void compose(char *out, size_t size, const parts *p, const char *in_file)
{
    const char *dot = *p->last ? "." : "";
    if (p->layer < 0) snprintf(out, size, "%s%s%s", in_file, dot, p->last);
    else snprintf(out, size, "blk.%ld.%s%s%s", p->layer, in_file, dot, p->last);
}

bool weft__gguf_place_of(const weft__arch *a, const char *weight, weft__gguf_place *out)
{
    static const weft__gguf_name embedding = SAME("", "token_embd");
    parts p;
    *out = (weft__gguf_place){ 0 };
    if (!a->gguf.arch) return false;
    split(a, weight, &p);
    const weft__gguf_name *row = strcmp(weight, a->embed) ? find(&a->gguf, &p, &out->row) : &embedding;
    if (!row) return false;
    out->form = row->form;
    compose(out->name, sizeof out->name, &p, row->in_file);
    if (row->second) compose(out->second, sizeof out->second, &p, row->second);
    return true;
}

/* Which head of the graph's is a head of the file's: there the queries of a group, its key and its value follow each
 * other. */
static uint32_t head_in_groups(uint32_t H, uint32_t G, uint32_t head)
{
    const uint32_t each = H / G;
    if (head < H) return head / each * (each + 2) + head % each;
    return (head - H) % G * (each + 2) + each + (head - H) / G;
}

uint32_t weft__gguf_row(weft__gguf_form form, uint32_t H, uint32_t G, uint32_t D, uint32_t i)
{
    if (form == WEFT__GGUF_PAIRS) return i / D * D + i % D % 2 * (D / 2) + i % D / 2;
    if (form == WEFT__GGUF_GROUPS) return head_in_groups(H, G, i / D) * D + i % D;
    return i;
}
