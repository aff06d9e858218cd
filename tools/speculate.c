/* speculate.c: --speculate: what drafts the tokens that come next, be it lookup or a second model. */
#include "tools/cli.h"

#include <stdlib.h>
#include <string.h>

enum { USUAL = 15 };

static const char *asked_for(const cli_args *a)
{
    const char *what = cli_text(a, "speculate", "off");
    return strcmp(what, "off") ? what : NULL;
}

void cli_speculation_desc(const cli_args *a, weft_session_desc *desc)
{
    const uint32_t n = cli_u32(a, "draft-tokens", USUAL);
    if (!asked_for(a)) return;
    if (desc->max_rows < n + 1) desc->max_rows = n + 1;
    desc->rollback = n;
}

/* The draft model is on the same devices, of as many tokens as both can have. */
static int open_draft(const cli_args *a, const cli_run *run, const char *name, cli_speculation *out)
{
    weft_error err;
    cli_args draft = { .command = a->command, .model = name };
    int status = cli_find_model(&draft);
    if (status) return status;
    weft_status s = weft_model_open(draft.model, NULL, &out->draft, &err);
    free(draft.found);
    if (s) return cli_report(&err);
    const weft_session_desc *settled = weft_session_settled(run->session);
    const uint32_t context = weft_model_info_get(out->draft)->context;
    const weft_session_desc desc = { .devices = run->devices.device, .n_devices = run->devices.n, .spread = true,
                                     .context = context && context < settled->context ? context : settled->context,
                                     .rollback = settled->rollback < WEFT_DRAFT_MOST ? settled->rollback + 1
                                                                                     : WEFT_DRAFT_MOST,
                                     .candidates = 1, .exact = settled->exact,
                                     .deterministic = settled->deterministic, .progress = cli_progress() };
    s = weft_session_create(out->draft, &desc, &out->session, &err);
    if (!s) s = weft_draft_model_create(out->session, run->model, &out->model, &err);
    cli_progress_end();
    if (s) return cli_report(&err);
    out->drafter = weft_draft_model_drafter(out->model);
    return 0;
}

int cli_speculation_open(const cli_args *a, const cli_run *run, cli_speculation *out)
{
    weft_error err;
    const char *what = asked_for(a);
    if (!what) return cli_has(a, "draft-tokens") && !cli_has(a, "speculate")
                          ? cli_misuse("--draft-tokens: nothing is drafted without --speculate") : 0;
    out->n = cli_u32(a, "draft-tokens", USUAL);
    out->always = cli_has(a, "draft-always");
    if (weft_session_check_rollback(run->session, 1, &err)) {
        fprintf(stderr, "note: --speculate %s: %s: nothing is drafted\n", what, err.text);
        return 0;
    }
    if (strcmp(what, "ngram")) {
        int status = open_draft(a, run, what, out);
        out->on = !status;
        return status;
    }
    if (weft_ngrams_create(NULL, 0, &out->ngrams, &err)) return cli_report(&err);
    out->drafter = weft_ngrams_drafter(out->ngrams);
    out->on = true;
    return 0;
}

void cli_speculation_apply(const cli_speculation *s, weft_generate_desc *d)
{
    if (!s->on) return;
    d->drafter = &s->drafter;
    d->draft_tokens = s->n;
    d->draft_always = s->always;
}

void cli_speculation_close(cli_speculation *s)
{
    weft_ngrams_destroy(s->ngrams);
    weft_draft_model_destroy(s->model);
    weft_session_destroy(s->session);
    weft_model_close(s->draft);
    *s = (cli_speculation){ 0 };
}
