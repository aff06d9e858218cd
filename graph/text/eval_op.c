/* eval_op.c: operators and functions. Whole numbers stay whole, and what does not fit 64 bits is a fault; numbers are
 * doubles, and what is not finite is a fault. Faults of operators are told at the operator. */
#include "graph/convert.h"
#include "graph/text/run.h"

#include <math.h>
#include <string.h>

static weft_status fail(weft__run *r, const weft__expr *e, const char *why)
{
    return weft__run_fail(r, e->at, WEFT_FORMAT, "%s", why);
}

static weft_status give(weft__run *r, const weft__expr *e, double x, weft__datum *out)
{
    *out = weft__number(x);
    return isfinite(x) ? WEFT_OK : fail(r, e, "the result is no finite number");
}

/* ---- numbers ---- */

static int64_t floored(int64_t x, int64_t y)
{
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static weft_status whole_division(weft__run *r, const weft__expr *e, int64_t x, int64_t y, weft__datum *out)
{
    if (!y) return fail(r, e, "division by zero");
    if (x == INT64_MIN && y == -1) return fail(r, e, "the result is too large");
    bool exact = !strcmp(e->text, "/");
    if (exact && x % y)
        return weft__run_fail(r, e->at, WEFT_FORMAT, "%lld / %lld is not whole: // rounds it down", (long long)x,
                              (long long)y);
    int64_t down = floored(x, y);
    *out = weft__whole(*e->text == '%' ? x - down * y : down);
    return WEFT_OK;
}

static weft_status whole_arithmetic(weft__run *r, const weft__expr *e, int64_t x, int64_t y, weft__datum *out)
{
    int64_t z = 0;
    bool over = false;
    switch (*e->text) {
    case '+': over = __builtin_add_overflow(x, y, &z); break;
    case '-': over = __builtin_sub_overflow(x, y, &z); break;
    case '*': over = __builtin_mul_overflow(x, y, &z); break;
    default: return whole_division(r, e, x, y, out);
    }
    *out = weft__whole(z);
    return over ? fail(r, e, "the result is too large") : WEFT_OK;
}

static weft_status number_arithmetic(weft__run *r, const weft__expr *e, double x, double y, weft__datum *out)
{
    switch (*e->text) {
    case '+': return give(r, e, x + y, out);
    case '-': return give(r, e, x - y, out);
    case '*': return give(r, e, x * y, out);
    case '/': return give(r, e, e->text[1] ? floor(x / y) : x / y, out);
    default: return fail(r, e, "a remainder is of whole numbers");
    }
}

/* n times an extent's dimension, in either order. */
static weft_status dim_arithmetic(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *y,
                                  weft__datum *out)
{
    const weft__datum *dim = x->kind == DATUM_DIM ? x : y, *factor = x->kind == DATUM_DIM ? y : x;
    if (*e->text != '*' || factor->kind != DATUM_WHOLE)
        return fail(r, e, "a dimension that an extent gives can be multiplied by a whole number, nothing else");
    *out = *dim;
    if (__builtin_mul_overflow(dim->dim.n, factor->whole, &out->dim.n)) return fail(r, e, "the result is too large");
    return WEFT_OK;
}

static weft_status arithmetic(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *y,
                              weft__datum *out)
{
    if (x->kind == DATUM_WHOLE && y->kind == DATUM_WHOLE) return whole_arithmetic(r, e, x->whole, y->whole, out);
    if (x->kind == DATUM_DIM || y->kind == DATUM_DIM) return dim_arithmetic(r, e, x, y, out);
    if (weft__is_number(x) && weft__is_number(y))
        return number_arithmetic(r, e, weft__as_number(x), weft__as_number(y), out);
    return weft__run_fail(r, e->at, WEFT_FORMAT, "%s of numbers: one is %s", e->text,
                          weft__datum_what(weft__is_number(x) ? y : x));
}

/* ---- comparisons ---- */

static weft_status equality(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *y, bool *equal)
{
    if (x->kind == DATUM_LIST) WEFT_TRY(weft__run_step(r, e->at, x->n));
    if (weft__datum_equal(x, y, equal)) return WEFT_OK;
    return weft__run_fail(r, e->at, WEFT_FORMAT, "%s and %s are never equal", weft__datum_what(x),
                          weft__datum_what(y));
}

static weft_status membership(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *list,
                              weft__datum *out)
{
    bool found = false;
    if (list->kind != DATUM_LIST) return weft__run_unfit(r, e->args[1], list, "a list");
    WEFT_TRY(weft__run_step(r, e->at, list->n));
    for (uint32_t i = 0; i < list->n && !found; i++) WEFT_TRY(equality(r, e, x, &list->list[i], &found));
    *out = weft__truth(found);
    return WEFT_OK;
}

static weft_status order(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *y,
                         weft__datum *out)
{
    if (!weft__is_number(x)) return weft__run_unfit(r, e->args[0], x, "a number");
    if (!weft__is_number(y)) return weft__run_unfit(r, e->args[1], y, "a number");
    int is = weft__datum_order(x, y);
    bool or_equal = e->text[1] == '=';
    *out = weft__truth((or_equal && !is) || (*e->text == '<' ? is < 0 : is > 0));
    return WEFT_OK;
}

weft_status weft__eval_binary(weft__run *r, const weft__expr *e, const weft__datum *x, const weft__datum *y,
                              weft__datum *out)
{
    bool equal;
    switch (*e->text) {
    case '<':
    case '>': return order(r, e, x, y, out);
    case 'i': return membership(r, e, x, y, out);
    case '=':
    case '!':
        WEFT_TRY(equality(r, e, x, y, &equal));
        *out = weft__truth(equal == (*e->text == '='));
        return WEFT_OK;
    default: return arithmetic(r, e, x, y, out);
    }
}

weft_status weft__eval_unary(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    if (*e->text == 'n') {
        if (x->kind != DATUM_TRUTH) return weft__run_unfit(r, e->args[0], x, "true or false");
        *out = weft__truth(!x->truth);
        return WEFT_OK;
    }
    if (x->kind == DATUM_NUMBER) return give(r, e, -x->number, out);
    if (x->kind != DATUM_WHOLE) return weft__run_unfit(r, e->args[0], x, "a number");
    *out = weft__whole(0);
    return __builtin_sub_overflow((int64_t)0, x->whole, &out->whole) ? fail(r, e, "the result is too large") : WEFT_OK;
}

/* ---- functions ---- */

/* A number as a whole one, which it is but for its kind. */
static weft_status make_whole(weft__run *r, const weft__expr *e, double x, weft__datum *out)
{
    if (!(x >= -9223372036854775808.0 && x < 9223372036854775808.0)) return fail(r, e, "the result is too large");
    *out = weft__whole((int64_t)x);
    return WEFT_OK;
}

static weft_status call_round(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    *out = *x;
    if (x->kind == DATUM_WHOLE) return WEFT_OK;
    switch (*e->text) {
    case 'i': return make_whole(r, e, trunc(x->number), out);
    case 'f': return make_whole(r, e, floor(x->number), out);
    case 'c': return make_whole(r, e, ceil(x->number), out);
    default: return make_whole(r, e, rint(x->number), out); /* a half to the even neighbour */
    }
}

static weft_status call_float(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    return give(r, e, weft__as_number(x), out);
}

static weft_status call_root(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    return give(r, e, sqrt(weft__as_number(x)), out);
}

static weft_status call_log(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    return give(r, e, log(weft__as_number(x)), out);
}

static weft_status call_exp(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    return give(r, e, exp(weft__as_number(x)), out);
}

/* f16, bf16: the nearest value of the type. */
static weft_status call_narrow(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    float wide = (float)weft__as_number(x);
    uint16_t bits;
    weft__convert_row(WEFT_F32, &wide, *e->text == 'f' ? WEFT_F16 : WEFT_BF16, &bits, 1);
    return give(r, e, (double)(*e->text == 'f' ? weft__f32_from_f16(bits) : weft__f32_from_bf16(bits)), out);
}

static weft_status call_pow(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    return give(r, e, pow(weft__as_number(&x[0]), weft__as_number(&x[1])), out);
}

static weft_status call_abs(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    if (x->kind == DATUM_NUMBER) return give(r, e, fabs(x->number), out);
    if (x->whole == INT64_MIN) return fail(r, e, "the result is too large");
    *out = weft__whole(x->whole < 0 ? -x->whole : x->whole);
    return WEFT_OK;
}

static weft_status call_least(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    (void)r;
    int sign = e->text[1] == 'i' ? 1 : -1; /* min, max */
    *out = x[0];
    for (uint32_t i = 1; i < e->n; i++)
        if (sign * weft__datum_order(&x[i], out) < 0) *out = x[i];
    return WEFT_OK;
}

static weft_status call_len(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out)
{
    if (x->kind == DATUM_TEXT)
        *out = weft__whole((int64_t)strlen(x->text));
    else if (x->kind == DATUM_LIST)
        *out = weft__whole(x->n);
    else
        return weft__run_unfit(r, e->args[0], x, "a list or a text");
    return WEFT_OK;
}

static const struct function {
    const char *name;
    uint32_t min, max; /* arguments */
    bool numbers;      /* all of them are */
    weft_status (*call)(weft__run *r, const weft__expr *e, const weft__datum *x, weft__datum *out);
} functions[] = {
    { "min", 1, UINT32_MAX, true, call_least }, { "max", 1, UINT32_MAX, true, call_least },
    { "int", 1, 1, true, call_round },          { "floor", 1, 1, true, call_round },
    { "ceil", 1, 1, true, call_round },         { "round", 1, 1, true, call_round },
    { "float", 1, 1, true, call_float },        { "sqrt", 1, 1, true, call_root },
    { "log", 1, 1, true, call_log },            { "exp", 1, 1, true, call_exp },
    { "pow", 2, 2, true, call_pow },            { "abs", 1, 1, true, call_abs },
    { "f16", 1, 1, true, call_narrow },         { "bf16", 1, 1, true, call_narrow },
    { "len", 1, 1, false, call_len },
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

weft_status weft__eval_call(weft__run *r, const weft__expr *e, const weft__datum *args, weft__datum *out)
{
    const struct function *f = functions;
    while (f < functions + FUNCTIONS && strcmp(f->name, e->text)) f++;
    if (f == functions + FUNCTIONS)
        return weft__run_unknown(r, &(weft__ident){ e->text, e->at }, "no function is called", functions, FUNCTIONS,
                                 sizeof *functions);
    if (e->n < f->min || e->n > f->max)
        return weft__run_fail(r, e->at, WEFT_FORMAT, "%s takes %u argument%s%s, not %u", f->name, f->min,
                              f->min == 1 ? "" : "s", f->max > f->min ? " or more" : "", e->n);
    for (uint32_t i = 0; i < e->n && f->numbers; i++)
        if (!weft__is_number(&args[i])) return weft__run_unfit(r, e->args[i], &args[i], "a number");
    return f->call(r, e, args, out);
}
