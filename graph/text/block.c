/* block.c: the text's blocks, which are defined and used.
 *
 * A block sees what it takes, and the parameters, lets and extents of the text's top. It can use the
 * blocks that stand above it, so none uses itself. */
#include "graph/text/run.h"

#include <stdlib.h>
#include <string.h>

typedef struct block {
    const weft__stmt *s;
    const weft__datum *defaults; /* by its attributes */
    uint32_t rank;
} block;

/* ---- definition ---- */

static weft_status check_attr(weft__run *r, const weft__stmt *s, uint32_t i)
{
    const weft__ident *name = &s->attrs[i].name;
    bool twice = weft__run_find(r, name->text) != NULL;
    for (uint32_t k = 0; k < i; k++) twice = twice || !strcmp(s->attrs[k].name.text, name->text);
    return twice ? weft__run_fail(r, name->at, WEFT_FORMAT, "given twice: '%s'", name->text) : WEFT_OK;
}

/* Defaults are what they are here, whoever uses the block. */
weft_status weft__run_block(weft__run *r, const weft__stmt *s)
{
    if (weft__names_find(&r->blocks, s->name.text, false))
        return weft__run_fail(r, s->name.at, WEFT_FORMAT, "given twice: block '%s'", s->name.text);
    if (s->n_attrs > WEFT__TEXT_ATTRS)
        return weft__run_fail(r, s->name.at, WEFT_LIMIT, "block '%s' has more than %d attributes", s->name.text,
                              (int)WEFT__TEXT_ATTRS);
    weft__datum *defaults = weft__heap_alloc(&r->heap, s->n_attrs, sizeof *defaults);
    block *b = weft__heap_alloc(&r->heap, 1, sizeof *b);
    if (!b || !defaults) return WEFT_OOM_FAIL(r->err, "blocks of a text");
    for (uint32_t i = 0; i < s->n_attrs; i++) {
        WEFT_TRY(check_attr(r, s, i));
        if (s->attrs[i].value) WEFT_TRY(weft__eval(r, s->attrs[i].value, &defaults[i]));
    }
    *b = (block){ s, defaults, r->blocks.n };
    weft__entry *e = weft__names_put(&r->blocks, s->name.text, false);
    if (!e) return WEFT_OOM_FAIL(r->err, "blocks of a text");
    e->thing = b;
    return WEFT_OK;
}

/* ---- use ---- */

/* One that stands above; the name of one that does not is free for others. */
static const block *find(const weft__run *r, const char *name)
{
    const weft__entry *e = weft__names_find(&r->blocks, name, false);
    const block *b = e ? e->thing : NULL;
    return b && b->rank < weft__run_frame(r)->rank ? b : NULL;
}

/* What the use gives, into `out` by the block's attributes; evaluated where it stands. */
static weft_status give_attrs(weft__run *r, const weft__stmt *s, const block *b, weft__datum *out)
{
    bool *given = weft__heap_alloc(&r->heap, b->s->n_attrs, sizeof *given);
    if (!given) return WEFT_OOM_FAIL(r->err, "blocks of a text");
    for (uint32_t k = 0; k < s->n_attrs; k++) {
        const weft__ident *name = &s->attrs[k].name;
        uint32_t i = 0;
        while (i < b->s->n_attrs && strcmp(b->s->attrs[i].name.text, name->text)) i++;
        if (i == b->s->n_attrs)
            return weft__run_unknown(r, name, "no attribute is called", b->s->attrs, i, sizeof *b->s->attrs);
        if (given[i]) return weft__run_fail(r, name->at, WEFT_FORMAT, "given twice: '%s'", name->text);
        WEFT_TRY(weft__eval(r, s->attrs[k].value, &out[i]));
        given[i] = true;
    }
    for (uint32_t i = 0; i < b->s->n_attrs; i++) {
        if (given[i]) continue;
        out[i] = b->defaults[i];
        if (!b->s->attrs[i].value)
            return weft__run_fail(r, s->word.at, WEFT_FORMAT, "missing attribute '%s'", b->s->attrs[i].name.text);
    }
    return WEFT_OK;
}

static weft_status enter(weft__run *r, const weft__stmt *s, const block *b)
{
    if (r->depth == WEFT__TEXT_BODIES)
        return weft__run_fail(r, s->at, WEFT_LIMIT, "blocks are nested too deep");
    weft__frame *f = r->frames[r->depth + 1];
    if (!f) f = r->frames[r->depth + 1] = calloc(1, sizeof *f);
    if (!f) return WEFT_OOM_FAIL(r->err, "blocks of a text");
    weft__names_clear(&f->names);
    f->block = b->s;
    f->call = s;
    f->rank = b->rank;
    f->returned = false;
    f->n_bound = r->n_bound;
    r->depth++;
    return WEFT_OK;
}

static weft_status bind_taken(weft__run *r, const block *b, const weft_ref *in, const weft__datum *attrs)
{
    for (uint32_t i = 0; i < b->s->n_inputs && !r->counting; i++)
        WEFT_TRY(weft__run_bind_value(r, &b->s->inputs[i], in[i]));
    for (uint32_t i = 0; i < b->s->n_attrs; i++) WEFT_TRY(weft__run_bind(r, &b->s->attrs[i].name, &attrs[i]));
    return WEFT_OK;
}

weft_status weft__block_enter(weft__run *r, const weft__stmt *s, const weft_ref *in, const weft__stmt **out)
{
    const block *b = find(r, s->word.text);
    *out = NULL;
    if (!b) return WEFT_OK;
    if (s->label || s->n_items)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "block '%s' takes values and attributes alone", s->word.text);
    if (s->n_inputs != b->s->n_inputs)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "block '%s' takes %u value%s, not %u", s->word.text,
                              b->s->n_inputs, b->s->n_inputs == 1 ? "" : "s", s->n_inputs);
    weft__datum *attrs = weft__heap_alloc(&r->heap, b->s->n_attrs, sizeof *attrs);
    if (!attrs) return WEFT_OOM_FAIL(r->err, "blocks of a text");
    WEFT_TRY(give_attrs(r, s, b, attrs));
    WEFT_TRY(enter(r, s, b));
    *out = b->s;
    return bind_taken(r, b, in, attrs);
}

weft_status weft__block_leave(weft__run *r, weft_ref *out)
{
    const weft__frame *f = r->frames[r->depth--];
    const weft__stmt *s = f->call;
    r->n_bound = f->n_bound;
    if (r->counting) return WEFT_OK;
    if (!f->returned)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "block '%s' ended without a return", s->word.text);
    if (f->n_out != s->n_results)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "block '%s' gives %u result%s, not %u", s->word.text,
                              f->n_out, f->n_out == 1 ? "" : "s", s->n_results);
    memcpy(out, f->out, f->n_out * sizeof *out);
    return WEFT_OK;
}
