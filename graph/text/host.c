/* host.c: the caller's blocks, which a text uses like ops. */
#include "graph/text/run.h"

#include <string.h>

static const weft_text_block *callers_block(const weft__run *r, const char *name)
{
    for (uint32_t i = 0; i < r->desc->n_blocks; i++)
        if (!strcmp(r->desc->blocks[i].name, name)) return &r->desc->blocks[i];
    return NULL;
}

static weft_status host_value(weft__run *r, const weft_text_attr *a, const weft__expr *e, weft_text_value *v)
{
    weft__datum d;
    v->given = true;
    switch (a->kind) {
    case WEFT_TEXT_WHOLE: return weft__eval_whole(r, e, INT64_MIN, INT64_MAX, &v->whole);
    case WEFT_TEXT_NUMBER: return weft__eval_number(r, e, &v->number);
    case WEFT_TEXT_TRUTH: return weft__field_whole(r, e, 0, 1, &v->whole);
    case WEFT_TEXT_ACT: return weft__field_act(r, e, &v->act);
    default:
        WEFT_TRY(weft__eval_word(r, e, &d));
        v->word = d.text;
        return d.kind == DATUM_WORD || d.kind == DATUM_TEXT ? WEFT_OK : weft__run_unfit(r, e, &d, "a word");
    }
}

static weft_status host_values(weft__run *r, const weft__stmt *s, const weft_text_block *b, weft_text_value *values)
{
    for (uint32_t i = 0; i < b->n_attrs; i++) values[i].word = "";
    for (uint32_t k = 0; k < s->n_attrs; k++) {
        const weft__ident *name = &s->attrs[k].name;
        uint32_t i = 0;
        while (i < b->n_attrs && strcmp(b->attrs[i].name, name->text)) i++;
        if (i == b->n_attrs)
            return weft__run_unknown(r, name, "no attribute is called", b->attrs, i, sizeof *b->attrs);
        if (values[i].given) return weft__run_fail(r, name->at, WEFT_FORMAT, "given twice: '%s'", name->text);
        WEFT_TRY(host_value(r, &b->attrs[i], s->attrs[k].value, &values[i]));
    }
    for (uint32_t i = 0; i < b->n_attrs; i++)
        if (!values[i].given && !b->attrs[i].optional)
            return weft__run_fail(r, s->word.at, WEFT_FORMAT, "missing attribute '%s'", b->attrs[i].name);
    return WEFT_OK;
}

static weft_status host_check(weft__run *r, const weft__stmt *s, const weft_text_block *b)
{
    if (s->n_inputs < b->min_in || s->n_inputs > b->max_in)
        return weft__run_fail(r, s->at, WEFT_FORMAT, "%s: %u inputs, needs %u to %u", b->name, s->n_inputs, b->min_in,
                              b->max_in);
    if (s->n_results != b->n_out || b->n_out > WEFT_MAX_INPUTS)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "wrong number of results for '%s'", b->name);
    return WEFT_OK;
}

static weft_status call_host(weft__run *r, const weft__stmt *s, const weft_text_block *b, const weft_ref *in,
                             weft_ref *out)
{
    WEFT_TRY(host_check(r, s, b));
    weft_text_value *values = weft__heap_alloc(&r->heap, b->n_attrs, sizeof *values);
    if (!values) return WEFT_OOM_FAIL(r->err, "blocks of a text");
    WEFT_TRY(host_values(r, s, b, values));
    b->emit(r->desc->ctx, r->g, in, s->n_inputs, values, out);
    WEFT_TRY(weft__run_sticky(r, s->at));
    for (uint32_t i = 0; i < b->n_out; i++)
        if (!weft_graph_value(r->g, out[i]))
            return weft__run_fail(r, s->at, WEFT_INTERNAL, "%s has made no value", b->name);
    if (r->g->n_order - r->first_order > WEFT__TEXT_NODES) /* it was counted as one */
        return weft__run_fail(r, s->at, WEFT_LIMIT, "the text makes more than %d nodes", (int)WEFT__TEXT_NODES);
    return WEFT_OK;
}

weft_status weft__host_make(weft__run *r, const weft__stmt *s, const weft_ref *in, weft_ref *out, bool *found)
{
    const weft_text_block *b = callers_block(r, s->word.text);
    *found = b != NULL;
    return b ? call_host(r, s, b, in, out) : WEFT_OK;
}
