/* eval.c: expressions of a text become data. Operators and functions are in eval_op.c. */
#include "graph/attr.h"
#include "graph/rope.h"
#include "graph/text/run.h"

#include <math.h>
#include <string.h>

/* Evaluates. words: any name that is nothing else is a word. */
static weft_status eval(weft__run *r, const weft__expr *e, bool words, weft__datum *out);

/* ---- names and texts ---- */

/* Words that fields have, whatever the text calls by other names. */
static bool is_word_of_fields(const char *name)
{
    weft_dtype dtype;
    weft_act act;
    weft_rope_kind rope;
    return weft_dtype_parse(name, &dtype) || weft__act_parse(name, &act) || weft__rope_parse(name, &rope);
}

static bool find_extent(const weft_graph *g, const char *name, weft__datum *out)
{
    for (uint32_t i = 0; i < g->n_extents; i++) {
        if (strcmp(g->extents[i].name, name)) continue;
        *out = (weft__datum){ .kind = DATUM_DIM, .dim = { 1, i + 1 } };
        return true;
    }
    return false;
}

static weft_status eval_name(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    const weft__datum *known = weft__run_find(r, e->text);
    bool is_true = !strcmp(e->text, "true");
    if (known)
        *out = *known;
    else if (is_true || !strcmp(e->text, "false"))
        *out = weft__truth(is_true);
    else if (find_extent(r->g, e->text, out))
        return WEFT_OK;
    else if (words || r->t->version == 1 || is_word_of_fields(e->text))
        *out = weft__characters(DATUM_WORD, e->text);
    else
        return weft__run_unbound(r, &(weft__ident){ e->text, e->at }, "no parameter is called", false);
    return WEFT_OK;
}

/* The parts of a string as one text. */
static weft_status join(weft__run *r, const weft__expr *e, const weft__datum *parts, const char **out)
{
    char text[WEFT__MAX_NAME + 1], buf[WEFT__DATUM_TEXT];
    size_t used = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        const char *part = weft__datum_text(&parts[i], buf);
        if (!part)
            return weft__run_fail(r, e->args[i]->at, WEFT_FORMAT, "%s is nothing that a text shows",
                                  weft__datum_what(&parts[i]));
        size_t n = strlen(part);
        if (n > WEFT__MAX_NAME - used)
            return weft__run_fail(r, e->at, WEFT_LIMIT, "the text has more than %d bytes", WEFT__MAX_NAME);
        memcpy(text + used, part, n);
        used += n;
    }
    *out = weft__heap_copy(&r->heap, text, used);
    return *out ? WEFT_OK : WEFT_OOM_FAIL(r->err, "texts of a text");
}

static weft_status eval_string(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    (void)words;
    *out = weft__characters(DATUM_TEXT, "");
    if (!e->n) return WEFT_OK;
    if (e->n == 1 && e->args[0]->kind == EXPR_TEXT) {
        out->text = e->args[0]->text;
        return WEFT_OK;
    }
    weft__datum *parts = weft__heap_alloc(&r->heap, e->n, sizeof *parts);
    if (!parts) return WEFT_OOM_FAIL(r->err, "texts of a text");
    for (uint32_t i = 0; i < e->n; i++) WEFT_TRY(eval(r, e->args[i], false, &parts[i]));
    return join(r, e, parts, &out->text);
}

static weft_status eval_characters(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    (void)r;
    (void)words;
    *out = weft__characters(DATUM_TEXT, e->text);
    return WEFT_OK;
}

/* ---- numbers and lists ---- */

static weft_status eval_int(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    (void)r;
    (void)words;
    *out = weft__whole(e->i);
    return WEFT_OK;
}

static weft_status eval_float(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    (void)words;
    *out = weft__number(e->f);
    return isfinite(e->f) ? WEFT_OK : weft__run_fail(r, e->at, WEFT_FORMAT, "the number is out of range");
}

static weft_status eval_bits(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    (void)r;
    (void)words;
    *out = (weft__datum){ .kind = DATUM_BITS, .n = e->digits, .whole = e->i };
    return WEFT_OK;
}

static weft_status eval_list(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    weft__datum *list = weft__heap_alloc(&r->heap, e->n, sizeof *list);
    if (!list) return WEFT_OOM_FAIL(r->err, "lists of a text");
    for (uint32_t i = 0; i < e->n; i++) {
        WEFT_TRY(eval(r, e->args[i], words, &list[i]));
        if (list[i].kind == DATUM_LIST || list[i].kind == DATUM_TUPLE)
            return weft__run_fail(r, e->args[i]->at, WEFT_FORMAT, "a list in a list");
    }
    *out = (weft__datum){ .kind = e->kind == EXPR_LIST ? DATUM_LIST : DATUM_TUPLE, .n = e->n, .list = list };
    return WEFT_OK;
}

static weft_status eval_index(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    weft__datum list;
    int64_t at;
    WEFT_TRY(eval(r, e->args[0], words, &list));
    if (list.kind != DATUM_LIST) return weft__run_unfit(r, e->args[0], &list, "a list");
    WEFT_TRY(weft__eval_whole(r, e->args[1], INT64_MIN, INT64_MAX, &at));
    if (at < 0 || at >= list.n)
        return weft__run_fail(r, e->args[1]->at, WEFT_FORMAT, "the list has %u element%s, and none at %lld", list.n,
                              list.n == 1 ? "" : "s", (long long)at);
    *out = list.list[at];
    return WEFT_OK;
}

/* ---- operators and functions ---- */

static weft_status eval_unary(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    weft__datum x;
    (void)words;
    WEFT_TRY(eval(r, e->args[0], false, &x));
    return weft__eval_unary(r, e, &x, out);
}

/* `and` and `or` look at their right side only if the left one does not decide. */
static weft_status eval_binary(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    weft__datum x, y;
    bool is_and = !strcmp(e->text, "and"), left, right;
    (void)words;
    if (is_and || !strcmp(e->text, "or")) {
        WEFT_TRY(weft__eval_truth(r, e->args[0], &left));
        *out = weft__truth(left);
        if (left != is_and) return WEFT_OK;
        WEFT_TRY(weft__eval_truth(r, e->args[1], &right));
        *out = weft__truth(right);
        return WEFT_OK;
    }
    WEFT_TRY(eval(r, e->args[0], false, &x));
    WEFT_TRY(eval(r, e->args[1], false, &y));
    return weft__eval_binary(r, e, &x, &y, out);
}

static weft_status eval_cond(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    bool first;
    WEFT_TRY(weft__eval_truth(r, e->args[0], &first));
    return eval(r, e->args[first ? 1 : 2], words, out);
}

static weft_status eval_call(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    (void)words;
    weft__datum *args = weft__heap_alloc(&r->heap, e->n, sizeof *args);
    if (!args) return WEFT_OOM_FAIL(r->err, "expressions of a text");
    for (uint32_t i = 0; i < e->n; i++) WEFT_TRY(eval(r, e->args[i], false, &args[i]));
    return weft__eval_call(r, e, args, out);
}

static weft_status eval(weft__run *r, const weft__expr *e, bool words, weft__datum *out)
{
    static weft_status (*const of_kind[EXPR_KINDS])(weft__run *, const weft__expr *, bool, weft__datum *) = {
        [EXPR_INT] = eval_int,       [EXPR_FLOAT] = eval_float, [EXPR_BITS] = eval_bits,
        [EXPR_STRING] = eval_string, [EXPR_TEXT] = eval_characters, [EXPR_NAME] = eval_name,
        [EXPR_LIST] = eval_list,     [EXPR_TUPLE] = eval_list,  [EXPR_UNARY] = eval_unary,
        [EXPR_BINARY] = eval_binary, [EXPR_COND] = eval_cond,   [EXPR_CALL] = eval_call,
        [EXPR_INDEX] = eval_index,
    };
    WEFT_TRY(weft__run_step(r, e->at, 1));
    return of_kind[e->kind](r, e, words, out);
}

weft_status weft__eval(weft__run *r, const weft__expr *e, weft__datum *out)
{
    return eval(r, e, false, out);
}

weft_status weft__eval_word(weft__run *r, const weft__expr *e, weft__datum *out)
{
    return eval(r, e, true, out);
}

/* ---- what is wanted ---- */

weft_status weft__eval_whole(weft__run *r, const weft__expr *e, int64_t lo, int64_t hi, int64_t *out)
{
    weft__datum d;
    WEFT_TRY(eval(r, e, false, &d));
    if (d.kind != DATUM_WHOLE) return weft__run_unfit(r, e, &d, "a whole number");
    *out = d.whole;
    return d.whole >= lo && d.whole <= hi ? WEFT_OK
                                          : weft__run_fail(r, e->at, WEFT_FORMAT, "the number is out of range");
}

weft_status weft__eval_number(weft__run *r, const weft__expr *e, double *out)
{
    weft__datum d;
    WEFT_TRY(eval(r, e, false, &d));
    if (!weft__is_number(&d)) return weft__run_unfit(r, e, &d, "a number");
    *out = weft__as_number(&d);
    return WEFT_OK;
}

weft_status weft__eval_truth(weft__run *r, const weft__expr *e, bool *out)
{
    weft__datum d;
    WEFT_TRY(eval(r, e, false, &d));
    *out = d.kind == DATUM_TRUTH && d.truth;
    return d.kind == DATUM_TRUTH ? WEFT_OK : weft__run_unfit(r, e, &d, "true or false");
}

weft_status weft__eval_text(weft__run *r, const weft__expr *e, const char **out)
{
    weft__datum d;
    WEFT_TRY(eval(r, e, false, &d));
    *out = d.text;
    return d.kind == DATUM_TEXT ? WEFT_OK : weft__run_unfit(r, e, &d, "a text");
}
