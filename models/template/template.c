/* template.c: see template.h. */
#include <stdlib.h>
#include <string.h>

#include "models/tokenizer/unicode.h"
#include "template_impl.h"

enum { MAX_TEMPLATE = 4 << 20, MAX_DEPTH = 400 };
static const uint64_t max_steps = 20000000;
static const size_t max_bytes = (size_t)256 << 20;

static const jinja_tables tables = { jinja_text_filters, jinja_list_filters, jinja_tests,
                                     jinja_functions,    jinja_text_methods, jinja_methods };

/* ---- parsing ---- */

/* Ends of lines as '\n' alone, and one fewer at the end. */
static char *normalized(const char *text, size_t n, size_t *out_n)
{
    char *out = malloc(n + 1);
    size_t k = 0;
    for (size_t i = 0; out && i < n; i++) {
        if (text[i] == '\r' && i + 1 < n && text[i + 1] == '\n') continue;
        out[k++] = text[i] == '\r' ? '\n' : text[i];
    }
    if (k && out[k - 1] == '\n') k--;
    if (out) out[k] = 0;
    *out_n = k;
    return out;
}

static bool run_parser(jinja_run *r, jinja_parsed *out)
{
    if (setjmp(r->back)) return false;
    out->body = jinja_parse(r, out->text, out->n);
    return true;
}

weft_status jinja_parse_text(const char *text, size_t n, const char *origin, jinja_parsed *out, weft_error *err)
{
    weft_error own;
    *out = (jinja_parsed){ 0 };
    if (n > MAX_TEMPLATE) return WEFT_FAIL(err, WEFT_LIMIT, "%s: a template of more than 4 MiB", origin);
    if (!weft__utf8_is_valid(text, n)) return WEFT_FAIL(err, WEFT_FORMAT, "%s: the template is no valid UTF-8", origin);
    jinja_run *r = calloc(1, sizeof *r);
    out->text = normalized(text, n, &out->n);
    weft_status status = WEFT_OK;
    if (r && out->text) {
        r->max_steps = max_steps;
        r->max_bytes = max_bytes;
        r->max_depth = MAX_DEPTH;
        r->tables = &tables;
        r->origin = origin;
        r->err = err ? err : &own;
        if (!run_parser(r, out)) status = r->status;
        out->arena = r->arena;
    } else {
        status = WEFT_OOM_FAIL(err, "a chat template");
    }
    free(r);
    if (status) jinja_parsed_free(out);
    return status;
}

void jinja_parsed_free(jinja_parsed *p)
{
    weft__arena_free(&p->arena);
    free(p->text);
    *p = (jinja_parsed){ 0 };
}

weft_status weft_chat_template_parse(const char *text, size_t n, const char *name, weft_chat_template **out,
                                     weft_error *err)
{
    *out = NULL;
    weft_chat_template *t = calloc(1, sizeof *t);
    const size_t size = strlen(name) + 1;
    if (t) t->origin = malloc(size);
    if (!t || !t->origin) {
        weft_chat_template_close(t);
        return WEFT_OOM_FAIL(err, "a chat template");
    }
    memcpy(t->origin, name, size);
    const weft_status status = jinja_parse_text(text, n, name, &t->usual, err);
    if (status)
        weft_chat_template_close(t);
    else
        *out = t;
    return status;
}

void weft_chat_template_close(weft_chat_template *t)
{
    if (!t) return;
    jinja_parsed_free(&t->usual);
    jinja_parsed_free(&t->tools);
    json_decref(t->special);
    free(t->origin);
    free(t);
}

static const jinja_parsed *choose(const weft_chat_template *t, bool tools)
{
    return tools && t->tools.body ? &t->tools : &t->usual;
}

const char *weft_chat_template_text(const weft_chat_template *t, bool tools, size_t *n)
{
    const jinja_parsed *p = choose(t, tools);
    *n = p->n;
    return p->text;
}

/* ---- variables, as transformers makes them ---- */

static const char *const reasoning[] = { "reasoning_content", "thinking", "reasoning" };

static void set(jinja_run *r, jinja_dict *d, const char *key, jinja_value v)
{
    jinja_dict_set(r, d, jinja_from_c(r, key), v);
}

/* A message without members that are null, and with its reasoning under all the names that it goes by. */
static jinja_value message_of(jinja_run *r, jinja_value v)
{
    const jinja_value *thought = NULL;
    jinja_dict *d = jinja_dict_new(r), *from = v.dict;
    for (size_t i = 0; i < 3 && !thought; i++) {
        thought = jinja_dict_text(r, from, reasoning[i]);
        if (thought && thought->kind == JINJA_NONE) thought = NULL;
    }
    if (thought) set(r, d, "thinking", *thought);
    for (size_t i = 0; i < from->n; i++)
        if (from->p[i].value.kind != JINJA_NONE) jinja_dict_set(r, d, from->p[i].key, from->p[i].value);
    if (thought) set(r, d, "reasoning_content", *thought);
    return jinja_from_dict(d);
}

static jinja_value messages_of(jinja_run *r, const jinja_value *v)
{
    if (!v || v->kind != JINJA_LIST) jinja_fail(r, "messages: expected a list of objects");
    if (!v->list->n) jinja_fail(r, "messages: an empty conversation");
    jinja_list *l = jinja_list_new(r, v->list->n);
    for (size_t i = 0; i < v->list->n; i++) {
        if (v->list->v[i].kind != JINJA_DICT)
            jinja_fail(r, "messages: item %zu is no object, but a %s", i, jinja_type_name(v->list->v[i]));
        jinja_push(r, l, message_of(r, v->list->v[i]));
    }
    return jinja_from_list(l);
}

static jinja_value objects_of(jinja_run *r, const jinja_dict *from, const char *key)
{
    const jinja_value *v = jinja_dict_text(r, from, key);
    if (!v || v->kind == JINJA_NONE) return jinja_none();
    if (v->kind != JINJA_LIST) jinja_fail(r, "%s: expected a list of objects", key);
    for (size_t i = 0; i < v->list->n; i++)
        if (v->list->v[i].kind != JINJA_DICT) jinja_fail(r, "%s: item %zu is no object", key, i);
    return *v;
}

static const jinja_dict *variables_of(jinja_run *r, const weft_chat_template *t, const json_t *root)
{
    const jinja_dict *given = jinja_from_json(r, root).dict;
    jinja_dict *d = t->special ? jinja_from_json(r, t->special).dict : jinja_dict_new(r);
    const jinja_value *prompt = jinja_dict_text(r, given, "add_generation_prompt");
    const jinja_value *now = jinja_dict_text(r, given, "now");
    const jinja_value *go_on = jinja_dict_text(r, given, "continue_final_message");
    if (go_on && jinja_true(r, *go_on))
        jinja_fail(r, "continue_final_message: a message that is gone on with is not supported");
    if (now) r->now = *now;
    for (size_t i = 0; i < given->n; i++)
        if (&given->p[i].value != now) jinja_dict_set(r, d, given->p[i].key, given->p[i].value);
    set(r, d, "messages", messages_of(r, jinja_dict_text(r, given, "messages")));
    set(r, d, "tools", objects_of(r, given, "tools"));
    set(r, d, "documents", objects_of(r, given, "documents"));
    set(r, d, "add_generation_prompt", prompt ? *prompt : jinja_bool(false));
    return d;
}

/* ---- rendering ---- */

static bool run_template(jinja_run *r, const weft_chat_template *t, const json_t *root)
{
    if (setjmp(r->back)) return false;
    r->line = 0;
    r->variables = variables_of(r, t, root);
    const jinja_value *tools = jinja_dict_text(r, r->variables, "tools");
    jinja_exec(r, jinja_scope_new(r, NULL), choose(t, tools->kind != JINJA_NONE)->body);
    return true;
}

static weft_status append(weft_text *out, const jinja_buffer *b, weft_error *err)
{
    const weft_writer w = weft_text_writer(out);
    if (!w.write(w.ctx, b->s ? b->s : "", b->n)) return WEFT_OOM_FAIL(err, "a prompt");
    return WEFT_OK;
}

static weft_status render(const weft_chat_template *t, const json_t *root, const weft_chat_limits *limits,
                          weft_text *out, weft_error *err)
{
    static const weft_chat_limits usual = { 0 };
    weft_error own;
    jinja_buffer text = { 0 };
    jinja_run *r = calloc(1, sizeof *r);
    if (!r) return WEFT_OOM_FAIL(err, "a prompt");
    if (!limits) limits = &usual;
    r->max_steps = limits->steps ? limits->steps : max_steps;
    r->max_bytes = limits->bytes ? limits->bytes : max_bytes;
    r->max_depth = limits->depth ? limits->depth : MAX_DEPTH;
    r->origin = t->origin;
    r->tables = &tables;
    r->err = err ? err : &own;
    r->out = &text;
    weft_status status = run_template(r, t, root) ? append(out, &text, err) : r->status;
    weft__arena_free(&r->arena);
    free(r);
    return status;
}

weft_status weft_chat_template_render(const weft_chat_template *t, const char *json, size_t size,
                                      const weft_chat_limits *limits, weft_text *out, weft_error *err)
{
    json_error_t fault;
    json_t *root = json_loadb(json, size, JSON_ALLOW_NUL, &fault);
    if (!root) {
        if (json_error_code(&fault) == json_error_out_of_memory) return WEFT_OOM_FAIL(err, "a conversation");
        return WEFT_FAIL(err, WEFT_INVALID, "conversation: line %d, column %d: %s", fault.line, fault.column,
                         fault.text);
    }
    const weft_status status = json_is_object(root)
                                   ? render(t, root, limits, out, err)
                                   : WEFT_FAIL(err, WEFT_INVALID, "conversation: expected a JSON object");
    json_decref(root);
    return status;
}
