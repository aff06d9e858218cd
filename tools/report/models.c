/* models.c: two models with random weights, as large as the device does much with in the time there is: a prompt's last
 * tokens and decoding behind 1k, 16k and 64k tokens. They are decoders as most people run (LLaMA's: grouped heads,
 * RMS norms, a gated feed-forward part), in sizes that are for sale. */
#include "backends/noise.h"
#include "tools/report/report.h"

#include <stdlib.h>
#include <string.h>

static const char text[] =
    "weft-graph 2\n"
    "model \"LlamaForCausalLM\" logits\n"
    "param V : int\nparam L : int\nparam E : int\nparam F : int\nparam H : int\nparam G : int\nparam D : int\n"
    "extent tokens 512\nextent rows 8\n"
    "%tokens = input \"tokens\" : i32[tokens]\n%pos = input \"pos\" : i32[tokens]\n%rows = input \"rows\" : i32[rows]\n"
    "block norm(%x, name) {\n%w = weight \"{name}.weight\" : any[E]\n%y = rms_norm %x, %w {eps = 1e-05}\nreturn %y\n}\n"
    "block project(%x, name, n, m) {\n%w = weight \"{name}.weight\" : any[n, m]\n%y = matmul_nt %x, %w\nreturn %y\n}\n"
    "block heads(%x, name, n) {\n%y = project %x {name = name, n = n * D, m = E}\n"
    "%y = reshape %y {dims = [tokens, n, D]}\nreturn %y\n}\n"
    "%angles = rope_table %pos {kind = default, n_rot = D, theta = 500000}\n"
    "%embed = weight \"embed.weight\" : any[V, E]\n%x = gather %embed, %tokens\noutput \"hidden.0\" = %x\n"
    "repeat i in 0..L {\nscope \"layers.{i}\" {\n"
    "%y = norm %x {name = \"norm_a\"}\n%q = heads %y {name = \"q\", n = H}\n%k = heads %y {name = \"k\", n = G}\n"
    "%v = heads %y {name = \"v\", n = G}\n%q = rope %q, %angles {interleaved = 0}\n"
    "%k = rope %k, %angles {interleaved = 0}\n%y = cached_attention %q, %k, %v {scale = 1 / sqrt(D), window = 0}\n"
    "%y = reshape %y {dims = [tokens, H * D]}\n%y = project %y {name = \"o\", n = E, m = H * D}\n%r = add %x, %y\n"
    "%y = norm %r {name = \"norm_b\"}\n%gate = project %y {name = \"gate\", n = F, m = E}\n"
    "%gate = activation %gate {act = silu}\n%up = project %y {name = \"up\", n = F, m = E}\n%y = mul %gate, %up\n"
    "%y = project %y {name = \"down\", n = E, m = F}\n%x = add %r, %y\n}\n"
    "if i + 1 < L {\noutput \"hidden.{i + 1}\" = %x\n}\n}\n"
    "%x = norm %x {name = \"norm\"}\noutput \"hidden.{L}\" = %x\n%x = gather %x, %rows\n"
    "%head = weight \"head.weight\" : any[V, E]\n%logits = matmul_nt %x, %head\noutput \"logits\" = %logits\n";

typedef struct model_size { const char *name; double vocab, layers, width, hidden, heads, groups, dim; } model_size;
static const model_size sizes[] = {
    { "llama 8M", 4096, 4, 256, 1024, 4, 2, 64 },      { "llama 100M", 16384, 12, 768, 2048, 12, 4, 64 },
    { "llama 1B", 32768, 16, 2048, 8192, 32, 8, 64 },  { "llama 3B", 32768, 28, 3072, 8192, 24, 8, 128 },
    { "llama 8B", 32768, 32, 4096, 14336, 32, 8, 128 },
};
static const uint32_t lengths[] = { 1024, 16384, 65536 };
enum { N_SIZES = sizeof sizes / sizeof *sizes, N_LENGTHS = sizeof lengths / sizeof *lengths, RUN = 512, ROOM = 64,
       PROMPTS = 3, TOKENS = 24, WARM = 2 };

typedef struct subject {
    report *r;
    const model_size *size;
    weft_dtype weights;
    weft_model *model;
    weft_graph *graph;
    weft__noise noise;
    weft_session *session;
    uint32_t context; /* tokens that its cache has room for */
} subject;

static double parameters(const model_size *s)
{
    const double layer = s->width * s->dim * (2 * s->heads + 2 * s->groups) + 3 * s->width * s->hidden;
    return 2 * s->vocab * s->width + s->layers * layer;
}

/* Seconds that the shortest length takes at a fraction of the roof that any kernel reaches: loading, some prompts, some
 * tokens. */
static double least_seconds(const report *r, const model_size *s, double bits)
{
    const double n = parameters(s), bytes = n * bits / 8;
    const double token = bytes / (0.2 * r->roof.bytes_per_second) + s->layers * 12 * r->roof.launch_seconds;
    const double prompt = 2 * n * RUN / (0.1 * r->roof.f32_ops_per_second);
    return 2 + bytes / 5e8 + 6 * prompt + (TOKENS + WARM) * token;
}

static bool suits(const report *r, const model_size *s, double bits, double seconds)
{
    const bool room = !r->info.memory_known || parameters(s) * bits / 8 * 1.2 < (double)r->info.memory;
    return room && least_seconds(r, s, bits) < seconds;
}

/* ---- a model ---- */

static weft_status open_model(subject *m, weft_error *err)
{
    const model_size *s = m->size;
    const weft_graph_param params[] = { { "V", NULL, s->vocab }, { "L", NULL, s->layers }, { "E", NULL, s->width },
                                        { "F", NULL, s->hidden }, { "H", NULL, s->heads }, { "G", NULL, s->groups },
                                        { "D", NULL, s->dim } };
    const weft_model_desc desc = { .text = text, .n_text = sizeof text - 1, .text_origin = "report", .params = params,
                                   .n_params = sizeof params / sizeof *params, .context = 1 << 20 };
    WEFT_TRY(weft_model_open(NULL, &desc, &m->model, err));
    const weft_model_graph_desc graph = { .weights = m->weights, .context = 64 };
    WEFT_TRY(weft_model_graph(m->model, &graph, &m->graph, err));
    WEFT_TRY(weft__noise_open(m->graph, &m->noise, err));
    const weft_weight_source source = weft__noise_source(&m->noise);
    weft_model_set_weights(m->model, &source);
    return WEFT_OK;
}

/* With the longest cache that there is memory for. */
static weft_status open_session(subject *m, weft_error *err)
{
    weft_status s = WEFT_LIMIT;
    for (uint32_t i = N_LENGTHS; i-- && s == WEFT_LIMIT;) {
        const weft_session_desc desc = { .devices = &m->r->b, .n_devices = 1, .weights = m->weights,
                                         .context = lengths[i] + ROOM, .max_tokens = RUN, .strict = true,
                                         .candidates = 1, .progress = m->r->sink };
        weft_session_plan *plan;
        s = weft_session_plan_create(m->model, &desc, &plan, err);
        if (s) continue;
        s = weft_session_plan_check(plan, err);
        if (s) weft_session_plan_destroy(plan);
        else s = weft_session_open(plan, NULL, &m->session, err);
        m->context = lengths[i];
    }
    return s;
}

static void close_model(subject *m)
{
    weft_session_destroy(m->session);
    weft_model_close(m->model);
    weft_graph_destroy(m->graph);
    weft__noise_close(&m->noise);
}

/* ---- what is measured ---- */

/* n more tokens; the last one's successor is wanted. */
static weft_status take(subject *m, uint32_t n, weft_error *err)
{
    weft_batch_token batch[RUN];
    weft_candidate best;
    const uint32_t at = weft_session_length(m->session, 0), n_vocab = weft_session_n_vocab(m->session);
    for (uint32_t i = 0; i < n; i++)
        batch[i] = (weft_batch_token){ .id = (int32_t)((at + i) * 2654435761u >> 8) % (int32_t)n_vocab };
    batch[n - 1].wants = WEFT_WANT_CANDIDATES;
    WEFT_TRY(weft_session_eval(m->session, batch, n, &(weft_rows){ .candidates = &best }, err));
    if (cli_interrupted()) return WEFT_FAIL(err, WEFT_CANCELLED, "stopped");
    m->r->late = weft__seconds() > m->r->until;
    return m->r->late ? WEFT_FAIL(err, WEFT_CANCELLED, "no time") : WEFT_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static weft_status measure_prompt(subject *m, uint32_t cells, double *median, weft_error *err)
{
    double seconds[PROMPTS];
    for (uint32_t i = 0; i < PROMPTS; i++) {
        WEFT_TRY(weft_session_truncate(m->session, 0, cells - RUN, err));
        const double start = weft__seconds();
        WEFT_TRY(take(m, RUN, err));
        seconds[i] = weft__seconds() - start;
    }
    qsort(seconds, PROMPTS, sizeof *seconds, by_value);
    *median = seconds[PROMPTS / 2];
    return WEFT_OK;
}

static weft_status measure_decode(subject *m, uint32_t cells, double *median, weft_counters *work, weft_error *err)
{
    double seconds[TOKENS];
    const weft_program *p = weft_session_program(m->session, 1);
    weft_counters before = { 0 };
    for (int i = -WARM; i < TOKENS; i++) {
        if (!i) before = weft_program_counters(p);
        const double start = weft__seconds();
        WEFT_TRY(take(m, 1, err));
        if (i >= 0) seconds[i] = weft__seconds() - start;
    }
    *work = weft_program_counters(p);
    work->launches -= before.launches;
    work->barriers -= before.barriers;
    work->submits -= before.submits;
    work->host_seconds -= before.host_seconds;
    qsort(seconds, TOKENS, sizeof *seconds, by_value);
    *median = seconds[TOKENS / 2];
    return weft_session_truncate(m->session, 0, cells, err);
}

/* From where the sequence ends to `cells` tokens. */
static weft_status measure_length(subject *m, uint32_t cells, json_t *out, weft_error *err)
{
    double prompt = 0, decode = 0;
    weft_counters work;
    while (weft_session_length(m->session, 0) < cells) WEFT_TRY(take(m, RUN, err));
    WEFT_TRY(measure_prompt(m, cells, &prompt, err));
    json_object_set_new(out, "prompt_tokens_per_second", json_real(RUN / prompt));
    WEFT_TRY(measure_decode(m, cells, &decode, &work, err));
    json_object_set_new(out, "decode_tokens_per_second", json_real(1 / decode));
    json_object_set_new(out, "per_token",
                        json_pack("{s:f, s:f, s:f, s:f}", "launches", (double)work.launches / TOKENS, "barriers",
                                  (double)work.barriers / TOKENS, "submits", (double)work.submits / TOKENS, "host_us",
                                  1e6 * work.host_seconds / TOKENS));
    return WEFT_OK;
}

static json_t *measure_lengths(subject *m)
{
    json_t *list = json_array();
    weft_error err;
    for (uint32_t i = 0; i < N_LENGTHS; i++) {
        const uint32_t cells = lengths[i];
        json_t *row = json_pack("{s:i}", "tokens", (int)cells);
        const bool tries = cells <= m->context && !m->r->late && !m->r->lost && !cli_interrupted();
        const bool failed = tries && measure_length(m, cells, row, &err);
        const char *why = cells > m->context ? "there is no memory for its cache"
                          : failed           ? report_why(m->r, "models", &err)
                          : !tries           ? report_why(m->r, "models", NULL)
                                             : NULL;
        if (why) json_object_set_new(row, "left_out", json_string(why));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *measure_model(report *r, const model_size *size, weft_dtype weights)
{
    weft_error err;
    subject m = { .r = r, .size = size, .weights = weights };
    json_t *row = json_pack("{s:s, s:s, s:f, s:f, s:f}", "name", size->name, "weights", weft_dtype_get(weights)->name,
                            "parameters", parameters(size), "layers", size->layers, "width", size->width);
    const bool tries = !r->lost && !cli_interrupted() && weft__seconds() < r->until;
    const bool failed = tries && (open_model(&m, &err) || open_session(&m, &err));
    const char *why = failed || !tries ? report_why(r, "models", tries ? &err : NULL) : NULL;
    if (why) json_object_set_new(row, "left_out", json_string(why));
    else {
        json_object_set_new(row, "bytes", json_integer((json_int_t)weft_session_bytes(m.session)));
        json_object_set_new(row, "lengths", measure_lengths(&m));
    }
    close_model(&m);
    return row;
}

json_t *report_models(report *r)
{
    static const struct { weft_dtype weights; double bits; } kinds[] = { { WEFT_Q4_0, 4.5 }, { WEFT_F16, 16 } };
    json_t *list = json_array();
    uint32_t at = N_SIZES; /* two sizes, the smaller one in f16 */
    for (uint32_t i = 0; i < 2; i++) {
        report_part(r, i ? 1 : 0.6);
        at -= at > 0;
        while (at && !suits(r, &sizes[at], kinds[i].bits, (r->until - weft__seconds()) / 3)) at--;
        json_array_append_new(list, measure_model(r, &sizes[at], kinds[i].weights));
    }
    return list;
}
