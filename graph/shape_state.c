/* shape_state.c: the shape rules of ops that move rows, and of those that write states. */
#include "graph/shape_rule.h"

weft_status weft__shape_gather(const weft__rule *r)
{
    const weft_dims *table = &r->v[0]->dims, *index = &r->v[1]->dims;
    weft_dims to = *index;
    WEFT_TRY(weft__need_rank(r, 0, 1));
    WEFT_TRY(weft__need_i32(r, 1));
    if (index->rank + table->rank - 1 > WEFT_MAX_RANK) return weft__rule_refuse(r, "the result's rank is too high");
    if (weft__rule_class(r, 0) == WEFT_DTYPE_BLOCK && table->rank < 2)
        return weft__rule_refuse(r, "a table of a block type needs rows");
    for (uint32_t i = 1; i < table->rank; i++) to.d[to.rank++] = table->d[i];
    weft__rule_result(r, WEFT_F32, &to);
    return WEFT_OK;
}

/* Sizes along the axis add up: plain numbers, or multiples of one extent. All inputs have one type, which stays. */
weft_status weft__shape_concat(const weft__rule *r)
{
    weft_dims to = r->v[0]->dims;
    int32_t axis = r->attrs->axis.axis;
    WEFT_TRY(weft__need_plain(r, 0));
    WEFT_TRY(weft__need_axis(r, axis, to.rank));
    for (uint32_t i = 1; i < r->n_in; i++) {
        const weft_dims *d = &r->v[i]->dims;
        if (r->v[i]->dtype != r->v[0]->dtype)
            return WEFT_FAIL(r->err, WEFT_SHAPE, "concat: types differ: %s and %s",
                             weft_dtype_get(r->v[0]->dtype)->name, weft_dtype_get(r->v[i]->dtype)->name);
        if (d->rank != to.rank) return weft__rule_refuse(r, "ranks differ");
        for (uint32_t j = 0; j < to.rank; j++) {
            bool along = j == (uint32_t)axis;
            if (along ? to.d[j].extent != d->d[j].extent : !weft__dim_equal(to.d[j], d->d[j]))
                return weft__rule_refuse(r, "sizes differ");
            if (along && __builtin_add_overflow(to.d[j].n, d->d[j].n, &to.d[j].n))
                return weft__rule_refuse(r, "too large");
        }
    }
    weft__rule_result(r, r->v[0]->dtype, &to);
    return WEFT_OK;
}

weft_status weft__shape_store(const weft__rule *r)
{
    const weft_dims *state = &r->v[0]->dims, *rows = &r->v[1]->dims;
    int32_t axis = r->attrs->axis.axis;
    WEFT_TRY(weft__need_state(r));
    WEFT_TRY(weft__need_axis(r, axis, state->rank));
    WEFT_TRY(weft__need_i32(r, 2));
    if (r->v[0]->dtype == WEFT_I32)
        WEFT_TRY(weft__need_i32(r, 1));
    else
        WEFT_TRY(weft__need_float(r, 1));
    if (weft__rule_class(r, 0) == WEFT_DTYPE_BLOCK && (uint32_t)axis + 1 == state->rank)
        return weft__rule_refuse(r, "the index picks parts of blocks, which lie along the state's last axis");
    bool fits = rows->rank == state->rank;
    for (uint32_t i = 0; i < state->rank && fits; i++)
        fits = i == (uint32_t)axis ? weft__is_vector_of(r->v[2], rows->d[i]) : weft__dim_equal(rows->d[i], state->d[i]);
    if (!fits) return weft__rule_refuse(r, "rows or index do not fit the state");
    weft__rule_result(r, r->v[0]->dtype, state);
    return WEFT_OK;
}

/* ---- recurrence: inputs 3 and 4 are sequence and reset; the results are the state and y [T, E] ---- */

static weft_status need_tokens(const weft__rule *r)
{
    WEFT_TRY(weft__need_state(r));
    for (uint32_t i = 0; i < 3; i++) WEFT_TRY(weft__need_float(r, i));
    if (r->v[1]->dims.rank != 2) return weft__rule_refuse(r, "input 1 must be [tokens, channels]");
    for (uint32_t i = 3; i < 5; i++) {
        WEFT_TRY(weft__need_i32(r, i));
        if (!weft__is_vector_of(r->v[i], r->v[1]->dims.d[0]))
            return weft__rule_refuse(r, "sequence and reset must be vectors of tokens");
    }
    weft__rule_result(r, r->v[0]->dtype, &r->v[0]->dims);
    r->out->dtype[1] = WEFT_F32;
    r->out->dims[1] = r->v[1]->dims;
    return WEFT_OK;
}

weft_status weft__shape_conv1d(const weft__rule *r)
{
    WEFT_TRY(need_tokens(r));
    const weft_dims *state = &r->v[0]->dims, *w = &r->v[2]->dims;
    weft_dim channels = r->v[1]->dims.d[1];
    if (w->rank != 2 || !weft__dim_equal(w->d[0], channels) || w->d[1].extent || w->d[1].n < 2)
        return weft__rule_refuse(r, "the weight must be [channels, 2 or more]");
    weft_dim tail = { w->d[1].n - 1, 0 };
    if (state->rank != 3 || !weft__dim_equal(state->d[1], tail) || !weft__dim_equal(state->d[2], channels))
        return weft__rule_refuse(r, "the state must be [sequences, the weight's length less 1, channels]");
    if (r->n_in < 6) return WEFT_OK;
    WEFT_TRY(weft__need_float(r, 5));
    return weft__is_vector_of(r->v[5], channels) ? WEFT_OK : weft__rule_refuse(r, "the bias does not fit");
}

weft_status weft__shape_linear_scan(const weft__rule *r)
{
    WEFT_TRY(need_tokens(r));
    const weft_dims *state = &r->v[0]->dims;
    if (!weft__dims_equal(&r->v[1]->dims, &r->v[2]->dims)) return weft__rule_refuse(r, "a and b differ");
    if (state->rank != 2 || !weft__dim_equal(state->d[1], r->v[1]->dims.d[1]))
        return weft__rule_refuse(r, "the state must be [sequences, channels]");
    return WEFT_OK;
}
