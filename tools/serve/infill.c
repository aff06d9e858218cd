/* infill.c: /infill, in the form of llama.cpp's server: what stands between a prefix and a suffix. Models that have
 * learnt this have tokens of their own for it; the prompt is
 *
 *     REPO name FILE filename text ... FILE filename PREFIX input_prefix prompt SUFFIX input_suffix MIDDLE
 *
 * with input_extra before the first of the three, by REPO and FILE where the model has them. What is too long is cut
 * where it is farthest from the gap. */
#include "models/tokenizer/fill.h"
#include "tools/serve/answer.h"

#include <stdlib.h>
#include <string.h>

/* ---- the tokens ---- */

typedef enum mark { PREFIX, SUFFIX, MIDDLE, REPO, FILES, MARKS } mark;

/* By the names that they have in published vocabularies; a row is a family's. */
static const char *const names[][MARKS] = {
    { "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|repo_name|>", "<|file_sep|>" }, /* Qwen, Granite 4 */
    { "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<repo_name>", "<file_sep>" },           /* StarCoder 2 */
    { "<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<reponame>", NULL }, /* StarCoder, Granite Code */
    { "<fim-prefix>", "<fim-suffix>", "<fim-middle>", NULL, NULL },         /* SantaCoder, CodeGemma's kin */
    { "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", NULL, NULL },       /* DeepSeek */
    { "<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>", NULL, NULL }, /* GLM */
    { "<|prefix|>", "<|suffix|>", "<|middle|>", NULL, NULL },               /* Falcon H1 */
    { "▁<PRE>", "▁<SUF>", "▁<MID>", NULL, NULL },                           /* CodeLlama */
    { "<PRE>", "<SUF>", "<MID>", NULL, NULL },
};

/* As the model's file says, which counts before any names. */
static bool find_named(const weft_tokenizer *tok, int32_t id[MARKS])
{
    static const weft__fill which[MARKS] = {
        [PREFIX] = WEFT__FILL_PREFIX, [SUFFIX] = WEFT__FILL_SUFFIX, [MIDDLE] = WEFT__FILL_MIDDLE,
        [REPO] = WEFT__FILL_REPOSITORY, [FILES] = WEFT__FILL_FILE,
    };
    for (int k = 0; k < MARKS; k++) id[k] = weft__tokenizer_fill(tok, which[k]);
    return id[PREFIX] >= 0 && id[SUFFIX] >= 0 && id[MIDDLE] >= 0;
}

/* The first row of which the vocabulary has the three, and as many of the others; -1: none. */
static bool find_marks(const weft_tokenizer *tok, int32_t id[MARKS])
{
    if (find_named(tok, id)) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int k = 0; k < MARKS; k++) id[k] = names[i][k] ? weft_tokenizer_find(tok, names[i][k]) : -1;
        bool whole = (id[REPO] >= 0) == (names[i][REPO] != NULL) && (id[FILES] >= 0) == (names[i][FILES] != NULL);
        if (id[PREFIX] >= 0 && id[SUFFIX] >= 0 && id[MIDDLE] >= 0 && whole) return true;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int k = 0; k < MARKS; k++) id[k] = k < REPO ? weft_tokenizer_find(tok, names[i][k]) : -1;
        if (id[PREFIX] >= 0 && id[SUFFIX] >= 0 && id[MIDDLE] >= 0) return true;
    }
    return false;
}

/* ---- the prompt ---- */

typedef struct infill {
    exchange *x;
    const served *m;
    int32_t id[MARKS];
    weft_tokens prefix, suffix, extra;
    size_t cap_prefix, cap_suffix, cap_extra;
    bool truncated;
} infill;

static bool out_of_memory(exchange *x)
{
    exchange_error(x, 503, NULL, NULL, "out of memory");
    return false;
}

static bool put_ids(infill *f, weft_tokens *to, size_t *cap, const int32_t *ids, size_t n)
{
    if (!n) return true;
    if (!weft__grow(&to->ids, cap, to->n + n, sizeof *to->ids)) return out_of_memory(f->x);
    memcpy(to->ids + to->n, ids, n * sizeof *ids);
    to->n += n;
    return true;
}

/* A text without special tokens: what looks like one is text. */
static bool put_text(infill *f, weft_tokens *to, size_t *cap, const char *field, const char *text, size_t n)
{
    weft_error err;
    weft_tokens tokens = { 0 };
    const weft_encode_desc how = { .bos = WEFT_BOS_OFF, .no_template = true, .special_as_text = true };
    if (!n) return true;
    if (weft_tokenizer_encode(f->m->tokenizer, text, n, &how, &tokens, &err)) {
        exchange_error(f->x, 400, "invalid_value", field, "'%s': %s", field, err.text);
        return false;
    }
    bool ok = put_ids(f, to, cap, tokens.ids, tokens.n);
    weft_tokens_free(&tokens);
    return ok;
}

static bool put_field(infill *f, const json_t *request, const char *field, bool must, weft_tokens *to, size_t *cap)
{
    const json_t *v = json_object_get(request, field);
    if ((!v || json_is_null(v)) && !must) return true;
    if (!json_is_string(v)) return exchange_expected(f->x, field, "a text");
    return put_text(f, to, cap, field, json_string_value(v), json_string_length(v));
}

static bool put_file(infill *f, const char *name, const char *text, size_t n)
{
    char line[300];
    if (f->id[FILES] < 0) {
        static const char between[] = "\n\n--- snippet ---\n\n";
        return put_text(f, &f->extra, &f->cap_extra, "input_extra", between, text ? sizeof between - 1 : 0) &&
               put_text(f, &f->extra, &f->cap_extra, "input_extra", text, n);
    }
    snprintf(line, sizeof line, "%.256s\n", name);
    return put_ids(f, &f->extra, &f->cap_extra, &f->id[FILES], 1) &&
           put_text(f, &f->extra, &f->cap_extra, "input_extra", line, strlen(line)) &&
           put_text(f, &f->extra, &f->cap_extra, "input_extra", text, n);
}

static bool put_extra(infill *f, const json_t *list)
{
    if (list && !json_is_null(list) && !json_is_array(list)) return exchange_expected(f->x, "input_extra", "a list");
    if (f->id[REPO] >= 0 && f->id[FILES] >= 0 &&
        !(put_ids(f, &f->extra, &f->cap_extra, &f->id[REPO], 1) &&
          put_text(f, &f->extra, &f->cap_extra, "input_extra", "project\n", 8)))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *file = json_array_get(list, i), *text = json_object_get(file, "text");
        const json_t *name = json_object_get(file, "filename");
        if (!json_is_string(text) || (name && !json_is_string(name)))
            return exchange_expected(f->x, "input_extra", "objects with a text, and perhaps a filename");
        if (!put_file(f, name ? json_string_value(name) : "tmp", json_string_value(text), json_string_length(text)))
            return false;
    }
    return !(json_array_size(list) && f->id[FILES] >= 0) || put_file(f, "filename", NULL, 0);
}

/* The prefix keeps its end, the suffix its beginning, three to one where both are too long; extra has what is left. */
static void cut(infill *f, size_t room)
{
    size_t a = f->prefix.n, b = f->suffix.n, most = room / 4;
    if (a + b > room) {
        if (b > most) b = a < room - most ? room - a : most;
        if (a > room - b) a = room - b;
    }
    size_t c = f->extra.n < room - a - b ? f->extra.n : room - a - b;
    f->truncated = a < f->prefix.n || b < f->suffix.n || c < f->extra.n;
    if (a) memmove(f->prefix.ids, f->prefix.ids + (f->prefix.n - a), a * sizeof *f->prefix.ids);
    if (c) memmove(f->extra.ids, f->extra.ids + (f->extra.n - c), c * sizeof *f->extra.ids);
    f->prefix.n = a;
    f->suffix.n = b;
    f->extra.n = c;
}

static bool put_together(infill *f, const params *p, answer_prompt *out)
{
    size_t cap = 0, n_before = 0;
    int32_t before;
    weft_tokens *to = &out->tokens;
    while (weft_tokenizer_before(f->m->tokenizer, (uint32_t)n_before) >= 0) n_before++;
    size_t kept = f->m->context > p->max_tokens && p->max_tokens ? p->max_tokens : 1, marks = 3 + n_before + kept;
    if (f->m->context <= marks) {
        exchange_error(f->x, 400, "context_length_exceeded", NULL, "there is no room for a text in a context of %u",
                       f->m->context);
        return false;
    }
    cut(f, f->m->context - marks);
    bool ok = true;
    for (uint32_t i = 0; ok && (before = weft_tokenizer_before(f->m->tokenizer, i)) >= 0; i++)
        ok = put_ids(f, to, &cap, &before, 1);
    return ok && put_ids(f, to, &cap, f->extra.ids, f->extra.n) && put_ids(f, to, &cap, &f->id[PREFIX], 1) &&
           put_ids(f, to, &cap, f->prefix.ids, f->prefix.n) && put_ids(f, to, &cap, &f->id[SUFFIX], 1) &&
           put_ids(f, to, &cap, f->suffix.ids, f->suffix.n) && put_ids(f, to, &cap, &f->id[MIDDLE], 1);
}

/* ---- the answer ---- */

static const char *word_of(const answer *a, const choice *c)
{
    const char *word = c->stopped < 0 ? NULL : json_string_value(json_array_get(a->stops, (size_t)c->stopped));
    return word ? word : "";
}

static json_t *last(answer *a, const char *text, size_t n)
{
    const choice *c = a->choices;
    const char *word = word_of(a, c), *type = *word ? "word" : !strcmp(c->finish, "length") ? "limit" : "eos";
    return json_pack("{s:i, s:o, s:b, s:s, s:s, s:s, s:b, s:I, s:I, s:I}", "index", 0, "content",
                     json_stringn(text ? text : "", n), "stop", 1, "stop_type", type, "stopping_word", word, "model",
                     a->model, "truncated", a->truncated, "tokens_predicted", (json_int_t)a->picked_tokens,
                     "tokens_evaluated", (json_int_t)a->prompt_tokens, "tokens_cached", (json_int_t)a->cached_tokens);
}

static json_t *object(answer *a)
{
    return last(a, a->choices->text.data, a->choices->text.size);
}

static void begin(answer *a, choice *c)
{
    (void)a;
    (void)c;
}

static bool piece(answer *a, choice *c, form_part part, const char *text, size_t n)
{
    (void)c;
    (void)part;
    return exchange_event(a->x, json_pack("{s:i, s:o, s:b}", "index", 0, "content", json_stringn(text, n), "stop", 0));
}

static void finish(answer *a)
{
    exchange_event(a->x, last(a, NULL, 0));
    exchange_end(a->x, NULL);
}

static const answer_shape answer_infill = { .prefix = "infill-", .begin = begin, .piece = piece, .end = begin,
                                            .finish = finish, .object = object };

static void fill(exchange *x, const json_t *request, params *p)
{
    served *m = server_text_model(x, p->model);
    infill f = { .x = x, .m = m };
    answer_prompt prompt = { 0 };
    if (!m) return;
    if (!find_marks(m->tokenizer, f.id)) {
        exchange_error(x, 422, "no_infill", "model", "'%s' has no tokens for a prefix, a suffix and what is between",
                       m->name);
    } else if (put_field(&f, request, "input_prefix", true, &f.prefix, &f.cap_prefix) &&
               put_field(&f, request, "prompt", false, &f.prefix, &f.cap_prefix) &&
               put_field(&f, request, "input_suffix", true, &f.suffix, &f.cap_suffix) &&
               put_extra(&f, json_object_get(request, "input_extra")) && put_together(&f, p, &prompt)) {
        p->truncated = f.truncated;
        p->full = FULL_STOPS; /* its oldest tokens are not those that matter least */
        answer_begin(x, m, p, &answer_infill, &prompt, 1);
    }
    free(f.prefix.ids);
    free(f.suffix.ids);
    free(f.extra.ids);
    free(prompt.tokens.ids);
}

void serve_infill(exchange *x)
{
    params p = { 0 };
    json_t *request = request_json(x);
    if (request && params_read(x, request, FOR_INFILL, &p)) fill(x, request, &p);
    params_free(&p);
    json_decref(request);
}
