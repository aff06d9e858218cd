/* test_gguf_hostile.c: GGUF files with faults: each number of a file absurd in turn, files cut anywhere, and what the
 * errors say. However large a number is, nothing is allocated for it: the largest request stays below twice the file.
 * */
#include "gguf_image.h"
#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/gguf_out.h"
#include "temp.h"
#include "tests/oom.h"

enum { BLOCK = (64 << 10) + 64 }; /* of an arena */

/* Values of each kind of layout, a stack of strings, three tensors, one of them in blocks. Ends with its data. */
static gguf_image make(void)
{
    gguf_image g = { 0 };
    gguf_begin(&g, 3, 3, 5);
    gguf_key(&g, "general.architecture", WEFT__GGUF_STRING);
    gguf_string(&g, "llama");
    gguf_key_u32(&g, "general.alignment", 32);
    gguf_array(&g, "tokens", WEFT__GGUF_STRING, 3);
    gguf_string(&g, "a");
    gguf_string(&g, "bc");
    gguf_string(&g, "");
    gguf_array(&g, "scores", WEFT__GGUF_F32, 2);
    gguf_u64(&g, 0x3f80000040000000);
    gguf_key(&g, "long", WEFT__GGUF_U64);
    gguf_u64(&g, 1);
    gguf_tensor(&g, "t.a", (const uint64_t[4]){ 4, 2 }, 0, 0);
    gguf_tensor(&g, "t.b", (const uint64_t[4]){ 32, 2 }, 2, 32);
    gguf_tensor(&g, "t.c", (const uint64_t[4]){ 1 }, 1, 96);
    gguf_pad(&g, 32);
    gguf_data(&g, 32 + 36 + 28 + 2);
    return g;
}

/* What is accepted keeps what the reader promises. */
static bool is_sound(const weft__gguf_file *f, const unsigned char *p, size_t n)
{
    size_t count, sum = 0;
    const weft__gguf_value *v;
    weft__gguf_string s;
    double x;
    const weft__file_tensor *t = weft__gguf_tensors(f, &count);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *at = t[i].data;
        if (at < p || at > p + n || t[i].size > (size_t)(p + n - at) || !*t[i].name) return false;
        for (size_t k = 0; k < t[i].size; k++) sum += at[k];
    }
    for (size_t i = 0; (v = weft__gguf_at(f, i)); i++)
        for (uint64_t k = 0; k < v->count; k++)
            if (weft__gguf_text(v, k, &s)) sum += s.size ? (unsigned char)s.text[s.size - 1] : 0;
            else if (!weft__gguf_number(v, k, &x)) return false;
    return sum < SIZE_MAX;
}

/* Parses n bytes that end where they may be read. Fails with a text, or gives what is sound. */
static weft_status parse(const gguf_image *g, size_t n, weft_error *err)
{
    weft__gguf_file *f;
    unsigned char *p = gguf_exact(g, n);
    *err = (weft_error){ 0 };
    oom_arm(-1);
    weft_status s = weft__gguf_parse(p, n, "x.gguf", &f, err);
    const size_t largest = oom_largest();
    CHECK(largest <= BLOCK || largest <= 2 * n);
    if (s == WEFT_OK) CHECK(is_sound(f, p, n));
    else CHECK(!f && strstr(err->text, "x.gguf"));
    CHECK(s == WEFT_OK || s == WEFT_FORMAT || s == WEFT_UNSUPPORTED || s == WEFT_LIMIT);
    weft__gguf_close(f);
    free(p);
    return s;
}

static void survives_every_cut(void)
{
    weft_error err;
    gguf_image g = make();
    CHECK_OK(parse(&g, g.n, &err), err);
    for (size_t n = 0; n < g.n; n++)
        if (!CHECK_STATUS(parse(&g, n, &err), WEFT_FORMAT, err)) printf("  cut at %zu\n", n);
    free(g.p);
}

/* Each place of the head, as a number of 1, 4 and 8 bytes, is set to each of these. */
static void survives_every_absurd_number(void)
{
    static const uint64_t absurd[] = { 0, 1, 2, 9, 31, 33, 255, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
                                       0xffffffff, 0x100000000, 1ull << 40, 1ull << 59, 1ull << 61, INT64_MAX - 31,
                                       INT64_MAX, 1ull << 63, UINT64_MAX - 7, UINT64_MAX };
    static const unsigned widths[] = { 1, 4, 8 };
    weft_error err;
    gguf_image g = make();
    unsigned accepted = 0, refused = 0;
    unsigned char saved[8];
    for (size_t at = 0; at + 8 < g.n; at++)
        for (unsigned w = 0; w < 3; w++)
            for (size_t k = 0; k < sizeof absurd / sizeof *absurd; k++) {
                memcpy(saved, g.p + at, 8);
                memcpy(g.p + at, &absurd[k], widths[w]);
                if (parse(&g, g.n, &err)) refused++;
                else accepted++;
                memcpy(g.p + at, saved, 8);
            }
    CHECK(refused > 10000 && accepted > 1000);
    free(g.p);
}

/* ---- faults, by what the error says ---- */

typedef struct fault {
    const char *text;
    weft_status status;
    void (*put)(gguf_image *g);
} fault;

#define KEY(body)    { gguf_begin(g, 3, 0, 1); body }
#define TENSOR(body) { gguf_begin(g, 3, 1, 0); body gguf_pad(g, 32); gguf_data(g, 64); }
#define FAULTS(X)                                                                                                      \
    X(magic, FORMAT, "not a GGUF file", { gguf_put(g, "GGML\3\0\0\0", 8); })                                           \
    X(empty, FORMAT, "the file is empty", { (void)g; })                                                                \
    X(pointer, FORMAT, "Git LFS", { gguf_put(g, "version https://git-lfs.github.com/spec/v1\n", 43); })                \
    X(version_1, UNSUPPORTED, "version 1 of GGUF is not supported", gguf_begin(g, 1, 0, 0);)                           \
    X(version_4, UNSUPPORTED, "version 4", gguf_begin(g, 4, 0, 0);)                                                    \
    X(tensors, FORMAT, "99 tensors do not fit in a file of 24 bytes", gguf_begin(g, 3, 99, 0);)                        \
    X(values, FORMAT, "18446744073709551615 values do not fit", gguf_begin(g, 3, 0, UINT64_MAX);)                      \
    X(no_key, FORMAT, "key 1 of 1: a name that is empty", KEY(gguf_key(g, "", 0); gguf_u64(g, 0);))                    \
    X(zero_key, FORMAT, "a name that is empty or has a zero byte",                                                     \
      KEY(gguf_u64(g, 3); gguf_put(g, "a\0b", 3); gguf_u32(g, 0); gguf_u64(g, 0);))                                    \
    X(raw_key, FORMAT, "not UTF-8", KEY(gguf_key(g, "\xff\xfe", 0); gguf_u64(g, 0);))                                  \
    X(long_key, FORMAT, "a name of 70000 bytes", KEY(gguf_u64(g, 70000); gguf_u64(g, 0);))                             \
    X(type, UNSUPPORTED, "key k: a value of type 13", KEY(gguf_key(g, "k", WEFT__GGUF_TYPE_COUNT); gguf_u64(g, 0);))   \
    X(nested, UNSUPPORTED, "key k: an array of arrays", KEY(gguf_array(g, "k", WEFT__GGUF_ARRAY, 0);))                 \
    X(elements, FORMAT, "key k: 5 elements do not fit", KEY(gguf_array(g, "k", WEFT__GGUF_U64, 5); gguf_u64(g, 0);))   \
    X(wrapping, FORMAT, "elements do not fit", KEY(gguf_array(g, "k", WEFT__GGUF_U64, 1ull << 61);))                   \
    X(strings, FORMAT, "key k: 2 elements do not fit", KEY(gguf_array(g, "k", WEFT__GGUF_STRING, 2); gguf_u64(g, 0);)) \
    X(string, FORMAT, "key k: 9 elements do not fit", KEY(gguf_key(g, "k", WEFT__GGUF_STRING); gguf_u64(g, 9);))       \
    X(inner, FORMAT, "key k: 18446744073709551615 elements",                                                           \
      KEY(gguf_array(g, "k", WEFT__GGUF_STRING, 1); gguf_u64(g, UINT64_MAX);))                                         \
    X(twice, FORMAT, "the key k stands there twice",                                                                   \
      { gguf_begin(g, 3, 0, 2); gguf_key_u32(g, "k", 1); gguf_key_u32(g, "k", 1); })                                   \
    X(alignment_0, FORMAT, "general.alignment is no power of two", KEY(gguf_key_u32(g, "general.alignment", 0);))      \
    X(alignment_3, FORMAT, "no power of two", KEY(gguf_key_u32(g, "general.alignment", 3);))                           \
    X(alignment_text, FORMAT, "no power of two",                                                                       \
      KEY(gguf_key(g, "general.alignment", WEFT__GGUF_STRING); gguf_string(g, "32");))                                 \
    X(name, FORMAT, "tensor 1 of 1: a name that is empty", TENSOR(gguf_tensor(g, "", (uint64_t[4]){ 1 }, 0, 0);))      \
    X(names, FORMAT, "two tensors are called t",                                                                       \
      { gguf_begin(g, 3, 2, 0); gguf_tensor(g, "t", (uint64_t[4]){ 1 }, 0, 0);                                         \
        gguf_tensor(g, "t", (uint64_t[4]){ 1 }, 0, 32); gguf_pad(g, 32); gguf_data(g, 64); })                          \
    X(rank, FORMAT, "tensor t: 9 dimensions, more than 8", TENSOR(gguf_string(g, "t"); gguf_u32(g, 9);))               \
    X(dimension, FORMAT, "tensor t: dimension 0 is 18446744073709551615",                                              \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ UINT64_MAX }, 0, 0);))                                                 \
    X(product, FORMAT, "tensor t: the product of its dimensions overflows",                                            \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ 1ull << 40, 1ull << 40 }, 0, 0);))                                     \
    X(blocks, FORMAT, "rows of 33 elements are no whole blocks of 32, which Q4_0 has",                                 \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ 33 }, 2, 0);))                                                         \
    X(no_row, FORMAT, "rows of 1 elements are no whole blocks",                                                        \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ 0 }, 2, 0);))                                                          \
    X(odd, FORMAT, "its offset 4 is no multiple of the alignment, 32",                                                 \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ 1 }, 0, 4);))                                                          \
    X(beyond, FORMAT, "tensor t: 68 bytes at 0, but the file holds 64 bytes of data: an incomplete",                   \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ 17 }, 0, 0);))                                                         \
    X(far_away, FORMAT, "4 bytes at 18446744073709551584",                                                             \
      TENSOR(gguf_tensor(g, "t", (uint64_t[4]){ 1 }, 0, UINT64_MAX - 31);))                                            \
    X(overlap, FORMAT, "tensor u: its data overlaps that of t",                                                        \
      { gguf_begin(g, 3, 2, 0); gguf_tensor(g, "t", (uint64_t[4]){ 9 }, 0, 0);                                         \
        gguf_tensor(g, "u", (uint64_t[4]){ 1 }, 0, 32); gguf_pad(g, 32); gguf_data(g, 64); })

#define X(name, status, text, body) static void put_##name(gguf_image *g) { body }
FAULTS(X)
#undef X

static void says_what_is_wrong(void)
{
    static const fault faults[] = {
#define X(name, status, text, body) { text, WEFT_##status, put_##name },
        FAULTS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        weft_error err;
        gguf_image g = { 0 };
        faults[i].put(&g);
        if (!CHECK_STATUS(parse(&g, g.n, &err), faults[i].status, err)) printf("  %s\n", faults[i].text);
        CHECK_CONTAINS(err.text, faults[i].text);
        free(g.p);
    }
}

/* ---- every type in blocks ---- */

/* Of a file with 3 rows of n elements of that type, with as many bytes of data. */
static weft_status parse_rows(const weft__file_dtype *t, uint64_t n, size_t bytes, weft_error *err)
{
    gguf_image g = { 0 };
    gguf_begin(&g, 3, 1, 0);
    gguf_tensor(&g, "t", (const uint64_t[4]){ n, 3 }, (uint32_t)t->ggml, 0);
    gguf_pad(&g, 32);
    gguf_data(&g, bytes);
    weft_status s = parse(&g, g.n, err);
    free(g.p);
    return s;
}

static void rows_are_whole_blocks_of_every_type(void)
{
    weft_error err;
    unsigned types = 0;
    for (uint32_t number = 0; number < 256; number++) {
        const weft__file_dtype *t = weft__file_dtype_ggml(number);
        if (!t || t->block < 2 || !t->bytes) continue;
        const uint64_t odd[] = { 1, t->block - 1, t->block + 1, t->block / 2, 3 * t->block - 1, UINT32_MAX };
        types++;
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
            if (!CHECK_STATUS(parse_rows(t, odd[i], 4096, &err), WEFT_FORMAT, err))
                printf("  %s: %llu\n", t->name, (unsigned long long)odd[i]);
            CHECK_CONTAINS(err.text, "are no whole blocks of");
            CHECK_CONTAINS(err.text, t->name);
        }
        const size_t whole = (size_t)3 * 2 * t->bytes;
        CHECK_OK(parse_rows(t, 2 * t->block, whole, &err), err);
        if (!CHECK_STATUS(parse_rows(t, 2 * t->block, whole - 1, &err), WEFT_FORMAT, err)) printf("  %s\n", t->name);
    }
    CHECK(types >= 20);
}

/* ---- memory ---- */

/* As many as fit into a MiB: values, strings, tensors of a byte. */
static void takes_less_memory_than_twice_the_file(void)
{
    enum { SIZE = 1 << 20, MOST = 1 << 14 };
    weft_error err;
    char name[16];
    gguf_image g = { 0 };
    gguf_begin(&g, 3, 0, MOST);
    for (unsigned i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "%x", i);
        gguf_key(&g, name, WEFT__GGUF_BOOL);
        gguf_put(&g, "", 1);
    }
    gguf_data(&g, SIZE - g.n);
    CHECK_OK(parse(&g, g.n, &err), err);
    g.n = 0;
    gguf_begin(&g, 3, 0, 1);
    gguf_array(&g, "k", WEFT__GGUF_STRING, SIZE / 8);
    for (unsigned i = 0; i < SIZE / 8; i++) gguf_u64(&g, 0);
    CHECK_OK(parse(&g, g.n, &err), err);
    g.n = 0;
    gguf_begin(&g, 3, MOST, 1);
    gguf_key_u32(&g, "general.alignment", 1);
    for (unsigned i = 0; i < MOST; i++) {
        snprintf(name, sizeof name, "%x", i);
        gguf_tensor(&g, name, (const uint64_t[4]){ 1 }, 24, i);
    }
    gguf_data(&g, g.n < SIZE ? SIZE - g.n : MOST);
    CHECK_OK(parse(&g, g.n, &err), err);
    memcpy(g.p + 8, &(uint64_t){ MOST + 1 }, 8);
    CHECK_STATUS(parse(&g, g.n, &err), WEFT_LIMIT, err);
    CHECK_CONTAINS(err.text, "16385 tensors, more than 16384");
    free(g.p);
}

/* ---- allocations that fail ---- */

static void write_set(const temp_folder *t)
{
    for (unsigned no = 0; no < 2; no++) {
        gguf_image g = { 0 };
        gguf_begin(&g, 3, 1, 2);
        gguf_key_u32(&g, "split.no", no);
        gguf_key_u32(&g, "split.count", 2);
        gguf_tensor(&g, no ? "b" : "a", (const uint64_t[4]){ 1 }, no ? 28 : 99, 0);
        gguf_pad(&g, 32);
        gguf_data(&g, 8);
        temp_write(t, no ? "m-00002-of-00002.gguf" : "m-00001-of-00002.gguf", g.p, g.n);
        free(g.p);
    }
}

static void opening_survives(void)
{
    temp_folder t = temp_make();
    write_set(&t);
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_checkpoint *ck = NULL;
        weft_weight_data d;
        weft_status s = weft_checkpoint_open(t.path, &ck, &err);
        if (!s) s = weft_checkpoint_source(ck).find(ck, "b", &d, &err);
        OOM_CHECK(s, err);
        weft_checkpoint_close(ck);
    }
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft_checkpoint *ck = NULL;
        weft_status s = weft_checkpoint_open(temp_path(&t, "m-00002-of-00002.gguf"), &ck, &err);
        OOM_CHECK(s, err);
        weft_checkpoint_close(ck);
    }
    temp_remove(&t);
}

static weft_status fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n, weft_error *err)
{
    (void)ctx, (void)index, (void)offset, (void)err;
    memset(out, 0, n);
    return WEFT_OK;
}

static void writing_survives(void)
{
    temp_folder t = temp_make();
    const weft__file_tensor tensors[] = {
        { .name = "a", .dtype = weft__file_dtype_find("F32"), .rank = 1, .dims = { 3 } }
    };
    OOM_LOOP(n)
    {
        weft_error err = { 0 };
        weft__gguf_kv kv = { 0 };
        weft__gguf_put_u32(&kv, "a", 1);
        weft__gguf_put_strings(&kv, "b", 1);
        weft__gguf_put_string(&kv, "text", 4);
        weft__gguf_write_desc d = { .path = temp_path(&t, "x.gguf"), .values = &kv, .tensors = tensors, .n_tensors = 1,
                                    .fill = fill };
        weft_status s = weft__gguf_write(&d, &err);
        weft__gguf_kv_free(&kv);
        OOM_CHECK(s, err);
        CHECK_EQ_INT(temp_count(t.path), s == WEFT_OK);
    }
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "survives_every_cut", survives_every_cut },
    { "survives_every_absurd_number", survives_every_absurd_number },
    { "says_what_is_wrong", says_what_is_wrong },
    { "rows_are_whole_blocks_of_every_type", rows_are_whole_blocks_of_every_type },
    { "takes_less_memory_than_twice_the_file", takes_less_memory_than_twice_the_file },
    { "opening_survives", opening_survives },
    { "writing_survives", writing_survives },
};
TEST_MAIN(tests)
