/* expand.c: the statements of a text run, first to be counted, then to make nodes (run.h). */
#include "graph/text/run.h"

#include <stdlib.h>
#include <string.h>

/* ---- statements ---- */

static weft_status run_body(weft__run *r, const weft__stmt *first);

static weft_status run_none(weft__run *r, const weft__stmt *s)
{
    (void)r;
    (void)s;
    return WEFT_OK;
}

static weft_status run_let(weft__run *r, const weft__stmt *s)
{
    weft__datum d;
    WEFT_TRY(weft__eval(r, s->value, &d));
    return weft__run_bind(r, &s->name, &d);
}

/* The extent's number in the graph, which it will have when it is made. An extent that the graph had is taken. */
static weft_status run_extent(weft__run *r, const weft__stmt *s)
{
    int64_t bound;
    uint32_t extent = 0;
    WEFT_TRY(weft__eval_whole(r, s->value, 1, UINT32_MAX, &bound));
    for (uint32_t i = 0; i < r->first_extent && !extent; i++)
        if (!strcmp(r->g->extents[i].name, s->name.text)) extent = i + 1;
    if (!extent && r->counting)
        extent = r->first_extent + ++r->n_extents;
    else if (!extent && weft__graph_add_extent(r->g, s->name.text, (uint32_t)bound, &extent, r->err) != WEFT_OK)
        return weft__run_locate(r, s->name.at, r->err->status);
    return weft__run_bind(r, &s->name, &(weft__datum){ .kind = DATUM_DIM, .dim = { 1, extent } });
}

/* A block of the text; *found false: there is none of this name. */
static weft_status run_call(weft__run *r, const weft__stmt *s, const weft_ref *in, weft_ref *out, bool *found)
{
    const weft__stmt *block;
    WEFT_TRY(weft__block_enter(r, s, in, &block));
    *found = block != NULL;
    if (!block) return WEFT_OK;
    WEFT_TRY(run_body(r, block->body));
    return weft__block_leave(r, out);
}

/* The text's blocks count before the caller's, and these before ops: a text stays what it is if an op comes to be
 * called as one of its blocks is. */
static weft_status run_node(weft__run *r, const weft__stmt *s)
{
    weft_ref in[WEFT_MAX_INPUTS] = { { 0 } }, out[WEFT_MAX_INPUTS] = { { 0 } };
    bool found;
    if (!r->counting) WEFT_TRY(weft__node_inputs(r, s, in));
    if (!s->word.text) return r->counting ? WEFT_OK : weft__node_rename(r, s, in);
    WEFT_TRY(run_call(r, s, in, out, &found));
    if (r->counting) return found ? WEFT_OK : weft__node_count(r, s);
    if (!found) WEFT_TRY(weft__host_make(r, s, in, out, &found));
    WEFT_TRY(found ? weft__node_compare(r, s, out) : weft__node_make(r, s, in, out));
    return weft__node_bind(r, s, out);
}

static weft_status run_output(weft__run *r, const weft__stmt *s)
{
    const char *name;
    weft_ref ref;
    if (r->counting) return WEFT_OK;
    WEFT_TRY(weft__run_value(r, &s->inputs[0], &ref));
    WEFT_TRY(weft__eval_text(r, s->label, &name));
    weft_status status = weft__graph_add_output(r->g, ref, name, r->err);
    return status == WEFT_OK ? status : weft__run_locate(r, s->label->at, status);
}

static weft_status run_scope(weft__run *r, const weft__stmt *s)
{
    const char *name;
    if (r->counting) return run_body(r, s->body);
    WEFT_TRY(weft__eval_text(r, s->label, &name));
    weft_scope_begin(r->g, "%s", name);
    WEFT_TRY(weft__run_sticky(r, s->label->at));
    WEFT_TRY(run_body(r, s->body));
    weft_scope_end(r->g, (weft_ref){ 0 });
    return WEFT_OK;
}

static weft_status run_if(weft__run *r, const weft__stmt *s)
{
    for (bool yes;;) {
        WEFT_TRY(weft__eval_truth(r, s->value, &yes));
        if (yes) return run_body(r, s->body);
        if (!s->other) return WEFT_OK;
        bool chained = s->other->kind == STMT_IF && !s->other->next; /* else if: as long as it likes */
        if (!chained) return run_body(r, s->other);
        s = s->other;
    }
}

static weft_status count_statement(weft__run *r, const weft__stmt *s)
{
    if (r->statements++ < WEFT__TEXT_STATEMENTS) return WEFT_OK;
    return weft__run_fail(r, s->at, WEFT_LIMIT, "the text runs more than %d statements", (int)WEFT__TEXT_STATEMENTS);
}

/* The counter's name is known while the repeat runs. */
static weft_status run_repeat(weft__run *r, const weft__stmt *s)
{
    int64_t lo, hi;
    WEFT_TRY(weft__eval_whole(r, s->lo, INT64_MIN, INT64_MAX, &lo));
    WEFT_TRY(weft__eval_whole(r, s->hi, INT64_MIN, INT64_MAX, &hi));
    weft__frame *f = weft__run_frame(r);
    weft__datum at = weft__whole(lo);
    WEFT_TRY(weft__run_bind(r, &s->name, &at));
    uint32_t place = r->bound[r->n_bound - 1];
    f->names.entries[place].global = false;
    weft__counter *counter = &r->counters[r->n_counters++];
    for (; at.whole < hi && !f->returned; at.whole++) {
        *counter = (weft__counter){ s->name.text, at.whole };
        f->names.entries[place].datum = at;
        WEFT_TRY(count_statement(r, s));
        WEFT_TRY(run_body(r, s->body));
    }
    r->n_counters--;
    f->names.entries[place].bound = false;
    r->n_bound--;
    return WEFT_OK;
}

static weft_status run_return(weft__run *r, const weft__stmt *s)
{
    weft__frame *f = weft__run_frame(r);
    f->returned = true;
    if (r->counting) return WEFT_OK;
    f->n_out = s->n_inputs;
    return weft__node_inputs(r, s, f->out);
}

static weft_status run_fail(weft__run *r, const weft__stmt *s)
{
    const char *text;
    WEFT_TRY(weft__eval_text(r, s->label, &text));
    return weft__run_fail(r, s->at, WEFT_UNSUPPORTED, "%s", text);
}

/* ---- bodies ---- */

/* What a statement takes besides what it binds is given back at its end. */
static weft_status run_statement(weft__run *r, const weft__stmt *s)
{
    static weft_status (*const of_kind[STMT_KINDS])(weft__run *, const weft__stmt *) = {
        [STMT_MODEL] = run_none,           [STMT_FILES] = run_none,     [STMT_PARAM] = weft__run_param,
        [STMT_REQUIRE] = weft__run_require, [STMT_LET] = run_let,        [STMT_EXTENT] = run_extent,
        [STMT_NODE] = run_node,            [STMT_OUTPUT] = run_output,  [STMT_SCOPE] = run_scope,
        [STMT_REPEAT] = run_repeat,        [STMT_IF] = run_if,          [STMT_BLOCK] = weft__run_block,
        [STMT_RETURN] = run_return,        [STMT_FAIL] = run_fail,
    };
    bool keeps = s->kind == STMT_LET || s->kind == STMT_BLOCK;
    weft__heap_mark mark = weft__heap_at(&r->heap);
    WEFT_TRY(count_statement(r, s));
    WEFT_TRY(of_kind[s->kind](r, s));
    if (!keeps) weft__heap_release(&r->heap, mark);
    return WEFT_OK;
}

static weft_status run_statements(weft__run *r, const weft__stmt *first)
{
    const weft__frame *f = weft__run_frame(r);
    for (const weft__stmt *s = first; s && !f->returned; s = s->next) WEFT_TRY(run_statement(r, s));
    return WEFT_OK;
}

static weft_status run_body(weft__run *r, const weft__stmt *first)
{
    if (r->bodies == WEFT__TEXT_BODIES)
        return weft__run_fail(r, first ? first->at : NULL, WEFT_LIMIT, "bodies are nested too deep");
    weft__frame *f = weft__run_frame(r);
    uint32_t bound = r->n_bound;
    weft__heap_mark mark = weft__heap_at(&r->heap);
    r->bodies++;
    WEFT_TRY(run_statements(r, first));
    r->bodies--;
    while (r->n_bound > bound) f->names.entries[r->bound[--r->n_bound]].bound = false;
    weft__heap_release(&r->heap, mark);
    return WEFT_OK;
}

/* ---- the two runs ---- */

static weft_status run_once(weft__run *r, bool counting)
{
    r->counting = counting;
    r->statements = r->nodes = r->steps = r->n_extents = r->n_bound = r->next_param = 0;
    r->bodies = 1;
    r->depth = 0;
    weft__names_clear(&r->frames[0]->names);
    weft__names_clear(&r->blocks);
    weft__heap_release(&r->heap, (weft__heap_mark){ NULL, 0 });
    WEFT_TRY(run_statements(r, r->t->body));
    return counting ? weft__run_params_used(r) : WEFT_OK;
}

static weft_status run(weft__run *r)
{
    r->frames[0] = calloc(1, sizeof *r->frames[0]);
    r->param_used = weft__arena_alloc(&r->kept, r->desc->n_params, sizeof *r->param_used);
    if (!r->frames[0] || !r->param_used) return WEFT_OOM_FAIL(r->err, "a text's names");
    r->frames[0]->rank = UINT32_MAX;
    if (r->t->version == 1) return weft__run_flat(r);
    WEFT_TRY(run_once(r, true));
    return run_once(r, false);
}

static void end(weft__run *r)
{
    for (uint32_t i = 0; i <= WEFT__TEXT_BODIES && r->frames[i]; i++) {
        weft__names_free(&r->frames[i]->names);
        free(r->frames[i]);
    }
    weft__names_free(&r->blocks);
    weft__heap_free(&r->heap);
    weft__arena_free(&r->kept);
    free(r->params);
    free(r->bound);
    free(r->data);
}

weft_status weft_graph_text_build(const weft_graph_text *t, const weft_graph_text_desc *desc, weft_graph *g,
                                  weft_error *err)
{
    static const weft_graph_text_desc none;
    weft_error own;
    WEFT_TRY(weft__graph_broken(g, err));
    if (g->sealed) return WEFT_FAIL(err, WEFT_INVALID, "the graph is sealed");
    if (t->version == 1 && (g->n_order || g->n_extents))
        return WEFT_FAIL(err, WEFT_INVALID, "a text of version 1 has ids of its own, and the graph is not empty");
    weft__run r = { .t = t, .desc = desc ? desc : &none, .g = g, .err = &own };
    r.first_node = g->node_limit;
    r.first_order = g->n_order;
    r.first_extent = g->n_extents;
    weft_status s = run(&r);
    end(&r);
    if (s == WEFT_OK) return s;
    g->error = own;
    if (err) *err = own;
    return s;
}
