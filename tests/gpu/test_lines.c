/* test_lines.c: how many cache lines the loads of a subgroup touch in the kernels that read weights, keys and values
 * once: every load of matvec.comp and attention_decode.comp, for every row of tuning.def that walks along rows (panels
 * of one row) and every format. The addresses are those of shaders/turn.h and pieces.h, which the shaders compute with.
 * A load is ideal if it touches no more lines than the bytes that it is after would fill. */
#include "tests/test.h"

#include "backends/gpu/choose.h"
#include "backends/gpu/weights.h"
#include "shaders/formats.h"
#include "shaders/pieces.h"
#include "shaders/turn.h"

#include <stdlib.h>

enum { MAX_LANES = 128, STEPS = 5, OLD_LINES = 128 };

/* ---- lines ---- */

typedef struct load { uint32_t n, bytes, at[MAX_LANES]; } load; /* an instruction: lanes, bytes of each, addresses */

static int by_address(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Units of so many bytes that a load touches; addresses are counted from the beginning of a line. */
static uint32_t units_of(const load *l, uint32_t unit)
{
    static uint32_t seen[MAX_LANES * 64];
    uint32_t n = 0, distinct = 0;
    for (uint32_t i = 0; i < l->n; i++)
        for (uint32_t u = l->at[i] / unit; u <= (l->at[i] + l->bytes - 1) / unit; u++) seen[n++] = u;
    qsort(seen, n, sizeof *seen, by_address);
    for (uint32_t i = 0; i < n; i++) distinct += i == 0 || seen[i] != seen[i - 1];
    return distinct;
}

static uint32_t ideal(const load *l, uint32_t line)
{
    return (units_of(l, 1) + line - 1) / line;
}

static bool is_ideal(const load *l)
{
    return units_of(l, 64) == ideal(l, 64) && units_of(l, 128) == ideal(l, 128);
}

/* ---- formats ---- */

typedef struct format {
    weft_dtype type;
    const char *name;
    uint32_t quads, low_words, high_words, scale_bytes, upper_bytes;
} format;

static const format formats[] = {
#define GPU_FORMAT(id, weights, low, high, codes, zero, scales, ...)                                             \
    { WEFT_##id, #id, CODES_##codes == CODES_FLOAT ? 1 : weights / 4,                                            \
      (CODES_##codes == CODES_FLOAT ? 4 : weights) * low / 32, weights * high / 32, SCALE_BYTES_OF(SCALES_##scales), \
      UPPER_BYTES_OF(SCALES_##scales) },
#include "backends/gpu/formats.def"
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

/* ---- what the lanes of a subgroup read at step k ---- */

static uint32_t chunk_at(uint32_t k, uint32_t lanes, uint32_t lane)
{
    return turn_chunk(k, lanes, lane);
}

static load plane(uint32_t k, uint32_t lanes, uint32_t words)
{
    load l = { .n = lanes, .bytes = 4 * words };
    for (uint32_t i = 0; i < lanes; i++) l.at[i] = 4 * words * turn_plane(chunk_at(k, lanes, i));
    return l;
}

/* Of a turn, in one load; scales that come with offsets lie in two planes. */
static load scales(const format *f, uint32_t k, uint32_t lanes)
{
    uint32_t all = f->quads * (f->scale_bytes < 2 ? f->scale_bytes : 2);
    load l = { .n = lanes, .bytes = all };
    for (uint32_t i = 0; i < lanes; i++) l.at[i] = turn_shared(chunk_at(k, lanes, i), all);
    return l;
}

static load upper(const format *f, uint32_t k, uint32_t lanes)
{
    load l = { .n = lanes, .bytes = f->upper_bytes };
    for (uint32_t i = 0; i < lanes; i++) l.at[i] = turn_shared(chunk_at(k, lanes, i), f->upper_bytes);
    return l;
}

static load x_quads(const format *f, uint32_t k, uint32_t lanes, uint32_t quad)
{
    load l = { .n = lanes, .bytes = 16 };
    for (uint32_t i = 0; i < lanes; i++) l.at[i] = 16 * turn_quad(chunk_at(k, lanes, i), f->quads, quad);
    return l;
}

static load x_bytes(const format *f, uint32_t k, uint32_t lanes, uint32_t half)
{
    load l = { .n = lanes, .bytes = 16 };
    for (uint32_t i = 0; i < lanes; i++) l.at[i] = 16 * turn_bytes(chunk_at(k, lanes, i), f->quads, half);
    return l;
}

/* ---- every row and format ---- */

static void check_load(const char *row, const format *f, const char *what, load l)
{
    if (!CHECK(is_ideal(&l)))
        printf("  %s, %s, %s: %u lines of 64, %u of 128 bytes; ideal %u, %u\n", row, f->name, what, units_of(&l, 64),
               units_of(&l, 128), ideal(&l, 64), ideal(&l, 128));
}

static void check_step(const char *row, const format *f, uint32_t k, uint32_t lanes)
{
    check_load(row, f, "low", plane(k, lanes, f->low_words));
    if (f->high_words) check_load(row, f, "high", plane(k, lanes, f->high_words));
    if (f->scale_bytes) check_load(row, f, "scales", scales(f, k, lanes));
    if (f->upper_bytes) check_load(row, f, "upper", upper(f, k, lanes));
    for (uint32_t i = 0; i < f->quads; i++) check_load(row, f, "x", x_quads(f, k, lanes, i));
    for (uint32_t h = 0; h < f->quads / 4; h++) check_load(row, f, "x as bytes", x_bytes(f, k, lanes, h));
}

/* Of what a row asks for, and of subgroups that drivers may choose. */
static const gpu_tuning *const *tunings(uint32_t *n)
{
    static const gpu_tuning *rows[32];
    static const char *const names[] = {
#define GPU_TUNING(name, ...) #name,
#include "backends/gpu/tuning.def"
#undef GPU_TUNING
    };
    for (*n = 0; *n < sizeof names / sizeof *names; ++*n) rows[*n] = gpu_tuning_named(names[*n]);
    return rows;
}

static void loads_are_ideal(void)
{
    uint32_t n, walked = 0;
    const gpu_tuning *const *rows = tunings(&n);
    for (uint32_t r = 0; r < n; r++) {
        const uint32_t asked = rows[r]->subgroup;
        if (rows[r]->panel != 1) continue;
        for (uint32_t lanes = asked ? asked : 8; lanes <= (asked ? asked : MAX_LANES); lanes *= 2)
            for (size_t i = 0; i < N_FORMATS; i++)
                for (uint32_t k = 0; k < STEPS; k++) check_step(rows[r]->name, &formats[i], k, lanes);
        walked++;
    }
    CHECK(walked >= 7);
}

/* The columns of a row, all of them and each once; and where a quad is said to be it is. */
static void columns_are_dealt_out(void)
{
    for (size_t i = 0; i < N_FORMATS; i++) {
        const uint32_t quads = formats[i].quads, chunks = 3 * TURN_CHUNKS;
        unsigned char seen[3 * TURN_CHUNKS * 8] = { 0 };
        for (uint32_t c = 0; c < chunks; c++)
            for (uint32_t q = 0; q < quads; q++) {
                const uint32_t quad = turn_quad(c, quads, q);
                if (!CHECK(quad < chunks * quads)) return;
                seen[quad]++;
                CHECK_EQ_INT(turn_chunk_of(quad, quads), c);
                CHECK_EQ_INT(turn_index_of(quad, quads), q);
                if (formats[i].scale_bytes) CHECK_EQ_INT(quad / 8, c / TURN_CHUNKS * quads + q); /* its scale */
            }
        for (uint32_t q = 0; q < chunks * quads; q++) CHECK_EQ_INT(seen[q], 1);
    }
}

/* ---- keys and values ---- */

/* A lane for each piece of a row, as far as a subgroup has so many: k_attention.c. */
static uint32_t lanes_of(uint32_t n_pieces, uint32_t subgroup)
{
    uint32_t lanes = 1;
    while (lanes < subgroup && lanes < n_pieces) lanes *= 2;
    return lanes;
}

static load pieces(uint32_t turn, uint32_t n_pieces, uint32_t lanes, uint32_t subgroup)
{
    load l = { .n = subgroup, .bytes = 16 };
    for (uint32_t i = 0; i < subgroup; i++)
        l.at[i] = 16 * (piece_row(lanes, i) * n_pieces + piece_read(turn, lanes, i, n_pieces));
    return l;
}

/* Heads of plain types. Where a row has more pieces than its lanes read at once they are read in turns, of which each
 * touches whole lines of every row; a line that two turns share is not ideal, and only in a row that fills no lines. */
static void cells_are_ideal(void)
{
    static const uint32_t bytes[] = { 64, 128, 160, 192, 256, 512, 1024 };
    for (uint32_t subgroup = 8; subgroup <= 64; subgroup *= 2)
        for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
            const uint32_t n = bytes[i] / 16, lanes = lanes_of(n, subgroup);
            for (uint32_t turn = 0; turn * lanes < n; turn++) {
                const load l = pieces(turn, n, lanes, subgroup);
                const bool whole = bytes[i] % 128 == 0 || turn == 0;
                if (!CHECK(!whole || is_ideal(&l)))
                    printf("  rows of %u bytes, %u lanes, turn %u\n", bytes[i], lanes, turn);
            }
        }
}

/* attention_split.comp, which GPUs had before: a lane walks along a whole key, eight bytes at a time. */
static void old_cells_are_found(void)
{
    load l = { .n = 32, .bytes = 8 };
    for (uint32_t i = 0; i < 32; i++) l.at[i] = 256 * i;
    CHECK_EQ_INT(units_of(&l, OLD_LINES), 32);
    CHECK_EQ_INT(ideal(&l, OLD_LINES), 2);
}

/* ---- the layout before turns, where a lane had as many columns in a row as 16 bytes hold ---- */

static load old_x(uint32_t per_chunk, uint32_t lanes, uint32_t quad)
{
    load l = { .n = lanes, .bytes = 16 };
    for (uint32_t i = 0; i < lanes; i++) l.at[i] = 4 * (i * per_chunk + 4 * quad);
    return l;
}

static void old_layout_is_found(void)
{
    /* f16, q8_0, q4_0 */
    static const struct { uint32_t per_chunk, lines; } old[] = { { 8, 8 }, { 16, 16 }, { 32, 32 } };
    for (size_t i = 0; i < 3; i++) {
        load l = old_x(old[i].per_chunk, 32, 0);
        CHECK_EQ_INT(units_of(&l, OLD_LINES), old[i].lines);
        CHECK_EQ_INT(ideal(&l, OLD_LINES), 4);
        CHECK(!is_ideal(&l));
    }
}

static const weft_test tests[] = {
    { "loads are ideal", loads_are_ideal },
    { "columns are dealt out", columns_are_dealt_out },
    { "the old layout is found", old_layout_is_found },
    { "keys and values", cells_are_ideal },
    { "keys and values before", old_cells_are_found },
};
TEST_MAIN(tests)
