/* field.c: what stands at a node becomes attributes, types and data, by the type of the field. */
#include "graph/attr.h"
#include "graph/lookup.h"
#include "graph/convert.h"
#include "graph/number.h"
#include "graph/rope.h"
#include "graph/text/run.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* ---- numbers ---- */

/* A float, or its bits of at most `digits` hexadecimal digits. A number that is written out is rounded once. */
typedef struct float_field {
    float x;
    uint32_t bits;
    bool is_bits;
} float_field;

static weft_status float_of(weft__run *r, const weft__expr *e, const weft__datum *d, size_t digits, float_field *out)
{
    char buf[WEFT__DATUM_TEXT];
    *out = (float_field){ .is_bits = d->kind == DATUM_BITS };
    if (d->kind == DATUM_BITS && d->n <= digits)
        out->bits = (uint32_t)d->whole;
    else if (d->kind == DATUM_WHOLE)
        out->x = (float)d->whole;
    else if (d->kind == DATUM_NUMBER)
        out->x = (float)d->number;
    else if (d->kind != DATUM_BITS)
        return weft__run_unfit(r, e, d, "a number");
    if ((out->is_bits && d->n > digits) || !isfinite(out->x))
        return weft__run_fail(r, e->at, WEFT_FORMAT, "not a number of this type: %s",
                              out->is_bits ? "too many digits" : weft__datum_text(d, buf));
    return WEFT_OK;
}

static weft_status read_float(weft__run *r, const weft__expr *e, size_t digits, float_field *out)
{
    weft__datum d;
    if ((e->kind == EXPR_INT || e->kind == EXPR_FLOAT) && e->text) {
        *out = (float_field){ .x = 0 };
        return weft__float_scan(e->text, &out->x)
                   ? WEFT_OK
                   : weft__run_fail(r, e->at, WEFT_FORMAT, "not a number of this type: '%.*s'", WEFT__TEXT_WORD,
                                    e->text);
    }
    if (e->kind == EXPR_INT && !e->i) { /* -0 */
        *out = (float_field){ .x = (float)e->f };
        return WEFT_OK;
    }
    WEFT_TRY(weft__eval(r, e, &d));
    return float_of(r, e, &d, digits, out);
}

/* A truth counts as 1 or 0. */
static weft_status whole_of(weft__run *r, const weft__expr *e, const weft__datum *d, int64_t lo, int64_t hi,
                            int64_t *out)
{
    *out = 0;
    if (d->kind != DATUM_WHOLE && d->kind != DATUM_TRUTH) return weft__run_unfit(r, e, d, "a whole number");
    *out = d->kind == DATUM_WHOLE ? d->whole : d->truth;
    return *out >= lo && *out <= hi ? WEFT_OK : weft__run_fail(r, e->at, WEFT_FORMAT, "the number is out of range");
}

static weft_status f32_field(weft__run *r, const weft__expr *e, void *field)
{
    float_field f;
    WEFT_TRY(read_float(r, e, 8, &f));
    memcpy(field, f.is_bits ? (void *)&f.bits : (void *)&f.x, sizeof f.x);
    return WEFT_OK;
}

weft_status weft__field_whole(weft__run *r, const weft__expr *e, int64_t lo, int64_t hi, int64_t *out)
{
    weft__datum d;
    *out = 0;
    WEFT_TRY(weft__eval(r, e, &d));
    return whole_of(r, e, &d, lo, hi, out);
}

static weft_status i32_field(weft__run *r, const weft__expr *e, void *field)
{
    int64_t x;
    WEFT_TRY(weft__field_whole(r, e, INT32_MIN, INT32_MAX, &x));
    int32_t narrow = (int32_t)x;
    memcpy(field, &narrow, sizeof narrow);
    return WEFT_OK;
}

static weft_status i64_field(weft__run *r, const weft__expr *e, void *field)
{
    int64_t x;
    WEFT_TRY(weft__field_whole(r, e, INT64_MIN, INT64_MAX, &x));
    memcpy(field, &x, sizeof x);
    return WEFT_OK;
}

/* ---- words ---- */

static weft_status word_of(weft__run *r, const weft__expr *e, const char *wanted, const char **out)
{
    weft__datum d;
    *out = "";
    WEFT_TRY(weft__eval_word(r, e, &d));
    if (d.kind != DATUM_WORD && d.kind != DATUM_TEXT) return weft__run_unfit(r, e, &d, wanted);
    *out = d.text;
    return WEFT_OK;
}

static weft_status no_word(weft__run *r, const weft__expr *e, const char *what, const char *word,
                           const char *const *names, uint32_t n)
{
    return weft__run_unknown(r, &(weft__ident){ word, e->at }, what, names, n, sizeof *names);
}

static weft_status dtype_of(weft__run *r, const weft__expr *e, weft_dtype *out)
{
    const char *word, *names[WEFT_DTYPE_COUNT];
    WEFT_TRY(word_of(r, e, "a type", &word));
    if (weft_dtype_parse(word, out)) return WEFT_OK;
    for (unsigned t = 0; t < WEFT_DTYPE_COUNT; t++) names[t] = weft_dtype_get((weft_dtype)t)->name;
    return no_word(r, e, "no type is called", word, names, WEFT_DTYPE_COUNT);
}

static weft_status dtype_field(weft__run *r, const weft__expr *e, void *field)
{
    weft_dtype t;
    WEFT_TRY(dtype_of(r, e, &t));
    memcpy(field, &t, sizeof t);
    return WEFT_OK;
}

weft_status weft__field_act(weft__run *r, const weft__expr *e, weft_act *out)
{
    const char *word, *names[WEFT_ACT_COUNT];
    WEFT_TRY(word_of(r, e, "an activation", &word));
    if (weft__act_parse(word, out) || weft__act_named(word, out)) return WEFT_OK;
    for (unsigned a = 0; a < WEFT_ACT_COUNT; a++) names[a] = weft__act_name((weft_act)a);
    return no_word(r, e, "no activation is called", word, names, WEFT_ACT_COUNT);
}

static weft_status act_field(weft__run *r, const weft__expr *e, void *field)
{
    weft_act act;
    WEFT_TRY(weft__field_act(r, e, &act));
    memcpy(field, &act, sizeof act);
    return WEFT_OK;
}

static weft_status rope_field(weft__run *r, const weft__expr *e, void *field)
{
    weft_rope_kind kind;
    const char *word, *names[WEFT_ROPE_COUNT];
    WEFT_TRY(word_of(r, e, "a kind of rotary embedding", &word));
    for (unsigned k = 0; k < WEFT_ROPE_COUNT; k++) names[k] = weft__rope_name((weft_rope_kind)k);
    if (!weft__rope_parse(word, &kind))
        return no_word(r, e, "no kind of rotary embedding is called", word, names, WEFT_ROPE_COUNT);
    memcpy(field, &kind, sizeof kind);
    return WEFT_OK;
}

/* ---- dimensions and orders ---- */

static weft_status no_extent(weft__run *r, const char *at, const char *name)
{
    return weft__run_unbound(r, &(weft__ident){ name, at },
                             r->t->version == 1 ? "no extent is called" : "no parameter or extent is called", false);
}

static weft_status dim_of(weft__run *r, const weft__expr *e, const weft__datum *d, weft_dim *out)
{
    if (d->kind == DATUM_WORD) return no_extent(r, e->at, d->text);
    if (d->kind != DATUM_WHOLE && d->kind != DATUM_DIM) return weft__run_unfit(r, e, d, "a dimension");
    *out = d->kind == DATUM_DIM ? d->dim : (weft_dim){ d->whole, 0 };
    return out->n > 0 ? WEFT_OK : weft__run_fail(r, e->at, WEFT_FORMAT, "the number is out of range");
}

static weft_status dims_of(weft__run *r, const weft__expr *e, weft_dims *out)
{
    weft__datum d;
    *out = (weft_dims){ 0 };
    WEFT_TRY(weft__eval_word(r, e, &d));
    if (d.kind != DATUM_LIST) return weft__run_unfit(r, e, &d, "a list of dimensions");
    for (uint32_t i = 0; i < d.n; i++) {
        const weft__expr *item = e->kind == EXPR_LIST ? e->args[i] : e;
        if (i == WEFT_MAX_RANK) return weft__run_fail(r, item->at, WEFT_FORMAT, "too many dimensions");
        WEFT_TRY(dim_of(r, item, &d.list[i], &out->d[i]));
        out->rank++;
    }
    return WEFT_OK;
}

static weft_status dims_field(weft__run *r, const weft__expr *e, void *field)
{
    weft_dims d;
    WEFT_TRY(dims_of(r, e, &d));
    memcpy(field, &d, sizeof d);
    return WEFT_OK;
}

static weft_status perm_field(weft__run *r, const weft__expr *e, void *field)
{
    weft_perm perm = { 0 };
    weft__datum d;
    WEFT_TRY(weft__eval(r, e, &d));
    if (d.kind != DATUM_TUPLE) return weft__run_unfit(r, e, &d, "an order of axes such as (1, 0, 2)");
    for (uint32_t i = 0; i < d.n; i++) {
        const weft__expr *item = e->kind == EXPR_TUPLE ? e->args[i] : e;
        int64_t axis;
        if (i == WEFT_MAX_RANK) return weft__run_fail(r, item->at, WEFT_FORMAT, "too many axes");
        WEFT_TRY(whole_of(r, item, &d.list[i], 0, WEFT_MAX_RANK - 1, &axis));
        perm.axis[perm.rank++] = (uint8_t)axis;
    }
    memcpy(field, &perm, sizeof perm);
    return WEFT_OK;
}

weft_status weft__field_type(weft__run *r, const weft__type *type, weft_dtype *dtype, weft_dims *dims)
{
    WEFT_TRY(dtype_of(r, type->dtype, dtype));
    return dims_of(r, type->dims, dims);
}

/* ---- attributes ---- */

/* Every field of the op once, in any order; optional ones are 0 if not given. */
weft_status weft__field_attrs(weft__run *r, const weft__stmt *s, weft_op op, weft_attrs *attrs)
{
    static weft_status (*const field_of[])(weft__run *, const weft__expr *, void *) = {
        [ATTR_f32] = f32_field,     [ATTR_i32] = i32_field, [ATTR_i64] = i64_field,   [ATTR_dtype] = dtype_field,
        [ATTR_act] = act_field,     [ATTR_dims] = dims_field, [ATTR_perm] = perm_field, [ATTR_rope] = rope_field,
    };
    uint32_t n, seen = 0;
    const weft__attr_field *f = weft__attr_fields(op, &n);
    memset(attrs, 0, sizeof *attrs);
    for (uint32_t k = 0; k < s->n_attrs; k++) {
        const weft__ident *name = &s->attrs[k].name;
        uint32_t i = 0;
        while (i < n && strcmp(f[i].name, name->text)) i++;
        if (i == n) return weft__run_unknown(r, name, "no attribute is called", f, n, sizeof *f);
        if (seen >> i & 1) return weft__run_fail(r, name->at, WEFT_FORMAT, "given twice: '%s'", name->text);
        seen |= 1u << i;
        WEFT_TRY(field_of[f[i].type](r, s->attrs[k].value, (char *)attrs + f[i].offset));
    }
    for (uint32_t i = 0; i < n; i++)
        if (!f[i].optional && !(seen >> i & 1))
            return weft__run_fail(r, s->word.at, WEFT_FORMAT, "missing attribute '%s'", f[i].name);
    return WEFT_OK;
}

/* ---- data of constants ---- */

/* False: the type has no such number. */
static bool put_float(weft__run *r, weft_dtype t, const float_field *f, size_t at)
{
    uint16_t half = (uint16_t)f->bits;
    size_t size = weft_dtype_get(t)->bytes;
    if (!f->is_bits)
        weft__convert_row(WEFT_F32, &f->x, t, r->data + at, 1);
    else if (size == 2)
        memcpy(r->data + at, &half, sizeof half);
    else
        memcpy(r->data + at, &f->bits, sizeof f->bits);
    if (f->is_bits || size != 2) return true;
    memcpy(&half, r->data + at, sizeof half);
    return isfinite(t == WEFT_F16 ? weft__f32_from_f16(half) : weft__f32_from_bf16(half));
}

/* An element that is written out, or one of a list (d). */
static weft_status put_element(weft__run *r, const weft__expr *e, const weft__datum *d, weft_dtype t, size_t at)
{
    float_field f;
    int64_t x;
    if (t != WEFT_I32) {
        size_t digits = 2 * weft_dtype_get(t)->bytes;
        WEFT_TRY(d ? float_of(r, e, d, digits, &f) : read_float(r, e, digits, &f));
        if (put_float(r, t, &f, at)) return WEFT_OK;
        return weft__run_fail(r, e->at, WEFT_FORMAT, "not a number of this type: %g", (double)f.x);
    }
    WEFT_TRY(d ? whole_of(r, e, d, INT32_MIN, INT32_MAX, &x) : weft__field_whole(r, e, INT32_MIN, INT32_MAX, &x));
    int32_t narrow = (int32_t)x;
    memcpy(r->data + at, &narrow, sizeof narrow);
    return WEFT_OK;
}

static weft_status fill(weft__run *r, const weft__stmt *s, const weft__datum *list, uint32_t n, weft_dtype t)
{
    size_t size = weft_dtype_get(t)->bytes;
    WEFT_TRY(weft__run_step(r, s->items[0]->at, n));
    if (!weft__grow(&r->data, &r->data_cap, n * size, 1)) return WEFT_OOM_FAIL(r->err, "a constant");
    for (uint32_t i = 0; i < n; i++)
        WEFT_TRY(put_element(r, s->items[list ? 0 : i], list ? &list[i] : NULL, t, i * size));
    return WEFT_OK;
}

/* As many elements as the dims say: written out, or those of one list. */
weft_status weft__field_data(weft__run *r, const weft__stmt *s, weft_dtype t, const weft_dims *dims)
{
    weft_dtype_class c = weft_dtype_get(t)->class_;
    const weft__expr *first = s->items[0];
    weft__datum d = { .n = s->n_items };
    int64_t n = 1;
    if (c != WEFT_DTYPE_FLOAT && c != WEFT_DTYPE_INT)
        return weft__run_fail(r, first->at, WEFT_FORMAT, "data is for constants of a plain type");
    weft_status status = weft__value_check(r->g, t, dims, r->err);
    if (status != WEFT_OK) return weft__run_locate(r, first->at, status);
    for (uint32_t i = 0; i < dims->rank; i++) n *= dims->d[i].n;
    bool literal = first->kind == EXPR_INT || first->kind == EXPR_FLOAT || first->kind == EXPR_BITS;
    bool evaluated = s->n_items == 1 && !literal;
    if (evaluated) WEFT_TRY(weft__eval(r, first, &d));
    const weft__datum *list = d.kind == DATUM_LIST ? d.list : &d;
    uint32_t count = evaluated && d.kind != DATUM_LIST ? 1 : d.n;
    if (n != count)
        return weft__run_fail(r, first->at, WEFT_FORMAT, "the number of elements does not fit the dimensions");
    return fill(r, s, evaluated ? list : NULL, count, t);
}
