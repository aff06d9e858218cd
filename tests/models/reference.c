/* reference.c: reading the references, and what tests of models do again and again. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>

static unsigned char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!CHECK(f != NULL)) return NULL;
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    unsigned char *data = malloc(*size + 1);
    bool ok = data && fread(data, 1, *size, f) == *size;
    fclose(f);
    if (CHECK(ok)) return data;
    free(data);
    return NULL;
}

const reference *reference_get(void)
{
    static reference r;
    json_error_t error;
    size_t size;
    if (r.root) return &r;
    r.file = read_file(WEFT_TEST_ROOT "/tests/reference/reference_logits.safetensors", &size);
    if (!r.file) return NULL;
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) n |= (uint64_t)r.file[i] << (8 * i);
    r.data_at = 8 + n;
    r.header = json_loadb((char *)r.file + 8, n, 0, &error);
    r.root = json_load_file(WEFT_TEST_ROOT "/tests/reference/reference.json", 0, &error);
    CHECK(r.header != NULL && r.root != NULL);
    return r.header && r.root ? &r : NULL;
}

int32_t *reference_ids(const json_t *array, size_t *n)
{
    *n = json_array_size(array);
    int32_t *ids = malloc((*n + 1) * sizeof *ids);
    for (size_t i = 0; ids && i < *n; i++) ids[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return ids;
}

double *reference_logits(const reference *r, const char *name, size_t *rows)
{
    const json_t *tensor = json_object_get(r->header, name), *range = json_object_get(tensor, "data_offsets");
    if (!tensor) return NULL;
    size_t begin = (size_t)json_integer_value(json_array_get(range, 0));
    size_t bytes = (size_t)json_integer_value(json_array_get(range, 1)) - begin;
    double *out = malloc(bytes);
    if (out) memcpy(out, r->file + r->data_at + begin, bytes);
    *rows = bytes / sizeof(double) / REF_VOCAB;
    return out;
}

bool bundled_open(bundled *b, const char *device, const weft_session_desc *like)
{
    weft_error err;
    weft_session_desc desc = { 0 };
    *b = (bundled){ 0 };
    if (like) desc = *like;
    desc.devices = &b->device;
    desc.n_devices = 1;
    return CHECK_OK(weft_model_open(WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox", NULL, &b->m, &err), err) &&
           CHECK_OK(weft_backend_open(device, &b->device, &err), err) &&
           CHECK_OK(weft_session_create(b->m, &desc, &b->s, &err), err);
}

void bundled_close(bundled *b)
{
    weft_session_destroy(b->s);
    weft_backend_close(b->device);
    weft_model_close(b->m);
}

weft_status eval_tokens(weft_session *s, uint32_t sequence, const int32_t *ids, size_t n, bool all, float *out,
                        weft_error *err)
{
    weft_batch_token *t = calloc(n, sizeof *t);
    if (!t) return WEFT_OOM;
    uint32_t wants = out ? weft_session_settled(s)->outputs : 0;
    for (size_t i = 0; i < n; i++) t[i] = (weft_batch_token){ ids[i], sequence, all || i + 1 == n ? wants : 0 };
    weft_status status = weft_session_eval(s, t, n, &(weft_rows){ .logits = out, .hidden = out }, err);
    free(t);
    return status;
}

double relative_error(const float *got, const double *want, size_t n)
{
    double error = 0.0, size = 0.0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += want[i] * want[i];
    }
    return sqrt(error / size);
}

double relative_difference(const float *a, const float *b, size_t n)
{
    double error = 0.0, size = 0.0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(error / size);
}

double log_probability(const float *logits, size_t n, int32_t id)
{
    double most = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++) most = fmax(most, (double)logits[i]);
    for (size_t i = 0; i < n; i++) sum += exp((double)logits[i] - most);
    return (double)logits[id] - most - log(sum);
}
