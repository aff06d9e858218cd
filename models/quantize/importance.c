/* importance.c: reads files of importance: see importance.h. */
#include "models/quantize/importance.h"
#include "models/checkpoint/file.h"
#include "models/quantize/importance_dat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMS   ".in_sum2"
#define COUNTS ".counts"
enum { MAX_NAME = 256, MAX_DAT = 1 << 30 };

struct weft__importance {
    weft__importance_dat *dat; /* NULL: the file is GGUF */
    char *image, *path;        /* of dat, if it was opened; its name */
    weft__gguf_file *file;
    const weft__file_tensor *tensors;
    size_t n;
};

static const weft__file_tensor *find(const weft__importance *i, const char *tensor, const char *what)
{
    char name[MAX_NAME];
    int n = snprintf(name, sizeof name, "%s%s", tensor, what);
    return n > 0 && n < MAX_NAME ? weft__file_tensor_find(i->tensors, i->n, name) : NULL;
}

static float value_at(const weft__file_tensor *t, uint64_t at)
{
    unsigned char bytes[4];
    float x;
    memcpy(bytes, (const unsigned char *)t->data + 4 * at, 4);
    if (t->swapped) weft__file_swap(t->dtype, (const unsigned char *)t->data + 4 * at, bytes, 4);
    memcpy(&x, bytes, 4);
    return x;
}

static uint64_t matrices_of(const weft__file_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t k = 0; k + 1 < t->rank; k++) n *= t->dims[k];
    return n;
}

static uint64_t columns_of(const weft__file_tensor *t)
{
    return t->rank ? t->dims[t->rank - 1] : 1;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n > k && !strcmp(name + n - k, end);
}

static bool is_f32(const weft__file_tensor *t)
{
    return t->dtype->type == WEFT_F32 && t->dtype->bytes == 4;
}

static bool is_count(float x)
{
    return isfinite(x) && (x == 0 || x >= 1);
}

static weft_status check_sums(const weft__importance *i, const weft__file_tensor *t, weft_error *err)
{
    const char *path = weft__gguf_path(i->file);
    char name[MAX_NAME];
    const weft__file_tensor *counts = NULL;
    if (strlen(t->name) < MAX_NAME) {
        snprintf(name, sizeof name, "%.*s", (int)(strlen(t->name) - strlen(SUMS)), t->name);
        counts = find(i, name, COUNTS);
    }
    if (!counts || !is_f32(t) || !is_f32(counts) || counts->size / 4 != matrices_of(t))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s has no counts that fit it", path, t->name);
    for (uint64_t k = 0; k < t->size / 4; k++)
        if (!(value_at(t, k) >= 0 && isfinite(value_at(t, k))))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s has %g at %llu: sums of squares are finite and not negative",
                             path, t->name, (double)value_at(t, k), (unsigned long long)k);
    for (uint64_t k = 0; k < counts->size / 4; k++)
        if (!is_count(value_at(counts, k)))
            return WEFT_FAIL(err, WEFT_FORMAT, "%s: %s has a count of %g", path, counts->name,
                             (double)value_at(counts, k));
    return WEFT_OK;
}

static weft_status check(const weft__importance *i, weft_error *err)
{
    const char *path = weft__gguf_path(i->file);
    weft__gguf_string type;
    size_t sums = 0;
    if (!weft__gguf_text(weft__gguf_find(i->file, "general.type"), 0, &type) || type.size != 7 ||
        memcmp(type.text, "imatrix", 7))
        return WEFT_FAIL(err, WEFT_FORMAT, "%s: general.type is not 'imatrix': no file of importance", path);
    for (size_t k = 0; k < i->n; k++) {
        if (!ends_with(i->tensors[k].name, SUMS)) continue;
        WEFT_TRY(check_sums(i, &i->tensors[k], err));
        sums++;
    }
    return sums ? WEFT_OK : WEFT_FAIL(err, WEFT_FORMAT, "%s: has no importance of any tensor", path);
}

/* Takes the file. */
static weft_status create(weft__gguf_file *f, weft__importance **out, weft_error *err)
{
    weft__importance *i = calloc(1, sizeof *i);
    if (!i) {
        weft_status s = WEFT_OOM_FAIL(err, weft__gguf_path(f));
        weft__gguf_close(f);
        return s;
    }
    i->file = f;
    i->tensors = weft__gguf_tensors(f, &i->n);
    weft_status s = check(i, err);
    if (s) weft__importance_close(i);
    else *out = i;
    return s;
}

/* Takes the image, if it is to be freed. */
static weft_status create_dat(const void *data, size_t size, char *image, const char *name, weft__importance **out,
                              weft_error *err)
{
    weft__importance *i = calloc(1, sizeof *i);
    if (i) i->image = image;
    else free(image);
    if (i) i->path = strdup(name);
    weft_status s = i && i->path ? weft__importance_dat_parse(data, size, name, &i->dat, err) :
                                   WEFT_OOM_FAIL(err, name);
    if (s) weft__importance_close(i);
    else *out = i;
    return s;
}

weft_status weft__importance_open(const char *path, weft__importance **out, weft_error *err)
{
    weft__gguf_file *f;
    char *image;
    size_t size;
    *out = NULL;
    if (!weft__path_exists(path) || weft__file_begins(path, "GGUF") || weft__file_begins(path, "FUGG")) {
        WEFT_TRY(weft__gguf_open(path, &f, err));
        return create(f, out, err);
    }
    WEFT_TRY(weft__file_read(path, MAX_DAT, &image, &size, err));
    return create_dat(image, size, image, path, out, err);
}

weft_status weft__importance_parse(const void *data, size_t size, const char *name, weft__importance **out,
                                   weft_error *err)
{
    weft__gguf_file *f;
    *out = NULL;
    if (size < 4 || memcmp(data, "GGUF", 4)) return create_dat(data, size, NULL, name, out, err);
    WEFT_TRY(weft__gguf_parse(data, size, name, &f, err));
    return create(f, out, err);
}

void weft__importance_close(weft__importance *i)
{
    if (!i) return;
    weft__gguf_close(i->file);
    weft__importance_dat_free(i->dat);
    free(i->image);
    free(i->path);
    free(i);
}

bool weft__importance_has(const weft__importance *i, const char *tensor)
{
    return i && (i->dat ? weft__importance_dat_count(i->dat, tensor) > 0 : find(i, tensor, SUMS) != NULL);
}

static weft_status fail_shape(const char *path, const weft__file_tensor *t, uint64_t matrices, uint64_t columns,
                              uint64_t wanted, weft_error *err)
{
    return WEFT_FAIL(err, WEFT_SHAPE, "%s: what it has of %s is of %llu x %llu columns, but the model has %llu "
                     "x %llu", path, t->name, (unsigned long long)matrices, (unsigned long long)columns,
                     (unsigned long long)wanted, (unsigned long long)columns_of(t));
}

static weft_status read_dat(const weft__importance *i, const weft__file_tensor *t, uint64_t which, float *out,
                            bool *found, weft_error *err)
{
    const uint64_t n = weft__importance_dat_count(i->dat, t->name), columns = columns_of(t);
    const uint64_t wanted = t->rank == 3 ? t->dims[0] : 1;
    *found = n > 0;
    if (!n) return WEFT_OK;
    if (n != columns && (n % columns || n / columns != wanted)) return fail_shape(i->path, t, 1, n, wanted, err);
    weft__importance_dat_read(i->dat, t->name, n == columns ? 0 : which * columns, columns, out);
    return WEFT_OK;
}

weft_status weft__importance_read(const weft__importance *i, const weft__file_tensor *t, uint64_t which, float *out,
                                  bool *found, weft_error *err)
{
    if (i && i->dat) return read_dat(i, t, which, out, found, err);
    const weft__file_tensor *sums = i ? find(i, t->name, SUMS) : NULL, *counts;
    const uint64_t columns = columns_of(t);
    *found = sums != NULL;
    if (!sums) return WEFT_OK;
    counts = find(i, t->name, COUNTS);
    const uint64_t matrices = matrices_of(sums), wanted = t->rank == 3 ? t->dims[0] : 1;
    if (columns_of(sums) != columns || (matrices != 1 && matrices != wanted))
        return fail_shape(weft__gguf_path(i->file), t, matrices, columns_of(sums), wanted, err);
    const uint64_t at = matrices == 1 ? 0 : which;
    const float count = value_at(counts, at);
    *found = count > 0; /* an expert that no token was sent to */
    for (uint64_t k = 0; *found && k < columns; k++) out[k] = value_at(sums, at * columns + k) / count;
    return WEFT_OK;
}
