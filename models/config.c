/* config.c: lookup in config.json through the table of the model's type. The JSON tree is kept as it
 * was read; nothing is rewritten, so what a lookup returns is what stands in the file. */
#include "config_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/json.h"

#define TIE "tie_word_embeddings"

struct weft_config_file {
    json_t *root, *generation; /* generation: NULL if there is none */
    json_t *spelled; /* of a file with words of its own: its word for a key. The root's keys are then those that
                      * definitions ask for. NULL: the root is the file */
    const json_t *text;        /* what the type's keys stand in: root, or its text_config (NULL: there is none) */
    weft__config_keys keys;
    const char *origin, *generation_origin; /* paths */
    const char *text_origin;                /* of `text`, for people */
    const char *replaced, *replaced_by;     /* a key that the files overrule, and who says so; NULL: none */
    double replacement;
    const char **notes;
    size_t n_notes, note_capacity;
    weft__arena arena; /* the strings */
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

/* Python's truth: neither null, false, 0 nor empty. */
static bool is_true(const json_t *v)
{
    double x;
    if (json_is_string(v)) return json_string_length(v) > 0;
    if (weft__json_number(v, &x)) return x != 0;
    return json_is_true(v) || json_object_size(v) || json_array_size(v);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* Whether tie_word_embeddings is that beside text_config. */
static bool ties_outside(const weft_config_file *c)
{
    return c->keys.wrap && (!c->keys.wrap->either || is_true(json_object_get(c->root, TIE)));
}

/* Outside of text_config is what describes the whole file, and token ids and dtype where they are there. */
static bool is_outside(const weft_config_file *c, const char *path)
{
    static const char *const always[] = { "architectures", "model_type", "text_config", "quantization_config",
                                          "vision_config", "audio_config" };
    size_t n = strcspn(path, ".");
    if (!c->keys.wrap) return false;
    if (!strcmp(path, TIE)) return ties_outside(c);
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (n == strlen(always[i]) && !strncmp(path, always[i], n)) return true;
    const json_t *v = json_object_get(c->root, path);
    return v && !json_is_null(v) && (ends_with(path, "dtype") || ends_with(path, "_token_id"));
}

/* What a path starts from. */
static const json_t *place_of(const weft_config_file *c, const char *path)
{
    return is_outside(c, path) ? c->root : c->text;
}

static const weft__config_key *row_of(const weft_config_file *c, const char *key)
{
    return !strcmp(key, TIE) && ties_outside(c) ? &c->keys.wrap->tie : weft__config_key_find(&c->keys, key);
}

/* The group that says all about rotary embeddings. */
static const char *rope_group(const weft_config_file *c)
{
    return is_true(json_object_get(c->text, "rope_scaling")) ? "rope_scaling" : "rope_parameters";
}

static bool is_of_rope(const char *path)
{
    return !strncmp(path, "rope_scaling.", 13) || !strncmp(path, "rope_parameters.", 16);
}

/* Whether a path into one of the two groups is one into the other. */
static bool is_replaced(const weft_config_file *c, const char *path)
{
    return is_of_rope(path) && strncmp(path, rope_group(c), (size_t)(strchr(path, '.') - path)) != 0;
}

/* What counts of what stands at a path of a row. */
static const json_t *value_at(const weft_config_file *c, const char *path)
{
    return !*path || is_replaced(c, path) ? NULL : at_path(place_of(c, path), path); /* "": of no file */
}

typedef struct found {
    const json_t *v;            /* NULL: absent */
    const char *path;           /* where it is, or would be */
    const weft__config_key *row; /* NULL: none */
} found;

/* Where the file has not a key: it itself, but what is asked for in a group would be in the file's. */
static const char *usual_path(const weft_config_file *c, const char *key, const weft__config_key *row)
{
    for (size_t k = 0; row && !c->spelled && strchr(key, '.') && k < WEFT__MAX_SPELLINGS && row->spelling[k]; k++)
        if (is_of_rope(row->spelling[k]) && !is_replaced(c, row->spelling[k])) return row->spelling[k];
    return key;
}

/* Whether a value of this row counts as being there. */
static bool counts(const weft__config_key *row, const json_t *v)
{
    return v && !(json_is_null(v) && (!row || (row->fallback == WEFT__NO_DEFAULT && !row->falsy)));
}

static found find(const weft_config_file *c, const char *key)
{
    found f = { .row = row_of(c, key) };
    f.path = usual_path(c, key, f.row);
    const char *const own[] = { key, NULL };
    if (!f.row && !c->spelled && !strncmp(key, "rope.", 5))
        f.v = at_path(json_object_get(c->text, rope_group(c)), key + 5);
    if (!counts(f.row, f.v)) f.v = NULL;
    const char *const *spelling = f.row && f.row->spelling[0] && !c->spelled ? f.row->spelling : own;
    for (size_t k = 0; !f.v && k < WEFT__MAX_SPELLINGS && spelling[k]; k++) {
        const json_t *v = value_at(c, spelling[k]);
        if (!counts(f.row, v)) continue;
        f.v = v;
        f.path = spelling[k];
        break;
    }
    return f;
}

static bool as_number(const json_t *v, double *out)
{
    if (weft__json_number(v, out)) return true;
    *out = json_is_true(v);
    return json_is_boolean(v);
}

/* null, and the class takes it. */
static bool says_none(const found *f)
{
    return f->v && f->row && f->row->nullable && json_is_null(f->v);
}

void weft__config_replace(weft_config_file *c, const char *key, double value, const char *source)
{
    c->replaced = key;
    c->replaced_by = source;
    c->replacement = value;
}

int weft_config_file_number(const weft_config_file *c, const char *key, double *out)
{
    found f = find(c, key);
    *out = 0;
    if (c->replaced && strcmp(key, c->replaced) == 0) {
        *out = c->replacement;
        return 1;
    }
    const json_t *labels = json_object_get(c->root, "id2label");
    if (strcmp(key, "num_labels") == 0 && json_is_object(labels)) {
        *out = (double)json_object_size(labels);
        return 1;
    }
    if (says_none(&f)) return 0;
    if (f.v && f.row && f.row->falsy && json_is_null(f.v)) return 1; /* 0 */
    if (f.v) return as_number(f.v, out) ? 1 : -1;
    if (!f.row || f.row->fallback == WEFT__NO_DEFAULT) return 0;
    *out = f.row->number;
    return f.row->fallback == WEFT__DEFAULT_NUMBER ? 1 : -1;
}

int weft_config_file_text(const weft_config_file *c, const char *key, const char **out)
{
    found f = find(c, key);
    *out = NULL;
    if (says_none(&f)) return 0;
    if (f.v) {
        if (!json_is_string(f.v)) return -1;
        *out = json_string_value(f.v);
        return 1;
    }
    if (!f.row || f.row->fallback == WEFT__NO_DEFAULT) return 0;
    *out = f.row->text;
    return *out ? 1 : -1;
}

/* What the file calls what stands at a path. */
static const char *word_of(const weft_config_file *c, const char *path)
{
    const char *own = json_string_value(json_object_get(c->spelled, path));
    return own ? own : path;
}

const char *weft__config_spelling(const weft_config_file *c, const char *key)
{
    return word_of(c, find(c, key).path);
}

/* The file, and what of it a path starts from. */
static const char *origin_of(const weft_config_file *c, const char *path)
{
    return is_outside(c, path) ? c->origin : c->text_origin;
}

/* ---- token ids ---- */

static weft_status token_list(const char *origin, const char *key, const json_t *v, int32_t *out,
                              size_t max, size_t *n, weft_error *err)
{
    size_t count = json_is_array(v) ? json_array_size(v) : 1;
    if (json_is_null(v)) return WEFT_OK;
    for (size_t i = 0; i < count; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        double x;
        if (!weft__json_number(id, &x))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s holds %s that is no token id", origin, key,
                             weft__json_kind(id));
        if (!(x <= INT32_MAX) || x != floor(x))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s holds %g, which is no token id", origin, key, x);
        if (x < 0) continue;
        if (*n == max)
            return WEFT_FAIL(err, WEFT_LIMIT, "%s: %s lists %zu ids, more than %zu", origin, key,
                             count, max);
        out[(*n)++] = (int32_t)x;
    }
    return WEFT_OK;
}

weft_status weft_config_file_tokens(const weft_config_file *c, const char *key, int32_t *out,
                                   size_t max, size_t *n, weft_error *err)
{
    *n = 0;
    const json_t *v = json_object_get(c->generation, key);
    if (v) return token_list(c->generation_origin, key, v, out, max, n, err);
    v = json_object_get(place_of(c, key), key);
    if (v) return token_list(origin_of(c, key), key, v, out, max, n, err);
    const weft__config_key *row = weft__config_key_find(&c->keys, key);
    if (row && row->fallback == WEFT__DEFAULT_NUMBER && max) {
        *out = (int32_t)row->number;
        *n = 1;
    }
    return WEFT_OK;
}

/* ---- where from ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *weft_config_file_source(const weft_config_file *c, const char *key,
                                   char buf[WEFT_CONFIG_SOURCE_SIZE])
{
    found f = find(c, key);
    size_t n = strlen(key);
    bool token = n > 9 && !strcmp(key + n - 9, "_token_id");
    const char *file = base_name(origin_of(c, f.path));
    if (c->replaced && !strcmp(key, c->replaced))
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "%s", c->replaced_by);
    else if (token && json_object_get(c->generation, key))
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "%s", base_name(c->generation_origin));
    else if (!strcmp(key, "num_labels") && json_is_object(json_object_get(c->root, "id2label")))
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "%s: id2label", base_name(c->origin));
    else if (f.v && strcmp(word_of(c, f.path), key))
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "%s: %s", file, word_of(c, f.path));
    else if (f.v)
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "%s", file);
    else if (f.row && f.row->fallback != WEFT__NO_DEFAULT && c->keys.type)
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "default of %s", c->keys.type);
    else
        snprintf(buf, WEFT_CONFIG_SOURCE_SIZE, "default");
    return buf;
}

/* ---- reading ---- */

static bool same_value(const json_t *a, const json_t *b)
{
    double x, y;
    if (as_number(a, &x) && as_number(b, &y)) return x == y; /* 10000 and 10000.0 */
    return json_equal(a, b) == 1;
}

/* The same of a file's value and a type's default. */
static bool is_default(const weft__config_key *row, const json_t *v)
{
    double x;
    if (row->fallback == WEFT__DEFAULT_NUMBER) return as_number(v, &x) && x == row->number;
    return json_is_string(v) && row->text && !strcmp(json_string_value(v), row->text);
}

weft_status weft__config_warn(weft_config_file *c, weft_error *err, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (!weft__grow(&c->notes, &c->note_capacity, c->n_notes + 1, sizeof *c->notes) ||
        !(c->notes[c->n_notes] = weft__arena_strdup(&c->arena, text)))
        return WEFT_OOM_FAIL(err, c->origin);
    c->n_notes++;
    return WEFT_OK;
}

/* Compares the other spellings of a key with the one that counts. */
static weft_status compare_spellings(weft_config_file *c, const weft__config_key *row, weft_error *err)
{
    found f = find(c, row->key);
    for (size_t k = 0; f.v && k < WEFT__MAX_SPELLINGS && row->spelling[k]; k++) {
        const json_t *v = value_at(c, row->spelling[k]);
        if (!v || json_is_null(v) || same_value(f.v, v)) continue;
        WEFT_TRY(weft__config_warn(c, err, "%s and %s differ; %s counts", f.path, row->spelling[k], f.path));
    }
    const json_t *unread = row->unread ? at_path(c->text, row->unread) : NULL;
    if (!unread || json_is_null(unread)) return WEFT_OK;
    if (f.v && !same_value(f.v, unread))
        return weft__config_warn(c, err, "%s and %s differ; %s counts", f.path, row->unread, f.path);
    if (!f.v && !is_default(row, unread))
        return weft__config_warn(c, err, "%s is not read for %s; the default counts", row->unread,
                    c->keys.type);
    return WEFT_OK;
}

static weft_status find_contradictions(weft_config_file *c, weft_error *err)
{
    const weft__config_key *row;
    const json_t *a = json_object_get(c->text, "rope_scaling");
    const json_t *b = json_object_get(c->text, "rope_parameters");
    if (is_true(a) && is_true(b) && json_equal(a, b) != 1)
        WEFT_TRY(weft__config_warn(c, err, "rope_scaling and rope_parameters differ; rope_scaling counts alone"));
    for (size_t i = 0; (row = weft__config_key_at(&c->keys, i)); i++)
        WEFT_TRY(compare_spellings(c, row, err));
    if (find(c, "rope.factor").v && !find(c, "rope_type").v)
        return weft__config_warn(c, err, "%s names no rope_type; its factor is ignored", rope_group(c));
    return WEFT_OK;
}

static weft_status read_texts(weft_config_file *c, const char *text, size_t n, const char *generation,
                              size_t n_generation, weft_error *err)
{
    char twice[WEFT__QUOTE_SIZE];
    WEFT_TRY(weft__json_parse_lenient(text, n, c->origin, &c->root, twice, err));
    if (*twice)
        WEFT_TRY(weft__config_warn(c, err, "the key \"%s\" stands twice in %s; the last counts", twice, c->origin));
    if (generation)
        WEFT_TRY(weft__json_parse_lenient(generation, n_generation, c->generation_origin, &c->generation,
                                          twice, err));
    if (*twice && generation)
        WEFT_TRY(weft__config_warn(c, err, "the key \"%s\" stands twice in %s; the last counts", twice,
                      c->generation_origin));
    return WEFT_OK;
}

static weft_status enter_text_config(weft_config_file *c, weft_error *err)
{
    static const char inside[] = ": text_config";
    size_t n = strlen(c->origin);
    char *origin = weft__arena_alloc(&c->arena, n + sizeof inside, 1);
    if (!origin) return WEFT_OOM_FAIL(err, c->origin);
    memcpy(origin, c->origin, n);
    memcpy(origin + n, inside, sizeof inside);
    c->text_origin = origin;
    c->text = json_object_get(c->root, "text_config");
    if (!json_is_object(c->text)) c->text = NULL;
    return WEFT_OK;
}

weft_status weft__config_take_keys(weft_config_file *c, const weft__config_keys *keys, weft_error *err)
{
    c->keys = *keys;
    if (keys->wrap) WEFT_TRY(enter_text_config(c, err));
    return c->spelled ? WEFT_OK : find_contradictions(c, err);
}

/* Empty; it names generation_config.json beside `origin`. */
static weft_config_file *create(const char *origin)
{
    static const char name[] = "generation_config.json";
    weft_config_file *c = calloc(1, sizeof *c);
    size_t folder = (size_t)(base_name(origin) - origin);
    char *path = c ? weft__arena_alloc(&c->arena, folder + sizeof name, 1) : NULL;
    if (!path || !(c->origin = weft__arena_strdup(&c->arena, origin))) {
        weft_config_file_close(c);
        return NULL;
    }
    memcpy(path, origin, folder);
    memcpy(path + folder, name, sizeof name);
    c->generation_origin = path;
    c->text_origin = c->origin;
    return c;
}

weft_status weft__config_parse(const char *text, size_t n, const char *generation, size_t n_generation,
                               const char *origin, weft_config_file **out, weft_error *err)
{
    *out = NULL;
    weft_config_file *c = create(origin);
    if (!c) return WEFT_OOM_FAIL(err, origin);
    weft_status s = read_texts(c, text, n, generation, n_generation, err);
    if (s != WEFT_OK) {
        weft_config_file_close(c);
        return s;
    }
    c->text = c->root;
    *out = c;
    return WEFT_OK;
}

weft_status weft__config_from_tree(json_t *tree, json_t *spelled, const char *origin, weft_config_file **out,
                                   weft_error *err)
{
    *out = create(origin);
    if (!*out) {
        json_decref(tree);
        json_decref(spelled);
        return WEFT_OOM_FAIL(err, origin);
    }
    (*out)->text = (*out)->root = tree;
    (*out)->spelled = spelled;
    return WEFT_OK;
}

void weft_config_file_close(weft_config_file *c)
{
    if (!c) return;
    json_decref(c->root);
    json_decref(c->generation);
    json_decref(c->spelled);
    free(c->notes);
    weft__arena_free(&c->arena);
    free(c);
}

/* ---- what a model definition sees ---- */

/* What a definition asks for by name is for it to judge; but a group that is none would look like an absent one. */
static weft_status check_rope(const weft_config_file *c, weft_error *err)
{
    const char *type, *group = rope_group(c);
    const json_t *v = json_object_get(c->text, group);
    if (v && !json_is_object(v) && !json_is_null(v))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s is %s, not an object", c->text_origin, group,
                         weft__json_kind(v));
    if (weft_config_file_text(c, "rope_type", &type) < 0)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s is not a string", c->text_origin,
                         weft__config_spelling(c, "rope_type"));
    return WEFT_OK;
}

uint32_t weft__config_context_limit(const weft_config_file *c)
{
    const char *type;
    double n;
    if (weft_config_file_text(c, "rope_type", &type) != 1 || strcmp(type, "dynamic") != 0) return 0;
    if (weft_config_file_number(c, "max_position_embeddings", &n) != 1 || !(n >= 1)) return 0;
    return n <= UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static int view_number(const void *ctx, const char *key, double *out)
{
    return weft_config_file_number(ctx, key, out);
}

static int view_text(const void *ctx, const char *key, const char **out)
{
    return weft_config_file_text(ctx, key, out);
}

static const char *view_spelling(const void *ctx, const char *key)
{
    return weft__config_spelling(ctx, key);
}

weft_config weft__config_view_unchecked(const weft_config_file *c)
{
    return (weft_config){ .ctx = c, .number = view_number, .text = view_text, .origin = c->text_origin,
                          .spelling = view_spelling };
}

weft_status weft_config_file_view(const weft_config_file *c, weft_config *out, weft_error *err)
{
    char quoted[WEFT__QUOTE_SIZE];
    const char *method;
    *out = (weft_config){ 0 };
    if (find(c, "quantization_config").v) {
        weft_config_file_text(c, "quantization_config.quant_method", &method);
        return WEFT_FAIL(err, WEFT_UNSUPPORTED,
                         "%s: checkpoints quantised by \"%s\" are not supported", c->origin,
                         weft__quote(quoted, method ? method : "?"));
    }
    if (!c->text)
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: text_config is %s, not an object", c->origin,
                         weft__json_kind(json_object_get(c->root, "text_config")));
    WEFT_TRY(check_rope(c, err));
    *out = weft__config_view_unchecked(c);
    return WEFT_OK;
}

const char *weft__config_origin(const weft_config_file *c)
{
    return c->origin;
}

const char *weft_config_file_note(const weft_config_file *c, size_t i)
{
    return i < c->n_notes ? c->notes[i] : NULL;
}
