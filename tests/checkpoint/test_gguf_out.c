/* test_gguf_out.c: GGUF files that are written: as llama.cpp's own writer does, complete or not at all. */
#include "models/checkpoint/file.h"
#include "models/checkpoint/gguf_out.h"
#include "temp.h"

#define GOLDEN WEFT_TEST_ROOT "/tests/reference/gguf/"

static weft__file_tensor tensor(const char *name, const char *dtype, uint32_t rank, uint64_t d0, uint64_t d1)
{
    return (weft__file_tensor){ .name = name, .dtype = weft__file_dtype_find(dtype), .rank = rank, .dims = { d0, d1 } };
}

/* What a fill is asked for, and when it fails. */
typedef struct asked {
    const weft__file_tensor *tensors;
    unsigned calls, fail_at; /* 0: never */
    size_t largest;
    bool rows; /* whole ones, in order */
    uint64_t at;
    size_t index;
} asked;

static weft_status fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    asked *a = ctx;
    const weft__file_tensor *t = &a->tensors[index];
    const uint64_t row = (t->rank > 1 ? t->dims[t->rank - 1] / t->dtype->block : 1) * t->dtype->bytes;
    if (index != a->index) a->at = 0;
    a->index = index;
    a->rows = a->rows && !(n % row) && offset == a->at;
    a->at += n;
    if (n > a->largest) a->largest = n;
    if (++a->calls == a->fail_at) return WEFT_FAIL(err, WEFT_IO, "fill fails");
    for (size_t i = 0; i < n; i++) ((unsigned char *)out)[i] = (unsigned char)(index * 50 + (offset + i) % 251);
    return WEFT_OK;
}

/* ---- as gguf-py writes ---- */

static weft_status fill_from(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    const weft__file_tensor *t = &((const weft__file_tensor *)ctx)[index];
    (void)err;
    memcpy(out, (const unsigned char *)t->data + offset, n);
    return WEFT_OK;
}

static int compare_places(const void *a, const void *b)
{
    return weft__file_tensor_compare_place(a, b);
}

/* A copy through reader and writer has every byte of the original. */
static void copies_to_the_bit(void)
{
    temp_folder t = temp_make();
    weft__gguf_file *f;
    weft_error err;
    weft__gguf_kv kv = { 0 };
    const weft__gguf_value *v;
    size_t n, size, size_out;
    char *want, *got;
    if (!CHECK_OK(weft__gguf_open(GOLDEN "small.gguf", &f, &err), err)) return;
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++) weft__gguf_put_copy(&kv, v);
    const weft__file_tensor *sorted = weft__gguf_tensors(f, &n);
    weft__file_tensor tensors[8];
    if (CHECK(n == 3)) memcpy(tensors, sorted, n * sizeof *tensors);
    qsort(tensors, n, sizeof *tensors, compare_places);
    weft__gguf_write_desc d = { .path = temp_path(&t, "copy.gguf"), .values = &kv, .tensors = tensors, .n_tensors = n,
                                .fill = fill_from, .ctx = tensors };
    CHECK_OK(weft__gguf_write(&d, &err), err);
    if (CHECK_OK(weft__file_read(GOLDEN "small.gguf", 1 << 20, &want, &size, &err), err) &&
        CHECK_OK(weft__file_read(d.path, 1 << 20, &got, &size_out, &err), err)) {
        CHECK(size == size_out && !memcmp(want, got, size));
        free(got);
        free(want);
    }
    weft__gguf_kv_free(&kv);
    weft__gguf_close(f);
    temp_remove(&t);
}

/* The same values and tensors, of whichever byte order. */
static void reads_what_gguf_py_writes(void)
{
    static const char *const files[] = { GOLDEN "small.gguf", GOLDEN "small-big-endian.gguf" };
    for (int k = 0; k < 2; k++) {
        weft__gguf_file *f;
        weft_error err;
        double x = 0;
        int64_t whole = 0;
        weft__gguf_string s = { 0 };
        size_t n;
        if (!CHECK_OK(weft__gguf_open(files[k], &f, &err), err)) continue;
        CHECK(weft__gguf_number(weft__gguf_find(f, "t.f64"), 0, &x) && x == -2.5);
        CHECK(weft__gguf_number(weft__gguf_find(f, "t.floats"), 1, &x) && x == -0.25);
        CHECK(weft__gguf_integer(weft__gguf_find(f, "t.i16"), 0, &whole) && whole == -292);
        CHECK(weft__gguf_integer(weft__gguf_find(f, "t.numbers"), 0, &whole) && whole == -1);
        CHECK(weft__gguf_text(weft__gguf_find(f, "t.text"), 0, &s) && s.size == 6 && !memcmp(s.text, "h\xc3\xa9llo",
              6));
        CHECK(weft__gguf_text(weft__gguf_find(f, "t.strings"), 2, &s) && s.size == 5 && !memcmp(s.text, "three", 5));
        const weft__file_tensor *t = weft__gguf_tensors(f, &n);
        if (CHECK(n == (k ? 2 : 3))) {
            unsigned char one[4], two[2];
            CHECK_STR(t[1].name, "f32");
            CHECK(t[1].dims[0] == 2 && t[1].dims[1] == 3 && t[1].swapped == (k == 1));
            if (k) weft__file_swap(t[1].dtype, (const unsigned char *)t[1].data + 4, one, 4);
            else memcpy(one, (const unsigned char *)t[1].data + 4, 4);
            CHECK(!memcmp(one, "\0\0\x80\x3f", 4));
            if (k) weft__file_swap(t[0].dtype, (const unsigned char *)t[0].data + 2, two, 2);
            else memcpy(two, (const unsigned char *)t[0].data + 2, 2);
            CHECK(!memcmp(two, "\0\x3c", 2));
        }
        weft__gguf_close(f);
    }
}

/* ---- what is written ---- */

static void writes_values(void)
{
    temp_folder t = temp_make();
    weft__gguf_kv kv = { 0 };
    weft__gguf_file *f;
    weft_error err;
    double x = 0;
    int64_t n = 0;
    weft__gguf_string s;
    weft__gguf_put_u32(&kv, "u", 7);
    weft__gguf_put_f32(&kv, "f", 0.5f);
    weft__gguf_put_bool(&kv, "b", true);
    weft__gguf_put_text(&kv, "t", "a\0b", 3);
    weft__gguf_put_numbers(&kv, "i", WEFT__GGUF_I32, (const int32_t[]){ -3, 4 }, 2);
    weft__gguf_put_strings(&kv, "s", 2);
    weft__gguf_put_string(&kv, "x", 1);
    weft__gguf_put_string(&kv, "", 0);
    weft__gguf_write_desc d = { .path = temp_path(&t, "v.gguf"), .values = &kv };
    CHECK_OK(weft__gguf_write(&d, &err), err);
    if (CHECK_OK(weft__gguf_open(d.path, &f, &err), err)) {
        CHECK(weft__gguf_integer(weft__gguf_find(f, "u"), 0, &n) && n == 7);
        CHECK(weft__gguf_number(weft__gguf_find(f, "f"), 0, &x) && x == 0.5);
        CHECK(weft__gguf_integer(weft__gguf_find(f, "b"), 0, &n) && n == 1);
        CHECK(weft__gguf_text(weft__gguf_find(f, "t"), 0, &s) && s.size == 3);
        CHECK(weft__gguf_integer(weft__gguf_find(f, "i"), 0, &n) && n == -3);
        CHECK(weft__gguf_text(weft__gguf_find(f, "s"), 1, &s) && s.size == 0);
        weft__gguf_close(f);
    }
    weft__gguf_kv_free(&kv);
    temp_remove(&t);
}

/* Tensors are asked for in pieces of whole rows, and end up where the reader finds them. */
static void writes_tensors_by_rows(void)
{
    temp_folder t = temp_make();
    const weft__file_tensor tensors[] = { tensor("b", "Q4_K", 2, 7, 512), tensor("a", "F32", 1, 3, 0),
                                          tensor("long", "F16", 2, 2, 4000), tensor("none", "F32", 2, 0, 4) };
    asked a = { .tensors = tensors, .rows = true };
    weft__gguf_kv kv = { 0 };
    weft__gguf_file *f;
    weft_error err;
    size_t n;
    weft__gguf_write_desc d = { .path = temp_path(&t, "t.gguf"), .values = &kv, .tensors = tensors, .n_tensors = 4,
                                .fill = fill, .ctx = &a, .piece = 1000 };
    CHECK_OK(weft__gguf_write(&d, &err), err);
    CHECK(a.rows && a.largest == 8000 && a.calls == 1 + 1 + 2);
    if (CHECK_OK(weft__gguf_open(d.path, &f, &err), err)) {
        const weft__file_tensor *back = weft__gguf_tensors(f, &n);
        CHECK(n == 4 && !strcmp(back[0].name, "a") && !strcmp(back[1].name, "b"));
        for (size_t i = 0; n == 4 && i < back[1].size; i++)
            if (!CHECK(((const unsigned char *)back[1].data)[i] == i % 251)) break;
        CHECK(n == 4 && back[2].size == 16000 && ((const unsigned char *)back[2].data)[8000] == (100 + 8000 % 251) %
              256);
        weft__gguf_close(f);
    }
    a = (asked){ .tensors = tensors, .rows = true };
    d.n_tensors = 2;
    CHECK_OK(weft__gguf_write(&d, &err), err);
    CHECK(a.rows && a.largest == 3 * 288 && a.calls == 3 + 1);
    temp_remove(&t);
}

static void refuses_what_gguf_cannot_hold(void)
{
    static const char long_name[] = "0123456789012345678901234567890123456789012345678901234567890123";
    temp_folder t = temp_make();
    weft__gguf_kv kv = { 0 };
    const struct { weft__file_tensor t[2]; weft_status status; const char *text; } cases[] = {
        { { tensor("x", "F32", 1, 1, 0), tensor("x", "F32", 1, 1, 0) }, WEFT_INVALID, "tensor x is declared twice" },
        { { tensor("y", "F32", 1, 1, 0), tensor(long_name, "F32", 1, 1, 0) }, WEFT_INVALID, "names have 1 to 63" },
        { { tensor("y", "F32", 1, 1, 0), tensor("", "F32", 1, 1, 0) }, WEFT_INVALID, "names have 1 to 63" },
        { { tensor("y", "F32", 1, 1, 0), tensor("x", "U8", 1, 1, 0) }, WEFT_UNSUPPORTED, "GGUF has no type U8" },
        { { tensor("y", "F32", 1, 1, 0), tensor("x", "Q4_K", 2, 1, 255) }, WEFT_INVALID, "no whole blocks of 256" },
        { { tensor("y", "F32", 1, 1, 0), tensor("x", "F32", 2, 1ull << 40, 1ull << 40) }, WEFT_INVALID, "overflows" },
        { { tensor("y", "U16", 5, 1, 0), tensor("x", "F32", 1, 1, 0) }, WEFT_INVALID, "5 dimensions" },
        { { tensor("y", "I8", 1, INT64_MAX - 40, 0), tensor("x", "I8", 1, 90, 0) }, WEFT_INVALID, "overflows" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weft_error err = { 0 };
        weft__gguf_write_desc d = { .path = temp_path(&t, "t.gguf"), .values = &kv, .tensors = cases[i].t,
                                    .n_tensors = 2, .fill = fill };
        CHECK_STATUS(weft__gguf_write(&d, &err), cases[i].status, err);
        CHECK_CONTAINS(err.text, cases[i].text);
        CHECK_CONTAINS(err.text, "t.gguf");
        CHECK_EQ_INT(temp_count(t.path), 0);
    }
    temp_remove(&t);
}

/* What stood there stays until the new file is complete, and nothing else is left. */
static void replaces_at_the_end(void)
{
    temp_folder t = temp_make();
    const weft__file_tensor tensors[] = { tensor("a", "F32", 2, 100, 100) };
    asked a = { .tensors = tensors, .fail_at = 3 };
    weft__gguf_kv kv = { 0 };
    weft_error err;
    char *text;
    size_t n;
    temp_write_text(&t, "x.gguf", "old");
    temp_write_text(&t, "x.gguf.partial", "what a run left that was killed, and longer than the new one is");
    weft__gguf_write_desc d = { .path = temp_path(&t, "x.gguf"), .values = &kv, .tensors = tensors, .n_tensors = 1,
                                .fill = fill, .ctx = &a, .piece = 4000 };
    CHECK_STATUS(weft__gguf_write(&d, &err), WEFT_IO, err);
    CHECK_EQ_INT(temp_count(t.path), 1);
    if (CHECK_OK(weft__file_read(d.path, 100, &text, &n, &err), err)) {
        CHECK_STR(text, "old");
        free(text);
    }
    temp_write_text(&t, "x.gguf.partial", "left");
    a = (asked){ .tensors = tensors };
    CHECK_OK(weft__gguf_write(&d, &err), err);
    CHECK_EQ_INT(temp_count(t.path), 1);
    CHECK(weft__file_begins(d.path, "GGUF"));
    d.path = temp_path(&t, "none/x.gguf");
    CHECK_STATUS(weft__gguf_write(&d, &err), WEFT_IO, err);
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "copies_to_the_bit", copies_to_the_bit },
    { "reads_what_gguf_py_writes", reads_what_gguf_py_writes },
    { "writes_values", writes_values },
    { "writes_tensors_by_rows", writes_tensors_by_rows },
    { "refuses_what_gguf_cannot_hold", refuses_what_gguf_cannot_hold },
    { "replaces_at_the_end", replaces_at_the_end },
};
TEST_MAIN(tests)
