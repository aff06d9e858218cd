/* flat.c: texts of version 1, which are graphs written out: a statement per extent, node and output, and every id as it
 * stands. */
#include "graph/attr.h"
#include "graph/text/run.h"

#include <string.h>

/* A graph that passes have worked on numbers its values with gaps; the arrays by id must still not outgrow the text. */
static uint32_t max_id(const weft__run *r)
{
    return r->t->size < UINT32_MAX / 2 ? 65535 + (uint32_t)r->t->size : UINT32_MAX / 2;
}

/* A value's name is its id. */
static weft_status read_id(weft__run *r, const weft__ident *name, uint32_t *out)
{
    uint64_t x = 0;
    const char *at = name->at ? name->at + 1 : NULL; /* behind the % */
    for (const char *c = name->text; *c; c++) {
        if (*c < '0' || *c > '9') return weft__run_fail(r, at, WEFT_FORMAT, "expected a number");
        if (x <= UINT32_MAX) x = 10 * x + (uint64_t)(*c - '0');
    }
    *out = (uint32_t)x;
    return x >= 1 && x <= max_id(r) ? WEFT_OK : weft__run_fail(r, at, WEFT_FORMAT, "the number is out of range");
}

static weft_status flat_extent(weft__run *r, const weft__stmt *s)
{
    int64_t bound;
    uint32_t extent, before = r->g->n_extents;
    WEFT_TRY(weft__eval_whole(r, s->value, 1, UINT32_MAX, &bound));
    weft_status status = weft__graph_add_extent(r->g, s->name.text, (uint32_t)bound, &extent, r->err);
    if (status != WEFT_OK) return weft__run_locate(r, s->name.at, status);
    if (r->g->n_extents > before) return WEFT_OK;
    return weft__run_fail(r, s->name.at, WEFT_FORMAT, "given twice: extent '%s'", s->name.text);
}

static weft_status flat_output(weft__run *r, const weft__stmt *s)
{
    weft_ref ref;
    const char *name;
    WEFT_TRY(read_id(r, &s->inputs[0], &ref.id));
    WEFT_TRY(weft__eval_text(r, s->label, &name));
    weft_status status = weft__graph_add_output(r->g, ref, name, r->err);
    return status == WEFT_OK ? status : weft__run_locate(r, s->label->at, status);
}

static bool set_origins(weft__run *r, const weft__stmt *s, weft_node *n)
{
    uint32_t *ids = weft__arena_alloc(&r->g->arena, s->n_origins, sizeof *ids);
    if (!ids) return false;
    memcpy(ids, s->origins, s->n_origins * sizeof *ids);
    n->origin = ids;
    n->n_origin = s->n_origins;
    return true;
}

/* The ids of the node, its results and its inputs. */
static weft_status read_ids(weft__run *r, const weft__stmt *s, weft__line *l, weft_ref *in)
{
    if (s->n_inputs > WEFT_MAX_INPUTS)
        return weft__run_fail(r, s->inputs[WEFT_MAX_INPUTS].at, WEFT_FORMAT, "too many inputs");
    for (uint32_t i = 0; i < s->n_results; i++) WEFT_TRY(read_id(r, &s->results[i], &l->d.value_id[i]));
    for (uint32_t i = 0; i < s->n_inputs; i++) WEFT_TRY(read_id(r, &s->inputs[i], &in[i].id));
    l->d.in = in;
    l->d.n_in = s->n_inputs;
    l->d.node_id = s->node_id ? s->node_id : l->d.value_id[0];
    if (l->d.node_id > max_id(r)) return weft__run_fail(r, s->at, WEFT_FORMAT, "node: the number is out of range");
    return s->scope ? weft__eval_text(r, s->scope, &l->d.scope) : WEFT_OK;
}

static weft_status flat_node(weft__run *r, const weft__stmt *s)
{
    weft__line l;
    weft_ref in[WEFT_MAX_INPUTS], out[WEFT_MAX_OUTPUTS];
    weft_op op;
    weft_status status = WEFT_OK;
    if (!weft__op_parse(s->word.text, &op)) return weft__node_unknown(r, s);
    WEFT_TRY(weft__line_read(r, s, op, &l));
    WEFT_TRY(read_ids(r, s, &l, in));
    if (op == WEFT_OP_weight) status = weft__graph_weight_dtype(r->g, l.d.name, &l.d.dtype, r->err);
    if (status != WEFT_OK) return weft__run_locate(r, s->at, status);
    weft_node *n = weft__graph_make(r->g, &l.d, r->err);
    if (!n) return weft__run_locate(r, s->at, r->err->status);
    if (s->n_origins && !set_origins(r, s, n)) return WEFT_OOM_FAIL(r->err, "origins");
    memcpy(out, n->out, sizeof out);
    if (l.dtype[0] == WEFT_ANY) l.dtype[0] = l.d.dtype;
    WEFT_TRY(weft__node_made(r, s, out[0]));
    return weft__line_compare(r, s, &l, out);
}

static weft_status run_flat(weft__run *r, const weft__stmt *s)
{
    weft__heap_mark mark = weft__heap_at(&r->heap);
    if (s->kind == STMT_NODE && r->nodes++ == WEFT__TEXT_NODES)
        return weft__run_fail(r, s->at, WEFT_LIMIT, "the text makes more than %d nodes", (int)WEFT__TEXT_NODES);
    WEFT_TRY(s->kind == STMT_EXTENT ? flat_extent(r, s) : s->kind == STMT_OUTPUT ? flat_output(r, s) : flat_node(r, s));
    weft__heap_release(&r->heap, mark);
    return WEFT_OK;
}

weft_status weft__run_flat(weft__run *r)
{
    for (const weft__stmt *s = r->t->body; s; s = s->next) WEFT_TRY(run_flat(r, s));
    return WEFT_OK;
}
