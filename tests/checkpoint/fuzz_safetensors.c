/* fuzz_safetensors.c: any bytes as a safetensors file. What is accepted is checked against what
 * the reader promises. */
#include <stdlib.h>

#include "models/checkpoint/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft__safetensors *st;
    weft_error err = { 0 };
    weft_status s = weft__safetensors_parse(data, size, "fuzz", &st, &err);
    if (s != WEFT_OK) {
        if (!err.text[0] || st) abort();
        return 0;
    }
    uint64_t total = 0;
    unsigned sum = 0;
    for (size_t i = 0; i < st->n_tensors; i++) {
        const weft__file_tensor *t = &st->tensors[i];
        const uint8_t *p = t->data;
        if (p < data || p > data + size || t->size > (size_t)(data + size - p)) abort();
        if (weft__file_tensor_find(st->tensors, st->n_tensors, t->name) != t) abort();
        if (t->size) sum += (unsigned)p[0] + p[t->size - 1];
        total += t->size;
    }
    if (total != st->data_size) abort();
    weft__safetensors_destroy(st);
    return (int)(sum & 0); /* keeps the reads */
}
