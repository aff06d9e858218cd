/* express.c: expressions of trees that are made. */
#include "graph/number.h"
#include "graph/text/solve.h"

#include <math.h>
#include <string.h>

static weft__expr *make(weft__fold *f, weft__expr_kind kind)
{
    weft__expr *e = weft__fold_alloc(f, 1, sizeof *e);
    if (e) e->kind = kind;
    return e;
}

weft__expr *weft__expr_whole(weft__fold *f, int64_t x)
{
    weft__expr *e = make(f, EXPR_INT);
    if (e) e->i = x;
    if (e) e->f = (double)x;
    return e;
}

/* "1e-05" as "1e-5". */
static void trim(char *text)
{
    char *e = strchr(text, 'e');
    if (!e) return;
    char *digits = e[1] == '-' || e[1] == '+' ? e + 2 : e + 1, *to = e[1] == '-' ? e + 2 : e + 1;
    digits += strspn(digits, "0");
    memmove(to, digits, strlen(digits) + 1);
}

static weft__expr *spelled(weft__fold *f, double x, char *text)
{
    trim(text);
    weft__expr *e = make(f, EXPR_FLOAT);
    char *copy = weft__arena_strdup(f->arena, text);
    if (!e || !copy) f->failed = true;
    if (f->failed) return NULL;
    e->f = x;
    e->text = copy;
    return e;
}

weft__expr *weft__expr_float(weft__fold *f, float x)
{
    char text[WEFT__FLOAT_TEXT];
    if (isfinite(x)) {
        weft__float_text(x, text);
        return spelled(f, (double)x, text);
    }
    weft__expr *e = make(f, EXPR_BITS);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (e) e->i = bits;
    if (e) e->digits = 8;
    return e;
}

weft__expr *weft__expr_double(weft__fold *f, double x)
{
    char text[WEFT__FLOAT_TEXT];
    weft__double_text(x, text);
    return spelled(f, x, text);
}

weft__expr *weft__expr_name(weft__fold *f, const char *name)
{
    weft__expr *e = make(f, EXPR_NAME);
    if (e) e->text = name;
    return e;
}

weft__expr *weft__expr_many(weft__fold *f, weft__expr_kind kind, const char *text, weft__expr *const *args, uint32_t n)
{
    weft__expr *e = make(f, kind);
    weft__expr **copy = weft__fold_alloc(f, n, sizeof *copy);
    for (uint32_t i = 0; copy && i < n; i++) {
        if (!args[i]) f->failed = true;
        copy[i] = args[i];
    }
    if (f->failed) return NULL;
    e->text = text;
    e->args = copy;
    e->n = n;
    return e;
}

weft__expr *weft__expr_text(weft__fold *f, const char *text)
{
    weft__expr *part = *text ? make(f, EXPR_TEXT) : NULL;
    if (part) part->text = text;
    return weft__expr_many(f, EXPR_STRING, NULL, &part, part != NULL);
}

weft__expr *weft__expr_characters(weft__fold *f, const char *text)
{
    weft__expr *e = make(f, EXPR_TEXT);
    if (e) e->text = text;
    return e;
}

static weft__expr *joined(weft__fold *f, const char *a, const char *b)
{
    char *text = weft__fold_alloc(f, strlen(a) + strlen(b) + 1, 1);
    if (!text) return NULL;
    memcpy(text, a, strlen(a));
    memcpy(text + strlen(a), b, strlen(b));
    return weft__expr_characters(f, text);
}

/* Neighbouring characters become one part, for that is how texts are read. */
weft__expr *weft__expr_string(weft__fold *f, weft__expr *const *parts, uint32_t n)
{
    weft__expr **kept = weft__fold_alloc(f, n, sizeof *kept);
    uint32_t k = 0;
    for (uint32_t i = 0; i < n && !f->failed; i++) {
        bool both = k && parts[i]->kind == EXPR_TEXT && kept[k - 1]->kind == EXPR_TEXT;
        if (both) kept[k - 1] = joined(f, kept[k - 1]->text, parts[i]->text);
        else kept[k++] = parts[i];
    }
    return f->failed ? NULL : weft__expr_many(f, EXPR_STRING, NULL, kept, k);
}
