/* test_forms.c: reasoning and calls of tools in models' texts. What a family's texts look like is asked of the
 * published templates themselves: each renders a conversation in which a tool is called, and what it has written
 * for the model is read again. Every text is read whole and cut at every byte, with the same result. */
#include <stdlib.h>

#include "models/template/template.h"
#include "tests/test.h"
#include "tools/serve/forms.h"

#define PUBLISHED WEFT_TEST_ROOT "/tests/template/published/"

/* ---- reading ---- */

typedef struct heard { weft_text parts[2]; } heard;

static bool hear(void *ctx, form_part part, const char *text, size_t n)
{
    weft_writer w = weft_text_writer(&((heard *)ctx)->parts[part]);
    return w.write(w.ctx, text, n);
}

static const char tools_text[] =
    "[{\"type\": \"function\", \"function\": {\"name\": \"look_up\", \"description\": \"d\", \"parameters\": "
      "{\"type\": "
    "\"object\", \"properties\": {\"word\": {\"type\": \"string\"}, \"most\": {\"type\": \"integer\"}, \"deep\": "
      "{\"type\":"
    " \"object\"}}}}}]";

static const char more_tools[] = "[{\"function\": {\"name\": \"f\"}}, {\"function\": {\"name\": \"g\"}}]";

/* How a text is read; `ended`: the model ended it. */
typedef struct way { const forms *f; const json_t *tools; const char *begun; bool ended; } way;

/* What is heard of a text, as one line of JSON; `at`: cut there, `each`: at every byte. */
static char *read_text(const way *w, const char *text, size_t at, bool each)
{
    heard h = { 0 };
    form_reader r = { .forms = *w->f, .tools = w->tools, .id = "chatcmpl-0123456789abcdef", .sink = hear, .ctx = &h };
    const size_t n = strlen(text);
    json_t *calls = NULL;
    bool whole = false, ok = !w->begun || form_push(&r, w->begun, strlen(w->begun));
    for (size_t i = 0; each && i < n; i++) ok = ok && form_push(&r, text + i, 1);
    if (!each) ok = ok && form_push(&r, text, at) && form_push(&r, text + at, n - at);
    CHECK(ok && form_finish(&r, w->ended, &calls, &whole));
    json_t *all = json_pack("{s:s, s:s, s:b, s:o*}", "reasoning", h.parts[1].data ? h.parts[1].data : "", "answer",
                            h.parts[0].data ? h.parts[0].data : "", "whole", whole, "calls", calls);
    char *line = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    weft_text_free(&h.parts[0]);
    weft_text_free(&h.parts[1]);
    form_free(&r);
    return line;
}

/* The same however it is cut; the caller frees it. */
static char *read_all_ways(const char *what, const way *w, const char *text)
{
    char *whole = read_text(w, text, 0, false);
    for (size_t at = 1; at <= strlen(text) + 1; at++) {
        char *cut = read_text(w, text, at > strlen(text) ? 0 : at, at > strlen(text));
        if (!CHECK(whole && cut && !strcmp(whole, cut))) printf("  %s, cut at %zu:\n%s\n%s\n", what, at, whole, cut);
        free(cut);
    }
    return whole;
}

/* ---- the published templates ---- */

static const struct published {
    const char *file, *think, *call; /* rows of forms.c; NULL: none */
    const char *end; /* what ends the model's turn, where the conversation calls a tool and is read again */
} published[] = {
    { "Apertus-8B-Instruct", "apertus", "apertus", NULL },
    { "ByteDance-Seed-OSS", "seed", "seed", "<seed:eos>" },
    { "GLM-4.6", "think", "glm", "" },
    { "GLM-4.7-Flash", "think", "glm", "" },
    { "HuggingFaceTB-SmolLM3-3B", "think", NULL, NULL },
    { "MiMo-VL", NULL, "hermes", "<|im_end|>" },
    { "MiniMax-M1", NULL, "tool-calls", "<end_of_sentence>" },
    { "Mistral-Small-3.2-24B-Instruct-2506", NULL, "mistral-args", "</s>" },
    { "Qwen-QwQ-32B", "think", "hermes", "<|im_end|>" },
    { "Qwen-Qwen2.5-7B-Instruct", NULL, "hermes", "<|im_end|>" },
    { "Qwen-Qwen3-0.6B", "think", "hermes", "<|im_end|>" },
    { "Qwen3-Coder", NULL, "qwen3-coder", "<|im_end|>" },
    { "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "think", "deepseek-r1", NULL },
    { "deepseek-ai-DeepSeek-V3.1", "think", "deepseek-3.1", "<｜end▁of▁sentence｜>" },
    { "deepseek-ai-DeepSeek-V3.2", "think", "deepseek-3.2", "<｜end▁of▁sentence｜>" },
    { "ibm-granite-granite-3.3-2B-Instruct", "granite", "granite", NULL },
    { "ibm-granite-granite-4.0", NULL, "hermes", "<|end_of_text|>" },
    { "llama-cpp-deepseek-r1", "think", "deepseek-r1", NULL },
    { "llama-cpp-rwkv-world", "think", NULL, NULL },
    { "meetkai-functionary-medium-v3.1", NULL, "functionary-3.1", "<|eom_id|>" },
    { "meetkai-functionary-medium-v3.2", NULL, "functionary-3.2", NULL },
    { "microsoft-Phi-3.5-mini-instruct", NULL, NULL, NULL },
    { "mistralai-Ministral-3-14B-Reasoning-2512", "mistral", "mistral-args", "</s>" },
    { "mistralai-Mistral-Nemo-Instruct-2407", NULL, "mistral", "</s>" },
    { "openai-gpt-oss-120b", NULL, "harmony", "" },
    { "unsloth-Apriel-1.5", "apriel", "tool-calls", "<|end|>" },
    { "unsloth-mistral-Devstral-Small-2507", NULL, "mistral-args", "</s>" },
};

static weft_chat_template *open_template(const char *file)
{
    char path[512];
    static char text[1 << 16];
    weft_chat_template *t = NULL;
    weft_error err;
    snprintf(path, sizeof path, PUBLISHED "%s.jinja", file);
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f) fclose(f);
    if (CHECK(n)) CHECK_OK(weft_chat_template_parse(text, n, file, &t, &err), err);
    return t;
}

static void templates_are_recognised(void)
{
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        forms f;
        size_t n;
        weft_chat_template *t = open_template(published[i].file);
        if (!t) continue;
        const char *text = weft_chat_template_text(t, true, &n);
        forms_of(text, n, &f);
        const char *think = f.think ? f.think->name : "none", *call = f.call ? f.call->name : "none";
        const char *want_think = published[i].think, *want_call = published[i].call;
        bool right = CHECK(!strcmp(think, want_think ? want_think : "none"));
        right &= CHECK(!strcmp(call, want_call ? want_call : "none"));
        if (!right) printf("  %s\n", published[i].file);
        weft_chat_template_close(t);
    }
}

static char *render(const weft_chat_template *t, const char *call, bool prompt)
{
    weft_text out = { 0 };
    weft_error err;
    char json[2048];
    snprintf(json, sizeof json, "{\"bos_token\": \"\", \"eos_token\": \"</s>\", \"tools\": %s, \"now\": "
             "\"2026-11-30T10:00:00\", \"add_generation_prompt\": %s, \"messages\": [{\"role\": \"user\", "
      "\"content\": "
             "\"Hi\"}%s]}", tools_text, prompt ? "true" : "false", prompt ? "" : call);
    if (!CHECK_OK(weft_chat_template_render(t, json, strlen(json), NULL, &out, &err), err)) weft_text_free(&out);
    return out.data;
}

/* What the template writes for the model to have said is read as what was said. */
static void check_round(const struct published *row, const json_t *tools)
{
    static const char call[] =
        ", {\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [{\"id\": \"abcdefgh1\", \"type\": "
      "\"function\", "
        "\"function\": {\"name\": \"look_up\", \"arguments\": {\"word\": \"a \\\"b\\\" <c>\", \"most\": 3}}}]}";
    forms f;
    size_t n;
    weft_chat_template *t = open_template(row->file);
    if (!t) return;
    const char *text = weft_chat_template_text(t, true, &n);
    forms_of(text, n, &f);
    char *prompt = render(t, call, true), *whole = render(t, call, false);
    if (prompt && whole) {
        size_t from = 0;
        while (prompt[from] && prompt[from] == whole[from]) from++;
        size_t mark = from; /* they may differ within one */
        while (mark && !strchr("<>[]", whole[mark - 1])) mark--;
        if (mark && strchr("<[", whole[mark - 1])) from = mark - 1;
        const char *begun = NULL, *end = *row->end ? strstr(whole + from, row->end) : NULL;
        if (f.call->drop && from >= strlen(f.call->open) &&
            !memcmp(whole + from - strlen(f.call->open), f.call->open, strlen(f.call->open))) begun = f.call->open;
        if (f.think && !strncmp(whole + from, f.think->close, strlen(f.think->close))) from += strlen(f.think->close);
        if (end) whole[end - whole] = 0;
        char *line = read_all_ways(row->file, &(way){ &f, tools, begun, true }, whole + from);
        const char *want = "\"function\":{\"name\":\"look_up\",\"arguments\":\"{\\\"word\\\":\\\"a "
      "\\\\\\\"b\\\\\\\" <c>\\\","
                           "\\\"most\\\":3}\"}}]}";
        if (!CHECK(strstr(line, want)) || !CHECK(strstr(line, "\"answer\":\"\"")))
            printf("  %s: %s\n  of: %s\n", row->file, line, whole + from);
        free(line);
    }
    free(prompt);
    free(whole);
    weft_chat_template_close(t);
}

static void templates_are_read_again(void)
{
    json_t *tools = json_loads(tools_text, 0, NULL);
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        if (published[i].end) check_round(&published[i], tools);
    json_decref(tools);
}

/* ---- texts ---- */

enum { CUT = 2 };

#define CALL(name, arguments) \
    "\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" arguments "\"}}"

static const struct text_row {
    const char *call, *think; /* forms */
    int tools; /* there are some; CUT: and the model has not ended the text */
    const char *begun, *text;
    const char *reasoning, *answer, *calls[2]; /* calls: what is in them, NULL: there are none */
} texts[] = {
    /* reasoning */
    { NULL, "think", false, NULL, "<think>\nso\n</think>\n\nYes.\n", "so", "Yes.\n", { NULL } },
    { NULL, "think", false, NULL, "\n<think>so</think>Yes", "so", "Yes", { NULL } },
    { NULL, "think", false, "<think>", "\nso </thin so\n</think>\n\nYes", "so </thin so", "Yes", { NULL } },
    { NULL, "think", false, "<think>", "without an end </th", "without an end </th", "", { NULL } },
    { NULL, "think", false, NULL, "  Yes <think>no</think>", "", "  Yes <think>no</think>", { NULL } },
    { NULL, "think", false, NULL, "  \n", "", "  \n", { NULL } },
    { NULL, "think", false, NULL, " <thi", "", " <thi", { NULL } },
    { NULL, "mistral", false, NULL, "[THINK]a[b][/THINK] c", "a[b]", "c", { NULL } },
    { NULL, "cohere", false, NULL, "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "a",
      "b", { NULL } },
    { NULL, "granite", false, NULL, "<think>a</think><response>b</response>", "a", "b", { NULL } },
    { NULL, "gemma", false, NULL, "<|channel>thought\na\n<channel|>b", "a", "b", { NULL } },
    { NULL, "apriel", false, "Here are my reasoning steps:", "\na\n[BEGIN FINAL RESPONSE]\nb\n", "a", "b\n",
      { NULL } },
    /* calls */
    { "hermes", "think", true, NULL, "<think>a</think>\n\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": "
      "1}}\n</tool_call>\n"
      "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>", "a", "", { CALL("f", "{\\\"a\\\":1}"),
      CALL("g", "{}") } },
    { "hermes", NULL, true, NULL, "Well. <tool_call>{\"name\": \"f\", \"arguments\": {}}", "", "Well. ",
      { CALL("f", "{}") } },
    { "hermes", NULL, true, NULL, "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call> done", "", " done",
      { CALL("f", "{}") } },
    { "hermes", NULL, true, NULL, "a <tool_call> b", "", "a <tool_call> b", { NULL } },
    { "hermes", NULL, true, NULL, "<tool_call>{\"name\": \"f\"}</tool_call>", "",
      "<tool_call>{\"name\": \"f\"}</tool_call>", { NULL } },
    { "hermes", NULL, false, NULL, "<tool_call>{}</tool_call>", "", "<tool_call>{}</tool_call>", { NULL } },
    { "llama-3", NULL, true, NULL, "{\"name\": \"look_up\", \"parameters\": {\"word\": \"x\"}}", "", "",
      { CALL("look_up", "{\\\"word\\\":\\\"x\\\"}") } },
    { "llama-3", NULL, true, NULL, "<|python_tag|>{\"type\": \"function\", \"name\": \"look_up\", \"parameters\": "
      "{}}; "
      "{\"name\": \"look_up\", \"parameters\": {\"most\": 2}}", "", "", { CALL("look_up", "{}"), CALL("look_up",
      "{\\\"most\\\":2}") } },
    { "llama-3", NULL, true, NULL, "{\"name\": \"somebody\", \"parameters\": {}}", "",
      "{\"name\": \"somebody\", \"parameters\": {}}", { NULL } },
    { "mistral", NULL, true, NULL, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {\"a\": [1]}, \"id\": \"x\"}]",
      "", "",
      { "\"id\":\"abcdef000\"," CALL("f", "{\\\"a\\\":[1]}") } },
    { "mistral", NULL, true, NULL, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, 1]", "",
      "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, 1]", { NULL } },
    { "mistral-args", NULL, true, NULL, "Hm[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{\"a\": 1}[TOOL_CALLS]g[ARGS]{}",
      "", "Hm",
      { CALL("f", "{\\\"a\\\":1}"), "\"id\":\"abcdef001\"," CALL("g", "{}") } },
    { "cohere", "cohere", true, NULL, "<|START_THINKING|>a<|END_THINKING|><|START_ACTION|>[\n{\"tool_call_id\": "
      "\"0\", \"tool_name\": "
      "\"f\", \"parameters\": {\"a\": null}}\n]<|END_ACTION|>", "a", "", { "\"id\":\"0\"," CALL("f",
      "{\\\"a\\\":null}") } },
    { "granite", NULL, true, NULL, "<|tool_call|>[{\"arguments\": {}, \"name\": \"f\"}]", "", "", { CALL("f",
      "{}") } },
    { "apertus", "apertus", true, NULL, "<|inner_prefix|>a<|tools_prefix|>", "a<|tools_prefix|>", "", { NULL } },
    { "apertus", "apertus", true, NULL, "<|tools_prefix|>[{\"f\": {\"a\": 1}}, {\"g\": {}}]<|tools_suffix|>", "", "",
      { CALL("f", "{\\\"a\\\":1}"), CALL("g", "{}") } },
    { "deepseek-r1", "think", true, "<think>", "a</think><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>fu"
      "nction<｜tool▁sep｜>f\n"
      "```json\n{\"a\": "
      "1}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```"
      "<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "a", "", { CALL("f", "{\\\"a\\\":1}"), CALL("g",
      "{}") } },
    { "deepseek-3.1", NULL, true, NULL, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜"
      ">{\"a\"", "",
      "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\"", { NULL } },
    { "kimi", NULL, true, NULL, "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:7<|tool_call_argument_"
      "begin|>{}"
      "<|tool_call_end|><|tool_calls_section_end|>", "", "", { "\"id\":\"functions.f:7\"," CALL("f", "{}") } },
    { "functionary-3.1", NULL, true, NULL, "<function=f>{\"a\": 1}</function><function=g>{}</function>", "", "",
      { CALL("f", "{\\\"a\\\":1}"), CALL("g", "{}") } },
    { "functionary-3.2", NULL, true, ">>>", "all\nHello", "", "Hello", { NULL } },
    { "functionary-3.2", NULL, true, ">>>", "all\nHello>>>f\n{}>>>g\n{\"a\": 2}", "", "Hello", { CALL("f", "{}"),
      CALL("g", "{\\\"a\\\":2}") } },
    { "qwen3-coder", NULL, true, NULL, "<tool_call>\n<function=look_up>\n<parameter=word>\n12\n</parameter>\n<para"
      "meter=most>\n12\n"
      "</parameter>\n<parameter=deep>\n{\"a\": [1]}\n</parameter>\n</function>\n</tool_call>", "", "",
      { CALL("look_up", "{\\\"word\\\":\\\"12\\\",\\\"most\\\":12,\\\"deep\\\":{\\\"a\\\":[1]}}") } },
    { "qwen3-coder", NULL, true, NULL, "<tool_call>\n<function=f>\n<parameter=x>\nno "
      "json\n</parameter>\n</function>\n</tool_call>", "", "",
      { CALL("f", "{\\\"x\\\":\\\"no json\\\"}") } },
    { "glm", "think", true, NULL, "<think>a</think>\n<tool_call>look_up\n<arg_key>word</arg_key>\n<arg_value>1</ar"
      "g_value>\n</tool_call>"
      "<tool_call>f</tool_call>", "a", "", { CALL("look_up", "{\\\"word\\\":\\\"1\\\"}"), CALL("f", "{}") } },
    { "minimax-m2", "think", true, "<think>", "a</think>\n<minimax:tool_call>\n<invoke name=\"f\">\n<parameter "
      "name=\"a\">1</parameter>\n"
      "</invoke>\n</minimax:tool_call>", "a", "", { CALL("f", "{\\\"a\\\":1}") } },
    { "deepseek-3.2", NULL, true, NULL, "<｜DSML｜function_calls>\n<｜DSML｜invoke "
      "name=\"f\">\n<｜DSML｜parameter name=\"a\" "
      "string=\"true\">1</｜DSML｜parameter>\n<｜DSML｜parameter name=\"b\" "
      "string=\"false\">1</｜DSML｜parameter>\n</｜DSML｜invoke>\n"
      "</｜DSML｜function_calls>", "", "", { CALL("f", "{\\\"a\\\":\\\"1\\\",\\\"b\\\":1}") } },
    /* calls as source text */
#define GEMMA(text) "<|tool_call>" text "<tool_call|>"
#define LFM(text) "<|tool_call_start|>" text "<|tool_call_end|>"
    { "gemma", "gemma", true, NULL, "<|channel>thought\na<channel|>" GEMMA("call:f{b:[1,2.5,true],a:<|\"|>x, }\n"
      "\"<|\"|>,c:{d:null,<|\"|>e f<|\"|>:-3}}") GEMMA("call:g{}"), "a", "",
      { CALL("f", "{\\\"b\\\":[1,2.5,true],\\\"a\\\":\\\"x, }\\\\n\\\\\\\"\\\",\\\"c\\\":{\\\"d\\\":null,"
        "\\\"e f\\\":-3}}"), CALL("g", "{}") } },
    { "functiongemma", NULL, true, NULL, "<start_function_call>call:f{a:<escape>1<escape>}<end_function_call>", "", "",
      { CALL("f", "{\\\"a\\\":\\\"1\\\"}") } },
    { "gemma", NULL, true, NULL, GEMMA("call:h{}"), "", GEMMA("call:h{}"), { NULL } },
    { "gemma", NULL, CUT, NULL, "<|tool_call>call:f{a:1", "", "<|tool_call>call:f{a:1", { NULL } },
    { "gemma", NULL, true, NULL, GEMMA("call:f{a:1 2}"), "", GEMMA("call:f{a:1 2}"), { NULL } },
    { "lfm2", NULL, true, NULL, LFM("[f(a=\"it's\", b='\\u00e9\\n\\x41\"', c=[1, -2e3, None], "
      "d={'k': True, \"l\": []},), g()]") "Done.", "", "Done.",
      { CALL("f", "{\\\"a\\\":\\\"it's\\\",\\\"b\\\":\\\"é\\\\nA\\\\\\\"\\\",\\\"c\\\":[1,-2000.0,null],"
        "\\\"d\\\":{\\\"k\\\":true,\\\"l\\\":[]}}"), CALL("g", "{}") } },
    { "lfm2", NULL, true, NULL, LFM("[f(1)]"), "", LFM("[f(1)]"), { NULL } },
    { "lfm2", NULL, true, NULL, LFM("[f(a='\\ud800')]"), "", LFM("[f(a='\\ud800')]"), { NULL } },
    { "lfm2", NULL, true, NULL, LFM("f(a=open(1))"), "", LFM("f(a=open(1))"), { NULL } },
    /* what only looks like a call, and calls that were cut */
#define CODER "<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n"
    { "qwen3-coder", NULL, CUT, NULL, CODER, "", CODER, { NULL } },
    { "qwen3-coder", NULL, true, NULL, CODER, "", "", { CALL("f", "{\\\"x\\\":1}") } },
    { "qwen3-coder", NULL, CUT, NULL, CODER "</function>", "", "", { CALL("f", "{\\\"x\\\":1}") } },
    { "qwen3-coder", NULL, true, NULL, "<tool_call><function=h></function></tool_call>", "",
      "<tool_call><function=h></function></tool_call>", { NULL } },
    { "glm", NULL, CUT, NULL, "<tool_call>look_up", "", "<tool_call>look_up", { NULL } },
    { "glm", NULL, true, NULL, "<tool_call>look_up", "", "", { CALL("look_up", "{}") } },
    { "glm", NULL, CUT, NULL, "<tool_call>f</tool_call>", "", "", { CALL("f", "{}") } },
    { "glm", NULL, true, NULL, "The mark <tool_call> begins one.", "", "The mark <tool_call> begins one.", { NULL } },
    { "glm", NULL, true, NULL, "<tool_call>f\nis one", "", "<tool_call>f\nis one", { NULL } },
    { "functionary-3.2", NULL, true, ">>>", "h\n{}", "", ">>>h\n{}", { NULL } },
    { "mistral-args", NULL, true, NULL, "[TOOL_CALLS]h[ARGS]{}", "", "[TOOL_CALLS]h[ARGS]{}", { NULL } },
    { "kimi", NULL, true, NULL, "<|tool_calls_section_begin|><|tool_call_begin|>functions.h:0<|tool_call_argument_"
      "begin|>{}", "", "<|tool_calls_section_begin|><|tool_call_begin|>functions.h:0<|tool_call_argument_begin|>{}",
      { NULL } },
    { "llama-3", NULL, true, NULL, "{\"person\": {\"age\": 3}}", "", "{\"person\": {\"age\": 3}}", { NULL } },
    { "hermes", NULL, true, NULL, "<tool_call>{\"person\": {}}</tool_call>", "",
      "<tool_call>{\"person\": {}}</tool_call>", { NULL } },
    /* arguments as the model has written them, and ids that are its own */
    { "hermes", NULL, true, NULL, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": 0.1, \"b\": "
      "[12345678901234567890, 1]}}</tool_call>", "", "",
      { CALL("f", "{\\\"a\\\":0.1,\\\"b\\\":[12345678901234567890,1]}") } },
    { "hermes", NULL, true, NULL, "<tool_call>{\"name\": \"f\", \"arguments\": \"{\\\"a\\\": 0.10}\"}</tool_call>",
      "", "",
      { CALL("f", "{\\\"a\\\":0.10}") } },
    { "mistral", NULL, true, NULL, "[TOOL_CALLS][{\"name\": \"f\", \"arguments\": {}}, {\"arguments\": {\"a\": 1.50},"
      " \"name\": \"g\"}]", "", "", { CALL("f", "{}"), CALL("g", "{\\\"a\\\":1.50}") } },
    { "functionary-3.1", NULL, true, NULL, "<function=f>{\"a\": 1e2, \"b\": \" \\\" \"}</function>", "", "",
      { CALL("f", "{\\\"a\\\":1e2,\\\"b\\\":\\\" \\\\\\\" \\\"}") } },
    { "cohere", NULL, true, NULL, "<|START_ACTION|>[{\"tool_call_id\": \"0\", \"tool_name\": \"f\", \"parameters\": "
      "{}}, {\"tool_call_id\": \"0\", \"tool_name\": \"g\", \"parameters\": {}}]<|END_ACTION|>", "", "",
      { "\"id\":\"0\"," CALL("f", "{}"), "\"id\":\"call_chatcmpl-0123456789abcdef_1\"," CALL("g", "{}") } },
    /* channels */
    { "harmony", NULL, true, NULL, "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|mess"
      "age|>b", "a", "b", { NULL } },
    { "harmony", NULL, true, NULL, "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis<|m"
      "essage|>b<|end|>"
      "<|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": 1}<|call|>",
      "a\n\nb", "",
      { "\"id\":\"call_chatcmpl-0123456789abcdef_0\"," CALL("f", "{\\\"a\\\":1}") } },
    { "harmony", NULL, true, NULL, " to=functions.f<|channel|>commentary json<|message|>{}", "", "", { CALL("f",
      "{}") } },
    { "harmony", NULL, true, NULL, "<|channel|>commentary to=functions.f<|message|>{\"a\"", "", "{\"a\"", { NULL } },
    { "harmony", NULL, false, NULL, "<|channel|>commentary<|message|>I "
      "will<|end|><|start|>assistant<|channel|>fin", "", "I will", { NULL } },
    { "harmony", NULL, false, NULL, "plain <|b", "", "plain <|b", { NULL } },
    { "harmony", NULL, false, NULL, "<|channel|>final The answer", "", "<|channel|>final The answer", { NULL } },
    { "harmony", NULL, false, NULL, "<|channel|>final<|channel|>final<|message|>a", "",
      "<|channel|>final\n\na", { NULL } },
    { "harmony", NULL, false, NULL, "<|channel|>final<|message|>The mark <|end|> ends, and <|channel|> begins.", "",
      "The mark <|end|> ends, and <|channel|> begins.", { NULL } },
    { "harmony", NULL, false, NULL, "<|channel|>analysis<|message|>so<|end|>Yes", "so", "Yes", { NULL } },
    { "harmony", NULL, false, NULL, "<|channel|>final<|message|>a<|end|><|end|>\n", "", "a", { NULL } },
    { "harmony", NULL, false, NULL, "assistant of mine", "", "assistant of mine", { NULL } },
    { "harmony", NULL, false, NULL, "to", "", "to", { NULL } },
    { "harmony", NULL, false, NULL, "<|start|>assistant<|channel|>final <|constrain|>json<|message|>{}", "", "{}",
      { NULL } },
};

static void find_rows(const char *call, const char *think, forms *f)
{
    *f = (forms){ 0 };
    for (const call_form *c = form_calls(); c->name && call && !f->call; c++)
        if (!strcmp(c->name, call)) f->call = c;
    for (const think_form *t = form_thinks(); t->name && think && !f->think; t++)
        if (!strcmp(t->name, think)) f->think = t;
    CHECK(!call == !f->call && !think == !f->think);
}

static void texts_are_read(void)
{
    json_t *tools = json_loads(tools_text, 0, NULL), *more = json_loads(more_tools, 0, NULL);
    json_array_extend(tools, more);
    json_decref(more);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text_row *row = &texts[i];
        forms f;
        find_rows(row->call, row->think, &f);
        const way w = { &f, row->tools ? tools : NULL, row->begun, row->tools != CUT };
        char *line = read_all_ways(row->text, &w, row->text);
        json_t *all = json_loads(line, 0, NULL), *calls = json_object_get(all, "calls");
        CHECK_STR(json_string_value(json_object_get(all, "reasoning")), row->reasoning);
        CHECK_STR(json_string_value(json_object_get(all, "answer")), row->answer);
        CHECK_EQ_INT((int)json_array_size(calls), !row->calls[0] ? 0 : !row->calls[1] ? 1 : 2);
        for (int k = 0; k < 2 && row->calls[k]; k++)
            if (!CHECK(strstr(line, row->calls[k]))) printf("  %s\n  in %s\n", row->calls[k], line);
        json_decref(all);
        free(line);
    }
    json_decref(tools);
}

/* What a model is made to begin with is read as a call of that tool. */
static void demands_are_read_again(void)
{
    json_t *tools = json_loads(tools_text, 0, NULL);
    for (const call_form *c = form_calls(); c->name; c++) {
        forms f = { .call = c };
        weft_text prompt = { 0 };
        json_t *schema;
        const char *why, *object = "{\"most\": 1}";
        char text[256];
        const bool can = form_demand(&f, tools, &prompt, &schema, &why);
        CHECK(can ? schema != NULL : why && !schema);
        if (can) {
            if (c->kind == CALL_JSON)
                snprintf(text, sizeof text, "%s{\"%s\": \"look_up\", \"%s\": %s}%s", c->list ? "[" : "", c->name_key,
                         c->arguments_key, object, c->list ? "]" : "");
            char *line = read_all_ways(c->name, &(way){ &f, tools, prompt.data, true },
                                       c->kind == CALL_JSON ? text : object);
            if (!CHECK(strstr(line, CALL("look_up", "{\\\"most\\\":1}")))) printf("  %s: %s\n", c->name, line);
            free(line);
        }
        json_decref(schema);
        weft_text_free(&prompt);
    }
    json_decref(tools);
}

/* Where the request has a grammar of its own, an object is the answer; and a call that is cut is not all there was. */
static void other_objects_stay_text(void)
{
    json_t *tools = json_loads(tools_text, 0, NULL);
    forms f;
    find_rows("llama-3", NULL, &f);
    const char *object = "{\"name\": \"look_up\", \"parameters\": {}}";
    f.marked = true;
    char *line = read_all_ways("marked", &(way){ &f, tools, NULL, true }, object);
    CHECK(!strstr(line, "\"calls\""));
    free(line);
    find_rows("harmony", NULL, &f);
    for (int ended = 0; ended < 2; ended++) {
        line = read_all_ways("cut", &(way){ &f, tools, NULL, ended }, "<|channel|>commentary to=look_up<|message|>{}");
        CHECK(strstr(line, "\"calls\"") && strstr(line, ended ? "\"whole\":true" : "\"whole\":false"));
        free(line);
    }
    json_decref(tools);
}

/* What is held is searched once: in pieces of one byte this takes no time that one could see, or hours. */
static void long_texts_are_read(void)
{
    enum { BYTES = 1 << 18 };
    static const struct { const char *call, *think, *begin; char filling; } rows[] = {
        { "harmony", NULL, "<|channel|>commentary to=look_up<|message|>", 'x' },
        { NULL, "think", "<think>a", ' ' }, { "hermes", NULL, "", '\n' },
        { "harmony", NULL, "<|channel|>", 'x' },
    };
    json_t *tools = json_loads(tools_text, 0, NULL), *calls;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heard h = { 0 };
        forms f;
        bool whole, ok;
        find_rows(rows[i].call, rows[i].think, &f);
        form_reader r = { .forms = f, .tools = tools, .id = "chatcmpl-0123456789", .sink = hear, .ctx = &h };
        ok = form_push(&r, rows[i].begin, strlen(rows[i].begin));
        for (size_t n = 0; n < BYTES; n++) ok = ok && form_push(&r, &rows[i].filling, 1);
        CHECK(ok && form_push(&r, "y", 1) && form_finish(&r, true, &calls, &whole) && !calls);
        CHECK(h.parts[0].size + h.parts[1].size > BYTES);
        weft_text_free(&h.parts[0]);
        weft_text_free(&h.parts[1]);
        form_free(&r);
    }
    json_decref(tools);
}

/* References of a tool's schema mean the same where it has become part of another. */
static void references_are_moved(void)
{
    static const char text[] =
        "[{\"function\": {\"name\": \"f\", \"parameters\": {\"$defs\": {\"X\": {\"type\": \"integer\"}}, "
        "\"properties\": "
        "{\"a\": {\"$ref\": \"#/$defs/X\"}, \"b\": {\"$ref\": \"#\"}, \"c\": {\"const\": {\"$ref\": \"#\"}}}}}}, "
        "{\"function\": {\"name\": \"g\"}}]";
    json_t *tools = json_loads(text, 0, NULL), *schema;
    const char *why;
    weft_text prompt = { 0 };
    forms f;
    find_rows("mistral", NULL, &f);
    if (CHECK(form_demand(&f, tools, &prompt, &schema, &why))) {
        char *line = json_dumps(schema, JSON_COMPACT);
        CHECK(strstr(line, "\"a\":{\"$ref\":\"#/items/anyOf/0/properties/arguments/$defs/X\"}"));
        CHECK(strstr(line, "\"b\":{\"$ref\":\"#/items/anyOf/0/properties/arguments\"}"));
        free(line);
    }
    json_decref(schema);
    json_decref(tools);
    weft_text_free(&prompt);
}

static const weft_test tests[] = {
    { "templates_are_recognised", templates_are_recognised },
    { "templates_are_read_again", templates_are_read_again },
    { "texts_are_read", texts_are_read },
    { "other_objects_stay_text", other_objects_stay_text },
    { "long_texts_are_read", long_texts_are_read },
    { "references_are_moved", references_are_moved },
    { "demands_are_read_again", demands_are_read_again },
};

TEST_MAIN(tests)
