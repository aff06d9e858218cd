/* run.c: opening what a command runs on, from the common options, and --check and --verbose. */
#include "models/pages.h"
#include "tools/cli.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

bool cli_dtype(const char *name, weft_dtype *out)
{
    return weft_dtype_parse(name, out);
}

/* How many nodes of a program are where, by reason. */
static void tell_places(const cli_run *r, const weft_program *p, const char *name)
{
    uint32_t count[CLI_MAX_DEVICES][WEFT_PLACE_COUNT] = { 0 };
    const weft_graph *g = weft_program_graph(p);
    const weft_plan *plan = weft_program_plan(p);
    for (uint32_t i = 0; i < plan->n_steps; i++) {
        weft_place place = weft_program_place(p, plan->steps[i].node);
        count[place.device][place.reason]++;
    }
    fprintf(stderr, "%s program: %u nodes, %u steps\n", name, weft_graph_node_count(g), plan->n_steps);
    for (uint32_t d = 0; d < r->devices.n; d++)
        for (uint32_t k = 0; k < WEFT_PLACE_COUNT; k++)
            if (count[d][k])
                fprintf(stderr, "  %u on device %u: %s\n", count[d][k], d, weft_place_sentence((weft_place_reason)k));
}

static void tell_bytes(const char *what, uint64_t bytes)
{
    bool few = bytes < 1 << 20;
    fprintf(stderr, "%s %.1f %s", what, (double)bytes / (few ? 1024.0 : 1048576.0), few ? "KiB" : "MiB");
}

static void tell_devices(const cli_run *r)
{
    const weft_program *prompt = weft_session_program(r->session, SIZE_MAX);
    for (uint32_t d = 0; d < r->devices.n; d++) {
        weft_device_info info;
        weft_backend_info(r->devices.device[d], &info);
        weft_program_memory m = weft_program_device_memory(prompt, d);
        fprintf(stderr, "device %u: %s, %s", d, info.name, info.description);
        tell_bytes(": weights", m.weights);
        tell_bytes(", cache", m.states);
        tell_bytes(", activations", m.constants + m.arena);
        fputc('\n', stderr);
    }
}

/* The lengths of runs that have a program: the two above, and those between, planned alike. */
static void tell_programs(const cli_run *r)
{
    uint32_t most = weft_session_settled(r->session)->max_tokens;
    fprintf(stderr, "programs for runs of up to");
    for (uint32_t n = 1; n <= most; n++)
        if (n == most || weft_session_program(r->session, n) != weft_session_program(r->session, n + 1))
            fprintf(stderr, "%s %u", n > 1 ? "," : "", n);
    fprintf(stderr, " tokens\n");
}

static void describe(const cli_run *r)
{
    const char *note;
    for (uint32_t i = 0; (note = weft_model_note(r->model, i)); i++) fprintf(stderr, "note: %s\n", note);
    tell_devices(r);
    weft_program *prompt = weft_session_program(r->session, SIZE_MAX), *decode = weft_session_program(r->session, 1);
    tell_places(r, prompt, "prompt");
    if (decode != prompt) tell_places(r, decode, "decode");
    tell_programs(r);
    weft_load_times t = weft_session_load_times(r->session);
    fprintf(stderr, "graph %.1f ms, plan %.1f ms, load %.1f ms, %.1f MiB (step by step: weft graph --stage planned)\n",
            1e3 * t.graph, 1e3 * t.plan, 1e3 * t.load, (double)weft_session_bytes(r->session) / 1048576.0);
}

static bool wants_text(const cli_args *a, const weft_model *m)
{
    weft_model_info info = *weft_model_info_get(m);
    bool ids = cli_has(a, "tokens") || cli_has(a, "batch"), makes_text = a->command == &cli_generate;
    return info.has_tokenizer && a->command != &cli_bench && (makes_text || !ids);
}

/* So that it is there when text comes; a failure is met again, and told, where it is first used. */
static void *read_tokenizer(void *model)
{
    const weft_tokenizer *tok;
    return weft_model_tokenizer(model, &tok, NULL) ? NULL : model;
}

/* What a user who named several devices wants to know: which of them run what. */
static void tell_split(const cli_run *r)
{
    const weft_program *p = weft_session_program(r->session, SIZE_MAX);
    fprintf(stderr, "layers:");
    for (uint32_t d = 0; d < r->devices.n; d++) {
        weft_device_info info;
        weft_backend_info(r->devices.device[d], &info);
        uint32_t n = weft_program_split(p, d);
        if (n == UINT32_MAX) fprintf(stderr, "%s %s on %s", d ? "," : "", d ? "none" : "all", info.model);
        else fprintf(stderr, "%s %u on %s", d ? "," : "", n, info.model);
    }
    fputc('\n', stderr);
}

/* Too large for the devices: with what would help. */
static int tell_failed(const cli_run *r, const weft_session_desc *d, const weft_error *err)
{
    char hint[256] = "";
    if (err->status == WEFT_LIMIT) cli_fit_hint(r->model, d, hint, sizeof hint);
    return *hint ? cli_fail("%s; %s", err->text, hint) : cli_report(err);
}

/* A configuration or a text by itself, for which the command has no weights of its own. */
static int check_weights(const cli_args *a, weft_model *m)
{
    weft_model_info info = *weft_model_info_get(m);
    if (info.has_weights || weft_model_weights(m).ctx != m) return 0;
    if (cli_is_graph_text(a->model))
        return cli_fail("%s: a graph's text has no weights: name the folder that has them, and it by --graph %s",
                        a->named, a->named);
    const char *text = cli_text(a, "graph", NULL);
    return cli_fail("%s: a configuration without weights: `weft init %s DIR%s%s` writes random ones", a->named,
                    a->named, text ? " --graph " : "", text ? text : "");
}

static void tell_spilled(const cli_run *r)
{
    for (uint32_t d = 0; d < r->devices.n; d++) {
        weft_device_info info;
        weft_backend_info(r->devices.device[d], &info);
        if (info.spilled)
            fprintf(stderr, "note: %s has too little memory: %.0f MiB lie in the host's, which it reads slowly "
                    "(smaller --weights or --context would help)\n", info.model, (double)info.spilled / 1048576.0);
    }
}

/* "q8_0", or of keys and values: "q8_0,q4_0". */
static void read_cache_types(const char *text, weft_session_desc *desc)
{
    char keys[32];
    const char *comma = strchr(text, ',');
    snprintf(keys, sizeof keys, "%.*s", comma ? (int)(comma - text) : (int)strlen(text), text);
    cli_dtype(keys, &desc->kv);
    if (comma) cli_dtype(comma + 1, &desc->kv_values);
}

int cli_session_desc(const cli_args *a, const cli_device_list *l, uint32_t *split, weft_session_desc *desc)
{
    bool given;
    int status = cli_split(a, l, split, &given);
    if (status) return status;
    desc->devices = l->device;
    desc->n_devices = l->n;
    desc->split = given ? split : NULL;
    desc->spread = true;
    if (cli_has(a, "weights")) cli_dtype(cli_text(a, "weights", ""), &desc->weights);
    if (cli_has(a, "kv")) read_cache_types(cli_text(a, "kv", ""), desc);
    if (cli_has(a, "context")) desc->context = cli_u32(a, "context", 0);
    if (cli_has(a, "chunk")) desc->max_tokens = cli_u32(a, "chunk", 0);
    desc->cache_weights = cli_text(a, "cache-weights", NULL);
    desc->exact = cli_has(a, "exact");
    desc->strict = cli_has(a, "strict");
    desc->deterministic = cli_has(a, "deterministic");
    if (!desc->progress.report) desc->progress = cli_progress();
    return 0;
}

int cli_run_prepare(const cli_args *a, weft_session_desc *desc, uint32_t *split, cli_run *out)
{
    const double start = weft__seconds();
    int status = out->model ? 0 : cli_model_open(a, &out->model);
    if (!status) status = check_weights(a, out->model);
    if (!status) status = cli_devices_open(a, &out->devices);
    out->open_seconds = weft__seconds() - start;
    if (!status) status = cli_session_desc(a, &out->devices, split, desc);
    if (!status) status = cli_adapters_open(a, &out->adapters, desc);
    if (!status && cli_has(a, "fit") && wants_text(a, out->model)) read_tokenizer(out->model); /* which takes memory */
    if (!status && cli_has(a, "fit")) status = cli_fit(out->model, desc);
    return status;
}

int cli_run_create(const cli_args *a, const weft_session_desc *desc, cli_run *out)
{
    weft_error err;
    pthread_t reader; /* a tokenizer takes as long to read as a few hundred MB of weights */
    bool reading = wants_text(a, out->model) && !pthread_create(&reader, NULL, read_tokenizer, out->model);
    weft_status created = weft_session_create(out->model, desc, &out->session, &err);
    const double start = weft__seconds();
    if (reading) pthread_join(reader, NULL);
    out->open_seconds += weft__seconds() - start;
    cli_progress_end();
    if (created) return tell_failed(out, desc, &err);
    if (desc->n_devices > 1) tell_split(out);
    tell_spilled(out);
    if (cli_has(a, "verbose")) describe(out);
    return 0;
}

int cli_run_open(const cli_args *a, weft_session_desc desc, cli_run *out)
{
    uint32_t split[CLI_MAX_DEVICES];
    int status = cli_run_prepare(a, &desc, split, out);
    return status ? status : cli_run_create(a, &desc, out);
}

void cli_run_close(cli_run *r)
{
    weft_session_destroy(r->session);
    cli_adapters_close(&r->adapters);
    cli_devices_close(&r->devices);
    weft_model_close(r->model);
    *r = (cli_run){ 0 };
}

/* The first token comes of the prompt, the others of decoding. */
void cli_tell_speed(const weft_generated *r, size_t n_prompt)
{
    uint32_t n = r->n_tokens ? r->n_tokens - 1 : 0;
    fprintf(stderr, "prompt: %zu token%s in %.2f s, %.1f tokens/s", n_prompt, n_prompt == 1 ? "" : "s",
            r->prompt_seconds, (double)n_prompt / r->prompt_seconds);
    if (n && r->decode_seconds > 0)
        fprintf(stderr, "; decode: %u token%s in %.2f s, %.1f tokens/s", n, n == 1 ? "" : "s", r->decode_seconds,
                n / r->decode_seconds);
    if (r->drafted) fprintf(stderr, "; drafted: %u, accepted: %u", r->drafted, r->accepted);
    fputc('\n', stderr);
}

/* ---- --check ---- */

typedef struct check_state {
    const weft_graph *g;
    uint32_t n, failed;
    double worst; /* largest error as a fraction of its tolerance */
    bool spoilt;  /* a result that is no number was told */
} check_state;

/* The first node that makes what is no number is told, be it that the reference makes it too: what follows has it from
 * there. */
static void tell_first(check_state *s, const weft_node *n, const weft_check_node *c)
{
    if (s->spoilt || !c->n_not_finite) return;
    s->spoilt = true;
    cli_progress_end();
    fprintf(stderr, "check: the first NaN or infinity is made by %s%s%s %%%u: %llu of its %llu numbers%s%s%s\n",
            n->scope, *n->scope ? " " : "", weft_op_get(n->op)->name, n->out[c->output].id,
            (unsigned long long)c->n_not_finite, (unsigned long long)c->n_values, c->weight ? "; the weight '" : "",
            c->weight ? c->weight : "", c->weight ? "' has some" : "");
}

static bool report_node(void *ctx, const weft_check_node *c)
{
    check_state *s = ctx;
    s->n++;
    if (c->tolerance > 0 && c->max_error / c->tolerance > s->worst) s->worst = c->max_error / c->tolerance;
    const weft_node *n = weft_graph_node_by_id(s->g, c->node);
    tell_first(s, n, c);
    if (!c->failed) return true;
    s->failed++;
    cli_progress_end();
    fprintf(
        stderr,
        "check: %s%s%s %%%u: max error %.3g, mean %.3g, tolerance %.3g, rms %.3g, %llu NaN and %llu infinite of %llu\n",
        n->scope, *n->scope ? " " : "", weft_op_get(n->op)->name, n->out[c->output].id, c->max_error, c->mean_error,
        c->tolerance, c->rms, (unsigned long long)c->n_nan, (unsigned long long)c->n_inf,
        (unsigned long long)c->n_values);
    return true;
}

int cli_check(cli_run *r, const weft_tokens *t)
{
    weft_error err;
    const weft_program *p = weft_session_program(r->session, t->n);
    check_state s = { .g = weft_program_graph(p) };
    if (weft_session_check(r->session, t->ids, t->n, report_node, &s, &err)) return cli_report(&err);
    cli_progress_end();
    fprintf(stderr, "check: %u results compared, %u differ; the largest error is %.2g of its tolerance\n", s.n,
            s.failed, s.worst);
    if (s.failed) return cli_fail("check: %u of %u results differ from the plain float32 path", s.failed, s.n);
    return s.spoilt ? cli_fail("check: there are results that are NaN or infinite, here and in the plain path") : 0;
}

uint32_t cli_pages_seen(const char *extent, uint32_t page, uint32_t cells)
{
    uint32_t window = 0;
    if (strcmp(extent, "pages_each") && !weft__pages_extent(extent, &window)) return 0;
    return weft__pages_of(page, window && window < cells ? window : cells);
}
