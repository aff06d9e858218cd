/* adapter_weights.c: the numbers of adapters as the weights that their side paths have: of all choices one after the
 * other, of a choice those of all its parts, scaled, and zeros up to the widest. */
#include "models/adapter_impl.h"

#include <stdlib.h>
#include <string.h>

#include "backends/contract.h"
#include "graph/convert.h"

static double factor_of(const weft__adapters *s, uint32_t use, const weft__adapter_module *m)
{
    return m->factor * s->uses[use].scale;
}

/* The elements [at, at + n) of a tensor. */
static void read_row(const weft__file_tensor *t, uint64_t at, int64_t n, float *out)
{
    weft__convert_row(t->dtype->type, (const unsigned char *)t->data + at * t->dtype->bytes, WEFT_F32, out, n);
}

/* Where the part of a use begins among those of its choice. */
static uint32_t offset_of(const weft__adapters *s, const weft__adapter_site *site, uint32_t use)
{
    uint32_t sum = 0;
    for (uint32_t u = 0; u < use; u++)
        if (s->uses[u].choice == s->uses[use].choice && site->of[u]) sum += site->of[u]->rank;
    return sum;
}

/* [choices, rank, n] of each [r, n]. */
static void fill_a(const weft__adapters *s, const weft__adapter_site *site, uint32_t use, float *out)
{
    const weft__adapter_module *m = site->of[use];
    out += ((int64_t)s->uses[use].choice * site->rank + offset_of(s, site, use)) * site->n;
    read_row(m->part[WEFT__LORA_A], 0, (int64_t)m->rank * site->n, out);
}

/* [choices V, rank] of each [r, V]; row has n floats. */
static void fill_table(const weft__adapters *s, const weft__adapter_site *site, uint32_t use, float *row, float *out)
{
    const weft__adapter_module *m = site->of[use];
    out += (int64_t)s->uses[use].choice * site->n * site->rank + offset_of(s, site, use);
    for (uint32_t k = 0; k < m->rank; k++) {
        read_row(m->part[WEFT__LORA_TABLE_A], (uint64_t)k * (uint64_t)site->n, site->n, row);
        for (int64_t v = 0; v < site->n; v++) out[v * site->rank + k] = row[v];
    }
}

/* [choices, m, rank] of each [m, r]. */
static void fill_b(const weft__adapters *s, const weft__adapter_site *site, uint32_t use, float *row, float *out)
{
    const weft__adapter_module *m = site->of[use];
    const double factor = factor_of(s, use, m);
    out += (int64_t)s->uses[use].choice * site->m * site->rank + offset_of(s, site, use);
    for (int64_t j = 0; j < site->m; j++, out += site->rank) {
        read_row(m->part[site->rows ? WEFT__LORA_TABLE_B : WEFT__LORA_B], (uint64_t)j * m->rank, m->rank, row);
        for (uint32_t k = 0; k < m->rank; k++) out[k] = (float)(factor * row[k]);
    }
}

/* [choices, m]: biases beside B, or what those of the adapter are more than the base's. */
static void fill_bias(const weft__adapters *s, const weft__adapter_site *site, uint32_t use, const float *base,
                      float *row, float *out)
{
    const weft__adapter_module *m = site->of[use];
    const weft__file_tensor *t = m->part[site->is_bias ? WEFT__BIAS : WEFT__LORA_BIAS];
    const double factor = site->is_bias ? s->uses[use].scale : factor_of(s, use, m);
    if (!t) return;
    out += (int64_t)s->uses[use].choice * site->m;
    read_row(t, 0, site->m, row);
    for (int64_t j = 0; j < site->m; j++)
        out[j] = (float)(out[j] + factor * ((double)row[j] - (base ? (double)base[j] : 0)));
}

/* ---- the source ---- */

/* The base's bias of a site, as floats. */
static weft_status read_base(const weft__adapters *s, const weft__adapter_site *site, float *out, weft_error *err)
{
    char name[WEFT__TENSOR_NAME];
    weft_weight_data d = { 0 };
    const weft_weight_source source = weft_model_weights(s->m);
    snprintf(name, sizeof name, "%s.bias", site->name);
    WEFT_TRY(source.find(source.ctx, name, &d, err));
    uint64_t bytes = 0;
    const bool fits = d.rank == 1 && d.dims[0] == site->m && weft_dtype_row_bytes(d.dtype, site->m, &bytes) &&
                      bytes == d.bytes && weft__converts(d.dtype, WEFT_F32);
    if (!fits) return WEFT_FAIL(err, WEFT_SHAPE, "%s: '%s' is not the bias of %lld", s->m->path, name,
                                (long long)site->m);
    WEFT_TRY(weft__weight_check(&d, err));
    const void *rows = weft__weight_rows(&d, 0, 1, WEFT_F32, out);
    if (rows != out) memcpy(out, rows, (size_t)site->m * sizeof *out);
    return WEFT_OK;
}

static weft_dims dims_of(const weft__adapters *s, const weft__adapter_site *site, int which)
{
    if (which == 2) return WEFT_DIMS(s->n_choices, site->m);
    if (which == 1) return WEFT_DIMS(s->n_choices, site->m, site->rank);
    return site->rows ? WEFT_DIMS((int64_t)s->n_choices * site->n, site->rank)
                      : WEFT_DIMS(s->n_choices, site->rank, site->n);
}

static weft_status fill(weft__adapters *s, const weft__adapter_site *site, int which, float *room, weft_error *err)
{
    float *base = NULL;
    if (which == 2 && site->is_bias) {
        base = room;
        room += site->m;
        WEFT_TRY(read_base(s, site, base, err));
    }
    for (uint32_t u = 0; u < s->n_uses; u++) {
        if (!site->of[u]) continue;
        if (which == 2) fill_bias(s, site, u, base, room, s->values);
        else if (which == 1) fill_b(s, site, u, room, s->values);
        else if (site->rows) fill_table(s, site, u, room, s->values);
        else fill_a(s, site, u, s->values);
    }
    return WEFT_OK;
}

/* It is given as one of several parts: such are read at once and never used where they lie. */
static weft_status make(weft__adapters *s, const weft__adapter_site *site, int which, weft_weight_data *out,
                        weft_error *err)
{
    const weft_dims dims = dims_of(s, site, which);
    uint64_t n = 1;
    *out = (weft_weight_data){ .dtype = WEFT_F32, .rank = dims.rank, .parts = &s->part, .n_parts = 1 };
    for (uint32_t i = 0; i < dims.rank; i++) {
        out->dims[i] = dims.d[i].n;
        n *= (uint64_t)dims.d[i].n; /* the graph has it: it fits */
    }
    out->bytes = n * sizeof *s->values;
    free(s->values);
    s->values = calloc(n, sizeof *s->values);
    s->part = s->values;
    const size_t longest = (size_t)(site->n > site->m ? site->n : site->m) + site->rank;
    float *room = calloc(2 * longest, sizeof *room);
    weft_status status = s->values && room ? fill(s, site, which, room, err) : WEFT_OOM_FAIL(err, site->name);
    free(room);
    return status;
}

static weft_status find(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    weft__adapters *s = ctx;
    for (size_t i = 0; i < s->n_sites; i++)
        for (int k = 0; k < 3; k++)
            if (s->sites[i].weights[k] && !strcmp(s->sites[i].weights[k], name))
                return make(s, &s->sites[i], k, out, err);
    return WEFT_FAIL(err, WEFT_NOT_FOUND, "'%s' is no adapter's", name);
}

weft_weight_source weft__adapters_source(weft__adapters *a)
{
    return (weft_weight_source){ a, find };
}

/* ---- identity ---- */

/* FNV-1a, but of 8 bytes at a time: adapters may have hundreds of MB. The shift lets high bits change low ones, too. */
static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (; n; p += 8) {
        uint64_t word = 0;
        const size_t k = n < sizeof word ? n : sizeof word;
        memcpy(&word, p, k);
        h = (h ^ word) * 0x100000001b3u;
        h ^= h >> 32;
        n -= k;
    }
    return h;
}

static uint64_t mix_module(uint64_t h, const weft__adapter_module *m)
{
    h = mix(h, m->name, strlen(m->name) + 1);
    h = mix(h, &m->factor, sizeof m->factor);
    for (int i = 0; i < WEFT__ADAPTER_PARTS; i++) {
        const weft__file_tensor *t = m->part[i];
        if (!t) continue;
        h = mix(h, &i, sizeof i);
        h = mix(h, t->dtype->name, strlen(t->dtype->name));
        h = mix(h, t->data, t->size);
    }
    return h;
}

uint64_t weft__adapters_identity(const weft__adapters *a, int32_t choice)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t u = 0; u < a->n_uses; u++) {
        if (a->uses[u].choice != (uint32_t)choice) continue;
        h = mix(h, &a->uses[u].scale, sizeof a->uses[u].scale);
        for (size_t i = 0; i < a->uses[u].adapter->n_modules; i++) h = mix_module(h, &a->uses[u].adapter->modules[i]);
    }
    return h;
}
