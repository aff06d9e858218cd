/* names.c: names for values that a reader can follow: q, k and v for what attention reads, w and b for weights and
 * biases, x for what layers hand on. A value that is made from one other keeps its name, as long as that is not read
 * any more. */
#include "graph/text/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HINT = 24 };

typedef struct naming {
    weft__fold *f;
    weft__values v;
    char (*hint)[HINT]; /* by class; "": none */
    bool *carried;      /* by class: layers hand it on */
} naming;

/* ---- hints ---- */

static const char *word_of(const weft__unit *u)
{
    const weft__place *p = &u->places[0];
    return p->node ? weft_op_get(p->node->op)->name : p->call ? p->call->name : "";
}

static bool is_op(const weft__unit *u, const char *list)
{
    char padded[40];
    snprintf(padded, sizeof padded, " %s ", word_of(u));
    return strstr(list, padded) != NULL;
}

/* Ops whose result is their input, seen otherwise. */
static bool keeps(const weft__unit *u)
{
    const weft__place *p = &u->places[0];
    bool map = p->node && p->node->n_in == 1 && weft_op_get(p->node->op)->traits & WEFT_TRAIT_MAP;
    return map || is_op(u, " reshape permute rope cast broadcast activation layer_norm rms_norm l2_norm ");
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A word of a part's name: q of q_proj, qkv of query_key_value, the whole of what is short. */
static void shorten(const char *part, size_t n, char out[HINT])
{
    size_t words = 1, k = 0;
    bool digits = false;
    if (n > 5 && !strncmp(part + n - 5, "_proj", 5)) n -= 5;
    for (size_t i = 0; i < n; i++) {
        words += part[i] == '_';
        digits = digits || (part[i] >= '0' && part[i] <= '9');
    }
    for (size_t i = 0; i < n && k + 1 < HINT; i++) {
        bool starts = !i || part[i - 1] == '_';
        if (n > 8 && words > 2 && !digits && !starts) continue;
        if (n > 8 && !(words > 2 && !digits) && part[i] == '_') break;
        if (is_letter(part[i]) || part[i] == '_' || (k && part[i] >= '0' && part[i] <= '9')) out[k++] = part[i];
    }
    out[k] = 0;
    if (k && out[k - 1] == '_') out[k - 1] = 0;
}

static const char *last_part(const char *name, size_t *n)
{
    const char *end = name + strlen(name), *at = end;
    while (at > name && at[-1] != '.') at--;
    *n = (size_t)(end - at);
    return at;
}

static const char *scope_of(const weft__place *p)
{
    return p->node ? p->node->scope : p->call->scope;
}

static void source_hint(const weft__unit *u, char out[HINT])
{
    size_t n;
    const char *label = u->places[0].label ? u->places[0].label : "c", *part = last_part(label, &n);
    *out = 0;
    if (part > label + 1 && !strcmp(part, "weight")) { /* of a scope that is not opened for it */
        const char *owner = part - 1;
        while (owner > label && owner[-1] != '.') owner--;
        shorten(owner, (size_t)(part - 1 - owner), out);
    }
    if (*out) return;
    if (!strcmp(part, "weight")) snprintf(out, HINT, "w");
    else if (!strcmp(part, "bias")) snprintf(out, HINT, "b");
    else shorten(part, n, out);
}

static uint32_t class_read(const naming *m, const weft__unit *u, uint32_t k)
{
    uint32_t first = m->v.reads[u->id * WEFT_MAX_INPUTS + k];
    return first ? weft__values_class(&m->v, first - 1) : 0;
}

static uint32_t class_made(const naming *m, const weft__unit *u, uint32_t k)
{
    return weft__values_class(&m->v, u->id * WEFT_MAX_OUTPUTS + k);
}

static bool reads_weight(const weft__unit *u, uint32_t k)
{
    weft_ref in[WEFT_MAX_INPUTS];
    const weft__place *p = &u->places[0];
    if (weft__place_inputs(p, in) <= k || in[k].id >= p->g->value_limit) return false;
    const weft_node *n = weft_graph_node_by_id(p->g, weft_graph_value(p->g, in[k])->node);
    return n->op == WEFT_OP_weight || n->op == WEFT_OP_constant;
}

static void give(naming *m, uint32_t c, const char *hint)
{
    if (!*m->hint[c]) snprintf(m->hint[c], HINT, "%s", hint);
}

/* By what reads a value: towards its sources. */
static void hint_inputs(naming *m, const weft__unit *u)
{
    static const char *const roles[] = { "q", "k", "v" };
    size_t n;
    if (u->kind == UNIT_OUTPUT) {
        const char *label = u->places[0].label, *part = last_part(label, &n);
        if (u->n == 1 && part == label && n < 12 && strspn(label, "abcdefghijklmnopqrstuvwxyz") == n)
            give(m, class_read(m, u, 0), label);
        return;
    }
    for (uint32_t k = 0; k < 3 && is_op(u, " cached_attention attention "); k++) give(m, class_read(m, u, k), roles[k]);
    bool moved = is_op(u, " reshape permute rope cast layer_norm rms_norm l2_norm ");
    uint32_t c = moved ? class_made(m, u, 0) : 0;
    if (moved && (is_op(u, " reshape permute rope cast ") || strlen(m->hint[c]) == 1))
        if (*m->hint[c] && strcmp(m->hint[c], "x") != 0) give(m, class_read(m, u, 0), m->hint[c]);
}

/* The name of what an op makes from weights alone, or "". */
static void op_hint(const weft__unit *u, char out[HINT])
{
    static const struct { const char *ops, *hint; } known[] = {
        { " rope_table ", "angles" }, { " cached_attention attention ", "a" }, { " alibi ", "slopes" },
        { " layer_norm rms_norm l2_norm ", "n" }, { " softmax ", "p" },
    };
    *out = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_op(u, known[i].ops)) snprintf(out, HINT, "%s", known[i].hint);
    size_t n;
    const char *part = is_op(u, " matmul_nt linear_select ") ? last_part(scope_of(&u->places[0]), &n) : NULL;
    if (part) shorten(part, n, out);
}

/* By what a value is made of: towards its readers. */
static void hint_results(naming *m, const weft__unit *u)
{
    char hint[HINT];
    const weft__place *p = &u->places[0];
    uint32_t c = class_made(m, u, 0);
    if (u->kind == UNIT_BIND) {
        give(m, c, m->hint[class_read(m, u, 0)]);
        return;
    }
    if (p->node && weft_op_get(p->node->op)->traits & WEFT_TRAIT_SOURCE) {
        source_hint(u, hint);
        give(m, c, *hint ? hint : "c");
        return;
    }
    if (is_op(u, " top_k ")) {
        give(m, c, "best");
        give(m, class_made(m, u, 1), "chosen");
    }
    op_hint(u, hint);
    if (*hint) give(m, c, hint);
    if (is_op(u, " store conv1d linear_scan rope_store ")) give(m, c, m->hint[class_read(m, u, 0)]);
    for (uint32_t k = 1; p->node && k < p->node->n_out; k++) give(m, class_made(m, u, k), "y");
    bool summed = is_op(u, " add mul ");
    if (keeps(u) || (summed && reads_weight(u, 1)) || is_op(u, " concat ")) give(m, c, m->hint[class_read(m, u, 0)]);
    if (is_op(u, " gather ")) give(m, c, reads_weight(u, 0) ? "x" : m->hint[class_read(m, u, 0)]);
    give(m, c, is_op(u, " add ") ? "x" : "y");
}

/* What is made in several places, one of them a sum: that is handed on from layer to layer. */
static void hint_carried(naming *m)
{
    uint32_t *defs = calloc((size_t)m->v.n_defs + 1, sizeof *defs);
    if (!defs) m->f->failed = true;
    for (uint32_t i = 0; defs && i < m->v.n_units; i++) defs[class_made(m, m->v.units[i], 0)]++;
    for (uint32_t i = 0; defs && i < m->v.n_units; i++) {
        const weft__unit *u = m->v.units[i];
        uint32_t c = class_made(m, u, 0);
        if (u->kind != UNIT_NODE || defs[c] < 2 || !is_op(u, " add ") || reads_weight(u, 1)) continue;
        give(m, c, "x");
        m->carried[c] = true;
    }
    free(defs);
}

/* ---- lives ---- */

typedef struct span { uint64_t from, to; } span;
typedef struct name {
    char text[HINT + 12];
    span *spans; /* ascending */
    size_t n, cap;
} name;

typedef struct lives {
    span *spans;     /* of all classes, class by class */
    uint32_t *begin; /* by definition that is a class */
    uint32_t *count;
} lives;

static void free_lives(lives *l)
{
    free(l->spans);
    free(l->begin);
    free(l->count);
}

/* From where a value is made to where it is read last, as 2 t + 1 and 2 t: a statement reads before it binds. */
static bool find_lives(const weft__values *v, uint32_t names, lives *l)
{
    weft_ref refs[WEFT_MAX_INPUTS];
    const uint32_t most = v->n_events * WEFT_MAX_OUTPUTS + 1;
    *l = (lives){ calloc(most, sizeof *l->spans), calloc((size_t)v->n_defs + 1, sizeof *l->begin),
                  calloc((size_t)v->n_defs + 1, sizeof *l->count) };
    uint32_t *last = calloc((size_t)names + v->events[0].place->g->value_limit + 1, sizeof *last);
    if (!l->spans || !l->begin || !l->count || !last) {
        free(last);
        return false;
    }
    for (uint32_t t = 0; t < v->n_events; t++) {
        uint32_t n = weft__place_inputs(v->events[t].place, refs);
        for (uint32_t k = 0; k < n; k++) last[refs[k].id] = t;
        n = weft__place_results(v->events[t].place, refs);
        for (uint32_t k = 0; k < n; k++)
            l->count[weft__values_class(v, v->events[t].unit->id * WEFT_MAX_OUTPUTS + k)]++;
    }
    for (uint32_t e = 0, at = 0; e < v->n_defs; e++) {
        l->begin[e] = at;
        at += l->count[e];
        l->count[e] = 0;
    }
    for (uint32_t t = 0; t < v->n_events; t++) {
        uint32_t n = weft__place_results(v->events[t].place, refs);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t c = weft__values_class(v, v->events[t].unit->id * WEFT_MAX_OUTPUTS + k);
            uint64_t from = 2 * (uint64_t)t + 1, to = 2 * (uint64_t)last[refs[k].id];
            l->spans[l->begin[c] + l->count[c]++] = (span){ from, to > from ? to : from };
        }
    }
    free(last);
    return true;
}

static bool overlaps(const name *n, const span *s, uint32_t count)
{
    size_t i = 0;
    for (uint32_t k = 0; i < n->n && k < count;) {
        if (n->spans[i].from <= s[k].to && s[k].from <= n->spans[i].to) return true;
        if (n->spans[i].to < s[k].from) i++;
        else k++;
    }
    return false;
}

static int by_from(const void *a, const void *b)
{
    const span *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

static bool add_spans(name *n, const span *s, uint32_t count)
{
    if (!weft__grow(&n->spans, &n->cap, n->n + count, sizeof *n->spans)) return false;
    memcpy(n->spans + n->n, s, count * sizeof *s);
    n->n += count;
    qsort(n->spans, n->n, sizeof *n->spans, by_from);
    return true;
}

/* ---- names ---- */

typedef struct names { name *at; size_t n, cap; } names;

static name *find_name(names *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->at[i].text, text)) return &list->at[i];
    if (!weft__grow(&list->at, &list->cap, list->n + 1, sizeof *list->at)) return NULL;
    name *n = &list->at[list->n++];
    *n = (name){ .n = 0 };
    snprintf(n->text, sizeof n->text, "%s", text);
    return n;
}

/* The hint, or it with a number behind it. */
static const char *choose(naming *m, names *list, const lives *l, uint32_t c)
{
    char text[HINT + 12];
    const span *s = l->spans + l->begin[c];
    for (uint32_t k = 1;; k++) {
        snprintf(text, sizeof text, k > 1 ? "%s%u" : "%s", m->hint[c], k);
        name *n = find_name(list, text);
        if (!n) break;
        if (overlaps(n, s, l->count[c])) continue;
        if (!add_spans(n, s, l->count[c])) break;
        char *copy = weft__arena_strdup(m->f->arena, text);
        if (copy) return copy;
        break;
    }
    m->f->failed = true;
    return NULL;
}

static void set_names(naming *m, const char *const *of)
{
    for (uint32_t i = 0; i < m->v.n_units; i++) {
        weft__unit *u = m->v.units[i];
        for (uint32_t k = 0; k < WEFT_MAX_OUTPUTS; k++) u->result[k] = of[class_made(m, u, k)];
        for (uint32_t k = 0; k < WEFT_MAX_INPUTS; k++)
            u->input[k] = m->v.reads[u->id * WEFT_MAX_INPUTS + k] ? of[class_read(m, u, k)] : NULL;
    }
}

static void choose_all(naming *m)
{
    lives l;
    names list = { 0 };
    const char **of = calloc((size_t)m->v.n_defs + 1, sizeof *of);
    bool ok = find_lives(&m->v, m->f->names, &l) && of;
    for (int first = 1; first >= 0; first--) /* what layers hand on has the choice */
        for (uint32_t t = 0; ok && t < m->v.n_events && !m->f->failed; t++)
            for (uint32_t k = 0; k < WEFT_MAX_OUTPUTS && m->v.events[t].unit->kind != UNIT_OUTPUT; k++) {
                uint32_t c = class_made(m, m->v.events[t].unit, k);
                if (!of[c] && l.count[c] && m->carried[c] >= first) of[c] = choose(m, &list, &l, c);
            }
    if (ok) set_names(m, of);
    m->f->failed = m->f->failed || !ok;
    for (size_t i = 0; i < list.n; i++) free(list.at[i].spans);
    free(list.at);
    free(of);
    free_lives(&l);
}

/* ---- what scopes give ---- */

/* By class: how many units read it. */
static void count_reads(const naming *m, const weft__unit *u, uint32_t *reads, uint32_t by)
{
    for (; u; u = u->next) {
        for (uint32_t k = 0; k < WEFT_MAX_INPUTS && u->kind <= UNIT_OUTPUT; k++)
            if (m->v.reads[u->id * WEFT_MAX_INPUTS + k]) reads[class_read(m, u, k)] += by;
        count_reads(m, u->body, reads, by);
    }
}

static void find_given(naming *m, weft__unit *u, uint32_t *reads)
{
    for (; u; u = u->next) {
        const char *gives = NULL;
        bool several = false;
        if (u->kind == UNIT_SCOPE) {
            count_reads(m, u->body, reads, UINT32_MAX); /* without its own */
            for (const weft__unit *in = u->body; in; in = in->next)
                for (uint32_t k = 0; k < WEFT_MAX_OUTPUTS && in->kind < UNIT_OUTPUT; k++) {
                    if (!in->result[k] || !reads[class_made(m, in, k)]) continue;
                    several = several || (gives && strcmp(gives, in->result[k]) != 0);
                    gives = in->result[k];
                }
            count_reads(m, u->body, reads, 1);
        }
        u->gives = several ? NULL : gives;
        find_given(m, u->body, reads);
    }
}

static void find_all_given(naming *m, weft__unit *list)
{
    uint32_t *reads = calloc((size_t)m->v.n_defs + 1, sizeof *reads);
    if (reads) {
        count_reads(m, list, reads, 1);
        find_given(m, list, reads);
    } else {
        m->f->failed = true;
    }
    free(reads);
}

bool weft__units_name(weft__fold *f, weft__unit *list)
{
    naming m = { .f = f };
    bool ok = weft__values_find(f, list, &m.v) && weft__values_hold(f, &m.v);
    if (ok) m.hint = calloc((size_t)m.v.n_defs + 1, sizeof *m.hint);
    if (ok) m.carried = calloc((size_t)m.v.n_defs + 1, sizeof *m.carried);
    if (ok && (!m.hint || !m.carried)) f->failed = true;
    if (ok && !f->failed && m.v.n_events) {
        hint_carried(&m);
        for (uint32_t i = m.v.n_units; i--;)
            if (m.v.units[i]->kind <= UNIT_OUTPUT) hint_inputs(&m, m.v.units[i]);
        for (uint32_t i = 0; i < m.v.n_units; i++)
            if (m.v.units[i]->kind < UNIT_OUTPUT) hint_results(&m, m.v.units[i]);
        choose_all(&m);
        if (!f->failed) find_all_given(&m, list);
    }
    free(m.hint);
    free(m.carried);
    weft__values_free(&m.v);
    return ok && !f->failed;
}
