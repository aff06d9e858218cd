/* methods.c: methods of dicts, lists, numbers and what is not a text. */
#include <math.h>

#include "jinja.h"

/* ---- dicts ---- */

static jinja_value view(jinja_run *r, const jinja_call *c, char part)
{
    jinja_view *v = jinja_alloc(r, 1, sizeof *v);
    *v = (jinja_view){ c->self.dict, part };
    return (jinja_value){ .kind = JINJA_VIEW, .view = v };
}

static jinja_value d_items(jinja_run *r, const jinja_call *c)
{
    return view(r, c, 'i');
}

static jinja_value d_keys(jinja_run *r, const jinja_call *c)
{
    return view(r, c, 'k');
}

static jinja_value d_values(jinja_run *r, const jinja_call *c)
{
    return view(r, c, 'v');
}

static jinja_value d_get(jinja_run *r, const jinja_call *c)
{
    const jinja_pair *p = jinja_dict_find(r, c->self.dict, c->v[0]);
    return p ? p->value : c->v[1];
}

static jinja_value d_copy(jinja_run *r, const jinja_call *c)
{
    jinja_dict *d = jinja_dict_new(r);
    for (size_t i = 0; i < c->self.dict->n; i++) jinja_dict_set(r, d, c->self.dict->p[i].key, c->self.dict->p[i].value);
    return jinja_from_dict(d);
}

static jinja_value d_fromkeys(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->v[0]);
    jinja_dict *d = jinja_dict_new(r);
    for (size_t i = 0; i < l->n; i++) jinja_dict_set(r, d, l->v[i], c->v[1]);
    return jinja_from_dict(d);
}

/* ---- lists, tuples, ranges ---- */

static jinja_value l_count(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->self);
    int64_t n = 0;
    for (size_t i = 0; i < l->n; i++) n += jinja_equal(r, l->v[i], c->v[0]);
    return jinja_int(n);
}

static int64_t clamp(jinja_run *r, jinja_value v, int64_t fallback, int64_t n)
{
    if (v.kind == JINJA_NONE) return fallback;
    int64_t i = jinja_need_int(r, v, "index");
    if (i < 0) i += n;
    return i < 0 ? 0 : i > n ? n : i;
}

static jinja_value l_index(jinja_run *r, const jinja_call *c)
{
    const jinja_list *l = jinja_items(r, c->self);
    const int64_t n = (int64_t)l->n, to = clamp(r, c->v[2], n, n);
    for (int64_t i = clamp(r, c->v[1], 0, n); i < to; i++)
        if (jinja_equal(r, l->v[i], c->v[0])) return jinja_int(i);
    jinja_fail(r, "the value is not in the %s", jinja_type_name(c->self));
}

static jinja_value l_copy(jinja_run *r, const jinja_call *c)
{
    return jinja_slice(r, c->self, jinja_none(), jinja_none(), jinja_none());
}

/* ---- numbers ---- */

static jinja_value n_bit_length(jinja_run *r, const jinja_call *c)
{
    int64_t i = jinja_need_int(r, c->self, "bit_length"), n = 0;
    for (uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i; u; u >>= 1) n++;
    return jinja_int(n);
}

static jinja_value n_conjugate(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return c->self;
}

static jinja_value n_is_integer(jinja_run *r, const jinja_call *c)
{
    (void)r;
    return jinja_bool(isfinite(c->self.f) && c->self.f == floor(c->self.f));
}

/* ---- loops and cyclers ---- */

static jinja_value o_cycle(jinja_run *r, const jinja_call *c)
{
    if (!c->args->n) jinja_fail(r, "no items for cycling given");
    return c->args->v[c->self.loop->at % c->args->n];
}

static jinja_value o_changed(jinja_run *r, const jinja_call *c)
{
    jinja_list *now = jinja_list_new(r, c->args->n);
    for (size_t i = 0; i < c->args->n; i++) jinja_push(r, now, c->args->v[i]);
    jinja_loop *loop = c->self.loop;
    const bool same = loop->changed && jinja_equal(r, jinja_from_tuple(loop->changed), jinja_from_tuple(now));
    if (!same) loop->changed = now;
    return jinja_bool(!same);
}

static jinja_value o_next(jinja_run *r, const jinja_call *c)
{
    jinja_iterator *it = c->self.iterator;
    const jinja_value v = it->items->v[it->at];
    (void)r;
    it->at = (it->at + 1) % it->items->n;
    return v;
}

static jinja_value o_reset(jinja_run *r, const jinja_call *c)
{
    (void)r;
    c->self.iterator->at = 0;
    return jinja_none();
}

const jinja_row jinja_methods[] = {
    { "clear", NULL, "!", JINJA_DICT },
    { "copy", d_copy, "", JINJA_DICT },
    { "fromkeys", d_fromkeys, "iterable|value", JINJA_DICT },
    { "get", d_get, "key|default", JINJA_DICT },
    { "items", d_items, "", JINJA_DICT },
    { "keys", d_keys, "", JINJA_DICT },
    { "pop", NULL, "!", JINJA_DICT },
    { "popitem", NULL, "!", JINJA_DICT },
    { "setdefault", NULL, "!", JINJA_DICT },
    { "update", NULL, "!", JINJA_DICT },
    { "values", d_values, "", JINJA_DICT },
    { "append", NULL, "!", JINJA_LIST },
    { "clear", NULL, "!", JINJA_LIST },
    { "copy", l_copy, "", JINJA_LIST },
    { "count", l_count, "value", JINJA_LIST },
    { "extend", NULL, "!", JINJA_LIST },
    { "index", l_index, "value|start,stop", JINJA_LIST },
    { "insert", NULL, "!", JINJA_LIST },
    { "pop", NULL, "!", JINJA_LIST },
    { "remove", NULL, "!", JINJA_LIST },
    { "reverse", NULL, "!", JINJA_LIST },
    { "sort", NULL, "!", JINJA_LIST },
    { "count", l_count, "value", JINJA_TUPLE },
    { "index", l_index, "value|start,stop", JINJA_TUPLE },
    { "count", l_count, "value", JINJA_RANGE },
    { "index", l_index, "value", JINJA_RANGE },
    { "isdisjoint", NULL, "*", JINJA_VIEW },
    { "mapping", NULL, "*", JINJA_VIEW },
    { "as_integer_ratio", NULL, "*", JINJA_INT },
    { "bit_count", NULL, "*", JINJA_INT },
    { "bit_length", n_bit_length, "", JINJA_INT },
    { "conjugate", n_conjugate, "", JINJA_INT },
    { "from_bytes", NULL, "*", JINJA_INT },
    { "to_bytes", NULL, "*", JINJA_INT },
    { "as_integer_ratio", NULL, "*", JINJA_FLOAT },
    { "conjugate", n_conjugate, "", JINJA_FLOAT },
    { "fromhex", NULL, "*", JINJA_FLOAT },
    { "hex", NULL, "*", JINJA_FLOAT },
    { "is_integer", n_is_integer, "", JINJA_FLOAT },
    { "close", NULL, "*", JINJA_ITERATOR },
    { "send", NULL, "*", JINJA_ITERATOR },
    { "throw", NULL, "*", JINJA_ITERATOR },
    { "cycle", o_cycle, "*", JINJA_LOOP },
    { "changed", o_changed, "*", JINJA_LOOP },
    { "next", o_next, "", JINJA_CYCLER },
    { "reset", o_reset, "", JINJA_CYCLER },
    { NULL, NULL, NULL, 0 },
};
