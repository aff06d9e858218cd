/* test_writer.c: what is written is read back; the shard plan; failures leave nothing; random
 * values. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

#include "models/checkpoint/checkpoint_impl.h"
#include "models/checkpoint/random_init.h"
#include "temp.h"

/* The byte of a tensor at an offset, as pattern_fill makes it. */
static unsigned char pattern(size_t index, uint64_t offset)
{
    return (unsigned char)(offset * 7 + offset / 251 + index * 31);
}

typedef struct pattern_ctx {
    size_t calls, fail_at, largest; /* fail_at: 1-based; 0 = never */
} pattern_ctx;

static weft_status pattern_fill(void *ctx, size_t index, uint64_t offset, void *out, size_t n,
                                weft_error *err)
{
    pattern_ctx *p = ctx;
    if (++p->calls == p->fail_at) return WEFT_FAIL(err, WEFT_CANCELLED, "stopped");
    if (n > p->largest) p->largest = n;
    for (size_t i = 0; i < n; i++) ((unsigned char *)out)[i] = pattern(index, offset + i);
    return WEFT_OK;
}

static weft__file_tensor declare(const char *name, const char *dtype, uint32_t rank, uint64_t d0,
                                 uint64_t d1)
{
    return (weft__file_tensor){
        .name = name, .dtype = weft__file_dtype_find(dtype), .rank = rank, .dims = { d0, d1 }
    };
}

#define N_TENSORS 6
static void declare_all(weft__file_tensor t[N_TENSORS])
{
    t[0] = declare("embed.weight", "F16", 2, 1000, 7); /* 14000 bytes */
    t[1] = declare("odd", "U8", 1, 13, 0);             /* 13: the next tensor is not aligned */
    t[2] = declare("layer.weight", "F32", 2, 3, 5);    /* 60 */
    t[3] = declare("scalar", "I64", 0, 0, 0);          /* 8 */
    t[4] = declare("empty", "F32", 2, 0, 4);           /* 0 */
    t[5] = declare("large \"q\" \xc3\xa9", "BF16", 1, 700001,
                   0); /* 1400002: two pieces; JSON must escape the name */
}
#define N_BYTES (14000 + 13 + 60 + 8 + 1400002)

static void round_trip(uint64_t shard_bytes, size_t n_files)
{
    temp_folder t = temp_make();
    weft__file_tensor tensors[N_TENSORS];
    pattern_ctx ctx = { 0 };
    weft_checkpoint *ck;
    weft_error err = { 0 };
    declare_all(tensors);
    weft__write_desc d = { .folder = temp_path(&t, "out"),
                           .tensors = tensors,
                           .n_tensors = N_TENSORS,
                           .shard_bytes = shard_bytes,
                           .texts = &(const weft__write_text){ "config.json", "{\"a\":1}", 7 },
                           .n_texts = 1,
                           .fill = pattern_fill,
                           .ctx = &ctx };
    CHECK_OK(weft__checkpoint_write(&d, &err), err);
    CHECK(ctx.largest <= WEFT__WRITE_PIECE);
    CHECK_EQ_INT(temp_count(d.folder), n_files + (n_files > 1) + 1);
    if (CHECK_OK(weft_checkpoint_open(d.folder, &ck, &err), err)) {
        CHECK_EQ_INT(weft_checkpoint_count(ck), N_TENSORS);
        CHECK_EQ_INT(weft__checkpoint_file_count(ck), n_files);
        CHECK_EQ_INT(weft_checkpoint_bytes(ck), N_BYTES);
        for (size_t i = 0; i < N_TENSORS; i++) {
            const weft__file_tensor *f = weft__checkpoint_find(ck, tensors[i].name);
            if (!CHECK(f)) continue;
            CHECK(f->dtype == tensors[i].dtype && f->rank == tensors[i].rank);
            CHECK(memcmp(f->dims, tensors[i].dims, f->rank * sizeof *f->dims) == 0);
            size_t same = 0;
            while (same < f->size && ((const unsigned char *)f->data)[same] == pattern(i, same))
                same++;
            CHECK_EQ_INT(same, f->size);
        }
    }
    weft_checkpoint_close(ck);
    temp_remove(&t);
}

static void writes_what_is_read(void)
{
    round_trip(0, 1);
    round_trip(N_BYTES, 1);
    round_trip(N_BYTES - 1, 2);
    round_trip(14013, 3);
    round_trip(14073, 3);
    round_trip(1, 5); /* the empty tensor joins the one before it */
}

static void refuses_bad_lists(void)
{
    temp_folder t = temp_make();
    weft__file_tensor tensors[N_TENSORS];
    pattern_ctx ctx = { 0 };
    weft_error err = { 0 };
    weft__write_desc d = { .folder = temp_path(&t, "out"),
                           .tensors = tensors,
                           .n_tensors = 0,
                           .fill = pattern_fill,
                           .ctx = &ctx };
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "no tensors");
    d.n_tensors = N_TENSORS;
    declare_all(tensors);
    tensors[4].name = "odd";
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "tensor odd is declared twice");
    declare_all(tensors);
    tensors[2].dims[0] = UINT64_MAX;
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "tensor layer.weight: its size overflows");
    declare_all(tensors);
    tensors[0].dims[0] = tensors[5].dims[0] = (uint64_t)1 << 61; /* each fits, the sum does not */
    tensors[0].dims[1] = 1;
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_INVALID, err);
    CHECK_EQ_INT(temp_count(t.path), 0);
    declare_all(tensors);
    d.folder = temp_path(&t, "no/such/parent");
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_IO, err);
    CHECK_CONTAINS(err.text, "no/such/parent");
    temp_write_text(&t, "model.safetensors", "mine");
    d.folder = t.path;
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_INVALID, err);
    CHECK_CONTAINS(err.text, "holds a checkpoint already (model.safetensors)");
    CHECK_EQ_INT(temp_count(t.path), 1);
    CHECK_EQ_INT(ctx.calls, 0);
    temp_remove(&t);
}

static void failed_fill_leaves_nothing(void)
{
    temp_folder t = temp_make();
    weft__file_tensor tensors[N_TENSORS];
    weft_error err = { 0 };
    declare_all(tensors);
    for (size_t fail_at = 1; fail_at <= 6; fail_at++) {
        pattern_ctx ctx = { .fail_at = fail_at };
        weft__write_desc d = { .folder = temp_path(&t, "out"),
                               .tensors = tensors,
                               .n_tensors = N_TENSORS,
                               .shard_bytes = 14013,
                               .texts = &(const weft__write_text){ "config.json", "{}", 2 },
                               .n_texts = 1,
                               .fill = pattern_fill,
                               .ctx = &ctx };
        CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_CANCELLED, err);
        CHECK_EQ_INT(temp_count(t.path), 0);
    }
    temp_write_text(&t, "config.json",
                    "{\"own\":1}"); /* a folder that was there stays, with what it had */
    pattern_ctx ctx = { .fail_at = 5 };
    weft__write_desc d = { .folder = t.path,
                           .tensors = tensors,
                           .n_tensors = N_TENSORS,
                           .shard_bytes = 14013,
                           .texts = &(const weft__write_text){ "config.json", "{}", 2 },
                           .n_texts = 1,
                           .fill = pattern_fill,
                           .ctx = &ctx };
    CHECK_STATUS(weft__checkpoint_write(&d, &err), WEFT_CANCELLED, err);
    CHECK_EQ_INT(temp_count(t.path), 1);
    temp_remove(&t);
}

/* A file-size limit stands in for a full disk: write fails in the middle of a file. */
static void full_disk_leaves_nothing(void)
{
    temp_folder t = temp_make();
    weft__file_tensor tensors[N_TENSORS];
    pattern_ctx ctx = { 0 };
    struct rlimit old, small;
    weft_error err = { 0 };
    declare_all(tensors);
    if (getrlimit(RLIMIT_FSIZE, &old) != 0) TEST_SKIP("no file-size limit here");
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){ 1000000, old.rlim_max };
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    weft__write_desc d = { .folder = temp_path(&t, "out"),
                           .tensors = tensors,
                           .n_tensors = N_TENSORS,
                           .shard_bytes = 14013,
                           .fill = pattern_fill,
                           .ctx = &ctx };
    weft_status s = weft__checkpoint_write(&d, &err);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    signal(SIGXFSZ, handler);
    CHECK_STATUS(s, WEFT_IO, err);
    CHECK_CONTAINS(err.text, "model-00003-of-00003.safetensors.partial: cannot write");
    CHECK_EQ_INT(temp_count(t.path), 0);
    temp_remove(&t);
}

/* ---- random values ---- */

static float from_half(const unsigned char *p, bool bf16)
{
    uint32_t h = (uint32_t)p[0] | (uint32_t)p[1] << 8, u = h << 16;
    float f;
    if (bf16) {
        memcpy(&f, &u, sizeof f);
        return f;
    }
    int e = (int)(h >> 10 & 31);
    f = e ? ldexpf((float)(1024 + (h & 1023)), e - 25) : ldexpf((float)(h & 1023), -24);
    return h & 0x8000 ? -f : f;
}

static void random_values_are_normal(void)
{
    enum { N = 1 << 20 };
    static float x[N];
    weft__file_tensor t = declare("w", "F32", 2, 1024, 1024);
    weft__random_init r = { .tensors = &t, .seed = 7, .deviation = 0.02f };
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0, lag = 0;
    size_t beyond[4] = { 0 };
    weft_error err = { 0 };
    CHECK_OK(weft__random_fill(&r, 0, 0, x, sizeof x, &err), err);
    for (size_t i = 0; i < N; i++) {
        double z = x[i] / 0.02;
        m1 += z;
        m2 += z * z;
        m3 += z * z * z;
        m4 += z * z * z * z;
        if (i) lag += z * x[i - 1] / 0.02;
        for (int k = 1; k < 4; k++) beyond[k] += fabs(z) > k;
    }
    CHECK_NEAR(m1 / N, 0, 0.004); /* four standard errors of each */
    CHECK_NEAR(m2 / N, 1, 0.0056);
    CHECK_NEAR(m3 / N, 0, 0.016);
    CHECK_NEAR(m4 / N, 3, 0.04);
    CHECK_NEAR(lag / N, 0, 0.004);
    CHECK_NEAR((double)beyond[1] / N, 0.317311, 0.0024);
    CHECK_NEAR((double)beyond[2] / N, 0.045500, 0.001);
    CHECK_NEAR((double)beyond[3] / N, 0.002700, 0.0003);
}

/* Any pieces give the same bits; another name, seed or position gives others. */
static void random_values_do_not_depend_on_pieces(void)
{
    static const char *const types[] = { "F32", "F16", "BF16" };
    static unsigned char whole[3][40000], parts[40000];
    weft_error err = { 0 };
    for (int k = 0; k < 3; k++) {
        weft__file_tensor t[2] = { declare("a.weight", types[k], 2, 100, 50),
                                   declare("b.weight", types[k], 2, 100, 50) };
        weft__random_init r = { .tensors = t, .seed = 3, .deviation = 1 };
        size_t bytes = t[0].dtype->bytes, n = 5000 * bytes;
        CHECK_OK(weft__random_fill(&r, 0, 0, whole[k], n, &err), err);
        for (size_t at = 0, step = 1; at < n; at += step * bytes, step = step * 2 + 1) {
            if (step * bytes > n - at) step = (n - at) / bytes;
            CHECK_OK(weft__random_fill(&r, 0, at, parts + at, step * bytes, &err), err);
        }
        CHECK(memcmp(whole[k], parts, n) == 0);
        CHECK_OK(weft__random_fill(&r, 1, 0, parts, n, &err), err);
        CHECK(memcmp(whole[k], parts, n) != 0);
        r.seed = 4;
        CHECK_OK(weft__random_fill(&r, 0, 0, parts, n, &err), err);
        CHECK(memcmp(whole[k], parts, n) != 0);
    }
    /* The half types are the f32 values to nearest: half an ulp is 2^-11 or 2^-8 of the value,
     * 2^-25 if subnormal. */
    for (size_t i = 0; i < 5000; i++) {
        float f;
        memcpy(&f, whole[0] + 4 * i, sizeof f);
        CHECK_NEAR(from_half(whole[1] + 2 * i, false), f, fabs((double)f) / 2048 + 0x1p-25);
        CHECK_NEAR(from_half(whole[2] + 2 * i, true), f, fabs((double)f) / 256);
    }
}

/* The first values of one tensor, fixed so that a change of the generator is noticed. */
static void random_values_stay_the_same(void)
{
    weft__file_tensor t = declare("gpt_neox.embed_in.weight", "F32", 2, 2, 2);
    weft__random_init r = { .tensors = &t, .seed = 1, .deviation = 0.02f };
    uint32_t u[4];
    weft_error err = { 0 };
    CHECK_OK(weft__random_fill(&r, 0, 0, u, sizeof u, &err), err);
    static const uint32_t want[4] = { 0x3c27c7c1, 0xbc923a25, 0xbb299f77, 0xbbc8fe08 };
    for (int i = 0; i < 4; i++)
        if (!CHECK_EQ_INT(u[i], want[i])) printf("  0x%08x\n", u[i]);
}

static void halves_round_to_nearest_even(void)
{
    /* With deviation 2^-24 / z the values are around f16's smallest subnormals: rounding ties
     * and zero occur. */
    static float x[4096];
    static unsigned char h[2 * 4096];
    weft__file_tensor t[2] = { declare("w", "F32", 1, 4096, 0), declare("w", "F16", 1, 4096, 0) };
    weft__init_kind kinds[2] = { WEFT__INIT_NORMAL, WEFT__INIT_NORMAL };
    static const float deviations[] = { 0x1p-24f, 0x1p-15f, 0.02f, 20000.0f };
    weft_error err = { 0 };
    for (int k = 0; k < 4; k++) {
        weft__random_init r = {
            .tensors = t, .kinds = kinds, .seed = 9, .deviation = deviations[k]
        };
        CHECK_OK(weft__random_fill(&r, 0, 0, x, sizeof x, &err), err);
        CHECK_OK(weft__random_fill(&r, 1, 0, h, sizeof h, &err), err);
        for (size_t i = 0; i < 4096; i++) {
            int e = 0;
            frexpf(x[i], &e);
            double ulp = ldexp(1, (e > -13 ? e : -13) - 11), want = nearbyint(x[i] / ulp) * ulp;
            if (fabs(want) >= 65520) continue;
            if (!CHECK(from_half(h + 2 * i, false) == (float)want))
                printf("  of %a\n", (double)x[i]);
        }
    }
}

static void init_kinds_follow_names(void)
{
    weft__file_tensor t[3] = { declare("l.weight", "F16", 1, 3, 0),
                               declare("l.bias", "F16", 1, 3, 0),
                               declare("m.weight", "BF16", 1, 3, 0) };
    weft__random_init r = { .tensors = t, .seed = 1, .deviation = 0.02f };
    unsigned char x[6];
    weft_error err = { 0 };
    CHECK_EQ_INT(weft__init_kind_of(&t[0]), WEFT__INIT_ONE);
    CHECK_EQ_INT(weft__init_kind_of(&t[1]), WEFT__INIT_ZERO);
    t[0].rank = 2;
    CHECK_EQ_INT(weft__init_kind_of(&t[0]), WEFT__INIT_NORMAL);
    t[0].rank = 1;
    CHECK_OK(weft__random_fill(&r, 0, 0, x, 6, &err), err);
    CHECK(from_half(x, false) == 1 && from_half(x + 4, false) == 1);
    CHECK_OK(weft__random_fill(&r, 1, 0, x, 6, &err), err);
    CHECK(from_half(x, false) == 0 && from_half(x + 4, false) == 0);
    CHECK_OK(weft__random_fill(&r, 2, 2, x, 4, &err), err);
    CHECK(from_half(x, true) == 1);
    t[0] = declare("l.weight", "I64", 2, 1, 1);
    CHECK_STATUS(weft__random_fill(&r, 0, 0, x, 0, &err), WEFT_UNSUPPORTED, err);
    CHECK_CONTAINS(err.text, "tensor l.weight: random I64");
}

/* The same files whatever the shards: compared tensor by tensor after reading back. */
static void random_checkpoints_are_deterministic(void)
{
    temp_folder t = temp_make();
    weft__file_tensor tensors[3] = { declare("e.weight", "F16", 2, 300, 40),
                                     declare("n.weight", "F16", 1, 40, 0),
                                     declare("h.weight", "F16", 2, 300, 40) };
    weft__random_init r = { .tensors = tensors, .seed = 11, .deviation = 0.02f };
    weft__write_desc d = { .folder = temp_path(&t, "a"),
                           .tensors = tensors,
                           .n_tensors = 3,
                           .fill = weft__random_fill,
                           .ctx = &r };
    weft_checkpoint *a, *b;
    weft_error err = { 0 };
    CHECK_OK(weft__checkpoint_write(&d, &err), err);
    CHECK_OK(weft_checkpoint_open(d.folder, &a, &err), err);
    d.folder = temp_path(&t, "b");
    d.shard_bytes = 1;
    CHECK_OK(weft__checkpoint_write(&d, &err), err);
    CHECK_OK(weft_checkpoint_open(d.folder, &b, &err), err);
    for (size_t i = 0; a && b && i < 3; i++) {
        const weft__file_tensor *p = weft__checkpoint_at(a, i), *q = weft__checkpoint_at(b, i);
        CHECK(p->size == q->size && memcmp(p->data, q->data, p->size) == 0);
    }
    weft_checkpoint_close(a);
    weft_checkpoint_close(b);
    temp_remove(&t);
}

static const weft_test tests[] = {
    { "writes_what_is_read", writes_what_is_read },
    { "refuses_bad_lists", refuses_bad_lists },
    { "failed_fill_leaves_nothing", failed_fill_leaves_nothing },
    { "full_disk_leaves_nothing", full_disk_leaves_nothing },
    { "random_values_are_normal", random_values_are_normal },
    { "random_values_do_not_depend_on_pieces", random_values_do_not_depend_on_pieces },
    { "random_values_stay_the_same", random_values_stay_the_same },
    { "halves_round_to_nearest_even", halves_round_to_nearest_even },
    { "init_kinds_follow_names", init_kinds_follow_names },
    { "random_checkpoints_are_deterministic", random_checkpoints_are_deterministic },
};
TEST_MAIN(tests)
