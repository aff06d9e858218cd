/* forms.c: forms of expressions, tried one after the other, the short ones first.
 *
 * A form is written backwards, as calculators have it: letters a, b, c are what may be named (atoms), k is a number
 * that the first place gives by a form of its own (in which v is the value), then every place must agree. */
#include "graph/text/problem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct form { const char *text, *constant; } form;

/* + - * / as they are; Q square root, L logarithm, I cut to a whole number, H rounded to bf16, N negative, 1 and 2
 * themselves. */
static const form whole_forms[] = {
    { "a", NULL }, { "ak*", "va/" }, { "ak+", "va-" }, { "ab*", NULL }, { "ab/", NULL }, { "ak/", "av/" },
    { "ab+", NULL }, { "ab-", NULL }, { "ab*k*", "vab*/" }, { "ab*I", NULL }, { "ab/k+", "vab/-" },
    { "ab/k*", "vab//" },
    { "ab*k+", "vab*-" }, { "ak*b+", "vb-a/" }, { "akb*+", "va-b/" }, { "ab*c*", NULL }, { "ab*c/", NULL },
    { "ak+b*", "vb/a-" }, { "abk*+c*", "vc/a-b/" }, { "ab*Ik/", "ab*Iv/" }, { "ab*c+", NULL }, { "aI", NULL },
};
static const form float_forms[] = {
    { "a", NULL }, { "aN", NULL }, { "1a/", NULL }, { "1aQ/", NULL }, { "aQ", NULL }, { "ak*", "va/" },
    { "ka/", "va*" },
    { "ak+", "va-" }, { "ab*", NULL }, { "ab/", NULL }, { "1ab*/", NULL }, { "aQH", NULL }, { "aH", NULL },
    { "1aQ/b1+/", NULL }, { "1a1+/", NULL }, { "ka1+/", "va1+*" }, { "kaL*1+", "v1-aL/" },
    { "1ab/LbL/+Q", NULL }, { "ab/Lk*1+", "v1-ab/L/" }, { "aQk*", "vaQ/" }, { "ab*N", NULL },
};

static float to_bf16(double x)
{
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double one(char op, double x)
{
    return op == 'Q' ? sqrt(x) : op == 'L' ? log(x) : op == 'I' ? floor(x) : op == 'H' ? (double)to_bf16(x) : -x;
}

static double two(char op, double x, double y)
{
    return op == '+' ? x + y : op == '-' ? x - y : op == '*' ? x * y : y != 0 ? x / y : (double)NAN;
}

/* A form at place i, of the atoms `of`. */
static double value(const weft__problem *p, const char *text, const uint32_t *of, double k, double v, uint32_t i)
{
    double stack[8];
    uint32_t n = 0;
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'c') stack[n++] = p->atoms[of[*text - 'a']].at[i];
        else if (*text == 'k') stack[n++] = k;
        else if (*text == 'v') stack[n++] = v;
        else if (*text == '1') stack[n++] = 1;
        else if (strchr("QLIHN", *text)) stack[n - 1] = one(*text, stack[n - 1]);
        else {
            n--;
            stack[n - 1] = two(*text, stack[n - 1], stack[n]);
        }
    }
    return stack[0];
}

bool weft__is_whole(double x)
{
    return x == floor(x) && fabs(x) < 9e15;
}

/* Whether a number is one that people write. */
static bool is_plain(double x)
{
    char text[40];
    double back;
    snprintf(text, sizeof text, "%.6g", x);
    return isfinite(x) && sscanf(text, "%lf", &back) == 1 && back == x;
}

/* ---- expressions of forms ---- */

static weft__expr *call(weft__problem *p, const char *name, weft__expr *x)
{
    return weft__expr_many(p->s->f, EXPR_CALL, name, &x, 1);
}

weft__expr *weft__problem_binary(weft__problem *p, const char *op, weft__expr *x, weft__expr *y)
{
    return weft__expr_many(p->s->f, EXPR_BINARY, op, (weft__expr *[]){ x, y }, 2);
}

weft__expr *weft__problem_number(weft__problem *p, double k)
{
    return weft__is_whole(k) ? weft__expr_whole(p->s->f, (int64_t)k) : weft__expr_double(p->s->f, k);
}

static weft__expr *apply(weft__problem *p, char op, weft__expr *x)
{
    if (op == 'Q') return call(p, "sqrt", x);
    if (op == 'L') return call(p, "log", x);
    if (op == 'I') return call(p, "int", x);
    if (op == 'H') return call(p, "bf16", x);
    return weft__expr_many(p->s->f, EXPR_UNARY, "-", &x, 1);
}

/* A quotient of wholes is one in texts, and must be: that of floats begins with one. */
static weft__expr *as_float(weft__problem *p, weft__expr *x)
{
    char *text = weft__fold_alloc(p->s->f, 32, 1);
    if (!text || x->kind != EXPR_INT) return x;
    weft__expr *e = weft__expr_double(p->s->f, (double)x->i);
    snprintf(text, 32, "%lld.0", (long long)x->i);
    if (e) e->text = text;
    return e;
}

static bool is_float(const weft__problem *p, const weft__expr *e)
{
    if (e->kind == EXPR_CALL) return strcmp(e->text, "int") != 0;
    for (uint32_t m = 0; m < p->s->n_params && e->kind == EXPR_NAME; m++)
        if (!strcmp(p->s->params[m].name, e->text)) return p->s->params[m].kind == PARAM_FLOAT;
    for (uint32_t i = 0; i < e->n; i++)
        if (is_float(p, e->args[i])) return true;
    return e->kind == EXPR_FLOAT;
}

static weft__expr *combine(weft__problem *p, char op, weft__expr *x, weft__expr *y)
{
    if (op == '/' && p->floats && x && y && !is_float(p, y)) x = as_float(p, x);
    bool less = op == '+' && y && y->kind == EXPR_INT && y->i < 0;
    if (less) return weft__problem_binary(p, "-", x, weft__expr_whole(p->s->f, -y->i));
    if (op == '*' && y && y->kind == EXPR_INT && x && x->kind == EXPR_NAME) return weft__problem_binary(p, "*", y, x);
    return weft__problem_binary(p, op == '+' ? "+" : op == '-' ? "-" : op == '*' ? "*" : "/", x, y);
}

static weft__expr *build(weft__problem *p, const char *text, const uint32_t *of, double k)
{
    weft__expr *stack[8];
    uint32_t n = 0;
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'c') {
            const weft__atom *a = &p->atoms[of[*text - 'a']];
            if (a->param >= 0) p->s->params[a->param].used = true;
            if (a->other >= 0) p->s->params[a->other].used = true;
            stack[n++] = a->expr;
        } else if (*text == 'k' || *text == '1') {
            stack[n++] = weft__problem_number(p, *text == '1' ? 1 : k);
        } else if (strchr("QLIHN", *text)) {
            stack[n - 1] = apply(p, *text, stack[n - 1]);
        } else {
            n--;
            stack[n - 1] = combine(p, *text, stack[n - 1], stack[n]);
        }
    }
    return stack[0];
}

/* ---- trying ---- */

static bool fits_whole(const weft__slot *want, uint32_t i, double got)
{
    return weft__is_whole(got) && (double)want[i].whole == got;
}

static bool fits_float(const weft__slot *want, uint32_t i, double got)
{
    float x = (float)got;
    return !memcmp(&x, &want[i].number, sizeof x);
}

/* Wholes divided by wholes stay wholes in a text. */
static bool divides_evenly(const weft__problem *p, const char *text, const uint32_t *of)
{
    if (strncmp(text, "ab/", 3) != 0 && strncmp(text, "1ab/", 4) != 0) return true;
    const weft__atom *a = &p->atoms[of[0]], *b = &p->atoms[of[1]];
    for (uint32_t i = 0; i < p->n && a->whole && b->whole; i++)
        if (!weft__is_whole(a->at[i] / b->at[i])) return false;
    return true;
}

static uint32_t letters(const char *text)
{
    return strchr(text, 'c') ? 3 : strchr(text, 'b') ? 2 : 1;
}

static bool fits(const weft__problem *p, const weft__slot *want, uint32_t i, double got)
{
    return p->floats ? fits_float(want, i, got) : fits_whole(want, i, got);
}

/* Wholes are made of wholes, or cut. */
static bool may_be(const weft__problem *p, const form *f, const uint32_t *of)
{
    for (uint32_t i = 0; !p->floats && i < letters(f->text); i++)
        if (!p->atoms[of[i]].whole && !strchr(f->text, 'I')) return false;
    return divides_evenly(p, f->text, of);
}

/* A constant that people would write. */
static bool is_usual(const weft__problem *p, const form *f, double k)
{
    if (!f->constant) return true;
    if (!p->floats) return weft__is_whole(k) && fabs(k) <= 4096;
    return is_plain(k) && !(k == 1 && strchr(f->text, '*'));
}

static weft__expr *try_form(weft__problem *p, const form *f, const uint32_t *of, const weft__slot *want)
{
    const double v = p->floats ? (double)want[0].number : (double)want[0].whole;
    const double k = f->constant ? value(p, f->constant, of, 0, v, 0) : 0;
    if (!may_be(p, f, of) || !is_usual(p, f, k)) return NULL;
    for (uint32_t i = 0; i < p->n; i++)
        if (!fits(p, want, i, value(p, f->text, of, k, 0, i))) return NULL;
    return build(p, f->text, of, k);
}

static const form *forms_of(const weft__problem *p, size_t *n)
{
    *n = p->floats ? sizeof float_forms / sizeof *float_forms : sizeof whole_forms / sizeof *whole_forms;
    return p->floats ? float_forms : whole_forms;
}

weft__expr *weft__problem_form(weft__problem *p, const weft__slot *want)
{
    size_t n;
    const form *forms = forms_of(p, &n);
    for (size_t i = 0; i < n; i++) {
        uint32_t of[3] = { 0 }, count = letters(forms[i].text);
        for (of[0] = 0; of[0] < p->n_atoms; of[0]++)
            for (of[1] = 0; of[1] < (count > 1 ? p->n_atoms : 1); of[1]++)
                for (of[2] = 0; of[2] < (count > 2 ? p->n_atoms : 1); of[2]++) {
                    weft__expr *e = try_form(p, &forms[i], of, want);
                    if (e || p->s->f->failed) return e;
                }
    }
    return NULL;
}

weft__expr *weft__problem_line(weft__problem *p, const weft__slot *want)
{
    for (uint32_t x = 0; x < p->n_atoms; x++) {
        const double *a = p->atoms[x].at;
        uint32_t i = 1;
        while (i < p->n && a[i] == a[0]) i++;
        if (i == p->n) continue;
        double k = (double)(want[i].whole - want[0].whole) / (a[i] - a[0]), c = (double)want[0].whole - k * a[0];
        if (!weft__is_whole(k) || !weft__is_whole(c) || fabs(k) > 1e6) continue;
        for (i = 0; i < p->n && (double)want[i].whole == k * a[i] + c; i++) {}
        if (i < p->n) continue;
        uint32_t of[1] = { x };
        if (k == -1) return weft__problem_binary(p, "-", weft__problem_number(p, c), build(p, "a", of, 0));
        return combine(p, '+', build(p, "ak*", of, k), weft__problem_number(p, c));
    }
    return NULL;
}

/* ---- samples that are odd ---- */

/* Whether a parameter is seen to move the value as the form says. */
static bool is_seen(const weft__problem *p, int32_t param, const weft__atom *x, const form *f, const uint32_t *of,
                    const weft__slot *want)
{
    for (uint32_t i = 1; i < p->n && param >= 0; i++) {
        bool its = p->s->samples[p->places[i]->sample].changed == param && x->at[i] != x->at[0];
        if (its && fits(p, want, i, value(p, f->text, of, 0, 0, i))) return true;
    }
    return param < 0;
}

/* In how many samples a form is wrong; UINT32_MAX: it will not do at all. */
static uint32_t misfits(const weft__problem *p, const form *f, const uint32_t *of, const weft__slot *want)
{
    uint32_t n = 0;
    if (f->constant || letters(f->text) > 2 || !may_be(p, f, of)) return UINT32_MAX;
    for (uint32_t i = 0; i < p->n; i++) {
        bool fit = fits(p, want, i, value(p, f->text, of, 0, 0, i));
        if (!i && !fit) return UINT32_MAX;
        n += !fit;
    }
    for (uint32_t a = 0; a < letters(f->text); a++) {
        const weft__atom *x = &p->atoms[of[a]];
        if (!is_seen(p, x->param, x, f, of, want) || !is_seen(p, x->other, x, f, of, want)) return UINT32_MAX;
    }
    return n;
}

void weft__problem_mark_odd(weft__problem *p, const weft__slot *want)
{
    size_t n;
    uint32_t least = UINT32_MAX, of[2] = { 0 }, best_of[2] = { 0 };
    const form *forms = forms_of(p, &n), *best = NULL;
    for (size_t i = 0; i < n; i++)
        for (of[0] = 0; of[0] < p->n_atoms; of[0]++)
            for (of[1] = 0; of[1] < (letters(forms[i].text) > 1 ? p->n_atoms : 1); of[1]++) {
                uint32_t wrong = misfits(p, &forms[i], of, want);
                if (wrong >= least) continue;
                least = wrong;
                best = &forms[i];
                memcpy(best_of, of, sizeof of);
            }
    for (uint32_t i = 1; best && 3 * least <= p->n && i < p->n; i++)
        if (!fits(p, want, i, value(p, best->text, best_of, 0, 0, i))) p->s->odd[p->places[i]->sample] = true;
}
