/* weights.c: the tensors of a model's files as the weights of its graph: found by name, one for each or several. */
#include "models/gguf_scales.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 1 << 20 };

static bool is_gguf(const weft_model *m)
{
    return m->checkpoint && weft__checkpoint_gguf(m->checkpoint);
}

/* A name with another beginning. False: it does not begin so, or is too long. */
static bool spell(const weft__spelling *s, const char *name, char out[WEFT__TENSOR_NAME])
{
    size_t n = strlen(s->name);
    if (strncmp(name, s->name, n)) return false;
    int length = snprintf(out, WEFT__TENSOR_NAME, "%s%s", s->in_file, name + n);
    return length > 0 && length < WEFT__TENSOR_NAME;
}

/* ---- how files name and hold weights: a text's own rows come first, then the architecture's ---- */

/* NULL past the end, in all three. */
static const weft__spelling *spelling_at(const weft_model *m, size_t i)
{
    const weft__text_names *own = &m->text.names;
    if (i < own->n_spellings) return &own->spellings[i];
    const weft__spelling *s = m->wrapper ? m->wrapper->spellings : m->arch ? m->arch->spellings : NULL;
    i -= own->n_spellings;
    return s && i < WEFT__MAX_NAMES && s[i].name ? &s[i] : NULL;
}

static const weft__parts *parts_at(const weft_model *m, size_t i)
{
    const weft__text_names *own = &m->text.names;
    if (i < own->n_parts) return &own->parts[i];
    i -= own->n_parts;
    return m->arch && i < WEFT__MAX_NAMES && m->arch->parts[i].name ? &m->arch->parts[i] : NULL;
}

static const char *transposed_at(const weft_model *m, size_t i)
{
    const weft__text_names *own = &m->text.names;
    if (i < own->n_transposed) return own->transposed[i];
    i -= own->n_transposed;
    return m->arch && i < WEFT__MAX_NAMES ? m->arch->transposed[i] : NULL;
}

/* The weights that are one where configuration and files say so; false: nobody says which they are. */
static bool find_tied(const weft_model *m, const char **embed, const char **head)
{
    const weft__text_names *own = &m->text.names;
    *embed = own->embed ? own->embed : m->arch ? m->arch->embed : NULL;
    *head = own->embed ? own->head : m->arch ? m->arch->head : NULL;
    return *embed && *head;
}

/* ---- tensors by the graph's names ---- */

/* By the graph's name, else with another beginning. */
static const weft__file_tensor *find_spelled(const weft_model *m, const char *name)
{
    char other[WEFT__TENSOR_NAME];
    const weft__file_tensor *t = weft__checkpoint_find(m->checkpoint, name);
    const weft__spelling *s;
    for (size_t i = 0; !t && (s = spelling_at(m, i)); i++)
        if (spell(s, name, other)) t = weft__checkpoint_find(m->checkpoint, other);
    return t;
}

bool weft__model_spelled(const weft_model *m, const char *name, size_t *i, char out[WEFT__TENSOR_NAME])
{
    const weft__spelling *s;
    const size_t k = (*i)++;
    if (!k) return snprintf(out, WEFT__TENSOR_NAME, "%s", name) < WEFT__TENSOR_NAME;
    while ((s = spelling_at(m, *i - 2)) && !spell(s, name, out)) ++*i;
    return s != NULL;
}

const char *weft__model_multiplied(const weft_model *m, const char *name)
{
    const char *embed, *head;
    return find_tied(m, &embed, &head) && !strcmp(name, embed) ? head : name;
}

const char *weft__model_file_name(const weft_model *m, const char *name, char buf[WEFT__TENSOR_NAME])
{
    for (size_t i = 0; m->wrapper && i < WEFT__MAX_NAMES && m->wrapper->spellings[i].name; i++)
        if (spell(&m->wrapper->spellings[i], name, buf)) return buf;
    return name;
}

static const weft__file_tensor *find_whole(const weft_model *m, const char *name)
{
    const char *embed, *head;
    const weft__file_tensor *t = find_spelled(m, name);
    if (!t && m->tied && find_tied(m, &embed, &head) && !strcmp(embed, name)) t = find_spelled(m, head);
    return t;
}

/* ---- parts ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), k = strlen(end);
    return n >= k && !strcmp(name + n - k, end);
}

static const weft__parts *parts_of(const weft_model *m, const char *name)
{
    const weft__parts *p;
    for (size_t i = 0; (p = parts_at(m, i)); i++)
        if (ends_with(name, p->name)) return p;
    return NULL;
}

static uint32_t kinds_of(const weft__parts *p)
{
    return p->of[1] ? 2 : 1;
}

/* The name of part i; false: there are no so many, or the name is too long. */
static bool name_part(const weft__parts *p, const char *name, uint32_t i, char out[WEFT__TENSOR_NAME])
{
    const int begin = (int)(strlen(name) - strlen(p->name));
    const uint32_t kinds = kinds_of(p);
    const char *end = p->of[i % kinds], *number = strchr(end, '#');
    if (!number && i >= kinds) return false;
    int n = number ? snprintf(out, WEFT__TENSOR_NAME, "%.*s%.*s%u%s", begin, name, (int)(number - end), end, i / kinds,
                              number + 1)
                   : snprintf(out, WEFT__TENSOR_NAME, "%.*s%s", begin, name, end);
    return n > 0 && n < WEFT__TENSOR_NAME;
}

/* Whether a weight of these dims can be in such parts. */
static bool divides(const weft__parts *p, const weft__held *h)
{
    const bool counted = strchr(p->of[0], '#') != NULL;
    if (counted && (h->rank < 2 || h->dims[0] > MAX_PARTS / kinds_of(p))) return false;
    return h->rank > 0 && h->dims[counted] % kinds_of(p) == 0;
}

weft__held weft__model_held(const weft_model *m, const char *name, const weft_dims *d)
{
    weft__held h = { .name = name, .n = 1, .rank = d->rank };
    const bool turned = weft__model_is_transposed(m, name) && d->rank > 1;
    for (uint32_t k = 0; k < d->rank; k++) h.dims[k] = (uint64_t)d->d[k].n;
    if (turned) {
        h.dims[d->rank - 1] = (uint64_t)d->d[d->rank - 2].n;
        h.dims[d->rank - 2] = (uint64_t)d->d[d->rank - 1].n;
    }
    h.parts = m->checkpoint && find_whole(m, name) ? NULL : parts_of(m, name);
    if (h.parts && !divides(h.parts, &h)) h.parts = NULL;
    if (!h.parts) return h;
    h.n = kinds_of(h.parts);
    if (strchr(h.parts->of[0], '#')) { /* the first dim counts them */
        h.n *= (uint32_t)h.dims[0];
        memmove(h.dims, h.dims + 1, --h.rank * sizeof *h.dims);
    }
    h.dims[0] /= kinds_of(h.parts);
    return h;
}

bool weft__held_name(const weft__held *h, uint32_t i, char out[WEFT__TENSOR_NAME])
{
    if (h->parts) return name_part(h->parts, h->name, i, out);
    return snprintf(out, WEFT__TENSOR_NAME, "%s", h->name) < WEFT__TENSOR_NAME;
}

const weft__file_tensor *weft__model_tensor(const weft_model *m, const char *name, uint32_t i)
{
    char part[WEFT__TENSOR_NAME];
    weft__gguf_scale scale;
    if (is_gguf(m)) return weft__gguf_scale_of(m, name, &scale) ? weft__gguf_scale_tensor(&scale, i)
                                                                : weft__gguf_tensor(m, name, i);
    const weft__file_tensor *t = find_whole(m, name);
    if (t) return i ? NULL : t;
    const weft__parts *p = parts_of(m, name);
    return p && name_part(p, name, i, part) ? find_spelled(m, part) : NULL;
}

static bool same_tensor(const weft__file_tensor *a, const weft__file_tensor *b)
{
    return a->dtype == b->dtype && a->rank == b->rank && !memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) &&
           a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

weft_status weft__model_settle_tie(weft_model *m, weft_error *err)
{
    static const char key[] = "tie_word_embeddings";
    const char *a, *b;
    double tie;
    if (!m->checkpoint || !find_tied(m, &a, &b)) return WEFT_OK;
    int said = weft_config_file_number(m->hf, key, &tie);
    if (said == 1 ? tie == 0 : !m->text.names.embed) return WEFT_OK;
    m->tied = true;
    const weft__file_tensor *embed = find_spelled(m, a), *head = find_spelled(m, b);
    if (!embed || !head || same_tensor(embed, head)) return WEFT_OK;
    m->tied = false;
    weft__config_replace(m->hf, key, 0, "the files");
    if (said != 1) return WEFT_OK;
    return weft__model_add_note(m, err, "%s is true, but the files have '%s' and '%s', which differ: both are used",
                                key, embed->name, head->name);
}

weft_status weft__held_tensor(const weft_model *m, const weft__held *h, uint32_t i, const weft__file_tensor **out,
                              weft_error *err)
{
    char name[WEFT__TENSOR_NAME];
    const weft__file_tensor *t = weft__model_tensor(m, h->name, i);
    const char *wanted = t ? t->name : weft__held_name(h, i, name) ? name : h->name;
    return weft__checkpoint_weight(m->checkpoint, wanted, out, err);
}

bool weft__model_is_transposed(const weft_model *m, const char *name)
{
    const char *end;
    for (size_t i = 0; (end = transposed_at(m, i)); i++)
        if (ends_with(name, end)) return true;
    return false;
}

/* ---- checks ---- */

static weft_status check_tensor(const weft_model *m, const weft__held *h, const weft__file_tensor *t, weft_error *err)
{
    if (t->rank == h->rank && !memcmp(t->dims, h->dims, t->rank * sizeof *t->dims)) return WEFT_OK;
    return weft__model_shape_fault(m, t, h->rank, h->dims, err);
}

weft_status weft__model_check_weight(const weft_model *m, const weft_graph *g, const weft_node *n, weft_error *err)
{
    const weft__file_tensor *t;
    if (!m->checkpoint) return WEFT_OK;
    weft__gguf_scale scale;
    if (is_gguf(m) && weft__gguf_scale_of(m, n->name, &scale)) return weft__gguf_scale_check(m, &scale, err);
    if (is_gguf(m)) return weft__gguf_check_weight(m, n, &weft_graph_value(g, n->out[0])->dims, err);
    weft__held held = weft__model_held(m, n->name, &weft_graph_value(g, n->out[0])->dims);
    for (uint32_t k = 0; k < held.n; k++) {
        WEFT_TRY(weft__held_tensor(m, &held, k, &t, err));
        WEFT_TRY(check_tensor(m, &held, t, err));
    }
    if (held.parts && (t = weft__model_tensor(m, n->name, held.n)))
        return WEFT_FAIL(err, WEFT_SHAPE, "%s: tensor '%s' is one more than %s makes", t->file, t->name,
                         weft__model_shaper(m));
    return WEFT_OK;
}

/* ---- the source ---- */

/* Another part of the weight that *out is so far: as the first one, with the same type and dims. */
static weft_status add_part(weft_model *m, const weft__file_tensor *first, const weft__file_tensor *t, uint32_t i,
                            weft_weight_data *out, weft_error *err)
{
    weft_weight_data d;
    const weft__file_tensor *checked;
    WEFT_TRY(weft__checkpoint_weight(m->checkpoint, t->name, &checked, err));
    WEFT_TRY(weft__checkpoint_data(m->checkpoint, t, &d, err));
    if (t->dtype != first->dtype || t->rank != first->rank || memcmp(t->dims, first->dims, t->rank * sizeof *t->dims))
        return WEFT_FAIL(err, WEFT_UNSUPPORTED, "%s: tensors '%s' and '%s' are parts of one weight, but differ in type "
                         "or shape", t->file, first->name, t->name);
    if (!weft__grow(&m->parts, &m->parts_capacity, i + 1, sizeof *m->parts)) return WEFT_OOM_FAIL(err, t->name);
    m->parts[i] = d.data;
    if (!i) *out = d;
    else out->bytes += d.bytes;
    return WEFT_OK;
}

static weft_status find_parts(weft_model *m, const char *name, const weft__parts *p, weft_weight_data *out,
                              weft_error *err)
{
    const uint32_t kinds = kinds_of(p);
    const weft__file_tensor *first = weft__model_tensor(m, name, 0), *t = first;
    uint32_t n = 0;
    for (; t && n < MAX_PARTS; t = weft__model_tensor(m, name, n)) WEFT_TRY(add_part(m, first, t, n++, out, err));
    if (!n || n % kinds || out->rank + 1 > WEFT_MAX_RANK)
        return weft__held_tensor(m, &(weft__held){ .name = name, .parts = p }, n, &t, err);
    out->dims[0] *= kinds;
    if (strchr(p->of[0], '#')) {
        memmove(out->dims + 1, out->dims, out->rank++ * sizeof *out->dims);
        out->dims[0] = n / kinds;
    }
    if (n == 1) return WEFT_OK;
    out->data = NULL;
    out->parts = m->parts;
    out->n_parts = n;
    return WEFT_OK;
}

static weft_status find_weight(void *ctx, const char *name, weft_weight_data *out, weft_error *err)
{
    weft_model *m = ctx;
    if (!m->checkpoint) return WEFT_FAIL(err, WEFT_NOT_FOUND, "%s: has no weights", m->path);
    weft__gguf_scale scale;
    if (is_gguf(m) && weft__gguf_scale_of(m, name, &scale)) return weft__gguf_scale_data(m, name, &scale, out, err);
    if (is_gguf(m)) return weft__gguf_weight(m, name, out, err);
    const weft__parts *p = find_whole(m, name) ? NULL : parts_of(m, name);
    if (p) return find_parts(m, name, p, out, err);
    const weft__file_tensor *t;
    WEFT_TRY(weft__held_tensor(m, &(weft__held){ .name = name }, 0, &t, err));
    WEFT_TRY(weft__checkpoint_data(m->checkpoint, t, out, err));
    if (!weft__model_is_transposed(m, name) || out->rank < 2) return WEFT_OK;
    const int64_t rows = out->dims[out->rank - 1];
    out->dims[out->rank - 1] = out->dims[out->rank - 2];
    out->dims[out->rank - 2] = rows;
    out->turned = true;
    return WEFT_OK;
}

weft_weight_source weft_model_weights(const weft_model *m)
{
    return m->source.find ? m->source : (weft_weight_source){ (void *)(uintptr_t)m, find_weight };
}

void weft_model_set_weights(weft_model *m, const weft_weight_source *source)
{
    m->source = *source;
}
