/* text.c: a graph's text as the definition of a model: what it says of names and heads is kept when it is read; it is
 * built with the inputs that a session has, and its parameters come from the model's configuration. */
#include "models/text.h"
#include "models/checkpoint/file.h"
#include "models/model_impl.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TEXT ((size_t)16 << 20)

/* ---- building ---- */

/* As a definition's function; ctx is the model. */
static void build(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx)
{
    const weft_model *m = ctx;
    weft__text_use use = { .m = m, .below = c, .in = in };
    const weft_graph_text_desc desc = { .config = &use.config, .undemanding = m->unconfigured,
                                        .params = m->text.params, .n_params = m->text.n_params,
                                        .blocks = weft__text_blocks, .n_blocks = weft__text_block_count,
                                        .made = weft__text_made, .ctx = &use };
    weft__text_use_begin(&use);
    (void)!weft_graph_text_build(m->text.tree, &desc, g, NULL); /* the graph keeps the error */
}

/* ---- what it says of files ---- */

static weft_status add_spelling(weft__text_names *t, const char *const *s)
{
    if (!weft__grow(&t->spellings, &t->spelling_cap, t->n_spellings + 1, sizeof *t->spellings)) return WEFT_OOM;
    t->spellings[t->n_spellings++] = (weft__spelling){ s[0], s[1] };
    return WEFT_OK;
}

static weft_status add_parts(weft__text_names *t, const char *const *s, uint32_t n)
{
    if (!weft__grow(&t->parts, &t->parts_cap, t->n_parts + 1, sizeof *t->parts)) return WEFT_OOM;
    t->parts[t->n_parts++] = (weft__parts){ s[0], { s[1], n > 2 ? s[2] : NULL } };
    return n > 2 && !strchr(s[1], '#') != !strchr(s[2], '#') ? WEFT_INVALID : WEFT_OK;
}

static weft_status add_transposed(weft__text_names *t, const char *end)
{
    if (!weft__grow(&t->transposed, &t->transposed_cap, t->n_transposed + 1, sizeof *t->transposed)) return WEFT_OOM;
    t->transposed[t->n_transposed++] = end;
    return WEFT_OK;
}

/* One statement; INVALID: with strings that it does not take. */
static weft_status add_names(weft__text_names *t, const char *word, const char *const *s, uint32_t n)
{
    if (!strcmp(word, "spelled") && n == 2) return add_spelling(t, s);
    if (!strcmp(word, "parts") && (n == 2 || n == 3)) return add_parts(t, s, n);
    if (!strcmp(word, "transposed") && n == 1) return add_transposed(t, s[0]);
    if (strcmp(word, "tied") || n != 2) return WEFT_INVALID;
    t->embed = s[0];
    t->head = s[1];
    return WEFT_OK;
}

static weft_status read_names(weft__model_text *t, weft_error *err)
{
    const char *word, *const *strings;
    uint32_t n;
    for (uint32_t i = 0; (word = weft_graph_text_files(t->tree, i, &strings, &n)); i++) {
        weft_status s = add_names(&t->names, word, strings, n);
        if (s == WEFT_OOM) return WEFT_OOM_FAIL(err, t->origin);
        if (s)
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: `files %s \"%.60s\"`: %u strings here do not say how files hold a "
                             "weight", t->origin, word, n ? strings[0] : "", n);
    }
    return WEFT_OK;
}

/* ---- taking one ---- */

static bool find_head(const char *word, weft_head *out)
{
    static const char *const words[] = { [WEFT_HEAD_LOGITS] = "logits", [WEFT_HEAD_NONE] = "none",
                                         [WEFT_HEAD_SEQUENCE] = "sequence", [WEFT_HEAD_TOKENS] = "tokens",
                                         [WEFT_HEAD_SPAN] = "span" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(word, words[i])) {
            *out = (weft_head)i;
            return true;
        }
    return false;
}

static weft_status read_definition(weft_model *m, weft_error *err)
{
    weft__model_text *t = &m->text;
    const char *head, *name = weft_graph_text_model(t->tree, &head);
    t->definition = (weft_model_definition){ .architecture = name && *name ? name : t->origin, .head = WEFT_HEAD_NONE,
                                             .build = build, .ctx = m };
    t->says_head = name && head;
    if (t->says_head && !find_head(head, &t->definition.head))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: no model has a head called '%s': it is one of logits, none, sequence, "
                         "tokens and span", t->origin, head);
    return read_names(t, err);
}

/* FNV-1a, going on from h. */
static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static weft_status take(weft_model *m, const char *text, size_t n, const char *origin, weft_error *err)
{
    weft__model_text *t = &m->text;
    t->hash = mix(t->hash, text, n);
    if (!(t->origin = weft__arena_strdup(&t->arena, origin))) return WEFT_OOM_FAIL(err, origin);
    WEFT_TRY(weft_graph_text_read(text, n, t->origin, &t->tree, err));
    if (weft_graph_text_version(t->tree) < 2)
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: a text of version 1 is one session's graph, with its bounds, its "
                         "pages and its cache's type; a model is a text of version 2", t->origin);
    return read_definition(m, err);
}

static weft_status take_params(weft__model_text *t, const weft_model_desc *desc, weft_error *err)
{
    const uint32_t n = desc->n_params;
    weft_graph_param *p = n ? weft__arena_alloc(&t->arena, n, sizeof *p) : NULL;
    if (n && !p) return WEFT_OOM_FAIL(err, "a model's parameters");
    for (uint32_t i = 0; i < n; i++) {
        p[i] = desc->params[i];
        if (!p[i].name) return WEFT_FAIL(err, WEFT_INVALID, "parameter %u has no name", i);
        const char *words = p[i].text ? p[i].text : "";
        t->hash = mix(t->hash, p[i].name, strlen(p[i].name) + 1);
        t->hash = mix(t->hash, words, strlen(words) + 1);
        if (!p[i].text) t->hash = mix(t->hash, &p[i].number, sizeof p[i].number);
        if (!(p[i].name = weft__arena_strdup(&t->arena, p[i].name)) ||
            (p[i].text && !(p[i].text = weft__arena_strdup(&t->arena, p[i].text))))
            return WEFT_OOM_FAIL(err, "a model's parameters");
    }
    t->params = p;
    t->n_params = n;
    return WEFT_OK;
}

weft_status weft__text_take(weft_model *m, const weft_model_desc *desc, weft_error *err)
{
    WEFT_TRY(take_params(&m->text, desc, err));
    if (desc->text && desc->graph)
        return WEFT_FAIL(err, WEFT_INVALID, "a model is a text or another definition, not both");
    if (!desc->text) return WEFT_OK;
    return take(m, desc->text, desc->n_text, desc->text_origin ? desc->text_origin : "graph", err);
}

char *weft__text_folder_path(const weft_model *m)
{
    return m->folder ? weft__path_join(m->folder, WEFT__TEXT_FILE) : NULL;
}

weft_status weft__text_take_folder(weft_model *m, bool *found, weft_error *err)
{
    char *text = NULL, *path = weft__text_folder_path(m);
    size_t n;
    *found = false;
    if (!path) return m->folder ? WEFT_OOM_FAIL(err, WEFT__TEXT_FILE) : WEFT_OK;
    weft_status s = WEFT_OK;
    if ((*found = weft__path_exists(path))) s = weft__file_read(path, MAX_TEXT, &text, &n, err);
    if (!s && *found) s = take(m, text, n, path, err);
    free(text);
    free(path);
    return s;
}

void weft__text_clear(weft__model_text *t)
{
    weft_graph_text_destroy(t->tree);
    free(t->names.spellings);
    free(t->names.parts);
    free(t->names.transposed);
    weft__arena_free(&t->arena);
    *t = (weft__model_text){ 0 };
}
