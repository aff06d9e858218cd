/* test_template.c: chat templates against what transformers makes of them (vectors.json and expressions.json, which
 * make_vectors.py and make_expressions.py write), hostile ones, and files. */
#include <jansson.h>
#include <stdlib.h>

#include "models/template/template.h"
#include "tests/test.h"

#define FOLDER WEFT_TEST_ROOT "/tests/template/"

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *data = NULL;
    *n = 0;
    if (f && fseek(f, 0, SEEK_END) == 0) {
        const long size = ftell(f);
        if (size >= 0 && fseek(f, 0, SEEK_SET) == 0 && (data = malloc((size_t)size + 1)))
            *n = fread(data, 1, (size_t)size, f);
    }
    if (f) fclose(f);
    return data;
}

static json_t *read_json(const char *name)
{
    char path[512];
    size_t n;
    json_error_t fault;
    snprintf(path, sizeof path, FOLDER "%s", name);
    char *text = read_file(path, &n);
    json_t *root = text ? json_loadb(text, n, JSON_ALLOW_NUL, &fault) : NULL;
    free(text);
    return root;
}

static void fnv(const char *s, size_t n, char out[20])
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)s[i]) * 0x100000001B3u;
    snprintf(out, 20, "%016" PRIx64, h);
}

/* Whether a text is what a row says: itself, or its length and hash. */
static bool is_text(const json_t *want, const weft_text *got)
{
    char hash[20];
    const char *data = got->data ? got->data : "";
    if (json_is_string(want))
        return json_string_length(want) == got->size && !memcmp(json_string_value(want), data, got->size);
    fnv(data, got->size, hash);
    return (size_t)json_integer_value(json_array_get(want, 0)) == got->size &&
           !strcmp(json_string_value(json_array_get(want, 1)), hash);
}

static void check_one(const weft_chat_template *t, const char *name, const char *which, const json_t *conversation,
                      const json_t *want)
{
    weft_text got = { 0 };
    weft_error err;
    char *json = json_dumps(conversation, 0);
    const weft_status status = weft_chat_template_render(t, json, strlen(json), NULL, &got, &err);
    const bool fine = json_is_null(want) ? status != WEFT_OK : status == WEFT_OK && is_text(want, &got);
    if (!CHECK(fine)) printf("  %s, %s: %s\n", name, which, status ? err.text : got.data ? got.data : "");
    free(json);
    weft_text_free(&got);
}

static void check_group(const char *group, const char *folder)
{
    const char *name, *which;
    json_t *root = read_json("vectors.json"), *row, *want;
    if (!CHECK(root)) return;
    json_object_foreach(json_object_get(root, group), name, row)
    {
        char path[1024];
        size_t n;
        weft_error err;
        weft_chat_template *t = NULL;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        char *text = read_file(path, &n);
        if (!CHECK(text) || !CHECK_OK(weft_chat_template_parse(text, n, name, &t, &err), err)) printf("  %s\n", path);
        json_object_foreach(row, which, want) if (t)
            check_one(t, name, which, json_object_get(json_object_get(root, "conversations"), which), want);
        weft_chat_template_close(t);
        free(text);
    }
    json_decref(root);
}

static void own_templates(void)
{
    check_group("own", FOLDER "own");
}

static void published_templates(void)
{
    check_group("published", FOLDER "published");
}

static void fetched_templates(void)
{
#ifdef WEFT_CHAT_TEMPLATES
    check_group("fetched", WEFT_CHAT_TEMPLATES);
#else
    TEST_SKIP("-DWEFT_CHAT_TEMPLATES names no folder of fetched templates (tests/template/fetch.py)");
#endif
}

/* ---- expressions ---- */

static void expressions(void)
{
    json_t *root = read_json("expressions.json"), *want;
    const char *text;
    if (!CHECK(root)) return;
    json_object_foreach(json_object_get(root, "expressions"), text, want)
    {
        char source[1024];
        weft_error err;
        weft_chat_template *t = NULL;
        weft_text got = { 0 };
        char *json = json_dumps(json_object_get(root, "variables"), 0);
        snprintf(source, sizeof source, strstr(text, "{%") ? "%s" : "{{ %s }}", text);
        weft_status status = weft_chat_template_parse(source, strlen(source), "expression", &t, &err);
        if (!status) status = weft_chat_template_render(t, json, strlen(json), NULL, &got, &err);
        const bool fine = json_is_null(want) ? status != WEFT_OK : status == WEFT_OK && is_text(want, &got);
        if (!CHECK(fine))
            printf("  %s\n  gives %s\n  not   %s\n", text,
                   status     ? err.text
                   : got.data ? got.data
                              : "",
                   json_is_string(want) ? json_string_value(want) : "an error");
        weft_chat_template_close(t);
        weft_text_free(&got);
        free(json);
    }
    json_decref(root);
}

/* ---- hostile templates ---- */

static weft_status render_text(const char *source, const char *json, weft_text *out, weft_error *err)
{
    weft_chat_template *t;
    WEFT_TRY(weft_chat_template_parse(source, strlen(source), "hostile", &t, err));
    const weft_status status = weft_chat_template_render(t, json, strlen(json), NULL, out, err);
    weft_chat_template_close(t);
    return status;
}

static void limits_hold(void)
{
    static const struct {
        const char *text;
        weft_status status;
    } rows[] = {
        { "{% for i in range(100001) %}{% endfor %}", WEFT_INVALID },
        { "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", WEFT_LIMIT },
        { "{{ 'a' * 10000000000 }}", WEFT_LIMIT },
        { "{{ ('a' * 100000000) * 100 }}", WEFT_LIMIT },
        { "{{ [0] * 100000000 }}", WEFT_LIMIT },
        { "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", WEFT_LIMIT },
        { "{% macro f(x) %}{{ f(x ~ x) }}{% endmacro %}{{ f('ab') }}", WEFT_LIMIT },
        { "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
          WEFT_LIMIT },
        { "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x|tojson "
          "}}",
          WEFT_LIMIT },
        { "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}", WEFT_LIMIT },
        { "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
          WEFT_LIMIT },
        { "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
          WEFT_LIMIT },
        { "{{ 'ab'.center(1000000000000) }}", WEFT_LIMIT },
        { "{{ '%1000000000d' % 1 }}", WEFT_LIMIT },
        { "{{ '{:1000000000}'.format(1) }}", WEFT_LIMIT },
        { "{{ {}|tojson(indent=1000000000) }}", WEFT_LIMIT },
        { "{{ 9223372036854775807 + 1 }}", WEFT_LIMIT },
        { "{{ 2 ** 64 }}", WEFT_LIMIT },
        { "{{ 9223372036854775808 }}", WEFT_INVALID },
        { "{{ ''.__class__.__mro__ }}", WEFT_INVALID },
        { "{{ messages.append(1) }}", WEFT_INVALID },
        { "{{ messages[0].update({}) }}", WEFT_INVALID },
        { "{% include 'x' %}", WEFT_UNSUPPORTED },
        { "{{ range }}", WEFT_INVALID },
        { "{{ messages|map('length') }}", WEFT_INVALID },
        { "{% for x in messages recursive %}{{ loop([x]) }}{% endfor %}", WEFT_LIMIT },
        { "{{ 'a'|replace('', 'b' * 1000)|replace('b', 'c' * 100000)|replace('c', 'd' * 100000) }}", WEFT_LIMIT },
        { "\xff", WEFT_FORMAT },
    };
    static const char json[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_text out = { 0 };
        weft_error err = { 0 };
        if (!CHECK_STATUS(render_text(rows[i].text, json, &out, &err), rows[i].status, err))
            printf("  %s\n", rows[i].text);
        CHECK(!out.size);
        weft_text_free(&out);
    }
}

/* `open`, many times, then `middle`, then as many times `close`. */
static void check_nested(const char *open, const char *middle, const char *close)
{
    enum { TIMES = 20000 };
    const size_t n = strlen(open), m = strlen(middle), k = strlen(close), size = TIMES * (n + k) + m;
    char *text = malloc(size + 1), *p = text;
    weft_chat_template *t;
    weft_error err = { 0 };
    if (!CHECK(text)) return;
    for (int i = 0; i < TIMES; i++, p += n) memcpy(p, open, n);
    memcpy(p, middle, m);
    p += m;
    for (int i = 0; i < TIMES; i++, p += k) memcpy(p, close, k);
    text[size] = 0;
    const weft_status status = weft_chat_template_parse(text, size, "nested", &t, &err);
    CHECK(status == WEFT_LIMIT || status == WEFT_INVALID);
    if (!status) weft_chat_template_close(t);
    free(text);
}

static void nesting_is_bounded(void)
{
    check_nested("{{ (", "1", ") }}");
    check_nested("{% if 1 %}", "", "{% endif %}");
    check_nested("{% for x in [] %}", "", "{% endfor %}");
    check_nested("{% if 1 %}{% if", " 1", " %}{% endif %}");
    check_nested("{{ -", "1", " }}");
    check_nested("{{ [", "1", "] }}");
    check_nested("{{ not ", "1", " }}");
}

static void errors_say_where(void)
{
    static const struct {
        const char *text, *where, *why;
    } rows[] = {
        { "a\nb\n{{ 1 + }}", "hostile: line 3: ", "expected an expression" },
        { "\n{% if x %}\n", "hostile: line 2: ", "endif" },
        { "\n\n{{ x.y }}", "hostile: line 3: ", "'x' is undefined" },
        { "{% for m in messages %}\n{{ m.z.y }}{% endfor %}", "line 2: ", "'dict object' has no attribute 'z'" },
        { "\n{{ raise_exception('roles must alternate') }}", "line 2: ", "roles must alternate" },
        { "\n{% frob %}", "line 2: ", "unknown tag 'frob'" },
        { "\n{{ 1|frob }}", "line 2: ", "No filter named 'frob'" },
        { "\n{{ 'a' + 1 }}", "line 2: ", "can only concatenate str (not \"int\") to str" },
        { "\n{{ strftime_now('%Y') }}", "line 2: ", "no time is given" },
    };
    static const char json[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_text out = { 0 };
        weft_error err = { 0 };
        CHECK(render_text(rows[i].text, json, &out, &err) != WEFT_OK);
        CHECK_CONTAINS(err.text, rows[i].where);
        CHECK_CONTAINS(err.text, rows[i].why);
        weft_text_free(&out);
    }
}

static void conversations_are_checked(void)
{
    static const struct {
        const char *json, *why;
    } rows[] = {
        { "", "line 1" },
        { "[]", "expected a JSON object" },
        { "{}", "messages: expected a list" },
        { "{\"messages\": {}}", "messages: expected a list" },
        { "{\"messages\": []}", "empty conversation" },
        { "{\"messages\": [1]}", "messages: item 0" },
        { "{\"messages\": [{}], \"tools\": 1}", "tools: expected a list" },
        { "{\"messages\": [{}], \"tools\": [1]}", "tools: item 0" },
        { "{\"messages\": [{}], \"continue_final_message\": true}", "continue_final_message" },
        { "{\"messages\": [{\"n\": 123456789012345678901}]}", "too big integer" },
        { "{\"messages\": [{\"n\": \"\xff\"}]}", "0xff" },
        { "{\"messages\": [{\"n\": \"\\ud800\"}]}", "\\uD800" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weft_text out = { 0 };
        weft_error err = { 0 };
        CHECK_STATUS(render_text("x", rows[i].json, &out, &err), WEFT_INVALID, err);
        if (!strstr(err.text, rows[i].why)) CHECK_CONTAINS(err.text, rows[i].why);
        weft_text_free(&out);
    }
}

static const weft_test tests[] = {
    { "own_templates", own_templates },
    { "published_templates", published_templates },
    { "fetched_templates", fetched_templates },
    { "expressions", expressions },
    { "limits_hold", limits_hold },
    { "nesting_is_bounded", nesting_is_bounded },
    { "errors_say_where", errors_say_where },
    { "conversations_are_checked", conversations_are_checked },
};

TEST_MAIN(tests)
