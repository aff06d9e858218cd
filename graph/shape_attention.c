/* shape_attention.c: the shape rules of rotary embedding and attention. */
#include "graph/attention.h"
#include "graph/shape_rule.h"
#include "graph/rope.h"

/* Which inputs follow the positions: a length for each token, and vectors of factors. */
static weft_status need_rope_inputs(const weft__rule *r, weft_dim tokens, weft_dim pairs)
{
    weft_rope_kind kind = r->attrs->rope_table.kind;
    bool length = kind == WEFT_ROPE_DYNAMIC || kind == WEFT_ROPE_LONGROPE;
    uint32_t most = kind == WEFT_ROPE_LONGROPE ? 4 : 2, least = length ? most : 1;
    if (r->n_in < least || r->n_in > most)
        return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: %u inputs, kind %s needs %u to %u", r->n_in,
                         weft__rope_name(kind), least, most);
    for (uint32_t i = 1; i < r->n_in; i++) {
        bool is_length = length && i == 1;
        WEFT_TRY(is_length ? weft__need_i32(r, i) : weft__need_class(r, i, r->v[i]->dtype == WEFT_F32, "f32"));
        if (!weft__is_vector_of(r->v[i], is_length ? tokens : pairs))
            return weft__rule_refuse(r, is_length ? "lengths must be a vector of tokens"
                                                  : "factors must be a vector of n_rot/2");
    }
    return WEFT_OK;
}

static weft_status need_parameter(const weft__rule *r, bool used, float x, const char *name)
{
    if (used) return weft__need_finite(r, x, true, name);
    if (x == 0) return WEFT_OK;
    return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: kind %s has no %s", weft__rope_name(r->attrs->rope_table.kind),
                     name);
}

static weft_status need_rope_parameters(const weft__rule *r)
{
    const weft_attr_rope_table *a = &r->attrs->rope_table;
    bool bands = a->kind == WEFT_ROPE_BANDS, yarn = a->kind == WEFT_ROPE_YARN;
    bool plain = a->kind == WEFT_ROPE_DEFAULT || a->kind == WEFT_ROPE_LINEAR;
    if ((unsigned)a->kind >= WEFT_ROPE_COUNT) return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: no such kind");
    if (a->n_rot < 2 || a->n_rot % 2 || a->n_rot > WEFT__MAX_ROTARY)
        return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: n_rot is %d, must be even and from 2 to %d", a->n_rot,
                         WEFT__MAX_ROTARY);
    WEFT_TRY(weft__need_finite(r, a->theta, true, "theta"));
    WEFT_TRY(need_parameter(r, a->kind != WEFT_ROPE_DEFAULT, a->factor, "factor"));
    WEFT_TRY(need_parameter(r, !plain, a->original, "original"));
    WEFT_TRY(need_parameter(r, bands || (yarn && a->low != 0), a->low, "low"));
    WEFT_TRY(need_parameter(r, bands || (yarn && a->high != 0), a->high, "high"));
    WEFT_TRY(need_parameter(r, a->scale != 0, a->scale, "scale"));
    WEFT_TRY(weft__need_flag(r, a->untruncated, "untruncated"));
    if (bands && !(a->high > a->low)) return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: high must be above low");
    if ((a->kind == WEFT_ROPE_DYNAMIC && a->n_rot < 4) || (yarn && !(a->theta > 1)))
        return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: too few dimensions, or too low a theta, for kind %s",
                         weft__rope_name(a->kind));
    if (a->pairs < 0 || a->pairs > a->n_rot / 2)
        return WEFT_FAIL(r->err, WEFT_INVALID, "rope_table: %d of %d pairs cannot turn", a->pairs, a->n_rot / 2);
    return WEFT_OK;
}

weft_status weft__shape_rope_table(const weft__rule *r)
{
    WEFT_TRY(weft__need_i32(r, 0));
    if (r->v[0]->dims.rank != 1) return weft__rule_refuse(r, "positions must be a vector");
    WEFT_TRY(need_rope_parameters(r));
    weft_dims to = { 3, { r->v[0]->dims.d[0], { r->attrs->rope_table.n_rot / 2, 0 }, { 2, 0 } } };
    WEFT_TRY(need_rope_inputs(r, to.d[0], to.d[1]));
    weft__rule_result(r, WEFT_F32, &to);
    return WEFT_OK;
}

/* x [T, .., D] by angles [T, n_rot/2, 2], D >= n_rot. */
static weft_status need_rotatable(const weft__rule *r, uint32_t x, uint32_t angles)
{
    const weft_dims *d = &r->v[x]->dims, *a = &r->v[angles]->dims;
    WEFT_TRY(weft__need_float(r, x));
    WEFT_TRY(weft__need_rank(r, x, 2));
    WEFT_TRY(weft__need_class(r, angles, r->v[angles]->dtype == WEFT_F32, "f32"));
    if (a->rank != 3 || a->d[1].extent || a->d[2].n != 2 || a->d[2].extent || !weft__dim_equal(a->d[0], d->d[0]))
        return weft__rule_refuse(r, "angles do not fit");
    if (weft__dim_last(d).extent || weft__dim_last(d).n / 2 < a->d[1].n)
        return weft__rule_refuse(r, "the last dimension is shorter than what rotates");
    return WEFT_OK;
}

weft_status weft__shape_rope(const weft__rule *r)
{
    WEFT_TRY(need_rotatable(r, 0, 1));
    WEFT_TRY(weft__need_flag(r, r->attrs->rope.interleaved, "interleaved"));
    weft__rule_result(r, WEFT_F32, &r->v[0]->dims);
    return WEFT_OK;
}

/* state [G, C, D] with axis 1 or [C, G, D] with axis 0; rows [T, G, D] before rotation; index [T]. */
weft_status weft__shape_rope_store(const weft__rule *r)
{
    const weft_dims *state = &r->v[0]->dims, *rows = &r->v[1]->dims;
    int32_t axis = r->attrs->rope_store.axis;
    WEFT_TRY(weft__need_state(r));
    WEFT_TRY(weft__need_class(r, 0, weft__rule_class(r, 0) == WEFT_DTYPE_FLOAT, "a float state"));
    WEFT_TRY(need_rotatable(r, 1, 2));
    WEFT_TRY(weft__need_i32(r, 3));
    WEFT_TRY(weft__need_flag(r, r->attrs->rope_store.interleaved, "interleaved"));
    WEFT_TRY(weft__need_flag(r, axis, "axis"));
    if (state->rank != 3 || rows->rank != 3 || !weft__dim_equal(state->d[1 - axis], rows->d[1]) ||
        !weft__dim_equal(state->d[2], rows->d[2]) || !weft__is_vector_of(r->v[3], rows->d[0]))
        return weft__rule_refuse(r, "rows or index do not fit the state");
    weft__rule_result(r, r->v[0]->dtype, state);
    return WEFT_OK;
}

/* The cells of k are whole pages, sequence is [T] and pages [S, N]: a page per stretch of a sequence's positions. */
static weft_status need_pages(const weft__rule *r, int32_t page, const weft__attention_inputs *in)
{
    if (page < 16 || page > 256 || (page & (page - 1)))
        return WEFT_FAIL(r->err, WEFT_INVALID, "attention: page is %d, must be 16, 32, 64, 128 or 256", page);
    if (r->v[1]->dims.d[1].n % page) return weft__rule_refuse(r, "the cells are no whole number of pages");
    WEFT_TRY(weft__need_i32(r, in->sequence));
    WEFT_TRY(weft__need_i32(r, in->pages));
    if (!weft__is_vector_of(r->v[in->sequence], r->v[0]->dims.d[0]))
        return weft__rule_refuse(r, "sequence must be a vector of tokens");
    if (r->v[in->pages]->dims.rank != 2) return weft__rule_refuse(r, "pages must have rank 2");
    int64_t pages[WEFT_MAX_RANK];
    weft_dims_resolve(r->g, &r->v[in->pages]->dims, NULL, pages);
    if (pages[1] <= INT32_MAX / page) return WEFT_OK;
    return weft__rule_refuse(r, "a sequence has more positions than i32 counts");
}

/* sinks and slopes: f32 [H]. */
static weft_status need_per_head(const weft__rule *r, uint32_t i, const char *what)
{
    WEFT_TRY(weft__need_class(r, i, r->v[i]->dtype == WEFT_F32, "f32"));
    return weft__is_vector_of(r->v[i], r->v[0]->dims.d[1]) ? WEFT_OK : weft__rule_refuse(r, what);
}

/* bias: f32 [H or 1, T, P] for all P positions. */
static weft_status need_bias(const weft__rule *r, const weft__attention_inputs *in)
{
    const weft_dims *b = &r->v[in->bias]->dims, *q = &r->v[0]->dims;
    weft_dim positions = r->v[1]->dims.d[1], one = { 1, 0 };
    if (in->pages) {
        positions = r->v[in->pages]->dims.d[1];
        positions.n *= r->attrs->attention.page;
    }
    WEFT_TRY(weft__need_class(r, in->bias, r->v[in->bias]->dtype == WEFT_F32, "f32"));
    if (b->rank == 3 && (weft__dim_equal(b->d[0], q->d[1]) || weft__dim_equal(b->d[0], one)) &&
        weft__dim_equal(b->d[1], q->d[0]) && weft__dim_equal(b->d[2], positions))
        return WEFT_OK;
    return weft__rule_refuse(r, "bias must be [heads or 1, tokens, positions]");
}

/* What attributes ask for beside q, k, v, first and last. */
static weft_status need_more(const weft__rule *r)
{
    const weft_attr_attention *a = &r->attrs->attention;
    WEFT_TRY(weft__need_flag(r, a->sinks, "sinks"));
    WEFT_TRY(weft__need_flag(r, a->slopes, "slopes"));
    WEFT_TRY(weft__need_flag(r, a->bias, "bias"));
    weft__attention_inputs in = weft__attention_inputs_of(a);
    if (r->n_in != in.count)
        return WEFT_FAIL(r->err, WEFT_SHAPE, "attention: %u inputs, its attributes ask for %u", r->n_in, in.count);
    WEFT_TRY(weft__need_finite(r, a->soft_cap, a->soft_cap != 0, "soft_cap"));
    if (a->page) WEFT_TRY(need_pages(r, a->page, &in));
    if (in.sinks) WEFT_TRY(need_per_head(r, in.sinks, "sinks must be a vector of heads"));
    if (in.slopes) WEFT_TRY(need_per_head(r, in.slopes, "slopes must be a vector of heads"));
    return in.bias ? need_bias(r, &in) : WEFT_OK;
}

/* q [T, H, D], k [G, C, D], v [G, C, E], first and last [T]. k and v may be in blocks. */
weft_status weft__shape_attention(const weft__rule *r)
{
    const weft_dims *q = &r->v[0]->dims, *k = &r->v[1]->dims, *v = &r->v[2]->dims;
    for (uint32_t i = 0; i < 3; i++) {
        WEFT_TRY(i ? weft__need_numbers(r, i) : weft__need_float(r, i));
        if (r->v[i]->dims.rank != 3) return weft__rule_refuse(r, "q, k and v must have rank 3");
    }
    WEFT_TRY(weft__need_finite(r, r->attrs->attention.scale, false, "scale"));
    if (!weft__dim_equal(k->d[0], v->d[0]) || !weft__dim_equal(k->d[1], v->d[1]))
        return weft__rule_refuse(r, "k and v differ");
    if (!weft__dim_equal(q->d[2], k->d[2]) || q->d[2].extent || v->d[2].extent)
        return weft__rule_refuse(r, "head sizes differ");
    if (q->d[1].extent || k->d[0].extent || q->d[1].n % k->d[0].n)
        return weft__rule_refuse(r, "the number of groups must divide the number of heads");
    for (uint32_t i = 3; i < 5; i++) {
        WEFT_TRY(weft__need_i32(r, i));
        if (!weft__is_vector_of(r->v[i], q->d[0]))
            return weft__rule_refuse(r, "first and last must be vectors of tokens");
    }
    WEFT_TRY(need_more(r));
    weft_dims y = *q;
    y.d[2] = v->d[2];
    weft__rule_result(r, WEFT_F32, &y);
    return WEFT_OK;
}
