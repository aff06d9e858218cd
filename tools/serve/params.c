/* params.c: reading a request's fields by one table. A field that is not in it is refused by name: what has no effect
 * should not look as if it had. Fields of OpenAI's that concern its own service alone are taken and mean nothing
 * here. */
#include "tools/serve/params.h"
#include "graph/guess.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef enum field_kind {
    REAL,   /* a float in [min, max] */
    WHOLE,  /* a uint32_t in [min, max] */
    TRUTH,  /* a bool */
    TEXT,   /* a const char * */
    CUSTOM, /* `read` looks at it */
    OTHER   /* the endpoint itself looks at it, or it means nothing here */
} field_kind;

typedef struct field field;
typedef bool field_reader(exchange *x, const json_t *value, params *p);
struct field {
    const char *name;
    field_kind kind;
    unsigned endpoints;
    size_t at; /* in params */
    double min, max;
    field_reader *read;
};

/* ---- fields of several values ---- */

static bool add_stop(exchange *x, const json_t *value, params *p)
{
    if (!json_is_string(value) || !json_string_length(value) ||
        strlen(json_string_value(value)) != json_string_length(value))
        return exchange_expected(x, "stop", "texts that are not empty");
    p->stop[p->n_stop++] = json_string_value(value);
    return true;
}

static bool read_stop(exchange *x, const json_t *value, params *p)
{
    size_t n = json_array_size(value);
    if (json_is_string(value)) return add_stop(x, value, p);
    if (!json_is_array(value) || n > PARAMS_STOPS)
        return exchange_expected(x, "stop", "a text, or a list of at most 16");
    for (size_t i = 0; i < n; i++)
        if (!add_stop(x, json_array_get(value, i), p)) return false;
    return true;
}

static bool read_bias(exchange *x, const json_t *value, params *p)
{
    const char *key;
    json_t *bias;
    if (!json_is_object(value) || json_object_size(value) > PARAMS_BIASES)
        return exchange_expected(x, "logit_bias", "an object of at most 1024 token ids and numbers");
    json_object_foreach((json_t *)(uintptr_t)value, key, bias)
    {
        char *end;
        long id = strtol(key, &end, 10);
        double b = json_number_value(bias);
        if (*end || end == key || id < 0 || id > INT32_MAX || !json_is_number(bias) || b < -100 || b > 100)
            return exchange_expected(x, "logit_bias", "token ids with numbers from -100 to 100");
        p->bias_tokens[p->sampling.n_bias] = (int32_t)id;
        p->bias_values[p->sampling.n_bias++] = b <= -100 ? -INFINITY : (float)b; /* a ban, as OpenAI has it */
    }
    p->sampling.bias_tokens = p->bias_tokens;
    p->sampling.bias_values = p->bias_values;
    return true;
}

static bool read_seed(exchange *x, const json_t *value, params *p)
{
    if (!json_is_integer(value)) return exchange_expected(x, "seed", "a whole number");
    p->sampling.seed = (uint64_t)json_integer_value(value);
    p->seeded = true;
    return true;
}

static bool add_steps(params *p, const char *name)
{
    weft_step_kind kinds[WEFT_STEP_SHARED];
    uint32_t n = name ? weft_steps_named(name, kinds) : 0;
    if (!n || p->sampling.n_order + n > WEFT_SAMPLING_STEPS) return false;
    for (uint32_t k = 0; k < n; k++) {
        for (uint32_t i = 0; i < p->sampling.n_order; i++)
            if (p->order[i] == kinds[k]) return false;
        p->order[p->sampling.n_order++] = kinds[k];
    }
    return true;
}

static bool read_samplers(exchange *x, const json_t *value, params *p)
{
    size_t n = json_array_size(value);
    bool ok = json_is_array(value) && n;
    for (size_t i = 0; i < n && ok; i++) ok = add_steps(p, json_string_value(json_array_get(value, i)));
    if (!ok) return exchange_expected(x, "samplers", "a list of names of samplers, each once");
    p->sampling.order = p->order;
    return true;
}

static bool read_mirostat(exchange *x, const json_t *value, params *p)
{
    json_int_t v = json_is_integer(value) ? json_integer_value(value) : -1;
    if (v != 0 && v != 2) return exchange_expected(x, "mirostat", "0 or 2");
    if (v == 2 && p->sampling.mirostat_tau == 0) p->sampling.mirostat_tau = 5;
    return true;
}

/* llama.cpp's names, of which the first is an option of its server. */
static bool read_shift(exchange *x, const json_t *value, params *p)
{
    if (!json_is_boolean(value)) return exchange_expected(x, "context_shift", "true or false");
    p->full = json_is_true(value) ? FULL_SHIFTS : FULL_STOPS;
    return true;
}

static bool read_keep(exchange *x, const json_t *value, params *p)
{
    const json_int_t n = json_is_integer(value) ? json_integer_value(value) : -2;
    if (n < -1 || n > 1 << 30) return exchange_expected(x, "n_keep", "a number of tokens, or -1: all of the prompt");
    p->n_keep = n < 0 ? UINT32_MAX : (uint32_t)n;
    return true;
}

/* Of completions it may be 0: for the prompt's log-probabilities. */
static bool read_most(exchange *x, const json_t *value, params *p)
{
    const json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
    if (n < 0 || n > 1 << 24) return exchange_expected(x, "max_tokens", "a whole number from 0 to 16777216");
    p->none = !n;
    p->max_tokens = (uint32_t)n;
    return true;
}

/* OpenAI's legacy endpoint has a number there, chat a truth beside top_logprobs. */
static bool read_logprobs(exchange *x, const json_t *value, params *p)
{
    if (json_is_boolean(value)) {
        p->logprobs = json_is_true(value);
        return true;
    }
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
    if (n < 0 || n > PARAMS_TOP) return exchange_expected(x, "logprobs", "true, false, or a number from 0 to 20");
    p->logprobs = true;
    p->n_top = (uint32_t)n;
    return true;
}

/* "1h30m", "90s", "250ms"; seconds without a unit. False: it is no such text. */
static bool read_duration(const char *text, double *seconds)
{
    static const struct { const char *name; double seconds; } units[] = { { "h", 3600 }, { "ms", 1e-3 }, { "m", 60 },
                                                                          { "s", 1 } };
    const bool below = *text == '-';
    *seconds = 0;
    for (text += below; *text;) {
        char *end;
        const double n = strtod(text, &end);
        size_t k = 0;
        if (end == text || !(n >= 0 && n <= 1e9) || !strchr("0123456789.", *text)) return false;
        while (k < sizeof units / sizeof *units && strncmp(end, units[k].name, strlen(units[k].name))) k++;
        if (k == sizeof units / sizeof *units && *end) return false;
        *seconds += n * (*end ? units[k].seconds : 1);
        text = *end ? end + strlen(units[k].name) : end;
    }
    if (below) *seconds = -1;
    return true;
}

/* Ollama's. */
static bool read_stay(exchange *x, const json_t *value, params *p)
{
    p->stays = true;
    p->keep_alive = json_number_value(value);
    if (json_is_number(value) && p->keep_alive <= 1e9) return true;
    if (json_string_length(value) && read_duration(json_string_value(value), &p->keep_alive)) return true;
    return exchange_expected(x, "keep_alive", "seconds, or a text as 10m; below 0: for ever");
}

/* llama.cpp's names; deepseek is what auto does. */
static bool read_reasoning(exchange *x, const json_t *value, params *p)
{
    const char *how = json_string_value(value);
    if (!how || (strcmp(how, "none") && strcmp(how, "auto") && strcmp(how, "deepseek")))
        return exchange_expected(x, "reasoning_format", "auto, none or deepseek");
    p->keep_reasoning = !strcmp(how, "none");
    return true;
}

static bool read_stream_options(exchange *x, const json_t *value, params *p)
{
    const char *key;
    json_t *v;
    if (!json_is_object(value)) return exchange_expected(x, "stream_options", "an object");
    json_object_foreach((json_t *)(uintptr_t)value, key, v)
    {
        if (!strcmp(key, "include_usage") && json_is_boolean(v)) p->include_usage = json_is_true(v);
        else if (strcmp(key, "include_obfuscation"))
            return exchange_expected(x, "stream_options", "include_usage, true or false");
    }
    return true;
}

/* ---- what a text must match ---- */

static bool set_grammar(exchange *x, params *p, weft_grammar_kind kind, const char *name)
{
    if (p->grammar_field) {
        exchange_error(x, 400, "invalid_value", name, "'%s' and '%s': only one of them can be asked for", name,
                       p->grammar_field);
        return false;
    }
    p->grammar_kind = kind;
    p->grammar_field = name;
    return true;
}

bool params_set_schema(exchange *x, params *p, const json_t *schema, const char *name)
{
    if (!json_is_object(schema) && !json_is_boolean(schema)) return exchange_expected(x, name, "a JSON schema");
    if (!set_grammar(x, p, WEFT_GRAMMAR_JSON_SCHEMA, name)) return false;
    p->schema = json_dumps(schema, JSON_ENCODE_ANY | JSON_COMPACT);
    p->grammar = p->schema;
    p->n_grammar = p->schema ? strlen(p->schema) : 0;
    return p->schema || (exchange_error(x, 503, NULL, NULL, "out of memory"), false);
}

static bool read_format(exchange *x, const json_t *value, params *p)
{
    const char *name = "response_format", *type = json_string_value(json_object_get(value, "type"));
    if (!type) return exchange_expected(x, name, "an object with a type");
    if (!strcmp(type, "text")) return true;
    if (!strcmp(type, "json_object")) return set_grammar(x, p, WEFT_GRAMMAR_JSON_OBJECT, name);
    if (strcmp(type, "json_schema")) return exchange_expected(x, name, "a type of text, json_object or json_schema");
    return params_set_schema(x, p, json_object_get(json_object_get(value, "json_schema"), "schema"), name);
}

static bool read_schema(exchange *x, const json_t *value, params *p)
{
    return params_set_schema(x, p, value, "json_schema");
}

static bool read_grammar(exchange *x, const json_t *value, params *p)
{
    if (!json_is_string(value)) return exchange_expected(x, "grammar", "a grammar in GBNF");
    if (!set_grammar(x, p, WEFT_GRAMMAR_GBNF, "grammar")) return false;
    p->grammar = json_string_value(value);
    p->n_grammar = json_string_length(value);
    return true;
}

static bool read_pooling(exchange *x, const json_t *value, params *p)
{
    const char *how = json_string_value(value);
    p->pool = !how                   ? TASK_POOL_NONE
              : !strcmp(how, "mean") ? TASK_POOL_MEAN
              : !strcmp(how, "cls")  ? TASK_POOL_FIRST
              : !strcmp(how, "last") ? TASK_POOL_LAST
                                     : TASK_POOL_NONE;
    return p->pool || exchange_expected(x, "pooling", "mean, cls or last");
}

static bool read_encoding(exchange *x, const json_t *value, params *p)
{
    const char *how = json_string_value(value);
    if (!how || (strcmp(how, "float") && strcmp(how, "base64")))
        return exchange_expected(x, "encoding_format", "float or base64");
    p->base64 = !strcmp(how, "base64");
    return true;
}

/* ---- drafts ---- */

/* OpenAI's "predicted outputs": the text that is thought to come. */
static bool read_prediction(exchange *x, const json_t *value, params *p)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    const json_t *content = json_object_get(value, "content"), *part;
    bool ok = type && !strcmp(type, "content") && (json_is_string(content) || json_is_array(content));
    size_t i;
    if (ok) json_array_foreach(content, i, part) ok = ok && json_is_string(json_object_get(part, "text"));
    if (!ok)
        return exchange_expected(x, "prediction",
                                 "an object of the type content, with a text or a list of texts as content");
    p->prediction = content;
    return true;
}

bool params_prediction(const params *p, weft_text *out)
{
    const weft_writer w = weft_text_writer(out);
    const json_t *part, *text = p->prediction;
    size_t i;
    if (json_is_string(text)) return w.write(w.ctx, json_string_value(text), json_string_length(text));
    json_array_foreach(p->prediction, i, part)
    {
        text = json_object_get(part, "text");
        if (!w.write(w.ctx, json_string_value(text), json_string_length(text))) return false;
    }
    return true;
}

/* llama.cpp's name: tokens to guess. How many it is besides none is for the server to find out. */
static bool read_speculative(exchange *x, const json_t *value, params *p)
{
    const json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
    if (n < 0 || n > WEFT_DRAFT_MOST)
        return exchange_expected(x, "speculative.n_max", "a whole number from 0 (off) to 64");
    p->no_drafts = n == 0;
    return true;
}

/* ---- the table ---- */

#define AT(member) offsetof(params, member)
#define SAMPLING(name, member, kind, min, max) { name, kind, FOR_TEXT, AT(sampling.member), min, max, NULL }
#define SPECIAL(name, endpoints, function) { name, CUSTOM, endpoints, 0, 0, 0, function }
#define ELSEWHERE(name, endpoints) { name, OTHER, endpoints, 0, 0, 0, NULL }

static const field fields[] = {
    { "model", TEXT, ~0u, AT(model), 0, 0, NULL },
    SPECIAL("max_tokens", FOR_COMPLETIONS, read_most),
    { "max_tokens", WHOLE, FOR_TEXT, AT(max_tokens), 1, 1 << 24, NULL },
    { "max_completion_tokens", WHOLE, FOR_CHAT, AT(max_tokens), 1, 1 << 24, NULL },
    { "n_predict", WHOLE, FOR_INFILL, AT(max_tokens), 1, 1 << 24, NULL },
    { "n", WHOLE, FOR_OPENAI, AT(n), 1, PARAMS_CHOICES, NULL },
    { "best_of", WHOLE, FOR_COMPLETIONS, AT(best_of), 1, PARAMS_CHOICES, NULL },
    { "stream", TRUTH, FOR_TEXT, AT(stream), 0, 0, NULL },
    { "ignore_eos", TRUTH, FOR_TEXT, AT(ignore_eos), 0, 0, NULL },
    { "echo", TRUTH, FOR_COMPLETIONS, AT(echo), 0, 0, NULL },
    { "top_logprobs", WHOLE, FOR_CHAT, AT(n_top), 0, PARAMS_TOP, NULL },
    { "add_generation_prompt", TRUTH, FOR_CHAT, AT(prompts), 0, 0, NULL },
    { "continue_final_message", TRUTH, FOR_CHAT, AT(goes_on), 0, 0, NULL },
    SPECIAL("keep_alive", FOR_TEXT | FOR_EMBEDDINGS, read_stay),
    SPECIAL("logprobs", FOR_OPENAI, read_logprobs),
    SPECIAL("stop", FOR_TEXT, read_stop),
    SPECIAL("stream_options", FOR_OPENAI, read_stream_options),
    SPECIAL("logit_bias", FOR_TEXT, read_bias),
    SPECIAL("seed", FOR_TEXT, read_seed),
    SPECIAL("context_shift", FOR_OPENAI, read_shift),
    SPECIAL("n_keep", FOR_OPENAI, read_keep),
    SPECIAL("samplers", FOR_TEXT, read_samplers),
    SPECIAL("response_format", FOR_OPENAI, read_format),
    SPECIAL("json_schema", FOR_TEXT, read_schema),
    SPECIAL("grammar", FOR_TEXT, read_grammar),
    SPECIAL("reasoning_format", FOR_CHAT, read_reasoning),
    SPECIAL("prediction", FOR_TEXT, read_prediction),
    SPECIAL("speculative.n_max", FOR_TEXT, read_speculative),

    SAMPLING("temperature", temperature, REAL, 0, 100),
    SAMPLING("top_k", top_k, WHOLE, 0, 1 << 26),
    SAMPLING("top_p", top_p, REAL, 0, 1),
    SAMPLING("min_p", min_p, REAL, 0, 1),
    SAMPLING("typical_p", typical_p, REAL, 0, 1),
    SAMPLING("xtc_probability", xtc_probability, REAL, 0, 1),
    SAMPLING("xtc_threshold", xtc_threshold, REAL, 0, 1),
    SAMPLING("repeat_penalty", repeat_penalty, REAL, 0, 100),
    SAMPLING("repetition_penalty", repeat_penalty, REAL, 0, 100),
    SAMPLING("frequency_penalty", frequency_penalty, REAL, -2, 2),
    SAMPLING("presence_penalty", presence_penalty, REAL, -2, 2),
    SAMPLING("repeat_last_n", repeat_window, WHOLE, 1, 1 << 24),
    SAMPLING("dry_multiplier", dry_multiplier, REAL, 0, 1000),
    SAMPLING("dry_base", dry_base, REAL, 1, 1000),
    SAMPLING("dry_allowed_length", dry_allowed, WHOLE, 1, 1 << 24),
    SAMPLING("dry_penalty_last_n", dry_window, WHOLE, 0, 1 << 24),
    SAMPLING("mirostat_tau", mirostat_tau, REAL, 0.01, 100),
    SAMPLING("mirostat_eta", mirostat_eta, REAL, 0.0001, 1),
    SPECIAL("mirostat", FOR_TEXT, read_mirostat),

    { "add_special", TRUTH, FOR_TOKENIZE, AT(add_special), 0, 0, NULL },
    { "with_pieces", TRUTH, FOR_TOKENIZE, AT(with_pieces), 0, 0, NULL },

    ELSEWHERE("prompt", FOR_COMPLETIONS), ELSEWHERE("messages", FOR_CHAT), ELSEWHERE("tools", FOR_CHAT),
    ELSEWHERE("tool_choice", FOR_CHAT), ELSEWHERE("chat_template_kwargs", FOR_CHAT),
    ELSEWHERE("reasoning_effort", FOR_CHAT), ELSEWHERE("documents", FOR_CHAT), ELSEWHERE("content", FOR_TOKENIZE),
    ELSEWHERE("tokens", FOR_DETOKENIZE), ELSEWHERE("input", FOR_EMBEDDINGS), ELSEWHERE("dimensions", FOR_EMBEDDINGS),
    SPECIAL("encoding_format", FOR_EMBEDDINGS, read_encoding), SPECIAL("pooling", FOR_EMBEDDINGS, read_pooling),

    ELSEWHERE("input_prefix", FOR_INFILL), ELSEWHERE("input_suffix", FOR_INFILL), ELSEWHERE("input_extra", FOR_INFILL),
    ELSEWHERE("prompt", FOR_INFILL), ELSEWHERE("cache_prompt", FOR_INFILL), ELSEWHERE("id_slot", FOR_INFILL),
    ELSEWHERE("n_indent", FOR_INFILL), ELSEWHERE("t_max_prompt_ms", FOR_INFILL),
    ELSEWHERE("t_max_predict_ms", FOR_INFILL), ELSEWHERE("response_fields", FOR_INFILL),

    ELSEWHERE("user", ~0u), ELSEWHERE("metadata", FOR_CHAT), ELSEWHERE("store", FOR_CHAT),
    ELSEWHERE("service_tier", FOR_CHAT), ELSEWHERE("safety_identifier", FOR_CHAT),
    ELSEWHERE("prompt_cache_key", FOR_CHAT), ELSEWHERE("parallel_tool_calls", FOR_CHAT),
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static const field *find(const char *name, unsigned endpoint)
{
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].endpoints & endpoint && !strcmp(fields[i].name, name)) return &fields[i];
    return NULL;
}

static bool refuse_unknown(exchange *x, const char *name, unsigned endpoint)
{
    weft__guess g = { .word = name };
    char hint[80];
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].endpoints & endpoint) weft__guess_try(&g, fields[i].name, strlen(fields[i].name));
    exchange_error(x, 400, "unknown_parameter", name, "there is no field '%.100s'%s", name,
                   weft__guess_text(&g, hint, sizeof hint));
    return false;
}

static bool refuse_number(exchange *x, const field *f)
{
    exchange_error(x, 400, "invalid_value", f->name, "'%s': expected a %snumber from %.9g to %.9g", f->name,
                   f->kind == WHOLE ? "whole " : "", f->min, f->max);
    return false;
}

static bool read_field(exchange *x, const field *f, const json_t *v, params *p)
{
    char *at = (char *)p + f->at;
    double number = json_number_value(v);
    switch (f->kind) {
    case REAL:
        if (!json_is_number(v) || !(number >= f->min && number <= f->max)) return refuse_number(x, f);
        *(float *)(void *)at = (float)number;
        return true;
    case WHOLE:
        if (!json_is_integer(v) || !(number >= f->min && number <= f->max)) return refuse_number(x, f);
        *(uint32_t *)(void *)at = (uint32_t)number;
        return true;
    case TRUTH:
        if (!json_is_boolean(v)) return exchange_expected(x, f->name, "true or false");
        *(bool *)(void *)at = json_is_true(v);
        return true;
    case TEXT:
        if (!json_is_string(v)) return exchange_expected(x, f->name, "a text");
        *(const char **)(void *)at = json_string_value(v);
        return true;
    case CUSTOM: return f->read(x, v, p);
    case OTHER: return true;
    }
    return true;
}

bool params_read(exchange *x, const json_t *request, unsigned endpoint, params *p)
{
    const char *name;
    json_t *value;
    *p = (params){ .n = 1, .prompts = true, .sampling.temperature = 1 };
    json_object_foreach((json_t *)(uintptr_t)request, name, value)
    {
        const field *f = find(name, endpoint);
        if (!f) return refuse_unknown(x, name, endpoint);
        if (!json_is_null(value) && !read_field(x, f, value, p)) return false;
    }
    if (!p->seeded && getrandom(&p->sampling.seed, sizeof p->sampling.seed, 0) < 0) p->sampling.seed = x->client;
    return true;
}

void params_free(params *p)
{
    free(p->schema);
    p->schema = NULL;
}
