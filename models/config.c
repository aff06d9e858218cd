/* config.c: lookup in config.json through the table of spellings. The JSON tree is kept as it was
 * read; nothing is rewritten, so what a lookup returns is what stands in the file. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/checkpoint.h"
#include "models/checkpoint/file.h"
#include "models/checkpoint/json.h"

#define MAX_FILE      ((size_t)16 << 20)
#define MAX_SPELLINGS 4

struct weft__hf_config {
    json_t *root, *generation; /* generation: NULL if there is none */
    const char *origin;
    const char **warnings;
    size_t n_warnings, warnings_capacity;
    weft__arena arena; /* the strings */
};

/* canonical key, spellings by precedence */
static const struct {
    const char *key, *spelling[MAX_SPELLINGS];
} aliases[] = {
    { "rope_theta", { "rope_parameters.rope_theta", "rope_theta", "rotary_emb_base" } },
    { "partial_rotary_factor",
      { "rope_parameters.partial_rotary_factor", "partial_rotary_factor", "rotary_pct" } },
    { "rope_type",
      { "rope_parameters.rope_type", "rope_parameters.type", "rope_scaling.rope_type",
        "rope_scaling.type" } },
    { "rope_factor", { "rope_parameters.factor", "rope_scaling.factor" } },
    { "dtype", { "dtype", "torch_dtype" } },
    { "hidden_act", { "hidden_act", "activation_function" } },
    { "hidden_size", { "hidden_size", "n_embd" } },
    { "num_hidden_layers", { "num_hidden_layers", "n_layer" } },
    { "num_attention_heads", { "num_attention_heads", "n_head" } },
    { "max_position_embeddings", { "max_position_embeddings", "n_positions" } },
    { "intermediate_size", { "intermediate_size", "n_inner" } },
    { "layer_norm_eps", { "layer_norm_eps", "layer_norm_epsilon" } },
};
#define N_ALIASES (sizeof aliases / sizeof *aliases)

/* What a token id is if neither file has the key: the defaults of transformers' configuration classes. */
static const struct {
    const char *model_type, *key;
    int32_t id;
} token_defaults[] = {
    { "gpt_neox", "bos_token_id", 0 }, { "gpt_neox", "eos_token_id", 2 },
    { "gpt2", "bos_token_id", 50256 }, { "gpt2", "eos_token_id", 50256 },
    { "gptj", "bos_token_id", 50256 }, { "gptj", "eos_token_id", 50256 },
    { "llama", "bos_token_id", 1 },    { "llama", "eos_token_id", 2 },
};

/* ---- lookup ---- */

/* The value at a dotted path, or NULL. */
static const json_t *at_path(const json_t *v, const char *path)
{
    char part[64];
    while (v) {
        const char *dot = strchr(path, '.');
        size_t n = dot ? (size_t)(dot - path) : strlen(path);
        if (n >= sizeof part) return dot ? NULL : json_object_get(v, path);
        memcpy(part, path, n);
        part[n] = 0;
        v = json_is_array(v) ? json_array_get(v, strtoul(part, NULL, 10))
                             : json_object_get(v, part);
        if (!dot) return v;
        path = dot + 1;
    }
    return NULL;
}

/* The same; null counts as absent. */
static const json_t *present(const weft__hf_config *c, const char *path)
{
    const json_t *v = at_path(c->root, path);
    return json_is_null(v) ? NULL : v;
}

static const json_t *find(const weft__hf_config *c, const char *key)
{
    for (size_t i = 0; i < N_ALIASES; i++) {
        if (strcmp(aliases[i].key, key) != 0) continue;
        const json_t *v = NULL;
        for (size_t k = 0; k < MAX_SPELLINGS && aliases[i].spelling[k] && !v; k++)
            v = present(c, aliases[i].spelling[k]);
        return v;
    }
    return present(c, key);
}

static bool as_number(const json_t *v, double *out)
{
    if (!json_is_number(v) && !json_is_boolean(v)) return false;
    *out = json_is_boolean(v) ? json_is_true(v) : json_number_value(v);
    return true;
}

static double position_scale(const weft__hf_config *c)
{
    const char *type;
    double factor;
    if (weft__hf_config_text(c, "rope_type", &type) != 1 || strcmp(type, "linear") != 0) return 1;
    return weft__hf_config_number(c, "rope_factor", &factor) == 1 ? 1 / factor : 1;
}

int weft__hf_config_number(const weft__hf_config *c, const char *key, double *out)
{
    *out = 0;
    if (strcmp(key, "rope_position_scale") == 0) {
        *out = position_scale(c);
        return 1;
    }
    const json_t *v = find(c, key), *labels = present(c, "id2label");
    if (strcmp(key, "num_labels") == 0 && json_is_object(labels)) {
        *out = (double)json_object_size(labels);
        return 1;
    }
    if (!v) return 0;
    return as_number(v, out) ? 1 : -1;
}

int weft__hf_config_text(const weft__hf_config *c, const char *key, const char **out)
{
    const json_t *v = find(c, key);
    *out = NULL;
    if (!v) return 0;
    if (!json_is_string(v)) return -1;
    *out = json_string_value(v);
    return 1;
}

int weft__hf_config_numbers(const weft__hf_config *c, const char *key, double *out, size_t max,
                            size_t *n)
{
    const json_t *v = find(c, key);
    *n = 0;
    if (!v) return 0;
    if (!json_is_array(v)) return -1;
    double x;
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!as_number(json_array_get(v, i), &x)) return -1;
        if (i < max) out[i] = x;
    }
    *n = json_array_size(v);
    return 1;
}

weft_status weft__hf_config_u32(const weft__hf_config *c, const char *key, uint32_t min,
                                uint32_t max, uint32_t *out, weft_error *err)
{
    const json_t *v = find(c, key);
    double x = 0;
    *out = 0;
    if (!v) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: %s is missing", c->origin, key);
    if (!json_is_number(v))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s is %s, not a number", c->origin, key,
                         weft__json_kind(v));
    x = json_number_value(v);
    if (!(x >= min && x <= max) || x != floor(x))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s is %.17g, not a whole number in %u..%u",
                         c->origin, key, x, min, max);
    *out = (uint32_t)x;
    return WEFT_OK;
}

/* ---- token ids ---- */

static weft_status token_list(const weft__hf_config *c, const char *key, const json_t *v,
                              int32_t *out, size_t max, size_t *n, weft_error *err)
{
    size_t count = json_is_array(v) ? json_array_size(v) : 1;
    if (count > max)
        return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s lists %zu ids, more than %zu", c->origin, key,
                         count, max);
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s holds %s that is no token id", c->origin,
                             key, weft__json_kind(id));
        out[i] = (int32_t)json_integer_value(id);
    }
    *n = count;
    return WEFT_OK;
}

weft_status weft__hf_config_tokens(const weft__hf_config *c, const char *key, int32_t *out,
                                   size_t max, size_t *n, weft_error *err)
{
    *n = 0;
    const json_t *v = json_object_get(c->generation, key);
    if (!v || json_is_null(v)) v = json_object_get(c->root, key);
    if (json_is_null(v)) return WEFT_OK;
    if (v) return token_list(c, key, v, out, max, n, err);
    const char *type;
    if (weft__hf_config_text(c, "model_type", &type) != 1 || max == 0) return WEFT_OK;
    for (size_t i = 0; i < sizeof token_defaults / sizeof *token_defaults; i++)
        if (strcmp(token_defaults[i].model_type, type) == 0 &&
            strcmp(token_defaults[i].key, key) == 0) {
            *out = token_defaults[i].id;
            *n = 1;
        }
    return WEFT_OK;
}

/* ---- reading ---- */

static bool same_value(const json_t *a, const json_t *b)
{
    double x, y;
    if (as_number(a, &x) && as_number(b, &y)) return x == y; /* 10000 and 10000.0 */
    return json_equal(a, b) == 1;
}

static weft_status warn(weft__hf_config *c, const char *text, weft_error *err)
{
    if (!weft__grow(&c->warnings, &c->warnings_capacity, c->n_warnings + 1, sizeof *c->warnings) ||
        !(c->warnings[c->n_warnings] = weft__arena_strdup(&c->arena, text)))
        return WEFT_OOM_FAIL(err, c->origin);
    c->n_warnings++;
    return WEFT_OK;
}

/* Compares each spelling of a key with the one that counts. */
static weft_status find_contradictions(weft__hf_config *c, weft_error *err)
{
    char text[256];
    for (size_t i = 0; i < N_ALIASES; i++) {
        const json_t *first = NULL;
        const char *winner = NULL;
        for (size_t k = 0; k < MAX_SPELLINGS && aliases[i].spelling[k]; k++) {
            const char *spelling = aliases[i].spelling[k];
            const json_t *v = present(c, spelling);
            if (v && !first) {
                first = v;
                winner = spelling;
            } else if (v && !same_value(first, v)) {
                snprintf(text, sizeof text, "%s and %s differ; %s counts", winner, spelling,
                         winner);
                WEFT_TRY(warn(c, text, err));
            }
        }
    }
    return WEFT_OK;
}

weft_status weft__hf_config_parse(const char *text, size_t n, const char *generation,
                                  size_t n_generation, const char *origin, weft__hf_config **out,
                                  weft_error *err)
{
    weft__hf_config *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c || !(c->origin = weft__arena_strdup(&c->arena, origin))) {
        weft__hf_config_destroy(c);
        return WEFT_OOM_FAIL(err, origin);
    }
    weft_status s = weft__json_parse(text, n, origin, &c->root, err);
    if (s == WEFT_OK && generation) {
        s = weft__json_parse(generation, n_generation, "generation_config.json", &c->generation,
                             err);
        if (s != WEFT_OK) weft__annotate(err, s, "beside %s", origin);
    }
    if (s == WEFT_OK) s = find_contradictions(c, err);
    if (s != WEFT_OK) {
        weft__hf_config_destroy(c);
        return s;
    }
    *out = c;
    return WEFT_OK;
}

/* generation_config.json may be absent. */
static weft_status read_optional(const char *folder, const char *name, char **text, size_t *n,
                                 weft_error *err)
{
    *text = NULL;
    *n = 0;
    char *path = weft__path_join(folder, name);
    if (!path) return WEFT_OOM_FAIL(err, name);
    weft_status s =
        weft__path_exists(path) ? weft__file_read(path, MAX_FILE, text, n, err) : WEFT_OK;
    free(path);
    return s;
}

static weft_status open_in(const char *folder, const char *path, weft__hf_config **out,
                           weft_error *err)
{
    char *text = NULL, *generation = NULL;
    size_t n = 0, n_generation = 0;
    weft_status s = weft__file_read(path, MAX_FILE, &text, &n, err);
    if (s == WEFT_OK)
        s = read_optional(folder, "generation_config.json", &generation, &n_generation, err);
    if (s == WEFT_OK) s = weft__hf_config_parse(text, n, generation, n_generation, path, out, err);
    free(generation);
    free(text);
    return s;
}

weft_status weft__hf_config_open(const char *model, weft__hf_config **out, weft_error *err)
{
    char *folder;
    *out = NULL;
    WEFT_TRY(weft__model_folder(model, &folder, err));
    bool named = weft__ends_with(model, ".json") &&
                 !weft__ends_with(model, ".safetensors.index.json") && !weft__path_is_folder(model);
    char *path = named ? strdup(model) : weft__path_join(folder, "config.json");
    weft_status s = path ? open_in(folder, path, out, err) : WEFT_OOM_FAIL(err, model);
    free(path);
    free(folder);
    return s;
}

void weft__hf_config_destroy(weft__hf_config *c)
{
    if (!c) return;
    json_decref(c->root);
    json_decref(c->generation);
    free(c->warnings);
    weft__arena_free(&c->arena);
    free(c);
}

/* ---- what a model definition sees ---- */

/* rope_scaling and rope_parameters: an object or null. The kinds of scaling that positions alone express. */
static weft_status check_rope(const weft__hf_config *c, weft_error *err)
{
    static const char *const groups[] = { "rope_parameters", "rope_scaling" };
    char quoted[WEFT__QUOTE_SIZE];
    const char *type;
    double factor;
    for (int i = 0; i < 2; i++) {
        const json_t *v = present(c, groups[i]);
        if (v && !json_is_object(v))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s is %s, not an object", c->origin, groups[i],
                             weft__json_kind(v));
    }
    int found = weft__hf_config_text(c, "rope_type", &type);
    if (found < 0) return WEFT_FAIL(err, WEFT_FORMAT, "%s: rope_type is not a string", c->origin);
    if (found == 0 && present(c, "rope_scaling"))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: rope_scaling has no rope_type", c->origin);
    if (found == 0 || strcmp(type, "default") == 0) return WEFT_OK;
    if (strcmp(type, "linear") != 0)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: rope_type \"%s\" is not supported", c->origin,
                         weft__quote(quoted, type));
    found = weft__hf_config_number(c, "rope_factor", &factor);
    if (found != 1)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: rope_type linear: factor is %s", c->origin,
                         found ? "not a number" : "missing");
    if (!(factor >= 1 && factor <= 1e6))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: rope_type linear: factor is %g, not in 1..1e6",
                         c->origin, factor);
    return WEFT_OK;
}

static int view_number(const void *ctx, const char *key, double *out)
{
    return weft__hf_config_number(ctx, key, out);
}

static int view_text(const void *ctx, const char *key, const char **out)
{
    return weft__hf_config_text(ctx, key, out);
}

weft_status weft__hf_config_view(const weft__hf_config *c, weft_config *out, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const char *method;
    *out = (weft_config){ 0 };
    if (present(c, "quantization_config")) {
        weft__hf_config_text(c, "quantization_config.quant_method", &method);
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "%s: checkpoints quantised by \"%s\" are not supported", c->origin,
                         weft__quote(quoted, method ? method : "?"));
    }
    WEFT_TRY(check_rope(c, err));
    *out = (weft_config){ .ctx = c, .number = view_number, .text = view_text, .origin = c->origin };
    return WEFT_OK;
}

size_t weft__hf_config_warning_count(const weft__hf_config *c)
{
    return c->n_warnings;
}

const char *weft__hf_config_warning(const weft__hf_config *c, size_t i)
{
    return i < c->n_warnings ? c->warnings[i] : NULL;
}

const char *weft__hf_config_origin(const weft__hf_config *c)
{
    return c->origin;
}
