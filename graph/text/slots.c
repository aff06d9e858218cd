/* slots.c: the numbers and words of a statement that may differ where the rest does not. */
#include "graph/attr.h"
#include "graph/text/unit.h"

#include <string.h>

enum { SHORT_DATA = 8 }; /* elements, up to which each may differ */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int64_t weft__label_number(const char **at, const char **begin)
{
    for (const char *s = *at; *s;) {
        size_t n = 0;
        while (!is_digit(*s) && *s) s++;
        while (is_digit(s[n])) n++;
        if (n && n <= 15 && (n == 1 || *s != '0')) {
            int64_t x = 0;
            for (size_t i = 0; i < n; i++) x = 10 * x + (s[i] - '0');
            *begin = s;
            *at = s + n;
            return x;
        }
        s += n;
        *at = s;
    }
    *begin = *at + strlen(*at);
    *at = *begin;
    return -1;
}

bool weft__data_is_slots(const weft_graph *g, const weft_node *n)
{
    const weft_dtype t = weft_graph_value(g, n->out[0])->dtype;
    return (t == WEFT_F32 || t == WEFT_I32) && weft_value_elements(g, n->out[0], NULL) <= SHORT_DATA;
}

bool weft__data_is_list(const weft_graph *g, const weft_node *n)
{
    const weft_value *v = weft_graph_value(g, n->out[0]);
    return v->dtype == WEFT_F32 && v->dims.rank == 1;
}

typedef struct list {
    weft__slot *out;
    uint32_t n;
} list;

static void add(list *l, weft__slot s)
{
    if (l->n < WEFT__MAX_SLOTS) l->out[l->n++] = s;
}

static void add_whole(list *l, int64_t x)
{
    add(l, (weft__slot){ .kind = SLOT_WHOLE, .whole = x });
}

static void add_float(list *l, float x)
{
    add(l, (weft__slot){ .kind = SLOT_FLOAT, .number = x });
}

static void add_dims(list *l, const weft_dims *d)
{
    for (uint32_t i = 0; i < d->rank; i++) add_whole(l, d->d[i].n);
}

static void add_label(list *l, const char *label)
{
    const char *begin;
    int64_t x;
    for (int k = 0; label && k < WEFT__LABEL_NUMBERS && (x = weft__label_number(&label, &begin)) >= 0; k++)
        add_whole(l, x);
}

static void add_field(list *l, const weft__attr_field *f, const void *at)
{
    weft__attr_any x;
    memcpy(&x, at, weft__attr_size(f));
    if (f->type == ATTR_f32) add_float(l, x.f32);
    if (f->type == ATTR_i32) add_whole(l, x.i32);
    if (f->type == ATTR_i64) add_whole(l, x.i64);
    if (f->type == ATTR_dims) add_dims(l, &x.dims);
}

static void add_data(list *l, const weft_graph *g, const weft_node *n)
{
    const bool whole = weft_graph_value(g, n->out[0])->dtype == WEFT_I32;
    const int64_t count = weft_value_elements(g, n->out[0], NULL);
    const char *data = n->data;
    for (int64_t i = 0; i < count && weft__data_is_slots(g, n); i++) {
        int32_t k;
        float x;
        memcpy(&k, data + 4 * i, sizeof k);
        memcpy(&x, data + 4 * i, sizeof x);
        if (whole) add_whole(l, k);
        else add_float(l, x);
    }
}

static void add_node(list *l, const weft_graph *g, const weft_node *n)
{
    uint32_t n_fields;
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    for (uint32_t i = 0; i < n_fields; i++) add_field(l, &f[i], (const char *)&n->attrs + f[i].offset);
    if (weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) add_dims(l, &weft_graph_value(g, n->out[0])->dims);
    if (n->data) add_data(l, g, n);
}

static void add_call(list *l, const weft__call *c)
{
    for (uint32_t i = 0; i < c->n_attrs; i++) {
        const weft__call_attr *a = &c->attrs[i];
        if (a->word) add(l, (weft__slot){ .kind = SLOT_WORD, .word = a->word });
        else if (a->whole) add_whole(l, (int64_t)a->number);
        else add_float(l, (float)a->number);
    }
}

uint32_t weft__place_slots(const weft__unit *u, const weft__place *p, weft__slot out[WEFT__MAX_SLOTS])
{
    list l = { out, 0 };
    add_label(&l, p->label);
    if (u->kind == UNIT_NODE) add_node(&l, p->g, p->node);
    if (u->kind == UNIT_CALL) add_call(&l, p->call);
    if (u->kind == UNIT_REPEAT) {
        add_whole(&l, p->lo);
        add_whole(&l, p->hi);
    }
    return l.n;
}
