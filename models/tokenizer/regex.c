/* regex.c: regular expressions, compiled and matched.
 *
 * A match may take exponential time, and all matches of a text together may, too. PCRE2 counts the steps of a match
 * at one place and stops at a limit, but does not tell how many it took. So each place of a text first has a limit
 * that most matches of sound expressions keep; where it takes more, it is tried again with a higher limit, which is
 * charged to the text as a whole. */
#include "regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "oniguruma.h"

/* Steps at one place: free, how much more at each try, at most. A step takes some 5 ns, without the JIT 35. */
#define FREE_STEPS  100u
#define STEPS_TIMES 10u
#define MATCH_STEPS 10000000u
/* Steps of a text that are not free. */
#define TEXT_STEPS     15000000u
#define STEPS_PER_BYTE 100u
#define HEAP_LIMIT     65536u /* KiB */
#define PATTERN_MAX    65536u

struct weft__regex {
    pcre2_code *code;
};

struct weft__regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* ---- life ---- */

static weft_status compile(weft__regex *r, const char *pattern, size_t n, bool literal, weft_error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    uint32_t flags = PCRE2_UTF;
    flags |= literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    flags |= PCRE2_USE_OFFSET_LIMIT;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return WEFT_OOM_FAIL(err, "a regular expression");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    r->code = pcre2_compile((PCRE2_SPTR)pattern, n, flags, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!r->code) {
        if (code == PCRE2_ERROR_HEAP_FAILED) return WEFT_OOM_FAIL(err, "a regular expression");
        char text[160] = "";
        pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
        return WEFT_FAIL(err, WEFT_FORMAT, "the regular expression is not valid: %s", text);
    }
    pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE); /* without a JIT, pcre2_match interprets */
    return WEFT_OK;
}

weft_status weft__regex_create(const char *pattern, size_t n, bool literal, weft__regex **out, weft_error *err)
{
    *out = NULL;
    if (n > PATTERN_MAX) return WEFT_FAIL(err, WEFT_LIMIT, "the pattern has %zu bytes", n);
    weft__regex *r = calloc(1, sizeof *r);
    if (!r) return WEFT_OOM_FAIL(err, "a regular expression");
    weft__bytes rewritten = { 0 };
    weft_status status = literal ? WEFT_OK : weft__oniguruma_rewrite(pattern, n, &rewritten, err);
    if (status == WEFT_OK)
        status = compile(r, literal ? pattern : rewritten.data, literal ? n : rewritten.size, literal, err);
    free(rewritten.data);
    if (status != WEFT_OK) weft__regex_destroy(r);
    else *out = r;
    return status;
}

void weft__regex_destroy(weft__regex *r)
{
    if (!r) return;
    pcre2_code_free(r->code);
    free(r);
}

weft__regex_scratch *weft__regex_scratch_create(void)
{
    weft__regex_scratch *scratch = calloc(1, sizeof *scratch);
    if (!scratch) return NULL;
    scratch->data = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    if (!scratch->data || !scratch->context) {
        weft__regex_scratch_destroy(scratch);
        return NULL;
    }
    pcre2_set_match_limit(scratch->context, FREE_STEPS);
    pcre2_set_heap_limit(scratch->context, HEAP_LIMIT);
    return scratch;
}

void weft__regex_scratch_destroy(weft__regex_scratch *scratch)
{
    if (!scratch) return;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    free(scratch);
}

/* ---- matching ---- */

/* PCRE2's result of a search from `at` on, within the limits that stand in the context. */
static int search(const weft__regex_walk *w, size_t at)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)w->text;
    weft__regex_scratch *s = w->scratch;
    int rc = pcre2_match(w->regex->code, subject, w->n, at, PCRE2_NO_UTF_CHECK, s->data, s->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter has the heap */
        rc = pcre2_match(w->regex->code, subject, w->n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->data, s->context);
    return rc;
}

/* A match that begins at `at` and is not free: with higher limits, as long as the text has steps left. */
static int match_dear(weft__regex_walk *w, size_t at)
{
    int rc = PCRE2_ERROR_MATCHLIMIT;
    uint64_t most = TEXT_STEPS + STEPS_PER_BYTE * (uint64_t)w->n;
    for (uint32_t limit = FREE_STEPS; limit < MATCH_STEPS && rc == PCRE2_ERROR_MATCHLIMIT;) {
        limit = limit < MATCH_STEPS / STEPS_TIMES ? limit * STEPS_TIMES : MATCH_STEPS;
        w->spent += limit;
        if (w->spent > most) break;
        pcre2_set_match_limit(w->scratch->context, limit);
        rc = search(w, at);
    }
    pcre2_set_match_limit(w->scratch->context, FREE_STEPS);
    return rc;
}

/* A search in which some place is not free: place by place up to that, and on from there. */
static int search_dear(weft__regex_walk *w)
{
    int rc = PCRE2_ERROR_MATCHLIMIT;
    for (size_t at = w->at, step; at <= w->n; at += step) {
        pcre2_set_offset_limit(w->scratch->context, at);
        rc = search(w, at);
        bool dear = rc == PCRE2_ERROR_MATCHLIMIT;
        if (dear) rc = match_dear(w, at);
        pcre2_set_offset_limit(w->scratch->context, PCRE2_UNSET);
        if (rc != PCRE2_ERROR_NOMATCH || at == w->n) return rc;
        weft__utf8_decode(w->text + at, &step);
        if (dear) rc = search(w, at + step);
        if (dear && rc != PCRE2_ERROR_MATCHLIMIT) return rc;
    }
    return rc;
}

static weft_status match_at(weft__regex_walk *w, bool *found, weft_error *err)
{
    int rc = search(w, w->at);
    if (rc == PCRE2_ERROR_MATCHLIMIT) rc = search_dear(w);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return WEFT_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return WEFT_OOM_FAIL(err, "matching a regular expression");
    if (rc < 0) {
        char why[160] = "";
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        return WEFT_FAIL(err, WEFT_LIMIT, "the tokenizer's regular expression failed on this text: %s", why);
    }
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(w->scratch->data);
    if (range[0] > range[1] || range[1] > w->n || range[0] < w->at) /* \K can do that */
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "the tokenizer's regular expression moves its own start");
    return WEFT_OK;
}

weft_status weft__regex_next(weft__regex_walk *w, bool *found, weft_error *err)
{
    for (*found = false; w->at <= w->n;) {
        WEFT_TRY(match_at(w, found, err));
        if (!*found) return WEFT_OK;
        const PCRE2_SIZE *range = pcre2_get_ovector_pointer(w->scratch->data);
        if (range[0] < range[1] || !w->matched || range[1] != w->end) {
            w->start = range[0];
            w->at = w->end = range[1];
            w->matched = true;
            return WEFT_OK;
        }
        *found = false;
        if (w->at == w->n) return WEFT_OK;
        size_t step;
        weft__utf8_decode(w->text + w->at, &step);
        w->at += step;
    }
    return WEFT_OK;
}
