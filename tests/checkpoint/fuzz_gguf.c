/* fuzz_gguf.c: any bytes as a GGUF file. What is accepted is checked against what the reader promises. */
#include <stdlib.h>
#include <string.h>

#include "models/checkpoint/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned look_at_tensors(const weft__gguf_file *f, const uint8_t *data, size_t size)
{
    size_t n;
    unsigned sum = 0;
    const weft__file_tensor *t = weft__gguf_tensors(f, &n);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = t[i].data;
        if (p < data || p > data + size || t[i].size > (size_t)(data + size - p)) abort();
        if (weft__file_tensor_find(t, n, t[i].name) != &t[i]) abort();
        if (t[i].size) sum += (unsigned)p[0] + p[t[i].size - 1];
    }
    return sum;
}

static unsigned look_at_values(const weft__gguf_file *f)
{
    unsigned sum = 0;
    const weft__gguf_value *v;
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++) {
        if (weft__gguf_find(f, v->key) != v) abort();
        for (uint64_t k = 0; k < v->count; k++) {
            weft__gguf_string s;
            double x;
            int64_t whole;
            if (weft__gguf_text(v, k, &s)) {
                if (s.size) sum += (unsigned char)s.text[0] + (unsigned)(unsigned char)s.text[s.size - 1];
            } else if (!weft__gguf_number(v, k, &x)) abort();
            else if (weft__gguf_integer(v, k, &whole)) sum += whole > 0;
        }
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__gguf_file *f;
    weft_error err = { 0 };
    weft_status s = weft__gguf_parse(data, size, "fuzz", &f, &err);
    if (s != WEFT_OK) {
        if (!err.text[0] || f || s == WEFT_OOM) abort();
        return 0;
    }
    unsigned sum = look_at_tensors(f, data, size) + look_at_values(f);
    weft__gguf_close(f);
    return (int)(sum & 0); /* keeps the reads */
}
