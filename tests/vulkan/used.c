/* used.c: see used.h. */
#include "tests/vulkan/used.h"

#include "backends/program.h"
#include "models/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one program ---- */

static bool same_key(const vk_pipeline_key *a, const vk_pipeline_key *b)
{
    return a->shader == b->shader && a->subgroup == b->subgroup && a->n_specs == b->n_specs &&
           !memcmp(a->spec, b->spec, a->n_specs * sizeof *a->spec);
}

static weft_status add(used_list *l, const gpu_launch *launch, const char *kernel, const char *where, weft_error *err)
{
    vk_pipeline_key key = { .shader = launch->shader, .subgroup = launch->subgroup, .n_specs = launch->n_specs };
    memcpy(key.spec, launch->spec, sizeof key.spec);
    for (size_t i = 0; i < l->n; i++)
        if (same_key(&l->items[i].key, &key)) return WEFT_OK;
    if (!weft__grow(&l->items, &l->cap, l->n + 1, sizeof *l->items)) return WEFT_OOM_FAIL(err, "pipelines");
    used_pipeline *u = &l->items[l->n++];
    *u = (used_pipeline){ .key = key };
    snprintf(u->kernel, sizeof u->kernel, "%s", kernel);
    snprintf(u->where, sizeof u->where, "%s", where);
    for (uint32_t i = 0, at = 0; i < key.n_specs && at < sizeof u->constants; i++)
        at += (uint32_t)snprintf(u->constants + at, sizeof u->constants - at, "%s%u", i ? " " : "", key.spec[i]);
    return WEFT_OK;
}

/* A kernel's name in the table; a later launch by another shader has the shader's: "attention_tile/f16" and
 * "attention_alone/f16". */
static void name_launch(const char *kernel, const gpu_launch *first, const gpu_launch *launch, char *out, size_t size)
{
    const char *type = strchr(kernel, '/');
    if (launch->shader == first->shader) snprintf(out, size, "%s", kernel);
    else snprintf(out, size, "%s%s", weft__shaders[launch->shader].name, type ? type : "");
}

static weft_status add_program(used_list *l, const weft_program *p, const char *where, weft_error *err)
{
    weft_exec e = { .vk = (vk_backend *)p->devices[0],
                    .desc = { .g = p->s->g, .plan = p->s->plan, .choices = p->s->choices, .layouts = p->s->layouts,
                              .bounds = p->s->bounds, .exact = p->s->exact } };
    for (uint32_t i = 0; i < p->s->plan->n_steps; i++) {
        const weft_node *n = weft_graph_node_by_id(p->s->g, p->s->plan->steps[i].node);
        const weft_kernel_choice *c = &p->s->choices[n->id];
        const gpu_kernel *k = c->kernel;
        vk_located here;
        vk_locate(&e, n, &here);
        gpu_launch first = { 0 };
        k->launch(&here.call, 0, &first);
        for (uint32_t j = 0, count = k->launches ? k->launches(&here.call) : 1; j < count; j++) {
            gpu_launch launch = { 0 };
            char name[sizeof l->items->kernel];
            k->launch(&here.call, j, &launch);
            name_launch(c->name, &first, &launch, name, sizeof name);
            WEFT_TRY(add(l, &launch, name, where, err));
        }
    }
    return WEFT_OK;
}

/* ---- models ---- */

typedef struct way { weft_dtype weights, kv; bool exact; uint32_t candidates; } way; /* of running a model */

static weft_status add_bound(used_list *l, weft_backend *b, const weft_graph *g, const way *w, const char *name,
                             uint32_t tokens, weft_error *err)
{
    static const char *const outputs[] = { "logits", "candidate.id", "candidate.logit" };
    char where[64];
    weft_program *p;
    const weft_bound bounds[] = { { "tokens", tokens }, { "rows", tokens < 8 ? tokens : 8 } };
    const weft_program_desc d = { .devices = &b, .n_devices = 1, .bounds = bounds, .n_bounds = 2, .outputs = outputs,
                                  .n_outputs = w->candidates > 1 ? 3 : 2, .strict = true, .exact = w->exact };
    WEFT_TRY(weft_program_create(g, &d, &p, err));
    snprintf(where, sizeof where, "%s, %u token%s", name, tokens, tokens > 1 ? "s" : "");
    weft_status s = add_program(l, p, where, err);
    weft_program_destroy(p);
    return s;
}

static weft_status add_way(used_list *l, weft_backend *b, const weft_model *m, const way *w, const char *name,
                           weft_error *err)
{
    static const uint32_t tokens[] = { 1, 8, 512 };
    const weft_model_graph_desc d = { .weights = w->weights, .kv = w->kv, .candidates = w->candidates };
    weft_graph *g;
    WEFT_TRY(weft_model_graph(m, &d, &g, err));
    weft_status s = WEFT_OK;
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens && !s; i++) s = add_bound(l, b, g, w, name, tokens[i], err);
    weft_graph_destroy(g);
    return s;
}

static weft_status add_model(used_list *l, weft_backend *b, const char *name, weft_error *err)
{
    static const way ways[] = { { .weights = WEFT_F16, .candidates = 1 },  { .weights = WEFT_F16, .candidates = 40 },
                                { .weights = WEFT_BF16, .candidates = 1 }, { .weights = WEFT_Q8_0, .candidates = 1 },
                                { .weights = WEFT_Q4_0, .candidates = 1 }, { .weights = WEFT_Q4_K, .candidates = 1 },
                                { .weights = WEFT_Q6_K, .candidates = 1 }, { .weights = WEFT_F32, .candidates = 1 },
                                { .weights = WEFT_F32, .kv = WEFT_F32, .exact = true, .candidates = 1 } };
    char path[512];
    weft_model *m;
    snprintf(path, sizeof path, WEFT_TEST_ROOT "/models/configs/%s.json", name);
    WEFT_TRY(weft_model_open(path, NULL, &m, err));
    weft_status s = WEFT_OK;
    for (size_t i = 0; i < sizeof ways / sizeof *ways && !s; i++) s = add_way(l, b, m, &ways[i], name, err);
    weft_model_close(m);
    return s;
}

/* ---- the self-test ---- */

static weft_status add_probe(used_list *l, weft_backend *b, const char *text, weft_error *err)
{
    weft_graph *g;
    weft_program *p = NULL;
    WEFT_TRY(weft_graph_parse(text, strlen(text), "probe", NULL, &g, err));
    weft_program_desc desc = { .devices = &b, .n_devices = 1, .as_built = true, .keep = true };
    weft_status s = weft__program_create_untested(g, &desc, &p, err);
    if (!s) s = add_program(l, p, "self-test", err);
    weft_program_destroy(p);
    weft_graph_destroy(g);
    return s;
}

weft_status used_collect(weft_backend *b, used_list *out, weft_error *err)
{
    static const char *const models[] = { "pythia-160m", "pythia-1.4b", "pythia-6.9b", "gpt-neox-20b" };
    const char *text;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) WEFT_TRY(add_model(out, b, models[i], err));
    for (uint32_t i = 0; (text = b->vt->probe(b, i)); i++) WEFT_TRY(add_probe(out, b, text, err));
    return WEFT_OK;
}
