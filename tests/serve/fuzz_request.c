/* fuzz_request.c: what a client sends, through everything that reads it: head, JSON, fields, messages, template,
 * tokens. The first line is a method, a path and an Origin, the rest is the body. Where the engine would begin, there
 * is one that takes nothing. */
#include "tools/serve/http.h"
#include "tools/serve/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- in place of HTTP and the engine ---- */

void http_resume(struct MHD_Connection *c)
{
    (void)c;
}

unsigned http_connections(const http *h)
{
    (void)h;
    return 1;
}

weft_status task_create(engine *e, const task_desc *d, task **out, weft_error *err)
{
    weft_sampler *s;
    (void)e;
    *out = NULL;
    if (d->pool) return WEFT_OK;
    if (!d->n || d->n > 512) abort(); /* which the engine may rely on */
    weft_status status = weft_sampler_create(&d->sampling, 4096, &s, err);
    if (!status) weft_sampler_destroy(s);
    return status;
}

void task_destroy(task *t)
{
    (void)t;
}

task_tokens task_count(const task *t)
{
    (void)t;
    return (task_tokens){ .prompt = 1 };
}

int task_stopped(const task *t)
{
    return t ? 0 : -1;
}

bool engine_reserve(engine *e, uint32_t n)
{
    (void)e;
    (void)n;
    return false;
}

void engine_submit(engine *e, task *const *t, uint32_t n)
{
    (void)e;
    (void)t;
    (void)n;
}

const engine_counts *engine_count(const engine *e)
{
    static const engine_counts none;
    (void)e;
    return &none;
}

bool desk_put(exchange *x)
{
    return !x;
}

void serve_profile(exchange *x)
{
    exchange_answer(x, 200, json_object());
}

/* ---- a server ---- */

static const char template[] = "{# <think> <tool_call></tool_call> #}"
                               "{% for m in messages %}{{ m.role }}: {{ m.content }}{% for c in m.tool_calls %}"
                               "{{ c.function.arguments | tojson }}{% endfor %}{% endfor %}{{ tools | tojson }}";

static server *open_server(void)
{
    static server s;
    const int32_t eos = 0;
    weft_error err;
    served *m = &s.models[0];
    if (s.n_models) return &s;
    if (weft_model_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", NULL, &m->model, &err) ||
        weft_model_tokenizer(m->model, &m->tokenizer, &err) ||
        weft_token_trie_create(m->tokenizer, 4096, &eos, 1, &m->trie, &err) ||
        weft_chat_template_parse(template, strlen(template), "template", &m->chat, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    m->name = strdup("tiny");
    m->last = &m->first;
    m->state = SERVED_LOADED;
    m->context = 512;
    m->n_vocab = 4096;
    m->generates = m->embeds = true;
    s.n_models = 1;
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.changed, NULL);
    atomic_store(&s.state, SERVER_READY);
    return &s;
}

/* A word of the first line; *at moves behind it. */
static char *word(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *from = *at;
    while (*at < end && **at != ' ' && **at != '\n') (*at)++;
    const size_t n = (size_t)(*at - from);
    char *text = malloc(n + 1);
    if (!text) abort();
    memcpy(text, from, n);
    text[n] = 0;
    if (*at < end && **at == ' ') (*at)++;
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *at = data, *end = data + size;
    server *s = open_server();
    exchange *x = exchange_create(s, NULL, -1);
    char *method = word(&at, end), *path = word(&at, end), *origin = word(&at, end);
    request_head head = { .method = method, .path = path, .origin = *origin ? origin : NULL, .host = "localhost:1" };
    while (at < end && *at != '\n') at++;
    if (at < end) at++;
    x->path = strdup(path);
    server_begin(s, x, &head);
    x->n_body = (size_t)(end - at);
    server_take_body(s, 0, x->n_body);
    x->body = malloc(x->n_body + 1);
    memcpy(x->body, at, x->n_body);
    if (!exchange_answered(x) && x->route && strcmp(path, "/props")) route_run(x);
    if (!x->status || !x->ended) abort();                      /* everything has an answer */
    if (x->status >= 500) abort();                             /* and none of these is the server's fault */
    if (!strncmp(x->type, "application/json", 16)) {           /* which is JSON */
        json_t *json = json_loadb(x->out, x->n_out, JSON_ALLOW_NUL, NULL);
        if (!json) abort();
        json_decref(json);
    }
    exchange_release(x);
    free(method);
    free(path);
    free(origin);
    return 0;
}
