/* served.c: opening and closing one model: its files, devices, session, template, and the engine that continues its
 * texts. */
#include "tools/serve/server.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT = 16, SLOTS = 16 };

/* How long texts may be, and for how many tokens there is room. */
static int read_sizes(const cli_args *a, const weft_model *m, weft_session_desc *desc)
{
    weft_model_info info = *weft_model_info_get(m);
    uint32_t slots = cli_u32(a, "slots", SLOTS), context = cli_u32(a, "context", info.context);
    uint32_t contexts = slots < 4 ? slots : 4;
    uint64_t cells = cli_u64(a, "cells", (uint64_t)contexts * context);
    desc->n_sequences = slots + KEPT;
    if (cells < context) cells = context;
    desc->cells = cells < UINT32_MAX / 2 ? (uint32_t)cells : UINT32_MAX / 2;
    bool embeds = cli_has(a, "embeddings"), logits = info.head == WEFT_HEAD_LOGITS;
    desc->outputs = (logits ? WEFT_WANT_LOGITS : 0) | (embeds ? WEFT_WANT_HIDDEN : 0);
    desc->layer = info.n_layer;
    desc->max_rows = (slots < 8 ? 8 : slots) + (logits ? ENGINE_DRAFT : 0);
    desc->rollback = logits ? ENGINE_DRAFT : 0;
    if (logits || (embeds && info.head == WEFT_HEAD_NONE)) return 0;
    return cli_fail("%s: no language model: it has no logits to pick tokens by%s", a->named,
                    info.head == WEFT_HEAD_NONE ? " (--embeddings serves its hidden states)" : "");
}

static int open_template(served *m)
{
    weft_error err;
    size_t n;
    const char *path = cli_text(&m->args, "chat-template", NULL);
    char *text = path ? cli_read_file(path, &n) : NULL;
    if (path && !text) return 1;
    weft_status status = text ? weft_chat_template_parse(text, n, path, &m->chat, &err)
                              : weft_chat_template_open(m->args.model, NULL, &m->chat, &err);
    free(text);
    if (status == WEFT_NOT_FOUND && !path) status = WEFT_OK; /* a model that continues texts */
    return status ? cli_report(&err) : 0;
}

/* What the plan takes of each device. */
static int look_for_room(served *m, const weft_session_desc *desc, const weft_session_desc *draft, served_room *room,
                         void *ctx, weft_error *why)
{
    weft_error err, reason;
    weft_session_plan *plan;
    if (weft_session_plan_create(m->run.model, desc, &plan, &err)) return cli_report(&err);
    m->n_devices = desc->n_devices;
    for (uint32_t i = 0; i < desc->n_devices; i++) {
        m->planned[i] = weft_session_plan_bytes(plan, i);
        weft_backend_info(desc->devices[i], &m->devices[i]);
    }
    if (draft_plan(m, draft, &err)) {
        weft_session_plan_destroy(plan);
        return cli_report(&err);
    }
    weft_status status = room(ctx, m, plan, &reason);
    weft_session_plan_destroy(plan);
    if (reason.status) *why = reason;
    if (m->postponed) return 1; /* no fault */
    return status ? cli_fail("%s: %s", m->name, reason.text) : 0;
}

/* Of the processor that a step takes: of a device that is the processor in disguise, all. */
static uint32_t threads_of(const cli_run *run)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < run->devices.n; i++) {
        weft_device_info info;
        weft_backend_info(run->devices.device[i], &info);
        const bool software = info.type == WEFT_DEVICE_SOFTWARE;
        const uint32_t n = info.type == WEFT_DEVICE_CPU ? info.threads : software ? UINT32_MAX : 0;
        if (n > most) most = n;
    }
    return most;
}

static int start_engine(served *m, cores *shared)
{
    weft_error err;
    const cli_args *a = &m->args;
    const cli_run *run = &m->run;
    if (weft_model_tokenizer(run->model, &m->tokenizer, &err)) return cli_report(&err);
    m->model = run->model;
    m->session = run->session;
    m->slots = cli_u32(a, "slots", SLOTS);
    m->shifts = cli_has(a, "context-shift");
    m->generates = weft_session_settled(run->session)->outputs & WEFT_WANT_LOGITS;
    m->embeds = weft_session_settled(run->session)->outputs & WEFT_WANT_HIDDEN;
    m->context = weft_session_context(run->session);
    m->n_vocab = weft_session_n_vocab(run->session);
    m->cells = weft_session_cells_free(run->session);
    int32_t eos[16];
    uint32_t n_eos = 0;
    while (n_eos < 16 && (eos[n_eos] = weft_model_eos(m->model, n_eos)) >= 0) n_eos++;
    if (m->n_vocab && weft_token_trie_create(m->tokenizer, m->n_vocab, eos, n_eos, &m->trie, &err))
        return cli_report(&err);
    weft_backend_info(run->devices.device[0], &m->device);
    engine_desc d = { .model = m->model, .session = m->session, .tokenizer = m->tokenizer, .slots = m->slots,
                      .kept = KEPT, .embeds = m->embeds, .queue = m->queue, .pace = cli_f32(a, "pace", 2.5f),
                      .draft = m->draft, .draft_session = m->draft_session,
                      .draft_always = cli_has(a, "draft-always"), .cores = shared, .threads = threads_of(run) };
    if (engine_start(&d, &m->engine, &err)) return cli_report(&err);
    return 0;
}

int served_open(served *m, cores *shared, weft_progress_sink progress, served_room *room, void *ctx, weft_error *why)
{
    weft_session_desc desc = { .progress = progress }, draft = { 0 };
    uint32_t split[CLI_MAX_DEVICES];
    *why = (weft_error){ .text = "the server's log says why" };
    int status = cli_model_open(&m->args, &m->run.model);
    if (!status) status = read_sizes(&m->args, m->run.model, &desc);
    if (!status) status = open_template(m);
    if (!status) status = cli_run_prepare(&m->args, &desc, split, &m->run);
    if (!status) status = draft_open(m, &desc, &draft);
    if (!status) status = look_for_room(m, &desc, &draft, room, ctx, why);
    if (!status) status = cli_run_create(&m->args, &desc, &m->run);
    if (!status) status = draft_create(m, &draft);
    if (!status) status = start_engine(m, shared);
    if (status) served_close(m);
    return status;
}

void served_close(served *m)
{
    if (m->engine) engine_close(m->engine, true);
    engine_destroy(m->engine);
    weft_token_trie_destroy(m->trie);
    weft_chat_template_close(m->chat);
    draft_close(m);
    cli_run_close(&m->run);
    m->engine = NULL;
    m->trie = NULL;
    m->chat = NULL;
    m->model = NULL;
    m->session = NULL;
    m->tokenizer = NULL;
    if (!m->postponed) m->n_devices = 0;
}
