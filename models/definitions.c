/* definitions.c: which architectures there are, the caller's before the library's own, and which one a configuration
 * names. */
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library's own take no context. */
typedef void plain_build(weft_graph *g, const weft_config *c, const weft_model_inputs *in);
#define WEFT_MODEL(architecture, type, head, build)                                                      \
    plain_build build;                                                                                   \
    static void build##_row(weft_graph *g, const weft_config *c, const weft_model_inputs *in, void *ctx) \
    {                                                                                                    \
        (void)ctx;                                                                                       \
        build(g, c, in);                                                                                 \
    }
#include "models/models.def"
#undef WEFT_MODEL

static const weft_model_definition built_in[] = {
#define WEFT_MODEL(architecture, type, head, build) { architecture, type, WEFT_HEAD_##head, build##_row, NULL },
#include "models/models.def"
#undef WEFT_MODEL
};
enum { N_BUILT_IN = sizeof built_in / sizeof *built_in };

/* NULL past the end. */
static const weft_model_definition *definition_at(const weft_model *m, uint32_t i)
{
    if (i < m->n_own) return &m->own[i];
    return i - m->n_own < N_BUILT_IN ? &built_in[i - m->n_own] : NULL;
}

static weft_status check(const weft_model_definition *d, weft_error *err)
{
    if (!d->architecture || !*d->architecture || !d->build)
        return WEFT_FAIL(err, WEFT_INVALID, "a model definition needs an architecture's name and a build function");
    return WEFT_OK;
}

weft_status weft__take_definitions(weft_model *m, const weft_model_desc *desc, weft_error *err)
{
    uint32_t n = desc->graph ? 1 : desc->n_definitions;
    const weft_model_definition *list = desc->graph ? desc->graph : desc->definitions;
    for (uint32_t i = 0; i < n; i++) WEFT_TRY(check(&list[i], err));
    m->own = malloc(n * sizeof *m->own + 1);
    if (!m->own) return WEFT_OOM_FAIL(err, "model definitions");
    if (n) memcpy(m->own, list, n * sizeof *list);
    m->n_own = n;
    m->graph_alone = desc->graph != NULL;
    return WEFT_OK;
}

/* "A, B, C", each once; what does not fit is left out. */
static void list_architectures(const weft_model *m, char *out, size_t size)
{
    size_t n = 0;
    const weft_model_definition *d;
    for (uint32_t i = 0; (d = definition_at(m, i)) && n < size; i++) {
        int more = snprintf(out + n, size - n, "%s%s", i ? ", " : "", d->architecture);
        if (more > 0) n += (size_t)more;
    }
}

static weft_status unknown(const weft_model *m, const char *name, weft_error *err)
{
    char known[512];
    if (!name)
        return WEFT_FAIL(err, WEFT_FORMAT,
                         "%s: no configuration of a model: neither 'architectures' nor 'model_type' says which it is; "
                         "give the folder, or its config.json",
                         m->config.origin);
    list_architectures(m, known, sizeof known);
    return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: architecture '%.100s' is not known; known are %s", m->config.origin,
                     name, known);
}

/* The caller's may leave the type open. */
static bool is_of_type(const weft_model_definition *d, const char *type)
{
    return d->type && !strcmp(d->type, type);
}

weft_status weft__find_definition(weft_model *m, weft_error *err)
{
    const char *name = NULL, *type = NULL;
    const weft_model_definition *d;
    if (weft_config_file_text(m->hf, "architectures.0", &name) != 1) name = NULL;
    if (weft_config_file_text(m->hf, "model_type", &type) != 1) type = NULL;
    for (uint32_t i = 0; (d = definition_at(m, i)); i++) {
        bool match = m->graph_alone || (name ? !strcmp(name, d->architecture) : type && is_of_type(d, type));
        if (!match) continue;
        if (!m->graph_alone && type && d->type && !is_of_type(d, type))
            return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: architecture '%s' is of model_type '%s', not '%.100s'",
                             m->config.origin, name, d->type, type);
        m->definition = d;
        m->info.head = d->head;
        return WEFT_OK;
    }
    return unknown(m, name ? name : type, err);
}

const weft_model_definition *weft__definition_of_head(const weft_model *m, weft_head head)
{
    for (size_t i = 0; i < N_BUILT_IN && !weft__is_own_definition(m); i++)
        if (!strcmp(built_in[i].type, m->definition->type) && built_in[i].head == head) return &built_in[i];
    return NULL;
}
