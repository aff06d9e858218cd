/* tune_search.c: the search for settings (tune_impl.h): coordinate descent by medians of runs in alternation. */
#include "backends/tune_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FORMS = 256, PASSES = 3, GLANCE = 2, ROUNDS = 5, LAST_ROUNDS = 9 };
/* Above what two runs of one program differ by on a quiet device; of a step, of the end. */
#define GAIN 0.98
#define LAST_GAIN 0.97
#define HOPELESS 1.3 /* after GLANCE rounds */

typedef struct search {
    const weft__tune_world *w;
    weft__tune_found *out;
    char best[WEFT_TUNE_TEXT];
    uint64_t forms[MAX_FORMS]; /* that were tested */
    uint32_t n_forms;
    bool has_best;
} search;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

/* Medians of two settings' runs in turn. Where the second is far slower after a glance, that is all. */
static weft_status compare(const search *s, const char *a, const char *b, uint32_t rounds, double *seconds_a,
                           double *seconds_b, weft_error *err)
{
    double ta[LAST_ROUNDS], tb[LAST_ROUNDS];
    uint32_t n = 0;
    WEFT_TRY(s->w->time(s->w->ctx, a, &ta[0], err)); /* the first run of each warms up */
    WEFT_TRY(s->w->time(s->w->ctx, b, &tb[0], err));
    while (n < rounds) {
        const bool turned = n % 2;
        if (!turned) WEFT_TRY(s->w->time(s->w->ctx, a, &ta[n], err));
        WEFT_TRY(s->w->time(s->w->ctx, b, &tb[n], err));
        if (turned) WEFT_TRY(s->w->time(s->w->ctx, a, &ta[n], err));
        n++;
        if (n == GLANCE && tb[0] > HOPELESS * ta[0] && tb[1] > HOPELESS * ta[1]) break;
    }
    *seconds_a = median(ta, n);
    *seconds_b = median(tb, n);
    return WEFT_OK;
}

/* Whether it is worth timing: right, and compiled to something new. *v stays as it is for what was known. */
static weft_status test(search *s, const char *setting, weft__tune_verdict *v, bool *worth, weft_error *err)
{
    uint64_t form = 0;
    *worth = false;
    WEFT_TRY(s->w->form(s->w->ctx, setting, &form, err));
    for (uint32_t i = 0; i < s->n_forms; i++)
        if (s->forms[i] == form) return WEFT_OK;
    if (s->n_forms < MAX_FORMS) s->forms[s->n_forms++] = form;
    WEFT_TRY(s->w->test(s->w->ctx, setting, v, err));
    *worth = *v == WEFT__TUNE_RIGHT;
    s->out->tried++;
    s->out->wrong += *v == WEFT__TUNE_WRONG;
    s->out->skipped += *v == WEFT__TUNE_SKIPPED;
    return WEFT_OK;
}

static weft_status try_setting(search *s, const char *setting, weft__tune_verdict *v, bool *better, weft_error *err)
{
    bool worth;
    double best, seconds;
    *better = false;
    WEFT_TRY(test(s, setting, v, &worth, err));
    if (!worth) return WEFT_OK;
    *better = !s->has_best;
    if (s->has_best) {
        WEFT_TRY(compare(s, s->best, setting, ROUNDS, &best, &seconds, err));
        *better = seconds < GAIN * best;
    }
    if (*better) memcpy(s->best, setting, sizeof s->best);
    s->has_best = true;
    return WEFT_OK;
}

static weft_status descend(search *s, weft_error *err)
{
    char setting[WEFT_TUNE_TEXT];
    bool changed = true, better;
    weft__tune_verdict v;
    for (uint32_t pass = 0; pass < PASSES && changed; pass++) {
        changed = false;
        for (uint32_t i = 0; s->w->next(s->w->ctx, s->best, i, setting); i++) {
            WEFT_TRY(try_setting(s, setting, &v, &better, err));
            changed = changed || better;
        }
    }
    return WEFT_OK;
}

weft_status weft__tune_search(const weft__tune_world *w, weft__tune_found *out, weft_error *err)
{
    search *s = calloc(1, sizeof *s);
    bool better;
    weft__tune_verdict v = WEFT__TUNE_RIGHT;
    *out = (weft__tune_found){ 0 };
    if (!s) return WEFT_OOM_FAIL(err, "tuning");
    s->w = w;
    s->out = out;
    weft_status status = try_setting(s, "", &v, &better, err);
    const bool row = s->has_best;
    if (!status && v != WEFT__TUNE_SKIPPED) status = descend(s, err);
    out->none = !s->has_best;
    if (!status && row) {
        status = compare(s, "", s->best, LAST_ROUNDS, &out->row_seconds, &out->seconds, err);
        if (!(out->seconds < LAST_GAIN * out->row_seconds)) {
            *s->best = 0;
            out->seconds = out->row_seconds;
        }
    } else if (!status && s->has_best) status = w->time(w->ctx, s->best, &out->seconds, err);
    memcpy(out->setting, s->best, sizeof out->setting);
    free(s);
    return status;
}
