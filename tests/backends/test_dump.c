/* test_dump.c: programs as data: the text, what is refused, and failing memory. tests/tools/test_dump.sh checks what
 * the documents say. */
#include "small.h"
#include "tests/oom.h"

static weft_error err;

typedef struct setup {
    weft_backend *devices[2];
    weft_graph *g;
    weft_program *p;
} setup;

static bool open_setup(setup *s)
{
    *s = (setup){ .g = small_graph(WEFT_F16, &err) };
    for (int i = 0; i < 2; i++)
        if (!CHECK_OK(weft_backend_open(i ? "cpu,threads=1" : "null", &s->devices[i], &err), err)) return false;
    weft_program_desc d = { .devices = s->devices, .n_devices = 2 };
    return CHECK_OK(weft_program_create(s->g, &d, &s->p, &err), err);
}

static void close_setup(setup *s)
{
    weft_program_destroy(s->p);
    weft_graph_destroy(s->g);
    for (int i = 0; i < 2; i++) weft_backend_close(s->devices[i]);
}

static char *dump(const weft_dump_program *d, weft_dump_format format)
{
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    CHECK_OK(weft_program_dump(d, 1, format, NULL, &w, &err), err);
    return t.data ? t.data : calloc(1, 1);
}

static void formats(void)
{
    setup s;
    if (!open_setup(&s)) return;
    weft_dump_program d = { .name = "graph", .built = s.g, .program = s.p };
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    CHECK_OK(weft_program_print(s.p, &w, &err), err);
    char *text = dump(&d, WEFT_DUMP_TEXT), *json = dump(&d, WEFT_DUMP_JSON), *dot = dump(&d, WEFT_DUMP_DOT);
    CHECK_STR(text, t.data);
    CHECK_CONTAINS(json, "\"name\": \"schedule\"");
    CHECK_CONTAINS(json, "\"name\": \"built\"");
    CHECK_CONTAINS(json, "\"plan\": {");
    CHECK_CONTAINS(dot, "on null");
    free(text);
    free(json);
    free(dot);
    weft_text_free(&t);
    d = (weft_dump_program){ .name = "graph", .built = s.g, .as_built = true };
    json = dump(&d, WEFT_DUMP_JSON);
    CHECK(!strstr(json, "optimised") && !strstr(json, "passes") && !strstr(json, "\"plan\""));
    free(json);
    close_setup(&s);
}

static void refuses(void)
{
    setup s;
    if (!open_setup(&s)) return;
    weft_text t = { 0 };
    weft_writer w = weft_text_writer(&t);
    weft_dump_program d[2] = { { .name = "a", .built = s.g }, { .name = "b" } };
    CHECK_STATUS(weft_program_dump(d, 2, WEFT_DUMP_JSON, NULL, &w, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "program 1");
    d[1] = d[0];
    CHECK_STATUS(weft_program_dump(d, 2, WEFT_DUMP_DOT, NULL, &w, &err), WEFT_INVALID, err);
    CHECK_STATUS(weft_program_dump(d, 1, WEFT_DUMP_FORMAT_COUNT, NULL, &w, &err), WEFT_INVALID, err);
    CHECK(t.size == 0);
    const char *none[] = { "nothing" };
    d[0].outputs = none;
    d[0].n_outputs = 1;
    CHECK_STATUS(weft_program_dump(d, 1, WEFT_DUMP_DOT, NULL, &w, &err), WEFT_NOT_FOUND, err);
    CHECK_CONTAINS(err.text, "nothing");
    weft_text_free(&t);
    close_setup(&s);
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
    setup s;
    if (!open_setup(&s)) return;
    weft_writer w = { NULL, write_nothing };
    weft_dump_program planned = { .name = "graph", .built = s.g, .program = s.p };
    weft_dump_program graph = { .name = "graph", .built = s.g };
    for (int format = 0; format < WEFT_DUMP_FORMAT_COUNT; format++) {
        const weft_dump_program *d = format == WEFT_DUMP_JSON ? &planned : &graph;
        OOM_LOOP(n)
        {
            weft_status status = weft_program_dump(d, 1, (weft_dump_format)format, NULL, &w, &err);
            if (status == WEFT_IO) status = WEFT_OOM; /* a piece too long for the writer's buffer */
            CHECK(status == (oom_failed() ? WEFT_OOM : WEFT_OK));
        }
    }
    close_setup(&s);
}

static const weft_test tests[] = {
    { "formats", formats },
    { "refuses", refuses },
    { "out of memory", out_of_memory },
};
TEST_MAIN(tests)
