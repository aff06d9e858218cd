/* adapter_config.c: adapter_config.json: by what the modules of an adapter are multiplied, whether they are those that
 * it targets, and what it has that changes results and is not known here. */
#include "models/adapter_impl.h"
#include "models/tokenizer/regex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE "adapter_config.json"

enum { MAX_CONFIG = 16 << 20, MAX_PATTERNS = 4096 };

/* Names by a list of their ends, or by an expression. */
typedef struct names {
    const json_t *list;   /* strings; NULL: the expression */
    weft__regex *regex;   /* NULL: all, or without a list none */
    bool all;
} names;

typedef struct pattern {
    weft__regex *regex;
    double value;
} pattern;

typedef struct patterns {
    pattern *list;
    size_t n;
} patterns;

typedef struct config {
    weft_adapter *a;
    char *path;
    json_t *root;
    double rank, alpha;
    bool rslora;
    const char *bias;
    names target, exclude;
    patterns ranks, alphas, layers; /* layers: the number that a layer has in a name follows each */
    weft__regex_scratch *scratch;
} config;

/* ---- keys ---- */

/* Keys that say nothing of the result, or what stands in the file in any case. */
static const char *const told_elsewhere[] = {
    "peft_type", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "target_modules", "exclude_modules",
    "layers_to_transform", "layers_pattern", "bias", "lora_bias", "fan_in_fan_out", "init_lora_weights",
    "base_model_name_or_path", "inference_mode", "lora_dropout", "peft_version", "revision", "task_type",
    "auto_mapping", "runtime_config", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_core",
    "qalora_group_size", "base_model_class", "parent_library", "inject_adapter_in_model",
};

/* Ways to begin that leave the base model's weights as they are; others change them. */
static const char *const beginnings[] = { "gaussian", "eva", "orthogonal" };

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(s, list[i])) return true;
    return false;
}

/* What an option is that is off: null, false, 0, nothing in it, or text, which alone turns nothing on. */
static bool is_off(const json_t *v)
{
    const bool filled = (json_is_object(v) && json_object_size(v)) || (json_is_array(v) && json_array_size(v));
    return !json_is_true(v) && json_number_value(v) == 0 && !filled;
}

static weft_status wrong(const config *c, const char *key, const char *must, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: '%s' must be %s, but it is %s", c->path, key, must,
                     weft__json_kind(json_object_get(c->root, key)));
}

static weft_status check_keys(const config *c, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const char *key;
    json_t *v;
    json_object_foreach(c->root, key, v)
        if (!is_one_of(key, told_elsewhere, sizeof told_elsewhere / sizeof *told_elsewhere) && !is_off(v))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: '%s' is not supported", c->path, weft__quote(quoted, key));
    const char *type = json_string_value(json_object_get(c->root, "peft_type"));
    if (!type || strcmp(type, "LORA"))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: peft_type is '%s'; LORA is supported", c->path,
                         type ? weft__quote(quoted, type) : "");
    const char *how = json_string_value(json_object_get(c->root, "init_lora_weights"));
    if (how && !is_one_of(how, beginnings, sizeof beginnings / sizeof *beginnings))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: init_lora_weights is '%s', which changes the base's weights; "
                         "PEFT can save such an adapter for the unchanged ones "
                         "(path_initial_model_for_weight_conversion)", c->path, weft__quote(quoted, how));
    return WEFT_OK;
}

static weft_status read_number(const config *c, const char *key, double otherwise, double *out, weft_error *err)
{
    const json_t *v = json_object_get(c->root, key);
    *out = otherwise;
    if (!v || json_is_null(v)) return WEFT_OK;
    if (!weft__json_number(v, out) || !isfinite(*out)) return wrong(c, key, "a number", err);
    return WEFT_OK;
}

/* ---- expressions ---- */

/* The whole of begin, text and end as one expression. */
static weft_status compile(const config *c, const char *begin, const char *text, const char *end, weft__regex **out,
                           weft_error *err)
{
    weft_text all = { 0 };
    weft_writer w = weft_text_writer(&all);
    weft_writef(&w, "%s(?:%s)%s", begin, text, end);
    weft_status s = all.data ? weft__regex_create(all.data, strlen(all.data), false, out, err)
                             : WEFT_OOM_FAIL(err, c->path);
    weft_text_free(&all);
    return s ? weft__annotate(err, s, "%s: '%.80s'", c->path, text) : WEFT_OK;
}

static weft_status matches(const config *c, const weft__regex *r, const char *name, size_t *end, bool *out,
                           weft_error *err)
{
    weft__regex_walk w = { .regex = r, .scratch = c->scratch, .text = name, .n = strlen(name) };
    WEFT_TRY(weft__regex_next(&w, out, err));
    if (*out && end) *end = w.end;
    return WEFT_OK;
}

/* An object of numbers by expressions. */
static weft_status read_patterns(const config *c, const char *key, patterns *out, weft_error *err)
{
    const json_t *o = json_object_get(c->root, key);
    const char *name;
    json_t *v;
    if (!o || json_is_null(o)) return WEFT_OK;
    if (!json_is_object(o) || json_object_size(o) > MAX_PATTERNS) return wrong(c, key, "an object", err);
    out->list = calloc(json_object_size(o) + 1, sizeof *out->list);
    if (!out->list) return WEFT_OOM_FAIL(err, c->path);
    json_object_foreach((json_t *)(uintptr_t)o, name, v) {
        pattern *p = &out->list[out->n];
        if (!weft__json_number(v, &p->value) || !isfinite(p->value)) return wrong(c, key, "an object of numbers", err);
        WEFT_TRY(compile(c, "\\A(?:.*\\.)?", name, "\\z", &p->regex, err));
        out->n++;
    }
    return WEFT_OK;
}

static weft_status value_of(const config *c, const patterns *p, const char *name, double otherwise, double *out,
                            weft_error *err)
{
    bool found = false;
    *out = otherwise;
    for (size_t i = 0; !found && i < p->n; i++) {
        WEFT_TRY(matches(c, p->list[i].regex, name, NULL, &found, err));
        if (found) *out = p->list[i].value;
    }
    return WEFT_OK;
}

/* ---- which modules ---- */

static weft_status read_names(const config *c, const char *key, names *out, weft_error *err)
{
    const json_t *v = json_object_get(c->root, key);
    if (!v || json_is_null(v)) return WEFT_OK;
    if (json_is_string(v)) {
        out->all = !strcmp(json_string_value(v), "all-linear");
        return out->all ? WEFT_OK : compile(c, "\\A", json_string_value(v), "\\z", &out->regex, err);
    }
    for (size_t i = 0; json_is_array(v) && i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i))) return wrong(c, key, "a list of names, or an expression", err);
    if (!json_is_array(v)) return wrong(c, key, "a list of names, or an expression", err);
    out->list = v;
    return WEFT_OK;
}

/* A name of the list, or what ends with "." and one. */
static weft_status are_of(const config *c, const names *n, const char *name, bool *out, weft_error *err)
{
    *out = n->all;
    if (n->regex) return matches(c, n->regex, name, NULL, out, err);
    for (size_t i = 0; n->list && !*out && i < json_array_size(n->list); i++) {
        const char *end = json_string_value(json_array_get(n->list, i));
        const size_t k = strlen(end), length = strlen(name);
        *out = weft__ends_with(name, end) && (length == k || (length > k && name[length - k - 1] == '.'));
    }
    return WEFT_OK;
}

/* layers_pattern: the word before a layer's number, one or several; without it any. */
static weft_status read_layers(config *c, weft_error *err)
{
    const json_t *v = json_object_get(c->root, "layers_pattern");
    const size_t n = json_is_array(v) ? json_array_size(v) : json_is_string(v) && *json_string_value(v) ? 1 : 0;
    if (v && !json_is_null(v) && !json_is_array(v) && !json_is_string(v))
        return wrong(c, "layers_pattern", "a name, or a list of them", err);
    if (n > MAX_PATTERNS) return wrong(c, "layers_pattern", "a name, or a list of them", err);
    c->layers.list = calloc(n + 1, sizeof *c->layers.list);
    if (!c->layers.list) return WEFT_OOM_FAIL(err, c->path);
    if (!n) WEFT_TRY(compile(c, "\\A.*\\.", "[^.]*", "\\.(?=[0-9]+\\.)", &c->layers.list[c->layers.n++].regex, err));
    for (size_t i = 0; i < n; i++) {
        const char *word = json_string_value(json_is_string(v) ? v : json_array_get(v, i));
        if (!word) return wrong(c, "layers_pattern", "a name, or a list of them", err);
        WEFT_TRY(compile(c, "\\A.*\\.", word, "\\.(?=[0-9]+\\.)", &c->layers.list[c->layers.n++].regex, err));
    }
    return WEFT_OK;
}

static bool lists(const json_t *numbers, double layer)
{
    double x;
    if (weft__json_number(numbers, &x)) return x == layer;
    for (size_t i = 0; json_is_array(numbers) && i < json_array_size(numbers); i++)
        if (weft__json_number(json_array_get(numbers, i), &x) && x == layer) return true;
    return false;
}

/* Whether layers_to_transform has the layer of a module; without it every one is. */
static weft_status is_in_layers(const config *c, const char *name, bool *out, weft_error *err)
{
    const json_t *numbers = json_object_get(c->root, "layers_to_transform");
    size_t end = 0;
    *out = !numbers || json_is_null(numbers) || (json_is_array(numbers) && !json_array_size(numbers));
    if (*out) return WEFT_OK;
    for (size_t i = 0; i < c->layers.n; i++) {
        bool found;
        WEFT_TRY(matches(c, c->layers.list[i].regex, name, &end, &found, err));
        if (!found) continue;
        *out = lists(numbers, strtod(name + end, NULL));
        break;
    }
    return WEFT_OK;
}

static weft_status check_target(const config *c, const weft__adapter_module *m, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const weft__file_tensor *t = weft__adapter_tensor(m);
    bool target = true, excluded = false, there = true;
    if (!m->rank) return WEFT_OK;
    if (c->target.list || c->target.regex || c->target.all) WEFT_TRY(are_of(c, &c->target, m->name, &target, err));
    WEFT_TRY(are_of(c, &c->exclude, m->name, &excluded, err));
    if (target && !c->target.regex) WEFT_TRY(is_in_layers(c, m->name, &there, err)); /* an expression says all of it */
    if (target && !excluded && there) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor '%s' is of a module that %s of %s does not name", t->file,
                     weft__quote(quoted, t->name), excluded ? "exclude_modules" : there ? "target_modules"
                                                                                        : "layers_to_transform",
                     c->path);
}

/* ---- what is said of each ---- */

static weft_status check_bias(const config *c, const weft__adapter_module *m, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const weft__file_tensor *t = m->part[WEFT__BIAS];
    if (!t || !strcmp(c->bias, "all") || (!strcmp(c->bias, "lora_only") && m->rank)) return WEFT_OK;
    return WEFT_FAIL(err, WEFT_FORMAT, "%s: tensor '%s' is a bias, but bias is '%.32s' in %s", t->file,
                     weft__quote(quoted, t->name), c->bias, c->path);
}

static weft_status configure_module(const config *c, weft__adapter_module *m, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    double rank, alpha;
    WEFT_TRY(check_target(c, m, err));
    WEFT_TRY(check_bias(c, m, err));
    if (!m->rank) return WEFT_OK;
    WEFT_TRY(value_of(c, &c->ranks, m->name, c->rank, &rank, err));
    WEFT_TRY(value_of(c, &c->alphas, m->name, c->alpha, &alpha, err));
    const weft__file_tensor *t = weft__adapter_tensor(m);
    if (rank != m->rank)
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' is of rank %u, but %s makes it %g", t->file,
                         weft__quote(quoted, t->name), m->rank, c->path, rank);
    m->factor = c->rslora ? alpha / sqrt(rank) : alpha / rank;
    return WEFT_OK;
}

static weft_status read_all(config *c, weft_error *err)
{
    const char *base = json_string_value(json_object_get(c->root, "base_model_name_or_path"));
    const json_t *bias = json_object_get(c->root, "bias"), *rslora = json_object_get(c->root, "use_rslora");
    WEFT_TRY(check_keys(c, err));
    WEFT_TRY(read_number(c, "r", 8, &c->rank, err));
    WEFT_TRY(read_number(c, "lora_alpha", 8, &c->alpha, err));
    if (rslora && !json_is_boolean(rslora) && !json_is_null(rslora))
        return wrong(c, "use_rslora", "true or false", err);
    c->rslora = json_is_true(rslora);
    c->bias = bias && !json_is_null(bias) ? json_string_value(bias) : "none";
    if (!c->bias) return wrong(c, "bias", "a text", err);
    WEFT_TRY(read_patterns(c, "rank_pattern", &c->ranks, err));
    WEFT_TRY(read_patterns(c, "alpha_pattern", &c->alphas, err));
    WEFT_TRY(read_names(c, "target_modules", &c->target, err));
    WEFT_TRY(read_names(c, "exclude_modules", &c->exclude, err));
    WEFT_TRY(read_layers(c, err));
    for (size_t i = 0; i < c->a->n_modules; i++) WEFT_TRY(configure_module(c, &c->a->modules[i], err));
    if (base) c->a->info.base = weft__arena_strdup(&c->a->texts, base);
    return c->a->info.base ? WEFT_OK : WEFT_OOM_FAIL(err, c->path);
}

static weft_status open_config(config *c, weft_error *err)
{
    char *text = NULL, twice[WEFT__QUOTE_SIZE];
    size_t n = 0;
    c->path = weft__path_join(c->a->info.path, CONFIG_FILE);
    c->scratch = weft__regex_scratch_create();
    if (!c->path || !c->scratch) return WEFT_OOM_FAIL(err, c->a->info.path);
    weft_status s = weft__file_read(c->path, MAX_CONFIG, &text, &n, err);
    if (!s) s = weft__json_parse_lenient(text, n, c->path, &c->root, twice, err);
    free(text);
    return s;
}

static void free_patterns(patterns *p)
{
    for (size_t i = 0; i < p->n; i++) weft__regex_destroy(p->list[i].regex);
    free(p->list);
}

weft_status weft__adapter_configure(weft_adapter *a, weft_error *err)
{
    config c = { .a = a };
    weft_status s = open_config(&c, err);
    if (!s) s = read_all(&c, err);
    weft__regex_destroy(c.target.regex);
    weft__regex_destroy(c.exclude.regex);
    free_patterns(&c.ranks);
    free_patterns(&c.alphas);
    free_patterns(&c.layers);
    weft__regex_scratch_destroy(c.scratch);
    json_decref(c.root);
    free(c.path);
    return s;
}
