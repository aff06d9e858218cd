/* test_dump.c: graphs as JSON, for Graphviz and for Model Explorer: texts that are kept, escapes and numbers, layers
 * that are alike, and failing memory and writers. */
#include "block.h"
#include "golden.h"
#include "graph/dump.h"
#include "graph/layers.h"
#include "support.h"
#include "tests/oom.h"

#include <math.h>

static weft_error err;

static weft_graph *block(uint32_t layers, bool optimise)
{
    block_desc b = { layers, 4, 32, 2, 16, 20, WEFT_F16, true };
    weft_graph *g = test_graph();
    block_build(g, &b);
    CHECK_OK(weft_graph_seal(g, &err), err);
    if (optimise) CHECK_OK(weft_graph_optimise(g, NULL, 0, &err), err);
    return g;
}

static char *dump(const weft_graph *g, weft_dump_format format, const weft_dump_desc *desc)
{
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    CHECK_OK(weft_graph_dump(g, format, desc, &w, &err), err);
    return t.data;
}

static void check_dump(const char *name, const weft_graph *g, weft_dump_format format, const weft_dump_desc *desc)
{
    char *text = dump(g, format, desc);
    check_golden(name, text);
    free(text);
}

static void goldens(void)
{
    weft_bound tokens = { "tokens", 2 };
    weft_dump_desc desc = { .title = "a block", .extents = &tokens, .n_extents = 1 };
    weft_graph *g = block(1, true);
    check_dump("dump_json", g, WEFT_DUMP_JSON, &desc);
    check_dump("dump_dot", g, WEFT_DUMP_DOT, &desc);
    check_dump("dump_explorer", g, WEFT_DUMP_MODEL_EXPLORER, &desc);
    char *text = dump(g, WEFT_DUMP_TEXT, NULL), *printed = test_print(g);
    CHECK_STR(text, printed);
    free(text);
    free(printed);
    weft_graph_destroy(g);
}

static void refuses(void)
{
    weft_graph *g = block(1, false);
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    weft_bound bounds[] = { { "nothing", 1 }, { "tokens", 5 }, { "tokens", 0 } };
    static const weft_status want[] = { WEFT_NOT_FOUND, WEFT_INVALID, WEFT_INVALID };
    for (unsigned i = 0; i < 3; i++) {
        weft_dump_desc desc = { .extents = &bounds[i], .n_extents = 1 };
        CHECK_STATUS(weft_graph_dump(g, WEFT_DUMP_JSON, &desc, &w, &err), want[i], err);
        CHECK_CONTAINS(err.text, bounds[i].extent);
    }
    CHECK_STATUS(weft_graph_dump(g, WEFT_DUMP_FORMAT_COUNT, NULL, &w, &err), WEFT_INVALID, err);
    CHECK(t.size == 0);
    weft_text_free(&t);
    weft_graph_destroy(g);
}

/* ---- the writer ---- */

static void strings(void)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain", "\"plain\"\n" },
        { "", "\"\"\n" },
        { "\"\\/\n\t\r\x01\x1f\x7f<", "\"\\\"\\\\/\\n\\t\\r\\u0001\\u001f\\u007f\\u003c\"\n" },
        { "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82\"\n" },
        { "a\xff" "b\xc3", "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"\n" },                 /* no UTF-8; cut short */
        { "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"\n" },                           /* overlong */
        { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"\n" },           /* a surrogate */
        { "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"\n" }, /* beyond U+10FFFF */
        { NULL, "null\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_text t = { 0 };
        weft_writer w = weft_text_writer(&t);
        weft__json j;
        weft__json_start(&j, &w);
        weft__json_string(&j, NULL, cases[i].in);
        CHECK(weft__json_finish(&j));
        CHECK_STR(t.data, cases[i].out);
        weft_text_free(&t);
    }
}

static void numbers(void)
{
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    weft__json j;
    weft__json_start(&j, &w);
    weft__json_object(&j, NULL);
    weft__json_array(&j, "f64");
    static const double f64[] = { 0, -0.0, 1, 0.1, 1.0 / 3, 1e300, 5e-324, 123456789, INFINITY, -INFINITY, NAN };
    for (size_t i = 0; i < sizeof f64 / sizeof *f64; i++) weft__json_f64(&j, NULL, f64[i]);
    weft__json_end_array(&j);
    weft__json_f32(&j, "f32", 0.1f);
    weft__json_f32(&j, "none", NAN);
    weft__json_u64(&j, "u64", UINT64_MAX);
    weft__json_i64(&j, "i64", INT64_MIN);
    weft__json_bool(&j, "yes", true);
    weft__json_line(&j);
    weft__json_null(&j, "null");
    weft__json_array(&j, "empty");
    weft__json_end_array(&j);
    weft__json_stringf(&j, "f", "%d%%", 7);
    weft__json_end_object(&j);
    CHECK(weft__json_finish(&j));
    CHECK_STR(t.data, "{\"f64\": [0, -0, 1, 0.1, 0.3333333333333333, 1e+300, 4.94066e-324, 123456789, null, "
                      "null, null], \"f32\": 0.1, \"none\": null, \"u64\": 18446744073709551615, "
                      "\"i64\": -9223372036854775808, "
                      "\"yes\": true,\n\"null\": null, \"empty\": [], \"f\": \"7%\"}\n");
    weft_text_free(&t);
}

static bool write_some(void *ctx, const char *data, size_t n)
{
    (void)data;
    size_t *left = ctx;
    bool ok = n <= *left;
    *left = ok ? *left - n : 0;
    return ok;
}

/* A writer that fails at any byte is an error, and is not asked again. */
static void writers_that_fail(void)
{
    weft_graph *g = block(2, true);
    for (int format = 0; format < WEFT_DUMP_FORMAT_COUNT; format++) {
        char *whole = dump(g, (weft_dump_format)format, NULL);
        size_t size = strlen(whole);
        free(whole);
        for (size_t room = 0; room <= size; room += room + 97 < size ? 97 : 1) {
            size_t left = room;
            weft_writer w = { &left, write_some };
            weft_status s = weft_graph_dump(g, (weft_dump_format)format, NULL, &w, &err);
            if (!CHECK_STATUS(s, room < size ? WEFT_IO : WEFT_OK, err)) break;
        }
    }
    weft_graph_destroy(g);
}

/* ---- layers ---- */

static bool is_one(void *ctx, uint32_t layer)
{
    return layer == *(uint32_t *)ctx;
}

static void check_folds(bool optimised, bool (*apart)(void *, uint32_t), uint32_t one, const uint32_t *first)
{
    weft_graph *g = block(5, optimised);
    weft__layers l;
    weft__folds f;
    CHECK_OK(weft__layers_create(g, &l, &err), err);
    CHECK(l.n == 5);
    CHECK_OK(weft__folds_create(g, &l, apart, &one, &f, &err), err);
    for (uint32_t k = 0, n = 0; k < 5; k++, n = 0) {
        for (uint32_t i = 0; i < 5; i++) n += first[i] == k;
        CHECK(f.first[k] == first[k] && f.count[k] == n);
    }
    for (uint32_t i = 0; i < weft_graph_node_count(g); i++) {
        const weft_node *n = weft_graph_node(g, i), *to = weft_graph_node_by_id(g, f.node[n->id]);
        uint32_t layer = l.of[n->id];
        CHECK(to && to->op == n->op);
        CHECK(to == n || l.of[to->id] == first[layer - 1] + 1);
    }
    weft__folds_destroy(&f);
    weft__layers_destroy(&l);
    weft_graph_destroy(g);
}

static void folds(void)
{
    static const uint32_t all[] = { 0, 0, 0, 0, 0 }, one[] = { 0, 1, 2, 2, 2 };
    static const uint32_t shared[] = { 0, 1, 1, 1, 1 }; /* the first layer makes the table of angles for all */
    check_folds(false, NULL, 0, all);
    check_folds(false, is_one, 1, one);
    check_folds(true, NULL, 0, shared);
}

/* Three layers of one node; which stands for which. */
static void layers_that_differ(void)
{
    static const struct {
        const char *text;
        uint32_t first[3];
    } cases[] = {
        { "%2 = scale %1 {factor = 2} : f32[4] @ \"l.0\"\n%3 = scale %2 {factor = 2} : f32[4] @ \"l.1\"\n"
          "%4 = scale %3 {factor = 2} : f32[4] @ \"l.2\"\noutput \"y\" = %4\n", { 0, 0, 0 } },
        { "%2 = scale %1 {factor = 2} : f32[4] @ \"l.0\"\n%3 = scale %2 {factor = 3} : f32[4] @ \"l.1\"\n"
          "%4 = scale %3 {factor = 3} : f32[4] @ \"l.2\"\noutput \"y\" = %4\n", { 0, 1, 1 } }, /* attributes */
        { "%2 = gelu %1 : f32[4] @ \"l.0\"\n%3 = gelu %2 : f32[4] @ \"l.1\"\n"
          "%4 = relu %3 : f32[4] @ \"l.2\"\noutput \"y\" = %4\n", { 0, 0, 2 } }, /* ops */
        { "%2 = gelu %1 : f32[4] @ \"l.0\"\n%3 = gelu %2 : f32[4] @ \"l.1\"\n"
          "%4 = gelu %2 : f32[4] @ \"l.2\"\noutput \"y\" = %4\noutput \"z\" = %3\n", { 0, 0, 2 } }, /* wiring */
        { "%2 = gelu %1 : f32[4] @ \"l.0.a\"\n%3 = gelu %2 : f32[4] @ \"l.1.a\"\n"
          "%4 = gelu %3 : f32[4] @ \"l.2.b\"\noutput \"y\" = %4\n", { 0, 0, 2 } }, /* names below the layer */
        { "%2 = weight \"l.0.w\" : f32[4]\n%3 = weight \"l.1.w\" : f32[4]\n%4 = weight \"l.2.w\" : f16[4]\n"
          "%5 = add %1, %2 : f32[4] @ \"l.0\"\n%6 = add %5, %3 : f32[4] @ \"l.1\"\n"
          "%7 = add %6, %4 : f32[4] @ \"l.2\"\noutput \"y\" = %7\n", { 0, 0, 2 } }, /* weights' types */
        { "%2 = constant : f32[4] data 1, 2, 3, 4\n%3 = constant : f32[4] data 1, 2, 3, 4\n"
          "%4 = constant : f32[4] data 1, 2, 3, 5\n"
          "%5 = add %1, %2 : f32[4] @ \"l.0\"\n%6 = add %5, %3 : f32[4] @ \"l.1\"\n"
          "%7 = add %6, %4 : f32[4] @ \"l.2\"\noutput \"y\" = %7\n", { 0, 0, 2 } }, /* constants */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, "weft-graph 1\n%%1 = input \"x\" : f32[4]\n%s", cases[i].text);
        weft_graph *g = test_parse(text);
        weft__layers l;
        weft__folds f;
        if (!g || !CHECK_OK(weft__layers_create(g, &l, &err), err)) continue;
        CHECK(l.n == 3);
        if (CHECK_OK(weft__folds_create(g, &l, NULL, NULL, &f, &err), err))
            for (uint32_t k = 0; k < 3; k++)
                if (!CHECK(f.first[k] == cases[i].first[k])) printf("  case %zu, layer %u: %u\n", i, k, f.first[k]);
        weft__folds_destroy(&f);
        weft__layers_destroy(&l);
        weft_graph_destroy(g);
    }
}

static bool write_nothing(void *ctx, const char *data, size_t n)
{
    (void)ctx;
    (void)data;
    (void)n;
    return true;
}

static void out_of_memory(void)
{
    weft_graph *g = block(3, true);
    weft_writer w = { NULL, write_nothing };
    for (int format = 0; format < WEFT_DUMP_FORMAT_COUNT; format++) {
        if (format == WEFT_DUMP_TEXT) continue; /* test_oom.c */
        OOM_LOOP(n)
        {
            weft_status s = weft_graph_dump(g, (weft_dump_format)format, NULL, &w, &err);
            if (s == WEFT_IO) s = WEFT_OOM; /* a piece too long for the writer's buffer */
            CHECK(oom_failed() ? s == WEFT_OOM : s == WEFT_OK);
        }
    }
    OOM_LOOP(n)
    {
        weft_graph *copy;
        weft__json j;
        weft__json_start(&j, &w);
        weft_status s = weft_graph_clone(g, &copy, &err);
        if (!s) s = weft__json_passes(&j, copy, &err);
        OOM_CHECK(s, err);
        weft_graph_destroy(copy);
    }
    weft_graph_destroy(g);
}

static const weft_test tests[] = {
    { "goldens", goldens },
    { "refuses", refuses },
    { "strings", strings },
    { "numbers", numbers },
    { "writers that fail", writers_that_fail },
    { "folds", folds },
    { "layers that differ", layers_that_differ },
    { "out of memory", out_of_memory },
};
GOLDEN_MAIN(tests)
