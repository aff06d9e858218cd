/* gguf_config.c: what a GGUF file says of its model, in the words of definitions: see gguf_keys.h. What the values mean
 * is as llama.cpp's converter writes them and its loader reads them (0.5.0, src/llama-model.cpp and src/models). */
#include "models/gguf_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/number.h"
#include "models/arch.h"
#include "models/checkpoint/gguf.h"
#include "models/checkpoint/json.h"
#include "models/config_impl.h"
#include "models/tokenizer/gguf.h"

enum { KEY_SIZE = 128, MAX_LAYERS = 1 << 16, MAX_FACTORS = 512 };

typedef struct reader {
    const weft__gguf_file *f;
    const weft__arch *a;
    char arch[64];                /* general.architecture */
    json_t *tree, *spelled;       /* of weft__config_from_tree */
    json_t *seen;                 /* keys of the file that were asked for */
    double layers, heads, width; /* width: of a head */
    const char *path;
    weft_error *err;
} reader;

/* What several architectures have, and all of them for the same. */
static const weft__gguf_key usual[] = {
    TAKEN("hidden_size", "embedding_length"), TAKEN("intermediate_size", "feed_forward_length"),
    TAKEN("max_position_embeddings", "context_length"), TAKEN("layer_norm_eps", "attention.layer_norm_epsilon"),
    TAKEN("norm_epsilon", "attention.layer_norm_epsilon"), TAKEN("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    TAKEN("num_experts", "expert_count"), TAKEN("num_experts_per_tok", "expert_used_count"),
    THERE("attention_bias", "blk.0.attn_q.bias"), THERE("mlp_bias", "blk.0.ffn_up.bias"),
    LACKS("tie_word_embeddings", "output.weight"),
};

/* ---- the file's side ---- */

/* The value of a key less the architecture; NULL: there is none. */
static const weft__gguf_value *look(reader *r, const char *key, char full[KEY_SIZE])
{
    snprintf(full, KEY_SIZE, "%s.%s", r->arch, key);
    const weft__gguf_value *v = weft__gguf_find(r->f, full);
    if (v) json_object_set_new(r->seen, full, json_true());
    return v;
}

/* What a publisher wrote before it became a float: the shortest decimal number that gives it. */
static double as_written(const weft__gguf_value *v, double x)
{
    char text[WEFT__FLOAT_TEXT];
    if (v->element == WEFT__GGUF_F32 && isfinite(x)) weft__double_scan(weft__float_text((float)x, text), &x);
    return x;
}

/* A number, or of a list, which has one for each layer, the one that all are. */
static weft_status read_number(reader *r, const char *key, bool *found, double *out)
{
    char full[KEY_SIZE];
    double other;
    const weft__gguf_value *v = look(r, key, full);
    *found = v != NULL;
    if (!v) return WEFT_OK;
    if (!weft__gguf_number(v, 0, out))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s is no number (type %s)", r->path, full,
                         weft__gguf_type_name(v->type));
    for (uint64_t i = 1; i < v->count; i++)
        if (!weft__gguf_number(v, i, &other) || other != *out)
            return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: %s is not the same in every layer", r->path, full);
    *out = as_written(v, *out);
    return WEFT_OK;
}

static weft_status read_needed(reader *r, const char *key, double *out)
{
    bool found;
    WEFT_TRY(read_number(r, key, &found, out));
    if (found && *out >= 1 && *out <= MAX_LAYERS * 64.0 && *out == floor(*out)) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s.%s is %s", r->path, r->arch, key,
                     found ? "no such number" : "missing");
}

static const weft__file_tensor *find_tensor(const reader *r, const char *name)
{
    size_t n;
    const weft__file_tensor *all = weft__gguf_tensors(r->f, &n);
    return weft__file_tensor_find(all, n, name);
}

/* Queries, keys and values may be one tensor. */
static bool has_tensor(const reader *r, const char *name)
{
    static const char q[] = "blk.0.attn_q.";
    char fused[64];
    if (find_tensor(r, name)) return true;
    if (strncmp(name, q, sizeof q - 1)) return false;
    snprintf(fused, sizeof fused, "blk.0.attn_qkv.%s", name + sizeof q - 1);
    return find_tensor(r, fused) != NULL;
}

/* ---- the definitions' side ---- */

/* In the tree, under a path of one or two parts. Takes the value. */
static weft_status put(reader *r, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    char group[32];
    json_t *in = r->tree;
    if (dot) {
        snprintf(group, sizeof group, "%.*s", (int)(dot - path), path);
        in = json_object_get(r->tree, group);
        if (!in && !json_object_set_new(r->tree, group, json_object())) in = json_object_get(r->tree, group);
    }
    if (value && !json_object_set_new(in, dot ? dot + 1 : path, value)) return WEFT_OK;
    return WEFT_OOM_FAIL(r->err, r->path);
}

/* The same, and where it is from: a key less the architecture, or a tensor. */
static weft_status put_from(reader *r, const char *path, json_t *value, const char *key, bool tensor)
{
    char full[KEY_SIZE];
    snprintf(full, sizeof full, "%s%s%s", tensor ? "" : r->arch, tensor ? "" : ".", key);
    WEFT_TRY(put(r, path, value));
    return json_object_set_new(r->spelled, path, json_string(full)) ? WEFT_OOM_FAIL(r->err, r->path) : WEFT_OK;
}

/* Whole numbers as such, for people. */
static json_t *as_json(double x)
{
    return x == floor(x) && fabs(x) < 1e15 ? json_integer((json_int_t)x) : json_real(x);
}

static weft_status put_number(reader *r, const char *path, double x, const char *key)
{
    if (!isfinite(x)) return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s.%s is %g", r->path, r->arch, key, x);
    return put_from(r, path, as_json(x), key, false);
}

static weft_status put_value(reader *r, const weft__gguf_key *k)
{
    bool found;
    double x = k->number;
    WEFT_TRY(read_number(r, k->in_file, &found, &x));
    if (k->rule == WEFT__GGUF_IS) return put_from(r, k->key, json_boolean(found && x == k->number), k->in_file, false);
    if (k->rule == WEFT__GGUF_SCALE && !(found && x != 0)) return put_number(r, k->key, 1 / sqrt(r->width), k->in_file);
    if (k->rule == WEFT__GGUF_SOME && (!found || x == 0)) return put_from(r, k->key, json_null(), k->in_file, false);
    return found || x == x ? put_number(r, k->key, x, k->in_file) : WEFT_OK; /* else NaN */
}

static weft_status put_width(reader *r, const weft__gguf_key *k)
{
    double embed;
    if (r->layers != k->number) return put_number(r, k->key, r->width, k->in_file);
    WEFT_TRY(read_needed(r, "embedding_length", &embed));
    return put_number(r, k->key, embed / r->heads, "embedding_length");
}

static weft_status put_key(reader *r, const weft__gguf_key *k)
{
    if (k->rule == WEFT__GGUF_FACT) return put(r, k->key, as_json(k->number));
    if (k->rule == WEFT__GGUF_WIDTH) return put_width(r, k);
    const bool more = k->rule == WEFT__GGUF_ONE_MORE;
    if (!more && k->rule != WEFT__GGUF_THERE && k->rule != WEFT__GGUF_LACKS) return put_value(r, k);
    bool there = has_tensor(r, k->in_file);
    if (more) return put_from(r, k->key, json_integer(1 + there), k->in_file, true);
    return put_from(r, k->key, json_boolean(there == (k->rule == WEFT__GGUF_THERE)), k->in_file, true);
}

/* ---- what takes more than one value ---- */

static weft_status put_heads(reader *r)
{
    bool found;
    double embed, keys, width, values;
    WEFT_TRY(read_needed(r, "embedding_length", &embed));
    WEFT_TRY(read_needed(r, "attention.head_count", &r->heads));
    WEFT_TRY(read_number(r, "attention.head_count_kv", &found, &keys));
    if (!found) keys = r->heads;
    WEFT_TRY(read_number(r, "attention.key_length", &found, &width));
    if (!found) width = floor(embed / r->heads);
    WEFT_TRY(read_number(r, "attention.value_length", &found, &values));
    if (found && values != width)
        return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: %s.attention: heads of %g (key_length) with values of %g",
                         r->path, r->arch, width, values);
    if (!(width >= 1 && width <= 1 << 16))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s.attention.key_length is %g", r->path, r->arch, width);
    r->width = width;
    WEFT_TRY(put_number(r, "num_attention_heads", r->heads, "attention.head_count"));
    WEFT_TRY(put_number(r, "num_key_value_heads", keys, "attention.head_count_kv"));
    return put_number(r, "head_dim", width, "attention.key_length");
}

static weft_status put_vocabulary(reader *r)
{
    char full[KEY_SIZE];
    const weft__file_tensor *t = find_tensor(r, "token_embd.weight");
    (void)look(r, "vocab_size", full); /* said beside */
    if (!t || t->rank != 2)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: there is no matrix token_embd.weight", r->path);
    return put_from(r, "vocab_size", json_integer((json_int_t)t->dims[0]), t->name, true);
}

static weft_status put_experts(reader *r)
{
    bool found;
    double width;
    static const char *const keys[] = { "expert_feed_forward_length", "feed_forward_length" };
    for (int i = 0; i < 2; i++) {
        WEFT_TRY(read_number(r, keys[i], &found, &width));
        if (found) return put_number(r, "moe_intermediate_size", width, keys[i]);
    }
    return WEFT_OK;
}

/* Which layers see a window: a list of the file's, or all but the last of every so many. */
static weft_status put_layer_types(reader *r)
{
    static const char key[] = "attention.sliding_window_pattern";
    char full[KEY_SIZE];
    const weft__gguf_value *v = look(r, key, full);
    double x, period = r->a->gguf.period;
    json_t *list = json_array();
    bool listed = v && v->type == WEFT__GGUF_ARRAY;
    if (v && !listed && !weft__gguf_number(v, 0, &period)) period = -1;
    for (uint32_t i = 0; i < r->layers; i++) {
        bool windowed = period == 0 || fmod(i, period) < period - 1;
        const bool said = !listed || weft__gguf_number(v, i, &x);
        if (listed) windowed = said && x != 0;
        if (!said || period < 0)
            return json_decref(list), WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s does not say it of layer %u", r->path,
                                                full, i);
        json_array_append_new(list, json_string(windowed ? "sliding_attention" : "full_attention"));
    }
    return put_from(r, "layer_types", list, key, false);
}

static weft_status put_windows(reader *r)
{
    bool found;
    double window;
    if (!r->a->gguf.period) return put(r, "sliding_window", json_null());
    WEFT_TRY(read_number(r, "attention.sliding_window", &found, &window));
    if (found && window > 0) {
        WEFT_TRY(put_number(r, "sliding_window", window, "attention.sliding_window"));
        return put_layer_types(r);
    }
    if (!found && r->a->gguf.window < 0)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s.attention.sliding_window is missing", r->path, r->arch);
    if (!found && r->a->gguf.window) {
        WEFT_TRY(put(r, "sliding_window", json_integer(r->a->gguf.window)));
        return put_layer_types(r);
    }
    return put_from(r, "sliding_window", json_null(), "attention.sliding_window", false);
}

/* ---- rotary embeddings ---- */

/* The path of what is asked for in the group; outside of one called "rope" stand its theta and its type. */
static const char *in_group(const reader *r, const char *name, char path[KEY_SIZE])
{
    const char *group = r->a->gguf.rope;
    bool outside = !group && (!strcmp(name, "rope_theta") || !strcmp(name, "rope_type"));
    snprintf(path, KEY_SIZE, "%s%s%s", outside ? "" : group ? group : "rope", outside ? "" : ".", name);
    return path;
}

static weft_status put_rope(reader *r, const char *name, const char *key, double otherwise)
{
    bool found;
    double x = otherwise;
    char path[KEY_SIZE];
    WEFT_TRY(read_number(r, key, &found, &x));
    return found || x == x ? put_number(r, in_group(r, name, path), x, key) : WEFT_OK;
}

static weft_status put_type(reader *r, const char *type, const char *from, bool tensor)
{
    char path[KEY_SIZE];
    return put_from(r, in_group(r, "rope_type", path), json_string(type), from, tensor);
}

/* How many dimensions of a head turn, as the share of them that gives back this number. */
static weft_status put_share(reader *r)
{
    static const char key[] = "rope.dimension_count";
    bool found;
    double n = r->width;
    WEFT_TRY(read_number(r, key, &found, &n));
    if (!(n >= 0 && n <= r->width && n == floor(n)))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s.%s is %g, of heads of %g", r->path, r->arch, key, n, r->width);
    double share = n / r->width;
    while (floor(share * r->width) < n) share = nextafter(share, 1);
    return put_number(r, "partial_rotary_factor", share, key);
}

/* A tensor of divisors of frequencies as a list. */
static weft_status put_factors(reader *r, const char *name, const weft__file_tensor *t)
{
    char path[KEY_SIZE];
    float x;
    if (t->rank != 1 || t->dtype->type != WEFT_F32 || t->dtype->bytes != sizeof x || t->dims[0] > MAX_FACTORS)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: tensor '%s' is no list of at most %d numbers of F32", t->file,
                         t->name, MAX_FACTORS);
    json_t *list = json_array();
    for (size_t i = 0; i < t->dims[0]; i++) {
        const unsigned char *at = (const unsigned char *)t->data + i * sizeof x;
        if (t->swapped) weft__file_swap(t->dtype, at, &x, sizeof x);
        else memcpy(&x, at, sizeof x);
        if (!isfinite(x) || json_array_append_new(list, json_real((double)x)))
            return json_decref(list), WEFT_FAIL(r->err, WEFT_FORMAT, "%s: element %zu of tensor '%s' is %g", t->file,
                                                i, t->name, (double)x);
    }
    return put_from(r, in_group(r, name, path), list, t->name, true);
}

/* Of the tensors that have factors; *out: whether there are any. */
static weft_status put_lists(reader *r, bool *out)
{
    const weft__file_tensor *near = find_tensor(r, "rope_factors_short.weight");
    const weft__file_tensor *far = find_tensor(r, "rope_factors_long.weight");
    const weft__file_tensor *one = find_tensor(r, "rope_freqs.weight");
    *out = near || far || one;
    if (near && one)
        return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: rope_freqs.weight beside rope_factors_long.weight is not "
                         "supported", r->path);
    if (!near != !far)
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: of rope_factors_short.weight and rope_factors_long.weight one is "
                         "missing", r->path);
    if (near) {
        WEFT_TRY(put_factors(r, "short_factor", near));
        WEFT_TRY(put_factors(r, "long_factor", far));
        WEFT_TRY(put_rope(r, "original_max_position_embeddings", "rope.scaling.original_context_length", NAN));
        WEFT_TRY(put_rope(r, "attention_factor", "rope.scaling.attn_factor", 1));
        return put_type(r, "longrope", far->name, true);
    }
    if (!one) return WEFT_OK;
    WEFT_TRY(put_factors(r, "divisors", one));
    return put_type(r, "divided", one->name, true);
}

static weft_status put_yarn(reader *r)
{
    WEFT_TRY(put_rope(r, "factor", "rope.scaling.factor", NAN));
    WEFT_TRY(put_rope(r, "original_max_position_embeddings", "rope.scaling.original_context_length", NAN));
    WEFT_TRY(put_rope(r, "attention_factor", "rope.scaling.yarn_attn_factor", NAN));
    WEFT_TRY(put_rope(r, "beta_fast", "rope.scaling.yarn_beta_fast", NAN));
    return put_rope(r, "beta_slow", "rope.scaling.yarn_beta_slow", NAN);
}

static bool is_plain(const weft__gguf_string *s)
{
    for (size_t i = 0; i < s->size; i++)
        if (s->text[i] <= ' ' || s->text[i] > '~') return false;
    return true;
}

/* Where frequencies have divisors of their own, nothing else may scale them: no published file asks for both. */
static weft_status refuse_beside_lists(reader *r, const char *type, double factor)
{
    const bool known = !strcmp(type, "none") || !strcmp(type, "linear") || !strcmp(type, "longrope");
    if (known && (factor == 0 || factor == 1)) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: %s.rope.scaling.type %s and factor %g beside tensors of rotary "
                     "factors are not supported", r->path, r->arch, type, factor);
}

/* How angles are scaled: by a factor where no type says otherwise. */
static weft_status put_scaling(reader *r)
{
    static const char key[] = "rope.scaling.type";
    char full[KEY_SIZE], type[32] = "linear";
    weft__gguf_string text;
    bool lists, found;
    double factor = 1;
    WEFT_TRY(put_lists(r, &lists));
    const weft__gguf_value *v = look(r, key, full);
    if (v && !(weft__gguf_text(v, 0, &text) && text.size < sizeof type && is_plain(&text)))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: %s is no text of a type", r->path, full);
    if (v) snprintf(type, sizeof type, "%.*s", (int)text.size, text.text);
    WEFT_TRY(read_number(r, "rope.scaling.factor", &found, &factor));
    if (!found) WEFT_TRY(read_number(r, "rope.scale_linear", &found, &factor));
    if (lists) return refuse_beside_lists(r, v ? type : "none", factor);
    if (!strcmp(type, "none") || (!strcmp(type, "linear") && (factor == 0 || factor == 1)))
        return put_type(r, "default", key, false);
    WEFT_TRY(put_type(r, type, key, false));
    if (!strcmp(type, "yarn")) return put_yarn(r);
    char path[KEY_SIZE];
    return put_number(r, in_group(r, "factor", path), factor, "rope.scaling.factor");
}

static weft_status put_rotary(reader *r)
{
    char full[KEY_SIZE];
    int64_t finetuned;
    const weft__gguf_value *v = look(r, "rope.scaling.finetuned", full); /* how it came to be; but for some a switch */
    if (r->a->gguf.may_not_turn && weft__gguf_integer(v, 0, &finetuned) && !finetuned)
        return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: %s is false: models of %s without rotary embeddings are not "
                         "supported", r->path, full, r->arch);
    WEFT_TRY(put_rope(r, "rope_theta", "rope.freq_base", 10000));
    WEFT_TRY(put_share(r));
    return put_scaling(r);
}

/* ---- tokens ---- */

/* An id of the tokenizer's, or null. */
static weft_status put_token(reader *r, const char *path)
{
    char key[KEY_SIZE];
    int64_t id;
    snprintf(key, sizeof key, "tokenizer.ggml.%s", path);
    bool there = weft__gguf_integer(weft__gguf_find(r->f, key), 0, &id) && id >= 0 && id <= INT32_MAX;
    return put_from(r, path, there ? json_integer(id) : json_null(), key, true);
}

/* All that end a text or a turn; one alone is no list. */
static weft_status put_ends(reader *r)
{
    int32_t ids[16];
    size_t n = weft__gguf_end_tokens(r->f, ids, sizeof ids / sizeof *ids);
    const char *key = "tokenizer.ggml.eos_token_id";
    if (n < 2) return put_from(r, "eos_token_id", n ? json_integer(ids[0]) : json_null(), key, true);
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t i = 0; i < n && ok; i++) ok = json_array_append_new(list, json_integer(ids[i])) == 0;
    if (!ok) json_decref(list);
    return put_from(r, "eos_token_id", ok ? list : NULL, key, true);
}

/* ---- the whole ---- */

static weft_status put_name(reader *r)
{
    json_t *name = json_string(r->a->classes[0].name);
    json_t *list = name ? json_pack("[o]", name) : NULL;
    WEFT_TRY(put_from(r, "architectures", list, "general.architecture", true));
    return put_from(r, "model_type", json_string(r->a->keys.type), "general.architecture", true);
}

static weft_status put_all(reader *r)
{
    WEFT_TRY(put_name(r));
    WEFT_TRY(read_needed(r, "block_count", &r->layers));
    if (r->layers > MAX_LAYERS)
        return WEFT_FAIL(r->err, WEFT_LIMIT, "%s: %s.block_count is %g", r->path, r->arch, r->layers);
    WEFT_TRY(put_number(r, "num_hidden_layers", r->layers, "block_count"));
    WEFT_TRY(put_heads(r));
    WEFT_TRY(put_vocabulary(r));
    WEFT_TRY(put_experts(r));
    WEFT_TRY(put_windows(r));
    WEFT_TRY(put_rotary(r));
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) WEFT_TRY(put_key(r, &usual[i]));
    for (size_t i = 0; i < r->a->gguf.n_keys; i++) WEFT_TRY(put_key(r, &r->a->gguf.keys[i]));
    if (!json_object_get(r->tree, "layer_norm_eps") && !json_object_get(r->tree, "rms_norm_eps"))
        return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: neither %s.attention.layer_norm_rms_epsilon nor "
                         "%s.attention.layer_norm_epsilon is there", r->path, r->arch, r->arch);
    WEFT_TRY(put_token(r, "bos_token_id"));
    return put_ends(r);
}

/* Whether a key that nothing has read says what is so without it; NaN: no number does. */
static bool is_neutral(const weft__gguf_value *v, const char *key)
{
    static const struct { const char *key; double number; } matter[] = {
        { "attention.causal", true }, { "attention.scale", NAN }, { "attention.temperature_scale", 0 },
        { "attention.clamp_kqv", 0 }, { "attention.max_alibi_bias", 0 }, { "attention.shared_kv_layers", 0 },
        { "attention.key_length_swa", NAN }, { "attention.value_length_swa", NAN }, { "attn_logit_softcapping", 0 },
        { "embedding_scale", 1 }, { "expert_gating_func", 1 }, { "expert_group_count", 0 },
        { "expert_weights_scale", 1 }, { "final_logit_softcapping", 0 }, { "logit_scale", 1 },
        { "residual_scale", 1 }, { "rope.dimension_count_swa", NAN }, { "rope.freq_base_swa", NAN },
        { "rope.scaling.attn_factor", 1 }, { "rope.scaling.yarn_ext_factor", 1 },
        { "rope.scaling.yarn_log_multiplier", 0 }, { "swiglu_clamp_exp", 0 },
    };
    double x;
    for (size_t i = 0; i < sizeof matter / sizeof *matter; i++)
        if (!strcmp(matter[i].key, key)) return weft__gguf_number(v, 0, &x) && x == matter[i].number;
    return true;
}

/* What nothing has read: refused where it changes what is computed, else noted. */
static weft_status check_rest(reader *r, weft_config_file *c)
{
    const weft__gguf_value *v;
    const size_t n = strlen(r->arch);
    for (size_t i = 0; (v = weft__gguf_at(r->f, i)); i++) {
        if (strncmp(v->key, r->arch, n) != 0 || v->key[n] != '.' || json_object_get(r->seen, v->key)) continue;
        if (!is_neutral(v, v->key + n + 1))
            return WEFT_FAIL(r->err, WEFT_UNSUPPORTED, "%s: %s is not supported for models of %s", r->path, v->key,
                             r->a->keys.type);
        WEFT_TRY(weft__config_warn(c, r->err, "%s is not read", v->key));
    }
    return WEFT_OK;
}

/* Whether files of this value mean the architecture `a`, of several of one name. */
static bool is_meant(reader *r, const weft__arch *a)
{
    char full[KEY_SIZE];
    double x;
    if (!a->gguf.has) return true;
    snprintf(full, sizeof full, "%s.%s", r->arch, a->gguf.has);
    const weft__gguf_value *v = weft__gguf_find(r->f, full);
    return weft__gguf_number(v, 0, &x) && x > 0;
}

static void find_arch(reader *r)
{
    weft__gguf_string name;
    const weft__arch *a;
    const weft__gguf_value *v = weft__gguf_find(r->f, "general.architecture");
    if (!weft__gguf_text(v, 0, &name) || name.size >= sizeof r->arch || !is_plain(&name)) return;
    snprintf(r->arch, sizeof r->arch, "%.*s", (int)name.size, name.text);
    for (size_t i = 0; (a = weft__arch_at(i)); i++) {
        bool also = a->gguf.also && !strcmp(a->gguf.also, r->arch);
        if (!a->gguf.arch || (strcmp(a->gguf.arch, r->arch) && !also) || !is_meant(r, a)) continue;
        if (!r->a || a->gguf.has) r->a = a;
    }
}

/* Of an architecture that no definition is of: its name alone. */
static weft_status put_unknown(reader *r)
{
    if (!*r->arch) return WEFT_FAIL(r->err, WEFT_FORMAT, "%s: general.architecture is missing", r->path);
    return put_from(r, "architectures", json_pack("[s]", r->arch), "general.architecture", true);
}

weft_status weft__gguf_config(const weft__gguf_file *f, weft_config_file **out, weft_error *err)
{
    reader r = { .f = f, .path = weft__gguf_path(f), .err = err, .tree = json_object(), .spelled = json_object(),
                 .seen = json_object() };
    *out = NULL;
    find_arch(&r);
    weft_status s = r.tree && r.spelled && r.seen ? WEFT_OK : WEFT_OOM_FAIL(err, r.path);
    if (!s) s = r.a ? put_all(&r) : put_unknown(&r);
    if (!s) {
        s = weft__config_from_tree(r.tree, r.spelled, r.path, out, err);
        r.tree = r.spelled = NULL;
    }
    if (!s && r.a) s = weft__config_take_keys(*out, &r.a->keys, err);
    if (!s && r.a) s = check_rest(&r, *out);
    json_decref(r.tree);
    json_decref(r.spelled);
    json_decref(r.seen);
    if (!s) return WEFT_OK;
    weft_config_file_close(*out);
    *out = NULL;
    return s;
}

const weft__gguf_key *weft__gguf_key_at(const weft__arch *a, size_t i)
{
    if (i < a->gguf.n_keys) return &a->gguf.keys[i];
    i -= a->gguf.n_keys;
    return i < sizeof usual / sizeof *usual ? &usual[i] : NULL;
}
