/* bind.c: names that make a repeat possible. Two things stand in the way of one name for what a statement reads in all
 * turns: that it reads now the one, now the other of two values from outside (a bind in each turn chooses), and that
 * the first turn reads what is still needed when later turns have given its name to something else (a bind before the
 * repeat). */
#include "graph/text/values.h"

#include <stdlib.h>
#include <string.h>

/* An input of a unit that reads several values from outside. */
typedef struct choice {
    weft__unit *unit;
    uint32_t input;
    uint32_t *value; /* by turn; 0: the unit is not there */
} choice;

typedef struct binding {
    weft__fold *f;
    weft__unit *repeat;
    weft__values v;
    int64_t lo;
    uint32_t turns, limit; /* limit: of the graph's values */
    uint32_t *order;       /* by turn: of its first statement */
    uint32_t names;        /* that were given */
} binding;

static uint32_t turn_of(const binding *b, const weft__unit *u, const weft__place *p)
{
    return (uint32_t)(p->counter[u->depth - 1] - b->lo);
}

static bool is_outside(const binding *b, uint32_t value)
{
    return !b->v.made[value] || b->v.made[value] > b->v.n_units * WEFT_MAX_OUTPUTS;
}

static weft__unit *new_bind(binding *b)
{
    weft__unit *u = weft__fold_alloc(b->f, 1, sizeof *u);
    if (!u) return NULL;
    u->kind = UNIT_BIND;
    u->sig = "bind";
    u->lines = 1;
    return u;
}

static uint32_t add_bind_place(binding *b, weft__unit *u, uint32_t value, uint32_t order, int64_t counter)
{
    const weft__place *r = &b->repeat->places[0];
    weft__place p = { .g = r->g, .sample = r->sample, .order = order, .counter = { counter } };
    p.swap[0] = (weft__swap){ value, b->limit + ++b->names, 0 };
    p.n_swaps = 1;
    return weft__units_add_place(b->f, u, &p) ? p.swap[0].name : 0;
}

static bool add_swap(weft__place *p, uint32_t value, uint32_t name, uint32_t input)
{
    if (p->n_swaps == WEFT__SWAPS) return false;
    p->swap[p->n_swaps++] = (weft__swap){ value, name, input };
    return true;
}

static void find_turns(binding *b)
{
    for (uint32_t t = 0; t < b->turns; t++) b->order[t] = UINT32_MAX;
    for (uint32_t i = 0; i < b->v.n_events; i++) {
        const weft__event *e = &b->v.events[i];
        uint32_t t = turn_of(b, e->unit, e->place);
        if (e->place->order < b->order[t]) b->order[t] = e->place->order;
    }
}

/* ---- choices ---- */

/* Whether an input reads at least two values, all from outside. */
static bool find_choice(binding *b, weft__unit *u, uint32_t k, choice *c)
{
    weft_ref in[WEFT_MAX_INPUTS];
    bool several = false;
    *c = (choice){ u, k, weft__fold_alloc(b->f, b->turns, sizeof *c->value) };
    uint32_t first = 0;
    for (uint32_t i = 0; c->value && i < u->n; i++) {
        if (weft__place_inputs(&u->places[i], in) <= k || !is_outside(b, in[k].id)) return false;
        uint32_t *at = &c->value[turn_of(b, u, &u->places[i])];
        if (*at && *at != in[k].id) return false;
        *at = in[k].id;
        if (!first) first = in[k].id;
        several = several || in[k].id != first;
    }
    return several;
}

/* Takes what another input chooses along, if they agree. */
static bool merge_choice(const binding *b, choice *a, const choice *c)
{
    for (uint32_t t = 0; t < b->turns; t++)
        if (a->value[t] && c->value[t] && a->value[t] != c->value[t]) return false;
    for (uint32_t t = 0; t < b->turns; t++)
        if (!a->value[t]) a->value[t] = c->value[t];
    return true;
}

/* A bind for each value that is chosen, at the head of the body; name[t]: what it is called in turn t. */
static bool add_choice(binding *b, const choice *c, uint32_t *name)
{
    weft__unit **last = &b->repeat->body;
    for (uint32_t t = 0; t < b->turns; t++) {
        bool known = !c->value[t];
        for (uint32_t s = 0; s < t; s++) known = known || c->value[s] == c->value[t];
        if (known) continue;
        weft__unit *u = new_bind(b);
        if (!u) return false;
        u->depth = 1;
        for (uint32_t s = t; s < b->turns; s++)
            if (c->value[s] == c->value[t] && !(name[s] = add_bind_place(b, u, c->value[s], b->order[s], b->lo + s)))
                return false;
        u->next = *last;
        *last = u;
        last = &u->next;
    }
    return true;
}

static bool swap_choice(binding *b, const choice *c, const uint32_t *name)
{
    for (uint32_t i = 0; i < c->unit->n; i++) {
        weft_ref in[WEFT_MAX_INPUTS];
        weft__place *p = &c->unit->places[i];
        (void)weft__place_inputs(p, in);
        uint32_t called = name[turn_of(b, c->unit, p)];
        if (in[c->input].id < b->limit && !add_swap(p, in[c->input].id, called, c->input)) return false;
    }
    return true;
}

static bool bind_choices(binding *b)
{
    enum { MOST = 64 };
    choice c[MOST];
    uint32_t group[MOST], n = 0;
    for (uint32_t i = 0; i < b->v.n_units; i++)
        for (uint32_t k = 0; k < WEFT_MAX_INPUTS && n < MOST; k++)
            if (b->v.units[i]->kind <= UNIT_OUTPUT && find_choice(b, b->v.units[i], k, &c[n])) n++;
    for (uint32_t i = 0; i < n; i++) {
        group[i] = i;
        for (uint32_t j = 0; j < i && group[i] == i; j++)
            if (group[j] == j && merge_choice(b, &c[j], &c[i])) group[i] = j;
    }
    for (uint32_t j = 0; j < n; j++) {
        uint32_t *name = weft__fold_alloc(b->f, b->turns, sizeof *name);
        if (group[j] != j) continue;
        if (!name || !add_choice(b, &c[j], name)) return false;
        for (uint32_t i = j; i < n; i++)
            if (group[i] == j && !swap_choice(b, &c[i], name)) return false;
    }
    return true;
}

/* ---- what the first turn reads ---- */

/* The order in which a class is first given something inside; UINT32_MAX: never. */
static uint32_t first_made(const binding *b, uint32_t class)
{
    weft_ref out[WEFT_MAX_OUTPUTS];
    for (uint32_t i = 0; i < b->v.n_events; i++) {
        const weft__event *e = &b->v.events[i];
        uint32_t n = weft__place_results(e->place, out);
        for (uint32_t k = 0; k < n; k++)
            if (weft__values_class(&b->v, e->unit->id * WEFT_MAX_OUTPUTS + k) == class) return e->place->order;
    }
    return UINT32_MAX;
}

/* Whether an input reads something else than the value, too: the value in the first turn alone. */
static bool is_mixed(const weft__unit *u, uint32_t k, uint32_t value)
{
    weft_ref in[WEFT_MAX_INPUTS];
    for (uint32_t i = 0; i < u->n; i++)
        if (weft__place_inputs(&u->places[i], in) > k && in[k].id != value) return true;
    return false;
}

/* Such inputs read the value by the name. */
static bool swap_reads(binding *b, uint32_t value, uint32_t name)
{
    weft_ref in[WEFT_MAX_INPUTS];
    for (uint32_t i = 0; i < b->v.n_units; i++) {
        weft__unit *u = b->v.units[i];
        for (uint32_t k = 0; k < WEFT_MAX_INPUTS && u->kind <= UNIT_OUTPUT; k++) {
            if (!b->v.reads[u->id * WEFT_MAX_INPUTS + k] || !is_mixed(u, k, value)) continue;
            for (uint32_t j = 0; j < u->n; j++) {
                (void)weft__place_inputs(&u->places[j], in);
                if (in[k].id == value && !add_swap(&u->places[j], value, name, k)) return false;
            }
        }
    }
    return true;
}

/* Values that a class holds when it begins, and that somebody reads once it holds something else. */
static bool bind_first(binding *b, weft__unit **before)
{
    for (uint32_t e = b->v.n_units * WEFT_MAX_OUTPUTS; e < b->v.n_defs; e++) {
        const uint32_t value = b->v.outside[e], class = weft__values_class(&b->v, e), made = first_made(b, class);
        if (made == UINT32_MAX || value >= b->limit || b->f->last_read[value] <= made) continue;
        weft__unit *u = new_bind(b);
        uint32_t name = u ? add_bind_place(b, u, value, b->order[0], 0) : 0;
        if (!name || !swap_reads(b, value, name)) return false;
        *before = u;
        before = &u->next;
    }
    return true;
}

static bool begin(binding *b, weft__fold *f, weft__unit *repeat)
{
    const weft__place *p = &repeat->places[0];
    *b = (binding){ .f = f, .repeat = repeat, .lo = p->lo, .turns = (uint32_t)(p->hi - p->lo), .names = f->names };
    b->limit = p->g->value_limit;
    b->order = weft__fold_alloc(f, b->turns, sizeof *b->order);
    return b->order && weft__values_find(f, repeat, &b->v);
}

static bool bind_all(weft__fold *f, weft__unit *repeat, weft__unit **before)
{
    binding b;
    bool ok = begin(&b, f, repeat);
    if (ok) find_turns(&b);
    ok = ok && bind_choices(&b);
    f->names = b.names > f->names ? b.names : f->names;
    weft__values_free(&b.v);
    if (!ok || !begin(&b, f, repeat)) return false;
    find_turns(&b);
    ok = bind_first(&b, before);
    f->names = b.names > f->names ? b.names : f->names;
    weft__values_free(&b.v);
    return ok;
}

bool weft__units_bind(weft__fold *f, weft__unit *repeat, weft__unit **before)
{
    *before = NULL;
    return bind_all(f, repeat, before) && weft__units_can_be_named(f, repeat);
}
