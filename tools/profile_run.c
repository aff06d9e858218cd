/* profile_run.c: what `weft profile` runs: a prompt again and again, then decoding token by token; or a graph text. The
 * runs that warm up are not profiled: the first one after profiling is switched on records a GPU's commands anew. */
#include "tools/profile.h"

#include <stdlib.h>
#include <string.h>

enum { DECODE_PROMPT = 16, WARM_UP = 2, MAX_CHECKED = 64 };

/* ---- shared by models and graph texts ---- */

weft_status profile_begin(profile_set *s, const char *name, weft_program *p, const weft_graph *built, double tokens,
                          profile_entry **out, weft_error *err)
{
    profile_entry *e = *out = &s->entry[s->n++];
    *e = (profile_entry){ .name = name, .program = p, .built = built };
    weft_profile_desc d = { .name = name, .mode = s->mode, .roofs = s->conditions.roofs, .tokens = tokens };
    WEFT_TRY(weft_profile_create(p, &d, &e->profile, err));
    return weft_program_profile(p, s->mode, err);
}

weft_status profile_end(profile_entry *e, weft_error *err)
{
    return weft_program_profile(e->program, WEFT_PROFILE_OFF, err);
}

static int begin_entry(profile_set *s, const char *name, weft_program *p, const weft_graph *built, double tokens,
                       profile_entry **out)
{
    weft_error err;
    return profile_begin(s, name, p, built, tokens, out, &err) ? cli_report(&err) : 0;
}

static int end_entry(profile_entry *e)
{
    weft_error err;
    return profile_end(e, &err) ? cli_report(&err) : 0;
}

/* The first turn. */
static int begin_conditions(profile_set *s)
{
    weft_error err;
    conditions_begin(&s->conditions, &s->run.devices, cli_progress());
    return conditions_turn(&s->conditions, &err) ? cli_report(&err) : 0;
}

weft_status profile_finish(profile_set *s, weft_error *err)
{
    conditions_end(&s->conditions);
    for (uint32_t i = 0; i < s->n; i++) {
        WEFT_TRY(weft_profile_set_conditions(s->entry[i].profile, &s->conditions.sum, err));
        WEFT_TRY(weft_profile_finish(s->entry[i].profile, err));
    }
    return WEFT_OK;
}

/* The last turn. */
static int finish(profile_set *s)
{
    weft_error err;
    cli_work_end(&s->work);
    return conditions_turn(&s->conditions, &err) || profile_finish(s, &err) ? cli_report(&err) : 0;
}

/* Whether the roof is measured before run i of n: in the middle. It takes what was cached with it, so a run that does
 * not count follows. */
static bool is_middle(uint32_t i, uint32_t n)
{
    return n > 1 && i == n / 2;
}

weft_status profile_add(profile_entry *e, uint64_t begin, uint32_t cells, uint32_t page, weft_error *err)
{
    weft_bound work[WEFT_MAX_EXTENTS];
    weft_profile_run run = { .begin = begin, .end = weft_profile_now(), .work = work };
    const weft_graph *g = weft_program_graph(e->program);
    for (uint32_t i = 0; cells && i < weft_graph_extent_count(g); i++) {
        const char *name = weft_graph_extent(g, i + 1, NULL);
        uint32_t pages = strcmp(name, "pages") ? cli_pages_seen(name, page, cells) : 0; /* the whole cache's */
        if (pages) work[run.n_work++] = (weft_bound){ name, pages };
    }
    run.spans = weft_program_spans(e->program, &run.n_spans);
    if (weft_program_spans_dropped(e->program))
        return WEFT_FAIL(err, WEFT_INTERNAL, "profile: %llu spans of a run found no room",
                         (unsigned long long)weft_program_spans_dropped(e->program));
    return weft_profile_add(e->profile, &run, err);
}

static bool note_check(void *ctx, const weft_check_node *n)
{
    profile_checks *c = ctx;
    if (!weft__grow(&c->nodes, &c->cap, c->n + 1u, sizeof *c->nodes)) {
        c->no_memory = true;
        return false;
    }
    c->nodes[c->n++] = *n;
    c->n_failed += n->failed;
    return true;
}

static int judge_checks(const profile_checks *c, weft_status status, const weft_error *err)
{
    if (status) return cli_report(err);
    return c->no_memory ? cli_fail("profile: out of memory") : 0;
}

/* ---- models ---- */

typedef struct tokens {
    int32_t *ids;
    weft_batch_token *batch;
    weft_candidate best; /* after the last run */
    uint32_t n;
} tokens;

static int make_tokens(const weft_session *s, uint32_t n, tokens *out)
{
    uint32_t state = 1, n_vocab = weft_session_n_vocab(s);
    *out = (tokens){ .n = n, .ids = calloc(n, sizeof *out->ids), .batch = calloc(n, sizeof *out->batch) };
    if (!out->ids || !out->batch) return cli_fail("profile: out of memory");
    for (uint32_t i = 0; i < n; i++) {
        out->ids[i] = (int32_t)((state = state * 1664525u + 1013904223u) >> 8) % (int32_t)n_vocab;
        out->batch[i] = (weft_batch_token){ .id = out->ids[i] };
    }
    return 0;
}

static uint32_t page_of(const weft_session *s)
{
    return weft_session_settled(s)->page;
}

/* The sequence becomes the first n tokens: is cut down to them or, where it does not go back, takes them in again. */
static weft_status rewind_to(weft_session *s, const tokens *t, uint32_t n, weft_error *err)
{
    if (!weft_session_truncate(s, 0, n, NULL)) return WEFT_OK;
    WEFT_TRY(weft_session_truncate(s, 0, 0, err));
    return weft_session_eval(s, t->batch, n, NULL, err);
}

/* The sequence of `from` tokens takes n more in; the last one's pick is `best`. */
static weft_status go_on(weft_session *s, tokens *t, uint32_t from, uint32_t n, weft_error *err)
{
    t->batch[from + n - 1].wants = WEFT_WANT_CANDIDATES;
    weft_status status = weft_session_eval(s, t->batch + from, n, &(weft_rows){ .candidates = &t->best }, err);
    t->batch[from + n - 1].wants = 0;
    return status;
}

/* Of a prompt longer than a run takes, the last run: what stands before it is there already. */
static weft_status run_prompts(profile_set *set, profile_entry *e, tokens *t, uint32_t n_prompt, uint32_t n_run,
                               uint32_t repeat, weft_error *err)
{
    weft_session *s = set->run.session;
    uint32_t before = n_prompt - n_run;
    WEFT_TRY(cli_work_begin(&set->work, "profiling prompts", repeat, "runs", err));
    for (uint32_t i = 0; i < repeat; i++) {
        if (is_middle(i, repeat)) WEFT_TRY(conditions_turn(&set->conditions, err));
        WEFT_TRY(rewind_to(s, t, before, err));
        if (i == 0 || is_middle(i, repeat)) { /* warm */
            WEFT_TRY(go_on(s, t, before, n_run, err));
            WEFT_TRY(rewind_to(s, t, before, err));
        }
        weft_program_spans_clear(e->program);
        uint64_t begin = weft_profile_now();
        WEFT_TRY(go_on(s, t, before, n_run, err));
        WEFT_TRY(profile_add(e, begin, n_prompt, page_of(s), err));
        WEFT_TRY(cli_work_did(&set->work, 1, err));
    }
    return WEFT_OK;
}

static weft_status decode_one(weft_session *s, profile_entry *e, tokens *t, bool counts, weft_error *err)
{
    weft_batch_token next = { t->best.id, 0, WEFT_WANT_CANDIDATES };
    weft_program_spans_clear(e->program);
    uint64_t begin = weft_profile_now();
    WEFT_TRY(weft_session_eval(s, &next, 1, &(weft_rows){ .candidates = &t->best }, err));
    return counts ? profile_add(e, begin, weft_session_length(s, 0), page_of(s), err) : WEFT_OK;
}

static weft_status run_decoding(profile_set *set, profile_entry *e, tokens *t, uint32_t n, uint32_t repeat,
                                weft_error *err)
{
    weft_session *s = set->run.session;
    WEFT_TRY(cli_work_begin(&set->work, "profiling decoding", (uint64_t)repeat * (WARM_UP + n), "tokens", err));
    for (uint32_t i = 0; i < repeat; i++) {
        if (is_middle(i, repeat)) WEFT_TRY(conditions_turn(&set->conditions, err));
        WEFT_TRY(rewind_to(s, t, 0, err));
        WEFT_TRY(go_on(s, t, 0, DECODE_PROMPT, err));
        for (uint32_t k = 0; k < WARM_UP + n; k++) {
            WEFT_TRY(decode_one(s, e, t, k >= WARM_UP, err));
            WEFT_TRY(cli_work_did(&set->work, 1, err));
        }
    }
    return WEFT_OK;
}

static int check_model(profile_set *s, profile_entry *e, const tokens *t, uint32_t n)
{
    weft_error err;
    weft_status status = weft_session_truncate(s->run.session, 0, 0, &err);
    if (n > MAX_CHECKED) n = MAX_CHECKED;
    if (!status) status = weft_session_check(s->run.session, t->ids, n, note_check, &e->checks, &err);
    return judge_checks(&e->checks, status, &err);
}

static int measure_prompt(const cli_args *a, profile_set *s, tokens *t, uint32_t n_prompt)
{
    weft_error err;
    profile_entry *e;
    uint32_t chunk = cli_u32(a, "chunk", 512), n_run = n_prompt < chunk ? n_prompt : chunk;
    weft_session *session = s->run.session;
    int status = begin_entry(s, "prompt", weft_session_program(session, n_run), weft_session_graph(session), n_run, &e);
    if (!status && run_prompts(s, e, t, n_prompt, n_run, cli_u32(a, "repeat", 5), &err))
        status = cli_report(&err);
    return status ? status : end_entry(e);
}

static int measure_decode(const cli_args *a, profile_set *s, tokens *t, uint32_t n_decode)
{
    weft_error err;
    profile_entry *e;
    weft_session *session = s->run.session;
    int status = begin_entry(s, "decode", weft_session_program(session, 1), weft_session_graph(session), 1, &e);
    if (!status && run_decoding(s, e, t, n_decode, cli_u32(a, "repeat", 5), &err)) status = cli_report(&err);
    return status ? status : end_entry(e);
}

static int check_entries(profile_set *s, const tokens *t, uint32_t n_prompt)
{
    int status = 0;
    for (uint32_t i = 0; i < s->n && !status; i++)
        status = check_model(s, &s->entry[i], t, strcmp(s->entry[i].name, "prompt") ? 1 : n_prompt);
    return status;
}

/* How many tokens are run and decoded: what was asked for, else what the context has room for. */
static int choose_lengths(const cli_args *a, const weft_session *session, uint32_t *n_prompt, uint32_t *n_decode)
{
    uint32_t context = weft_session_context(session), before = DECODE_PROMPT + WARM_UP;
    uint32_t rest = context > before ? context - before : 0;
    *n_prompt = cli_u32(a, "prompt-tokens", context < 512 ? context : 512);
    *n_decode = cli_u32(a, "decode-tokens", rest < 64 ? rest : 64);
    if (*n_prompt > context || *n_decode > rest)
        return cli_fail("profile: %u prompt tokens, or %u to decode after %u, do not fit the context of %u (--context)",
                        *n_prompt, *n_decode, before, context);
    bool one = weft_session_program(session, *n_prompt) == weft_session_program(session, 1);
    if (one) *n_prompt = 0; /* single tokens are decoding */
    return *n_prompt || *n_decode ? 0 : cli_misuse("profile: nothing is left to run");
}

static int measure_model(const cli_args *a, profile_set *s)
{
    weft_error err;
    s->run.model = s->source.model;
    weft_model_info info = *weft_model_info_get(s->run.model);
    if (!info.has_weights) {
        if (weft__noise_open(s->source.graph, &s->noise, &err)) return cli_report(&err);
        weft_weight_source source = weft__noise_source(&s->noise);
        weft_model_set_weights(s->run.model, &source);
    }
    int status = cli_run_open(a, (weft_session_desc){ .candidates = 1 }, &s->run);
    if (status) return status;
    uint32_t n_prompt, n_decode;
    status = choose_lengths(a, s->run.session, &n_prompt, &n_decode);
    if (status) return status;
    tokens t;
    status = make_tokens(s->run.session, n_prompt > DECODE_PROMPT ? n_prompt : DECODE_PROMPT, &t);
    if (!status) status = begin_conditions(s);
    if (!status && n_prompt) status = measure_prompt(a, s, &t, n_prompt);
    if (!status && n_prompt && n_decode && conditions_turn(&s->conditions, &err)) status = cli_report(&err);
    if (!status && n_decode) status = measure_decode(a, s, &t, n_decode);
    if (!status) status = finish(s);
    if (!status && cli_has(a, "check")) status = check_entries(s, &t, n_prompt);
    free(t.ids);
    free(t.batch);
    return status;
}

/* ---- graph texts ---- */

/* Whether a value says where what an attention sees begins, or in which sequence: then zeros, so that as much as
 * possible is seen. */
static bool is_origin(const weft_graph *g, weft_ref r)
{
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i);
        if (n->op != WEFT_OP_attention) continue;
        if (n->in[3].id == r.id || (n->attrs.attention.page && n->in[5].id == r.id)) return true;
    }
    return false;
}

/* Real numbers below one; whole ones count up from 0, which are rows and cells that exist. */
static weft_status fill_input(weft_program *p, const weft_node *n, weft_error *err)
{
    const weft_graph *g = weft_program_graph(p);
    int64_t elements = weft_value_elements(g, n->out[0], NULL);
    uint64_t bytes = weft_value_bytes(g, n->out[0], NULL);
    weft_dtype type = weft_graph_value(g, n->out[0])->dtype;
    unsigned char *data = calloc(1, bytes + 1);
    if (!data) return WEFT_OOM_FAIL(err, "an input");
    bool zero = is_origin(g, n->out[0]);
    for (int64_t i = 0; i < elements && !zero; i++) {
        int32_t whole = (int32_t)i;
        float real = (float)((uint32_t)i * 2654435761u >> 16) / 65536 - 0.5f;
        uint16_t half = type == WEFT_F16 ? 0x3800 : 0x3f00;
        if (type == WEFT_I32) memcpy(data + 4 * i, &whole, 4);
        else if (type == WEFT_F32) memcpy(data + 4 * i, &real, 4);
        else memcpy(data + 2 * i, &half, 2);
    }
    weft_status s = weft_program_write(p, n->out[0], 0, data, bytes, err);
    free(data);
    return s;
}

static weft_status fill_inputs(weft_program *p, weft_error *err)
{
    const weft_graph *g = weft_program_graph(p);
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++)
        if (weft_graph_node(g, i)->op == WEFT_OP_input) WEFT_TRY(fill_input(p, weft_graph_node(g, i), err));
    return WEFT_OK;
}

/* Inputs are written before the time begins: making them up is no work of the graph's. */
static weft_status run_graph_once(profile_entry *e, bool counts, weft_error *err)
{
    WEFT_TRY(fill_inputs(e->program, err));
    weft_program_spans_clear(e->program);
    uint64_t begin = weft_profile_now();
    WEFT_TRY(weft_program_run(e->program, err));
    return counts ? profile_add(e, begin, 0, 0, err) : WEFT_OK;
}

static weft_status run_graph(profile_set *set, profile_entry *e, uint32_t repeat, weft_error *err)
{
    WEFT_TRY(cli_work_begin(&set->work, "profiling", repeat, "runs", err));
    for (uint32_t i = 0; i < repeat; i++) {
        if (is_middle(i, repeat)) WEFT_TRY(conditions_turn(&set->conditions, err));
        for (uint32_t k = 0; k < WARM_UP && (i == 0 || is_middle(i, repeat)); k++)
            WEFT_TRY(run_graph_once(e, false, err));
        WEFT_TRY(run_graph_once(e, true, err));
        WEFT_TRY(cli_work_did(&set->work, 1, err));
    }
    return WEFT_OK;
}

static weft_status load_graph(profile_set *s, weft_error *err)
{
    weft_weight_source source = weft__noise_source(&s->noise);
    WEFT_TRY(weft_weights_create(&source, 1, &s->weights, err));
    return weft_program_load(s->program, s->weights, NULL, err);
}

static int check_graph(profile_set *s, profile_entry *e)
{
    weft_error err;
    weft_weight_source source = weft__noise_source(&s->noise);
    weft_status status = fill_inputs(s->program, &err);
    if (!status) status = weft_program_check(s->program, &source, note_check, &e->checks, &err);
    return judge_checks(&e->checks, status, &err);
}

static int measure_graph(const cli_args *a, profile_set *s)
{
    weft_error err;
    profile_entry *e;
    int status = cli_devices_open(a, &s->run.devices);
    if (!status) status = cli_text_program(a, &s->run.devices, s->source.graph, &s->program);
    if (!status && weft__noise_open(s->source.graph, &s->noise, &err)) status = cli_report(&err);
    if (!status && load_graph(s, &err)) status = cli_report(&err);
    if (!status) status = begin_conditions(s);
    if (!status) status = begin_entry(s, "graph", s->program, s->source.graph, 0, &e);
    if (!status && run_graph(s, e, cli_u32(a, "repeat", 20), &err)) status = cli_report(&err);
    if (!status) status = end_entry(e);
    if (!status) status = finish(s);
    return !status && cli_has(a, "check") ? check_graph(s, e) : status;
}

/* ---- both ---- */

int profile_measure(const cli_args *a, profile_set *out)
{
    *out = (profile_set){ .mode = strcmp(cli_text(a, "mode", "scheduled"), "isolated") ? WEFT_PROFILE_SCHEDULED
                                                                                    : WEFT_PROFILE_ISOLATED };
    int status = cli_source_open(a, false, &out->source);
    if (status) return status;
    return out->source.model ? measure_model(a, out) : measure_graph(a, out);
}

void profile_close(profile_set *s)
{
    cli_work_end(&s->work);
    for (uint32_t i = 0; i < s->n; i++) {
        weft_profile_destroy(s->entry[i].profile);
        free(s->entry[i].checks.nodes);
    }
    weft_program_destroy(s->program);
    weft_weights_destroy(s->weights);
    s->run.model = NULL; /* the source's */
    cli_run_close(&s->run);
    weft__noise_close(&s->noise);
    cli_source_close(&s->source);
}
