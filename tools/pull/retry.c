/* retry.c: a request until it has an answer: what may pass is tried again after a while, what is refused is put in
 * words. */
#include <string.h>
#include <time.h>

#include "tools/cli.h"
#include "tools/pull/http_impl.h"

enum { ENOUGH = 1 << 20, MAX_WAIT = 60 };

/* ---- refusals ---- */

static weft_status no_repository(const pull_http *h, weft_error *err)
{
    const hub_settings *hub = h->hub;
    if (*hub->token)
        return WEFT_FAIL(err, WEFT_NOT_FOUND,
                         "%s: %s has no such repository, or it is private and not for the token of %s", h->repository,
                         hub->endpoint, hub->token_from);
    return WEFT_FAIL(err, WEFT_NOT_FOUND,
                     "%s: %s has no such repository, or it is private: then HF_TOKEN or `hf auth login` gives a token",
                     h->repository, hub->endpoint);
}

static weft_status gated(const pull_http *h, weft_error *err)
{
    const hub_settings *hub = h->hub;
    if (*hub->token)
        return WEFT_FAIL(err, WEFT_INVALID,
                         "%s: gated: whom the token of %s belongs to has no access, which is asked for at %s/%s",
                         h->repository, hub->token_from, hub->endpoint, h->repository);
    return WEFT_FAIL(err, WEFT_INVALID, "%s: gated: ask for access at %s/%s, and set HF_TOKEN to a token of yours",
                     h->repository, hub->endpoint, h->repository);
}

/* What the hub says in its own codes, and by the status; `own` is false of another server it has sent us to. */
static weft_status refuse(const pull_http *h, const pull_taker *t, const pull_answer *a, const pull_try *how, bool own,
                          weft_error *err)
{
    char said[160] = "", host[80];
    if (*a->message) pull_shown(a->message, said, sizeof said);
    if (own && !strcmp(a->error, "GatedRepo")) return gated(h, err);
    if (own && !strcmp(a->error, "RevisionNotFound"))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: %s has no such revision", h->repository, t->what);
    const bool of_file = !t->small; /* its repository was there: it has been listed */
    if (own && (!strcmp(a->error, "EntryNotFound") || (of_file && a->status == 404 && !*a->error)))
        return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: %s is not there", h->repository, t->what);
    if (own && a->status == 401 && *h->hub->token && strstr(said, "nvalid"))
        return WEFT_FAIL(err, WEFT_INVALID, "%s: the hub does not take the token of %s: %s", h->repository,
                         h->hub->token_from, said);
    if (own && (a->status == 401 || a->status == 404)) return no_repository(h, err);
    return WEFT_FAIL(err, WEFT_IO, "%s: %s: %s answers %ld%s%s", h->repository, t->what,
                     pull_shown(how->asked.host, host, sizeof host), a->status, *said ? ": " : "", said);
}

static bool status_passes(long status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* ---- tries ---- */

static weft_status pause_for(const pull_http *h, double seconds, weft_error *err)
{
    const struct timespec step = { .tv_nsec = 20000000 };
    const double end = weft__seconds() + seconds;
    do {
        if (cli_interrupted()) return WEFT_FAIL(err, WEFT_CANCELLED, "cancelled while pulling %s", h->repository);
        nanosleep(&step, NULL);
    } while (weft__seconds() < end);
    return WEFT_OK;
}

/* Says why, and waits: twice as long each time, or as the server asks for. */
static weft_status wait_for(const pull_http *h, unsigned failed, const pull_answer *a, const char *why, weft_error *err)
{
    double seconds = h->wait;
    for (unsigned i = 1; i < failed && seconds < MAX_WAIT; i++) seconds *= 2;
    if (a->retry_after > seconds) seconds = a->retry_after;
    if (seconds > MAX_WAIT) seconds = MAX_WAIT;
    cli_progress_end();
    fprintf(stderr, "note: %s: again in %g s\n", why, seconds);
    return pause_for(h, seconds, err);
}

/* One try, judged: *again if it is worth another. */
static weft_status judge(pull_http *h, const char *url, const pull_taker *t, uint64_t from, pull_answer *answer,
                         bool *again, weft_error *err)
{
    pull_try how;
    pull_origin home;
    weft_status s = pull_http_try(h, url, t, from, answer, &how, err);
    *again = s && how.passes;
    if (s) return s;
    if (answer->status == 200 || (answer->status == 206 && from)) return t->end(t->ctx, answer, again, err);
    *again = status_passes(answer->status) || (answer->status == 416 && from);
    WEFT_TRY(pull_origin_of(&h->curl, h->hub->endpoint, &home, err));
    return refuse(h, t, answer, &how, pull_is_same_origin(&home, &how.asked), err);
}

weft_status pull_http_get(pull_http *h, const char *url, const pull_taker *t, pull_answer *answer, weft_error *err)
{
    uint64_t from, best = 0;
    bool whole = false;
    for (unsigned failed = 0;;) {
        weft_error why = { .text = "" };
        bool again = false;
        WEFT_TRY(t->begin(t->ctx, whole, &from, err));
        if (from >= best + ENOUGH) { /* it goes on, if in pieces */
            best = from;
            failed = 0;
        }
        pull_answer_init(answer);
        const weft_status s = judge(h, url, t, from, answer, &again, &why);
        if (!s) return WEFT_OK;
        if (!again || failed == h->retries) {
            if (err) *err = why;
            return s;
        }
        whole = answer->status == 416;
        WEFT_TRY(wait_for(h, ++failed, answer, why.text, err));
    }
}
