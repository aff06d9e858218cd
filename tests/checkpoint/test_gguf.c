/* test_gguf.c: what GGUF files say, in either byte order, and sets of them. test_gguf_hostile.c has what they may not.
 * */
#include "models/checkpoint/checkpoint_impl.h"
#include "gguf_image.h"
#include "temp.h"

#include <math.h>

/* A value of each kind, and two tensors. */
static gguf_image make(bool big, uint32_t version)
{
    static const struct { const char *key; weft__gguf_type type; unsigned bytes; uint64_t bits; } scalars[] = {
        { "a.u8", WEFT__GGUF_U8, 1, 200 },          { "a.i8", WEFT__GGUF_I8, 1, 200 },
        { "a.u16", WEFT__GGUF_U16, 2, 0xfedc },     { "a.i16", WEFT__GGUF_I16, 2, 0xfedc },
        { "a.u32", WEFT__GGUF_U32, 4, 0xfedcba98 }, { "a.i32", WEFT__GGUF_I32, 4, 0xfedcba98 },
        { "a.f32", WEFT__GGUF_F32, 4, 0x3fc00000 }, { "a.bool", WEFT__GGUF_BOOL, 1, 1 },
        { "a.u64", WEFT__GGUF_U64, 8, ~0ull },      { "a.i64", WEFT__GGUF_I64, 8, ~0ull },
        { "a.f64", WEFT__GGUF_F64, 8, 0xc004000000000000 },
    };
    gguf_image g = { .big = big };
    gguf_begin(&g, version, 2, sizeof scalars / sizeof *scalars + 5);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) {
        gguf_key(&g, scalars[i].key, scalars[i].type);
        gguf_whole(&g, scalars[i].bits, scalars[i].bytes);
    }
    gguf_key(&g, "text", WEFT__GGUF_STRING);
    gguf_string(&g, "hello");
    gguf_array(&g, "strings", WEFT__GGUF_STRING, 3);
    gguf_string(&g, "one");
    gguf_string(&g, "");
    gguf_u64(&g, 3);
    gguf_put(&g, "a\0b", 3);
    gguf_array(&g, "numbers", WEFT__GGUF_I16, 2);
    gguf_whole(&g, 0xffff, 2);
    gguf_whole(&g, 7, 2);
    gguf_array(&g, "none", WEFT__GGUF_STRING, 0);
    gguf_key_u32(&g, "general.alignment", 64);
    gguf_tensor(&g, "z", (const uint64_t[4]){ 3, 2 }, 0, 64);
    gguf_tensor(&g, "q", (const uint64_t[4]){ 64 }, 2, 0);
    gguf_pad(&g, 64);
    gguf_data(&g, 64);
    for (unsigned i = 0; i < 6; i++) gguf_whole(&g, 0x3f800000 + (i << 16), 4);
    return g;
}

static void check_numbers(const weft__gguf_file *f)
{
    static const struct { const char *key; double number; bool whole; } want[] = {
        { "a.u8", 200, true },         { "a.i8", -56, true },        { "a.u16", 0xfedc, true },
        { "a.i16", -292, true },       { "a.u32", 4275878552, true }, { "a.i32", -19088744, true },
        { "a.f32", 1.5, false },       { "a.bool", 1, true },         { "a.u64", 18446744073709551616.0, false },
        { "a.i64", -1, true },         { "a.f64", -2.5, false },
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        double x = 0;
        int64_t n = 0;
        const weft__gguf_value *v = weft__gguf_find(f, want[i].key);
        if (!CHECK(v)) continue;
        CHECK(v == weft__gguf_at(f, i));
        CHECK(weft__gguf_number(v, 0, &x) && x == want[i].number);
        CHECK(weft__gguf_integer(v, 0, &n) == want[i].whole);
        if (want[i].whole) CHECK((double)n == want[i].number);
        CHECK(!weft__gguf_number(v, 1, &x));
        CHECK_STR(weft__gguf_type_name(v->type), want[i].key + 2);
    }
}

static bool says(const weft__gguf_value *v, uint64_t i, const char *text, size_t n)
{
    weft__gguf_string s;
    return weft__gguf_text(v, i, &s) && s.size == n && !memcmp(s.text, text, n);
}

static void check_texts(const weft__gguf_file *f)
{
    double x;
    int64_t n = 0;
    weft__gguf_string s;
    const weft__gguf_value *text = weft__gguf_find(f, "text"), *strings = weft__gguf_find(f, "strings");
    CHECK(says(text, 0, "hello", 5) && !weft__gguf_text(text, 1, &s) && !weft__gguf_number(text, 0, &x));
    CHECK(strings && strings->count == 3 && says(strings, 0, "one", 3) && says(strings, 1, "", 0));
    CHECK(says(strings, 2, "a\0b", 3) && !weft__gguf_text(strings, 3, &s) && !weft__gguf_integer(strings, 0, &n));
    const weft__gguf_value *numbers = weft__gguf_find(f, "numbers"), *none = weft__gguf_find(f, "none");
    CHECK(numbers && numbers->type == WEFT__GGUF_ARRAY && numbers->element == WEFT__GGUF_I16);
    CHECK(weft__gguf_integer(numbers, 0, &n) && n == -1);
    CHECK(weft__gguf_integer(numbers, 1, &n) && n == 7 && !weft__gguf_integer(numbers, 2, &n));
    CHECK(none && !none->count && !weft__gguf_text(none, 0, &s));
    CHECK(!weft__gguf_find(f, "tex") && !weft__gguf_text(NULL, 0, &s) && !weft__gguf_at(f, 16));
}

static void check_tensors(const weft__gguf_file *f, const unsigned char *data)
{
    size_t n;
    const weft__file_tensor *t = weft__gguf_tensors(f, &n);
    if (!CHECK_EQ_INT(n, 2)) return;
    CHECK_STR(t[0].name, "q");
    CHECK_STR(t[0].dtype->name, "Q4_0");
    CHECK(t[0].rank == 1 && t[0].dims[0] == 64 && t[0].size == 36 && t[0].data == data);
    CHECK_STR(t[1].name, "z");
    CHECK(t[1].rank == 2 && t[1].dims[0] == 2 && t[1].dims[1] == 3 && t[1].size == 24 && t[1].data == data + 64);
}

static void reads(bool big, uint32_t version)
{
    weft_error err;
    weft__gguf_file *f;
    gguf_image g = make(big, version);
    unsigned char *image = gguf_exact(&g, g.n);
    if (CHECK_OK(weft__gguf_parse(image, g.n, "x.gguf", &f, &err), err)) {
        weft__gguf_header h = weft__gguf_header_of(f);
        CHECK(h.version == version && h.alignment == 64 && h.n_files == 1 && h.big_endian == big);
        CHECK_STR(weft__gguf_path(f), "x.gguf");
        check_numbers(f);
        check_texts(f);
        check_tensors(f, image + g.n - 88);
        weft__gguf_close(f);
    }
    free(image);
    free(g.p);
}

static void reads_little_endian(void) { reads(false, 3); }
static void reads_big_endian(void) { reads(true, 3); }
static void reads_version_2(void) { reads(false, 2); }

/* ---- as weights ---- */

/* Weights of either byte order are the same. */
static void gives_weights(void)
{
    for (int big = 0; big < 2; big++) {
        temp_folder t = temp_make();
        gguf_image g = make(big, 3);
        weft_checkpoint *ck;
        weft_error err;
        weft_weight_data d = { 0 };
        temp_write(&t, "x.gguf", g.p, g.n);
        if (CHECK_OK(weft_checkpoint_open(temp_path(&t, "x.gguf"), &ck, &err), err)) {
            weft_weight_source s = weft_checkpoint_source(ck);
            CHECK(weft__checkpoint_gguf(ck) && weft_checkpoint_bytes(ck) == 60);
            CHECK(weft_checkpoint_tensor(ck, 0)->big_endian == big);
            if (CHECK_OK(s.find(ck, "z", &d, &err), err)) {
                const float *x = d.data; /* aligned by the file's alignment, or by malloc */
                CHECK(d.dtype == WEFT_F32 && d.rank == 2 && d.dims[0] == 2 && d.dims[1] == 3 && d.bytes == 24);

                CHECK(x[0] == 1 && x[1] == 1.0078125f && x[5] == 1.0390625f);
            }
            if (CHECK_OK(s.find(ck, "q", &d, &err), err)) {
                const unsigned char *b = d.data;
                CHECK(d.dtype == WEFT_Q4_0 && d.bytes == 36);
                CHECK(b[0] == big && b[1] == !big && b[2] == 2 && b[17] == 17 && b[18] == 18 + big && b[19] == 19 -
                      big);
            }
            CHECK_STATUS(s.find(ck, "n", &d, &err), WEFT_NOT_FOUND, err);
            CHECK_CONTAINS(err.text, "x.gguf: no tensor n");
            weft_checkpoint_close(ck);
        }
        free(g.p);
        temp_remove(&t);
    }
}

/* What no weight can have is listed, and refused by name when it is asked for. */
static void refuses_types_by_name(void)
{
    temp_folder t = temp_make();
    gguf_image g = { 0 };
    weft_checkpoint *ck;
    weft_error err;
    weft_weight_data d;
    gguf_begin(&g, 3, 3, 0);
    gguf_tensor(&g, "a", (const uint64_t[4]){ 4 }, 24, 0);
    gguf_tensor(&g, "b", (const uint64_t[4]){ 64 }, 77, 32);
    gguf_tensor(&g, "c", (const uint64_t[4]){ 8 }, 0, 64);
    gguf_pad(&g, 32);
    gguf_data(&g, 96);
    temp_write(&t, "x.gguf", g.p, g.n);
    if (CHECK_OK(weft_checkpoint_open(t.path, &ck, &err), err)) {
        weft_weight_source s = weft_checkpoint_source(ck);
        CHECK_EQ_INT(weft_checkpoint_find(ck, "b")->bytes, 32);
        CHECK_STR(weft_checkpoint_find(ck, "b")->dtype, "ggml type 77");
        CHECK_STATUS(s.find(ck, "a", &d, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "x.gguf: tensor a: weights of type I8 are not supported");
        CHECK_STATUS(s.find(ck, "b", &d, &err), WEFT_UNSUPPORTED, err);
        CHECK_CONTAINS(err.text, "weights of type ggml type 77");
        weft_checkpoint_close(ck);
    }
    free(g.p);
    temp_remove(&t);
}

/* ---- the table of types ---- */

/* Each type of a graph has its row, which says of its blocks what the graph's table does. */
static void types_agree_with_the_graph(void)
{
    for (unsigned k = 0; k < WEFT_DTYPE_COUNT; k++) {
        const weft_dtype_info *info = weft_dtype_get((weft_dtype)k);
        if (!info->bytes) continue;
        const weft__file_dtype *t = NULL;
        for (uint32_t n = 0; n < 64 && !t; n++) {
            t = weft__file_dtype_ggml(n);
            if (t && (t->type != (weft_dtype)k || t->bytes != info->bytes)) t = NULL;
        }
        if (!CHECK(t)) printf("  no row of tensor.def is a weight of type %s\n", info->name);
        else if (!CHECK(t->block == info->block)) printf("  %s\n", t->name);
    }
}

/* A layout's numbers take as much as the block. */
static void layouts_are_whole_blocks(void)
{
    for (uint32_t n = 0; n < 64; n++) {
        const weft__file_dtype *t = weft__file_dtype_ggml(n);
        unsigned char in[512], out[512], back[512];
        if (!t || !t->layout) continue;
        for (unsigned i = 0; i < sizeof in; i++) in[i] = (unsigned char)(i * 7 + i / 256);
        memset(out, 0xee, sizeof out);
        weft__file_swap(t, in, out, t->bytes);
        weft__file_swap(t, out, back, t->bytes);
        if (!CHECK(!memcmp(in, back, t->bytes) && out[t->bytes] == 0xee)) printf("  %s\n", t->name);
        CHECK(weft__file_dtype_find(t->name) == t);
    }
}

/* ---- sets ---- */

/* File no (from 0) of `count`, of a tensor each. */
static void write_part(const temp_folder *t, const char *file, unsigned no, unsigned count, int said)
{
    char name[16];
    gguf_image g = { 0 };
    snprintf(name, sizeof name, "t%u", no);
    gguf_begin(&g, 3, 1, 3 + (no == 0));
    gguf_key(&g, "split.no", WEFT__GGUF_U16);
    gguf_whole(&g, no, 2);
    gguf_key(&g, "split.count", WEFT__GGUF_U16);
    gguf_whole(&g, count, 2);
    gguf_key(&g, "split.tensors.count", WEFT__GGUF_I32);
    gguf_u32(&g, (uint32_t)said);
    if (!no) gguf_key_u32(&g, "first", 1);
    gguf_tensor(&g, name, (const uint64_t[4]){ 1 }, 0, 0);
    gguf_pad(&g, 32);
    gguf_u32(&g, no);
    temp_write(t, file, g.p, g.n);
    free(g.p);
}

static void expect(const char *path, weft_status want, const char *text)
{
    weft_error err = { 0 };
    weft_checkpoint *ck = NULL;
    weft_status s = weft_checkpoint_open(path, &ck, &err);
    if (!CHECK_STATUS(s, want, err)) printf("  %s\n", path);
    else if (want == WEFT_OK) {
        size_t n;
        CHECK_EQ_INT(weft__checkpoint_file_count(ck), 3);
        CHECK_EQ_INT(weft_checkpoint_count(ck), 3);
        CHECK(weft__gguf_find(weft__checkpoint_gguf(ck), "first"));
        CHECK(weft__gguf_tensors(weft__checkpoint_gguf(ck), &n)[2].dims[0] == 1 && n == 3);
        for (uint32_t i = 0; i < 3; i++) CHECK(!memcmp(weft_checkpoint_tensor(ck, i)->data, &i, 4));
    } else CHECK_CONTAINS(err.text, text);
    weft_checkpoint_close(ck);
}

static void any_file_stands_for_its_set(void)
{
    static const char *const names[] = { "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf" };
    temp_folder t = temp_make();
    for (unsigned i = 0; i < 3; i++) write_part(&t, names[i], i, 3, 3);
    for (unsigned i = 0; i < 3; i++) expect(temp_path(&t, names[i]), WEFT_OK, "");
    expect(t.path, WEFT_OK, "");
    temp_write_text(&t, "mmproj-m.gguf", "GGUF");
    expect(t.path, WEFT_OK, "");
    write_part(&t, names[2], 1, 3, 3);
    expect(temp_path(&t, names[0]), WEFT_FORMAT, "do not say that it is file 3 of 3");
    expect(temp_path(&t, names[2]), WEFT_FORMAT, "file 2 of a set of 3, which its name must end with");
    write_part(&t, names[2], 2, 3, 3);
    write_part(&t, names[0], 0, 3, 4);
    expect(temp_path(&t, names[1]), WEFT_FORMAT, "split.tensors.count is 4, but the files of the set have 3");
    unlink(temp_path(&t, names[1]));
    expect(temp_path(&t, names[2]), WEFT_NOT_FOUND, "a file of the set is missing");
    expect(temp_path(&t, names[2]), WEFT_NOT_FOUND, names[1]);
    rename(temp_path(&t, names[0]), temp_path(&t, "m.gguf"));
    expect(temp_path(&t, "m.gguf"), WEFT_FORMAT, "its name must end with");
    temp_remove(&t);
}

/* A folder means its GGUF model if it has one, and no safetensors. */
static void folders_mean_their_model(void)
{
    temp_folder t = temp_make();
    char *path;
    weft_error err;
    gguf_image g = make(false, 3);
    temp_write(&t, "b", g.p, g.n);
    if (CHECK_OK(weft__model_gguf(t.path, &path, &err), err)) CHECK(path == NULL);
    if (CHECK_OK(weft__model_gguf(temp_path(&t, "b"), &path, &err), err)) CHECK_STR(path, temp_path(&t, "b"));
    free(path);
    temp_write(&t, "b.gguf", g.p, g.n);
    if (CHECK_OK(weft__model_gguf(t.path, &path, &err), err)) CHECK_STR(path, temp_path(&t, "b.gguf"));
    free(path);
    temp_write(&t, "a.gguf", g.p, g.n);
    temp_write(&t, "c.gguf", g.p, g.n);
    CHECK_STATUS(weft__model_gguf(t.path, &path, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "holds several models: name one, such as a.gguf or ");
    temp_write_text(&t, "model.safetensors", "");
    if (CHECK_OK(weft__model_gguf(t.path, &path, &err), err)) CHECK(path == NULL);
    free(g.p);
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "reads_little_endian", reads_little_endian },
    { "reads_big_endian", reads_big_endian },
    { "reads_version_2", reads_version_2 },
    { "gives_weights", gives_weights },
    { "refuses_types_by_name", refuses_types_by_name },
    { "types_agree_with_the_graph", types_agree_with_the_graph },
    { "layouts_are_whole_blocks", layouts_are_whole_blocks },
    { "any_file_stands_for_its_set", any_file_stands_for_its_set },
    { "folders_mean_their_model", folders_mean_their_model },
};
TEST_MAIN(tests)
