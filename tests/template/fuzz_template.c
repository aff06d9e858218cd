/* fuzz_template.c: any bytes as a chat template, rendered with a conversation that has a bit of everything; behind a
 * byte 0x1E they are the conversation instead. Whatever comes must end, within small limits, in a text or an error. */
#include <stdlib.h>
#include <string.h>

#include "models/template/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char usual[] = "{\"messages\": [{\"role\": \"system\", \"content\": \"Be k\\u00efnd\"}, {\"role\": "
                            "\"user\", \"content\": [{\"type\": \"text\", \"text\": "
                            "\"\\u03a3\\u0000 x\"}]}, {\"role\": \"assistant\", \"content\": null, \"tool_calls\": "
                            "[{\"id\": \"1\", \"function\": {\"name\": \"f\", "
                            "\"arguments\": {\"a\": 1, \"b\": [1.5, true, null, -0.0, 1e300]}}}]}], \"tools\": "
                            "[{\"function\": {\"name\": \"f\"}}], \"n\": 3, "
                            "\"now\": \"2026-11-30T09:10:45\", \"s\": \"a b\", \"l\": [3, 1, 2], \"d\": {\"x\": "
                            "{\"y\": 1}}, \"bos_token\": \"<s>\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const weft_chat_limits limits = { .steps = 200000, .bytes = 16 << 20 };
    const uint8_t *cut = size ? memchr(data, 0x1E, size) : NULL;
    const size_t n = cut ? (size_t)(cut - data) : size;
    const char *json = cut ? (const char *)cut + 1 : usual;
    weft_chat_template *t;
    weft_text out = { 0 };
    weft_error err;
    err.text[0] = 0;
    weft_status status = weft_chat_template_parse(n ? (const char *)data : "", n, "fuzz", &t, &err);
    if (!status) {
        status = weft_chat_template_render(t, json, cut ? size - n - 1 : sizeof usual - 1, &limits, &out, &err);
        weft_chat_template_close(t);
        if (status && out.size) abort();
    } else if (t) {
        abort();
    }
    if (status && !err.text[0]) abort();
    if (status == WEFT_INTERNAL) abort();
    weft_text_free(&out);
    return 0;
}
