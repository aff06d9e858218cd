/* functions.c: the functions that a template finds: range, dict, namespace and the like, and those of transformers. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "jinja.h"

enum { MAX_RANGE = 100000 }; /* of jinja2's sandbox */

static jinja_value fn_range(jinja_run *r, const jinja_call *c)
{
    const jinja_args *a = c->args;
    int64_t v[3] = { 0, 0, 1 };
    const int64_t far = (int64_t)1 << 61;
    if (a->n_named || !a->n || a->n > 3) jinja_fail(r, "range expected 1 to 3 arguments, got %zu", a->n);
    for (size_t i = 0; i < a->n; i++) {
        v[a->n == 1 ? 1 : i] = jinja_need_int(r, a->v[i], "range");
        if (v[i] > far || v[i] < -far) jinja_fail_as(r, WEFT_LIMIT, "range: numbers beyond 61 bits");
    }
    if (!v[2]) jinja_fail(r, "range() arg 3 must not be zero");
    const int64_t span = v[2] > 0 ? v[1] - v[0] : v[0] - v[1], step = v[2] > 0 ? v[2] : -v[2];
    jinja_range *g = jinja_alloc(r, 1, sizeof *g);
    *g = (jinja_range){ v[0], v[1], v[2], span > 0 ? (span - 1) / step + 1 : 0 };
    if (g->n > MAX_RANGE)
        jinja_fail(r, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", MAX_RANGE);
    return (jinja_value){ .kind = JINJA_RANGE, .range = g };
}

/* What dict(mapping or pairs, name=value...) has. */
static jinja_dict *make_dict(jinja_run *r, const jinja_args *a)
{
    jinja_dict *d = jinja_dict_new(r);
    if (a->n > 1) jinja_fail(r, "dict expected at most 1 argument, got %zu", a->n);
    if (a->n && a->v[0].kind == JINJA_DICT) {
        for (size_t i = 0; i < a->v[0].dict->n; i++)
            jinja_dict_set(r, d, a->v[0].dict->p[i].key, a->v[0].dict->p[i].value);
    } else if (a->n) {
        const jinja_list *l = jinja_items(r, a->v[0]);
        for (size_t i = 0; i < l->n; i++) {
            const jinja_list *pair = jinja_items(r, l->v[i]);
            if (pair->n != 2)
                jinja_fail(r, "dictionary update sequence element #%zu has length %zu; 2 is required", i, pair->n);
            jinja_dict_set(r, d, pair->v[0], pair->v[1]);
        }
    }
    for (size_t i = 0; i < a->n_named; i++) jinja_dict_set(r, d, a->named[i].key, a->named[i].value);
    return d;
}

static jinja_value fn_dict(jinja_run *r, const jinja_call *c)
{
    return jinja_from_dict(make_dict(r, c->args));
}

static jinja_value fn_namespace(jinja_run *r, const jinja_call *c)
{
    jinja_dict *d = make_dict(r, c->args);
    for (size_t i = 0; i < d->n; i++)
        if (d->p[i].key.kind == JINJA_TEXT && d->p[i].key.text->n && d->p[i].key.text->s[0] == '_')
            jinja_fail(r, "a namespace takes no name that begins with an underscore");
    return (jinja_value){ .kind = JINJA_NAMESPACE, .dict = d };
}

static jinja_value fn_cycler(jinja_run *r, const jinja_call *c)
{
    jinja_iterator *it = jinja_alloc(r, 1, sizeof *it);
    if (!c->args->n || c->args->n_named) jinja_fail(r, "at least one item has to be provided");
    it->items = jinja_list_new(r, c->args->n);
    for (size_t i = 0; i < c->args->n; i++) jinja_push(r, it->items, c->args->v[i]);
    return (jinja_value){ .kind = JINJA_CYCLER, .iterator = it };
}

static jinja_value fn_joiner(jinja_run *r, const jinja_call *c)
{
    jinja_iterator *it = jinja_alloc(r, 1, sizeof *it);
    it->separator = c->given[0] ? jinja_need_text(r, c->v[0], "joiner") : jinja_text_of(r, ", ", 2);
    return (jinja_value){ .kind = JINJA_JOINER, .iterator = it };
}

static jinja_value fn_raise_exception(jinja_run *r, const jinja_call *c)
{
    jinja_fail(r, "%s", jinja_c(r, jinja_str(r, c->v[0])));
}

/* ---- time ---- */

static bool read_digits(const char **s, const char *end, int n, int *out)
{
    *out = 0;
    for (; n; n--, ++*s) {
        if (*s == end || **s < '0' || **s > '9') return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool skip(const char **s, const char *end, const char *any)
{
    if (*s == end || !**s || !strchr(any, **s)) return false;
    ++*s;
    return true;
}

static int days_before(int year, int month)
{
    static const int days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (leap && month > 2);
}

/* "2026-11-30T09:10:45.123456", the time and its parts may be missing. */
static bool read_time(const jinja_text *t, struct tm *out, int *micro)
{
    static const int month_days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const char *s = t->s, *end = s + t->n;
    int year, month, day, hour = 0, minute = 0, second = 0, digit, n = 0;
    *micro = 0;
    if (!read_digits(&s, end, 4, &year) || !skip(&s, end, "-") || !read_digits(&s, end, 2, &month) ||
        !skip(&s, end, "-") || !read_digits(&s, end, 2, &day))
        return false;
    if (skip(&s, end, "T ") &&
        (!read_digits(&s, end, 2, &hour) || !skip(&s, end, ":") || !read_digits(&s, end, 2, &minute)))
        return false;
    if (skip(&s, end, ":") && !read_digits(&s, end, 2, &second)) return false;
    if (skip(&s, end, "."))
        for (; n < 6 && read_digits(&s, end, 1, &digit); n++) *micro = *micro * 10 + digit;
    for (; n && n < 6; n++) *micro *= 10;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (s != end || !year || month < 1 || month > 12 || day < 1 || day > month_days[month - 1] + (leap && month == 2) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    const int y = year - 1, yday = days_before(year, month) + day - 1;
    *out = (struct tm){ .tm_year = year - 1900,
                        .tm_mon = month - 1,
                        .tm_mday = day,
                        .tm_hour = hour,
                        .tm_min = minute,
                        .tm_sec = second,
                        .tm_yday = yday,
                        .tm_wday = (y * 365 + y / 4 - y / 100 + y / 400 + yday + 1) % 7 };
    return true;
}

/* Python writes %f, %z and %Z itself; of a time without a zone the last two are nothing. */
static void put_time(jinja_run *r, jinja_buffer *b, const char *spec, const struct tm *tm, int micro)
{
    char text[256];
    const char kind = spec[strlen(spec) - 1];
    if (kind == 'z' || kind == 'Z') return;
    if (kind == 's') jinja_fail_as(r, WEFT_UNSUPPORTED, "strftime: %%s is not supported");
    if (kind == 'f')
        snprintf(text, sizeof text, "%06d", micro);
    else
        text[strftime(text, sizeof text, spec, tm)] = 0;
    jinja_puts(r, b, text);
}

jinja_value jinja_strftime(jinja_run *r, const jinja_text *format)
{
    struct tm tm;
    int micro;
    jinja_buffer b = { 0 };
    if (r->now.kind == JINJA_UNDEFINED) jinja_fail(r, "strftime_now: no time is given (`now`)");
    if (r->now.kind != JINJA_TEXT || !read_time(r->now.text, &tm, &micro))
        jinja_fail(r, "now: expected a time such as \"2026-11-30T09:10:45\"");
    for (const char *s = format->s, *end = s + format->n; s < end;) {
        char spec[8] = "%";
        size_t n = 1;
        if (*s != '%') {
            jinja_put(r, &b, s++, 1);
            continue;
        }
        for (s++; s < end && strchr("-_0^#EO", *s) && *s && n < 4;) spec[n++] = *s++;
        if (s == end || !strchr("aAbBcCdDeFfgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%", *s) || !*s)
            jinja_fail_as(r, WEFT_UNSUPPORTED, "strftime: '%s' is not supported", jinja_c(r, format));
        spec[n] = *s++;
        put_time(r, &b, spec, &tm, micro);
    }
    return jinja_buffer_value(r, &b);
}

static jinja_value fn_strftime_now(jinja_run *r, const jinja_call *c)
{
    return jinja_strftime(r, jinja_need_text(r, c->v[0], "strftime_now"));
}

const jinja_row jinja_functions[] = {
    { "cycler", fn_cycler, "*", 0 },
    { "dict", fn_dict, "*", 0 },
    { "joiner", fn_joiner, "|sep", 0 },
    { "lipsum", NULL, "*", 0 },
    { "namespace", fn_namespace, "*", 0 },
    { "raise_exception", fn_raise_exception, "message", 0 },
    { "range", fn_range, "*", 0 },
    { "strftime_now", fn_strftime_now, "format", 0 },
    { NULL, NULL, NULL, 0 },
};
