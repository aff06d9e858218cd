/* weights.c: the tensors of a model's files as the weights of its graph. */
#include "models/model_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name with another beginning. False: it does not begin so, or is too long. */
static bool spell(const weft__spelling *s, const char *name, char out[WEFT__MAX_NAME])
{
    size_t n = strlen(s->name);
    if (strncmp(name, s->name, n)) return false;
    int length = snprintf(out, WEFT__MAX_NAME, "%s%s", s->in_file, name + n);
    return length > 0 && length < WEFT__MAX_NAME;
}

/* By the graph's name, else with another beginning (weft__arch.spellings, weft__wrapper.spellings). */
static const weft__file_tensor *find_spelled(const weft_model *m, const char *name)
{
    char other[WEFT__MAX_NAME];
    const weft__file_tensor *t = weft__checkpoint_find(m->checkpoint, name);
    const weft__spelling *s = m->wrapper ? m->wrapper->spellings : m->arch ? m->arch->spellings : NULL;
    for (size_t i = 0; s && !t && i < WEFT__MAX_NAMES && s[i].name; i++)
        if (spell(&s[i], name, other)) t = weft__checkpoint_find(m->checkpoint, other);
    return t;
}

const char *weft__model_file_name(const weft_model *m, const char *name, char buf[WEFT__MAX_NAME])
{
    for (size_t i = 0; m->wrapper && i < WEFT__MAX_NAMES && m->wrapper->spellings[i].name; i++)
        if (spell(&m->wrapper->spellings[i], name, buf)) return buf;
    return name;
}

const weft__file_tensor *weft__model_tensor(const weft_model *m, const char *name)
{
    const weft__file_tensor *t = find_spelled(m, name);
    if (!t && m->tied && !strcmp(m->arch->embed, name)) t = find_spelled(m, m->arch->head);
    return t;
}

static bool same_tensor(const weft__file_tensor *a, const weft__file_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) &&
           a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

weft_status weft__model_settle_tie(weft_model *m, weft_error *err)
{
    static const char key[] = "tie_word_embeddings";
    double tie;
    if (!m->checkpoint || !m->arch || weft_config_file_number(m->hf, key, &tie) != 1 || tie == 0) return WEFT_OK;
    m->tied = true;
    const weft__file_tensor *embed = find_spelled(m, m->arch->embed), *head = find_spelled(m, m->arch->head);
    if (!embed || !head || same_tensor(embed, head)) return WEFT_OK;
    m->tied = false;
    weft__config_replace(m->hf, key, 0, "the files");
    return weft__model_add_note(m, err, "%s is true, but the files have '%s' and '%s', which differ: both are used",
                                key, embed->name, head->name);
}

weft_status weft__model_weight(const weft_model *m, const char *name, const weft__file_tensor **out, weft_error *err)
{
    const weft__file_tensor *t = weft__model_tensor(m, name);
    return weft__checkpoint_weight(m->checkpoint, t ? t->name : name, out, err);
}

bool weft__model_is_transposed(const weft_model *m, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; m->arch && i < WEFT__MAX_NAMES && m->arch->transposed[i]; i++) {
        size_t k = strlen(m->arch->transposed[i]);
        if (n >= k && !strcmp(name + n - k, m->arch->transposed[i])) return true;
    }
    return false;
}

/* [rows, columns] of elements of 2 or 4 bytes as [columns, rows], by tiles that stay in the cache. */
static void turn(const unsigned char *in, size_t rows, size_t columns, size_t bytes, unsigned char *out)
{
    enum { TILE = 32 };
    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < columns; c0 += TILE)
            for (size_t r = r0; r < rows && r < r0 + TILE; r++)
                for (size_t c = c0; c < columns && c < c0 + TILE; c++)
                    if (bytes == 2) memcpy(out + (c * rows + r) * 2, in + (r * columns + c) * 2, 2);
                    else memcpy(out + (c * rows + r) * 4, in + (r * columns + c) * 4, 4);
}

/* A matrix's transpose: made when first asked for, kept as long as the model. */
static weft_status transpose(weft_model *m, const weft__file_tensor *t, weft_weight_data *d, weft_error *err)
{
    size_t i = (size_t)(t - weft__checkpoint_at(m->checkpoint, 0)), bytes = weft_dtype_get(d->dtype)->bytes;
    const int64_t rows = d->dims[0], columns = d->dims[1];
    if (!m->turned) m->turned = calloc(weft_checkpoint_count(m->checkpoint) + 1, sizeof *m->turned);
    if (!m->turned) return WEFT_OOM_FAIL(err, t->name);
    if (!m->turned[i]) {
        m->turned[i] = malloc(d->bytes + 1);
        if (!m->turned[i]) return WEFT_OOM_FAIL(err, t->name);
        turn(d->data, (size_t)rows, (size_t)columns, bytes, m->turned[i]);
    }
    d->data = m->turned[i];
    d->dims[0] = columns;
    d->dims[1] = rows;
    return WEFT_OK;
}

void weft__model_free_turned(weft_model *m)
{
    for (size_t i = 0; m->turned && i < weft_checkpoint_count(m->checkpoint); i++) free(m->turned[i]);
    free(m->turned);
}

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    weft_model *m = ctx;
    if (!m->checkpoint) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: has no weights", m->path);
    const weft__file_tensor *t;
    WEFT_TRY(weft__model_weight(m, name, &t, err));
    WEFT_TRY(weft__checkpoint_data(m->checkpoint, t, out, err));
    return weft__model_is_transposed(m, name) && out->rank == 2 ? transpose(m, t, out, err) : WEFT_OK;
}

weft_weight_source weft_model_weights(const weft_model *m)
{
    return m->source.find ? m->source : (weft_weight_source){ (void *)(uintptr_t)m, find_weight };
}

void weft_model_set_weights(weft_model *m, const weft_weight_source *source)
{
    m->source = *source;
}
