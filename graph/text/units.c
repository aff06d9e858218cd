/* units.c: the statements of a graph, in the scopes that they stand in.
 *
 * Ops stand in the scope that they were made in, and so do calls. Sources and outputs may stand anywhere, for their
 * names are whole: they go where the ops beside them are, as deep as their own scope goes along. */
#include "graph/attr.h"
#include "graph/rope.h"
#include "graph/text/unit.h"

#include <stdlib.h>
#include <string.h>

typedef struct item {
    weft__place p;
    const char *scope; /* that it stands in: the first `length` bytes */
    size_t length;
    bool fixed;        /* its scope is what the graph says */
} item;

typedef struct items {
    weft__fold *f;
    const weft_graph *g;
    item *at;
    uint32_t n;
    uint32_t sample;
} items;

uint32_t weft__place_inputs(const weft__place *p, weft_ref in[WEFT_MAX_INPUTS])
{
    if (!p->node && !p->call && !p->output) {
        in[0].id = p->swap[0].value;
        return 1;
    }
    const weft_ref *from = p->node ? p->node->in : p->call ? p->call->in : &p->output->ref;
    uint32_t n = p->node ? p->node->n_in : p->call ? p->call->n_in : 1;
    memcpy(in, from, n * sizeof *in);
    for (uint32_t i = 0; i < p->n_swaps; i++) in[p->swap[i].input].id = p->swap[i].name;
    return n;
}

uint32_t weft__place_results(const weft__place *p, weft_ref out[WEFT_MAX_OUTPUTS])
{
    if (p->output) return 0;
    if (!p->node && !p->call) {
        out[0].id = p->swap[0].name;
        return 1;
    }
    if (p->call) out[0] = p->call->out;
    else memcpy(out, p->node->out, p->node->n_out * sizeof *out);
    return p->call ? 1 : p->node->n_out;
}

/* ---- statements in a row ---- */

/* By place in the order: 1 + the call that the node is of; 0: none. */
static uint32_t *covered(items *s)
{
    uint32_t *call_of = calloc((size_t)s->g->n_order + 1, sizeof *call_of);
    for (uint32_t c = 0; call_of && s->f->calls && c < s->g->n_calls; c++)
        for (uint32_t i = s->g->calls[c].begin; i < s->g->calls[c].end; i++) call_of[i] = c + 1;
    return call_of;
}

/* A call whose inner values somebody else reads is none. */
static void uncover(const weft_graph *g, uint32_t *call_of, const uint32_t *place, weft_ref read, uint32_t by)
{
    const weft_node *made = weft_graph_node_by_id(g, weft_graph_value(g, read)->node);
    uint32_t c = call_of[place[made->id]];
    if (!c || c == by || g->calls[c - 1].out.id == read.id) return;
    if (made->op == WEFT_OP_input) return; /* of the session: it is there */
    for (uint32_t i = g->calls[c - 1].begin; i < g->calls[c - 1].end; i++) call_of[i] = 0;
}

static bool uncover_all(const weft_graph *g, uint32_t *call_of)
{
    uint32_t *place = calloc(weft_graph_node_limit(g), sizeof *place);
    for (uint32_t i = 0; place && i < g->n_order; i++) place[g->order[i]] = i;
    for (uint32_t i = 0; place && i < g->n_order; i++) {
        const weft_node *n = g->nodes[g->order[i]];
        for (uint32_t k = 0; k < n->n_in; k++) uncover(g, call_of, place, n->in[k], call_of[i]);
    }
    for (uint32_t i = 0; place && i < g->n_outputs; i++) uncover(g, call_of, place, g->outputs[i].ref, 0);
    free(place);
    return place != NULL;
}

static void add_item(items *s, weft__place p, const char *scope, bool fixed)
{
    item *i = &s->at[s->n];
    p.g = s->g;
    p.order = s->n++;
    p.sample = s->sample;
    *i = (item){ .p = p, .scope = scope, .length = strlen(scope), .fixed = fixed };
}

static void add_node(items *s, const weft_node *n)
{
    bool source = weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE;
    const char *scope = n->op == WEFT_OP_input ? "" : n->scope;
    add_item(s, (weft__place){ .node = n, .label = n->name }, scope, !source);
}

/* Outputs stand behind the value that they name, and behind the output before. */
static void add_outputs(items *s, const bool *made, uint32_t *next)
{
    for (; *next < s->g->n_outputs && made[s->g->outputs[*next].ref.id]; ++*next)
        add_item(s, (weft__place){ .output = &s->g->outputs[*next], .label = s->g->outputs[*next].name }, "", false);
}

/* By value: whether a statement reads it that is no call's inside. */
static void find_read(const weft_graph *g, const uint32_t *call_of, bool *read)
{
    for (uint32_t i = 0; i < g->n_order; i++) {
        const weft_node *n = g->nodes[g->order[i]];
        for (uint32_t k = 0; !call_of[i] && k < n->n_in; k++) read[n->in[k].id] = true;
        if (!call_of[i]) continue;
        const weft__call *c = &g->calls[call_of[i] - 1];
        for (uint32_t k = 0; k < c->n_in; k++) read[c->in[k].id] = true;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++) read[g->outputs[i].ref.id] = true;
}

static void add_all(items *s, const uint32_t *call_of, bool *made, const bool *read)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < s->g->n_order; i++) {
        const weft_node *n = s->g->nodes[s->g->order[i]];
        const weft__call *c = call_of[i] ? &s->g->calls[call_of[i] - 1] : NULL;
        bool known = s->f->calls && n->op == WEFT_OP_input && !read[n->out[0].id]; /* the session's */
        for (uint32_t k = 0; k < n->n_out; k++) made[n->out[k].id] = true;
        if (c && i == c->begin) add_item(s, (weft__place){ .call = c }, c->scope, true);
        if (!c && !known) add_node(s, n);
        if (!c || i + 1 == c->end) add_outputs(s, made, &next);
    }
}

static bool find_last_reads(items *s)
{
    weft_ref in[WEFT_MAX_INPUTS];
    uint32_t *last = s->f->last_read = weft__fold_alloc(s->f, weft_graph_value_limit(s->g), sizeof *last);
    for (uint32_t i = 0; last && i < s->n; i++) {
        uint32_t n = weft__place_inputs(&s->at[i].p, in);
        for (uint32_t k = 0; k < n; k++) last[in[k].id] = i;
    }
    return last != NULL;
}

static bool make_items(items *s)
{
    uint32_t *call_of = covered(s);
    bool *made = calloc(weft_graph_value_limit(s->g), 1), *read = calloc(weft_graph_value_limit(s->g), 1);
    s->at = weft__fold_alloc(s->f, (size_t)s->g->n_order + s->g->n_outputs + 1, sizeof *s->at);
    bool ok = call_of && made && read && s->at && uncover_all(s->g, call_of);
    if (ok) find_read(s->g, call_of, read);
    if (ok) add_all(s, call_of, made, read);
    free(call_of);
    free(made);
    free(read);
    s->f->failed = s->f->failed || !ok;
    return ok && find_last_reads(s);
}

/* ---- scopes ---- */

/* A scope that builders made has no empty part; another one is one part. */
static bool has_parts(const char *scope, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (scope[i] == '.' && (!i || i + 1 == length || scope[i + 1] == '.')) return false;
    return true;
}

/* Bytes of a scope up to the end of its next part; a number belongs to the part before it. */
static size_t part_end(const char *scope, size_t length, size_t at)
{
    size_t end = at + (at != 0);
    if (!has_parts(scope, length)) return length;
    while (end < length && scope[end] != '.') end++;
    for (size_t n = end; n < length;) { /* scope[n] is a dot */
        size_t k = n + 1;
        while (k < length && scope[k] >= '0' && scope[k] <= '9') k++;
        if (k == n + 1 || (k < length && scope[k] != '.')) break;
        end = n = k;
    }
    return end;
}

/* The parts that two scopes have in common, as bytes. */
static size_t common(const char *a, size_t n_a, const char *b, size_t n_b)
{
    size_t at = 0;
    while (at < n_a && at < n_b) {
        size_t end = part_end(a, n_a, at);
        if (end != part_end(b, n_b, at) || memcmp(a, b, end)) break;
        at = end;
    }
    return at;
}

/* Whether a source's name goes on from a scope. */
static bool begins(const char *name, const char *scope, size_t length)
{
    return !length || (!strncmp(name, scope, length) && name[length] == '.' && name[length + 1]);
}

/* Where what may stand anywhere stands: a source as deep as its own scope goes along with an op beside it; the others
 * where both ops are. */
static void settle(item *i, const item *before, const item *after)
{
    static const item top = { .scope = "" };
    const item *a = before ? before : &top, *b = after ? after : &top;
    const weft_node *n = i->p.node;
    bool own = n && n->op != WEFT_OP_input;
    size_t with_a = own ? common(i->scope, i->length, a->scope, a->length) : 0;
    size_t with_b = own ? common(i->scope, i->length, b->scope, b->length) : 0;
    if (!own) {
        i->length = common(a->scope, a->length, b->scope, b->length);
        i->scope = a->scope;
        return;
    }
    i->length = with_a > with_b ? with_a : with_b;
    while (i->length && n->name && !begins(n->name, i->scope, i->length)) {
        size_t at = 0, end = 0;
        while ((end = part_end(i->scope, i->length, at)) < i->length) at = end;
        i->length = at;
    }
    if (n->name && i->length) i->p.label = n->name + i->length + 1;
}

static void settle_all(items *s)
{
    const item *before = NULL;
    for (uint32_t i = 0, next = 0; i < s->n; i++) {
        if (next <= i) next = i + 1;
        while (next < s->n && !s->at[next].fixed) next++;
        if (s->at[i].fixed) before = &s->at[i];
        else settle(&s->at[i], before, next < s->n ? &s->at[next] : NULL);
    }
}

/* ---- signatures ---- */

static void put_stem(const weft_writer *w, const char *label)
{
    const char *begin, *from = label;
    for (int k = 0; k < WEFT__LABEL_NUMBERS && weft__label_number(&label, &begin) >= 0; k++, from = label)
        weft_writef(w, "%.*s#", (int)(begin - from), from);
    weft_writef(w, "%s", from);
}

static void put_dims(const weft_writer *w, const weft_dims *d)
{
    for (uint32_t i = 0; i < d->rank; i++) weft_writef(w, i ? ",%u" : "[%u", d->d[i].extent);
    weft_writef(w, "]");
}

static void put_field(const weft_writer *w, const weft__attr_field *f, const void *at)
{
    weft__attr_any x;
    memcpy(&x, at, weft__attr_size(f));
    weft_writef(w, " %s", f->name);
    if (f->type == ATTR_dtype) weft_writef(w, "=%d", (int)x.dtype);
    if (f->type == ATTR_act) weft_writef(w, "=%d", (int)x.act);
    if (f->type == ATTR_rope) weft_writef(w, "=%d", (int)x.rope);
    if (f->type == ATTR_dims) put_dims(w, &x.dims);
    for (uint32_t i = 0; f->type == ATTR_perm && i < x.perm.rank; i++) weft_writef(w, ".%u", x.perm.axis[i]);
}

static void put_node(const weft_writer *w, const weft_graph *g, const weft_node *n)
{
    uint32_t n_fields;
    const weft__attr_field *f = weft__attr_fields(n->op, &n_fields);
    const weft_value *v = weft_graph_value(g, n->out[0]);
    weft_writef(w, "%s/%u", weft_op_get(n->op)->name, n->n_in);
    for (uint32_t i = 0; i < n_fields; i++) put_field(w, &f[i], (const char *)&n->attrs + f[i].offset);
    if (!(weft_op_get(n->op)->traits & WEFT_TRAIT_SOURCE)) return;
    weft_writef(w, " %d", (int)v->dtype);
    put_dims(w, &v->dims);
    if (n->data) weft_writef(w, " %lld", (long long)weft_value_elements(g, n->out[0], NULL));
}

static void put_call(const weft_writer *w, const weft__call *c)
{
    weft_writef(w, "call %s/%u", c->name, c->n_in);
    for (uint32_t i = 0; i < c->n_attrs; i++)
        if (c->attrs[i].flag) weft_writef(w, " %g", c->attrs[i].number);
}

/* A text, and whether there was memory for all of it. */
typedef struct sink {
    weft_text text;
    weft_writer into;
    bool failed;
} sink;

static bool write_sink(void *ctx, const char *data, size_t n)
{
    sink *s = ctx;
    s->failed = s->failed || !s->into.write(s->into.ctx, data, n);
    return !s->failed;
}

static const char *signature(weft__fold *f, const weft__unit *u, const weft__place *p)
{
    sink s = { .failed = false };
    weft_writer w = { &s, write_sink };
    s.into = weft_text_writer(&s.text);
    if (p->node) put_node(&w, p->g, p->node);
    else if (p->call) put_call(&w, p->call);
    else weft_writef(&w, u->kind == UNIT_SCOPE ? "scope" : "output");
    if (p->label) {
        weft_writef(&w, " ");
        put_stem(&w, p->label);
    }
    char *sig = s.text.data && !s.failed ? weft__arena_strdup(f->arena, s.text.data) : NULL;
    weft_text_free(&s.text);
    if (!sig) f->failed = true;
    return sig;
}

/* ---- units ---- */

static weft__unit *new_unit(weft__fold *f, weft__unit_kind kind, const weft__place *p)
{
    weft__unit *u = weft__fold_alloc(f, 1, sizeof *u);
    if (!u) return NULL;
    u->kind = kind;
    u->lines = kind == UNIT_SCOPE ? 2 : 1;
    u->sig = signature(f, u, p);
    return u->sig && weft__units_add_place(f, u, p) ? u : NULL;
}

static char *part_label(weft__fold *f, const char *scope, size_t from, size_t end)
{
    char *label = weft__fold_alloc(f, end - from + 1, 1);
    if (label) memcpy(label, scope + from, end - from);
    return label;
}

enum { NESTED = 24 }; /* scopes that are taken apart; texts may not nest without end */

static weft__unit *group(items *s, uint32_t begin, uint32_t end, size_t depth, int nested);

/* The items from `begin` on that stand in one more scope, whose end *to becomes. */
static weft__unit *scope_of(items *s, uint32_t begin, uint32_t end, size_t depth, int nested, uint32_t *to)
{
    const item *first = &s->at[begin];
    const size_t inside = nested < NESTED ? part_end(first->scope, first->length, depth) : first->length;
    uint32_t k = begin;
    while (k < end && common(s->at[k].scope, s->at[k].length, first->scope, inside) == inside) k++;
    weft__place p = { .g = s->g, .sample = s->sample, .order = first->p.order };
    p.label = part_label(s->f, first->scope, depth + (depth != 0), inside);
    weft__unit *u = p.label ? new_unit(s->f, UNIT_SCOPE, &p) : NULL;
    if (u) u->body = group(s, begin, k, inside, nested + 1);
    if (u) u->lines += weft__units_lines(u->body);
    *to = k;
    return u;
}

static weft__unit *group(items *s, uint32_t begin, uint32_t end, size_t depth, int nested)
{
    weft__unit *head = NULL, **last = &head;
    for (uint32_t i = begin; i < end && !s->f->failed;) {
        const weft__place *p = &s->at[i].p;
        weft__unit_kind kind = p->node ? UNIT_NODE : p->call ? UNIT_CALL : UNIT_OUTPUT;
        if (s->at[i].length > depth) *last = scope_of(s, i, end, depth, nested, &i);
        else *last = new_unit(s->f, kind, &s->at[i++].p);
        if (*last) last = &(*last)->next;
    }
    return head;
}

weft__unit *weft__units_of(weft__fold *f, const weft_graph *g, uint32_t sample)
{
    items s = { .f = f, .g = g, .sample = sample };
    if (!make_items(&s)) return NULL;
    settle_all(&s);
    return group(&s, 0, s.n, 0, 0);
}
