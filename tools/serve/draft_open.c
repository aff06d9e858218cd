/* draft_open.c: the model that guesses tokens for a served one: on its devices, and in its plan. */
#include "models/speculate.h"
#include "tools/serve/server.h"

#include <stdlib.h>
#include <string.h>

int draft_find(served *m)
{
    const char *how = cli_text(&m->args, "speculate", "off");
    if (!strcmp(how, "off") || !strcmp(how, "ngram")) return 0;
    const char *slash = strrchr(how, '/');
    m->draft_args = (cli_args){ .command = m->args.command, .model = how };
    m->draft_name = slash && slash[1] ? slash + 1 : how;
    return cli_find_model(&m->draft_args);
}

int draft_open(served *m, const weft_session_desc *of, weft_session_desc *desc)
{
    weft_error err;
    if (!m->draft_args.model) return 0;
    if (weft_model_open(m->draft_args.model, NULL, &m->draft, &err) ||
        weft__draft_vocabulary_check(m->draft, m->run.model, &err))
        return cli_report(&err);
    const weft_model_info *info = weft_model_info_get(m->draft);
    if (info->head != WEFT_HEAD_LOGITS)
        return cli_fail("%s: no language model: it drafts no tokens", m->draft_args.named);
    const uint32_t context = of->context ? of->context : weft_model_info_get(m->run.model)->context;
    *desc = (weft_session_desc){ .devices = of->devices, .n_devices = of->n_devices, .spread = true,
                                 .context = info->context && info->context < context ? info->context : context,
                                 .n_sequences = of->n_sequences, .cells = of->cells, .max_rows = of->max_rows,
                                 .rollback = ENGINE_DRAFT + 1, .candidates = 1, .progress = of->progress };
    if (desc->cells < desc->context) desc->cells = desc->context;
    return 0;
}

weft_status draft_plan(served *m, const weft_session_desc *desc, weft_error *err)
{
    weft_session_plan *plan;
    if (!m->draft) return WEFT_OK;
    WEFT_TRY(weft_session_plan_create(m->draft, desc, &plan, err));
    for (uint32_t i = 0; i < desc->n_devices; i++) m->planned[i] += weft_session_plan_bytes(plan, i);
    weft_session_plan_destroy(plan);
    return WEFT_OK;
}

int draft_create(served *m, const weft_session_desc *desc)
{
    weft_error err;
    const char *how = cli_text(&m->args, "speculate", "off");
    if (!strcmp(how, "off")) return 0;
    if (weft_session_check_rollback(m->run.session, 1, &err)) {
        fprintf(stderr, "note: --speculate: %s: nothing is drafted\n", err.text);
        return 0;
    }
    m->speculates = true;
    if (!m->draft) return 0;
    weft_status status = weft_session_create(m->draft, desc, &m->draft_session, &err);
    cli_progress_end();
    if (!status) status = weft_session_check_rollback(m->draft_session, 0, &err);
    return status ? cli_report(&err) : 0;
}

void draft_close(served *m)
{
    weft_session_destroy(m->draft_session);
    weft_model_close(m->draft);
    m->draft_session = NULL;
    m->draft = NULL;
    m->speculates = false;
}
