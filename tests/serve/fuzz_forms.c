/* fuzz_forms.c: a text as a model of some family may write it. The first two bytes choose the forms, the third where it
 * is cut. Whatever it is, nothing of it is read otherwise when it is cut. */
#include "tools/serve/forms.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool hear(void *ctx, form_part part, const char *text, size_t n)
{
    weft_writer w = weft_text_writer(&((weft_text *)ctx)[part]);
    return w.write(w.ctx, text, n);
}

static json_t *read_text(const forms *f, const json_t *tools, const char *text, size_t at, size_t n, weft_text *out)
{
    json_t *calls;
    bool whole;
    const bool ended = n & 1;
    form_reader r = { .forms = *f, .tools = tools, .id = "fuzz-0123456789", .sink = hear, .ctx = out };
    if (!form_push(&r, text, at) || !form_push(&r, text + at, n - at)) abort();
    if (!form_finish(&r, ended, &calls, &whole)) abort();
    form_free(&r);
    return calls;
}

static bool is_same(const weft_text *a, const weft_text *b)
{
    return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *tools;
    size_t n_think = 0, n_call = 0;
    static const char f[] = "[{\"function\": {\"name\": \"f\", \"parameters\": {\"properties\": {\"a\": {\"type\": "
                            "\"string\"}}}}}]";
    if (!tools) tools = json_loads(f, 0, NULL);
    if (size < 4) return 0;
    while (form_thinks()[n_think].name) n_think++;
    while (form_calls()[n_call].name) n_call++;
    const think_form *think = &form_thinks()[data[0] % (n_think + 1)];
    const call_form *call = &form_calls()[data[1] % (n_call + 1)];
    const forms both = { .think = think->name ? think : NULL, .call = call->name ? call : NULL };
    const size_t n = size - 3, at = data[2] % n;
    weft_text whole[2] = { 0 }, cut[2] = { 0 };
    json_t *a = read_text(&both, tools, (const char *)data + 3, 0, n, whole);
    json_t *b = read_text(&both, tools, (const char *)data + 3, at, n, cut);
    if (!is_same(&whole[0], &cut[0]) || !is_same(&whole[1], &cut[1]) || (a && !json_equal(a, b)) || !a != !b) abort();
    for (int i = 0; i < 2; i++) {
        weft_text_free(&whole[i]);
        weft_text_free(&cut[i]);
    }
    json_decref(a);
    json_decref(b);
    return 0;
}
