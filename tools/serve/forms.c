/* forms.c: the families of templates: one row for each form of reasoning, one for each form of calls. A row is chosen
 * by texts that a template contains, the first that has all of them, so what is more special stands first. */
#include "tools/serve/forms.h"

#include <stdio.h>
#include <string.h>

#define ATTRIBUTE_END "\">"

static const think_form thinks[] = {
    { .name = "seed", .signs = { "<seed:think>" }, .open = "<seed:think>", .close = "</seed:think>" },
    { .name = "mistral", .signs = { "[THINK]" }, .open = "[THINK]", .close = "[/THINK]" },
    { .name = "cohere", .signs = { "<|START_THINKING|>" }, .open = "<|START_THINKING|>", .close = "<|END_THINKING|>",
      .drop = { "<|START_RESPONSE|>", "<|END_RESPONSE|>" } },
    { .name = "apertus", .signs = { "<|inner_prefix|>" }, .open = "<|inner_prefix|>", .close = "<|inner_suffix|>" },
    { .name = "gemma", .signs = { "<|channel>thought" }, .open = "<|channel>thought\n", .close = "<channel|>" },
    { .name = "kimi-vl", .signs = { "◁think▷" }, .open = "◁think▷", .close = "◁/think▷" },
    { .name = "apriel", .signs = { "[BEGIN FINAL RESPONSE]" },
      .open = "Here are my reasoning steps:", .close = "[BEGIN FINAL RESPONSE]",
      .drop = { "[END FINAL RESPONSE]", "<|end|>" } },
    { .name = "granite", .signs = { "<response></response>", "<think>" }, .open = "<think>", .close = "</think>",
      .drop = { "<response>", "</response>" } },
    { .name = "think", .signs = { "think>" }, .open = "<think>", .close = "</think>" },
    { .name = NULL },
};

#define DEEPSEEK_CALLS .open = "<｜tool▁calls▁begin｜>", .close = "<｜tool▁calls▁end｜>"
#define FUNCTION_KEYS \
    .each = "<function=", .named = ">", .key = "<parameter=", .value = ">", .ended = "</parameter>", \
    .last = "</function>"

#define LFM2_CALLS \
    .kind = CALL_LITERAL, .open = "<|tool_call_start|>", .close = "<|tool_call_end|>", .each = "", .named = "(", \
    .value = "=", .last = ")", .list = true

static const call_form calls[] = {
    { .name = "harmony", .signs = { "<|channel|>", "<|message|>" }, .kind = CALL_CHANNELS },
    { .name = "deepseek-3.2", .signs = { "｜DSML｜", "function_calls>", "invoke name=" }, .kind = CALL_KEYED,
      .open = "<｜DSML｜function_calls>", .close = "</｜DSML｜function_calls>", .each = "<｜DSML｜invoke name=\"",
      .named = ATTRIBUTE_END, .key = "<｜DSML｜parameter name=\"", .value = "\"", .begin = ">",
      .ended = "</｜DSML｜parameter>", .last = "</｜DSML｜invoke>" },
    { .name = "qwen3-coder", .signs = { "<tool_call>", "<function=", "<parameter=" }, .kind = CALL_KEYED,
      .open = "<tool_call>", .close = "</tool_call>", FUNCTION_KEYS, .lines = true },
    { .name = "seed", .signs = { "<seed:tool_call>", "<function=", "<parameter=" }, .kind = CALL_KEYED,
      .open = "<seed:tool_call>", .close = "</seed:tool_call>", FUNCTION_KEYS },
    { .name = "glm", .signs = { "<tool_call>", "<arg_key>", "<arg_value>" }, .kind = CALL_KEYED,
      .open = "<tool_call>", .close = "</tool_call>", .each = "", .key = "<arg_key>", .value = "</arg_key>",
      .begin = "<arg_value>", .ended = "</arg_value>", .last = "" },
    { .name = "minimax-m2", .signs = { "<minimax:tool_call>", "<invoke name=" }, .kind = CALL_KEYED,
      .open = "<minimax:tool_call>", .close = "</minimax:tool_call>", .each = "<invoke name=\"",
      .named = ATTRIBUTE_END, .key = "<parameter name=\"", .value = ATTRIBUTE_END, .ended = "</parameter>",
      .last = "</invoke>" },
    { .name = "gemma", .signs = { "<|tool_call>call:" }, .kind = CALL_LITERAL, .open = "<|tool_call>",
      .close = "<tool_call|>", .each = "call:", .named = "{", .value = ":", .begin = "<|\"|>", .last = "}" },
    { .name = "functiongemma", .signs = { "<start_function_call>call:" }, .kind = CALL_LITERAL,
      .open = "<start_function_call>", .close = "<end_function_call>", .each = "call:", .named = "{", .value = ":",
      .begin = "<escape>", .last = "}" },
    { .name = "lfm2", .signs = { "<|tool_call_start|>" }, LFM2_CALLS },
    { .name = "lfm2", .signs = { "<|tool_list_start|>", "<|tool_response_start|>" }, LFM2_CALLS },
    { .name = "apertus", .signs = { "<|tools_prefix|>", "<|tools_suffix|>" }, .kind = CALL_JSON,
      .open = "<|tools_prefix|>", .close = "<|tools_suffix|>", .list = true },
    { .name = "kimi", .signs = { "<|tool_calls_section_begin|>", "<|tool_call_argument_begin|>" }, .kind = CALL_NAMED,
      .open = "<|tool_calls_section_begin|>", .close = "<|tool_calls_section_end|>", .each = "<|tool_call_begin|>",
      .named = "<|tool_call_argument_begin|>", .last = "<|tool_call_end|>", .ids = CALL_IDS_COUNTED },
    { .name = "deepseek-r1", .signs = { "<｜tool▁calls▁begin｜>", "```json" }, .kind = CALL_NAMED, DEEPSEEK_CALLS,
      .each = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>", .named = "\n```json\n",
      .last = "```<｜tool▁call▁end｜>" },
    { .name = "deepseek-3.1", .signs = { "<｜tool▁calls▁begin｜>" }, .kind = CALL_NAMED, DEEPSEEK_CALLS,
      .each = "<｜tool▁call▁begin｜>", .named = "<｜tool▁sep｜>", .last = "<｜tool▁call▁end｜>" },
    { .name = "cohere", .signs = { "<|START_ACTION|>", "tool_name" }, .kind = CALL_JSON, .open = "<|START_ACTION|>",
      .close = "<|END_ACTION|>", .name_key = "tool_name", .arguments_key = "parameters", .list = true },
    { .name = "mistral-args", .signs = { "[TOOL_CALLS]", "[ARGS]" }, .kind = CALL_NAMED, .open = "[TOOL_CALLS]",
      .each = "[TOOL_CALLS]", .named = "[ARGS]", .last = "", .ids = CALL_IDS_NINE },
    { .name = "mistral", .signs = { "[TOOL_CALLS]" }, .kind = CALL_JSON, .open = "[TOOL_CALLS]", .name_key = "name",
      .arguments_key = "arguments", .list = true, .ids = CALL_IDS_NINE },
    { .name = "tool-calls", .signs = { "<tool_calls>", "</tool_calls>" }, .kind = CALL_JSON, .open = "<tool_calls>",
      .close = "</tool_calls>", .name_key = "name", .arguments_key = "arguments", .list = true },
    { .name = "nemotron", .signs = { "<TOOLCALL>" }, .kind = CALL_JSON, .open = "<TOOLCALL>", .close = "</TOOLCALL>",
      .name_key = "name", .arguments_key = "arguments", .list = true },
    { .name = "granite", .signs = { "<|tool_call|>" }, .kind = CALL_JSON, .open = "<|tool_call|>", .name_key = "name",
      .arguments_key = "arguments", .list = true },
    { .name = "hermes", .signs = { "<tool_call>", "</tool_call>" }, .kind = CALL_JSON, .open = "<tool_call>",
      .close = "</tool_call>", .name_key = "name", .arguments_key = "arguments" },
    { .name = "functionary-3.1", .signs = { "<function=", "</function>" }, .kind = CALL_NAMED, .open = "<function=",
      .each = "<function=", .named = ">", .last = "</function>" },
    { .name = "functionary-3.2", .signs = { ">>>all", ">>>${recipient}" }, .kind = CALL_NAMED, .open = ">>>",
      .each = ">>>", .named = "\n", .last = "", .drop = ">>>all\n" },
    { .name = "llama-3", .signs = { "<|python_tag|>" }, .kind = CALL_JSON, .open = "<|python_tag|>", .start = "{",
      .name_key = "name", .arguments_key = "parameters" },
    { .name = "llama-3", .signs = { "\"parameters\": dictionary of argument name and its value" }, .kind = CALL_JSON,
      .open = "<|python_tag|>", .start = "{", .name_key = "name", .arguments_key = "parameters" },
    { .name = NULL },
};

const think_form *form_thinks(void)
{
    return thinks;
}

const call_form *form_calls(void)
{
    return calls;
}

static bool has_all(const char *text, size_t n, const char *const *signs)
{
    for (int i = 0; i < FORM_SIGNS && signs[i]; i++)
        if (!memmem(text, n, signs[i], strlen(signs[i]))) return false;
    return true;
}

void forms_of(const char *text, size_t n, forms *out)
{
    const think_form *t = thinks;
    const call_form *c = calls;
    while (t->name && !has_all(text, n, t->signs)) t++;
    while (c->name && !has_all(text, n, c->signs)) c++;
    *out = (forms){ .think = t->name ? t : NULL, .call = c->name ? c : NULL };
    if (out->call && out->call->kind == CALL_CHANNELS) out->think = NULL; /* they are channels, too */
}

uint32_t forms_marks(const forms *f, const char **out)
{
    static const char *const channels[] = { "<|start|>", "<|channel|>", "<|message|>", "<|end|>",
                                            "<|call|>", "<|return|>", "<|constrain|>" };
    const think_form *t = f->think;
    const call_form *c = f->call;
    const char *all[FORM_MARKS] = { 0 };
    uint32_t n = 0;
    if (t) memcpy(all, (const char *[]){ t->open, t->close, t->drop[0], t->drop[1] }, 4 * sizeof *all);
    if (c) memcpy(all + 4, (const char *[]){ c->open, c->close, c->each, c->named, c->key, c->value, c->begin, c->ended,
                                             c->last, c->drop }, 10 * sizeof *all);
    if (c && c->ids == CALL_IDS_NINE) all[14] = "[CALL_ID]";
    if (c && c->kind == CALL_CHANNELS) memcpy(all + 15, channels, sizeof channels);
    for (int i = 0; i < FORM_MARKS; i++)
        if (all[i] && *all[i]) out[n++] = all[i];
    return n;
}

/* ---- calls that are demanded ---- */

static bool put(weft_text *t, const char *text)
{
    weft_writer w = weft_text_writer(t);
    return !text || !*text || w.write(w.ctx, text, strlen(text));
}

static const char *name_of(const json_t *tool)
{
    return json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
}

static json_t *parameters_of(const json_t *tool)
{
    json_t *p = json_object_get(json_object_get(tool, "function"), "parameters");
    return json_is_object(p) && json_object_size(p) ? json_incref(p) : json_pack("{s:s}", "type", "object");
}

/* References of a schema that becomes part of another, where it is at `place`, a JSON pointer. */
static void move_references(json_t *schema, const char *place, int depth)
{
    static const char *const data[] = { "const", "enum", "default", "examples" };
    const char *key;
    json_t *v;
    size_t i;
    void *next;
    json_array_foreach(schema, i, v) if (depth) move_references(v, place, depth - 1);
    json_object_foreach_safe(schema, next, key, v) {
        bool is_data = false;
        for (size_t k = 0; k < sizeof data / sizeof *data; k++) is_data |= !json_is_object(v) && !strcmp(key, data[k]);
        if (!strcmp(key, "$ref") && json_is_string(v) && *json_string_value(v) == '#')
            json_object_set_new(schema, key, json_sprintf("#%s%s", place, json_string_value(v) + 1));
        else if (depth && !is_data)
            move_references(v, place, depth - 1);
    }
}

/* Those of the i-th of n tools as a part of objects_schema. */
static json_t *moved_parameters(const call_form *f, const json_t *tool, size_t i, size_t n)
{
    char place[300], which[40] = "";
    json_t *own = parameters_of(tool), *p = json_deep_copy(own);
    json_decref(own);
    if (n > 1) snprintf(which, sizeof which, "/anyOf/%zu", i);
    snprintf(place, sizeof place, "%s%s/properties/%s", f->list ? "/items" : "", which, f->arguments_key);
    json_object_del(p, "$id"); /* they are of the root alone */
    json_object_del(p, "$schema");
    move_references(p, place, 512);
    return p;
}

/* The schema of the object that stands for a call of any of the tools. */
static json_t *objects_schema(const call_form *f, const json_t *tools)
{
    json_t *any = json_array();
    for (size_t i = 0; i < json_array_size(tools); i++) {
        const json_t *tool = json_array_get(tools, i);
        json_t *parameters = moved_parameters(f, tool, i, json_array_size(tools));
        json_array_append_new(any, json_pack("{s:s, s:{s:{s:s}, s:o}, s:[s,s], s:b}", "type", "object", "properties",
                                             f->name_key, "const", name_of(tool), f->arguments_key,
                                             parameters, "required", f->name_key, f->arguments_key,
                                             "additionalProperties", 0));
    }
    json_t *one = json_array_size(any) == 1 ? json_incref(json_array_get(any, 0)) : json_pack("{s:O}", "anyOf", any);
    json_decref(any);
    if (!f->list) return one;
    return json_pack("{s:s, s:o, s:i, s:i}", "type", "array", "items", one, "minItems", 1, "maxItems", 1);
}

bool form_demand(const forms *f, const json_t *tools, weft_text *prompt, json_t **schema, const char **why)
{
    const call_form *c = f->call;
    const char *name = name_of(json_array_get(tools, 0));
    *schema = NULL;
    *why = !c ? "this model's template has no form of calls that is known"
           : c->kind == CALL_KEYED || c->kind == CALL_LITERAL || (c->kind == CALL_JSON && !c->name_key)
               ? "calls in the form of this model's template cannot be demanded"
           : c->kind != CALL_JSON && json_array_size(tools) > 1
               ? "in the form of this model's template a call can only be demanded of one tool, by its name"
               : NULL;
    if (*why) return false;
    bool ok = true;
    if (c->kind == CALL_JSON) {
        *schema = objects_schema(c, tools);
        ok = (c->start || put(prompt, c->open)) && (c->list || c->start || put(prompt, "\n"));
    } else if (c->kind == CALL_CHANNELS) {
        *schema = parameters_of(json_array_get(tools, 0));
        ok = put(prompt, "<|channel|>commentary to=functions.") && put(prompt, name) &&
             put(prompt, " <|constrain|>json<|message|>");
    } else {
        *schema = parameters_of(json_array_get(tools, 0));
        ok = (!strcmp(c->open, c->each) || put(prompt, c->open)) && put(prompt, c->each) &&
             (c->ids != CALL_IDS_COUNTED || put(prompt, "functions.")) && put(prompt, name) &&
             (c->ids != CALL_IDS_COUNTED || put(prompt, ":0")) && put(prompt, c->named);
    }
    if (ok && *schema) return true;
    json_decref(*schema);
    *schema = NULL;
    return false;
}
