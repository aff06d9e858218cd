/* test_quantize.c: models written in other types: what is in the file, that importance helps where it should, and that
 * failures leave what was there. */
#include <math.h>

#include "graph/convert.h"
#include "models/checkpoint/gguf.h"
#include "models/quantize/importance.h"
#include "models/quantize/quantize.h"
#include "tests/checkpoint/gguf_image.h"
#include "tests/checkpoint/temp.h"
#include "tests/models/killed.h"

#define BUNDLED WEFT_TEST_ROOT "/models/bundled/tiny-stories-neox"

static weft_model *open_bundled(void)
{
    weft_model *m = NULL;
    weft_error err = { 0 };
    CHECK_OK(weft_model_open(BUNDLED, NULL, &m, &err), err);
    return m;
}

static const weft__file_tensor *find(const weft__gguf_file *f, const char *name)
{
    size_t n;
    const weft__file_tensor *all = weft__gguf_tensors(f, &n);
    return weft__file_tensor_find(all, n, name);
}

/* The relative error of a matrix against the model's weight of that name, column k counting w[k]; w NULL: 1. */
static double error_of(weft_model *m, const weft__file_tensor *t, const char *name, const float *w)
{
    static float x[4096], y[4096];
    weft_weight_data d = { 0 };
    weft_error err = { 0 };
    weft_weight_source source = weft_model_weights(m);
    double off = 0, all = 0;
    uint64_t from, to;
    if (!CHECK_OK(source.find(source.ctx, name, &d, &err), err)) return NAN;
    const int64_t columns = d.dims[1];
    CHECK(weft_dtype_row_bytes(d.dtype, columns, &from) && weft_dtype_row_bytes(t->dtype->type, columns, &to));
    for (int64_t row = 0; row < d.dims[0]; row++) {
        weft__convert_row(d.dtype, (const unsigned char *)d.data + (uint64_t)row * from, WEFT_F32, x, columns);
        weft__convert_row(t->dtype->type, (const unsigned char *)t->data + (uint64_t)row * to, WEFT_F32, y, columns);
        for (int64_t k = 0; k < columns; k++) {
            double e = (double)x[k] - (double)y[k], much = w ? (double)w[k] : 1;
            off += much * e * e;
            all += much * (double)x[k] * (double)x[k];
        }
    }
    return sqrt(off / all);
}

typedef struct told { unsigned n, changed, important; uint64_t bytes; } told;

static void tell(void *ctx, const weft_quantized *t)
{
    told *r = ctx;
    r->n++;
    r->changed += strcmp(t->from, t->to) != 0;
    r->important += t->importance;
    r->bytes += t->bytes;
}

/* The mixture's types, the user's own, and weights that are near what they were. */
static void writes_a_mixture(void)
{
    static const char *const keep[] = { "blk.?.attn_qkv.*=q8_0", "token_embd*=f16", "*attn_qkv*=q2_K" };
    temp_folder t = temp_make();
    weft__gguf_file *f;
    weft_model *m = open_bundled();
    weft_error err = { 0 };
    told r = { 0 };
    int64_t n;
    weft_quantize_desc d = { .weights = "q4_K_M", .keep = keep, .n_keep = 3, .threads = 3, .tell = tell, .ctx = &r };
    const char *path = temp_path(&t, "x.gguf");
    temp_write_text(&t, "x.gguf.partial", "left by one that was killed");
    CHECK_OK(weft_model_quantize(m, path, &d, &err), err);
    CHECK_EQ_INT(temp_count(t.path), 1);
    CHECK(r.n == 76 && r.changed == 25 && !r.important);
    if (CHECK_OK(weft__gguf_open(path, &f, &err), err)) {
        CHECK_STR(find(f, "blk.1.attn_qkv.weight")->dtype->name, "Q8_0");
        CHECK_STR(find(f, "token_embd.weight")->dtype->name, "F16");
        CHECK_STR(find(f, "output.weight")->dtype->name, "Q6_K");
        CHECK_STR(find(f, "blk.5.ffn_down.weight")->dtype->name, "Q6_K");
        CHECK_STR(find(f, "blk.1.ffn_norm.weight")->dtype->name, "F32");
        CHECK(weft__gguf_integer(weft__gguf_find(f, "general.file_type"), 0, &n) && n == 15);
        CHECK(weft__gguf_integer(weft__gguf_find(f, "general.quantization_version"), 0, &n) && n == 2);
        CHECK(error_of(m, find(f, "blk.1.ffn_up.weight"), "gpt_neox.layers.1.mlp.dense_h_to_4h.weight", NULL) < 0.072);
        CHECK(error_of(m, find(f, "output.weight"), "embed_out.weight", NULL) < 0.018);
        CHECK(error_of(m, find(f, "token_embd.weight"), "gpt_neox.embed_in.weight", NULL) == 0);
        weft__gguf_close(f);
    }
    weft_model_close(m);
    temp_remove(&t);
}

/* ---- importance ---- */

enum { COLUMNS = 256 };

/* Of one tensor: sums that grow by column, for `matrices` matrices, and counts. */
static void importance_image(gguf_image *g, const char *name, uint64_t matrices, float sum, float count)
{
    char text[64];
    *g = (gguf_image){ 0 };
    gguf_begin(g, 3, 2, 1);
    gguf_key(g, "general.type", WEFT__GGUF_STRING);
    gguf_string(g, "imatrix");
    snprintf(text, sizeof text, "%s.in_sum2", name);
    gguf_tensor(g, text, (const uint64_t[4]){ COLUMNS, matrices }, 0, 0);
    snprintf(text, sizeof text, "%s.counts", name);
    gguf_tensor(g, text, (const uint64_t[4]){ 1, matrices }, 0, COLUMNS * matrices * 4);
    gguf_pad(g, 32);
    for (uint64_t i = 0; i < matrices * (COLUMNS + 1); i++) {
        float x = i < matrices * COLUMNS ? sum * (float)(1 + i % COLUMNS % 16 * 50) : count;
        uint32_t bits;
        memcpy(&bits, &x, 4);
        gguf_u32(g, bits);
    }
}

/* Errors of columns that matter are smaller, and of others larger. */
static void importance_helps(void)
{
    static const char graph_name[] = "gpt_neox.layers.1.mlp.dense_h_to_4h.weight", name[] = "blk.1.ffn_up.weight";
    static const char *const types[] = { "q4_K", "q4_0", "iq4_nl" };
    temp_folder t = temp_make();
    weft_model *m = open_bundled();
    weft_error err = { 0 };
    gguf_image g;
    float w[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) w[k] = (float)(1 + k % 16 * 50);
    importance_image(&g, name, 1, 2, 7);
    temp_write(&t, "i.gguf", g.p, g.n);
    free(g.p);
    for (int i = 0; i < 3; i++) {
        double weighted[2], plain[2];
        for (int by = 0; by < 2; by++) {
            weft__gguf_file *f;
            told r = { 0 };
            const char *path = temp_path(&t, "x.gguf");
            weft_quantize_desc d = { .weights = types[i], .tell = tell, .ctx = &r };
            if (by) d.importance = temp_path(&t, "i.gguf");
            CHECK_OK(weft_model_quantize(m, path, &d, &err), err);
            CHECK(r.important == (unsigned)by);
            if (!CHECK_OK(weft__gguf_open(path, &f, &err), err)) return;
            weighted[by] = error_of(m, find(f, name), graph_name, w);
            plain[by] = error_of(m, find(f, name), graph_name, NULL);
            weft__gguf_close(f);
        }
        bool helped = weighted[1] < 0.97 * weighted[0] && (i == 1 || plain[1] > plain[0]);
        if (!CHECK(helped))
            printf("  %s: %g to %g, plain %g to %g\n", types[i], weighted[0], weighted[1], plain[0], plain[1]);
    }
    weft_model_close(m);
    temp_remove(&t);
}

static void check_refused(const gguf_image *g, const char *says)
{
    weft__importance *i = NULL;
    weft_error err = { 0 };
    CHECK_STATUS(weft__importance_parse(g->p, g->n, "image", &i, &err), WEFT_FORMAT, err);
    if (!CHECK(!i)) weft__importance_close(i);
    CHECK_CONTAINS(err.text, says);
    free(g->p);
}

/* What no such file has; and one of another model. */
static void importance_is_checked(void)
{
    static const float wrong[] = { NAN, INFINITY, -1 };
    gguf_image g;
    weft__importance *i;
    weft_error err = { 0 };
    float out[COLUMNS];
    bool found;
    for (int k = 0; k < 3; k++) {
        importance_image(&g, "a", 1, wrong[k], 1);
        check_refused(&g, "a.in_sum2 has");
        importance_image(&g, "a", 1, 1, wrong[k]);
        check_refused(&g, "a.counts has a count");
    }
    importance_image(&g, "a", 1, 1, 1);
    g.p[56] = 'I'; /* of the text "imatrix" */
    check_refused(&g, "general.type is not 'imatrix'");
    importance_image(&g, "a", 3, 1, 2);
    if (CHECK_OK(weft__importance_parse(g.p, g.n, "image", &i, &err), err)) {
        weft__file_tensor t = { .name = "a", .rank = 3, .dims = { 3, 5, COLUMNS } };
        CHECK_OK(weft__importance_read(i, &t, 2, out, &found, &err), err);
        CHECK(found && out[0] == 0.5f && out[1] == 25.5f);
        t.name = "b";
        CHECK_OK(weft__importance_read(i, &t, 2, out, &found, &err), err);
        CHECK(!found);
        t = (weft__file_tensor){ .name = "a", .rank = 3, .dims = { 4, 5, COLUMNS } };
        CHECK_STATUS(weft__importance_read(i, &t, 0, out, &found, &err), WEFT_SHAPE, err);
        t = (weft__file_tensor){ .name = "a", .rank = 3, .dims = { 3, 5, COLUMNS + 1 } };
        CHECK_STATUS(weft__importance_read(i, &t, 0, out, &found, &err), WEFT_SHAPE, err);
        weft__importance_close(i);
    }
    free(g.p);
}

/* ---- failures ---- */

typedef struct stopper { unsigned calls, at; } stopper;

static bool stop(void *ctx, const weft_progress *p)
{
    stopper *s = ctx;
    (void)p;
    return ++s->calls < s->at;
}

/* Whatever goes wrong, what has the name stays, and nothing else is left. */
static void failures_leave_the_target(void)
{
    static const char *const odd[] = { "nothing" };
    temp_folder t = temp_make();
    weft_model *m = open_bundled();
    weft_error err = { 0 };
    const char *path = temp_path(&t, "x.gguf");
    temp_write_text(&t, "x.gguf", "precious");
    for (unsigned at = 1; at <= 9; at += 4) {
        stopper s = { 0, at };
        const weft_progress_sink sink = { stop, &s };
        weft_quantize_desc d = { .weights = "q4_0", .progress = &sink };
        CHECK_STATUS(weft_model_quantize(m, path, &d, &err), WEFT_CANCELLED, err);
    }
    weft_quantize_desc d = { .weights = "q9" };
    CHECK_STATUS(weft_model_quantize(m, path, &d, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "q9");
    d = (weft_quantize_desc){ .weights = "q4_0", .keep = odd, .n_keep = 1 };
    CHECK_STATUS(weft_model_quantize(m, path, &d, &err), WEFT_INVALID, err);
    d = (weft_quantize_desc){ .weights = "q4_0", .importance = path };
    CHECK_STATUS(weft_model_quantize(m, path, &d, &err), WEFT_FORMAT, err);
    CHECK_EQ_INT(temp_count(t.path), 1);
    FILE *f = fopen(path, "rb");
    char text[16] = { 0 };
    if (CHECK(f)) CHECK(fread(text, 1, 15, f) == 8 && !strcmp(text, "precious"));
    if (f) fclose(f);
    weft_model_close(m);
    temp_remove(&t);
}

static weft_status work(void *ctx, const weft_progress_sink *progress)
{
    weft_model *m;
    weft_error err;
    weft_quantize_desc d = { .weights = "q8_0", .threads = 2, .progress = progress };
    WEFT_TRY(weft_model_open(BUNDLED, NULL, &m, &err));
    weft_status s = weft_model_quantize(m, ctx, &d, &err);
    weft_model_close(m);
    return s;
}

/* What stood there stays, and the next run begins anew. */
static void killed_it_leaves_the_target(void)
{
    temp_folder t = temp_make();
    weft_model *m = open_bundled();
    weft_error err = { 0 };
    char path[TEMP_PATH];
    const weft_quantize_desc d = { .weights = "q8_0" };
    snprintf(path, sizeof path, "%s", temp_path(&t, "x.gguf"));
    temp_write_text(&t, "x.gguf", "old");
    for (int k = 0; k < KILLED_MOMENTS; k++) {
        CHECK(killed_at(k, work, path));
        CHECK(temp_count(t.path) == 2 && !weft__file_begins(path, "GGUF") &&
              (k == KILLED_FIRST || weft__file_begins(temp_path(&t, "x.gguf.partial"), "GGUF")));
    }
    CHECK_OK(weft_model_quantize(m, path, &d, &err), err);
    CHECK(temp_count(t.path) == 1 && weft__file_begins(path, "GGUF"));
    weft_model_close(m);
    temp_remove(&t);
}

static void put(unsigned char **at, const void *from, size_t n)
{
    memcpy(*at, from, n);
    *at += n;
}

/* The older form: a tensor "a" of `n` numbers, `rows` times 1, 2, ... */
static size_t make_dat(unsigned char *out, int32_t entries, int32_t rows, int32_t n)
{
    const int32_t length = 1;
    unsigned char *at = out;
    put(&at, &entries, 4);
    put(&at, &length, 4);
    put(&at, "a", 1);
    put(&at, &rows, 4);
    put(&at, &n, 4);
    for (int32_t k = 0; k < 6; k++) put(&at, &(float){ (float)(rows * (k + 1)) }, 4);
    return (size_t)(at - out);
}

static void older_files_are_read(void)
{
    static const int32_t wrong[][3] = { { 0, 5, 6 }, { -1, 5, 6 }, { 2, 5, 6 }, { INT32_MAX, 5, 6 }, { 1, -5, 6 },
                                        { 1, 5, 0 }, { 1, 5, 7 }, { 1, 5, -6 }, { 1, 5, INT32_MAX } };
    const weft__file_tensor t = { .name = "a", .rank = 3, .dims = { 2, 9, 3 } }, plain = { .name = "a", .rank = 2,
                                .dims = { 9, 6 } }, odd = { .name = "a", .rank = 2, .dims = { 9, 3 } };
    unsigned char p[64];
    float out[6];
    bool found;
    weft__importance *i;
    weft_error err;
    const size_t size = make_dat(p, 1, 5, 6);
    if (CHECK_OK(weft__importance_parse(p, size, "x.dat", &i, &err), err)) {
        CHECK(weft__importance_has(i, "a") && !weft__importance_has(i, "b"));
        CHECK_OK(weft__importance_read(i, &t, 1, out, &found, &err), err);
        CHECK(found && out[0] == 4 && out[2] == 6);
        CHECK_OK(weft__importance_read(i, &plain, 0, out, &found, &err), err);
        CHECK(found && out[0] == 1 && out[5] == 6);
        CHECK_STATUS(weft__importance_read(i, &odd, 0, out, &found, &err), WEFT_SHAPE, err);
        weft__importance_close(i);
    }
    for (size_t k = 0; k < size; k++) CHECK_STATUS(weft__importance_parse(p, k, "x.dat", &i, &err), WEFT_FORMAT, err);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        make_dat(p, wrong[k][0], wrong[k][1], wrong[k][2]);
        CHECK_STATUS(weft__importance_parse(p, size, "x.dat", &i, &err), WEFT_FORMAT, err);
        CHECK_CONTAINS(err.text, "x.dat");
    }
}

static const weft_test tests[] = {
    { "older_files_are_read", older_files_are_read },
    { "writes_a_mixture", writes_a_mixture },
    { "importance_helps", importance_helps },
    { "importance_is_checked", importance_is_checked },
    { "failures_leave_the_target", failures_leave_the_target },
    { "killed_it_leaves_the_target", killed_it_leaves_the_target },
};
TEST_MAIN(tests)
