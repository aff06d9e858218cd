/* gguf_golden.c: see gguf_golden.h. */
#include "gguf_golden.h"

#include <stdlib.h>

enum { RANK = 4 };

/* Row-major. */
typedef struct array {
    size_t rank, dims[RANK];
    float *x;
} array;

static size_t count(const array *a)
{
    size_t n = 1;
    for (size_t k = 0; k < a->rank; k++) n *= a->dims[k];
    return n;
}

/* ---- a publisher's tensors ---- */

static array make_one(const golden *g, const char *name)
{
    array a = { 0 };
    json_t *shape = json_object_get(json_object_get(g->root, "tensors"), name);
    a.rank = json_array_size(shape);
    if (!CHECK(shape && a.rank < RANK)) return (array){ 0 };
    for (size_t k = 0; k < a.rank; k++) a.dims[k] = (size_t)json_integer_value(json_array_get(shape, k));
    a.x = malloc(count(&a) * sizeof *a.x + 1);
    if (a.x) golden_fill(name, a.rank, a.x, count(&a));
    return a;
}

/* One, or several on top of each other. */
static array stack(const golden *g, const json_t *names)
{
    array all = { 0 };
    const size_t n = json_array_size(names);
    if (n == 1) return make_one(g, json_string_value(json_array_get(names, 0)));
    for (size_t i = 0; i < n; i++) {
        array one = make_one(g, json_string_value(json_array_get(names, i)));
        if (!i) {
            all.rank = one.rank + 1;
            all.dims[0] = n;
            memcpy(all.dims + 1, one.dims, one.rank * sizeof *one.dims);
            all.x = malloc(count(&all) * sizeof *all.x + 1);
        }
        if (all.x && one.x) memcpy(all.x + i * count(&one), one.x, count(&one) * sizeof *one.x);
        free(one.x);
    }
    return all;
}

/* ---- what the converter did ---- */

/* The last two dims the other way round. */
static array turn(array a)
{
    array b = a;
    const size_t m = a.dims[a.rank - 2], k = a.dims[a.rank - 1], size = m * k;
    b.dims[a.rank - 2] = k;
    b.dims[a.rank - 1] = m;
    b.x = malloc(count(&a) * sizeof *b.x + 1);
    for (size_t i = 0; b.x && i < count(&a); i++) b.x[i / size * size + i % k * m + i / k % m] = a.x[i];
    free(a.x);
    return b;
}

/* Of each matrix, or list, half of the rows, or elements: one after the other from there, or every other one. */
static array half(array a, size_t first, size_t step)
{
    array b = a;
    const size_t inner = a.rank > 2 ? a.dims[2] : 1, rows = b.dims[1] = a.dims[1] / 2;
    b.x = malloc(count(&b) * sizeof *b.x + 1);
    for (size_t i = 0; b.x && i < count(&b); i++) {
        const size_t e = i / (rows * inner), row = i / inner % rows;
        b.x[i] = a.x[(e * a.dims[1] + first + row * step) * inner + i % inner];
    }
    free(a.x);
    return b;
}

static array reorder(array a, const json_t *rows)
{
    array b = a;
    const size_t inner = count(&a) / a.dims[0];
    b.x = malloc(count(&a) * sizeof *b.x + 1);
    for (size_t i = 0; b.x && i < a.dims[0]; i++)
        memcpy(b.x + i * inner, a.x + (size_t)json_integer_value(json_array_get(rows, i)) * inner, inner * sizeof *b.x);
    free(a.x);
    return b;
}

static array change(array a, const json_t *recipe)
{
    const char *form = json_string_value(json_object_get(recipe, "form"));
    if (!CHECK(a.x && form)) return a;
    if (json_is_true(json_object_get(recipe, "turned"))) a = turn(a);
    const size_t place = (size_t)(form[strlen(form) - 1] == '1');
    if (!strncmp(form, "half", 4)) return half(a, place * (a.dims[1] / 2), 1);
    if (!strncmp(form, "turn", 4)) return half(a, place, 2);
    if (!strcmp(form, "rows")) return reorder(a, json_object_get(recipe, "rows"));
    for (size_t i = 0; !strcmp(form, "more") && i < count(&a); i++) a.x[i] += 1;
    return a;
}

static array listed(const json_t *values)
{
    array a = { .rank = 1, .dims = { json_array_size(values) } };
    a.x = malloc(count(&a) * sizeof *a.x + 1);
    for (size_t i = 0; a.x && i < a.dims[0]; i++) a.x[i] = (float)json_number_value(json_array_get(values, i));
    return a;
}

/* ---- the file ---- */

/* Of less than a MiB. */
static unsigned char *read_bytes(const golden *g, const char *end, size_t *size)
{
    enum { MOST = 1 << 20 };
    char path[512];
    snprintf(path, sizeof path, WEFT_TEST_ROOT "/tests/reference/gguf/%s.%s", g->name, end);
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = malloc(MOST);
    *size = f && bytes ? fread(bytes, 1, MOST, f) : 0;
    if (f) fclose(f);
    CHECK(*size > 0 && *size < MOST);
    return bytes;
}

unsigned char *gguf_golden_image(const golden *g, size_t *size, size_t *head)
{
    enum { ALIGNMENT = 32 };
    json_t *files = json_object_get(g->root, "files"), *recipe;
    size_t i;
    unsigned char *image = read_bytes(g, "head", head);
    *size = *head;
    CHECK(json_array_size(files) > 0);
    json_array_foreach(files, i, recipe) {
        json_t *values = json_object_get(recipe, "values");
        array a = values ? listed(values) : change(stack(g, json_object_get(recipe, "from")), recipe);
        const size_t bytes = count(&a) * sizeof *a.x, padded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        unsigned char *larger = realloc(image, *size + padded + 1);
        if (!CHECK(larger && a.x)) {
            free(larger ? larger : image);
            free(a.x);
            return NULL;
        }
        image = larger;
        memset(image + *size, 0, padded);
        memcpy(image + *size, a.x, bytes);
        *size += padded;
        free(a.x);
    }
    return image;
}

bool gguf_golden_open(golden *g, const char *file)
{
    size_t size, head;
    if (!golden_read(g, file)) return false;
    const bool whole = !json_object_get(g->root, "files");
    unsigned char *image = whole ? read_bytes(g, "gguf", &size) : gguf_golden_image(g, &size, &head);
    if (image) temp_write(&g->folder, "model.gguf", image, size);
    free(image);
    return image != NULL;
}
