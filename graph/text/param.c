/* param.c: parameters get their values: the caller's, else the configuration's by the first key that it has, else the
 * text's own; and what a text requires of a configuration is checked. All of it in the run that counts. */
#include "graph/attr.h"
#include "graph/lookup.h"
#include "graph/text/grammar.h"
#include "graph/text/run.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum param_type { /* as weft__param_type has them */
    PARAM_INT, PARAM_FLOAT, PARAM_BOOL, PARAM_TEXT, PARAM_DTYPE, PARAM_ACT, PARAM_TYPES
} param_type;

typedef struct param {
    const weft__stmt *s;
    param_type type;
    weft__lookup_range range;
} param;

enum { KEY = 256 }; /* bytes of a key */

static bool is_text(param_type t)
{
    return t >= PARAM_TEXT;
}

/* ---- a value becomes one of the parameter's type ---- */

static weft_status unfit(weft__run *r, const param *p, const char *at, const weft__datum *d)
{
    static const char *const wanted[PARAM_TYPES] = { "a whole number", "a number", "true or false",
                                                     "a text",         "a type",   "an activation" };
    char buf[WEFT__DATUM_TEXT];
    const char *shown = weft__datum_text(d, buf);
    return weft__run_fail(r, at, WEFT_FORMAT, "parameter '%s' is %s: %.60s, not %s", p->s->name.text,
                          weft__datum_what(d), shown ? shown : "..", wanted[p->type]);
}

static weft_status fit_number(weft__run *r, const param *p, const char *at, const weft__datum *d, weft__datum *out)
{
    double x = weft__as_number(d);
    bool whole = p->type == PARAM_INT;
    if (whole && d->kind != DATUM_WHOLE) return unfit(r, p, at, d);
    if (!(x >= p->range.min && x <= p->range.max))
        return weft__run_fail(r, at, WEFT_FORMAT, "parameter '%s' is %.9g, must be from %.9g to %.9g", p->s->name.text,
                              x, p->range.min, p->range.max);
    *out = whole ? *d : weft__number(x);
    return WEFT_OK;
}

static weft_status fit_text(weft__run *r, const param *p, const char *at, const weft__datum *d, weft__datum *out)
{
    weft_dtype dtype;
    weft_act act = WEFT_ACT_NONE;
    *out = *d;
    out->kind = p->type == PARAM_TEXT ? DATUM_TEXT : DATUM_WORD;
    if (p->type == PARAM_DTYPE && !weft_dtype_parse(d->text, &dtype)) return unfit(r, p, at, d);
    if (p->type != PARAM_ACT) return WEFT_OK;
    if (!weft__act_parse(d->text, &act) && !weft__act_named(d->text, &act))
        return weft__run_fail(r, at, WEFT_UNSUPPORTED, "parameter '%s' is '%.60s', an activation that is not known",
                              p->s->name.text, d->text);
    out->text = weft__act_name(act);
    return WEFT_OK;
}

static weft_status fit(weft__run *r, const param *p, const char *at, const weft__datum *d, weft__datum *out)
{
    bool words = d->kind == DATUM_TEXT || (d->kind == DATUM_WORD && p->type != PARAM_TEXT);
    if (is_text(p->type)) return words ? fit_text(r, p, at, d, out) : unfit(r, p, at, d);
    if (p->type != PARAM_BOOL) return weft__is_number(d) ? fit_number(r, p, at, d, out) : unfit(r, p, at, d);
    *out = *d;
    return d->kind == DATUM_TRUTH ? WEFT_OK : unfit(r, p, at, d);
}

/* A number from outside as a datum of the type; what does not fit stays a number, and is found to. */
static weft__datum outside(param_type t, double x)
{
    if (t == PARAM_BOOL && (x == 0 || x == 1)) return weft__truth(x != 0);
    if (t == PARAM_INT && x == floor(x) && fabs(x) < 9e18) return weft__whole((int64_t)x);
    return weft__number(x);
}

/* ---- the caller's ---- */

static const weft_graph_param *given(weft__run *r, const char *name)
{
    for (uint32_t i = 0; i < r->desc->n_params; i++) {
        if (strcmp(r->desc->params[i].name, name)) continue;
        r->param_used[i] = true;
        return &r->desc->params[i];
    }
    return NULL;
}

static weft_status read_given(weft__run *r, const param *p, const char *name, weft__datum *out, bool *found)
{
    const weft_graph_param *x = given(r, name);
    *found = x != NULL;
    if (!x) return WEFT_OK;
    weft__datum d = x->text ? weft__characters(DATUM_TEXT, x->text) : outside(p->type, x->number);
    return fit(r, p, p->s->name.at, &d, out);
}

weft_status weft__run_params_used(weft__run *r)
{
    for (uint32_t i = 0; i < r->desc->n_params; i++) {
        if (r->param_used[i]) continue;
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(r->desc->params[k].name, r->desc->params[i].name))
                return weft__run_fail(r, NULL, WEFT_INVALID, "parameter '%.60s' is given twice",
                                      r->desc->params[i].name);
        weft__ident name = { r->desc->params[i].name, NULL };
        weft__run_unbound(r, &name, "the text has no parameter", false);
        return r->err->status = WEFT_NOT_FOUND;
    }
    return WEFT_OK;
}

/* ---- the configuration's ---- */

static weft_status read_key(weft__run *r, const param *p, const char *key, weft__datum *out, bool *found)
{
    const weft_config *c = r->desc->config;
    const char *text;
    double x;
    int n = is_text(p->type) ? weft__lookup_text(r->g, c, key, &text)
                             : weft__lookup_number(r->g, c, key, p->range, &x);
    *found = n > 0;
    if (n < 0) return weft__run_sticky(r, p->s->name.at);
    if (!n) return WEFT_OK;
    weft__datum d = is_text(p->type) ? weft__characters(DATUM_TEXT, text) : outside(p->type, x);
    if (is_text(p->type)) weft__lookup_tell(c, &(weft_config_value){ .key = key, .text = text, .found = true });
    return fit(r, p, p->s->name.at, &d, out);
}

/* ---- lists ---- */

typedef weft_status read_fn(weft__run *r, const param *p, const char *key, weft__datum *out, bool *found);

/* name.0, name.1, .. up to the first that there is not. */
static weft_status read_list(weft__run *r, const param *p, read_fn *read, const char *name, weft__datum *out,
                             bool *found)
{
    weft__datum *list = NULL;
    size_t cap = 0;
    uint32_t n = 0;
    bool more = true;
    weft_status s = WEFT_OK;
    while (s == WEFT_OK && more) {
        char key[KEY];
        int wrote = snprintf(key, sizeof key, "%s.%u", name, n);
        if (n == WEFT__TEXT_LIST || wrote < 0 || (size_t)wrote >= sizeof key)
            s = weft__run_fail(r, p->s->name.at, WEFT_LIMIT, "parameter '%s' has more than %d elements, or too long a "
                               "name", p->s->name.text, (int)WEFT__TEXT_LIST);
        else if (!weft__grow(&list, &cap, (size_t)n + 1, sizeof *list))
            s = WEFT_OOM_FAIL(r->err, "parameters of a text");
        else
            s = read(r, p, key, &list[n], &more);
        if (s == WEFT_OK && more) n++;
    }
    *found = n > 0;
    weft__datum *kept = s == WEFT_OK && n ? weft__arena_alloc(&r->kept, n, sizeof *kept) : NULL;
    if (kept) memcpy(kept, list, n * sizeof *kept);
    free(list);
    *out = (weft__datum){ .kind = DATUM_LIST, .n = n, .list = kept };
    return s == WEFT_OK && n && !kept ? WEFT_OOM_FAIL(r->err, "parameters of a text") : s;
}

static weft_status read_from(weft__run *r, const param *p, read_fn *read, const char *name, weft__datum *out,
                             bool *found)
{
    return p->s->list ? read_list(r, p, read, name, out, found) : read(r, p, name, out, found);
}

/* ---- the text's own ---- */

/* Copies what a datum points to, which the end of its statement takes away. */
static weft_status keep(weft__run *r, weft__datum *d)
{
    if (d->kind != DATUM_TEXT && d->kind != DATUM_WORD) return WEFT_OK;
    d->text = weft__arena_strdup(&r->kept, d->text);
    return d->text ? WEFT_OK : WEFT_OOM_FAIL(r->err, "parameters of a text");
}

static weft_status default_list(weft__run *r, const param *p, const weft__expr *e, const weft__datum *d,
                                weft__datum *out)
{
    if (d->kind != DATUM_LIST) return weft__run_unfit(r, e, d, "a list");
    weft__datum *list = weft__arena_alloc(&r->kept, d->n, sizeof *list);
    if (!list) return WEFT_OOM_FAIL(r->err, "parameters of a text");
    for (uint32_t i = 0; i < d->n; i++) {
        WEFT_TRY(fit(r, p, e->kind == EXPR_LIST ? e->args[i]->at : e->at, &d->list[i], &list[i]));
        WEFT_TRY(keep(r, &list[i]));
    }
    *out = (weft__datum){ .kind = DATUM_LIST, .n = d->n, .list = list };
    return WEFT_OK;
}

/* What was not found is told with the value that it has got. */
static void tell_default(const weft__run *r, const param *p, const char *key, const weft__datum *d)
{
    weft_config_value v = { .key = key, .truth = d->kind == DATUM_TRUTH };
    if (d->kind == DATUM_TEXT || d->kind == DATUM_WORD)
        v.text = d->text;
    else if (d->kind == DATUM_TRUTH)
        v.number = d->truth;
    else
        v.number = weft__as_number(d);
    if (r->desc->config && !p->s->list) weft__lookup_tell(r->desc->config, &v);
}

static weft_status missing(weft__run *r, const param *p)
{
    const weft_config *c = r->desc->config;
    const char *name = p->s->name.text, *key = p->s->n_strings ? p->s->strings[0] : name;
    if (!c)
        return weft__run_fail(r, p->s->name.at, WEFT_NOT_FOUND,
                              "parameter '%s' has no value: neither the caller nor the text gives one", name);
    return weft__run_fail(r, p->s->name.at, WEFT_NOT_FOUND, "parameter '%s' has no value: %s has no '%s'%s", name,
                          weft__lookup_origin(c), weft__lookup_spelling(c, key),
                          p->s->n_strings > 1 ? " or what else it may be called" : "");
}

/* What stands behind `else` is for configurations that lack it. NULL: it has no value. */
static const weft__expr *default_of(const weft__run *r, const param *p)
{
    const weft__expr *e = p->s->absent;
    if (!e || !r->desc->config || r->desc->undemanding) return p->s->value;
    return e->kind == EXPR_NAME && !strcmp(e->text, "none") ? NULL : e;
}

static weft_status read_default(weft__run *r, const param *p, weft__datum *out)
{
    weft__datum d;
    const weft__expr *e = default_of(r, p);
    if (!e) return missing(r, p);
    WEFT_TRY(is_text(p->type) ? weft__eval_word(r, e, &d) : weft__eval(r, e, &d));
    if (p->s->list) return default_list(r, p, e, &d, out);
    WEFT_TRY(fit(r, p, e->at, &d, out));
    WEFT_TRY(keep(r, out));
    tell_default(r, p, p->s->n_strings ? p->s->strings[0] : p->s->name.text, out);
    return WEFT_OK;
}

/* ---- statements ---- */

static weft_status describe(weft__run *r, const weft__stmt *s, param *p)
{
    const char *known;
    uint32_t t = 0;
    while ((known = weft__param_type(t)) && strcmp(known, s->word.text) != 0) t++;
    if (!known || t >= PARAM_TYPES)
        return weft__run_fail(r, s->word.at, WEFT_FORMAT, "no type of parameters is called '%s'", s->word.text);
    double most = t == PARAM_INT ? 9007199254740992.0 : t == PARAM_BOOL ? 1 : DBL_MAX;
    *p = (param){ s, (param_type)t, { t == PARAM_BOOL ? 0 : -most, most, t == PARAM_INT || t == PARAM_BOOL,
                                      t == PARAM_BOOL } };
    if (s->lo) WEFT_TRY(weft__eval_number(r, s->lo, &p->range.min));
    if (s->hi) WEFT_TRY(weft__eval_number(r, s->hi, &p->range.max));
    return WEFT_OK;
}

static weft_status read_param(weft__run *r, const param *p, weft__datum *out)
{
    const weft__stmt *s = p->s;
    bool found;
    WEFT_TRY(read_from(r, p, read_given, s->name.text, out, &found));
    for (uint32_t i = 0; !found && r->desc->config && i < (s->n_strings ? s->n_strings : 1); i++)
        WEFT_TRY(read_from(r, p, read_key, s->n_strings ? s->strings[i] : s->name.text, out, &found));
    return found ? WEFT_OK : read_default(r, p, out);
}

weft_status weft__run_param(weft__run *r, const weft__stmt *s)
{
    param p;
    weft__datum d;
    if (!r->counting) return weft__run_bind(r, &s->name, &r->params[r->next_param++]);
    WEFT_TRY(describe(r, s, &p));
    WEFT_TRY(read_param(r, &p, &d));
    if (!weft__grow(&r->params, &r->param_cap, (size_t)r->n_params + 1, sizeof *r->params))
        return WEFT_OOM_FAIL(r->err, "parameters of a text");
    r->params[r->n_params++] = d;
    return weft__run_bind(r, &s->name, &d);
}

/* ---- what a text requires of a configuration ---- */

/* What the configuration has under a key, of the kind that `want` is. */
static weft_status required(weft__run *r, const weft__stmt *s, const char *key, const weft__datum *want,
                            weft__datum *have, bool *found)
{
    const weft_config *c = r->desc->config;
    bool text = want->kind == DATUM_TEXT || want->kind == DATUM_WORD, truth = want->kind == DATUM_TRUTH;
    if (!text && !truth && !weft__is_number(want))
        return weft__run_fail(r, s->value->at, WEFT_FORMAT, "no configuration has %s", weft__datum_what(want));
    *have = weft__characters(DATUM_TEXT, "");
    double x = 0;
    int n = text ? weft__lookup_text(r->g, c, key, &have->text)
                 : weft__lookup_number(r->g, c, key, (weft__lookup_range){ -DBL_MAX, DBL_MAX, false, truth }, &x);
    *found = n > 0;
    if (n < 0) return weft__run_sticky(r, s->at);
    if (n && text) weft__lookup_tell(c, &(weft_config_value){ .key = key, .text = have->text, .found = true });
    if (!text) *have = truth && (x == 0 || x == 1) ? weft__truth(x != 0) : weft__number(x);
    return WEFT_OK;
}

static weft_status require_one(weft__run *r, const weft__stmt *s, const char *key, const weft__datum *want)
{
    const weft_config *c = r->desc->config;
    char wanted[WEFT__DATUM_TEXT], had[WEFT__DATUM_TEXT];
    weft__datum have;
    bool found = false, equal = false;
    WEFT_TRY(required(r, s, key, want, &have, &found));
    if ((found && weft__datum_equal(&have, want, &equal) && equal) || (!found && s->list)) return WEFT_OK;
    return weft__run_fail(r, s->at, WEFT_UNSUPPORTED, "the text is for a model whose '%s' is %.60s, and %s has %.60s",
                          weft__lookup_spelling(c, key), weft__datum_text(want, wanted), weft__lookup_origin(c),
                          found ? weft__datum_text(&have, had) : "none");
}

static weft_status key_of(weft__run *r, const weft__stmt *s, const char *name, uint32_t i, char key[KEY])
{
    int wrote = snprintf(key, KEY, "%s.%u", name, i);
    return wrote > 0 && wrote < KEY ? WEFT_OK : weft__run_fail(r, s->at, WEFT_LIMIT, "the key is too long");
}

/* No number, truth or text is called so. */
static weft_status require_absent(weft__run *r, const weft__stmt *s, const char *key)
{
    const weft_config *c = r->desc->config;
    const char *text;
    double x;
    if (!c->number(c->ctx, key, &x) && !c->text(c->ctx, key, &text)) return WEFT_OK;
    return weft__run_fail(r, s->at, WEFT_UNSUPPORTED, "the text is for a model without '%s', and %s has one",
                          weft__lookup_spelling(c, key), weft__lookup_origin(c));
}

weft_status weft__run_require(weft__run *r, const weft__stmt *s)
{
    weft__datum d;
    char key[KEY];
    const char *name = weft__expr_plain(s->label);
    if (!r->counting || !r->desc->config || r->desc->undemanding) return WEFT_OK;
    if (!s->value) return require_absent(r, s, name);
    WEFT_TRY(weft__eval_word(r, s->value, &d));
    if (d.kind != DATUM_LIST) return require_one(r, s, name, &d);
    for (uint32_t i = 0; i < d.n; i++) {
        WEFT_TRY(key_of(r, s, name, i, key));
        WEFT_TRY(require_one(r, s, key, &d.list[i]));
    }
    WEFT_TRY(key_of(r, s, name, d.n, key));
    return require_absent(r, s, key);
}
