/* cmd_inspect.c: `weft inspect`: what a model folder holds and what running it would need, without reading a weight. */
#include "models/checkpoint/checkpoint_impl.h"
#include "tools/cli.h"

#include <math.h>
#include <string.h>

static const cli_option options[] = {
    { .name = "tensors", .kind = CLI_FLAG, .help = "list every tensor of the files" },
    { .name = "metadata", .kind = CLI_FLAG, .help = "list every key of a GGUF file with its value" },
    { .name = "json", .kind = CLI_FLAG, .help = "print one object" },
    { .name = NULL },
};

enum { MAX_LABELS = 12, KEY = 23, MAX_VALUE = 24 };

/* What the definition asked for, with where that comes from. */
static void print_config(const weft_model *m, const weft_model_info *i)
{
    const weft_setting_info *s;
    int key = KEY, value = 11; /* columns */
    for (uint32_t k = 0; (s = weft_model_setting(m, k)); k++) {
        int length = (int)strlen(s->key), wide = (int)strlen(s->value);
        if (length > key) key = length;
        if (wide > value && wide <= MAX_VALUE) value = wide;
    }
    printf("%s\n  %-*s %s\n", i->path, key, "architecture", i->architecture);
    if (i->text) printf("  %-*s %s\n", key, "graph", i->text);
    for (uint32_t k = 0; (s = weft_model_setting(m, k)); k++)
        printf("  %-*s %-*s %s\n", key, s->key, value, s->value, s->source);
    printf("  parameters              %llu\n", (unsigned long long)i->parameters);
}

static json_t *settings_json(const weft_model *m)
{
    json_t *list = json_array();
    const weft_setting_info *s;
    for (uint32_t k = 0; (s = weft_model_setting(m, k)); k++) {
        bool whole = s->number == floor(s->number) && fabs(s->number) < 1e15;
        json_t *value = s->kind == WEFT_SETTING_TEXT    ? json_string(s->value)
                        : s->kind == WEFT_SETTING_TRUTH ? json_boolean(s->number != 0)
                        : whole                        ? json_integer((json_int_t)s->number)
                                                       : json_real(s->number);
        json_array_append_new(list, json_pack("{s:s, s:o, s:s}", "key", s->key, "value", value, "source", s->source));
    }
    return list;
}

/* What stands on top, where it is no language model's head. */
static void print_head(const weft_model *m, const weft_model_info *i)
{
    static const char *const names[] = { [WEFT_HEAD_NONE] = "none: hidden states only",
                                         [WEFT_HEAD_SEQUENCE] = "scores of sequences:",
                                         [WEFT_HEAD_TOKENS] = "scores of tokens:",
                                         [WEFT_HEAD_SPAN] = "scores of tokens:" };
    const char *label;
    if (i->head == WEFT_HEAD_LOGITS) return;
    printf("  head                    %s", names[i->head]);
    for (uint32_t k = 0; k < MAX_LABELS && (label = weft_model_label(m, k)); k++) printf("%s %s", k ? "," : "", label);
    printf("%s\n", i->n_labels > MAX_LABELS ? ", ..." : "");
}

static void print_tensors(const weft_model *m, bool list)
{
    const weft_checkpoint *files = weft_model_checkpoint(m);
    size_t n = files ? weft_checkpoint_count(files) : 0, unused = 0;
    uint64_t bytes = files ? weft_checkpoint_bytes(files) : 0;
    for (size_t i = 0; i < n; i++) {
        const weft_tensor_info *t = weft_checkpoint_tensor(files, i);
        bool used = weft_model_uses(m, i);
        unused += !used;
        if (!list) continue;
        printf("  %-5s [", t->dtype);
        for (uint32_t k = 0; k < t->rank; k++) printf("%s%lld", k ? ", " : "", (long long)t->dims[k]);
        printf("] %s%s\n", t->name, used ? "" : " (ignored)");
    }
    printf("  tensors                 %zu, %.1f MiB%s\n", n, (double)bytes / 1048576.0,
           n ? "" : " (no files: configuration only)");
    if (unused) printf("  ignored tensors         %zu\n", unused);
}

/* ---- metadata ---- */

enum { MAX_TEXT = 60, MAX_SHOWN = 4 };

static void print_value(const weft__gguf_value *v, uint64_t i)
{
    weft__gguf_string s;
    char text[MAX_TEXT + 1], clean[WEFT__QUOTE_SIZE];
    double x;
    int64_t whole = 0;
    if (weft__gguf_text(v, i, &s)) {
        size_t n = s.size < MAX_TEXT ? s.size : MAX_TEXT;
        while (n && n < s.size && ((unsigned char)s.text[n] & 0xc0) == 0x80) n--; /* between characters */
        snprintf(text, sizeof text, "%.*s", (int)n, s.text);
        printf(" \"%s%s\"", weft__quote(clean, text), s.size > MAX_TEXT ? "..." : "");
    } else if (v->element == WEFT__GGUF_BOOL)
        printf(" %s", weft__gguf_integer(v, i, &whole) && whole ? "true" : "false");
    else if (weft__gguf_integer(v, i, &whole)) printf(" %lld", (long long)whole);
    else if (weft__gguf_number(v, i, &x)) printf(" %.9g", x);
}

/* Each key with its type; of lists how many, and the first. */
static void print_metadata(const weft_model *m)
{
    const weft_checkpoint *files = weft_model_checkpoint(m);
    const weft__gguf_file *f = files ? weft__checkpoint_gguf(files) : NULL;
    const weft__gguf_value *v;
    if (!f) return;
    const weft__gguf_header h = weft__gguf_header_of(f);
    printf("  file                    GGUF version %u, %s-endian, %u file%s\n", h.version, h.big_endian ? "big" :
           "little", h.n_files, h.n_files == 1 ? "" : "s");
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++) {
        const bool list = v->type == WEFT__GGUF_ARRAY;
        char clean[WEFT__QUOTE_SIZE];
        printf("  %-39s %s", weft__quote(clean, v->key), weft__gguf_type_name(v->element));
        if (list) printf("[%llu]", (unsigned long long)v->count);
        for (uint64_t k = 0; k < v->count && k < MAX_SHOWN; k++) print_value(v, k);
        printf("%s\n", v->count > MAX_SHOWN ? " ..." : "");
    }
}

/* ---- tokenizers ---- */

static const char *const parts[] = { [WEFT_TOKENIZER_NORMALIZER] = "normalizer",
                                     [WEFT_TOKENIZER_PRE_TOKENIZER] = "pre_tokenizer",
                                     [WEFT_TOKENIZER_MODEL] = "model",
                                     [WEFT_TOKENIZER_DECODER] = "decoder" };
enum { N_PARTS = sizeof parts / sizeof *parts };

static void print_components(const weft_tokenizer *tok)
{
    int32_t id;
    for (unsigned p = 0; p < N_PARTS; p++) {
        const char *name = weft_tokenizer_component(tok, (weft_tokenizer_part)p, 0);
        if (name) printf("  %-23s", parts[p]);
        for (uint32_t k = 0; (name = weft_tokenizer_component(tok, (weft_tokenizer_part)p, k)); k++)
            printf("%s %s", k ? "," : "", name);
        if (weft_tokenizer_component(tok, (weft_tokenizer_part)p, 0)) printf("\n");
    }
    if (weft_tokenizer_before(tok, 0) < 0 && weft_tokenizer_after(tok, 0) < 0) return;
    printf("  around a text          ");
    for (uint32_t k = 0; (id = weft_tokenizer_before(tok, k)) >= 0; k++) printf(" %s", weft_tokenizer_token(tok, id));
    printf(" ...");
    for (uint32_t k = 0; (id = weft_tokenizer_after(tok, k)) >= 0; k++) printf(" %s", weft_tokenizer_token(tok, id));
    printf("\n");
}

static void print_tokenizer(const weft_tokenizer *tok)
{
    const char *note;
    printf("  tokenizer               %u ids, %u of them added tokens\n", weft_tokenizer_size(tok),
           weft_tokenizer_added_count(tok));
    print_components(tok);
    for (size_t k = 0; (note = weft_tokenizer_note(tok, NULL, k)); k++) printf("  note                    %s\n", note);
}

static json_t *tokenizer_json(const weft_tokenizer *tok)
{
    json_t *o = json_object(), *before = json_array(), *after = json_array();
    int32_t id;
    for (unsigned p = 0; p < N_PARTS; p++) {
        json_t *list = json_array();
        const char *name;
        for (uint32_t k = 0; (name = weft_tokenizer_component(tok, (weft_tokenizer_part)p, k)); k++)
            json_array_append_new(list, json_string(name));
        json_object_set_new(o, parts[p], list);
    }
    for (uint32_t k = 0; (id = weft_tokenizer_before(tok, k)) >= 0; k++)
        json_array_append_new(before, json_integer(id));
    for (uint32_t k = 0; (id = weft_tokenizer_after(tok, k)) >= 0; k++)
        json_array_append_new(after, json_integer(id));
    json_object_set_new(o, "before", before);
    json_object_set_new(o, "after", after);
    json_object_set_new(o, "ids", json_integer(weft_tokenizer_size(tok)));
    json_object_set_new(o, "added", json_integer(weft_tokenizer_added_count(tok)));
    return o;
}

static int print_model_tokenizer(weft_model *m, const weft_model_info *i)
{
    weft_error err;
    const weft_tokenizer *tok;
    if (!i->has_tokenizer) return printf("  tokenizer               none (tokens only)\n"), 0;
    if (weft_model_tokenizer(m, &tok, &err)) return cli_report(&err);
    print_tokenizer(tok);
    return 0;
}

/* A tokenizer.json by itself. */
static int inspect_tokenizer(const cli_args *a)
{
    weft_error err;
    weft_tokenizer *tok;
    if (weft_tokenizer_open(a->model, &tok, &err)) return cli_report_open(a, &err);
    int status = 0;
    if (cli_has(a, "json")) status = cli_print_json(tokenizer_json(tok));
    else {
        printf("%s\n", a->model);
        print_tokenizer(tok);
    }
    weft_tokenizer_close(tok);
    return status;
}

static bool is_tokenizer(const char *path)
{
    static const char name[] = "tokenizer.json";
    size_t n = strlen(path), k = sizeof name - 1;
    return n >= k && strcmp(path + n - k, name) == 0 && (n == k || path[n - k - 1] == '/');
}

/* ---- memory ---- */

/* What a device holds when a session's programs are loaded. */
typedef struct need {
    weft_device_info device;
    weft_program_memory memory; /* of the largest: the others have the same, and no more than its arena */
    uint32_t layers; /* UINT32_MAX: not split */
    uint64_t total;
} need;

static need need_of(const cli_source *s, uint32_t k)
{
    need x = { .memory = weft_program_device_memory(s->programs[0], k),
               .layers = weft_program_split(s->programs[0], k), .total = cli_source_bytes(s, k) };
    weft_backend_info(s->devices.device[k], &x.device);
    return x;
}

static void print_needs(const cli_source *s, uint32_t k)
{
    double mib = 1048576.0;
    need x = need_of(s, k);
    const weft_session_desc *d = weft_session_plan_desc(s->plan);
    printf("\nmemory on %s (%s)\n", x.device.name, x.device.description);
    if (x.layers != UINT32_MAX) printf("  layers                 %8u\n", x.layers);
    printf("  weights                %10.1f MiB\n  cache                  %10.1f MiB  %u tokens\n"
           "  activations            %10.1f MiB  %u tokens a run\n  total                  %10.1f MiB\n",
           (double)x.memory.weights / mib, (double)x.memory.states / mib, d->context,
           (double)x.memory.arena / mib, d->max_tokens, (double)x.total / mib);
    if (x.device.memory_known)
        printf("  the device has         %10.1f MiB%s\n", (double)x.device.memory / mib,
               x.total > x.device.memory ? ": it does NOT fit" : "");
}

/* An object per device. */
static json_t *needs_json(const cli_source *s)
{
    json_t *list = json_array();
    for (uint32_t k = 0; k < s->devices.n; k++) {
        need x = need_of(s, k);
        json_t *o = json_pack("{s:s, s:I, s:I, s:I, s:I}", "device", x.device.name, "weights",
                              (json_int_t)x.memory.weights, "cache", (json_int_t)x.memory.states, "activations",
                              (json_int_t)x.memory.arena, "available", (json_int_t)x.device.memory);
        if (x.layers != UINT32_MAX) json_object_set_new(o, "layers", json_integer(x.layers));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *object(const cli_source *s, const weft_model_info *i)
{
    const weft_model *m = s->model;
    json_t *tensors = json_array();
    const weft_checkpoint *files = weft_model_checkpoint(m);
    const weft_tensor_info *t;
    for (size_t k = 0; files && (t = weft_checkpoint_tensor(files, k)); k++) {
        json_t *dims = json_array();
        for (uint32_t d = 0; d < t->rank; d++) json_array_append_new(dims, json_integer(t->dims[d]));
        json_array_append_new(tensors, json_pack("{s:s, s:s, s:o, s:I, s:b}", "name", t->name, "dtype", t->dtype,
                                                 "dims", dims, "bytes", (json_int_t)t->bytes, "used",
                                                 weft_model_uses(m, k)));
    }
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:o, s:o, s:o}", "architecture",
                     i->architecture, "layers", (int)i->n_layer, "hidden_size", (int)i->n_embed, "heads",
                     (int)i->n_head, "vocabulary", (int)i->n_vocab, "context", (int)i->context, "eos", (int)i->eos,
                     "parameters", (json_int_t)i->parameters, "configuration", settings_json(m), "tensors",
                     tensors, "memory", needs_json(s));
}

static int run_inspect(const cli_args *a)
{
    cli_source source;
    weft_model_info info;
    if (is_tokenizer(a->model)) return inspect_tokenizer(a);
    int status = cli_source_open(a, true, &source);
    if (!status && !source.model) status = cli_fail("%s: a graph text, not a model; see `weft graph`", a->model);
    if (!status) info = *weft_model_info_get(source.model);
    char hint[256] = "";
    if (!status) cli_source_hint(&source, hint, sizeof hint);
    if (!status && cli_has(a, "json")) {
        json_t *o = object(&source, &info);
        if (*hint) json_object_set_new(o, "hint", json_string(hint));
        if (info.text) json_object_set_new(o, "graph", cli_json_text(info.text));
        status = cli_print_json(o);
    } else if (!status) {
        const char *note;
        print_config(source.model, &info);
        print_head(source.model, &info);
        if (cli_has(a, "metadata")) print_metadata(source.model);
        print_tensors(source.model, cli_has(a, "tensors"));
        for (uint32_t i = 0; (note = weft_model_note(source.model, i)); i++)
            printf("  note                    %s\n", note);
        status = print_model_tokenizer(source.model, &info);
        for (uint32_t k = 0; k < source.devices.n; k++) print_needs(&source, k);
        if (*hint) printf("  %s\n", hint);
    }
    cli_source_close(&source);
    return status;
}

const cli_command cli_inspect = {
    .name = "inspect", .summary = "Shows a model's configuration, tensors, tokenizer and memory needs",
    .positional = "MODEL", .plans = true, .sources = true,
    .options = options, .run = run_inspect,
};
