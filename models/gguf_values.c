/* gguf_values.c: what a GGUF file says of a model beside its tensors, in the keys that gguf_keys.h reads: the other
 * way round. A configuration that those cannot say is refused, by what could not be said. */
#include "models/gguf_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/gguf_config.h"
#include "models/gguf_factors.h"
#include "models/model_impl.h"
#include "models/tokenizer/files.h"
#include "models/tokenizer/gguf_out.h"
#include "models/tokenizer/gguf_templates.h"

enum { KEY_SIZE = 128, MAX_FILE = 16 << 20 };

typedef struct job {
    weft_model *m;
    const weft__gguf *g;
    weft__gguf_kv *kv;
    weft_text written; /* keys, each between line ends */
    weft_error *err;
} job;

/* ---- the model's side ---- */

static bool read_number(const job *j, const char *key, double *out)
{
    const weft_setting_info *s = weft__setting_find(j->m, key);
    if (s && s->kind != WEFT_SETTING_TEXT) *out = s->number;
    return s && s->kind != WEFT_SETTING_TEXT;
}

static double number_or(const job *j, const char *key, double otherwise)
{
    double x;
    return read_number(j, key, &x) ? x : otherwise;
}

/* ---- the file's side ---- */

static bool ends_with_any(const char *key, const char *const *ends)
{
    for (; *ends; ends++)
        if (weft__ends_with(key, *ends)) return true;
    return false;
}

/* llama.cpp refuses a key of another type than it expects. */
static weft__gguf_type type_of(const char *key)
{
    static const char *const truths[] = { "use_parallel_residual", "expert_weights_norm", NULL };
    static const char *const floats[] = { "epsilon", "freq_base", "freq_base_swa", "factor", "scale", "softcapping",
                                          "clamp_kqv", "alibi_bias", "beta_fast", "beta_slow", NULL };
    if (ends_with_any(key, truths)) return WEFT__GGUF_BOOL;
    return ends_with_any(key, floats) ? WEFT__GGUF_F32 : WEFT__GGUF_U32;
}

/* Keeps a key in mind. False: it was written before. */
static bool is_new(job *j, const char *key)
{
    char line[KEY_SIZE + 2];
    const weft_writer w = weft_text_writer(&j->written);
    snprintf(line, sizeof line, "\n%s\n", key);
    if (j->written.data && strstr(j->written.data, line)) return false;
    w.write(w.ctx, line, strlen(line));
    return true;
}

/* A number under a key, which the architecture begins; the first of a key counts. */
static weft_status put(job *j, const char *key, double x)
{
    char full[KEY_SIZE];
    const weft__gguf_type type = type_of(key);
    snprintf(full, sizeof full, "%s.%s", j->g->arch, key);
    if (!is_new(j, key)) return WEFT_OK;
    if (!isfinite(x) || (type == WEFT__GGUF_U32 && !(x >= 0 && x <= UINT32_MAX && x == floor(x))))
        return WEFT_FAIL(j->err, WEFT_UNSUPPORTED, "%s: %s cannot be %g in a GGUF file", j->m->path, full, x);
    if (type == WEFT__GGUF_BOOL) weft__gguf_put_bool(j->kv, full, x != 0);
    else if (type == WEFT__GGUF_F32) weft__gguf_put_f32(j->kv, full, (float)x);
    else weft__gguf_put_u32(j->kv, full, (uint32_t)x);
    return WEFT_OK;
}

static void put_text(job *j, const char *key, const char *text)
{
    weft__gguf_put_text(j->kv, key, text, strlen(text));
}

static weft_status put_scoped_text(job *j, const char *key, const char *text)
{
    char full[KEY_SIZE];
    snprintf(full, sizeof full, "%s.%s", j->g->arch, key);
    if (is_new(j, key)) put_text(j, full, text);
    return WEFT_OK;
}

/* ---- rows of the tables ---- */

static weft_status cannot_say(const job *j, const char *key, double x)
{
    return WEFT_FAIL(j->err, WEFT_UNSUPPORTED, "%s: llama.cpp's %s has no way to say that %s is %g", j->m->path,
                     j->g->arch, key, x);
}

/* What the format holds for a fact has to be one. */
static weft_status check_fact(job *j, const weft__gguf_key *k, double x)
{
    double want = k->number;
    if (k->rule == WEFT__GGUF_WIDTH) {
        want = number_or(j, "head_dim", 0);
        if (j->m->info.n_layer == k->number) want = (double)j->m->info.n_embed / j->m->info.n_head;
    }
    return x == want ? WEFT_OK : cannot_say(j, k->key, x);
}

static weft_status put_row(job *j, const weft__gguf_key *k)
{
    double x;
    if (!read_number(j, k->key, &x)) return WEFT_OK;
    switch (k->rule) {
    case WEFT__GGUF_VALUE:
    case WEFT__GGUF_SCALE:
        if (x == 0 && weft__ends_with(k->in_file, "softcapping")) return WEFT_OK; /* there is none */
        return put(j, k->in_file, x);
    case WEFT__GGUF_SOME: return x != 0 ? put(j, k->in_file, x) : WEFT_OK;
    case WEFT__GGUF_IS: return x != 0 ? put(j, k->in_file, k->number) : WEFT_OK;
    case WEFT__GGUF_FACT:
    case WEFT__GGUF_WIDTH: return check_fact(j, k, x);
    default: return WEFT_OK; /* it follows from the tensors */
    }
}

/* ---- sizes ---- */

static weft_status put_sizes(job *j)
{
    static const struct { const char *key, *in_file; } sizes[] = {
        { "num_hidden_layers", "block_count" }, { "num_attention_heads", "attention.head_count" },
        { "num_key_value_heads", "attention.head_count_kv" }, { "head_dim", "attention.key_length" },
        { "head_dim", "attention.value_length" }, { "vocab_size", "vocab_size" },
        { "moe_intermediate_size", "expert_feed_forward_length" },
    };
    double x;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (read_number(j, sizes[i].key, &x)) WEFT_TRY(put(j, sizes[i].in_file, x));
    return put(j, "context_length", j->m->info.context);
}

/* Whether layer i sees a window only. */
static bool is_windowed(const job *j, uint32_t i)
{
    char key[32];
    snprintf(key, sizeof key, "layer_types.%u", i);
    const char *type;
    if (j->m->config.text(j->m->config.ctx, key, &type) == 1) return !strcmp(type, "sliding_attention");
    double every = number_or(j, "sliding_window_pattern", j->g->period);
    return every > 0 && fmod(i, every) < every - 1;
}

static weft_status put_windows(job *j)
{
    char full[KEY_SIZE];
    const double window = number_or(j, "sliding_window", 0);
    if (!j->g->period || window <= 0) return WEFT_OK;
    const uint32_t n = j->m->info.n_layer;
    unsigned char *list = calloc(n + 1, 1);
    bool usual = true;
    if (!list) return WEFT_OOM_FAIL(j->err, j->m->path);
    for (uint32_t i = 0; i < n; i++) {
        list[i] = is_windowed(j, i);
        usual = usual && list[i] == (i % j->g->period < j->g->period - 1);
    }
    snprintf(full, sizeof full, "%s.attention.sliding_window_pattern", j->g->arch);
    if (!usual) weft__gguf_put_numbers(j->kv, full, WEFT__GGUF_BOOL, list, n);
    free(list);
    return put(j, "attention.sliding_window", window);
}

/* ---- rotary embeddings ---- */

static weft_status put_rope(job *j, const char *name, const char *key, bool given)
{
    const weft_setting_info *s = weft__gguf_rope_setting(j->m, name);
    if (!s || s->kind == WEFT_SETTING_TEXT || (given && !strcmp(s->source, "default")) || s->number == 0) return
        WEFT_OK;
    return put(j, key, s->number);
}

static weft_status put_scaling(job *j, const char *type)
{
    if (!strcmp(type, "default") || !strcmp(type, "llama3") || !strcmp(type, "divided") || !strcmp(type, "dynamic"))
        return WEFT_OK; /* as it is, by a tensor of divisors, or as it is up to the context that is written */
    if (strcmp(type, "linear") != 0 && strcmp(type, "yarn") != 0 && strcmp(type, "longrope") != 0)
        return WEFT_FAIL(j->err, WEFT_UNSUPPORTED, "%s: GGUF has no rope_type %s", j->m->path, type);
    WEFT_TRY(put_scoped_text(j, "rope.scaling.type", type));
    WEFT_TRY(put_rope(j, "original_max_position_embeddings", "rope.scaling.original_context_length", false));
    if (!strcmp(type, "longrope")) return put_rope(j, "attention_factor", "rope.scaling.attn_factor", false);
    WEFT_TRY(put_rope(j, "factor", "rope.scaling.factor", false));
    if (!strcmp(type, "linear")) return WEFT_OK;
    WEFT_TRY(put_rope(j, "attention_factor", "rope.scaling.yarn_attn_factor", true));
    WEFT_TRY(put_rope(j, "beta_fast", "rope.scaling.yarn_beta_fast", true));
    return put_rope(j, "beta_slow", "rope.scaling.yarn_beta_slow", true);
}

static weft_status put_rotary(job *j)
{
    const weft_setting_info *type = weft__gguf_rope_setting(j->m, "rope_type");
    if (!type) return WEFT_OK;
    WEFT_TRY(put(j, "rope.dimension_count", weft__gguf_rope_width(j->m)));
    WEFT_TRY(put_rope(j, "rope_theta", "rope.freq_base", false));
    return put_scaling(j, type->value);
}

/* ---- the tokenizer ---- */

static weft_status put_tokenizer(job *j)
{
    weft__tokenizer_out t = { .n_vocab = j->m->info.n_vocab, .bos = j->m->info.bos, .eos = j->m->info.eos };
    bool there = false;
    char *text;
    if (j->m->folder) WEFT_TRY(weft__tokenizer_in_folder(j->m->folder, &there, j->err));
    if (!there) {
        put_text(j, "tokenizer.ggml.model", "none");
        return WEFT_OK;
    }
    WEFT_TRY(weft_model_tokenizer(j->m, &t.of, j->err));
    WEFT_TRY(weft__tokenizer_text(j->m->folder, t.of, &text, &t.size, j->err));
    t.text = text;
    t.origin = j->m->folder;
    weft_status s = weft__tokenizer_put(&t, j->kv, j->err);
    free(text);
    return s;
}

/* ---- files beside the tensors ---- */

/* A file of the folder, to be freed; *text NULL: it is not there. */
static weft_status read_file(job *j, const char *name, char **text, size_t *n)
{
    const bool config = !strcmp(name, "config.json"); /* it may have another name */
    char *path = config ? strdup(weft__config_origin(j->m->hf)) : weft__path_join(j->m->folder, name);
    *text = NULL;
    if (!path) return WEFT_OOM_FAIL(j->err, j->m->path);
    weft_status s = weft__path_exists(path) ? weft__file_read(path, MAX_FILE, text, n, j->err) : WEFT_OK;
    free(path);
    return s;
}

static weft_status put_templates(job *j)
{
    char *jinja, *config;
    size_t n_jinja = 0, n = 0;
    WEFT_TRY(read_file(j, "chat_template.jinja", &jinja, &n_jinja));
    weft_status s = read_file(j, "tokenizer_config.json", &config, &n);
    if (!s)
        s = weft__gguf_put_templates(config, n, "tokenizer_config.json", (weft__gguf_string){ jinja, n_jinja }, j->kv,
                                     j->err);
    free(jinja);
    free(config);
    return s;
}

/* Those of the folder, as they are, for whoever makes such a folder again. */
static weft_status put_files(job *j)
{
    static const char *const names[] = { "config.json", "generation_config.json", "tokenizer_config.json",
                                         "special_tokens_map.json", "chat_template.jinja" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text, key[KEY_SIZE];
        size_t n;
        WEFT_TRY(read_file(j, names[i], &text, &n));
        snprintf(key, sizeof key, WEFT__GGUF_FILES "%s", names[i]);
        if (text) weft__gguf_put_text(j->kv, key, text, n);
        free(text);
    }
    return put_templates(j);
}

/* ---- the whole ---- */

static weft_status put_all(job *j)
{
    const weft__gguf_key *k;
    const char *name = weft__path_name(j->m->folder ? j->m->folder : j->m->path);
    put_text(j, "general.type", "model");
    if (*name && strcmp(name, ".") != 0) put_text(j, "general.name", name);
    WEFT_TRY(put_sizes(j));
    WEFT_TRY(put_rotary(j));
    for (size_t i = 0; (k = weft__gguf_key_at(j->m->arch, i)); i++) WEFT_TRY(put_row(j, k));
    WEFT_TRY(put_windows(j));
    if (!strstr(j->written.data ? j->written.data : "", "epsilon\n")) /* of norms whose epsilon is no setting */
        WEFT_TRY(put(j, "attention.layer_norm_epsilon", 1e-5));
    WEFT_TRY(put_tokenizer(j));
    if (j->m->folder) WEFT_TRY(put_files(j));
    return j->written.failed ? WEFT_OOM_FAIL(j->err, j->m->path) : WEFT_OK;
}

/* What describes a file, or how it is cut, and not the model. */
static bool is_of_file(const char *key)
{
    return !strcmp(key, "general.file_type") || !strcmp(key, "general.quantization_version") ||
           !strcmp(key, "general.alignment") || !strncmp(key, "split.", 6);
}

weft_status weft__gguf_export_values(weft__gguf_export *e, weft__gguf_kv *kv, weft_error *err)
{
    weft_model *m = weft__gguf_export_model(e);
    const weft__gguf_file *f = m->checkpoint ? weft__checkpoint_gguf(m->checkpoint) : NULL;
    const weft__gguf_value *v;
    for (size_t i = 0; f && (v = weft__gguf_at(f, i)); i++)
        if (!is_of_file(v->key)) weft__gguf_put_copy(kv, v);
    if (f) return WEFT_OK;
    job j = { .m = m, .g = &m->arch->gguf, .kv = kv, .err = err };
    put_text(&j, "general.architecture", weft__gguf_export_arch(e));
    weft_status s = put_all(&j);
    weft_text_free(&j.written);
    return s;
}

/* ---- types ---- */

/* general.file_type: that of most bytes. */
static uint32_t file_type(const weft__file_tensor *t, size_t n)
{
    static const struct { const char *dtype; uint32_t number; } types[] = {
        { "F32", 0 }, { "F16", 1 }, { "Q4_0", 2 }, { "Q4_1", 3 }, { "Q8_0", 7 }, { "Q5_0", 8 }, { "Q5_1", 9 },
        { "Q2_K", 10 }, { "Q3_K", 12 }, { "Q4_K", 15 }, { "Q5_K", 17 }, { "Q6_K", 18 }, { "IQ4_NL", 25 },
        { "IQ4_XS", 30 }, { "BF16", 32 }, { "MXFP4", 38 },
    };
    uint64_t most = 0;
    uint32_t number = 0;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        uint64_t bytes = 0, size;
        for (size_t i = 0; i < n; i++)
            if (!strcmp(t[i].dtype->name, types[k].dtype) && weft__file_size(t[i].dtype, t[i].rank, t[i].dims, &size))
                bytes += size;
        if (bytes > most) number = types[k].number;
        if (bytes > most) most = bytes;
    }
    return number;
}

static bool has_blocks(const weft__file_tensor *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (t[i].dtype->block > 1) return true;
    return false;
}

void weft__gguf_put_types(weft__gguf_kv *kv, const weft__file_tensor *tensors, size_t n)
{
    weft__gguf_put_u32(kv, "general.file_type", file_type(tensors, n));
    if (has_blocks(tensors, n)) weft__gguf_put_u32(kv, "general.quantization_version", 2);
}
