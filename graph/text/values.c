/* values.c: which values need one name. A name is bound anew by each statement that makes it, so values whose lives do
 * not overlap may share one; what a statement reads in one turn of a repeat and what it reads in another must.
 *
 * Definitions (a result of a unit) that a statement reads from the same input are put into one class. Then the graph's
 * statements are gone through in their order: each class must hold what is read from it. */
#include "graph/text/values.h"

#include <stdlib.h>
#include <string.h>

static void count_units(const weft__unit *u, uint32_t *units, uint32_t *places)
{
    for (; u; u = u->next) {
        ++*units;
        *places += u->n;
        count_units(u->body, units, places);
    }
}

static void collect(weft__values *v, weft__unit *u, uint32_t sample)
{
    for (; u; u = u->next) {
        u->id = v->n_units;
        v->units[v->n_units++] = u;
        for (uint32_t i = 0; i < u->n && u->kind <= UNIT_OUTPUT; i++)
            if (u->places[i].sample == sample) v->events[v->n_events++] = (weft__event){ u, &u->places[i] };
        collect(v, u->body, sample);
    }
}

static int by_order(const void *a, const void *b)
{
    const weft__event *x = a, *y = b;
    if (x->place->order != y->place->order) return x->place->order < y->place->order ? -1 : 1;
    return (y->unit->kind == UNIT_BIND) - (x->unit->kind == UNIT_BIND); /* a bind stands before what it is for */
}

uint32_t weft__values_class(const weft__values *v, uint32_t e)
{
    while (v->parent[e] != e) e = v->parent[e] = v->parent[v->parent[e]];
    return e;
}

static void unite(weft__values *v, uint32_t a, uint32_t b)
{
    a = weft__values_class(v, a);
    b = weft__values_class(v, b);
    if (a < b) v->parent[b] = a;
    else v->parent[a] = b;
}

/* The definition that makes a value: of a unit, or a new one of what comes from outside. */
static uint32_t maker(weft__values *v, weft_ref r)
{
    if (v->made[r.id]) return v->made[r.id] - 1;
    uint32_t e = v->n_defs++;
    v->parent[e] = e;
    v->made[r.id] = e + 1;
    v->outside[e] = r.id;
    return e;
}

static void find_makers(weft__values *v)
{
    weft_ref out[WEFT_MAX_OUTPUTS];
    v->n_defs = v->n_units * WEFT_MAX_OUTPUTS;
    for (uint32_t e = 0; e < v->n_defs; e++) v->parent[e] = e;
    for (uint32_t i = 0; i < v->n_events; i++) {
        uint32_t n = weft__place_results(v->events[i].place, out);
        for (uint32_t k = 0; k < n; k++) v->made[out[k].id] = v->events[i].unit->id * WEFT_MAX_OUTPUTS + k + 1;
    }
}

/* What a unit reads in all of its places is one class by input. */
static void unite_inputs(weft__values *v)
{
    weft_ref in[WEFT_MAX_INPUTS];
    for (uint32_t i = 0; i < v->n_events; i++) {
        uint32_t *first = &v->reads[v->events[i].unit->id * WEFT_MAX_INPUTS];
        uint32_t n = weft__place_inputs(v->events[i].place, in);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t e = in[k].id ? maker(v, in[k]) : 0;
            if (!in[k].id) continue;
            if (first[k]) unite(v, first[k] - 1, e);
            else first[k] = e + 1;
        }
    }
}

/* What comes from outside is there from the start. */
static bool begin(const weft__values *v, uint32_t *held)
{
    for (uint32_t e = v->n_units * WEFT_MAX_OUTPUTS; e < v->n_defs; e++) {
        uint32_t c = weft__values_class(v, e);
        if (held[c] && held[c] != v->outside[e]) return false;
        held[c] = v->outside[e];
    }
    return true;
}

static bool step(const weft__values *v, const weft__event *s, uint32_t *held)
{
    weft_ref in[WEFT_MAX_INPUTS], out[WEFT_MAX_OUTPUTS];
    uint32_t n = weft__place_inputs(s->place, in);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t first = v->reads[s->unit->id * WEFT_MAX_INPUTS + k];
        if (in[k].id && held[weft__values_class(v, first - 1)] != in[k].id) return false;
    }
    n = weft__place_results(s->place, out);
    for (uint32_t k = 0; k < n; k++)
        held[weft__values_class(v, s->unit->id * WEFT_MAX_OUTPUTS + k)] = out[k].id;
    return true;
}

bool weft__values_hold(weft__fold *f, const weft__values *v)
{
    uint32_t *held = calloc((size_t)v->n_defs + 1, sizeof *held);
    if (!held) return !(f->failed = true);
    bool ok = begin(v, held);
    for (uint32_t i = 0; ok && i < v->n_events; i++) ok = step(v, &v->events[i], held);
    free(held);
    return ok;
}

bool weft__values_find(weft__fold *f, weft__unit *list, weft__values *v)
{
    uint32_t units = 0, places = 0;
    *v = (weft__values){ 0 };
    count_units(list, &units, &places);
    const weft_graph *g = list->places[0].g;
    const size_t values = (size_t)g->value_limit + f->names + 1, defs = (size_t)units * WEFT_MAX_OUTPUTS + values;
    v->units = calloc((size_t)units + 1, sizeof *v->units);
    v->events = calloc((size_t)places + 1, sizeof *v->events);
    v->parent = calloc(defs, sizeof *v->parent);
    v->outside = calloc(defs, sizeof *v->outside);
    v->made = calloc(values, sizeof *v->made);
    v->reads = calloc((size_t)units * WEFT_MAX_INPUTS + 1, sizeof *v->reads);
    if (!v->units || !v->events || !v->parent || !v->outside || !v->made || !v->reads) {
        weft__values_free(v);
        return !(f->failed = true);
    }
    collect(v, list, list->places[0].sample);
    qsort(v->events, v->n_events, sizeof *v->events, by_order);
    find_makers(v);
    unite_inputs(v);
    return true;
}

void weft__values_free(weft__values *v)
{
    free(v->units);
    free(v->events);
    free(v->parent);
    free(v->outside);
    free(v->made);
    free(v->reads);
    *v = (weft__values){ 0 };
}

bool weft__units_can_be_named(weft__fold *f, weft__unit *list)
{
    weft__values v;
    weft__unit *next = list->next;
    list->next = NULL; /* of this one alone */
    bool ok = weft__values_find(f, list, &v) && weft__values_hold(f, &v);
    weft__values_free(&v);
    list->next = next;
    return ok;
}
