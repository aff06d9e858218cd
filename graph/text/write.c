/* write.c: see write.h. A unit's statement is written from its first place; what differs in the others, slot by slot in
 * the order of weft__place_slots, is an expression. */
#include "graph/text/write.h"

#include "graph/attr.h"
#include "graph/convert.h"
#include "graph/rope.h"

#include <inttypes.h>
#include <string.h>

/* ---- slots of a unit, one after the other ---- */

typedef struct column {
    weft__writing *w;
    const weft__unit *u;
    const weft__place **places; /* those that count */
    weft__slot *slots; /* by place, n_slots of each */
    weft__slot *values; /* scratch: one of each place */
    uint32_t n, n_slots, next;
} column;

static bool counts(const weft__writing *w, const weft__place *p)
{
    return p->sample >= w->s->n_samples || !w->s->samples[p->sample].left_out;
}

/* One at a time: the scratch of the one before is gone. */
static bool column_begin(column *c, weft__writing *w, const weft__unit *u)
{
    weft__slot all[WEFT__MAX_SLOTS];
    weft__arena_free(&w->f->scratch);
    *c = (column){ .w = w, .u = u, .n_slots = weft__place_slots(u, &u->places[0], all) };
    c->places = weft__fold_scratch(w->f, u->n, sizeof *c->places);
    c->slots = weft__fold_scratch(w->f, (size_t)u->n * c->n_slots, sizeof *c->slots);
    c->values = weft__fold_scratch(w->f, u->n, sizeof *c->values);
    for (uint32_t i = 0; !w->f->failed && i < u->n; i++) {
        if (!counts(w, &u->places[i])) continue;
        weft__place_slots(u, &u->places[i], all);
        if (c->n_slots) memcpy(c->slots + (size_t)c->n * c->n_slots, all, c->n_slots * sizeof *all);
        c->places[c->n++] = &u->places[i];
    }
    return !w->f->failed;
}

static const weft__slot *slot_of(const column *c, uint32_t place)
{
    return &c->slots[(size_t)place * c->n_slots + c->next];
}

static weft__slot *values(column *c)
{
    for (uint32_t i = 0; i < c->n; i++) c->values[i] = *slot_of(c, i);
    return c->values;
}

static weft__expr *next(column *c)
{
    weft__slot *v = values(c);
    weft__expr *e = v ? weft__solve(c->w->s, c->places, c->n, c->u->depth, v) : NULL;
    c->next++;
    if (e || c->w->f->failed) return e;
    c->w->unsolved++;
    return weft__expr_whole(c->w->f, 0);
}

/* Whether the next slot is 0 everywhere. */
static bool is_nothing(const column *c)
{
    for (uint32_t i = 0; i < c->n; i++) {
        const weft__slot *v = slot_of(c, i);
        float zero = 0;
        if (v->kind == SLOT_WORD || v->whole) return false;
        if (v->kind == SLOT_FLOAT && memcmp(&v->number, &zero, sizeof zero) != 0) return false;
    }
    return true;
}

/* ---- labels, dims, fields ---- */

enum { LABEL_PARTS = 2 * WEFT__LABEL_NUMBERS + 2, MAX_PARTS = 2 * LABEL_PARTS };

static weft__expr *part_of(weft__fold *f, const char *s, size_t n)
{
    char *copy = weft__fold_alloc(f, n + 1, 1);
    if (!copy) return NULL;
    memcpy(copy, s, n);
    return weft__expr_characters(f, copy);
}

/* The parts of a label, at most LABEL_PARTS: characters, and numbers that are not the same everywhere. */
static uint32_t label_parts(column *c, const char *label, weft__expr *parts[MAX_PARTS], uint32_t n)
{
    weft__fold *f = c->w->f;
    const char *from = label, *begin;
    for (int k = 0; k < WEFT__LABEL_NUMBERS && weft__label_number(&label, &begin) >= 0; k++) {
        weft__expr *e = next(c);
        if (!e || e->kind == EXPR_INT) continue; /* as it is spelled */
        if (begin > from) parts[n++] = part_of(f, from, (size_t)(begin - from));
        parts[n++] = e;
        from = label;
    }
    if (*from) parts[n++] = weft__expr_characters(f, from);
    return n;
}

static weft__expr *label(column *c)
{
    weft__expr *parts[MAX_PARTS];
    uint32_t n = label_parts(c, c->u->places[0].label, parts, 0);
    return weft__expr_string(c->w->f, parts, n);
}

static weft__expr *dims(column *c, const weft_dims *d)
{
    weft__expr *parts[WEFT_MAX_RANK];
    weft__fold *f = c->w->f;
    for (uint32_t i = 0; i < d->rank; i++) {
        const char *extent = weft_graph_extent(c->w->g, d->d[i].extent, NULL);
        parts[i] = next(c);
        if (!extent || !parts[i]) continue;
        c->w->extents[d->d[i].extent] = true;
        weft__expr *name = weft__expr_name(f, extent);
        bool once = parts[i]->kind == EXPR_INT && parts[i]->i == 1;
        parts[i] = once ? name : weft__expr_many(f, EXPR_BINARY, "*", (weft__expr *[]){ parts[i], name }, 2);
    }
    return weft__expr_many(f, EXPR_LIST, NULL, parts, d->rank);
}

static weft__expr *perm(weft__fold *f, const weft_perm *p)
{
    weft__expr *parts[WEFT_MAX_RANK];
    for (uint32_t i = 0; i < p->rank; i++) parts[i] = weft__expr_whole(f, p->axis[i]);
    return weft__expr_many(f, EXPR_TUPLE, NULL, parts, p->rank);
}

static weft__expr *field(column *c, const weft__attr_field *f, const void *at)
{
    weft__attr_any x;
    memcpy(&x, at, weft__attr_size(f));
    switch (f->type) {
    case ATTR_dtype: return weft__expr_name(c->w->f, weft_dtype_get(x.dtype)->name);
    case ATTR_act: return weft__expr_name(c->w->f, weft__act_name(x.act));
    case ATTR_rope: return weft__expr_name(c->w->f, weft__rope_name(x.rope));
    case ATTR_dims: return dims(c, &x.dims);
    case ATTR_perm: return perm(c->w->f, &x.perm);
    default: return next(c);
    }
}

/* ---- statements ---- */

weft__stmt *weft__stmt_make(weft__fold *f, weft__stmt_kind kind)
{
    weft__stmt *s = weft__fold_alloc(f, 1, sizeof *s);
    if (s) s->kind = kind;
    return s;
}

weft__stmt **weft__stmt_end(weft__stmt **list)
{
    while (*list) list = &(*list)->next;
    return list;
}

static void add_attr(column *c, weft__stmt *s, const char *name, weft__expr *value)
{
    s->attrs[s->n_attrs].name.text = name;
    s->attrs[s->n_attrs++].value = value;
    if (!value) c->w->f->failed = true;
}

static void write_fields(column *c, weft__stmt *s, const weft_node *n)
{
    uint32_t n_fields;
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    for (uint32_t i = 0; i < n_fields; i++) {
        bool number = f[i].type == ATTR_f32 || f[i].type == ATTR_i32 || f[i].type == ATTR_i64;
        if (f[i].optional && number && is_nothing(c)) c->next++;
        else if (!f[i].optional || number || weft__attr_shown(&f[i], &n->attrs))
            add_attr(c, s, f[i].name, field(c, &f[i], (const char *)&n->attrs + f[i].offset));
    }
}

static weft__expr *half(weft__fold *f, weft_dtype t, uint16_t bits)
{
    float x = t == WEFT_F16 ? weft__f32_from_f16(bits) : weft__f32_from_bf16(bits);
    if (x - x == 0) return weft__expr_float(f, x);
    weft__expr *e = weft__fold_alloc(f, 1, sizeof *e);
    if (e) *e = (weft__expr){ .kind = EXPR_BITS, .i = bits, .digits = 4 };
    return e;
}

/* What all places have alike. */
static weft__expr *element(weft__fold *f, weft_dtype t, const char *at)
{
    float x;
    int32_t k;
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    if (t == WEFT_F16 || t == WEFT_BF16) return half(f, t, bits);
    memcpy(&k, at, sizeof k);
    memcpy(&x, at, sizeof x);
    return t == WEFT_I32 ? weft__expr_whole(f, k) : weft__expr_float(f, x);
}

static bool same_numbers(const weft__place *p, const weft__param_list *l)
{
    const float *data = p->node->data;
    if (weft_value_elements(p->g, p->node->out[0], NULL) != (int64_t)l->n) return false;
    for (uint32_t i = 0; i < l->n; i++)
        if (data[i] != (float)l->numbers[i]) return false;
    return true;
}

/* The parameter whose list is the data at all places; NULL: there is none. */
static weft__param *list_of_data(const column *c)
{
    for (uint32_t m = 0; m < c->w->s->n_params; m++) {
        weft__param *q = &c->w->s->params[m];
        uint32_t i = 0;
        if (q->kind != PARAM_LIST || q->literal || !q->lists[0].numbers) continue;
        while (i < c->n && same_numbers(c->places[i], &q->lists[c->places[i]->sample])) i++;
        if (i == c->n) return q;
    }
    return NULL;
}

static bool data_differs(const column *c)
{
    const size_t bytes = (size_t)weft_value_bytes(c->places[0]->g, c->places[0]->node->out[0], NULL);
    for (uint32_t i = 1; i < c->n; i++)
        if (memcmp(c->places[0]->node->data, c->places[i]->node->data, bytes) != 0) return true;
    return false;
}

/* All of it by a parameter's name. */
static bool write_list(column *c, weft__stmt *s, uint32_t count)
{
    const weft_node *n = c->u->places[0].node;
    weft__param *q = weft__data_is_list(c->u->places[0].g, n) && data_differs(c) ? list_of_data(c) : NULL;
    if (!q) return false;
    q->used = true;
    s->items[0] = weft__expr_name(c->w->f, q->name);
    s->n_items = 1;
    if (weft__data_is_slots(c->u->places[0].g, n)) c->next += count;
    return true;
}

static void write_data(column *c, weft__stmt *s, const weft_node *n)
{
    const weft_graph *g = c->u->places[0].g;
    const weft_dtype t = weft_graph_value(g, n->out[0])->dtype;
    const size_t size = weft_dtype_get(t)->bytes, count = (size_t)weft_value_elements(g, n->out[0], NULL);
    const bool slots = weft__data_is_slots(g, n);
    s->items = weft__fold_alloc(c->w->f, count, sizeof *s->items);
    if (!s->items || write_list(c, s, (uint32_t)count)) return;
    s->n_items = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
        s->items[i] = slots ? next(c) : element(c->w->f, t, (const char *)n->data + i * size);
    if (slots || !data_differs(c)) return;
    weft__solve_blame(c->w->s, c->places, c->n); /* it follows something, and nothing is it */
    c->w->unsolved++;
}

static void write_type(column *c, weft__stmt *s, const weft_node *n)
{
    const weft_value *v = weft_graph_value(c->u->places[0].g, n->out[0]);
    bool any = c->w->f->calls && n->op == WEFT_OP_weight; /* the files decide */
    s->types = weft__fold_alloc(c->w->f, 1, sizeof *s->types);
    if (!s->types) return;
    s->n_types = 1;
    s->types[0].dtype = weft__expr_name(c->w->f, weft_dtype_get(any ? WEFT_ANY : v->dtype)->name);
    s->types[0].dims = dims(c, &v->dims);
}

static void write_values(weft__writing *w, weft__stmt *s, const weft__unit *u)
{
    weft_ref refs[WEFT_MAX_INPUTS];
    s->n_inputs = weft__place_inputs(&u->places[0], refs);
    s->n_results = weft__place_results(&u->places[0], refs);
    s->inputs = weft__fold_alloc(w->f, s->n_inputs, sizeof *s->inputs);
    s->results = weft__fold_alloc(w->f, s->n_results, sizeof *s->results);
    for (uint32_t i = 0; s->inputs && i < s->n_inputs; i++) s->inputs[i].text = u->input[i];
    for (uint32_t i = 0; s->results && i < s->n_results; i++) s->results[i].text = u->result[i];
}

static void write_call(column *c, weft__stmt *s, const weft__call *call)
{
    s->word.text = call->name;
    for (uint32_t i = 0; i < call->n_attrs; i++) {
        if (i && is_nothing(c)) c->next++; /* the first is needed */
        else add_attr(c, s, call->attrs[i].name, next(c));
    }
}

static void write_node(column *c, weft__stmt *s, const weft_node *n)
{
    s->word.text = weft_op_get(n->op)->name;
    write_fields(c, s, n);
    if (weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE) write_type(c, s, n);
    if (n->data) write_data(c, s, n);
}

static weft__stmt *write_statement(column *c)
{
    enum { MOST_ATTRS = 16 };
    const weft__unit *u = c->u;
    const weft__place *p = &u->places[0];
    weft__stmt *s = weft__stmt_make(c->w->f, u->kind == UNIT_OUTPUT ? STMT_OUTPUT : STMT_NODE);
    if (!s) return NULL;
    s->attrs = weft__fold_alloc(c->w->f, MOST_ATTRS, sizeof *s->attrs);
    write_values(c->w, s, u);
    if (c->w->f->failed || u->kind == UNIT_BIND) return s;
    if (p->label) s->label = label(c);
    if (u->kind == UNIT_NODE) write_node(c, s, p->node);
    if (u->kind == UNIT_CALL) write_call(c, s, p->call);
    return s;
}

/* ---- bodies ---- */

/* Places at which a list of units is gone through. */
typedef struct context {
    const weft__place *at;
    uint32_t n, depth;
} context;

static weft__stmt *write_body(weft__writing *w, const weft__unit *list, const context *c);

static bool same_place(const weft__place *a, const weft__place *b, uint32_t depth)
{
    return a->sample == b->sample && !memcmp(a->counter, b->counter, depth * sizeof *a->counter);
}

/* At which of them a unit is; *all: at each. */
static bool *presence(weft__writing *w, const weft__unit *u, const context *c, bool *all)
{
    bool *there = weft__fold_alloc(w->f, c->n, sizeof *there);
    uint32_t k = 0;
    for (uint32_t i = 0; there && i < c->n && k < u->n; i++) {
        there[i] = same_place(&u->places[k], &c->at[i], c->depth);
        k += there[i];
    }
    *all = k == c->n;
    if (k < u->n) w->unsolved++; /* never: places are those of what is around */
    return there;
}

static weft__expr *condition(weft__writing *w, const context *c, const bool *there)
{
    const weft__place **places = weft__fold_alloc(w->f, c->n, sizeof *places);
    bool *kept = weft__fold_alloc(w->f, c->n, sizeof *kept);
    uint32_t n = 0;
    for (uint32_t i = 0; places && kept && i < c->n; i++) {
        if (!counts(w, &c->at[i])) continue;
        places[n] = &c->at[i];
        kept[n++] = there[i];
    }
    weft__expr *e = w->f->failed ? NULL : weft__solve_truth(w->s, places, n, c->depth, kept);
    if (e || w->f->failed) return e;
    w->unsolved++;
    return weft__expr_whole(w->f, 1);
}

static weft__stmt *write_repeat(weft__writing *w, const weft__unit *u)
{
    column col;
    weft__stmt *s = weft__stmt_make(w->f, STMT_REPEAT);
    context inside = { .depth = u->depth + 1 };
    uint32_t turns = 0;
    for (uint32_t i = 0; i < u->n; i++) turns += (uint32_t)(u->places[i].hi - u->places[i].lo);
    weft__place *at = weft__fold_alloc(w->f, turns, sizeof *at);
    if (!s || !at || !column_begin(&col, w, u)) return NULL;
    for (uint32_t i = 0; i < u->n; i++)
        for (int64_t t = u->places[i].lo; t < u->places[i].hi; t++) {
            weft__place *p = &at[inside.n++];
            *p = u->places[i];
            memmove(p->counter + 1, p->counter, (WEFT__LOOPS - 1) * sizeof *p->counter);
            p->counter[0] = t;
        }
    inside.at = at;
    s->name.text = w->s->counter[u->depth];
    s->lo = next(&col);
    s->hi = next(&col);
    s->body = write_body(w, u->body, &inside);
    return s;
}

/* Scopes with nothing but a scope in them are one. */
static weft__stmt *write_scope(weft__writing *w, const weft__unit *u)
{
    column col;
    weft__expr *parts[MAX_PARTS];
    uint32_t n = 0;
    weft__stmt *s = weft__stmt_make(w->f, STMT_SCOPE);
    for (;; u = u->body) {
        if (!s || !column_begin(&col, w, u)) return NULL;
        n = label_parts(&col, u->places[0].label, parts, n);
        if (!u->body || u->body->next || u->body->kind != UNIT_SCOPE || u->body->n != u->n) break;
        if (n + LABEL_PARTS >= MAX_PARTS) break;
        parts[n++] = weft__expr_characters(w->f, ".");
    }
    context inside = { u->places, u->n, u->depth };
    s->label = weft__expr_string(w->f, parts, n);
    if (u->gives && (s->results = weft__fold_alloc(w->f, 1, sizeof *s->results))) /* for blocks.c */
        s->results[s->n_results++].text = u->gives;
    s->body = write_body(w, u->body, &inside);
    return s;
}

static weft__stmt *write_unit(weft__writing *w, const weft__unit *u)
{
    column col;
    if (u->kind == UNIT_REPEAT) return write_repeat(w, u);
    if (u->kind == UNIT_SCOPE) return write_scope(w, u);
    return column_begin(&col, w, u) ? write_statement(&col) : NULL;
}

static bool is_there(weft__writing *w, const weft__unit *u, const context *c, const bool *there)
{
    bool all;
    const bool *its = presence(w, u, c, &all);
    return its && !memcmp(its, there, c->n * sizeof *its);
}

/* Units that are at the same places, from *list on. */
static weft__stmt *write_branch(weft__writing *w, const weft__unit **list, const context *c, const bool *there)
{
    weft__stmt *head = NULL, **last = &head;
    do {
        *last = write_unit(w, *list);
        if (!*last) return NULL;
        last = &(*last)->next;
        *list = (*list)->next;
    } while (*list && is_there(w, *list, c, there));
    return head;
}

/* if, and else where what follows is at all other places. */
static weft__stmt *write_if(weft__writing *w, const weft__unit **list, const context *c, const bool *there)
{
    weft__stmt *s = weft__stmt_make(w->f, STMT_IF);
    if (!s) return NULL;
    s->value = condition(w, c, there);
    s->body = write_branch(w, list, c, there);
    if (!*list || w->f->failed) return s;
    bool all, opposite = true;
    const bool *other = presence(w, *list, c, &all);
    for (uint32_t i = 0; other && i < c->n; i++) opposite = opposite && other[i] != there[i];
    if (other && opposite) s->other = write_branch(w, list, c, other);
    return s;
}

static weft__stmt *write_body(weft__writing *w, const weft__unit *list, const context *c)
{
    weft__stmt *head = NULL, **last = &head;
    while (list && !w->f->failed) {
        bool all;
        const bool *there = presence(w, list, c, &all);
        if (!there) break;
        if (all) {
            *last = write_unit(w, list);
            list = list->next;
        } else {
            *last = write_if(w, &list, c, there);
        }
        if (*last) last = &(*last)->next;
    }
    return w->f->failed ? NULL : head;
}

weft__stmt *weft__write_units(weft__writing *w, const weft__unit *list)
{
    const uint32_t n = w->s->n_samples ? w->s->n_samples : 1;
    weft__place *at = weft__fold_alloc(w->f, n, sizeof *at);
    uint32_t kept = 0;
    for (uint32_t k = 0; at && k < n; k++) {
        uint32_t i = 0;
        while (i < list->n && list->places[i].sample != k) i++;
        if (i < list->n) at[kept++].sample = k; /* a sample that was joined */
    }
    context top = { at, kept, 0 };
    return at ? write_body(w, list, &top) : NULL;
}

weft__stmt *weft__write_extents(weft__writing *w, bool all)
{
    weft__stmt *head = NULL, **last = &head;
    const char *name;
    uint32_t bound;
    for (uint32_t i = 1; (name = weft_graph_extent(w->g, i, &bound)); i++) {
        if (!all && !w->extents[i]) continue;
        *last = weft__stmt_make(w->f, STMT_EXTENT);
        if (!*last) return NULL;
        (*last)->name.text = name;
        (*last)->value = weft__expr_whole(w->f, bound);
        last = &(*last)->next;
    }
    return head;
}
