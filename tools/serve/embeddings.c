/* embeddings.c: /v1/embeddings: texts as vectors: the last layer's hidden states after the final norm, their mean or
 * the last token's, of length 1. The texts are tasks of the engine beside those that are continued. */
#include "tools/serve/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct embedding embedding;

typedef struct item {
    embedding *e;
    task *task;
    float *vector; /* [n_embed]; NULL: not there yet */
} item;

/* A request. */
struct embedding {
    exchange *x;
    const served *m;
    bool base64, failed;
    weft_error fault;
    uint32_t n_items, n_left, width;
    uint64_t tokens;
    item *items;
};

static void free_embedding(embedding *e)
{
    for (uint32_t i = 0; e && e->items && i < e->n_items; i++) free(e->items[i].vector);
    if (e) free(e->items);
    if (e) exchange_release(e->x);
    free(e);
}

/* ---- the answer ---- */

static json_t *base64(const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(4 * (n / 3 + 1) + 1), *at = text;
    if (!text) return NULL;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned second = left > 1 ? data[i + 1] : 0, third = left > 2 ? data[i + 2] : 0;
        unsigned bits = (unsigned)data[i] << 16 | second << 8 | third;
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        *at++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[bits & 63] : '=';
    }
    json_t *json = json_stringn(text, (size_t)(at - text));
    free(text);
    return json;
}

static json_t *vector_json(const embedding *e, const float *v)
{
    if (e->base64) return base64((const unsigned char *)v, e->width * sizeof *v); /* as the host has them */
    json_t *list = json_array();
    for (uint32_t i = 0; i < e->width; i++) json_array_append_new(list, json_real((double)v[i]));
    return list;
}

static json_t *answer_json(const embedding *e)
{
    json_t *data = json_array();
    for (uint32_t i = 0; i < e->n_items; i++)
        json_array_append_new(data, json_pack("{s:s, s:i, s:o}", "object", "embedding", "index", (int)i, "embedding",
                                              vector_json(e, e->items[i].vector)));
    return json_pack("{s:s, s:o, s:s, s:{s:I, s:I}}", "object", "list", "data", data, "model", e->m->name, "usage",
                     "prompt_tokens", (json_int_t)e->tokens, "total_tokens", (json_int_t)e->tokens);
}

/* ---- what tasks tell ---- */

static void on_vector(void *ctx, const double *sum, uint32_t width)
{
    item *i = ctx;
    double square = 0;
    for (uint32_t k = 0; k < width; k++) square += sum[k] * sum[k];
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    i->vector = malloc(width * sizeof *i->vector);
    for (uint32_t k = 0; i->vector && k < width; k++) i->vector[k] = (float)(sum[k] * scale);
}

static bool is_gone(void *ctx)
{
    const item *i = ctx;
    return exchange_gone(i->e->x);
}

static void on_end(void *ctx, task_end how, const weft_error *err)
{
    item *i = ctx;
    embedding *e = i->e;
    e->tokens += task_count(i->task).prompt;
    if (!i->vector && !e->failed) {
        e->failed = true;
        e->fault = how == TASK_FAILED && err ? *err : (weft_error){ .text = "the server is ending" };
        e->fault.status = how == TASK_FAILED ? WEFT_NOT_FINITE : WEFT_CANCELLED;
    }
    if (--e->n_left) return;
    if (e->failed)
        exchange_error(e->x, e->fault.status == WEFT_CANCELLED ? 503 : 500, "model_failed", NULL, "%s", e->fault.text);
    else
        exchange_answer(e->x, 200, answer_json(e));
    free_embedding(e);
}

/* ---- beginning ---- */

static weft_status make_tasks(embedding *e, const params *p, const answer_prompt *inputs, task **tasks,
                              weft_error *err)
{
    for (uint32_t i = 0; i < e->n_items; i++) {
        const task_desc d = {
            .ids = inputs[i].tokens.ids, .n = inputs[i].tokens.n, .client = e->x->client,
            .adapter = server_adapter(e->m, p->model),
            .pool = p->pool ? p->pool : TASK_POOL_MEAN,
            .listener = { .vector = on_vector, .gone = is_gone, .end = on_end, .ctx = &e->items[i] },
        };
        e->items[i].e = e;
        WEFT_TRY(task_create(e->m->engine, &d, &tasks[i], err));
        e->items[i].task = tasks[i];
    }
    return WEFT_OK;
}

static void begin(exchange *x, const served *m, const params *p, const answer_prompt *inputs, uint32_t n)
{
    weft_error err;
    embedding *e = calloc(1, sizeof *e);
    task **tasks = calloc(n, sizeof(task *));
    item *items = calloc(n, sizeof *items);
    weft_status status = e && tasks && items ? WEFT_OK : WEFT_OOM_FAIL(&err, "an answer");
    if (!status) {
        *e = (embedding){ .x = x, .m = m, .base64 = p->base64, .n_items = n, .n_left = n, .items = items,
                          .width = weft_model_info_get(m->model)->n_embed };
        exchange_hold(x);
        status = make_tasks(e, p, inputs, tasks, &err);
    } else {
        free(items);
    }
    bool taken = !status && engine_reserve(m->engine, n);
    if (taken) engine_submit(m->engine, tasks, n); /* which may have ended when this returns */
    else if (status) exchange_error(x, 503, NULL, NULL, "%s", err.text);
    else exchange_error(x, 429, "queue_full", NULL, "too many requests are waiting");
    for (uint32_t i = 0; tasks && !taken && i < n; i++) task_destroy(tasks[i]);
    if (!taken && e && e->items) free_embedding(e);
    else if (!taken) free(e);
    free(tasks);
}

static bool is_possible(exchange *x, const served *m, const json_t *request)
{
    const json_t *dimensions = json_object_get(request, "dimensions");
    uint32_t width = weft_model_info_get(m->model)->n_embed;
    if (!m->embeds)
        exchange_error(x, 422, "no_embeddings", NULL, "the server was started without --embeddings");
    else if (dimensions && !json_is_null(dimensions) && json_integer_value(dimensions) != (json_int_t)width)
        exchange_error(x, 400, "unsupported_value", "dimensions", "'dimensions': this model's vectors have %u", width);
    else
        return true;
    return false;
}

static void embed(exchange *x, const json_t *request, const params *p)
{
    const json_t *input = json_object_get(request, "input");
    served *m = server_model(x, p->model);
    size_t n;
    if (!m || !is_possible(x, m, request)) return;
    server_stay(x->server, m, p->stays ? p->keep_alive : m->keep_alive);
    answer_prompt *inputs = answer_prompts_read(x, m, "input", input, &n);
    if (inputs) begin(x, m, p, inputs, (uint32_t)n);
    answer_prompts_free(inputs, n);
}

void serve_embeddings(exchange *x)
{
    params p;
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_EMBEDDINGS, &p)) embed(x, request, &p);
    json_decref(request);
}

/* No architecture that is known here has a head that ranks; a number made of something else would be none. */
void serve_rerank(exchange *x)
{
    exchange_error(x, 422, "no_ranking_head", "model", "no model here has a head that ranks documents (/v1/embeddings "
                   "gives vectors, whose products compare texts)");
}
