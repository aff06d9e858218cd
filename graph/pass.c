/* pass.c: the list of passes, and running them. */
#include "graph/pass.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 8 }; /* of one pass; each that exists reaches its fixed point in two or three */

/* In the default order: what simplifies first, then what counts readers. */
#define PASS_LIST(X) X(eval) X(fold) X(cse) X(dce) X(fuse_norm) X(fuse_linear) X(fuse_gate) X(fuse_reading) \
    X(fuse_rope)

static const struct {
    const char *name;
    weft__pass_fn *run;
} passes[] = {
#define X(name) { #name, weft__pass_##name },
    PASS_LIST(X)
#undef X
};

const char *const *weft_pass_names(uint32_t *n)
{
    static const char *const names[] = {
#define X(name) #name,
        PASS_LIST(X)
#undef X
    };
    *n = sizeof names / sizeof *names;
    return names;
}

static weft__pass_fn *find_pass(const char *name)
{
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        if (!strcmp(passes[i].name, name)) return passes[i].run;
    return NULL;
}

static weft_status run_pass(weft_graph *g, weft__pass_fn *run, weft_error *err)
{
    bool changed = true;
    for (int round = 0; changed && round < MAX_ROUNDS; round++) {
        changed = false;
        WEFT_TRY(run(g, &changed, err));
        if (!changed) break;
        WEFT_TRY(weft__graph_sort(g, err));
        WEFT_TRY(weft_graph_verify(g, err));
    }
    return WEFT_OK;
}

weft_status weft_graph_optimise(weft_graph *g, const char *const *names, uint32_t n, weft_error *err)
{
    weft_error unread;
    if (!err) err = &unread; /* passes return the status that a failed weft__graph_add left in it */
    WEFT_TRY(weft__graph_broken(g, err));
    if (!g->sealed) return WEFT_FAIL(err, WEFT_INVALID, "optimise: the graph is not sealed");
    if (!names) names = weft_pass_names(&n);
    for (uint32_t i = 0; i < n; i++)
        if (!find_pass(names[i])) return WEFT_FAIL(err, WEFT_NOT_FOUND, "no pass is called '%s'", names[i]);
    g->n_calls = 0;
    for (uint32_t i = 0; i < n; i++) {
        weft_status s = run_pass(g, find_pass(names[i]), err);
        if (s != WEFT_OK) return weft__annotate(err, s, "after pass %s", names[i]);
    }
    return WEFT_OK;
}
