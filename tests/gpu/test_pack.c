/* test_pack.c: panels of every format (weights.h): how many bytes they take, and that rows fill them side by side. What
 * shaders read out of them is compared by the op cases. */
#include "tests/test.h"

#include "backends/gpu/choose.h"
#include "backends/gpu/weights.h"

#include <stdlib.h>

static const struct { weft_dtype type; double more; /* bits a weight than the file has */ } formats[] = {
    { WEFT_F32, 0 },   { WEFT_F16, 0 },      { WEFT_BF16, 0 },     { WEFT_Q8_0, 0 },      { WEFT_Q4_0, 0 },
    { WEFT_Q4_1, 0 },  { WEFT_Q5_0, 0 },     { WEFT_Q5_1, 0 },     { WEFT_Q2_K, 0 },      { WEFT_Q3_K, 0.125 },
    { WEFT_Q4_K, 0.125 }, { WEFT_Q5_K, 0.125 }, { WEFT_Q6_K, 0 },  { WEFT_IQ4_NL, 0 },    { WEFT_IQ4_XS, 0.0625 },
    { WEFT_MXFP4, 0 }, { WEFT_IQ1_S, 1.75 }, { WEFT_IQ1_M, 1.8125 }, { WEFT_IQ2_XXS, 1.25 }, { WEFT_IQ2_XS, 1.25 },
    { WEFT_IQ2_S, 1 }, { WEFT_IQ3_XXS, 1.25 }, { WEFT_IQ3_S, 0.875 }, { WEFT_TQ1_0, 0.375 }, { WEFT_TQ2_0, 0 },
    { WEFT_NVFP4, 0 },
};
enum { N_FORMATS = sizeof formats / sizeof *formats, COLUMNS = 4096 };
static const char *const tunings[] = { "amd_rdna", "swiftshader", "lavapipe" }; /* panels of 1, 4 and 8 rows */

static gpu_caps caps_of(const char *tuning)
{
    return (gpu_caps){ .max_binding = UINT64_C(1) << 31, .max_allocation = UINT64_C(1) << 31,
                       .tuning = gpu_tuning_named(tuning) };
}

static void bytes_are_near_the_files(void)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        for (size_t k = 0; k < 3; k++) {
            gpu_caps f = caps_of(tunings[k]);
            const weft_dtype_info *info = weft_dtype_get(formats[i].type);
            gpu_panels p;
            if (!CHECK(gpu_panels_of(&f, formats[i].type, COLUMNS, &p))) continue;
            double bits = 8.0 * (double)p.group_bytes / p.group / COLUMNS;
            CHECK_NEAR(bits, 8.0 * info->bytes / info->block + formats[i].more, 1e-9);
            CHECK_EQ_INT(p.group_bytes % 16, 0);
        }
}

/* Where row r of a group has bits: those of entries of codebooks are never all of them, so several rows are tried. */
static void mark(const gpu_panels *p, weft_dtype t, uint32_t r, uint64_t row_bytes, unsigned char *row,
                 unsigned char *one)
{
    static const unsigned char fills[] = { 0xff, 0xaa, 0x6d, 0x13 };
    memset(one, 0, p->group_bytes);
    for (size_t k = 0; k < sizeof fills; k++) {
        unsigned char *made = calloc(1, p->group_bytes);
        if (!CHECK(made)) return;
        memset(row, fills[k], row_bytes);
        gpu_pack_row(p, t, row, row_bytes, r, made);
        for (uint64_t i = 0; i < p->group_bytes; i++) one[i] |= made[i];
        free(made);
    }
}

/* Every byte of a group is some row's, and no two rows'. */
static void fill(weft_dtype t, const char *tuning)
{
    gpu_caps f = caps_of(tuning);
    gpu_panels p;
    uint64_t row_bytes, doubled = 0, empty = 0;
    if (!CHECK(gpu_panels_of(&f, t, COLUMNS, &p)) || !CHECK(weft_dtype_row_bytes(t, COLUMNS, &row_bytes))) return;
    unsigned char *row = malloc(row_bytes), *one = malloc(p.group_bytes), *all = calloc(1, p.group_bytes);
    if (!CHECK(row && one && all)) return;
    for (uint32_t r = 0; r < p.group; r++) {
        mark(&p, t, r, row_bytes, row, one);
        for (uint64_t i = 0; i < p.group_bytes; i++) {
            doubled += one[i] && all[i];
            all[i] |= one[i];
        }
    }
    for (uint64_t i = 0; i < p.group_bytes; i++) empty += !all[i];
    CHECK_EQ_INT(doubled, 0);
    CHECK_EQ_INT(empty, 0);
    free(row);
    free(one);
    free(all);
}

static void rows_lie_side_by_side(void)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        for (size_t k = 0; k < 3; k++) fill(formats[i].type, tunings[k]);
}

/* A change of what packing makes needs another VERSION in vk_layout_form (backends/vulkan/weights.c), or weights that
 * were kept in files before would be taken for it: raise that, and put the new number here. */
static void packing_is_of_its_version(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < 3 * N_FORMATS; i++) {
        gpu_caps f = caps_of(tunings[i % 3]);
        const weft_dtype t = formats[i / 3].type;
        gpu_panels p;
        uint64_t row_bytes;
        if (!CHECK(gpu_panels_of(&f, t, COLUMNS, &p)) || !CHECK(weft_dtype_row_bytes(t, COLUMNS, &row_bytes))) continue;
        unsigned char *row = malloc(row_bytes), *group = calloc(1, p.group_bytes);
        for (uint32_t r = 0; CHECK(row && group) && r < p.group; r++) {
            for (uint64_t k = 0; k < row_bytes; k++) row[k] = (unsigned char)((k + r * 77) * 2654435761u >> 13);
            gpu_pack_row(&p, t, row, row_bytes, r, group);
        }
        for (uint64_t k = 0; group && k < p.group_bytes; k++) sum = (sum ^ group[k]) * 1099511628211u;
        free(row);
        free(group);
    }
    CHECK_EQ_INT(sum, 7837894327979768194);
}

static void every_row_of_the_table_is_here(void)
{
    for (weft_dtype t = 1; t < WEFT_DTYPE_COUNT; t++) {
        bool here = false;
        for (size_t i = 0; i < N_FORMATS; i++) here = here || formats[i].type == t;
        CHECK(here == (gpu_format_of(t)->per_chunk != 0));
    }
}

static const weft_test tests[] = {
    { "bytes are near the file's", bytes_are_near_the_files },
    { "rows lie side by side", rows_lie_side_by_side },
    { "packing is of its version", packing_is_of_its_version },
    { "every row of the table is here", every_row_of_the_table_is_here },
};
TEST_MAIN(tests)
