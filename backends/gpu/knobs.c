/* knobs.c: which fields of a row can be tuned, for which shapes, and to what (tuned.h). A value that a device does not
 * take is found by asking the kernels: what they would launch is checked as pipelines are. */
#include "backends/gpu/tuned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a parameter matters to: products and attention of at most 8 tokens, of more. */
enum { VECTOR = 1, TILE = 2, FEW = 4, MANY = 8 };

typedef struct knob {
    const char *name;
    uint32_t uses;
    uint32_t *(*at)(gpu_form *f);
    uint32_t values[8], n;
} knob;

static uint32_t *by_bits(gpu_by_bits *n, weft_dtype t)
{
    const gpu_by_bits which = { 1, 2, 3 };
    const uint32_t is = gpu_for_bits(&which, t);
    return is == 1 ? &n->bits16 : is == 2 ? &n->bits8 : &n->bits4;
}

#define AT(name, expression) \
    static uint32_t *at_##name(gpu_form *f) { return expression; }
AT(block, &f->tuning.block)
AT(subgroup, &f->caps.subgroup)
AT(rows, by_bits(&f->tuning.rows, f->type))
AT(most, by_bits(&f->tuning.most, f->type))
AT(steps, by_bits(&f->tuning.steps, f->type))
AT(dot, by_bits(&f->caps.dot_least, f->type))
AT(columns, &f->tuning.columns)
AT(tile_rows, &f->tuning.tile.rows)
AT(tile_columns, &f->tuning.tile.columns)
AT(matrix_rows, &f->tuning.matrix.rows)
AT(matrix_columns, &f->tuning.matrix.columns)
AT(sub_rows, &f->tuning.matrix.sub_rows)
AT(sub_columns, &f->tuning.matrix.sub_columns)
AT(row_block, &f->tuning.row_block)
AT(flat_block, &f->tuning.flat_block)
AT(keys, &f->tuning.keys)
AT(lanes, &f->tuning.lanes)
AT(decode_block, &f->tuning.decode.block)
AT(decode_heads, &f->tuning.decode.heads)
AT(decode_fill, &f->tuning.decode.fill)
AT(decode_keys, &f->tuning.decode.keys)
#undef AT

#define KNOB(name, uses, ...) \
    { #name, uses, at_##name, { __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t) }
static const knob knobs[] = {
    KNOB(block, VECTOR, 8, 16, 32, 64, 128, 256),
    KNOB(rows, VECTOR | TILE, 1, 2, 4, 8),
    KNOB(subgroup, VECTOR | TILE | FEW, 8, 16, 32, 64),
    KNOB(most, VECTOR, 1, 2, 4, 8),
    KNOB(steps, VECTOR, 1, 2, 4),
    KNOB(dot, VECTOR, 0, 1),
    KNOB(columns, TILE, 0, 8, 16),
    KNOB(matrix_rows, TILE, 0, 64, 128),
    KNOB(matrix_columns, TILE, 32, 64, 128),
    KNOB(sub_rows, TILE, 16, 32, 64),
    KNOB(sub_columns, TILE, 16, 32, 64),
    KNOB(tile_rows, TILE, 32, 64),
    KNOB(tile_columns, TILE, 32, 64),
    KNOB(keys, FEW, 64, 128, 256, 512),
    KNOB(row_block, FEW, 16, 32, 64, 128, 256),
    KNOB(decode_heads, FEW, 0, 1, 2, 4),
    KNOB(decode_block, FEW, 32, 64, 128, 256),
    KNOB(decode_fill, FEW, 32, 64, 128, 256, 512),
    KNOB(decode_keys, FEW, 16, 32, 64, 128, 256),
    KNOB(lanes, MANY, 0, 64, 128, 256),
    KNOB(flat_block, MANY, 32, 64, 128, 256),
};
#undef KNOB
enum { N_KNOBS = sizeof knobs / sizeof *knobs };

static uint32_t use_of(const gpu_tuned_key *k)
{
    return k->attention ? k->tokens <= 8 ? FEW : MANY : k->tokens <= 8 ? VECTOR : TILE;
}

/* ---- settings ---- */

static bool put_value(gpu_form *f, uint32_t use, const char *item, size_t n)
{
    for (uint32_t i = 0; i < N_KNOBS; i++) {
        const size_t length = strlen(knobs[i].name);
        if (!(knobs[i].uses & use) || n <= length || item[length] != '=' || strncmp(item, knobs[i].name, length))
            continue;
        char *end;
        const unsigned long value = strtoul(item + length + 1, &end, 10);
        for (uint32_t k = 0; k < knobs[i].n && end == item + n; k++)
            if (knobs[i].values[k] == value) return *knobs[i].at(f) = (uint32_t)value, true;
        return false;
    }
    return false;
}

static bool fill(gpu_form *f, const gpu_caps *base, const gpu_tuned_key *key, const char *setting)
{
    *f = (gpu_form){ .caps = *base, .tuning = *base->tuning, .type = key->type };
    f->caps.tuning = &f->tuning;
    if (strlen(setting) >= sizeof f->setting) return false;
    strcpy(f->setting, setting);
    for (const char *at = setting; *at;) {
        const size_t n = strcspn(at, ",");
        if (!put_value(f, use_of(key), at, n)) return false;
        at += n + (at[n] == ',');
    }
    return true;
}

/* ---- what a device takes ---- */

/* Fields that kernels take for granted of each other. Tiles of no rows: no matrices. */
static bool is_sound(gpu_form *f, const gpu_caps *base)
{
    const gpu_tuning *t = &f->tuning;
    const bool same = f->caps.subgroup == base->subgroup;
    const bool walks = t->panel == 1; /* else a lane per row, whose workgroup is a panel */
    if (t->block < t->panel || (!walks && !same)) return false;
    if (!walks && memcmp(&t->steps, &base->tuning->steps, sizeof t->steps)) return false;
    if (!base->tuning->decode.heads && memcmp(&t->decode, &base->tuning->decode, sizeof t->decode)) return false;
    if (!same && (!base->subgroup_control || f->caps.subgroup < base->subgroup_min ||
                  f->caps.subgroup > base->subgroup_max || t->block < f->caps.subgroup))
        return false;
    if (base->type == WEFT_DEVICE_SOFTWARE && gpu_for_bits(&t->rows, f->type) * gpu_for_bits(&t->most, f->type) > 32)
        return false; /* unrolled, which its compiler takes minutes for */
    if (!base->dot_accelerated && memcmp(&f->caps.dot_least, &base->dot_least, sizeof base->dot_least)) return false;
    f->caps.matrix = t->matrix.rows ? base->matrix : (gpu_matrix){ 0 };
    if (!t->matrix.rows || !base->matrix.m)
        return base->matrix.m || !memcmp(&t->matrix, &base->tuning->matrix, sizeof t->matrix);
    return t->matrix.rows % t->matrix.sub_rows == 0 && t->matrix.columns % t->matrix.sub_columns == 0 &&
           gpu_matrix_fits(&f->caps, base->matrix.m, base->matrix.n, base->matrix.k);
}

/* A tensor without gaps. */
static gpu_tensor dense(weft_dtype t, weft_layout layout, uint32_t rank, int64_t a, int64_t b, int64_t c)
{
    gpu_tensor out = { .dtype = t, .layout = layout, .rank = rank, .dim = { a, b, c }, .n_parts = 1 };
    int64_t stride = 1;
    out.dims.rank = rank;
    for (uint32_t i = rank; i-- > 0; stride *= out.dim[i]) {
        out.stride[i] = stride;
        out.dims.d[i].n = out.dim[i];
    }
    return out;
}

static bool launches_fit(const gpu_caps *f, const gpu_call *c)
{
    weft_place_reason why;
    const gpu_kernel *k = gpu_kernel_find(c, NULL, NULL, &why, NULL);
    const uint32_t n = k && k->launches ? k->launches(c) : 1;
    for (uint32_t i = 0; k && i < n && i < 4; i++) {
        gpu_launch l = { 0 };
        k->launch(c, i, &l);
        if (gpu_workgroup_check(f, l.shader, l.spec[0], l.subgroup, NULL)) return false;
    }
    return k != NULL;
}

/* What the kernels would launch for a shape of the key. */
static bool device_takes(const gpu_form *f, const gpu_tuned_key *key)
{
    const int64_t rows = key->rows ? key->rows : 1024, columns = key->columns, tokens = key->tokens;
    gpu_tensor in[5] = { dense(WEFT_F32, GPU_LAYOUT_PLAIN, 2, tokens, columns, 1),
                         dense(key->type, GPU_LAYOUT_PANEL, 2, rows, columns, 1) };
    gpu_tensor out = dense(WEFT_F32, GPU_LAYOUT_PLAIN, 2, tokens, rows, 1);
    weft_attrs attrs = { 0 };
    gpu_call c = { .caps = &f->caps, .in = in, .out = &out, .n_in = 2, .n_out = 1, .op = WEFT_OP_matmul_nt,
                   .attrs = &attrs };
    if (key->attention) {
        c.op = WEFT_OP_attention;
        c.n_in = 5;
        attrs.attention.scale = 1;
        in[0] = out = dense(WEFT_F32, GPU_LAYOUT_PLAIN, 3, tokens, 4, columns);
        in[1] = in[2] = dense(key->type, GPU_LAYOUT_PLAIN, 3, 2, 4096, columns);
        in[3] = in[4] = dense(WEFT_I32, GPU_LAYOUT_PLAIN, 1, tokens, 1, 1);
    }
    return launches_fit(&f->caps, &c);
}

const gpu_caps *gpu_form_of(gpu_tuned_set *s, const gpu_caps *base, const gpu_tuned_key *key, const char *setting)
{
    gpu_form f;
    if (!*setting) return base;
    if (!fill(&f, base, key, setting) || !is_sound(&f, base) || !device_takes(&f, key)) return NULL;
    for (gpu_form *known = s->forms; known; known = known->next)
        if (known->type == key->type && !strcmp(known->setting, setting)) return &known->caps;
    uint32_t n;
    const gpu_kernel *const *all = gpu_kernels(&n);
    gpu_form *kept = malloc(sizeof *kept);
    gpu_kernel *kernels = calloc(n, sizeof *kernels);
    if (!kept || !kernels) {
        free(kept);
        free(kernels);
        return NULL;
    }
    *kept = f;
    kept->caps.tuning = &kept->tuning;
    kept->kernels = kernels;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(&kernels[i], all[i], sizeof *kernels);
        kernels[i].form = &kept->caps;
    }
    kept->next = s->forms;
    s->forms = kept;
    return &kept->caps;
}

/* Those parameters of a shape that differ from the row's, in the order of the table: one text for one setting. */
static bool write_setting(gpu_form *f, const gpu_caps *base, const gpu_tuned_key *key, char out[WEFT_TUNE_TEXT])
{
    gpu_form row;
    size_t at = 0;
    fill(&row, base, key, "");
    *out = 0;
    for (uint32_t i = 0; i < N_KNOBS && at < WEFT_TUNE_TEXT; i++) {
        const uint32_t value = *knobs[i].at(f);
        if (!(knobs[i].uses & use_of(key)) || value == *knobs[i].at(&row)) continue;
        at += (size_t)snprintf(out + at, WEFT_TUNE_TEXT - at, "%s%s=%u", at ? "," : "", knobs[i].name, value);
    }
    return at < WEFT_TUNE_TEXT;
}

bool gpu_setting_next(const gpu_caps *base, const gpu_tuned_key *key, const char *from, uint32_t i,
                      char out[WEFT_TUNE_TEXT])
{
    for (uint32_t k = 0; k < N_KNOBS; k++) {
        if (!(knobs[k].uses & use_of(key))) continue;
        for (uint32_t v = 0; v < knobs[k].n; v++) {
            gpu_form f;
            if (!fill(&f, base, key, from)) return false;
            if (*knobs[k].at(&f) == knobs[k].values[v]) continue;
            *knobs[k].at(&f) = knobs[k].values[v];
            if (is_sound(&f, base) && device_takes(&f, key) && write_setting(&f, base, key, out) && !i--) return true;
        }
    }
    return false;
}

/* ---- rows ---- */

uint64_t gpu_tuning_hash(const gpu_tuning *t)
{
    uint64_t h = 14695981039346656037u;
    const unsigned char *p = (const unsigned char *)t, *end = p + sizeof *t;
    for (p += sizeof t->name; p < end; p++) h = (h ^ *p) * 1099511628211u;
    return h;
}

static void print_bits(const weft_writer *w, const char *name, const gpu_by_bits *n)
{
    weft_writef(w, " .%s = { .bits16 = %u, .bits8 = %u, .bits4 = %u },", name, n->bits16, n->bits8, n->bits4);
}

static bool print_row(const gpu_form *f, const char *name, const weft_writer *w)
{
    const gpu_tuning *t = &f->tuning;
    weft_writef(w, "GPU_TUNING(%s,\n    .subgroup = %u, .panel = %u, .block = %u, .row_block = %u, .flat_block = %u,\n",
                name, f->caps.subgroup, t->panel, t->block, t->row_block, t->flat_block);
    weft_writef(w, "   ");
    print_bits(w, "rows", &t->rows);
    print_bits(w, "most", &t->most);
    weft_writef(w, "\n   ");
    print_bits(w, "steps", &t->steps);
    print_bits(w, "dot", &f->caps.dot_least);
    weft_writef(w, "\n    .tile = { .rows = %u, .columns = %u, .block = %u }, .columns = %u, .keys = %u, .lanes = %u,\n"
                   "    .decode = { .block = %u, .heads = %u, .fill = %u, .keys = %u },\n"
                   "    .matrix = { .rows = %u, .columns = %u, .sub_rows = %u, .sub_columns = %u })\n",
                t->tile.rows, t->tile.columns, t->tile.block, t->columns, t->keys, t->lanes,
                t->decode.block, t->decode.heads, t->decode.fill, t->decode.keys, t->matrix.rows, t->matrix.columns,
                t->matrix.sub_rows, t->matrix.sub_columns);
    return weft_writef(w, "%s", "");
}

bool gpu_tuned_row(const gpu_tuned_set *s, const gpu_caps *base, const char *name, const weft_writer *w)
{
    gpu_form row = { .caps = *base, .tuning = *base->tuning };
    for (uint32_t i = s->n; i-- > 0;) { /* the first one last: it counts */
        gpu_form f;
        const gpu_tuned *it = &s->items[i];
        if (it->state != GPU_TUNED_KEPT || !fill(&f, base, &it->key, it->setting)) continue;
        row.type = it->key.type;
        for (uint32_t k = 0; k < N_KNOBS; k++)
            if (knobs[k].uses & use_of(&it->key)) *knobs[k].at(&row) = *knobs[k].at(&f);
    }
    return print_row(&row, name, w);
}
